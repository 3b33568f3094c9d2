package smsc

import (
	"context"
	"sync"

	"smsbridge/smpp"
)

// client is one connection: it serves what the client asks.
type client struct {
	server *Server

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
		return c.server.submit(ctx, account, p)
	default:
		return p.Answer(smpp.StatusInvCmdID)
	}
}

// bind lets a client in. It writes the answer itself, so that no deliver_sm is before it.
func (c *client) bind(ctx context.Context, session *smpp.Session, p *smpp.PDU, transmits, receives bool) *smpp.PDU {
	cfg := c.server.cfg
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.bound:
		return p.Answer(smpp.StatusAlyBnd)
	case cfg.SystemID != "" && p.Bind.SystemID != cfg.SystemID:
		return p.Answer(smpp.StatusInvSysID)
	case cfg.Password != "" && p.Bind.Password != cfg.Password:
		return p.Answer(smpp.StatusInvPaswd)
	}
	answer := p.Answer(smpp.StatusOK)
	answer.SystemID = "smsbridge"
	if err := session.Write(ctx, answer); err != nil {
		return nil // the connection is gone
	}
	c.account, c.bound, c.transmits, c.receives = p.Bind.SystemID, true, transmits, receives
	if receives {
		c.server.binds.add(c.account, session)
	}
	c.server.log.Info().Str("system_id", c.account).Stringer("command", p.Command).Msg("a client bound")
	return nil
}

// gone forgets a connection that has ended.
func (c *client) gone(session *smpp.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receives {
		c.server.binds.remove(c.account, session)
	}
}
