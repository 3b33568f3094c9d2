package smpp

import (
	"context"
	"slices"
)

// keptOverdue is how many requests without an answer a Session remembers, so that a late
// one finds whom it concerns.
const keptOverdue = 1000

// giveUpLocked remembers a request that timed out.
func (s *Session) giveUpLocked(r *request) {
	if r.extra.Late == nil {
		return
	}
	if len(s.overdue) == keptOverdue {
		s.overdue = slices.Delete(s.overdue, 0, 1)
	}
	s.overdue = append(s.overdue, r)
}

// takeOverdueLocked finds and forgets the request that p answers late; nil where nobody
// waits for it.
func (s *Session) takeOverdueLocked(p *PDU) *request {
	i := slices.IndexFunc(s.overdue, func(r *request) bool { return r.sequence == p.Sequence && r.answeredBy(p) })
	if i < 0 {
		return nil
	}
	r := s.overdue[i]
	s.overdue = slices.Delete(s.overdue, i, i+1)
	return r
}

// answeredBy tells whether p is of a command that answers r. It must match as well as the
// sequence_number, or a peer's confusion would pass for an answer; generic_nack answers any.
func (r *request) answeredBy(p *PDU) bool { return r.answer == p.Command || p.Command == GenericNack }

// answeredLate counts an answer that came after its request was given up, or twice, and
// gives it to whom it concerns. Only the first is worth a warning.
func (s *Session) answeredLate(ctx context.Context, r *request, p *PDU) {
	first := s.cfg.Counters.LateResponses.Add(1) == 1
	s.cfg.Logger.WithLevel(warnFirst(first)).Stringer("command", p.Command).Stringer("status", p.Status).Uint32("sequence", p.Sequence).
		Str("message_id", p.MessageID).Msg("answer came after its request was given up, or twice")
	if r == nil {
		return
	}
	answer, err := checked(p, nil)
	if err != nil {
		return
	}
	s.workers.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				s.panicked(v, p.Command)
			}
		}()
		r.extra.Late(ctx, answer)
	})
}
