package bridge

import (
	"context"
	"fmt"
	"runtime/debug"
)

// This file is what the hub does about a message that a defect of the bridge ended outside its
// own hands: where it panicked on it again and again, and the queue gave it up.

// GivenUp counts a message that the queue has made a dead letter of, and keeps the call-detail
// record of a text from a phone. A message to a phone has its record when its sender is told
// ([Hub.Drop]). After an error it is to be called again; then it may leave the same record twice.
func (h *Hub) GivenUp(ctx context.Context, d Dead) error {
	var err error
	switch {
	case d.OUT != nil:
		err = h.callOUT(ctx, *d.OUT, Failed, d.Reason)
	case d.MO != nil && !d.MO.IsReceipt():
		var parts []MO
		if parts, err = h.endedWith(ctx, *d.MO); err == nil && len(parts) > 0 {
			err = h.callMO(ctx, parts, Failed, d.Reason)
		}
	}
	if err != nil {
		return err
	}
	h.traceDead(d)
	h.stats.dead(d.Reason)
	return nil
}

// endedWith is what ended with m: m itself or, where it completed a long message, all parts of
// that. It is nothing where m is kept with other parts that wait for the rest: they have their
// record when they are given up.
func (h *Hub) endedWith(ctx context.Context, m MO) ([]MO, error) {
	short, err := h.readAgain(m)
	if err != nil || short.Concat.IsZero() {
		return []MO{m}, nil //nolint:nilerr // what cannot be read stands for itself
	}
	a, _, err := h.loadAssembly(ctx, assemblyKey(m, short.Concat))
	switch {
	case err != nil:
		return nil, err
	case a.part(short.Concat.Part) == nil:
		return []MO{m}, nil
	case len(a.Parts) < short.Concat.Total:
		return nil, nil
	default:
		return a.messages(), nil
	}
}

// readAgain reads what the bridge may have panicked on.
func (h *Hub) readAgain(m MO) (short Short, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bridge: panic: %v", p)
		}
	}()
	return h.Reader.ReadMO(m)
}

// guarded gives what a panic of do says as an error and counts it, so that it ends neither the
// daemon nor what is done for other messages.
func (h *Hub) guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.stats.panicked()
			h.log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("a defect of the bridge")
			err = &defectError{p}
		}
	}()
	return do()
}

// defectError is a panic.
type defectError struct{ panicked any }

func (e *defectError) Error() string { return fmt.Sprint("panic: ", e.panicked) }
