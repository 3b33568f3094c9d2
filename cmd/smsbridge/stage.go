package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"
)

// stage is a set of parts of the daemon that run side by side and stop together. The
// daemon starts its stages one after the other and stops them in reverse, so that what
// works for others outlives them.
type stage struct {
	name   string
	log    zerolog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	parts  sync.WaitGroup

	mu  sync.Mutex
	err error
	// failed is called once a part ends although nobody told it to.
	failed func()
}

// newStage makes a stage. It is independent of the context that stops the daemon: the
// stages stop in their order.
func newStage(name string, log zerolog.Logger, failed func()) *stage {
	s := &stage{name: name, log: log, failed: failed}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// run starts a part.
func (s *stage) run(part string, f func(context.Context) error) {
	s.parts.Go(func() {
		err := f(s.ctx)
		if s.ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		err = fmt.Errorf("%s: %w", part, err)
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		s.mu.Unlock()
		s.failed()
	})
}

// stop tells the parts to end and waits for them until ctx ends. It returns what went
// wrong with any of them.
func (s *stage) stop(ctx context.Context) error {
	s.cancel()
	ended := make(chan struct{})
	go func() {
		s.parts.Wait()
		close(ended)
	}()
	var late error
	select {
	case <-ended:
	case <-ctx.Done():
		late = fmt.Errorf("the %s did not stop in time", s.name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.err, late)
}
