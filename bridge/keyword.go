package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/addressing"
)

// This file answers what a phone asks the bridge itself: STOP, START and HELP.

// keyword does what a text asks for that is a keyword, and tells whether it was one that
// concerns the bridge. Called again for the same message it does the same again.
func (h *Hub) keyword(ctx context.Context, m MO, short Short, text string) (bool, error) {
	if !h.Book.Ours(short.Number) {
		return false, nil
	}
	word, rest := h.config().Keywords.Find(text)
	switch word {
	case addressing.KeywordStop, addressing.KeywordStopAll:
		s, err := h.Book.Stop(ctx, short.Phone, short.Number, rest, word == addressing.KeywordStopAll, m.ID)
		if err != nil || !s.Changed {
			return true, err // it was answered when it said something new
		}
		if s.All { // a STOP after another, too
			word = addressing.KeywordStopAll
		}
		return true, h.heeded(word, h.stopped(ctx, m, short, text, s))
	case addressing.KeywordStart:
		s, err := h.Book.Start(ctx, short.Phone, short.Number)
		if err != nil || !s.Changed {
			return false, err // nothing to undo: a text like any other
		}
		return true, h.heeded(word, h.started(ctx, m, short, text, s))
	case addressing.KeywordHelp:
		return true, h.heeded(word, h.reply(ctx, m, short, h.config().HelpReply))
	default:
		return false, nil
	}
}

// heeded counts a keyword on which the bridge did what it asks for, unless err says that it could not.
func (h *Hub) heeded(word addressing.Keyword, err error) error {
	if err == nil {
		h.stats.keyword(word)
	}
	return err
}

func (h *Hub) stopped(ctx context.Context, m MO, short Short, text string, s addressing.Stopping) error {
	answer := "You will get no more messages from " + names(s.Conversations) + ". Send STOP again to get none from anybody here, or START to undo."
	if s.All {
		answer = "You will get no more messages from anybody here. Send START to undo."
	}
	err := h.inform(ctx, m, s.Conversations, text+"\n[This phone wants no more messages from you: what you write to it is refused until it sends START.]")
	if err != nil {
		return err
	}
	return h.reply(ctx, m, short, answer)
}

func (h *Hub) started(ctx context.Context, m MO, short Short, text string, s addressing.Stopping) error {
	if err := h.inform(ctx, m, s.Conversations, text+"\n[This phone takes your messages again.]"); err != nil {
		return err
	}
	return h.reply(ctx, m, short, "You will get messages again. Send STOP to end that.")
}

// names lists people as a phone knows them, and no more than fit into a text.
func names(all []addressing.Conversation) string {
	const most = 5
	var list []string
	for _, c := range all {
		if name := c.Handle.Name(); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d others", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// inform tells each handle once what a phone has decided.
func (h *Hub) inform(ctx context.Context, m MO, all []addressing.Conversation, text string) error {
	var told []addressing.Handle
	for _, c := range all {
		if slices.Contains(told, c.Handle) {
			continue
		}
		told = append(told, c.Handle)
		if err := h.handOf(ctx, m.Account, MessageID(c.Handle, m.ID), m.ReceivedAt, c, text); err != nil {
			return err
		}
	}
	return nil
}

// maxReplies bounds how often a day the bridge answers a phone by itself: what answers by
// itself as well would never end.
const maxReplies = 8

// counted are the messages on account of which something was done within a day: of a phone to a
// Number those that the bridge has answered.
type counted struct {
	V   int       `json:"v"`
	IDs []string  `json:"ids"`
	At  time.Time `json:"at"` // when the last was added
}

// reply answers a phone in the bridge's own name; once for each message.
func (h *Hub) reply(ctx context.Context, m MO, short Short, text string) error {
	if err := h.count(ctx, "replies "+short.Phone.String()+" "+short.Number.String(), m.ID, maxReplies); err != nil {
		if errors.Is(err, errEnough) {
			h.log.Warn().Str("message_id", m.ID).Str("msisdn", short.Phone.Masked()).Msg("the bridge has answered this phone often enough for a day")
			return nil
		}
		return err
	}
	return h.Queue.PublishMT(ctx, MT{
		V: version, ID: MessageID(addressing.Handle{}, m.ID), Phone: short.Phone, Number: short.Number,
		Text: text, AcceptedAt: h.now(), ExpiresAt: h.now().Add(h.config().Validity),
	})
}

// countedFor is a day, from the last that was done.
const countedFor = 24 * time.Hour

var errEnough = errors.New("bridge: enough answers for a day")

// count notes that something is done on account of the message id, or tells with errEnough that
// most others were within a day.
func (h *Hub) count(ctx context.Context, key, id string, most int) error {
	for {
		r := counted{V: version}
		value, rev, err := h.Parts.LoadPart(ctx, key)
		if err == nil {
			err = json.Unmarshal(value, &r)
		}
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		case h.now().Sub(r.At) >= countedFor && !slices.Contains(r.IDs, id):
			r.IDs = nil
		}
		switch {
		case slices.Contains(r.IDs, id):
			return nil
		case len(r.IDs) >= most:
			return errEnough
		}
		r.IDs, r.At = append(r.IDs, id), h.now()
		if value, err = json.Marshal(r); err != nil {
			return err
		}
		if _, err = h.Parts.SavePart(ctx, key, value, rev); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}
