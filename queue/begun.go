package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// LoadBegun gives with whom h began conversations, and the revision of that; the zero
// Begun and revision 0 where there is nothing.
func (s *Store) LoadBegun(ctx context.Context, h addressing.Handle) (bridge.Begun, uint64, error) {
	var b bridge.Begun
	data, rev, err := s.load(ctx, s.begun, token(h.String()))
	if errors.Is(err, bridge.ErrNotFound) {
		return b, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &b)
	}
	if err != nil {
		return bridge.Begun{}, 0, fmt.Errorf("queue: conversations begun: %w", err)
	}
	return b, rev, nil
}

// SaveBegun stores b if the revision is still rev; otherwise the error wraps
// [bridge.ErrConflict]. It returns once b is on disk: a conversation that outlives a power
// cut must be in the list.
func (s *Store) SaveBegun(ctx context.Context, h addressing.Handle, b bridge.Begun, rev uint64) error {
	era := s.commit.Era()
	data, err := json.Marshal(b)
	if err == nil {
		_, err = s.save(ctx, s.begun, token(h.String()), data, rev)
	}
	if err != nil {
		return fmt.Errorf("queue: conversations begun: %w", err)
	}
	return s.commit.Wait(ctx, era)
}
