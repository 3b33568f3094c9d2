package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"smsbridge/addressing"
)

// This file asks a phone for whom its text is, where several people share a Number with it.

// question is what a phone was asked, with its texts until it answers.
type question struct {
	V       int       `json:"v"`
	AskedAt time.Time `json:"asked_at"`
	Choices []choice  `json:"choices"`
	Held    []held    `json:"held"`
	// By is the message that answered it, or [expired]: nothing is added any more.
	By string `json:"by,omitempty"`
}

type choice struct {
	Index  int               `json:"n"`
	Handle addressing.Handle `json:"handle"`
}

// held is a text that waits for the answer, and what it came as.
type held struct {
	Parts []MO   `json:"parts"`
	Text  string `json:"text"`
}

const (
	questionPrefix = "question "
	// questionFor is how long a text waits for the answer.
	questionFor = 6 * time.Hour
	// maxHeld bounds what waits.
	maxHeld = 10
	expired = "expired"
)

func questionKey(phone addressing.MSISDN, n addressing.Number) string {
	return questionPrefix + phone.String() + " " + n.String()
}

func (h *Hub) loadQuestion(ctx context.Context, key string) (q question, rev uint64, err error) {
	value, rev, err := h.Parts.LoadPart(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return question{V: version}, 0, nil
	}
	if err != nil {
		return question{}, 0, err
	}
	return q, rev, json.Unmarshal(value, &q)
}

func (h *Hub) saveQuestion(ctx context.Context, key string, q question, rev uint64) (uint64, error) {
	value, err := json.Marshal(q)
	if err != nil {
		return 0, err
	}
	return h.Parts.SavePart(ctx, key, value, rev)
}

// ask keeps a text and asks the phone for whom it is. One question is asked at a time: what
// comes before its answer waits with it.
func (h *Hub) ask(ctx context.Context, parts []MO, short Short, text string, choices []addressing.Conversation) error {
	key, m := questionKey(short.Phone, short.Number), parts[0]
	for {
		q, rev, err := h.loadQuestion(ctx, key)
		if err != nil {
			return err
		}
		if rev == 0 || q.By != "" && q.By != expired {
			q = newQuestion(h.now(), choices)
		}
		at := slices.IndexFunc(q.Held, func(w held) bool { return w.Parts[0].ID == m.ID })
		switch {
		case q.By == expired:
			return &LaterError{At: h.now().Add(time.Second)} // a new one begins when this has ended
		case at < 0 && len(q.Held) >= maxHeld:
			return h.buryHeld(ctx, parts, "the phone was asked for whom its texts are, and does not answer")
		case at < 0:
			at = len(q.Held)
			q.Held = append(q.Held, held{Parts: parts, Text: text})
			if _, err = h.saveQuestion(ctx, key, q, rev); errors.Is(err, ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if at > 0 {
			return nil
		}
		return h.reply(ctx, m, short, questionText(q.Choices))
	}
}

func newQuestion(now time.Time, choices []addressing.Conversation) question {
	q := question{V: version, AskedAt: now}
	for _, c := range choices {
		q.Choices = append(q.Choices, choice{c.Index, c.Handle})
	}
	return q
}

func questionText(choices []choice) string {
	var names []string
	for _, c := range choices {
		names = append(names, fmt.Sprintf("%d %s", c.Index, c.Handle.Name()))
	}
	return "For whom is your message? Answer with the number: " + strings.Join(names, ", ")
}

// answered delivers what waits if text is the answer to the question, and tells whether
// it was. The same message again delivers the same again, under the same ids.
func (h *Hub) answered(ctx context.Context, m MO, short Short, text string) (bool, error) {
	index, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(text), "#"))
	if err != nil {
		return false, nil //nolint:nilerr // it is a text, and no answer
	}
	key := questionKey(short.Phone, short.Number)
	for {
		q, rev, err := h.loadQuestion(ctx, key)
		if err != nil || rev == 0 || q.By != "" && q.By != m.ID {
			return false, err
		}
		at := slices.IndexFunc(q.Choices, func(c choice) bool { return c.Index == index })
		if at < 0 {
			return false, nil
		}
		if q.By == "" {
			q.By = m.ID
			if _, err := h.saveQuestion(ctx, key, q, rev); errors.Is(err, ErrConflict) {
				continue
			} else if err != nil {
				return false, err
			}
		}
		to, _ := h.Book.Directory().Now(q.Choices[at].Handle, q.AskedAt)
		if to.IsZero() {
			return true, h.buryAll(ctx, q.Held, "the operator of the bridge has removed "+q.Choices[at].Handle.String())
		}
		c := addressing.Conversation{Handle: to, Phone: short.Phone, Number: short.Number}
		for _, w := range q.Held {
			if err := h.handOf(ctx, w.Parts[0].Account, w.Parts[0].ID, w.Parts[0].ReceivedAt, c, w.Text, w.Parts...); err != nil {
				return false, err
			}
		}
		return true, nil
	}
}

// isUnanswered tells whether the question has waited for long enough.
func (h *Hub) isUnanswered(q question) bool {
	return q.By == expired || q.By == "" && len(q.Held) > 0 && h.now().Sub(q.AskedAt) >= questionFor
}

// endQuestion gives up a question that nobody answered: the phone is told, and its texts
// become dead letters.
func (h *Hub) endQuestion(ctx context.Context, key string) error {
	q, rev, err := h.loadQuestion(ctx, key)
	if err != nil || rev == 0 || !h.isUnanswered(q) {
		return err
	}
	if q.By == "" {
		q.By = expired
		if rev, err = h.saveQuestion(ctx, key, q, rev); err != nil {
			return ignoreConflict(err) // it was answered, or has another text: next time
		}
	}
	if err := h.buryAll(ctx, q.Held, "the phone was asked for whom this is, and did not answer"); err != nil {
		return err
	}
	first := q.Held[0].Parts[0]
	if short, err := h.Reader.ReadMO(first); err == nil {
		first.ID += " " + expired
		if err := h.reply(ctx, first, short, "You did not say for whom your message was, so nobody got it."); err != nil {
			return err
		}
	}
	return ignoreConflict(h.Parts.DeletePart(ctx, key, rev))
}

func (h *Hub) buryAll(ctx context.Context, all []held, detail string) error {
	for _, w := range all {
		if err := h.buryHeld(ctx, w.Parts, detail); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hub) buryHeld(ctx context.Context, parts []MO, detail string) error {
	return h.buryMO(ctx, parts, ReasonUnroutable, detail)
}
