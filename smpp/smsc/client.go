package smsc

import (
	"context"
	"sync"
	"time"

	"smsbridge/smpp"
)

// client is one connection: it serves what the client asks.
type client struct {
	server *Server
	wire   *wire

	mu        sync.Mutex
	account   string
	bound     bool
	transmits bool
	receives  bool
}

// ServeSMPP answers binds and submits. What else there is in SMPP 3.4 (query_sm,
// cancel_sm, replace_sm, submit_multi) is unknown here.
func (c *client) ServeSMPP(ctx context.Context, session *smpp.Session, p *smpp.PDU) *smpp.PDU {
	switch p.Command {
	case smpp.BindTransceiver:
		return c.bind(ctx, session, p, true, true)
	case smpp.BindTransmitter:
		return c.bind(ctx, session, p, true, false)
	case smpp.BindReceiver:
		return c.bind(ctx, session, p, false, true)
	case smpp.SubmitSM, smpp.DataSM:
		c.mu.Lock()
		account, allowed := c.account, c.transmits
		c.mu.Unlock()
		if !allowed {
			return p.Answer(smpp.StatusInvBndSts)
		}
		return c.server.submit(ctx, account, session, c.wire, p)
	default:
		return p.Answer(smpp.StatusInvCmdID)
	}
}

// earlyDeliver is how long the answer to a bind waits for a deliver_sm to be before it,
// if that is the fault to play.
const earlyDeliver = 200 * time.Millisecond

// bind lets a client in. It writes the answer itself, so that no deliver_sm is before
// it, unless that is the fault to play.
func (c *client) bind(ctx context.Context, session *smpp.Session, p *smpp.PDU, transmits, receives bool) *smpp.PDU {
	cfg := c.server.cfg
	play := c.server.faults.bind(c.wire)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case play.silent:
		return nil
	case play.refuse != smpp.StatusOK:
		return p.Answer(play.refuse)
	case c.bound:
		return p.Answer(smpp.StatusAlyBnd)
	case cfg.SystemID != "" && p.Bind.SystemID != cfg.SystemID:
		return p.Answer(smpp.StatusInvSysID)
	case cfg.Password != "" && p.Bind.Password != cfg.Password:
		return p.Answer(smpp.StatusInvPaswd)
	}
	answer := p.Answer(smpp.StatusOK)
	answer.SystemID = "smsbridge"
	c.account, c.bound, c.transmits = p.Bind.SystemID, true, transmits
	if play.deliverFirst && receives {
		c.receive(session)
		if sleep(ctx, earlyDeliver, c.wire.spoke) != nil {
			return nil
		}
	}
	if err := session.Write(ctx, answer); err != nil {
		return nil // the connection is gone
	}
	if receives {
		c.receive(session)
	}
	c.server.log.Info().Str("system_id", c.account).Stringer("command", p.Command).Msg("a client bound")
	return nil
}

// receive lets the session have deliver_sm. The caller holds the lock.
func (c *client) receive(session *smpp.Session) {
	if !c.receives {
		c.receives = true
		c.server.binds.add(c.account, session)
	}
}

// gone forgets a connection that has ended.
func (c *client) gone(session *smpp.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receives {
		c.server.binds.remove(c.account, session)
	}
}
