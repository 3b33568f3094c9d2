package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	// failed is the first error of sync, for good. The kernel reports a lost write once and
	// then forgets it, so that a later success would prove nothing about what came before.
	failed error
	closed bool
}

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

// Wait returns nil after a sync that began after the call. An error means that nothing
// is known of what was written before. When ctx ends it returns its error at once.
func (c *committer) Wait(ctx context.Context) error {
	if c.sync == nil {
		return nil
	}
	answer := make(chan error, 1) // room for the loop, whether or not anybody still waits
	c.mu.Lock()
	if err := c.state(); err != nil {
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

// state is why nobody can wait any more; the lock is held.
func (c *committer) state() error {
	if c.closed {
		return ErrClosed
	}
	return c.failed
}

// Err is the sync error that ended the store, or nil.
func (c *committer) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

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
		if err == nil {
			err = c.commit()
		}
		for _, answer := range batch {
			answer <- err
		}
	}
}

func (c *committer) commit() error {
	err := c.sync()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("queue: the disk did not take what was written (%w): check the disk and restart", err)
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
