package smpp_test

import (
	"bufio"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

type vector struct {
	line    int
	kind    string
	command string
	octets  []byte
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	f, err := os.Open("testdata/smpp-pdus.tsv")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var all []vector
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		columns := strings.Split(lines.Text(), "\t")
		if n == 1 || len(columns) < 6 {
			continue
		}
		b, err := hex.DecodeString(columns[5])
		if err != nil {
			tb.Fatalf("line %d: %v", n, err)
		}
		all = append(all, vector{line: n, kind: columns[0], command: columns[1], octets: b})
	}
	if len(all) < 80 {
		tb.Fatalf("%d vectors read", len(all))
	}
	return all
}

// What others quoted as whole PDUs decodes, all of it.
func TestDecodeVectors(t *testing.T) {
	for _, v := range vectors(t) {
		p, err := smpp.Decode(v.octets)
		if v.kind == "odd" {
			continue // no panic is all that is asked
		}
		if err != nil {
			t.Errorf("line %d (%s %s): %v", v.line, v.kind, v.command, err)
			continue
		}
		if p.Short == nil {
			continue
		}
		_, payload := p.Short.TLV(smpp.TagMessagePayload)
		_, id := p.Short.TLV(smpp.TagReceiptedMessageID)
		if len(p.Short.Body) == 0 && !payload && !id {
			t.Errorf("line %d: its text is lost: %x", v.line, v.octets)
		}
	}
}

var roundTrips = map[string]*smpp.PDU{
	"submit_sm": {Command: smpp.SubmitSM, Sequence: 7, Short: &smpp.Short{
		ServiceType: "CMT", Source: bridge.Address{TON: 5, Addr: "Acme"}, Destination: bridge.Address{TON: 1, NPI: 1, Addr: "33612345678"},
		ESMClass: 0x40, ProtocolID: 1, Priority: 2, Schedule: "261122101500000+", Validity: "261122101500000+",
		RegisteredDelivery: 1, ReplaceIfPresent: 1, DataCoding: 8, DefaultMessageID: 3, Body: []byte("\x05\x00\x03\x01\x02\x01hi"),
		TLVs: []bridge.TLV{{Tag: 0x1400, Value: []byte{1}}, {Tag: 0x0204, Value: []byte{0, 9}}, {Tag: 0x1400, Value: []byte{2}}},
	}},
	"deliver_sm, nothing in it": {Command: smpp.DeliverSM, Sequence: 0x7FFFFFFF, Short: &smpp.Short{Body: []byte{}}},
	"data_sm": {Command: smpp.DataSM, Sequence: 1, Short: &smpp.Short{
		Source: bridge.Address{Addr: strings.Repeat("1", 64)}, Destination: bridge.Address{Addr: "36180"}, ESMClass: 4, RegisteredDelivery: 1, DataCoding: 3,
		TLVs: []bridge.TLV{{Tag: smpp.TagMessagePayload, Value: []byte(strings.Repeat("x", 60_000))}},
	}},
	"bind_transceiver": {Command: smpp.BindTransceiver, Sequence: 1, Bind: &smpp.Bind{
		SystemID: "acme", Password: "longer than eight", SystemType: "SMPP", InterfaceVersion: smpp.Version34, AddrTON: 1, AddrNPI: 1, AddressRange: "^33",
	}},
	"outbind":           {Command: smpp.Outbind, Sequence: 1, Bind: &smpp.Bind{SystemID: "smsc", Password: "secret"}},
	"bind resp":         {Command: smpp.BindTransceiverResp, Sequence: 1, SystemID: "smsc", TLVs: []bridge.TLV{{Tag: smpp.TagSCInterfaceVersion, Value: []byte{0x34}}}},
	"bind resp, error":  {Command: smpp.BindReceiverResp, Sequence: 1, Status: smpp.StatusInvPaswd},
	"submit resp":       {Command: smpp.SubmitSMResp, Sequence: 1, MessageID: "3b5c"},
	"submit resp error": {Command: smpp.SubmitSMResp, Sequence: 1, Status: smpp.StatusThrottled},
	"deliver resp":      {Command: smpp.DeliverSMResp, Sequence: 0xFFFFFFFF},
	"enquire_link":      {Command: smpp.EnquireLink, Sequence: 3, Raw: []byte{}},
	"generic_nack":      {Command: smpp.GenericNack, Status: smpp.StatusInvCmdID, Raw: []byte{}},
	"alert":             {Command: smpp.AlertNotification, Raw: []byte{1, 1, '3', 0, 0, 0, 0}},
}

func TestRoundTrip(t *testing.T) {
	for name, p := range roundTrips {
		t.Run(name, func(t *testing.T) {
			frame, err := smpp.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			got, err := smpp.Decode(frame)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func submitWith(change func(*smpp.Short)) *smpp.PDU {
	s := &smpp.Short{Destination: bridge.Address{TON: 1, NPI: 1, Addr: "33612345678"}, Body: []byte("hello")}
	change(s)
	return &smpp.PDU{Command: smpp.SubmitSM, Sequence: 1, Short: s}
}

// A value that does not fit is refused: never cut, and never read as the next field.
func TestEncodeRefuses(t *testing.T) {
	tests := map[string]*smpp.PDU{
		"a NUL in source_addr":       submitWith(func(s *smpp.Short) { s.Source.Addr = "Ac\x00me" }),
		"a NUL in validity":          submitWith(func(s *smpp.Short) { s.Validity = "26112210150000\x00+" }),
		"a short validity":           submitWith(func(s *smpp.Short) { s.Validity = "2611" }),
		"an address of 21 octets":    submitWith(func(s *smpp.Short) { s.Destination.Addr = strings.Repeat("3", 21) }),
		"a service_type of 6 octets": submitWith(func(s *smpp.Short) { s.ServiceType = "abcdef" }),
		"a short_message of 255":     submitWith(func(s *smpp.Short) { s.Body = make([]byte, 255) }),
		"a short_message of 300":     submitWith(func(s *smpp.Short) { s.Body = make([]byte, 300) }),
		"a parameter of 65536":       submitWith(func(s *smpp.Short) { s.TLVs = []bridge.TLV{{Tag: 1, Value: make([]byte, 65536)}} }),
		"two parameters over the PDU": submitWith(func(s *smpp.Short) {
			s.TLVs = []bridge.TLV{{Value: make([]byte, 40_000)}, {Value: make([]byte, 40_000)}}
		}),
		"no body":             {Command: smpp.DeliverSM},
		"a body in data_sm":   {Command: smpp.DataSM, Short: &smpp.Short{Body: []byte("x")}},
		"no bind":             {Command: smpp.BindReceiver},
		"a NUL in a password": {Command: smpp.BindReceiver, Bind: &smpp.Bind{Password: "p\x00q"}},
		"a long system_id":    {Command: smpp.BindReceiver, Bind: &smpp.Bind{SystemID: strings.Repeat("s", 16)}},
		"a long message_id":   {Command: smpp.SubmitSMResp, MessageID: strings.Repeat("s", 65)},
	}
	for name, p := range tests {
		t.Run(name, func(t *testing.T) {
			frame, err := smpp.Encode(p)
			if e, ok := errors.AsType[*smpp.EncodeError](err); !ok || e.Command != p.Command {
				t.Errorf("got %x, %v", frame, err)
			}
		})
	}
}

func frameOf(command smpp.Command, body string) []byte {
	return []byte("\x00\x00\x00" + string(rune(16+len(body))) + string([]byte{byte(command >> 24), byte(command >> 16), byte(command >> 8), byte(command)}) +
		"\x00\x00\x00\x00\x00\x00\x00\x05" + body)
}

const untilLength = "\x00\x01\x0133612\x00\x00\x0036180\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// What is odd and readable is read.
func TestDecodeTolerates(t *testing.T) {
	tests := []struct {
		name, body string
		text       string
		tlvs       []bridge.TLV
	}{
		{"a stray NUL after the text", "\x02hi\x00", "hi", nil},
		{"a stray NUL before parameters", "\x02hi\x00\x04\x27\x00\x01\x02", "hi", []bridge.TLV{{Tag: 0x0427, Value: []byte{2}}}},
		{"a stray NUL where there is no text", "\x00\x00\x00\x1e\x00\x02A\x00", "", []bridge.TLV{{Tag: 0x001E, Value: []byte("A\x00")}}},
		{"a NUL counted and not sent", "\x03hi", "hi", nil},
		{"a parameter that runs past the end", "\x00\x04\x27\x00\x01\x02\x04\x24\x00\x09text", "", []bridge.TLV{{Tag: 0x0427, Value: []byte{2}}, {Tag: 0x0424, Value: []byte("text")}}},
		{"octets after the last parameter", "\x00\x04\x27\x00\x01\x02\x00\x00", "", []bridge.TLV{{Tag: 0x0427, Value: []byte{2}}}},
		{"a vendor's parameters", "\x00\x14\x00\x00\x00\x06\x0d\x00\x01x", "", []bridge.TLV{{Tag: 0x1400, Value: []byte{}}, {Tag: 0x060D, Value: []byte("x")}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := smpp.Decode(frameOf(smpp.DeliverSM, untilLength+test.body))
			if err != nil {
				t.Fatal(err)
			}
			if string(p.Short.Body) != test.text || p.Short.Source.Addr != "33612" || p.Short.Destination.Addr != "36180" {
				t.Errorf("got %+v", p.Short)
			}
			if diff := cmp.Diff(test.tlvs, p.Short.TLVs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeResponses(t *testing.T) {
	tests := []struct{ name, body, id string }{
		{"no body", "", ""},
		{"an id without NUL", "3b5c", "3b5c"},
		{"an id", "3b5c\x00", "3b5c"},
		{"an id and octets", "3b5c\x00\x00", "3b5c"},
		{"an id and a parameter cut short", "3b5c\x00\x04\x23\x00\x03\x01", "3b5c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := smpp.Decode(frameOf(smpp.SubmitSMResp, test.body))
			if err != nil || p.MessageID != test.id {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// A malformed body still tells whom to answer, and with what.
func TestDecodeMalformed(t *testing.T) {
	tests := []struct {
		name    string
		command smpp.Command
		body    string
		status  smpp.Status
	}{
		{"no body", smpp.DeliverSM, "", smpp.StatusInvMsgLen},
		{"it ends in source_addr", smpp.DeliverSM, "\x00\x01\x01336", smpp.StatusInvMsgLen},
		{"it ends before sm_length", smpp.SubmitSM, untilLength, smpp.StatusInvMsgLen},
		{"sm_length is far too long", smpp.DeliverSM, untilLength + "\x20hi", smpp.StatusInvMsgLen},
		{"data_sm ends early", smpp.DataSM, "\x00\x01\x01336\x00", smpp.StatusInvMsgLen},
		{"bind ends early", smpp.BindTransceiver, "acme\x00", smpp.StatusInvMsgLen},
		{"a long source", smpp.DeliverSM, "\x00\x01\x01" + strings.Repeat("3", 65) + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", smpp.StatusInvSrcAdr},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := smpp.Decode(frameOf(test.command, test.body))
			e, ok := errors.AsType[*smpp.DecodeError](err)
			if !ok || e.Status != test.status {
				t.Fatalf("got %v", err)
			}
			if p == nil || p.Command != test.command || p.Sequence != 5 {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestNames(t *testing.T) {
	tests := map[string]string{
		smpp.SubmitSMResp.String():       "submit_sm_resp",
		smpp.GenericNack.String():        "generic_nack",
		smpp.Command(0x110).String():     "0x00000110",
		smpp.StatusThrottled.Label():     "ESME_RTHROTTLED (0x58)",
		smpp.Status(0x94).String():       "0x94",
		smpp.Status(0x0400).Label():      "0x400",
		smpp.Outbind.Response().String(): "0x8000000B",
	}
	for got, want := range tests {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What decodes encodes, or says why not, and decodes to the same again.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.octets)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := smpp.Decode(frame)
		if err != nil {
			return
		}
		again, err := smpp.Encode(p)
		if err != nil {
			return // longer than what we write
		}
		q, err := smpp.Decode(again)
		if err != nil {
			t.Fatalf("%+v encodes to %x: %v", p, again, err)
		}
		if diff := cmp.Diff(normal(p), normal(q)); diff != "" {
			t.Error(diff)
		}
	})
}

// normal levels nil and empty.
func normal(p *smpp.PDU) *smpp.PDU {
	if len(p.Raw) == 0 {
		p.Raw = nil
	}
	if p.Short != nil && len(p.Short.Body) == 0 {
		p.Short.Body = nil
	}
	return p
}

func BenchmarkEncodeSubmit(b *testing.B) {
	p := submitWith(func(s *smpp.Short) { s.RegisteredDelivery = 1 })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := smpp.Encode(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeSubmit(b *testing.B) {
	frame, err := smpp.Encode(submitWith(func(s *smpp.Short) { s.RegisteredDelivery = 1 }))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := smpp.Decode(frame); err != nil {
			b.Fatal(err)
		}
	}
}
