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
	messenger := h.cfg.Networks[m.Handle.Network()]
	if messenger == nil {
		return h.bury(ctx, Dead{
			ID: m.ID, Stage: "OUT", OUT: &m, Reason: ReasonUnroutable,
			Detail: fmt.Sprintf("no messenger for the network %q is configured", m.Handle.Network()),
		})
	}
	err := messenger.Deliver(ctx, m)
	if errors.Is(err, ErrUndeliverable) {
		return h.bury(ctx, Dead{ID: m.ID, Stage: "OUT", OUT: &m, Reason: ReasonUndeliverable, Detail: err.Error()})
	}
	if err == nil && m.Kind == OUTText {
		h.stats.deliveredMO()
	}
	return err
}

// bury keeps a message that the bridge gives up.
func (h *Hub) bury(ctx context.Context, d Dead) error {
	d.V, d.At = version, h.now()
	if err := h.Archive.PublishDead(ctx, d); err != nil {
		return err
	}
	h.stats.dead(d.Reason)
	h.log.Error().Str("message_id", d.ID).Str("stage", d.Stage).Str("reason", string(d.Reason)).Str("detail", d.Detail).Msg("dead letter")
	return nil
}
