package smpp_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

const receiptClass = 0x04

func tlv(tag uint16, value string) bridge.TLV { return bridge.TLV{Tag: tag, Value: []byte(value)} }

func wide(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u >> 8))
		b.WriteByte(byte(u))
	}
	return b.String()
}

func TestParseReceipt(t *testing.T) {
	day := time.Date(2026, 11, 22, 16, 54, 0, 0, time.UTC)
	const full = "id:12ab-7 sub:001 dlvrd:001 submit date:2611221653 done date:2611221654 stat:DELIVRD err:000 text:Hello id:9 stat:EXPIRED"
	tests := []struct {
		name  string
		body  string
		tlvs  []bridge.TLV
		id    string
		state bridge.ReceiptState
		code  string
		at    time.Time
	}{
		{"as in Appendix B", full, nil, "12ab-7", bridge.ReceiptDelivered, "000", day},
		{"12 digits", "id:1 done date:261122165407 stat:DELIVRD err:0", nil, "1", bridge.ReceiptDelivered, "0", day.Add(7 * time.Second)},
		{"12 digits with a century", "id:1 done date:202611221654 stat:DELIVRD err:0", nil, "1", bridge.ReceiptDelivered, "0", day},
		{"14 digits", "id:1 done date:20261122165407 stat:DELIVRD", nil, "1", bridge.ReceiptDelivered, "", day.Add(7 * time.Second)},
		{"a date that is none", "id:1 done date:2613992599 stat:DELIVRD", nil, "1", bridge.ReceiptDelivered, "", time.Time{}},
		{"no blank in the dates", "id:1 submitdate:2611221653 donedate:2611221654 stat:UNDELIV err:21b", nil, "1", bridge.ReceiptFailed, "21b", day},
		{"another order", "stat:EXPIRED err:0032 done date:2611221654 id:1", nil, "1", bridge.ReceiptExpired, "0032", day},
		{"a blank after err", "id:1 stat:UNDELIV err: 042 text:", nil, "1", bridge.ReceiptFailed, "042", time.Time{}},
		{"an empty err", "id:1 stat:UNDELIV err: text:err 7", nil, "1", bridge.ReceiptFailed, "", time.Time{}},
		{"lower case", "ID:1 STAT:delivrd ERR:0 Text:x", nil, "1", bridge.ReceiptDelivered, "0", time.Time{}},
		{"FAILED", "id:1 stat:FAILED err:1", nil, "1", bridge.ReceiptFailed, "1", time.Time{}},
		{"BUFFERD", "id:1 stat:BUFFERD", nil, "1", bridge.ReceiptEnroute, "", time.Time{}},
		{"ACKED", "id:1 stat:ACKED", nil, "1", bridge.ReceiptEnroute, "", time.Time{}},
		{"ACCEPTD", "id:1 stat:ACCEPTD", nil, "1", bridge.ReceiptEnroute, "", time.Time{}},
		{"ENROUTE", "id:1 stat:ENROUTE", nil, "1", bridge.ReceiptEnroute, "", time.Time{}},
		{"REJECTD", "id:1 stat:REJECTD", nil, "1", bridge.ReceiptFailed, "", time.Time{}},
		{"DELETED", "id:1 stat:DELETED", nil, "1", bridge.ReceiptFailed, "", time.Time{}},
		{"UNKNOWN", "id:1 stat:UNKNOWN", nil, "1", bridge.ReceiptUnknown, "", time.Time{}},
		{"DELIVERED in full", "id:1 stat:DELIVERED", nil, "1", bridge.ReceiptDelivered, "", time.Time{}},
		{"a word of their own", "id:1 stat:PURPLE", nil, "1", bridge.ReceiptUnknown, "", time.Time{}},
		{"UCS-2", wide(full), nil, "12ab-7", bridge.ReceiptDelivered, "000", day},
		{"UCS-2 with a mark", "\xfe\xff" + wide(full), nil, "12ab-7", bridge.ReceiptDelivered, "000", day},
		{"message_payload with a NUL", "", []bridge.TLV{tlv(0x0424, full+"\x00")}, "12ab-7", bridge.ReceiptDelivered, "000", day},
		{"payload and nothing behind stat", "", []bridge.TLV{tlv(0x0424, "id:1 stat:DELIVRD\x00")}, "1", bridge.ReceiptDelivered, "", time.Time{}},
		{"parameters only", "", []bridge.TLV{tlv(0x001E, "77\x00"), tlv(0x0427, "\x05"), tlv(0x0423, "\x03\x00\x15")}, "77", bridge.ReceiptFailed, "021", time.Time{}},
		{"an error code in ASCII", "", []bridge.TLV{tlv(0x001E, "77"), tlv(0x0427, "\x02"), tlv(0x0423, "000")}, "77", bridge.ReceiptDelivered, "000", time.Time{}},
		{"the parameter knows more of the error", "id:1 stat:UNDELIV err:000", []bridge.TLV{tlv(0x0423, "\x03\x00\x15")}, "1", bridge.ReceiptFailed, "021", time.Time{}},
		{"the text knows more of the error", "id:1 stat:UNDELIV err:7", []bridge.TLV{tlv(0x0423, "\x03\x00\x15")}, "1", bridge.ReceiptFailed, "7", time.Time{}},
		{"the state says more than stat", "id:1 stat:DEL", []bridge.TLV{tlv(0x0427, "\x03")}, "1", bridge.ReceiptExpired, "", time.Time{}},
		{"a state that nobody knows", "id:1 stat:DELIVRD", []bridge.TLV{tlv(0x0427, "\x63")}, "1", bridge.ReceiptDelivered, "", time.Time{}},
		{
			"text cut off", "id:0000003005 sub:001 dlvrd:001 submit date:2611221653 done date:2611221654 stat:DELIVRD err:000 te",
			[]bridge.TLV{tlv(0x001E, "3005\x00")},
			"0000003005", bridge.ReceiptDelivered, "000", day,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := smpp.ParseReceipt(bridge.MO{ESMClass: receiptClass, Body: []byte(tt.body), TLVs: tt.tlvs})
			if err != nil {
				t.Fatal(err)
			}
			if r.Candidates[0] != tt.id || r.State != tt.state || r.Code != tt.code || !r.At.Equal(tt.at) {
				t.Errorf("%q %s %q %v; want %q %s %q %v", r.Candidates[0], r.State, r.Code, r.At, tt.id, tt.state, tt.code, tt.at)
			}
		})
	}
}

// The receipts that others met in the field, as they came over the wire.
func TestReceiptsSeenElsewhere(t *testing.T) {
	want := map[string]string{ // name of the case, or its line: first candidate, state
		"test_any_network_error_code":                                            "bc59b8aa-2fd2-4035-8113-19301e050079 delivered 000",
		"test_deliver_sm_resp_unknown_error":                                     "0416342074 delivered 000",
		"test_deliver_sm_resp_opt_param_not_allow_more_messages_to_send":         "0416342074 delivered 000",
		"test_unknown_tag_value_0x60D":                                           "4D19C83C delivered 0000",
		"test_DeliverSM_handset_ack_conversion":                                  "1891273321 delivered 000",
		"decodeDeliverSmAsDeliveryReceipt":                                       "0059113978 delivered 000",
		"decodeDeliveryReceipt0":                                                 "126e85a6edeac1a02020099312479564 delivered 000",
		"decodeDeliverSmNetforsDeliveryReceiptTriggeredErrorInLegacySmppLibrary": "0000003005 delivered 000",
	}
	file, err := os.ReadFile("testdata/smpp-pdus.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(file)) {
		column := strings.Split(strings.TrimSpace(line), "\t")
		frame, err := hex.DecodeString(column[len(column)-1])
		if err != nil || len(column) != 6 || column[1] != "0x5" {
			continue
		}
		p, err := smpp.Decode(frame)
		if err != nil || p.Short == nil {
			continue
		}
		s, err := reader().ReadMO(bridge.MO{
			Source: p.Short.Source, Destination: p.Short.Destination, ESMClass: p.Short.ESMClass,
			DataCoding: p.Short.DataCoding, Body: p.Short.Body, TLVs: p.Short.TLVs,
		})
		name := column[4]
		if want[name] == "" {
			if s.Receipt != nil {
				t.Errorf("%s: a receipt: %+v", name, s.Receipt)
			}
			continue
		}
		seen++
		if err != nil || s.Receipt == nil {
			t.Errorf("%s: no receipt: %v", name, err)
			continue
		}
		if got := fmt.Sprintf("%s %s %s", s.Receipt.Candidates[0], s.Receipt.State, s.Receipt.Code); got != want[name] {
			t.Errorf("%s: %s, want %s", name, got, want[name])
		}
		id, _ := p.Short.TLV(smpp.TagReceiptedMessageID)
		if !slices.Contains(s.Receipt.Candidates, strings.TrimRight(string(id), "\x00")) {
			t.Errorf("%s: the id %q of the parameter is not among %q", name, id, s.Receipt.Candidates)
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d receipts are in the file", seen, len(want))
	}
}

func TestParseReceiptWithoutID(t *testing.T) {
	for _, body := range []string{"", "stat:DELIVRD err:000", "id: stat:DELIVRD", "\x00", "\x00\x00id"} {
		if _, err := smpp.ParseReceipt(bridge.MO{ESMClass: receiptClass, Body: []byte(body)}); !errors.Is(err, smpp.ErrReceipt) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// What the response to submit_sm said, and what the receipt says.
func TestCandidateIDs(t *testing.T) {
	tests := []struct {
		name     string
		recorded string
		receipt  []string
	}{
		{"the same", "abc-1", []string{"abc-1"}},
		{"blanks around it", "abc", []string{" abc "}},
		{"only one of two ids is the recorded one", "b7", []string{"zzz", "b7"}},
		{"recorded lower", "4d19c83c", []string{"4D19C83C"}},
		{"recorded upper", "4D19C83C", []string{"4d19c83c"}},
		{"UUID in upper case", "BC59B8AA-2FD2-4035-8113-19301E050079", []string{"bc59b8aa-2fd2-4035-8113-19301e050079"}},
		{"recorded hexadecimal, receipt decimal", "18d0e03a", []string{"416342074"}},
		{"the same in upper case", "18D0E03A", []string{"0416342074"}},
		{"recorded hexadecimal with zeros", "00BC614E", []string{"12345678"}},
		{"recorded decimal, receipt hexadecimal", "416342074", []string{"18d0e03a"}},
		{"recorded decimal with zeros", "0059113978", []string{"38601FA"}},
		{"recorded without zeros", "3005", []string{"0000003005"}},
		{"recorded with zeros", "0000003005", []string{"3005"}},
		{"hexadecimal with zeros", "0038601fa", []string{"38601fa", "0038601fa"}},
		{"2^63", "8000000000000000", []string{"9223372036854775808"}},
		{"2^64 and more", "18446744073709551617", []string{"10000000000000001"}},
		{"32 digits", "126e85a6edeac1a02020099312479564", []string{"24499967364551330131427018079426024804"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := smpp.CandidateIDs(tt.receipt...)
			if !slices.Contains(got, tt.recorded) {
				t.Errorf("%v: %q is not among %q", tt.receipt, tt.recorded, got)
			}
			if d := cmp.Diff(got, smpp.CandidateIDs(tt.receipt...)); d != "" {
				t.Errorf("another order: %s", d)
			}
			sorted := slices.Sorted(slices.Values(got))
			if len(slices.Compact(sorted)) != len(got) {
				t.Errorf("listed twice: %q", got)
			}
			if got[0] != tt.receipt[0] {
				t.Errorf("the first is %q, not the id as written", got[0])
			}
		})
	}
	if got := smpp.CandidateIDs("", "\x00", "  "); got != nil {
		t.Errorf("of nothing: %q", got)
	}
	if got := smpp.CandidateIDs("-12", "1_0", "+5"); slices.Contains(got, "-c") || slices.Contains(got, "a") {
		t.Errorf("a sign or an underscore was taken for a number: %q", got)
	}
	if got := smpp.CandidateIDs(strings.Repeat("9", 66)); len(got) != 1 {
		t.Errorf("a long id has %d forms", len(got))
	}
}

func FuzzParseReceipt(f *testing.F) {
	f.Add("id:1 stat:DELIVRD err:000 text:", []byte("77\x00"))
	for _, v := range vectors(f) {
		if p, err := smpp.Decode(v.octets); err == nil && p.Short != nil {
			id, _ := p.Short.TLV(smpp.TagReceiptedMessageID)
			f.Add(string(p.Short.Body), id)
		}
	}
	f.Fuzz(func(t *testing.T, body string, id []byte) {
		m := bridge.MO{ESMClass: receiptClass, Body: []byte(body), TLVs: []bridge.TLV{{Tag: 0x001E, Value: id}}}
		if r, err := smpp.ParseReceipt(m); err == nil && (len(r.Candidates) == 0 || len(r.Candidates) > 64) {
			t.Errorf("%d candidates", len(r.Candidates))
		}
	})
}

// Where an account's ids say nothing, a receipt is read by its phone and our reference.
func TestReceiptByPhone(t *testing.T) {
	r := &smpp.Reader{Region: "FR", Accounts: map[string]smpp.ReadConfig{"a": {ConstantIDs: true}}}
	tests := []struct {
		name string
		tlvs []bridge.TLV
		want *uint16
	}{
		{"no reference", nil, nil},
		{"a reference", []bridge.TLV{tlv(0x0204, "\x12\x34")}, new(uint16(0x1234))},
		{"a reference of a wrong length", []bridge.TLV{tlv(0x0204, "\x12")}, nil},
		{"parameters only", []bridge.TLV{tlv(0x001E, "0\x00"), tlv(0x0427, "\x02")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mo("id:0 stat:DELIVRD")
			m.Account, m.ESMClass, m.TLVs = "a", receiptClass, tt.tlvs
			if len(tt.tlvs) == 2 {
				m.ESMClass, m.Body = 0, nil
			}
			s, err := r.ReadMO(m)
			if err != nil || s.Receipt == nil {
				t.Fatalf("%+v, %v", s, err)
			}
			got := s.Receipt
			if !got.ByPhone || len(got.Candidates) != 0 || got.State != bridge.ReceiptDelivered || s.Phone.String() != "+33612345678" {
				t.Errorf("%+v of %s", got, s.Phone)
			}
			if (got.Reference == nil) != (tt.want == nil) || got.Reference != nil && *got.Reference != *tt.want {
				t.Errorf("reference %v, want %v", got.Reference, tt.want)
			}
		})
	}
}
