package addressing

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// Packed is r in some 60 bytes a conversation, for a store that keeps many in memory. It
// is for one process only: what outlives it is JSON, which a person can read.
func (r *Record) Packed() string {
	p := packer{buf: make([]byte, 0, 64*len(r.Entries)+32*len(r.Stops)+8)}
	p.int(int64(r.V))
	p.int(int64(len(r.Entries)))
	for i := range r.Entries {
		p.entry(&r.Entries[i])
	}
	p.int(int64(len(r.Stops)))
	for i := range r.Stops {
		p.stop(&r.Stops[i])
	}
	p.bool(r.StoppedAll != nil)
	if r.StoppedAll != nil {
		p.stop(r.StoppedAll)
	}
	p.bool(r.Owner != nil)
	if r.Owner != nil {
		p.stop(&Stop{Handle: r.Owner.Handle, At: r.Owner.At})
	}
	for i, n := range r.namings() {
		if !n.since.IsZero() || !n.was.IsZero() {
			p.int(int64(i) + 1)
			p.text(n.was.String())
			p.bool(!n.since.IsZero())
			if !n.since.IsZero() {
				p.int(n.since.UnixNano())
			}
		}
	}
	p.int(0)
	return string(p.buf)
}

// naming is what few entries and stops have: those of people who got another name.
type naming struct {
	since *time.Time
	was   *Handle
}

// namings are those of all entries and stops, in order.
func (r *Record) namings() []naming {
	var all []naming
	for i := range r.Entries {
		all = append(all, naming{&r.Entries[i].Named, &r.Entries[i].Was})
	}
	for i := range r.Stops {
		all = append(all, naming{&r.Stops[i].Named, &r.Stops[i].Was})
	}
	if r.StoppedAll != nil {
		all = append(all, naming{&r.StoppedAll.Named, &r.StoppedAll.Was})
	}
	if r.Owner != nil {
		all = append(all, naming{&r.Owner.Named, &r.Owner.Was})
	}
	return all
}

// Unpack gives back what [Record.Packed] made; s must be of that. The strings of the record
// are parts of s.
func Unpack(s string) Record {
	u := unpacker{s}
	r := Record{V: int(u.int())}
	for range u.int() {
		r.Entries = append(r.Entries, u.entry())
	}
	for range u.int() {
		r.Stops = append(r.Stops, u.stop())
	}
	if u.bool() {
		all := u.stop()
		r.StoppedAll = &all
	}
	if u.bool() {
		s := u.stop()
		r.Owner = &Owner{Handle: s.Handle, At: s.At}
	}
	for i := u.int(); i > 0; i = u.int() {
		n := r.namings()[i-1]
		*n.was = u.handle()
		if u.bool() {
			*n.since = time.Unix(0, u.int()).UTC()
		}
	}
	return r
}

// packer appends values, each of which says where it ends.
type packer struct{ buf []byte }

func (p *packer) int(n int64) { p.buf = binary.AppendVarint(p.buf, n) }

func (p *packer) bool(b bool) {
	n := int64(0)
	if b {
		n = 1
	}
	p.int(n)
}

func (p *packer) text(s string) {
	p.int(int64(len(s)))
	p.buf = append(p.buf, s...)
}

// What the first octet of an entry says: which times it has, for the zero time has no count of
// nanoseconds; in two bits each the kind of its Number and its network.
const (
	packedCreated = 1 << iota
	packedUsed
	packedReleased
	packedIntroduced
	packedKind    = 4 // shift
	packedNetwork = 6 // shift
)

// packedNetworks are the networks that need no letters. The first stands for any other.
var packedNetworks = [4]string{"", NetworkXMPP, NetworkWeb, NetworkMatrix}

func (p *packer) entry(e *Entry) {
	network := max(0, slices.Index(packedNetworks[:], e.Handle.network))
	flags := byte(e.Number.kind)<<packedKind | byte(network)<<packedNetwork
	for _, f := range []struct {
		holds bool
		flag  byte
	}{
		{!e.Created.IsZero(), packedCreated},
		{!e.LastUsed.IsZero(), packedUsed},
		{!e.ReleasedAt.IsZero(), packedReleased},
		{e.Introduced, packedIntroduced},
	} {
		if f.holds {
			flags |= f.flag
		}
	}
	p.buf = append(p.buf, flags)
	p.text(e.Number.value)
	if e.Number.kind == ShortCode {
		p.text(e.Number.country)
	}
	if network == 0 {
		p.text(e.Handle.network)
	}
	p.text(e.Handle.id)
	base := int64(0)
	for _, t := range []time.Time{e.Created, e.LastUsed, e.ReleasedAt} {
		if !t.IsZero() {
			p.int(t.UnixNano() - base)
			base = t.UnixNano()
		}
	}
	p.int(int64(e.Index))
}

func (p *packer) stop(s *Stop) {
	p.text(s.Handle.String())
	p.bool(!s.At.IsZero())
	if !s.At.IsZero() {
		p.int(s.At.UnixNano())
	}
	p.text(s.By)
}

// unpacker takes values off the front.
type unpacker struct{ s string }

func (u *unpacker) int() int64 {
	var n uint64
	for i := 0; ; i++ {
		c := u.s[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			u.s = u.s[i+1:]
			return int64(n>>1) ^ -int64(n&1) // as encoding/binary has it
		}
	}
}

func (u *unpacker) bool() bool { return u.int() != 0 }

func (u *unpacker) text() string {
	n := u.int()
	text := u.s[:n]
	u.s = u.s[n:]
	return text
}

func (u *unpacker) entry() Entry {
	flags := u.s[0]
	u.s = u.s[1:]
	e := Entry{Introduced: flags&packedIntroduced != 0}
	e.Number.kind = NumberKind(flags >> packedKind & 3)
	e.Number.value = u.text()
	if e.Number.kind == ShortCode {
		e.Number.country = u.text()
	}
	// It needs no look at its form: it was a Handle.
	e.Handle.network = packedNetworks[flags>>packedNetwork]
	if e.Handle.network == "" {
		e.Handle.network = u.text()
	}
	e.Handle.id = u.text()
	base := int64(0)
	for _, t := range []struct {
		flag byte
		time *time.Time
	}{{packedCreated, &e.Created}, {packedUsed, &e.LastUsed}, {packedReleased, &e.ReleasedAt}} {
		if flags&t.flag != 0 {
			base += u.int()
			*t.time = time.Unix(0, base).UTC()
		}
	}
	e.Index = int(u.int())
	return e
}

// handle needs no look at its form: it was a Handle.
func (u *unpacker) handle() Handle {
	network, id, _ := strings.Cut(u.text(), ":")
	return Handle{network: network, id: id}
}

func (u *unpacker) stop() Stop {
	s := Stop{Handle: u.handle()}
	if u.bool() {
		s.At = time.Unix(0, u.int()).UTC()
	}
	s.By = u.text()
	return s
}
