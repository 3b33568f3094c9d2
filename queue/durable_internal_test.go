package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"smsbridge/bridge"
)

// TestTextIsHandledOnceItIsOnDisk: what a power cut may still take back is shown to nobody, for
// the SMSC sends it again as a message that nobody can tell from another. A receipt that comes
// again changes nothing, and waits for nothing.
func TestTextIsHandledOnceItIsOnDisk(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), MinFree: -1, Lanes: 1, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	opened := s.commit
	disk := make(chan error)
	s.commit = newCommitter(func() error { return <-disk })
	handled := make(chan string, 2)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.RunMO(ctx, func(_ context.Context, m bridge.MO) error {
			handled <- m.ID
			return nil
		})
	}()
	stored := make(chan error, 2)
	text := bridge.MO{ID: "text", Source: bridge.Address{Addr: "33612345678"}}
	receipt := bridge.MO{ID: "receipt", Source: text.Source, ESMClass: 0x04}
	go func() {
		if err := s.publish(ctx, stageMO, moSubject(&text, s.lanes), text.ID, text); err != nil {
			stored <- err
			return
		}
		stored <- s.PublishMO(ctx, receipt)
	}()
	if first := <-handled; first != "receipt" {
		t.Errorf("%s was handled before the disk had it", first)
	}
	close(disk) // each sync ends at once from now on
	if err := <-stored; err != nil {
		t.Error(err)
	}
	if second := <-handled; second == "receipt" {
		t.Error("the receipt was handled twice")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	opened.Close()
}

// A message is on disk by a sync that began after it came, and by no other.
func TestArrived(t *testing.T) {
	for _, tt := range []struct {
		name  string
		begun uint64 // syncs, when it came; two have ended, and a third is under way
		era   uint64
		waits bool
	}{
		{"before the second", 1, 0, false},
		{"while the second was under way", 2, 0, true},
		{"while the third is", 3, 0, true},
		{"before the disk failed", 1, 9, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := make(chan error)
				c := newCommitter(func() error { return <-disk })
				for range 2 {
					go func() { disk <- nil }()
					if err := c.Wait(t.Context(), 0); err != nil {
						t.Fatal(err)
					}
				}
				third := make(chan error, 1)
				go func() { third <- c.Wait(t.Context(), 0) }()
				synctest.Wait()
				ctx, cancel := context.WithCancel(context.WithValue(t.Context(), heldKey{}, heldSince{begun: tt.begun, era: tt.era}))
				arrived := make(chan error, 1)
				go func() { arrived <- c.arrived(ctx) }()
				synctest.Wait()
				cancel()
				if err := <-arrived; (err != nil) != tt.waits || tt.era == 0 && tt.waits && !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want that it waits: %t", err, tt.waits)
				}
				close(disk)
				if err := <-third; err != nil {
					t.Error(err)
				}
				c.Close()
			})
		})
	}
}
