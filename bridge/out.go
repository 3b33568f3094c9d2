package bridge

import (
	"context"
	"errors"
	"fmt"
)

// DispatchOUT hands a text or a status to its messenger. It blocks while the
// messenger is away. It returns nil when the message may leave the queue; an error
// means that it must be dispatched again. What the network refuses for good becomes
// a dead letter. It may run for many messages at once, but only for one of each
// [OUT.Key].
func (h *Hub) DispatchOUT(ctx context.Context, m OUT) error {
	if err := ctx.Err(); err != nil {
		return err // it is another instance's by now
	}
	if done, err := h.readdress(ctx, &m); done || err != nil {
		return err
	}
	messenger := h.config().Networks[m.Handle.Network()]
	if messenger == nil {
		return h.buryOUT(ctx, m, ReasonUnroutable, fmt.Sprintf("no messenger for the network %q is configured", m.Handle.Network()))
	}
	// Who waits for a messenger that is away must not wait under a name that has ended meanwhile.
	named, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer h.Book.Directory().OnMove(m.Handle, func() { cancel(errRenamed) })()
	from := h.now()
	err := messenger.Deliver(named, m)
	if named.Err() == nil {
		h.traceOUT(m, from, err != nil)
	}
	if err != nil && errors.Is(context.Cause(named), errRenamed) {
		return &LaterError{At: h.now()} // to who has the name of today
	}
	if errors.Is(err, ErrUndeliverable) {
		return h.buryOUT(ctx, m, ReasonUndeliverable, err.Error())
	}
	if err == nil && m.Kind == OUTText {
		h.stats.deliveredMO(m.At, h.now(), m.Trace)
		return h.callOUT(ctx, m, Delivered, ReasonNone)
	}
	return err
}

func (h *Hub) buryOUT(ctx context.Context, m OUT, reason Reason, detail string) error {
	if err := h.bury(ctx, Dead{ID: m.ID, Stage: "OUT", OUT: &m, Reason: reason, Detail: detail}); err != nil {
		return err
	}
	return h.callOUT(ctx, m, Failed, reason)
}

var errRenamed = errors.New("bridge: something was decided about this handle")

// readdress gives m the name that its person has today. It tells whether m is dealt with: it
// goes to another network, or its person was removed.
func (h *Hub) readdress(ctx context.Context, m *OUT) (done bool, err error) {
	at := m.Addressed
	if at.IsZero() {
		at = m.At
	}
	to, _ := h.Book.Directory().Now(m.Handle, at)
	if to == m.Handle {
		return false, nil
	}
	if to.IsZero() && m.Kind == OUTStatus {
		return true, nil // the log has it; there is nobody to tell
	}
	if to.IsZero() {
		return true, h.buryOUT(ctx, *m, ReasonUnroutable, "the operator of the bridge has removed "+m.Handle.String())
	}
	same := to.Network() == m.Handle.Network()
	m.Handle, m.ReplyTo, m.Addressed = to, "", h.now()
	if same {
		return false, nil
	}
	if !h.pushes(to.Network()) { // its users read the log
		return true, h.callOUT(ctx, *m, Delivered, ReasonNone)
	}
	return true, h.Queue.PublishOUT(ctx, *m)
}

// bury keeps a message that the bridge gives up.
func (h *Hub) bury(ctx context.Context, d Dead) error {
	d.V, d.At = version, h.now()
	if err := h.Archive.PublishDead(ctx, d); err != nil {
		return err
	}
	h.traceDead(d)
	h.stats.dead(d.Reason)
	h.log.Error().Str("message_id", d.ID).Str("stage", d.Stage).Str("reason", string(d.Reason)).Str("detail", d.Detail).Msg("dead letter")
	return nil
}
