package bridge

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
)

// DispatchMT takes one message from the queue to an SMSC: it submits it, records
// the outcome and tells the sender. It blocks while no link can take the message. It
// returns nil when the message may leave the queue, and an error when the same message
// is to be dispatched again: a *[LaterError] until its next attempt, another because
// ctx ended or the store failed. It may run for many messages at once, but only for
// one of each [MT.Key].
func (h *Hub) DispatchMT(ctx context.Context, m MT) error {
	if accepted := h.accepting.empty(m.ID); accepted != nil {
		select {
		case <-accepted:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	t, err := h.take(ctx, m)
	if err != nil {
		return err
	}
	defer t.leave()
	switch {
	case t.story.State == Sent:
		return t.sent(ctx) // a crash came before, or the queue forgot that it was done
	case t.story.State.Final():
		return t.tell(ctx)
	case t.story.State == Submitting:
		// Written, or about to be, when the daemon died.
		h.stats.submitted(OutcomeUnknown)
		if d := unknownVerdict(t.story.Attempts, h.cfg.ResendUnknown); d.step == stepEnd {
			return t.end(ctx, d)
		}
	}
	if now := t.now(); now.Before(t.story.NextAt) && now.Before(t.m.ExpiresAt) {
		return t.later()
	}
	for {
		d, err := t.attempt(ctx)
		if err != nil {
			return err
		}
		switch d.step {
		case stepSent:
			return t.sent(context.WithoutCancel(ctx))
		case stepEnd:
			return t.end(ctx, d)
		case stepLater:
			if err := t.logStatus(ctx, t.story, Change{State: Accepted, At: t.now(), Detail: d.detail}); err != nil {
				return err
			}
			return t.later()
		}
		t.leave()
	}
}

// turn is one message in the hands of a worker.
type turn struct {
	*Hub
	m     MT
	story Story
	rev   uint64
	first bool // it was throttled: it goes before others
	// left undoes the entry into Hub.submitting; nil while outside.
	left func()
	log  zerolog.Logger
}

// enter tells receipts from this phone to wait until leave.
func (t *turn) enter() {
	if t.left == nil {
		t.left = t.submitting.enter(t.m.Phone.Digits())
	}
}

func (t *turn) leave() {
	if t.left != nil {
		t.left()
		t.left = nil
	}
}

// take reads the story of m. Where a crash came between storing the message and
// its story, it makes the story.
func (h *Hub) take(ctx context.Context, m MT) (*turn, error) {
	s, rev, err := h.Journal.Story(ctx, m.ID)
	if errors.Is(err, ErrNotFound) {
		s, rev, err = h.begin(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	return &turn{Hub: h, m: m, story: s, rev: rev, log: h.log.With().Str("message_id", m.ID).Str("msisdn", m.Phone.Masked()).Logger()}, nil
}

// later asks for the message when its next attempt is due, or its end.
func (t *turn) later() error {
	at := t.story.NextAt
	if t.m.ExpiresAt.Before(at) {
		at = t.m.ExpiresAt
	}
	return &LaterError{At: at}
}

// attempt submits the message once and says what follows.
func (t *turn) attempt(ctx context.Context) (decision, error) {
	if !t.now().Before(t.m.ExpiresAt) {
		return decision{
			step: stepEnd, state: Expired, reason: ReasonExpired,
			detail: "The phone's operator could not be reached before the message's validity ended.",
		}, nil
	}
	waitCtx, cancel := context.WithTimeout(ctx, t.m.ExpiresAt.Sub(t.now()))
	defer cancel()
	var notStored error
	res := t.Carrier.Submit(waitCtx, t.submission(&notStored))
	if notStored != nil {
		return decision{}, errors.Join(notStored, t.restore(ctx))
	}
	t.stats.submitted(res.Outcome)
	d := verdict(res, t.story.Attempts, t.cfg.ResendUnknown)
	t.first = res.Outcome == OutcomeThrottled
	return d, t.record(ctx, res, d)
}

// submission is what the carrier gets. notStored is set where the attempt could not
// be put on record, and so nothing was written.
func (t *turn) submission(notStored *error) Submission {
	var done []string
	for _, s := range t.story.Segments {
		done = append(done, s.SMSCID)
	}
	return Submission{
		ID: t.m.ID, Handle: t.m.Handle, Number: t.m.Number, Phone: t.m.Phone, Text: t.m.Text, ExpiresAt: t.m.ExpiresAt,
		Done: done, Link: t.story.Link, Account: t.story.Account, First: t.first,
		Attempt: func(ctx context.Context, link, account string) error {
			t.enter()
			t.story.State, t.story.Link, t.story.Account = Submitting, link, account
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
			defer cancel()
			*notStored = t.put(ctx, true)
			return *notStored
		},
	}
}

// restore takes back an attempt whose record failed half-way: the story must not say
// that something was written when nothing was.
func (t *turn) restore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	s, rev, err := t.Journal.Story(ctx, t.m.ID)
	if err != nil || s.State != Submitting {
		return err
	}
	t.story, t.rev = s, rev
	t.story.State = Accepted
	return t.put(ctx, false)
}

// recordWithin bounds what is still recorded of a submit after ctx has ended.
const recordWithin = 5 * time.Second

// record stores what a submit came to. An outcome is recorded even if ctx ended
// meanwhile; but then nothing new is begun.
func (t *turn) record(ctx context.Context, res Result, d decision) error {
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	for _, id := range res.SMSCIDs[min(len(t.story.Segments), len(res.SMSCIDs)):] {
		t.story.Segments = append(t.story.Segments, Segment{SMSCID: id})
	}
	switch d.step {
	case stepAgain:
		if t.story.State == Submitting {
			t.story.State = Accepted
			if err := errors.Join(t.put(keep, false), t.index(keep)); err != nil {
				return err
			}
		}
		if res.Outcome == OutcomeNotWritten && res.Err != nil {
			t.log.Debug().Err(res.Err).Msg("submit_sm not written")
		}
		return ctx.Err()
	case stepLater:
		t.story.State = Accepted
		t.story.Attempts++
		t.story.NextAt = t.now().Add(d.after)
		t.note(Change{State: Accepted, At: t.now(), Detail: d.detail})
		t.log.Warn().Str("link", res.Link).Str("status", res.StatusName).Dur("after", d.after).Msg("submit_sm refused for now")
		return errors.Join(t.put(keep, false), t.index(keep))
	case stepSent:
		t.story.NoReceipts = res.NoReceipts
		t.change(Change{State: Sent, At: t.now()})
		return t.put(keep, false)
	default: // stepEnd: end stores it
		return nil
	}
}

// sent makes the message findable by its receipts, or tells the sender that it was
// sent where none will come. It may run twice.
func (t *turn) sent(ctx context.Context) error {
	if t.story.NoReceipts {
		return t.tell(ctx)
	}
	return t.index(ctx)
}

// index makes the message findable by its receipts, or as much of it as the SMSC has
// taken: those of the first segments may come long before the last can be submitted. It
// may run twice.
func (t *turn) index(ctx context.Context) error {
	if err := t.wait(ctx, t.story); err != nil {
		return err
	}
	for i, s := range t.story.Segments {
		if s.SMSCID == "" {
			continue
		}
		ref := SegmentRef{V: version, MessageID: t.m.ID, Segment: i}
		if err := t.Journal.PutRef(ctx, t.story.Account, s.SMSCID, ref); err != nil {
			return err
		}
	}
	for _, c := range t.story.History {
		if c.State == Sent {
			return t.logStatus(ctx, t.story, c)
		}
	}
	return nil
}

// end gives the message its final state.
func (t *turn) end(ctx context.Context, d decision) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	t.change(Change{State: d.state, At: t.now(), Reason: d.reason, Detail: d.detail})
	if err := t.put(ctx, true); err != nil {
		return err
	}
	t.stats.ended(d.state, d.reason)
	t.log.Info().Str("state", string(d.state)).Str("reason", string(d.reason)).Str("link", t.story.Link).Msg("message ended")
	if err := t.index(ctx); err != nil {
		return err
	}
	return t.tell(ctx)
}

// tell tells the sender the final state, once.
func (t *turn) tell(ctx context.Context) error {
	if t.story.Told {
		return nil
	}
	if err := t.tellFinal(ctx, t.story); err != nil {
		return err
	}
	t.story.Told = true
	return t.put(ctx, false)
}

func (t *turn) change(c Change) {
	t.story.State, t.story.Reason, t.story.Detail = c.State, c.Reason, c.Detail
	t.story.NextAt = time.Time{}
	t.note(c)
}

// maxHistory bounds a story: a message that waits for two days is retried 50 times.
const maxHistory = 20

// note adds a step to the history. What overflows is the middle: how it began and
// how it ended are kept.
func (t *turn) note(c Change) {
	h := append(t.story.History, c)
	if len(h) > maxHistory {
		h = append(h[:maxHistory/2], h[maxHistory/2+1:]...)
	}
	t.story.History = h
}

func (t *turn) put(ctx context.Context, durable bool) error {
	rev, err := t.Journal.PutStory(ctx, t.story, t.rev, durable)
	if err != nil {
		return err
	}
	t.rev = rev
	return nil
}
