package smpp

import (
	"context"
	"errors"
	"slices"
	"sync"

	"smsbridge/bridge"
)

var _ bridge.Sessions = (*Links)(nil)

// keptConnections is how many connections a link remembers: more than there are in the
// time in which an SMSC sends again what was not answered, for the waits between them
// grow.
const keptConnections = 16

// past are the last connections of a link. All methods may be called concurrently.
type past struct {
	mu  sync.Mutex
	all []pastConnection // oldest first
}

type pastConnection struct {
	name    string
	session *Session // nil once it has ended
	fell    bool     // it ended, and not in good order
}

func (p *past) begin(name string, s *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) == keptConnections {
		p.all = slices.Delete(p.all, 0, 1)
	}
	p.all = append(p.all, pastConnection{name: name, session: s})
}

// end notes how a connection ended: reason is what [Session.Run] returned.
func (p *past) end(name string, reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.all {
		if c := &p.all[i]; c.name == name {
			c.session, c.fell = nil, reason != nil && !errors.Is(reason, ErrPeerUnbound)
		}
	}
}

func (p *past) find(name string) pastConnection {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.all {
		if c.name == name {
			return c
		}
	}
	return pastConnection{}
}

// Fell tells whether a connection ended other than by unbind; see [bridge.Sessions]. One
// that seems to be up is asked by enquire_link.
func (ls *Links) Fell(ctx context.Context, session string) bool {
	for _, l := range ls.everyLink() {
		c := l.past.find(session)
		if c.session == nil {
			if c.fell {
				return true
			}
			continue
		}
		return c.session.EnquireLink(ctx) != nil && ctx.Err() == nil
	}
	return false
}

// Doubted tells whether an answer may have been missed; see [bridge.Sessions].
func (ls *Links) Doubted(_ context.Context, _ string, q bridge.Doubt) bool {
	return slices.ContainsFunc(ls.everyLink(), func(l *Link) bool { return l.account.doubts.holds(q) })
}

// everyLink is those that run and the last that were taken out.
func (ls *Links) everyLink() []*Link {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.Concat(ls.links(), ls.former)
}
