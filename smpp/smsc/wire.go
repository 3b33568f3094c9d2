package smsc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"

	"smsbridge/smpp"
)

// headerLen is the length of a PDU's header in octets (SMPP 3.4, 3.2).
const headerLen = 16

// pdu is a PDU in octets, or no more than its header.
type pdu []byte

func (p pdu) length() uint32        { return binary.BigEndian.Uint32(p) }
func (p pdu) command() smpp.Command { return smpp.Command(binary.BigEndian.Uint32(p[4:])) }
func (p pdu) sequence() uint32      { return binary.BigEndian.Uint32(p[12:]) }

func (p pdu) setLength(n uint32)        { binary.BigEndian.PutUint32(p, n) }
func (p pdu) setSequence(n uint32)      { binary.BigEndian.PutUint32(p[12:], n) }
func (p pdu) setCommand(c smpp.Command) { binary.BigEndian.PutUint32(p[4:], uint32(c)) }

// wire is the connection under a session. It sees each PDU that passes, and lets the
// faults that are on do to it what a session never would. One goroutine reads; writes
// may come from several.
type wire struct {
	net.Conn
	tcp      net.Conn // what Conn is made of; the same without TLS
	faults   *faults
	misnamed bool          // the certificate is to be for another name
	received atomic.Int64  // PDUs that the client has sent
	asked    atomic.Uint32 // the sequence_number of its last submit
	gone     atomic.Bool   // all is lost both ways
	spoke    chan struct{} // closed with the first octets that are written
	closed   chan struct{}
	onSpoke  func()
	onClose  func() error

	reader *bufio.Reader
	head   [headerLen]byte
	unread []byte // of head
	left   int    // octets of the PDU after its header

	once     sync.Mutex
	spoiled  map[*plan]bool
	mu       sync.Mutex // for writing
	held     []pdu
	closing  bool              // close once this is written
	injected uint32            // the last sequence_number of a PDU that no session knows of
	renamed  map[uint32]uint32 // sequence_number on the wire: that of the session, or 0 where it has none
	renames  atomic.Bool       // renamed has been used
}

// wire makes the wire of a connection that has come.
func (s *Server) wire(conn net.Conn) *wire {
	w := &wire{
		Conn: conn, tcp: conn, faults: s.faults, spoke: make(chan struct{}), closed: make(chan struct{}),
		spoiled: make(map[*plan]bool), injected: firstInjected, renamed: make(map[uint32]uint32),
	}
	w.onSpoke = sync.OnceFunc(func() { close(w.spoke) })
	w.onClose = sync.OnceValue(func() error {
		close(w.closed)
		return w.Conn.Close()
	})
	for _, f := range *s.faults.on.Load() {
		if f.accept != nil && s.faults.strikes(f, w) {
			f.accept(w)
		}
	}
	if s.tls != nil {
		w.Conn = s.tls.serve(conn, w.misnamed)
	}
	w.reader = bufio.NewReaderSize(w.Conn, 16<<10)
	return w
}

// first tells whether the fault has not struck here before.
func (w *wire) first(p *plan) bool {
	w.once.Lock()
	defer w.once.Unlock()
	before := w.spoiled[p]
	w.spoiled[p] = true
	return !before
}

// Read gives the session what the client sends, as far as the faults let it through.
func (w *wire) Read(b []byte) (int, error) {
	for len(w.unread) == 0 && w.left == 0 {
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	if len(w.unread) > 0 {
		n := copy(b, w.unread)
		w.unread = w.unread[n:]
		return n, nil
	}
	n, err := w.reader.Read(b[:min(len(b), w.left)])
	w.left -= n
	return n, err
}

// next reads the header of the next PDU, and loses the PDU if a fault says so.
func (w *wire) next() error {
	select {
	case <-w.closed:
		return net.ErrClosed // what came before is not read any more
	default:
	}
	if w.gone.Load() {
		_, err := io.Copy(io.Discard, w.tcp) // no TLS handshake either
		if err == nil {
			err = io.EOF
		}
		return err
	}
	n, err := io.ReadFull(w.reader, w.head[:])
	if n == 0 {
		return err
	}
	p := pdu(w.head[:n])
	w.unread = p
	if err != nil {
		return nil //nolint:nilerr // a frame that is cut off: the session finds out by itself
	}
	if length := p.length(); length < headerLen || length > smpp.DefaultMaxPDU {
		w.left = math.MaxInt // no frame any more
		return nil
	}
	w.left = int(p.length()) - headerLen
	w.received.Add(1)
	if w.passes(p) {
		return nil
	}
	w.unread = nil
	_, err = w.reader.Discard(w.left)
	w.left = 0
	return err
}

// passes tells whether the session gets to see a PDU, and gives an answer the
// sequence_number that the session knows.
func (w *wire) passes(p pdu) bool {
	switch {
	case p.command() == smpp.SubmitSM:
		w.asked.Store(p.sequence())
	case p.command() == smpp.EnquireLinkResp: // to one of the session's own, whatever its number
	case p.command().IsResponse() && w.renames.Load():
		w.mu.Lock()
		own, renamed := w.renamed[p.sequence()]
		delete(w.renamed, p.sequence())
		w.mu.Unlock()
		if renamed && own == 0 {
			return false
		}
		if renamed {
			p.setSequence(own)
		}
	}
	for _, f := range *w.faults.on.Load() {
		if f.in != nil && (f.of == 0 || f.of == p.command()) && w.faults.strikes(f, w) && !f.in(w, p) {
			return false
		}
	}
	return true
}

// Write sends the client whole PDUs, as the faults have them.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone.Load() {
		return len(b), nil
	}
	defer w.onSpoke()
	on := *w.faults.on.Load()
	if len(on) == 0 {
		return w.Conn.Write(b)
	}
	var changed []byte
	for rest := pdu(b); len(rest) >= headerLen; {
		n := int(rest.length())
		for _, p := range w.replace(on, rest[:n]) {
			changed = append(changed, p...)
		}
		rest = rest[n:]
		if w.closing {
			break
		}
	}
	err := w.put(on, changed)
	if w.closing {
		err = errors.Join(err, w.Close())
	}
	return len(b), err
}

// replace gives what goes in the place of a PDU. One fault at a time strikes it.
func (w *wire) replace(on []*switched, p pdu) []pdu {
	for _, f := range on {
		if f.out != nil && (f.of == 0 || f.of == p.command()) && w.faults.strikes(f, w) {
			return f.out(w, p)
		}
	}
	return []pdu{p}
}

// put writes octets. The caller holds the lock.
func (w *wire) put(on []*switched, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	for _, f := range on {
		if f.write != nil && w.faults.strikes(f, w) {
			return f.write(w, b)
		}
	}
	_, err := w.Conn.Write(b)
	return err
}

// Close may be called more than once.
func (w *wire) Close() error { return w.onClose() }
