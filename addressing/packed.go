package addressing

import (
	"encoding/binary"
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
	return string(p.buf)
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

// time packs the difference to a time that is known; the zero time, which has no count of
// nanoseconds, is told apart.
func (p *packer) time(t time.Time, base int64) {
	p.bool(!t.IsZero())
	if !t.IsZero() {
		p.int(t.UnixNano() - base)
	}
}

func (p *packer) handle(h Handle) { p.text(h.String()) }

func (p *packer) number(n Number) {
	p.int(int64(n.kind))
	p.text(n.value)
	if n.kind == ShortCode {
		p.text(n.country)
	}
}

func (p *packer) entry(e *Entry) {
	p.number(e.Number)
	p.handle(e.Handle)
	base := e.Created.UnixNano()
	p.time(e.Created, 0)
	p.time(e.LastUsed, base)
	p.time(e.ReleasedAt, base)
	p.int(int64(e.Index))
	p.bool(e.Introduced)
}

func (p *packer) stop(s *Stop) {
	p.handle(s.Handle)
	p.time(s.At, 0)
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

func (u *unpacker) time(base int64) time.Time {
	if !u.bool() {
		return time.Time{}
	}
	return time.Unix(0, u.int()+base).UTC()
}

// handle needs no look at its form: it was a Handle.
func (u *unpacker) handle() Handle {
	network, id, _ := strings.Cut(u.text(), ":")
	return Handle{network: network, id: id}
}

func (u *unpacker) number() Number {
	n := Number{kind: NumberKind(u.int()), value: u.text()}
	if n.kind == ShortCode {
		n.country = u.text()
	}
	return n
}

func (u *unpacker) entry() Entry {
	e := Entry{Number: u.number(), Handle: u.handle(), Created: u.time(0)}
	base := e.Created.UnixNano()
	e.LastUsed, e.ReleasedAt = u.time(base), u.time(base)
	e.Index, e.Introduced = int(u.int()), u.bool()
	return e
}

func (u *unpacker) stop() Stop { return Stop{Handle: u.handle(), At: u.time(0), By: u.text()} }
