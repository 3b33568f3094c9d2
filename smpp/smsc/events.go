package smsc

import "sync"

// eventBuffer is how many events one reader may be behind. One that falls further
// behind is cut off; it comes back and reads the phones anew.
const eventBuffer = 256

// events tells readers of each message, new or changed.
type events struct {
	mu      sync.Mutex
	closed  bool
	readers map[chan Message]struct{}
}

func newEvents() *events { return &events{readers: make(map[chan Message]struct{})} }

// publish never blocks.
func (e *events) publish(m Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for reader := range e.readers {
		select {
		case reader <- m:
		default:
			delete(e.readers, reader)
			close(reader)
		}
	}
}

// subscribe gives a channel that is closed when the reader is cut off or the Server
// ends, and a function to call when the reader is done.
func (e *events) subscribe() (<-chan Message, func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	reader := make(chan Message, eventBuffer)
	if e.closed {
		close(reader)
		return reader, func() {}
	}
	e.readers[reader] = struct{}{}
	return reader, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.readers, reader)
	}
}

// close ends all readers. It may be called more than once.
func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for reader := range e.readers {
		delete(e.readers, reader)
		close(reader)
	}
}
