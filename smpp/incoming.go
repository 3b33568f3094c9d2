package smpp

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"smsbridge/bridge"
)

// moVersion is the version of the MO record that this room writes.
const moVersion = 1

// incoming serves the SMSC's requests on one connection of a Link.
type incoming struct {
	link      *Link
	session   string
	connected instant
	bound     atomic.Pointer[instant]
	trusted   atomic.Bool // we know whom we talk with: we called, or its outbind was right
	outbind   chan *Bind
}

// instant is a time of day, and the same by a clock that nobody sets. What lies between two of
// them, the second tells.
type instant struct {
	at time.Time
	up bridge.Uptime
}

func thisInstant() instant { return instant{time.Now().UTC(), uptime()} }

func newIncoming(l *Link) *incoming {
	in := &incoming{link: l, session: l.cfg.SessionPrefix + ulid.Make().String(), connected: thisInstant(), outbind: make(chan *Bind, 1)}
	in.trusted.Store(l.cfg.Outbind == nil)
	return in
}

func (in *incoming) setBound() {
	at := thisInstant()
	in.bound.Store(&at)
}

// boundAt is when the connection was bound, or was made if it is not bound yet: some
// SMSCs send deliver_sm before the bind response.
func (in *incoming) boundAt() instant {
	if at := in.bound.Load(); at != nil {
		return *at
	}
	return in.connected
}

// ServeSMPP stores short messages and answers them after that, and never before: the
// answer ends the SMSC's duty to keep them.
func (in *incoming) ServeSMPP(ctx context.Context, _ *Session, p *PDU) *PDU {
	switch p.Command {
	case DeliverSM, DataSM:
		return in.store(ctx, p)
	case Outbind:
		select {
		case in.outbind <- p.Bind:
		default: // it has said so already
		}
		return nil
	case AlertNotification:
		// We do not ask for it: a phone that is there again will get what waits for it.
		in.link.cfg.Logger.Debug().Stringer("command", p.Command).Msg("request ignored")
		return nil
	default:
		return in.refuse(p, "request refused: an ESME does not serve it")
	}
}

// refuse answers what is not for this bind. Only the first is worth a warning.
func (in *incoming) refuse(p *PDU, why string) *PDU {
	first := !in.link.refused.Swap(true)
	in.link.cfg.Logger.WithLevel(warnFirst(first)).Stringer("command", p.Command).Msg(why)
	return p.Answer(StatusInvBndSts)
}

func (in *incoming) store(ctx context.Context, p *PDU) *PDU {
	if in.link.cfg.Store == nil { // SMPP 3.4, 2.3
		return in.refuse(p, "message refused: a transmitter gets none; ask the operator to send them over a receiver")
	}
	if !in.trusted.Load() {
		return in.refuse(p, "message refused: it came before a valid outbind")
	}
	m, came, doubts := in.mo(p), cameAt(ctx), &in.link.account.doubts
	doubts.begin(&m, came)
	defer doubts.end(m.ID)
	if err := in.link.cfg.Store(ctx, m); err != nil {
		doubts.failed(m)
		in.link.tally.moFailed.Add(1)
		in.link.cfg.Logger.WithLevel(warnFirst(!in.link.storeFails.Swap(true))).Err(err).Str("message_id", m.ID).Msg("an MO was not stored; the SMSC is asked to send it again")
		return p.Answer(StatusRxTAppn)
	}
	doubts.stored(m, came)
	in.link.tally.moStored.Add(1)
	if in.link.storeFails.Swap(false) {
		in.link.cfg.Logger.Info().Msg("MO are stored again")
	}
	return p.Answer(StatusOK)
}

func (in *incoming) mo(p *PDU) bridge.MO {
	bound, received := in.boundAt(), thisInstant()
	return bridge.MO{
		V: moVersion, ID: ulid.Make().String(),
		Account: in.link.cfg.Account, Link: in.link.cfg.Name,
		Session: in.session, BoundAt: bound.at, Sequence: p.Sequence,
		Command: p.Command.String(), ReceivedAt: received.at, Bound: bound.up, Received: received.up,
		Source: p.Short.Source, Destination: p.Short.Destination,
		ServiceType: p.Short.ServiceType, ESMClass: p.Short.ESMClass, ProtocolID: p.Short.ProtocolID,
		Priority: p.Short.Priority, DataCoding: p.Short.DataCoding, Body: p.Short.Body, TLVs: p.Short.TLVs,
	}
}
