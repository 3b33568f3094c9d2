package smpp

import (
	"fmt"
	"runtime"
	"time"
)

// maxBatch is how many octets are written at once, if not one PDU has more.
const maxBatch = 32 << 10

// outgoing is one PDU for the writer.
type outgoing struct {
	frame   []byte
	request *request // nil for a response
	token   bool     // writing it frees a place for a request of the peer
	last    bool     // nothing follows it
}

func (s *Session) push(out outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return fmt.Errorf("%w: %w", ErrNotWritten, ErrSessionClosed)
	}
	s.pushLocked(out)
	return nil
}

// pushLocked appends to the queue, which needs no limit of its own: the window bounds
// our requests, and the tokens bound the responses.
func (s *Session) pushLocked(out outgoing) {
	s.queue = append(s.queue, out)
	select {
	case s.wake <- struct{}{}:
	default: // the writer knows
	}
}

// writeLoop writes what is queued, as much as there is in one write, until the
// Session ends or its last PDU was written.
func (s *Session) writeLoop() error {
	var buf []byte
	var batch []outgoing
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return nil
		}
		// Whoever is about to ask does so before the write, not after it: one write for
		// many costs hardly more than one for one.
		runtime.Gosched()
		for {
			batch = s.take(batch[:0])
			if len(batch) == 0 {
				break
			}
			var err error
			if buf, err = s.write(buf[:0], batch); err != nil {
				return err
			}
			if batch[len(batch)-1].last {
				s.closeWrite()
				return nil
			}
		}
	}
}

// take moves the head of the queue into batch, but for requests that may not be written any more.
// From here on these are begun.
func (s *Session) take(batch []outgoing) []outgoing {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return batch
	}
	now := time.Now()
	size, n := 0, 0
	for n < len(s.queue) && (size == 0 || size+len(s.queue[n].frame) <= maxBatch) {
		out := s.queue[n]
		n++
		if r := out.request; r != nil && r.extra.May != nil {
			if err := r.extra.May(); err != nil {
				s.failLocked(r, err)
				continue
			}
		}
		batch = append(batch, out)
		size += len(out.frame)
		if r := out.request; r != nil {
			r.begun = true
			if r.answer != 0 {
				r.answers = s.answers
				s.awaitLocked(r, now)
			}
		}
		if out.last {
			break
		}
	}
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	return batch
}

func (s *Session) write(buf []byte, batch []outgoing) ([]byte, error) {
	for _, out := range batch {
		buf = append(buf, out.frame...)
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	n := 0
	if err == nil {
		n, err = s.conn.Write(buf)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	start := 0
	for _, out := range batch {
		if out.token {
			<-s.tokens
		}
		if r := out.request; r != nil {
			s.writtenLocked(r, err, start >= n)
		}
		start += len(out.frame)
	}
	if err != nil {
		return buf, fmt.Errorf("smpp: write: %w", err)
	}
	return buf, nil
}

// writtenLocked notes how the writing of r ended. After an error, what begins behind
// the octets that the connection took never left.
func (s *Session) writtenLocked(r *request, err error, behind bool) {
	if err != nil && behind {
		r.begun = false
	}
	switch {
	case r.answer != 0: // its answer, or the end of the Session, completes it
	case err != nil:
		s.failLocked(r, err)
	default:
		s.completeLocked(r, nil, nil)
	}
}

// closeWrite says that nothing follows and leaves the peer a moment to close.
func (s *Session) closeWrite() {
	s.mu.Lock()
	s.final = true
	err := s.conn.SetReadDeadline(time.Now().Add(lingerTime))
	s.mu.Unlock()
	half, ok := s.conn.(interface{ CloseWrite() error })
	if !ok || err != nil || half.CloseWrite() != nil {
		s.end(nil)
	}
}
