package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
)

// DispatchMT takes one message from the queue to an SMSC: it submits it, records
// the outcome and tells the sender. It blocks while no link can take the message. It
// returns nil when the message may leave the queue, and an error when the same message
// is to be dispatched again: a *[LaterError] until its next attempt, another because
// ctx ended or the store failed. It may run for many messages at once, but only for
// one of each [MT.Key].
//
// Where a defect of the bridge panics, the message ends there: its sender is told, and
// it is kept as a dead letter.
func (h *Hub) DispatchMT(ctx context.Context, m MT) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = h.defect(ctx, m, p)
		}
	}()
	if accepted := h.accepting.empty(m.ID); accepted != nil {
		select {
		case <-accepted:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	t, err := h.take(ctx, m)
	if err != nil {
		return ignoreDone(err)
	}
	defer t.leave()
	switch {
	case t.story.Erased:
		return nil
	case t.story.Digest != digest(m.Phone, m.Text):
		return t.reused(ctx)
	case t.story.State == Sent:
		return t.sent(ctx) // a crash came before, or the queue forgot that it was done
	case t.story.State.Final():
		return t.tell(ctx, t.story, t.rev)
	case t.story.State == Submitting:
		// Written, or about to be, when the daemon died.
		d, err := t.decide(ctx, Result{Outcome: OutcomeUnknown, Link: t.story.Link})
		if err != nil {
			return err
		}
		return t.conclude(ctx, d)
	}
	if t.waits() {
		return t.later()
	}
	for {
		d, err := t.attempt(ctx)
		if err != nil {
			return err
		}
		if d.step != stepAgain {
			return t.conclude(ctx, d)
		}
		t.leave()
	}
}

// reused tells the sender of a message that it has the id of another one. Accept refuses such
// a message where it still knows the first; here the first has been sent or given up.
func (t *turn) reused(ctx context.Context) error {
	t.log.Warn().Msg("a message has the id of an earlier one with another text or phone; it is not sent, and its sender is told")
	t.stats.refused(t.m.Handle, ReasonIDReused)
	text := fmt.Sprintf("[Your message %q was not sent: its id was used before for another message. Send it again.]", t.m.Text)
	to, _ := t.Book.Directory().Now(t.m.Handle, t.m.AcceptedAt)
	if to.IsZero() {
		return nil // there is nobody to tell
	}
	conversation := addressing.Conversation{Handle: to, Phone: t.m.Phone, Number: t.m.Number}
	return t.hand(ctx, MessageID(t.m.Handle, t.m.ID+" "+digest(t.m.Phone, t.m.Text)), t.m.AcceptedAt, conversation, text)
}

// conclude ends the turn as d says.
func (t *turn) conclude(ctx context.Context, d decision) error {
	switch d.step {
	case stepSent:
		return t.sent(context.WithoutCancel(ctx))
	case stepLater:
		if err := t.logStatus(ctx, t.story, Change{State: Accepted, At: t.now(), Detail: d.detail}); err != nil {
			return err
		}
		return t.later()
	default:
		return t.end(ctx, d)
	}
}

// defect ends a message on which the bridge panicked.
func (h *Hub) defect(ctx context.Context, m MT, panicked any) error {
	h.stats.panicked()
	h.log.Error().Str("message_id", m.ID).Interface("panic", panicked).Bytes("stack", debug.Stack()).Msg("a defect of the bridge")
	t, err := h.take(ctx, m)
	if err != nil {
		return ignoreDone(err)
	}
	if t.story.State.Final() {
		return t.tell(ctx, t.story, t.rev)
	}
	err = h.bury(ctx, Dead{ID: m.ID, Stage: "MT", MT: &m, Reason: ReasonInternal, Detail: fmt.Sprint("panic: ", panicked)})
	if err != nil {
		return err
	}
	switch t.story.State {
	case Sent:
		return nil // the operator has it, and its receipts may still say what became of it
	case Submitting:
		return t.end(ctx, unknownVerdict(t.story.Attempts, false))
	default:
		return t.end(ctx, decision{
			step: stepEnd, state: Failed, reason: ReasonInternal,
			detail: "A defect of the bridge kept it from being sent. Its operator can look it up under the id " + m.ID + ".",
		})
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
	// began is when the attempt of this moment was, and attempting its name, where it is traced.
	began      time.Time
	attempting Trace
	log        zerolog.Logger
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

// take reads the story of m, or begins it where m was never tried: it is stored with the
// first attempt, or with the end. It returns errDone where there is nothing left to do.
func (h *Hub) take(ctx context.Context, m MT) (*turn, error) {
	s, rev, err := h.Journal.Story(ctx, m.ID)
	if errors.Is(err, ErrNotFound) {
		s, err = h.first(ctx, m)
	}
	if err != nil {
		return nil, err
	}
	log := h.log.With().Str("message_id", m.ID).Str("msisdn", m.Phone.Masked())
	if m.Trace != "" {
		log = log.Str("trace_id", m.Trace.ID())
	}
	return &turn{Hub: h, m: m, story: s, rev: rev, log: log.Logger()}, nil
}

// first begins the story of m, and writes its line into the log unless who accepted it did.
func (h *Hub) first(ctx context.Context, m MT) (Story, error) {
	if forgot, err := h.Journal.Forgot(ctx, m); err != nil {
		return Story{}, err
	} else if forgot {
		return Story{}, errDone
	}
	if _, missing := h.unlogged.get(m.ID); missing || m.By != h.process {
		if err := h.logMT(ctx, m); err != nil {
			return Story{}, err
		}
		h.unlogged.forget(m.ID)
	}
	return newStory(m), nil
}

// errDone: the message was dealt with long ago, and a crash brought it back.
var errDone = errors.New("bridge: the message has been dealt with")

func ignoreDone(err error) error {
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// waits tells whether the next attempt is not due yet. One that seems further away than the
// schedule ever puts it is due: the clock was set back since it was stored.
func (t *turn) waits() bool {
	now := t.now()
	planned := retryAfter[min(max(t.story.Attempts-1, 0), len(retryAfter)-1)]
	return now.Before(t.story.NextAt) && t.story.NextAt.Sub(now) <= planned && now.Before(t.m.ExpiresAt)
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
	waitCtx, end := context.WithCancelCause(waitCtx)
	defer t.inHand.add(t.m.ID, end)()
	var notStored error
	res := t.Carrier.Submit(waitCtx, t.submission(ctx, &notStored))
	if notStored != nil {
		return decision{}, errors.Join(notStored, t.restore(ctx, notStored))
	}
	if res.Outcome == OutcomeNotWritten && errors.Is(context.Cause(waitCtx), errPurged) {
		return decision{}, &LaterError{At: t.now()} // it finds its end on record
	}
	return t.decide(ctx, res)
}

// decide says what follows from the result of a submit, and puts it on record.
func (t *turn) decide(ctx context.Context, res Result) (decision, error) {
	t.stats.submitted(res.Outcome)
	t.traceSubmit(res)
	t.story.submitted(res, t.now())
	d := verdict(res, t.story.Attempts, t.config().ResendUnknown)
	t.first = res.Outcome == OutcomeThrottled
	return d, t.record(ctx, res, d)
}

// submission is what the carrier gets. notStored is set where the attempt could not
// be put on record, or where turn has ended by then: another instance may have the message.
// Nothing was written in either case.
func (t *turn) submission(turn context.Context, notStored *error) Submission {
	var done []string
	for _, s := range t.story.Segments {
		done = append(done, s.SMSCID)
	}
	hub, id, phone := t.Hub, t.m.ID, t.m.Phone // and no more: it outlives the turn
	return Submission{
		ID: t.m.ID, Handle: t.m.Handle, Number: t.m.Number, Phone: t.m.Phone, Text: cmp.Or(t.m.Wire, t.m.Prefix+t.m.Text), ExpiresAt: t.m.ExpiresAt,
		Done: done, Link: t.story.Link, Account: t.story.Account, First: t.first,
		Chosen: func(r Result) { t.story.goes(r) },
		Attempt: func(ctx context.Context, link, account string) error {
			t.enter()
			t.story.State, t.story.Link, t.story.Account = Submitting, link, account
			t.story.Submits++
			if t.story.SubmittedAt.IsZero() {
				t.story.SubmittedAt = t.now()
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
			defer cancel()
			*notStored = cmp.Or(t.put(ctx, true), turn.Err())
			if *notStored == nil {
				t.traceAttempt()
			}
			return *notStored
		},
		// A process that was stopped finds its turn over by this first: another instance may have the message.
		May:      turn.Err,
		Answered: t.answered(),
		Late:     func(ctx context.Context, res Result) { hub.late(ctx, id, phone, res) },
	}
}

// recordWithin bounds what is still recorded of a submit after ctx has ended.
const recordWithin = 5 * time.Second

// takenWithin bounds it where the daemon goes on: a cluster that cannot be written takes
// the lanes from everybody, and gives them back when it can.
const takenWithin = time.Minute

// record stores what a submit came to. An outcome is recorded even if ctx ended
// meanwhile; but then nothing new is begun.
func (t *turn) record(ctx context.Context, res Result, d decision) error {
	known := len(t.story.Segments)
	for _, id := range res.SMSCIDs[min(len(t.story.Segments), len(res.SMSCIDs)):] {
		t.story.Segments = append(t.story.Segments, Segment{SMSCID: id})
	}
	switch d.step {
	case stepAgain:
		if t.story.State == Submitting {
			t.story.State = Accepted
			if err := t.settle(ctx, false); err != nil {
				return err
			}
		}
		if err := t.refs(context.WithoutCancel(ctx), known); err != nil {
			return err
		}
		if res.Outcome == OutcomeNotWritten && res.Err != nil {
			t.log.Debug().Err(res.Err).Msg("submit_sm not written")
		}
		return ctx.Err()
	case stepLater:
		t.story.State = Accepted
		t.story.Attempts++
		t.story.NextAt = t.now().Add(d.after)
		t.story.note(Change{State: Accepted, At: t.now(), Detail: d.detail, Link: res.Link})
		t.log.Info().Str("link", res.Link).Str("status", res.StatusName).Dur("after", d.after).Msg("submit_sm refused for now")
		if err := t.settle(ctx, false); err != nil {
			return err
		}
		return t.refs(context.WithoutCancel(ctx), known)
	case stepSent:
		t.story.NoReceipts = res.NoReceipts
		if !res.NoReceipts {
			t.stats.receiptDue(res.Account)
		}
		t.stats.sentAfter(t.m.AcceptedAt, t.now(), t.m.Trace)
		t.change(Change{State: Sent, At: t.now(), Link: res.Link})
		return t.settle(ctx, false)
	default: // stepEnd: end stores it
		return nil
	}
}

// sent makes the message findable by its receipts, or tells the sender that it was
// sent where none will come. It may run twice.
func (t *turn) sent(ctx context.Context) error {
	if t.story.NoReceipts {
		return t.tell(ctx, t.story, t.rev)
	}
	return t.index(ctx)
}

// index logs that the message was sent and makes it findable by its receipts, in this
// order, so that no receipt is logged before. It may run twice.
func (t *turn) index(ctx context.Context) error {
	for _, c := range t.story.History {
		if c.State != Sent {
			continue
		}
		if err := t.logStatus(ctx, t.story, c); err != nil {
			return err
		}
	}
	return t.refs(ctx, 0)
}

// refs records what the SMSC's ids of the segments from first on belong to. A receipt
// for one segment may come while the rest waits for its next attempt.
func (t *turn) refs(ctx context.Context, first int) error {
	if err := t.wait(ctx, t.story); err != nil {
		return err
	}
	for i, s := range t.story.Segments[first:] {
		if s.SMSCID == "" {
			continue
		}
		ref := SegmentRef{V: version, MessageID: t.m.ID, Segment: first + i}
		if err := t.Journal.PutRef(ctx, t.story.Account, s.SMSCID, ref); err != nil {
			return err
		}
	}
	return nil
}

// end gives the message its final state.
func (t *turn) end(ctx context.Context, d decision) error {
	t.change(Change{State: d.state, At: t.now(), Reason: d.reason, Detail: d.detail, Link: t.story.Link})
	if err := t.settle(ctx, true); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if t.story.Submits == 0 {
		t.traceWait()
	}
	t.stats.ended(d.state, d.reason)
	t.log.Info().Str("state", string(d.state)).Str("reason", string(d.reason)).Str("link", t.story.Link).Msg("message ended")
	if err := t.index(ctx); err != nil {
		return err
	}
	return t.tell(ctx, t.story, t.rev)
}
