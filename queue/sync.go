package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is what every method returns after Close.
var ErrClosed = errors.New("queue: closed")

// committer is the group commit: one sync of the store serves all who wait when it begins.
type committer struct {
	sync func() error // nil: nothing to wait for
	kick chan struct{}
	done chan struct{}

	mu      sync.Mutex
	waiting []chan error
	// failed is the first error of sync, until renew. The kernel reports a lost write once and
	// then forgets it, so that a later success would prove nothing about what came before.
	failed error
	closed bool

	era atomic.Uint64 // how often renew was called

	begun, through atomic.Uint64 // how many syncs began, and the last that did what it should
}

// Era is to be asked before a write, for Wait.
func (c *committer) Era() uint64 { return c.era.Load() }

// heldKey is where the context of a handler has what it is held against.
type heldKey struct{}

// heldSince says of a message when it came and when its handling began.
type heldSince struct {
	begun uint64 // syncs, when it came
	era   uint64 // when its handling began
}

// settled returns once all that the caller of ctx stored before is on disk. It is for
// what takes something for done: the kernel, and the disk, write in any order, and a power
// cut must not leave the word that it was done without what was done.
func (c *committer) settled(ctx context.Context) error {
	since, known := ctx.Value(heldKey{}).(heldSince)
	if !known {
		since.era = c.Era()
	}
	return c.Wait(ctx, since.era)
}

// arrived returns once the message that the caller of ctx handles is on disk: at once where
// a sync began after it came, and has ended.
func (c *committer) arrived(ctx context.Context) error {
	if since, known := ctx.Value(heldKey{}).(heldSince); known && since.era == c.Era() && c.through.Load() > since.begun {
		return nil
	}
	return c.settled(ctx)
}

// renew begins a new era: the store was brought onto the disk, as far as it could be read.
func (c *committer) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = nil
	c.era.Add(1)
}

// errLost is what Wait returns for a write that a failed sync may have lost.
var errLost = errors.New("queue: the disk failed meanwhile, and what was being written may be lost")

// newCommitter starts the loop unless sync is nil.
func newCommitter(sync func() error) *committer {
	c := &committer{sync: sync, kick: make(chan struct{}, 1), done: make(chan struct{})}
	if sync == nil {
		close(c.done)
		return c
	}
	go c.loop()
	return c
}

// Wait returns nil after a sync that began after the call, for writes that began in era. An
// error means that nothing is known of them. When ctx ends it returns its error at once.
func (c *committer) Wait(ctx context.Context, era uint64) error {
	if c.sync == nil {
		return nil
	}
	answer := make(chan error, 1) // room for the loop, whether or not anybody still waits
	c.mu.Lock()
	if err := c.state(era); err != nil {
		c.mu.Unlock()
		return err
	}
	c.waiting = append(c.waiting, answer)
	// Under the lock, so that Close cannot close kick in between.
	select {
	case c.kick <- struct{}{}:
	default:
	}
	c.mu.Unlock()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("queue: wait for the disk: %w", ctx.Err())
	}
}

// state is why nobody of era can wait any more; the lock is held.
func (c *committer) state(era uint64) error {
	switch {
	case c.closed:
		return ErrClosed
	case c.failed != nil:
		return c.failed
	case era != c.era.Load():
		return errLost
	default:
		return nil
	}
}

// Err is the sync error after which nothing is promised any more, or nil.
func (c *committer) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

const (
	crowd  = 8
	gather = 3 * time.Millisecond
)

func (c *committer) loop() {
	defer close(c.done)
	for range c.kick {
		c.mu.Lock()
		batch := c.waiting
		c.waiting = nil
		err := c.failed
		c.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		began := time.Now()
		if err == nil {
			err = c.commit()
		}
		for _, answer := range batch {
			answer <- err
		}
		if len(batch) >= crowd {
			time.Sleep(gather - time.Since(began))
		}
	}
}

func (c *committer) commit() error {
	turn := c.begun.Add(1)
	err := c.sync()
	if err == nil {
		c.through.Store(turn)
		return nil
	}
	err = fmt.Errorf("queue: the disk did not take what was written (%w): check the disk", err)
	c.mu.Lock()
	c.failed = err
	c.mu.Unlock()
	return err
}

// Close lets those who wait have their sync, and returns when the loop has ended.
func (c *committer) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.kick) // a kick that is pending is still received
	}
	c.mu.Unlock()
	<-c.done
}
