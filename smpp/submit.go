package smpp

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// submit submits the segments of sub that are not done, one after the other: no
// segment may be written once one before it was not accepted.
func (l *Link) submit(ctx context.Context, g grant, sub bridge.Submission, segments []Segment) bridge.Result {
	r := bridge.Result{
		Link: l.cfg.Name, Account: l.cfg.Account, Total: len(segments),
		SMSCIDs: slices.Clone(sub.Done), NoReceipts: l.cfg.Fields.NoReceipts,
		Route: g.route, CostClass: g.costClass, Encoding: segments[0].Encoding, Count: countOf(segments),
	}
	g.permit.charge(segments[len(sub.Done)].Count, time.Now()) // those that follow, if any, count as one each
	for i := len(sub.Done); i < len(segments); i++ {
		if i == len(sub.Done) {
			if sub.Chosen != nil {
				sub.Chosen(r)
			}
			if sub.Attempt != nil {
				if err := sub.Attempt(ctx, l.cfg.Name, l.cfg.Account); err != nil {
					g.permit.giveBack()
					return notWritten(r, err)
				}
			}
		} else if next, err := l.queue.wait(ctx, l.continued, rankContinued); err != nil {
			return notWritten(r, err)
		} else {
			g.permit = next.permit
		}
		g.permit.sent = time.Now()
		sent := g.permit.sent
		answer, err := g.slot.SendWith(ctx, l.submitSM(sub, segments[i], i), Extra{Late: l.whenLate(sub.Late, r, segments[i].Count, g.permit), May: sub.May})
		taken := false
		if err != nil {
			g.permit.giveBack()
			r = failed(r, err)
		} else {
			taken = l.read(&r, answer, segments[i].Count, g.permit)
		}
		if sub.Answered != nil {
			sub.Answered(answered(r, i, sent, taken))
		}
		if !taken {
			return r
		}
	}
	r.Outcome = bridge.OutcomeSent
	return r
}

// answered is what came of segment i, which was sent then.
func answered(r bridge.Result, i int, sent time.Time, taken bool) bridge.Answer {
	a := bridge.Answer{Link: r.Link, Account: r.Account, Segment: i + 1, Segments: r.Total, From: sent, To: time.Now(), Taken: taken, Status: r.StatusName}
	if taken {
		a.SMSCID = r.SMSCIDs[i]
	}
	return a
}

// read puts what the SMSC answered to a submit_sm of count segments into r, and tells
// whether it took it.
func (l *Link) read(r *bridge.Result, answer *PDU, count int, p *permit) (taken bool) {
	rule := ruleOf(answer.Status, l.cfg.Statuses)
	l.noteAnswer(rule.Class, p)
	if rule.Class != ClassOK {
		*r = refused(*r, answer.Status, rule)
		return false
	}
	l.tally.segments.Add(uint64(count))
	id := answer.MessageID
	if l.cfg.Fields.ConstantIDs {
		id = ""
	}
	r.SMSCIDs = append(r.SMSCIDs, id)
	return true
}

// whenLate gives what to do with an answer that comes when the submit has ended as
// unknown; r is what was known before. It keeps nothing of the message's text.
func (l *Link) whenLate(told func(context.Context, bridge.Result), r bridge.Result, count int, p *permit) func(context.Context, *PDU) {
	if told == nil {
		return nil
	}
	late := &permit{account: p.account, segments: p.segments, sent: p.sent} // p itself is given back by then
	return func(ctx context.Context, answer *PDU) {
		r.SMSCIDs = slices.Clone(r.SMSCIDs) // the caller has the same
		if l.read(&r, answer, count, late) {
			r.Outcome = bridge.OutcomeSent
			if len(r.SMSCIDs) < r.Total {
				r.Outcome = bridge.OutcomeNotWritten // the others
			}
		}
		told(ctx, r)
	}
}

// countOf is how many short messages the SMSC makes of all segments.
func countOf(segments []Segment) (n int) {
	for _, s := range segments {
		n += s.Count
	}
	return n
}

func notWritten(r bridge.Result, err error) bridge.Result {
	r.Outcome, r.Err = bridge.OutcomeNotWritten, err
	r.Detail = "the message was not handed to the operator"
	return r
}

// failed is the result of a submit without an answer.
func failed(r bridge.Result, err error) bridge.Result {
	if _, ok := errors.AsType[*EncodeError](err); ok {
		r.Outcome, r.Err = bridge.OutcomePermanent, err
		r.Detail = "the message cannot be written in the operator's protocol: " + err.Error()
		return r
	}
	if errors.Is(err, ErrNotWritten) {
		return notWritten(r, err)
	}
	r.Outcome, r.Err = bridge.OutcomeUnknown, err
	r.Detail = "the message was handed to the operator, and no answer came"
	return r
}

func refused(r bridge.Result, status Status, rule StatusRule) bridge.Result {
	r.Outcome = rule.Class.outcome()
	r.Status, r.StatusName = uint32(status), cmp.Or(rule.Name, status.String())
	r.Detail = rule.detail(status)
	r.Err = &StatusError{Command: SubmitSM, Status: status}
	return r
}

// npiISDN is the numbering plan of E.164 (SMPP 3.4, 5.2.6).
const npiISDN = 1

// destinationAddress spells a phone, or a short number as it is dialled in its country.
func destinationAddress(phone addressing.MSISDN) bridge.Address {
	if digits, _, short := phone.ShortNumber(); short {
		return bridge.Address{TON: tonNetwork, Addr: digits}
	}
	return bridge.Address{TON: tonInternational, NPI: npiISDN, Addr: phone.Digits()}
}

// sourceAddress spells a Number as most SMSCs want it; many refuse a leading plus. The
// zero Number leaves the choice of sender to the SMSC (SMPP 3.4, 5.2.8).
func sourceAddress(n addressing.Number) bridge.Address {
	switch n.Kind() {
	case addressing.LongNumber:
		return bridge.Address{TON: tonInternational, NPI: npiISDN, Addr: n.Value()}
	case addressing.ShortCode:
		return bridge.Address{TON: tonNetwork, Addr: n.Value()}
	case addressing.Alphanumeric:
		return bridge.Address{TON: tonAlphanumeric, Addr: n.Value()}
	default:
		return bridge.Address{}
	}
}
