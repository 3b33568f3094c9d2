package smpp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"
)

// readLoop reads PDUs until the connection ends and says why it did.
func (s *Session) readLoop(ctx context.Context) error {
	r := bufio.NewReaderSize(s.conn, 16<<10)
	for {
		if !hasFrame(r) {
			if err := s.extendRead(); err != nil {
				return fmt.Errorf("smpp: read: %w", err)
			}
		}
		frame, err := readFrame(r, s.cfg.MaxPDU)
		if err != nil {
			return s.readEnded(r, err)
		}
		p, err := Decode(frame)
		if p == nil {
			return err // readFrame has seen to the length
		}
		if !s.receive(ctx, p, err) {
			return nil
		}
	}
}

// extendRead gives the peer another ReadTimeout, unless the last PDU was written.
func (s *Session) extendRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.lastRead = now
	if s.final {
		return nil
	}
	return s.conn.SetReadDeadline(now.Add(s.cfg.ReadTimeout))
}

// readEnded says why reading ended. Where the stream has lost its frame it answers
// generic_nack and gives the peer a moment to read it.
func (s *Session) readEnded(r *bufio.Reader, err error) error {
	if frameErr, ok := errors.AsType[*FrameError](err); ok {
		s.cfg.Counters.Malformed.Add(1)
		s.setReason(err)
		s.respond(&PDU{Command: GenericNack, Status: StatusInvCmdLen, Sequence: frameErr.Sequence}, false, true)
		if deadlineErr := s.conn.SetReadDeadline(time.Now().Add(lingerTime)); deadlineErr == nil {
			_, _ = io.Copy(io.Discard, r) // what comes now cannot be read, and how it ends says nothing
		}
		return err
	}
	s.mu.Lock()
	unbinding := s.unbinding
	s.mu.Unlock()
	switch {
	case unbinding: // the peer may close as soon as it has answered
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w for %s", ErrSilent, s.cfg.ReadTimeout)
	case errors.Is(err, io.EOF):
		return errors.New("smpp: the peer closed the connection without unbind")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("smpp: the connection ended in the middle of a PDU")
	case errors.Is(err, net.ErrClosed):
		return nil
	default:
		return fmt.Errorf("smpp: read: %w", err)
	}
}

func (s *Session) setReason(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == nil && !s.ended {
		s.reason = reason
	}
}

// receive takes one PDU. It blocks only while too many requests of the peer are in
// hand, and returns false when the Session has ended.
func (s *Session) receive(ctx context.Context, p *PDU, malformed error) bool {
	if p.Command.IsResponse() {
		s.answered(ctx, p)
		return true
	}
	select {
	case s.tokens <- struct{}{}:
	case <-s.done:
		return false
	}
	decodeErr, _ := errors.AsType[*DecodeError](malformed)
	switch {
	case !p.Command.Known():
		s.cfg.Counters.UnknownCommands.Add(1)
		s.cfg.Logger.Debug().Stringer("command", p.Command).Msg("unknown command answered with generic_nack")
		s.respond(&PDU{Command: GenericNack, Status: StatusInvCmdID, Sequence: p.Sequence}, true, false)
	case decodeErr != nil:
		s.refuse(p, decodeErr)
	case p.Command == EnquireLink:
		s.respond(p.Answer(StatusOK), true, false)
	case p.Command == Unbind:
		s.workers.Go(func() { s.peerUnbound(ctx, p) })
	default:
		s.dispatch(ctx, p)
	}
	return true
}

// refuse answers a PDU whose body cannot be read. Only the first is worth a warning.
func (s *Session) refuse(p *PDU, why *DecodeError) {
	s.cfg.Logger.WithLevel(warnFirst(s.cfg.Counters.Malformed.Add(1) == 1)).Err(why).Uint32("sequence", p.Sequence).Stringer("status", why.Status).Msg("malformed PDU refused")
	if !p.Command.HasResponse() {
		<-s.tokens
		return
	}
	s.respond(p.Answer(why.Status), true, false)
}

// answered completes the request that p answers.
func (s *Session) answered(ctx context.Context, p *PDU) {
	s.mu.Lock()
	s.answers++
	s.doubting = false
	r, ok := s.pending[p.Sequence]
	if ok && r.begun && r.answeredBy(p) {
		s.completeLocked(r, p, nil)
		s.mu.Unlock()
		return
	}
	late := !ok && p.Sequence > 0 && p.Sequence <= s.last
	overdue := s.takeOverdueLocked(p)
	s.mu.Unlock()
	if late {
		s.answeredLate(ctx, overdue, p)
		return
	}
	s.cfg.Logger.WithLevel(warnFirst(s.cfg.Counters.StrayResponses.Add(1) == 1)).Stringer("command", p.Command).
		Stringer("status", p.Status).Uint32("sequence", p.Sequence).Msg("answer to nothing that was asked")
}

// addressPair is what texts must have in common for their order to matter.
type addressPair struct{ source, destination string }

// cameKey is where the context of a request that waited for another has when it came.
type cameKey struct{}

// cameAt is when the request that is served with ctx came.
func cameAt(ctx context.Context) time.Time {
	if at, waited := ctx.Value(cameKey{}).(time.Time); waited {
		return at
	}
	return time.Now()
}

// dispatch serves p in a goroutine, behind the request before it with the same
// addresses: two texts of one person must not overtake each other.
func (s *Session) dispatch(ctx context.Context, p *PDU) {
	var key addressPair
	var before, done chan struct{}
	if p.Short != nil {
		key = addressPair{p.Short.Source.Addr, p.Short.Destination.Addr}
		done = make(chan struct{})
	}
	s.mu.Lock()
	s.serving++
	if done != nil {
		before = s.order[key]
		s.order[key] = done
	}
	s.mu.Unlock()
	s.workers.Go(func() {
		if before != nil {
			ctx = context.WithValue(ctx, cameKey{}, time.Now())
			<-before // each that is before ends: at the latest with ctx
		}
		resp := s.call(ctx, p)
		if resp == nil || !p.Command.HasResponse() {
			<-s.tokens
		} else {
			if resp.Sequence == 0 {
				resp.Sequence = p.Sequence
			}
			s.respond(resp, true, false)
		}
		s.served(key, done)
	})
}

func (s *Session) served(key addressPair, done chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving--
	if done != nil {
		if s.order[key] == done {
			delete(s.order, key)
		}
		close(done)
	}
	s.settleLocked()
}

// call runs the handler and survives it.
func (s *Session) call(ctx context.Context, p *PDU) (resp *PDU) {
	if s.cfg.Handler == nil {
		return p.Answer(StatusInvBndSts)
	}
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v, p.Command)
			resp = p.Answer(StatusSysErr)
		}
	}()
	return s.cfg.Handler.ServeSMPP(ctx, s, p)
}

// panicked counts a defect of the bridge that a PDU of command brought to light.
func (s *Session) panicked(v any, command Command) {
	s.cfg.Counters.Panics.Add(1)
	s.cfg.Logger.Error().Interface("panic", v).Bytes("stack", debug.Stack()).
		Stringer("command", command).Msg("a handler panicked; a request is answered with ESME_RSYSERR")
}

// respond queues a response. With token, its writing frees a place in tokens; with
// last nothing follows it.
func (s *Session) respond(p *PDU, token, last bool) {
	frame, err := Encode(p)
	if err != nil {
		s.cfg.Logger.Error().Err(err).Msg("a response cannot be written; ESME_RSYSERR goes instead")
		if frame, err = Encode(&PDU{Command: p.Command, Status: StatusSysErr, Sequence: p.Sequence}); err != nil {
			frame = nil // a request in place of a response: nothing can be said
		}
	}
	if frame == nil || s.push(outgoing{frame: frame, token: token, last: last}) != nil {
		if token {
			<-s.tokens
		}
	}
}

// peerUnbound answers unbind, once what is in flight has its answers or has had its
// chance, and ends the Session. What the writer has not begun is never written: the
// peer would refuse it.
func (s *Session) peerUnbound(ctx context.Context, p *PDU) {
	s.setReason(ErrPeerUnbound)
	s.mu.Lock()
	crossed := s.unbinding
	s.unbinding = true
	s.stopLocked()
	if !crossed {
		s.failQueuedLocked(ErrSessionClosed)
	}
	s.mu.Unlock()
	if !crossed {
		grace, cancel := context.WithTimeout(ctx, lingerTime)
		defer cancel()
		if err := s.waitQuiet(grace); err != nil {
			s.cfg.Logger.Warn().Err(err).Msg("the peer unbinds and leaves requests without an answer")
		}
	}
	s.respond(p.Answer(StatusOK), true, true)
}
