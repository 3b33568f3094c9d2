package web

import (
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// message is a text of a conversation as the API shows it.
type message struct {
	ID        string            `json:"id"`
	Direction bridge.EntryKind  `json:"direction"` // mt or mo
	Phone     addressing.MSISDN `json:"phone"`
	Number    addressing.Number `json:"number"`
	Text      string            `json:"text"`
	At        string            `json:"at"`
	// Key is the Idempotency-Key that the message was sent with.
	Key string `json:"idempotency_key,omitempty"`
	*status
}

// status is where an MT message stands.
type status struct {
	Status bridge.State  `json:"status"`
	Reason bridge.Reason `json:"reason,omitempty"`
	Detail string        `json:"detail,omitempty"`
}

func messageOf(e bridge.Entry) message {
	m := message{ID: e.ID, Direction: e.Kind, Phone: e.Phone, Number: e.Number, Text: e.Text, At: stamp(e.At)}
	if e.Kind == bridge.EntryMT {
		m.Key = e.NetworkID
		m.status = statusOf(e)
	}
	return m
}

func statusOf(e bridge.Entry) *status {
	return &status{Status: e.State.Shown(), Reason: e.Reason, Detail: e.Detail}
}

// conversation is one phone with the latest text.
type conversation struct {
	Phone  addressing.MSISDN `json:"phone"`
	Number addressing.Number `json:"number"`
	Last   message           `json:"last"`
}

// change is a step of a message's history, and, with an id, the data of a status event.
type change struct {
	ID    string             `json:"id,omitempty"`
	Phone *addressing.MSISDN `json:"phone,omitempty"`
	At    string             `json:"at"`
	status
}

// story is what became of an MT message.
type story struct {
	ID      string            `json:"id"`
	Phone   addressing.MSISDN `json:"phone"`
	Number  addressing.Number `json:"number"`
	Key     string            `json:"idempotency_key,omitempty"`
	History []change          `json:"history"`
	status
}

func storyOf(s bridge.Story) story {
	view := story{
		ID: s.ID, Phone: s.Phone, Number: s.Number, Key: s.NetworkID, History: []change{},
		status: status{Status: s.State.Shown(), Reason: s.Reason, Detail: s.Detail},
	}
	for _, c := range s.History {
		view.History = append(view.History, change{
			At: stamp(c.At), status: status{Status: c.State.Shown(), Reason: c.Reason, Detail: c.Detail},
		})
	}
	return view
}

// stamp writes a time in UTC and in one width (RFC 3339, 5.1), so that as texts too
// they are in order.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// fold makes messages of log entries, in the order of the log. An entry that stands
// twice is one; a status that comes late does not undo a later one.
func fold(entries []bridge.Entry) []message {
	all := make([]message, 0, len(entries))
	at := make(map[string]int, len(entries))
	for _, e := range entries {
		i, known := at[e.ID]
		switch {
		case e.Kind == bridge.EntryStatus && known && all[i].status != nil && follows(all[i].Status, e.State.Shown()):
			all[i].status = statusOf(e)
		case e.Kind != bridge.EntryStatus && !known:
			at[e.ID] = len(all)
			all = append(all, messageOf(e))
		}
	}
	return all
}

// follows tells whether a message in state old may be shown in state next. A final
// state stays; accepted may follow itself, with a new detail.
func follows(old, next bridge.State) bool {
	return !old.Final() && (next.Final() || next == bridge.Sent || old == bridge.Accepted)
}
