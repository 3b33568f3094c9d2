package bridge

import (
	"context"
	"errors"
	"time"
)

// This file is how a turn writes the story of its message.

func (t *turn) change(c Change) {
	t.story.NextAt = time.Time{}
	t.story.change(c)
}

// maxHistory bounds a story: a message that waits for two days is retried 50 times.
const maxHistory = 20

// note adds a step to the history. What overflows is the middle: how it began and
// how it ended are kept.
func (s *Story) note(c Change) {
	h := append(s.History, c)
	if len(h) > maxHistory {
		h = append(h[:maxHistory/2], h[maxHistory/2+1:]...)
	}
	s.History = h
}

// change gives s a state.
func (s *Story) change(c Change) {
	s.State, s.Reason, s.Detail = c.State, c.Reason, c.Detail
	s.note(c)
}

func (t *turn) put(ctx context.Context, durable bool) error {
	rev, err := t.Journal.PutStory(ctx, t.story, t.rev, durable)
	if err != nil {
		return err
	}
	t.rev = rev
	return nil
}

// The pauses of settle, doubling from one to the other.
const (
	settleMin = 10 * time.Millisecond
	settleMax = time.Second
)

// settle stores what a submit came to. Only this turn knows it: what is not on record
// passes for unknown later, and is told so or sent twice. So it tries until it is
// stored, and once ctx has ended for a while more.
func (t *turn) settle(ctx context.Context, durable bool) error {
	ctx, cancel := outlive(ctx)
	defer cancel()
	for pause := settleMin; ; pause = min(2*pause, settleMax) {
		err := t.put(ctx, durable)
		if err != nil {
			err = t.recheck(ctx, err)
		}
		if err == nil || errors.Is(err, ErrConflict) {
			return err
		}
		if pause == settleMin {
			t.log.Error().Err(err).Msg("what a submit came to is not on record; trying until it is")
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// recheck tells what became of a story whose put failed with err: nil where it was
// stored after all, [ErrConflict] where somebody else wrote another, and otherwise the
// put may be tried again.
func (t *turn) recheck(ctx context.Context, err error) error {
	s, rev, readErr := t.Journal.Story(ctx, t.m.ID)
	switch {
	case readErr != nil:
		return readErr
	case rev == t.rev:
		return err
	case s.State == t.story.State && len(s.History) == len(t.story.History):
		t.rev = rev
		return nil
	default:
		return ErrConflict
	}
}

// restore takes back an attempt whose record failed half-way: the story must not say that
// something was written when nothing was. Only this turn knows that, so it tries like
// settle. After a conflict the story is another instance's.
func (t *turn) restore(ctx context.Context, notStored error) error {
	ctx, cancel := outlive(ctx)
	defer cancel()
	t.story.State = Accepted
	steps := len(t.story.History)
	for pause := settleMin; !errors.Is(notStored, ErrConflict); pause = min(2*pause, settleMax) {
		// Written even where it seems to be as it was: a replica may not know the attempt yet.
		err := t.put(ctx, false)
		if errors.Is(err, ErrConflict) {
			err = t.reread(ctx, steps)
		}
		if err == nil {
			return nil
		}
		notStored = err
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
	return nil
}

// errAgain: the record is as it was read now, and may be written.
var errAgain = errors.New("bridge: the record has been read again")

// reread takes the revision of an attempt of this turn whose record came through after
// all. [ErrConflict] where the story went on meanwhile: a longer history, or another state, is
// not this turn's.
func (t *turn) reread(ctx context.Context, steps int) error {
	s, rev, err := t.Journal.Story(ctx, t.m.ID)
	switch {
	case err != nil:
		return err
	case rev == t.rev:
		return errAgain // a replica that is behind
	case s.State != Submitting || len(s.History) != steps:
		return ErrConflict
	default:
		t.rev = rev
		return errAgain
	}
}

// outlive is a context that ends later than ctx by recordWithin, or by takenWithin where
// the daemon goes on.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		d := recordWithin
		if errors.Is(context.Cause(ctx), ErrTakenOver) {
			d = takenWithin
		}
		end := time.NewTimer(d)
		defer end.Stop()
		select {
		case <-end.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}
