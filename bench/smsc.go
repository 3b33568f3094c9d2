package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// The commands that the SMSC knows (SMPP 3.4, 5.1.2.1).
const (
	cmdSubmit      = 0x00000004
	cmdDeliver     = 0x00000005
	cmdDeliverResp = 0x80000005
	cmdUnbind      = 0x00000006
	cmdResponse    = 0x80000000
	headerLen      = 16
)

// startSMSC starts this program again as an SMSC and gives its address. It ends when
// stop is called, or with this process.
func startSMSC(moWindow int) (addr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(self, "smsc", "-mo-window", strconv.Itoa(moWindow))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = in.Close() // it waits for that
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the SMSC did not start: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

// serve is an SMSC that answers at once and keeps nothing. It says its address on
// stdout and ends with stdin.
func serve(moWindow int) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p := &peer{conn: conn, moWindow: moWindow}
			go p.serve()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return l.Close()
}

// peer is one connection to the SMSC. One goroutine reads and writes: what came in one
// read is answered in one write.
type peer struct {
	conn     net.Conn
	out      []byte
	ids      uint64
	moWindow int
	moLast   uint32 // sequence_number of the last deliver_sm; zero: none yet
}

func (p *peer) serve() {
	defer p.conn.Close()
	buf := make([]byte, 256<<10)
	have := 0
	for {
		n, err := p.conn.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		at := 0
		for have-at >= headerLen {
			length := int(binary.BigEndian.Uint32(buf[at:]))
			if length < headerLen || length > len(buf) {
				return
			}
			if have-at < length {
				break
			}
			p.take(buf[at : at+length])
			at += length
		}
		have = copy(buf, buf[at:have])
		if len(p.out) == 0 {
			continue
		}
		if _, err := p.conn.Write(p.out); err != nil {
			return
		}
		p.out = p.out[:0]
	}
}

func (p *peer) take(pdu []byte) {
	command, sequence := binary.BigEndian.Uint32(pdu[4:]), binary.BigEndian.Uint32(pdu[12:])
	switch {
	case command == cmdSubmit:
		p.ids++
		var id [24]byte
		body := append(strconv.AppendUint(id[:0], p.ids, 10), 0)
		p.put(command|cmdResponse, sequence, body)
		if p.moLast == 0 {
			for range p.moWindow {
				p.deliver()
			}
		}
	case command == cmdDeliverResp:
		p.deliver()
	case command&cmdResponse != 0:
	case command == 1 || command == 2 || command == 9: // bind_*
		p.put(command|cmdResponse, sequence, []byte("bench\x00"))
	default: // enquire_link, unbind
		p.put(command|cmdResponse, sequence, nil)
	}
}

func (p *peer) put(command, sequence uint32, body []byte) {
	p.out = binary.BigEndian.AppendUint32(p.out, uint32(headerLen+len(body)))
	p.out = binary.BigEndian.AppendUint32(p.out, command)
	p.out = binary.BigEndian.AppendUint32(p.out, 0)
	p.out = binary.BigEndian.AppendUint32(p.out, sequence)
	p.out = append(p.out, body...)
}

// moPhones is how many phones write.
const moPhones = 10_000

func (p *peer) deliver() {
	p.moLast++
	body := []byte("\x00\x01\x0133612")
	phone := strconv.Itoa(100_000 + int(p.moLast%moPhones))
	body = append(body, phone...)
	body = append(body, "\x00\x01\x0133700000001\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	body = append(body, byte(len(text)))
	body = append(body, text...)
	p.put(cmdDeliver, p.moLast, body)
}
