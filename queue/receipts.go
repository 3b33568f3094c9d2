package queue

import "time"

// This file is how instances know that an SMSC account sends receipts, though another of them gets all.

// SayReceipts has the other instances know when this one last had a receipt of each account, which last tells.
// It is called by another goroutine a few times in each lease, and must not block. Where the server is the embedded
// one nobody is told.
func (s *Store) SayReceipts(last func() map[string]time.Time) {
	if s.keeper != nil {
		s.keeper.receipts.Store(&last)
	}
}

// ReceiptsElsewhere tells when others of the instances that live last had a receipt, by account and their own clocks;
// what they said with the last renewal of their leases.
func (s *Store) ReceiptsElsewhere() map[string]time.Time {
	if s.keeper == nil {
		return nil
	}
	k := s.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make(map[string]time.Time)
	for id, other := range k.instances {
		if id == k.me || other.Gone != "" {
			continue
		}
		for account, at := range other.Receipts {
			if at.After(all[account]) {
				all[account] = at
			}
		}
	}
	return all
}

// lastReceipts is what the others are told.
func (k *keeper) lastReceipts() map[string]time.Time {
	if last := k.receipts.Load(); last != nil {
		return (*last)()
	}
	return nil
}
