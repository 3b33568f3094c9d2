package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/ops"
	"smsbridge/queue"
)

// finder tells the stories of messages from what the rooms have on record. It implements
// [ops.Messages].
type finder struct{ *app }

// Search gives messages, the newest first.
func (f finder) Search(ctx context.Context, q ops.MessageQuery) ([]ops.MessageRow, error) {
	if q.ID != "" {
		m, err := f.Message(ctx, q.ID)
		if errors.Is(err, bridge.ErrNotFound) {
			return nil, nil
		}
		return []ops.MessageRow{m.MessageRow}, err
	}
	said := history{f.store, f.hub.Book.Directory()}
	var handles []addressing.Handle
	if !q.Handle.IsZero() {
		handles = said.names.Names(q.Handle)
	}
	entries, err := f.store.Said(ctx, handles, q.Phone, q.Limit)
	if err != nil {
		return nil, err
	}
	if !q.Handle.IsZero() {
		entries = lastTexts(said.mine(q.Handle, entries), q.Limit)
	}
	rows := f.rows(entries)
	slices.SortStableFunc(rows, func(x, y ops.MessageRow) int { return y.At.Compare(x.At) })
	return rows, nil
}

// rows folds entries of the log into one row for each message, in their order.
func (f finder) rows(entries []bridge.Entry) []ops.MessageRow {
	var all []ops.MessageRow
	at := make(map[string]int)
	for _, e := range entries {
		i, known := at[e.ID]
		switch {
		case e.Kind != bridge.EntryStatus && !known:
			at[e.ID] = len(all)
			row := ops.MessageRow{ID: e.ID, Kind: string(e.Kind), At: e.At, Handle: f.today(e.Handle, e.At), Phone: e.Phone.Masked(), Number: e.Number.String(), State: ops.MessageHanded}
			if e.Kind == bridge.EntryMT {
				row.State = ops.MessageWaiting
			}
			all = append(all, row)
		case e.Kind == bridge.EntryStatus && known && !bridge.State(all[i].State).Final():
			all[i].State, all[i].Reason, all[i].Detail = shown(e.State), e.Reason, e.Detail
		}
	}
	return all
}

// today is what the person who was h then is called now.
func (f finder) today(h addressing.Handle, at time.Time) string {
	now, _ := f.hub.Book.Directory().Now(h, at)
	return cmp.Or(now, h).String()
}

// shown is a state as operators read it.
func shown(s bridge.State) string {
	if s == bridge.Accepted {
		return ops.MessageWaiting
	}
	return string(s)
}

// Message tells the story of a message, also by the id that an SMSC gave it.
func (f finder) Message(ctx context.Context, id string) (ops.Message, error) {
	story, _, err := f.store.Story(ctx, id)
	for _, s := range f.linkStates() {
		if !errors.Is(err, bridge.ErrNotFound) {
			break
		}
		var ref bridge.SegmentRef
		if ref, err = f.store.Ref(ctx, s.Account, []string{id}); err == nil {
			story, _, err = f.store.Story(ctx, ref.MessageID)
		}
	}
	var m ops.Message
	switch {
	case err == nil:
		id = story.ID
		m, err = f.told(ctx, story)
	case errors.Is(err, bridge.ErrNotFound):
		m, err = f.untold(ctx, id)
	}
	dead, deadErr := f.store.DeadLetter(ctx, id)
	switch {
	case errors.Is(deadErr, bridge.ErrNotFound):
	case deadErr != nil:
		return m, deadErr
	case errors.Is(err, bridge.ErrNotFound):
		m, err = f.onlyDead(dead), nil
		fallthrough
	case err == nil:
		row := ops.DeadRowOf(dead)
		m.Dead = &row
		m.Steps = append(m.Steps, ops.MessageStep{At: dead.At, State: ops.MessageDead, Reason: dead.Reason, Detail: dead.Detail})
	}
	return m, err
}

// told is a message with a story in the journal.
func (f finder) told(ctx context.Context, s bridge.Story) (ops.Message, error) {
	m := ops.Message{
		MessageRow: ops.MessageRow{ID: s.ID, Kind: string(bridge.EntryMT), Phone: s.Phone.Masked(), Number: s.Number.String(), State: shown(s.State), Reason: s.Reason, Detail: s.Detail},
		Key:        s.NetworkID, ExpiresAt: s.ExpiresAt, Attempts: s.Attempts, NextAt: s.NextAt, Link: s.Link, Account: s.Account, TraceID: s.Trace.ID(), Segments: s.Segments, Told: s.Told,
	}
	for i, c := range s.History {
		if i == 0 {
			m.At = c.At
		}
		state := shown(c.State)
		if i == 0 && c.State == bridge.Accepted {
			state = string(bridge.Accepted)
		}
		m.Steps = append(m.Steps, ops.MessageStep{At: c.At, State: state, Link: c.Link, Reason: c.Reason, Detail: c.Detail})
	}
	m.Handle = f.today(s.Handle, m.At)
	if s.State == bridge.Accepted {
		m.Route, m.WaitsFor = f.waitsFor(s.Handle, s.Phone, s.NextAt)
	}
	entries, err := f.store.SaidOf(ctx, s.ID, s.Handle, s.Phone, m.At)
	if err != nil {
		return m, err
	}
	for _, e := range entries {
		m.Text = cmp.Or(m.Text, e.Text)
	}
	return m, f.queued(ctx, &m, "out")
}

// queued notes which stages hold the message, or a status of it.
func (f finder) queued(ctx context.Context, m *ops.Message, stages ...string) error {
	all, err := f.store.FindQueued(ctx, m.ID, stages...)
	for _, q := range all {
		if !slices.Contains(m.Queued, q.Stage) {
			m.Queued = append(m.Queued, q.Stage)
		}
	}
	return err
}

// untold is a message without a story: an MT that was never tried or ended long ago, or an MO.
func (f finder) untold(ctx context.Context, id string) (m ops.Message, err error) {
	all, err := f.store.FindQueued(ctx, id, "mt", "mo", "out")
	if err != nil {
		return m, err
	}
	for _, q := range all {
		switch {
		case q.MT != nil:
			m = f.neverTried(*q.MT)
		case q.MO != nil:
			m = f.raw(*q.MO, "its turn"+f.because(bridge.HoldStage, "mo"))
		}
	}
	if m.ID == "" {
		if m, err = f.said(ctx, id, all); err != nil {
			return m, err
		}
	}
	for _, q := range all {
		if !slices.Contains(m.Queued, q.Stage) {
			m.Queued = append(m.Queued, q.Stage)
		}
	}
	return m, nil
}

// neverTried is an MT that waits for its first attempt.
func (f finder) neverTried(t bridge.MT) ops.Message {
	m := ops.Message{
		MessageRow: ops.MessageRow{
			ID: t.ID, Kind: string(bridge.EntryMT), At: t.AcceptedAt, Handle: f.today(t.Handle, t.AcceptedAt), Phone: t.Phone.Masked(),
			Number: t.Number.String(), State: ops.MessageWaiting,
		},
		Key: t.NetworkID, ExpiresAt: t.ExpiresAt, TraceID: t.Trace.ID(), Text: t.Text,
		Steps: []ops.MessageStep{{At: t.AcceptedAt, State: string(bridge.Accepted)}},
	}
	if t.Handle.IsZero() {
		m.Handle = "" // the bridge itself
	}
	m.Route, m.WaitsFor = f.waitsFor(t.Handle, t.Phone, time.Time{})
	return m
}

// raw is an MO that nobody has read the text of yet, or not to its end.
func (f finder) raw(o bridge.MO, waitsFor string) ops.Message {
	from := "it came over " + o.Link + ", by " + o.Command
	m := ops.Message{
		MessageRow: ops.MessageRow{ID: o.ID, Kind: string(bridge.EntryMO), At: o.ReceivedAt, Number: o.Destination.Addr, State: ops.MessageWaiting},
		Account:    o.Account, Link: o.Link, TraceID: o.Trace.ID(), WaitsFor: waitsFor,
		Steps: []ops.MessageStep{{At: o.ReceivedAt, State: "received", Link: o.Link, Detail: from}},
	}
	if phone, err := addressing.ParseMSISDN("+"+strings.TrimLeft(o.Source.Addr, "+"), ""); err == nil {
		m.Phone = phone.Masked()
	}
	return m
}

// said is a message of which the log tells, or the segments that wait for others.
func (f finder) said(ctx context.Context, id string, queued []queue.Queued) (m ops.Message, err error) {
	entries, err := f.store.SaidOf(ctx, id, addressing.Handle{}, addressing.MSISDN{}, time.Time{})
	if err != nil {
		return m, err
	}
	rows := f.rows(entries)
	if len(rows) == 0 {
		return f.partly(ctx, id)
	}
	m = ops.Message{MessageRow: rows[0]}
	for _, e := range entries {
		m.TraceID = cmp.Or(m.TraceID, e.Trace.ID())
		switch e.Kind {
		case bridge.EntryMO:
			m.Account, m.Text = e.Account, e.Text
			from := ""
			if e.Account != "" { // an older version did not write it down
				from = "it came from the account " + e.Account
			}
			m.Steps = append(m.Steps, ops.MessageStep{At: e.At, State: "received", Detail: from}, ops.MessageStep{
				At: e.At, State: "matched", Detail: "it is for " + m.Handle + ", over " + m.Number,
			})
		case bridge.EntryMT:
			m.Text, m.Key = e.Text, e.NetworkID
			m.Steps = append(m.Steps, ops.MessageStep{At: e.At, State: string(bridge.Accepted)})
		default:
			m.Steps = append(m.Steps, ops.MessageStep{At: e.At, State: shown(e.State), Reason: e.Reason, Detail: e.Detail})
		}
	}
	m.Told = bridge.State(m.State).Final()
	if len(queued) > 0 && m.Kind == string(bridge.EntryMO) {
		m.State, m.WaitsFor = ops.MessageWaiting, "its messenger to take it"+f.because(bridge.HoldStage, "out")
	}
	return m, nil
}

// partly is a segment of a long MO that waits for others, or a text that waits for the phone to say
// whom it is for.
func (f finder) partly(ctx context.Context, id string) (m ops.Message, err error) {
	pattern := fmt.Appendf(nil, `"id":%q`, id)
	found := false
	err = f.store.RangeParts(ctx, func(_ string, value []byte, _ uint64) bool {
		found = bytes.Contains(value, pattern)
		return !found
	})
	if err == nil && !found {
		err = bridge.ErrNotFound
	}
	return ops.Message{
		MessageRow: ops.MessageRow{ID: id, Kind: string(bridge.EntryMO), State: ops.MessageWaiting},
		WaitsFor:   "the other segments of its text, or the phone's answer to whom it is for",
	}, err
}

// onlyDead is a message of which there is nothing but the dead letter.
func (f finder) onlyDead(d bridge.Dead) ops.Message {
	switch {
	case d.MT != nil:
		m := f.neverTried(*d.MT)
		m.State, m.WaitsFor = ops.MessageDead, ""
		return m
	case d.MO != nil:
		m := f.raw(*d.MO, "")
		m.State = ops.MessageDead
		return m
	default:
		return ops.Message{MessageRow: ops.MessageRow{ID: d.ID, Kind: strings.ToLower(d.Stage), At: d.At, State: ops.MessageDead}}
	}
}
