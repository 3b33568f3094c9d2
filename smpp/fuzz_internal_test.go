package smpp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"smsbridge/bridge"
)

// seeds are the PDUs that others quoted.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	file, err := os.ReadFile("testdata/smpp-pdus.tsv")
	if err != nil {
		f.Fatal(err)
	}
	var all [][]byte
	for line := range strings.Lines(string(file)) {
		columns := strings.Split(strings.TrimSpace(line), "\t")
		if octets, err := hex.DecodeString(columns[len(columns)-1]); err == nil {
			all = append(all, octets)
		}
	}
	return all
}

// A stream comes apart into frames that have the length they say, and nothing is lost
// between them.
func FuzzFrame(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
		f.Add(append(bytes.Clone(s), s...))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReader(bytes.NewReader(stream))
		at := 0
		for {
			frame, err := readFrame(r, DefaultMaxPDU)
			if err != nil {
				return
			}
			if len(frame) < headerLen || len(frame) > DefaultMaxPDU || int(binary.BigEndian.Uint32(frame)) != len(frame) {
				t.Fatalf("a frame of %d octets", len(frame))
			}
			if !bytes.Equal(frame, stream[at:at+len(frame)]) {
				t.Fatal("the frame is not what came")
			}
			at += len(frame)
		}
	})
}

// Parameters never have more in them than came, and what is whole is written back alike.
func FuzzTLV(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s[min(len(s), headerLen):])
		if p, err := Decode(s); err == nil && p.Short != nil && len(p.Short.TLVs) > 0 {
			var b []byte
			for _, v := range p.Short.TLVs {
				b = binary.BigEndian.AppendUint16(b, v.Tag)
				b = append(binary.BigEndian.AppendUint16(b, uint16(len(v.Value))), v.Value...)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		all := decodeTLVs(b)
		octets := 0
		var again []byte
		for _, v := range all {
			octets += 4 + len(v.Value)
			again = binary.BigEndian.AppendUint16(again, v.Tag)
			again = append(binary.BigEndian.AppendUint16(again, uint16(len(v.Value))), v.Value...)
		}
		if octets > len(b) {
			t.Fatalf("%d octets of %d", octets, len(b))
		}
		if _, whole := scanTLVs(b); whole && !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

// A header never takes more than there is, and places a segment only where that makes sense.
func FuzzUDH(f *testing.F) {
	for _, s := range seeds(f) {
		if p, err := Decode(s); err == nil && p.Short != nil && len(p.Short.Body) > 0 {
			f.Add(p.Short.Body)
		}
	}
	f.Add([]byte("\x0b\x05\x04\x0b\x84\x00\x00\x00\x03\x09\x02\x02Hi"))
	f.Add([]byte("\x09\x24\x01\x01\x25\x01\x01\x08\x04\x01\x02\x03\x02Hi"))
	f.Fuzz(func(t *testing.T, body []byte) {
		text, h := readBody(bridge.MO{ESMClass: ESMUDH, Body: body})
		if h.length+len(text) != len(body) {
			t.Fatalf("a header of %d and a text of %d octets, of %d", h.length, len(text), len(body))
		}
		if c := h.concat; !c.IsZero() && (c.Part < 1 || c.Part > c.Total || c.Total < 2 || c.Ref > 0xFFFF) {
			t.Fatalf("%+v", c)
		}
		_ = decodeText(0, septetsOf(0, text, h.length, AlphabetGSM7Packed), AlphabetGSM7, h.tables)
	})
}
