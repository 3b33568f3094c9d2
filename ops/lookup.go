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
	Owner  addressing.Handle `json:"owner,omitzero"`
	Pool   bool              `json:"pool"`   // of a Number: it is one of the pool
	Shared bool              `json:"shared"` // of a Number: several people have it on one phone
	// Reply tells whose a text from the phone to the Number would be, where both were asked
	// for, and Send over which Number one from the handle to the phone would go.
	Reply *addressing.Finding `json:"reply,omitempty"`
	Send  *addressing.Finding `json:"send,omitempty"`
	// Gone tells of a handle that nobody may use, and Blocks what it may not write to.
	Gone          *addressing.GoneHandle `json:"gone,omitempty"`
	Blocks        []addressing.Block     `json:"blocks,omitempty"`
	Registered    []string               `json:"registered,omitempty"` // the names by which phones may write to the handle first
	Conversations []addressing.View      `json:"conversations"`
	More          int                    `json:"more"`              // conversations that are left out
	Optouts       []addressing.Optout    `json:"optouts,omitempty"` // of a phone
	// OwnPhoneOf is who has tied the phone to their handle.
	OwnPhoneOf addressing.Handle `json:"own_phone_of,omitzero"`
}

func (s *Server) lookup(w http.ResponseWriter, r *http.Request) {
	found, err := s.find(r.Context(), r.URL.Query().Get("address"), r.URL.Query().Get("with"))
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
			found.Conversations = []addressing.View{}
		}
		s.reply(w, http.StatusOK, found)
	}
}

// find looks an address up, or what happens between it and another.
func (s *Server) find(ctx context.Context, address, with string) (Lookup, error) {
	a, err := s.read(address)
	if err != nil {
		return Lookup{}, err
	}
	if with == "" {
		return s.findOne(ctx, a)
	}
	b, err := s.read(with)
	if err != nil {
		return Lookup{}, err
	}
	if b.kind() == KindPhone {
		a, b = b, a
	}
	found := Lookup{Address: a.String(), Kind: a.kind()}
	var f addressing.Finding
	switch {
	case a.kind() != KindPhone || b.kind() == KindPhone:
		return Lookup{}, fmt.Errorf("%w: one of the two must be a phone, and the other a handle or a number of the bridge", addressing.ErrInvalid)
	case b.kind() == KindHandle:
		f, err = s.cfg.Book.FindNumber(ctx, b.handle, a.phone)
		found.Send = &f
	default:
		f, err = s.cfg.Book.FindReply(ctx, a.phone, b.number)
		found.Reply = &f
	}
	return found, err
}

// findOne tells what is known of one address.
func (s *Server) findOne(ctx context.Context, a address) (Lookup, error) {
	book, found := s.cfg.Book, Lookup{Address: a.String(), Kind: a.kind()}
	var err error
	switch a.kind() {
	case KindHandle:
		found.Dedicated, _ = book.Dedicated(a.handle)
		found.Gone, found.Blocks = decided(book.Directory(), a.handle)
		for _, r := range book.Directory().Registered() {
			if r.Handle == a.handle {
				found.Registered = append(found.Registered, r.Name)
			}
		}
		found.Conversations, err = book.ViewsOf(ctx, a.handle)
	case KindNumber:
		found.Owner, _ = book.OwnerOf(a.number)
		found.Pool, found.Shared = book.InPool(a.number), book.Shared(a.number)
		found.Conversations, err = book.ViewsOver(ctx, a.number)
	default:
		if found.Conversations, err = book.Views(ctx, a.phone); err == nil {
			found.Optouts, err = book.Optouts(ctx, a.phone)
		}
		if err == nil {
			found.OwnPhoneOf, err = book.OwnerOfPhone(ctx, a.phone)
		}
	}
	return found, err
}

// decided is what operators have decided about a handle.
func decided(d *addressing.Directory, h addressing.Handle) (gone *addressing.GoneHandle, blocks []addressing.Block) {
	if now, since := d.Now(h, time.Now()); now != h {
		gone = &addressing.GoneHandle{Handle: h, Now: now, Since: since}
	}
	return gone, d.BlocksOf(h)
}

// address is one of the three kinds.
type address struct {
	handle addressing.Handle
	number addressing.Number
	phone  addressing.MSISDN
}

func (a address) kind() string {
	switch {
	case !a.handle.IsZero():
		return KindHandle
	case !a.number.IsZero():
		return KindNumber
	default:
		return KindPhone
	}
}

func (a address) String() string {
	switch a.kind() {
	case KindHandle:
		return a.handle.String()
	case KindNumber:
		return a.number.String()
	default:
		return a.phone.String()
	}
}

// read takes an address as what it looks like: a handle, one of the bridge's own Numbers, or
// else a phone.
func (s *Server) read(text string) (a address, err error) {
	text = strings.TrimSpace(text)
	if strings.Contains(text, ":") && !strings.HasPrefix(text, "tel:") {
		a.handle, err = addressing.ParseHandle(text)
		return a, err
	}
	if n, err := addressing.ParseNumber(text); err == nil {
		if s.cfg.Book.Ours(n) {
			return address{number: n}, nil
		}
		if n.Kind() != addressing.LongNumber {
			return address{}, fmt.Errorf("%w: %q is neither a phone nor one of the bridge's own numbers", addressing.ErrInvalid, text)
		}
	}
	a.phone, err = addressing.ParseMSISDN(text, s.cfg.Region)
	return a, err
}
