package queue

import (
	"context"
	"fmt"
	"strings"

	"smsbridge/bridge"
)

// ordinary is about what the record of an ordinary message takes in a work queue, so that one
// with less room than that counts as full.
const ordinary = 1 << 10

// full tells, by an error that wraps [bridge.ErrFull], which work queues have no room for another
// message, by their number or by their bytes, or that the journal has none for its record.
func (s *Store) full(ctx context.Context) error {
	if err := s.fill.check(ctx); err != nil {
		return err
	}
	var over []string
	for _, stage := range []struct{ name, holds string }{
		{stageMT, "messages to phones"}, {stageMO, "messages from SMSCs"}, {stageOUT, "messages to messengers"},
	} {
		stream, err := s.js.Stream(ctx, stage.name)
		if err != nil {
			return fmt.Errorf("queue: the room in %s is not known: %w", stage.name, err)
		}
		state, bound := stream.CachedInfo().State, stream.CachedInfo().Config
		if bound.MaxMsgs > 0 && state.Msgs >= uint64(bound.MaxMsgs) {
			over = append(over, fmt.Sprintf("%d %s wait, and so many may", state.Msgs, stage.holds))
		}
		if bound.MaxBytes > 0 && state.Bytes+ordinary > uint64(bound.MaxBytes) {
			over = append(over, fmt.Sprintf("%s take %d of %d bytes", stage.holds, state.Bytes, bound.MaxBytes))
		}
	}
	if len(over) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s: smsbridge top says what holds them up", bridge.ErrFull, strings.Join(over, "; "))
}
