package smpp_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/internal/peers"
	"smsbridge/smpp"
)

// submitted gives the submit_sm that a link writes for a text, as octets.
func submitted(t *testing.T, text string, change func(*smpp.LinkConfig)) [][]byte {
	t.Helper()
	ls, p := onePeer(t, change)
	var wire bytes.Buffer
	p.r = bufio.NewReader(io.TeeReader(p.conn, &wire))
	s := submission("m", text)
	s.ExpiresAt = time.Date(2026, 11, 22, 18, 5, 9, 0, time.UTC)
	done := submit(testContext(t), ls, s)
	var all [][]byte
	for n := 0; ; n++ {
		asked := p.expect(smpp.SubmitSM)
		frame := wire.Next(int(binary.BigEndian.Uint32(wire.Bytes())))
		all = append(all, bytes.Clone(frame))
		p.send(answerWithID(asked, fmt.Sprint(n)))
		select {
		case got := <-done:
			if got.Outcome != bridge.OutcomeSent || len(all) != got.Total {
				t.Fatalf("got %+v", got)
			}
			return all
		case <-p.more():
		}
	}
}

// more is closed once the next PDU begins to come.
func (p *peer) more() <-chan struct{} {
	coming := make(chan struct{})
	go func() {
		if _, err := p.r.Peek(1); err == nil {
			close(coming)
		}
	}()
	return coming
}

// read is what Wireshark reads in one of our submits.
type read struct {
	from, to, coding, part, total, sarPart, sarTotal, text, payload, tags, vendor, reference, priority, receipt, subunit, malformed string
}

var readFields = []string{
	"smpp.source_addr", "smpp.destination_addr", "smpp.data_coding", "gsm_sms.udh.mm.msg_part", "gsm_sms.udh.mm.msg_parts",
	"smpp.sar_segment_seqnum", "smpp.sar_total_segments", "smpp.message_text", "smpp.message_payload", "smpp.opt_param_tag",
	"smpp.vendor_op", "smpp.user_message_reference", "smpp.priority_flag", "smpp.regdel.receipt", "smpp.dest_addr_subunit", "_ws.malformed",
}

func readBack(t *testing.T, alphabet string, pdus [][]byte) []read {
	t.Helper()
	rows := peers.TShark(t, alphabet, pdus, readFields...)
	all := make([]read, len(rows))
	for i, r := range rows {
		all[i] = read{r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14], r[15]}
	}
	return all
}

// Wireshark, which nobody here wrote, reads in our submits what we meant: addresses,
// text, parts and parameters.
func TestTSharkReadsOurSubmits(t *testing.T) {
	as, b66 := strings.Repeat("a", 161), strings.Repeat("ж", 66)
	tests := []struct {
		name     string
		text     string
		alphabet string
		change   func(*smpp.LinkConfig)
		want     []read
	}{
		{name: "a short text", text: "Bonjour é € @", want: []read{{coding: "0x00", text: "Bonjour é € @"}}},
		{name: "UCS-2", text: "Привет ✓", want: []read{{coding: "0x08", text: "Привет ✓"}}},
		{
			name: "packed", text: "hellohello 1234567", alphabet: "GSM 7-bit (packed)",
			change: func(c *smpp.LinkConfig) { c.Text.Alphabet = smpp.AlphabetGSM7Packed },
			want:   []read{{coding: "0x00", text: "hellohello 1234567"}},
		},
		{
			name: "Latin-1", text: "café", alphabet: "ISO-8859-1",
			change: func(c *smpp.LinkConfig) { c.Text.Alphabet = smpp.AlphabetLatin1 },
			want:   []read{{coding: "0x00", text: "café"}},
		},
		{
			name: "flash in Latin-1", text: "café", alphabet: "ISO-8859-1",
			change: func(c *smpp.LinkConfig) { c.Text.Alphabet, c.Fields.Flash = smpp.AlphabetLatin1, true },
			want:   []read{{coding: "0x00", text: "café", tags: "0x0005", subunit: "0x01"}},
		},
		{name: "8-bit references", text: as, want: []read{
			{coding: "0x00", part: "1", total: "2", text: as[:153]}, {coding: "0x00", part: "2", total: "2", text: as[153:]},
		}},
		{
			name: "16-bit references", text: b66 + "жж€жж", change: func(c *smpp.LinkConfig) { c.Text.Long = smpp.LongUDH16 },
			want: []read{{coding: "0x08", part: "1", total: "2", text: b66}, {coding: "0x08", part: "2", total: "2", text: "жж€жж"}},
		},
		{
			name: "SAR", text: as, change: func(c *smpp.LinkConfig) { c.Text.Long = smpp.LongSAR },
			want: []read{
				{coding: "0x00", sarPart: "1", sarTotal: "2", tags: "0x020c,0x020e,0x020f", text: as[:152]},
				{coding: "0x00", sarPart: "2", sarTotal: "2", tags: "0x020c,0x020e,0x020f", text: as[152:]},
			},
		},
		{
			name: "message_payload", text: as, change: func(c *smpp.LinkConfig) { c.Text.Long = smpp.LongPayload },
			want: []read{{coding: "0x00", tags: "0x0424", payload: hex.EncodeToString([]byte(as)), text: as}},
		},
		{
			name: "fields", text: "ж",
			change: func(c *smpp.LinkConfig) {
				c.Fields = smpp.FieldsConfig{Priority: 2, NoReceipts: true, ConstantIDs: true, TLVs: []bridge.TLV{{Tag: 0x1400, Value: []byte{1, 2}}}}
			},
			want: []read{{
				coding: "0x08", text: "ж", tags: "0x1400,0x0204", vendor: "0102", priority: "0x02", receipt: "0x00",
				reference: fmt.Sprintf("0x%04x", bridge.UserReference("m", 0)),
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := readBack(t, cmp.Or(tt.alphabet, "GSM 7-bit"), submitted(t, tt.text, tt.change))
			for i := range tt.want {
				w := &tt.want[i]
				w.from, w.to = "33700000001", "33612345678"
				w.priority, w.receipt = cmp.Or(w.priority, "0x00"), cmp.Or(w.receipt, "0x01")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}
