package smsc

import (
	"net"
	"slices"
	"time"

	"smsbridge/smpp"
)

// This file is what the faults of the table do to a connection.

// firstInjected is the first sequence_number of what no session knows of: a session does
// not get there.
const firstInjected uint32 = 0x70000000

// maxRenamed bounds how many answers of the client may be missing.
const maxRenamed = 1000

// unknownID is a command_id that no version of SMPP has.
const unknownID smpp.Command = 0x0F01

// vanish loses everything from now on, both ways, and closes nothing.
func (w *wire) vanish() { w.gone.Store(true) }

// deafen reads nothing any more until the connection is closed.
func (w *wire) deafen() bool {
	<-w.closed
	return false
}

// reset closes without waiting for what is on its way.
func (w *wire) reset() bool {
	if tcp, ok := w.tcp.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only where the client was faster
	}
	_ = w.tcp.Close()
	return false
}

// trickle writes one octet at a time: TCP_NODELAY, which Go sets, makes each a packet.
func (w *wire) trickle(b []byte) error {
	for i := range b {
		if _, err := w.Conn.Write(b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// rename gives a PDU a sequence_number that its session does not know; own is that of
// the session, or 0 where the session is not to see the answer. The caller holds the
// lock.
func (w *wire) rename(sequence, own uint32) {
	if len(w.renamed) >= maxRenamed {
		clear(w.renamed)
	}
	w.renamed[sequence] = own
	w.renames.Store(true)
}

// inject makes a PDU without a body that no session knows of. The caller holds the lock.
func (w *wire) inject(command smpp.Command) pdu {
	w.injected++
	p := make(pdu, headerLen)
	p.setLength(headerLen)
	p.setCommand(command)
	p.setSequence(w.injected)
	w.rename(w.injected, 0)
	return p
}

// unbind asks the client to go. Its answer is of no interest: it closes, or it does not.
func unbind(w *wire, _ pdu) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.Conn.Write(w.inject(smpp.Unbind))
	return err == nil
}

// unknownCommand puts what nobody knows before p.
func unknownCommand(w *wire, p pdu) []pdu {
	return []pdu{w.inject(unknownID), w.inject(unknownID.Response()), p}
}

func twice(_ *wire, p pdu) []pdu { return []pdu{p, p} }

// borrowSequence gives p the sequence_number of the client's last submit, or, where that
// is in use already, one of its own: never that of another deliver_sm.
func borrowSequence(w *wire, p pdu) []pdu {
	own, sequence := p.sequence(), w.asked.Load()
	if _, used := w.renamed[sequence]; used || sequence == 0 {
		w.injected++
		sequence = w.injected
	}
	w.rename(sequence, own)
	p.setSequence(sequence)
	return []pdu{p}
}

func wrongLength(of func(length int) uint32) func(*wire, pdu) []pdu {
	return func(_ *wire, p pdu) []pdu {
		p.setLength(of(len(p)))
		return []pdu{p}
	}
}

func cutOff(w *wire, p pdu) []pdu {
	w.closing = true
	return []pdu{p[:len(p)/2]}
}

// How many answers are put into the reverse order, and how long they wait to be so many.
const (
	reversed    = 3
	reverseWait = 50 * time.Millisecond
)

// reverse holds an answer back until there are some, or for a moment.
func reverse(w *wire, p pdu) []pdu {
	w.held = append(w.held, slices.Clone(p))
	if len(w.held) == reversed {
		return w.release()
	}
	if len(w.held) == 1 {
		time.AfterFunc(reverseWait, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, p := range w.release() {
				if _, err := w.Conn.Write(p); err != nil {
					return // the client is gone
				}
			}
		})
	}
	return nil
}

// release gives what was held back, the last first.
func (w *wire) release() []pdu {
	held := w.held
	w.held = nil
	slices.Reverse(held)
	return held
}
