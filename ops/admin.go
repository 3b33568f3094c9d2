package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"smsbridge/addressing"
)

// QueueRow is one stage in the body of /admin/v1/queue.
type QueueRow struct {
	Stage    string `json:"stage"` // mt, mo, out or dead
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	MaxBytes uint64 `json:"max_bytes"` // 0: no limit
	// OldestAgeSeconds is how long the oldest message has waited; 0 where nothing waits.
	OldestAgeSeconds float64 `json:"oldest_age_seconds"`
}

// Queue is the body of /admin/v1/queue.
type Queue struct {
	Stages []QueueRow `json:"stages"`
	// Instances work at the queue together; absent where the queue is this daemon's own.
	Instances []Instance `json:"instances,omitempty"`
}

// Instance is one daemon at the queue.
type Instance struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Here  bool      `json:"here"`  // it is the one that was asked
	Holds []string  `json:"holds"` // lanes, and tasks that one instance does for all
}

func (s *Server) queue(w http.ResponseWriter, r *http.Request) {
	depths, err := s.cfg.Depths(r.Context())
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "the queue cannot be read, see /readyz: "+err.Error())
		return
	}
	now := time.Now()
	all := Queue{Stages: make([]QueueRow, len(depths))}
	for i, d := range depths {
		all.Stages[i] = QueueRow{
			Stage: d.Stage, Messages: d.Messages, Bytes: d.Bytes, MaxBytes: d.MaxBytes,
			OldestAgeSeconds: d.oldestAge(now).Seconds(),
		}
	}
	if s.cfg.Instances != nil {
		all.Instances = s.cfg.Instances()
	}
	s.reply(w, http.StatusOK, all)
}

// oldestAge is never negative: the clocks of several machines differ.
func (d QueueDepth) oldestAge(now time.Time) time.Duration {
	if d.OldestAt.IsZero() {
		return 0
	}
	return max(0, now.Sub(d.OldestAt))
}

// The kinds of address that a look-up is about.
const (
	KindPhone  = "phone"
	KindHandle = "handle"
	KindNumber = "number"
)

// maxConversations bounds an answer; the ones used last come first.
const maxConversations = 1000

// Lookup is the body of /admin/v1/lookup.
type Lookup struct {
	Address string `json:"address"` // canonical
	Kind    string `json:"kind"`    // phone, handle or number
	// Dedicated is the Number that belongs to the handle; absent where none does.
	Dedicated addressing.Number `json:"dedicated,omitzero"`
	// Owner is whom the Number belongs to; absent where it is one of the pool.
	Owner         addressing.Handle         `json:"owner,omitzero"`
	Pool          bool                      `json:"pool"` // of a Number: it is one of the pool
	Conversations []addressing.Conversation `json:"conversations"`
	More          int                       `json:"more"` // conversations that are left out
}

func (s *Server) lookup(w http.ResponseWriter, r *http.Request) {
	address := strings.TrimSpace(r.URL.Query().Get("address"))
	found, err := s.find(r.Context(), address)
	switch {
	case errors.Is(err, addressing.ErrInvalid):
		detail := strings.TrimPrefix(err.Error(), addressing.ErrInvalid.Error()+": ")
		s.refuse(w, http.StatusBadRequest, detail+"; a handle is written like web:ann or xmpp:ann@corp.example")
	case err != nil:
		s.refuse(w, http.StatusServiceUnavailable, "the conversations cannot be read, see /readyz: "+err.Error())
	default:
		if n := len(found.Conversations); n > maxConversations {
			found.Conversations, found.More = found.Conversations[:maxConversations], n-maxConversations
		}
		if found.Conversations == nil {
			found.Conversations = []addressing.Conversation{}
		}
		s.reply(w, http.StatusOK, found)
	}
}

// find reads an address as what it looks like: a handle, one of the bridge's own
// Numbers, or else a phone.
func (s *Server) find(ctx context.Context, address string) (Lookup, error) {
	book := s.cfg.Book
	if strings.Contains(address, ":") {
		h, err := addressing.ParseHandle(address)
		if err != nil {
			return Lookup{}, err
		}
		found := Lookup{Address: h.String(), Kind: KindHandle}
		found.Dedicated, _ = book.Dedicated(h)
		found.Conversations, err = book.ConversationsOf(ctx, h)
		return found, err
	}
	if n, err := addressing.ParseNumber(address); err == nil {
		owner, dedicated := book.OwnerOf(n)
		if pool := book.InPool(n); dedicated || pool {
			found := Lookup{Address: n.String(), Kind: KindNumber, Owner: owner, Pool: pool}
			found.Conversations, err = book.ConversationsOver(ctx, n)
			return found, err
		}
		if n.Kind() != addressing.LongNumber {
			return Lookup{}, fmt.Errorf("%w: %q is neither a phone nor one of the bridge's own numbers", addressing.ErrInvalid, address)
		}
	}
	phone, err := addressing.ParseMSISDN(address, s.cfg.Region)
	if err != nil {
		return Lookup{}, err
	}
	found := Lookup{Address: phone.String(), Kind: KindPhone}
	found.Conversations, err = book.Conversations(ctx, phone)
	return found, err
}
