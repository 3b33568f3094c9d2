package smpp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

var _ bridge.Reader = (*smpp.Reader)(nil)

func reader() *smpp.Reader {
	return &smpp.Reader{Region: "FR", Accounts: map[string]smpp.ReadConfig{
		"latin":  {Alphabet: smpp.AlphabetLatin1},
		"monaco": {Country: "377"},
		"packed": {Alphabet: smpp.AlphabetGSM7Packed},
	}}
}

func mo(body string) bridge.MO {
	return bridge.MO{
		Source:      bridge.Address{TON: 1, NPI: 1, Addr: "33612345678"},
		Destination: bridge.Address{TON: 1, NPI: 1, Addr: "33700000001"},
		Body:        []byte(body),
	}
}

func TestReadAddresses(t *testing.T) {
	const phone, number = "+33612345678", "+33700000001"
	tests := []struct {
		name                string
		account             string
		source, destination bridge.Address
		phone, number       string
	}{
		{"international", "", bridge.Address{TON: 1, Addr: "33612345678"}, bridge.Address{TON: 1, Addr: "33700000001"}, phone, number},
		{"with a plus", "", bridge.Address{TON: 1, Addr: "+33612345678"}, bridge.Address{Addr: "+33700000001"}, phone, number},
		{"with 00", "", bridge.Address{Addr: "0033612345678"}, bridge.Address{TON: 1, Addr: "0033700000001"}, phone, number},
		{"unknown type", "", bridge.Address{Addr: "33612345678"}, bridge.Address{Addr: "33700000001"}, phone, number},
		{"national", "", bridge.Address{TON: 2, Addr: "0612345678"}, bridge.Address{TON: 2, Addr: "700000001"}, phone, number},
		{"unknown type with the trunk 0", "", bridge.Address{Addr: "0612345678"}, bridge.Address{Addr: "0700000001"}, phone, number},
		{"national under the international type", "", bridge.Address{TON: 1, Addr: "0612345678"}, bridge.Address{TON: 1, Addr: "0700000001"}, phone, number},
		{"international under the national type", "", bridge.Address{TON: 2, Addr: "33612345678"}, bridge.Address{TON: 2, Addr: "33700000001"}, phone, number},
		{"a number under the type of names", "", bridge.Address{TON: 5, Addr: "33612345678"}, bridge.Address{TON: 5, Addr: "52000"}, phone, "52000;phone-context=+33"},
		{"short code", "", bridge.Address{TON: 1, Addr: "33612345678"}, bridge.Address{TON: 3, Addr: "36180"}, phone, "36180;phone-context=+33"},
		{"short code under the international type", "", bridge.Address{TON: 1, Addr: "33612345678"}, bridge.Address{TON: 1, Addr: "123"}, phone, "123;phone-context=+33"},
		{"short code of the account's country", "monaco", bridge.Address{TON: 1, Addr: "33612345678"}, bridge.Address{TON: 6, Addr: "36180"}, phone, "36180;phone-context=+377"},
		{"short code of eight digits", "", bridge.Address{TON: 1, Addr: "33612345678"}, bridge.Address{TON: 4, Addr: "12345678"}, phone, "12345678;phone-context=+33"},
		{"from a short number", "", bridge.Address{TON: 3, Addr: "36180"}, bridge.Address{TON: 1, Addr: "33700000001"}, "36180;phone-context=+33", number},
		{"from a short number of the account's country", "monaco", bridge.Address{Addr: "114"}, bridge.Address{TON: 1, Addr: "33700000001"}, "114;phone-context=+377", number},
		{"a name of ours", "", bridge.Address{TON: 1, Addr: "33612345678"}, bridge.Address{TON: 5, Addr: "VANSO"}, phone, "VANSO"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := reader().ReadMO(bridge.MO{Account: tt.account, Source: tt.source, Destination: tt.destination, Body: []byte("Hi")})
			if err != nil {
				t.Fatal(err)
			}
			want := bridge.Short{Phone: addressing.MustParseMSISDN(tt.phone), Number: addressing.MustParseNumber(tt.number), Text: "Hi"}
			if s != want {
				t.Errorf("%v %v %q", s.Phone, s.Number, s.Text)
			}
		})
	}
}

// What SMSCs of a country send, read by someone at home there.
func TestReadPhoneAtHome(t *testing.T) {
	tests := []struct {
		name, region string
		source       bridge.Address
		phone        string
	}{
		{"an American number of unknown type, which begins as Egypt's", "US", bridge.Address{Addr: "2025550123"}, "+12025550123"},
		{"the same under the international type", "US", bridge.Address{TON: 1, Addr: "2025550123"}, "+12025550123"},
		{"Egypt's, from America", "US", bridge.Address{TON: 1, Addr: "201001234567"}, "+201001234567"},
		{"a French one without its 0, which begins as Australia's", "FR", bridge.Address{Addr: "612345678"}, "+33612345678"},
		{"Réunion, as France dials it", "FR", bridge.Address{TON: 2, Addr: "0692123456"}, "+262692123456"},
		{"Mexico with the 1 of old", "MX", bridge.Address{TON: 1, Addr: "5215512345678"}, "+525512345678"},
		{"Brazil before the ninth digit", "BR", bridge.Address{TON: 1, Addr: "551187654321"}, "+5511987654321"},
		{"Argentina, as it is dialled there", "AR", bridge.Address{TON: 2, Addr: "0111523456789"}, "+5491123456789"},
		{"Russia, with its trunk 8", "RU", bridge.Address{TON: 2, Addr: "89123456789"}, "+79123456789"},
		{"Italy, where the 0 stays", "IT", bridge.Address{TON: 1, Addr: "390612345678"}, "+390612345678"},
		{"a range that is not given out", "FR", bridge.Address{TON: 1, Addr: "33639980012"}, "+33639980012"},
		{"the same at home", "FR", bridge.Address{TON: 2, Addr: "0639980012"}, "+33639980012"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mo("Hi")
			m.Source = tt.source
			s, err := (&smpp.Reader{Region: tt.region}).ReadMO(m)
			if err != nil || s.Phone.String() != tt.phone {
				t.Errorf("read %v, %v; want %s", s.Phone, err, tt.phone)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	phone, number := mo("").Source, mo("").Destination
	tests := []struct {
		name                string
		region              string
		source, destination bridge.Address
		err                 error
		says                string
	}{
		{"a name", "FR", bridge.Address{TON: 5, Addr: "Acme"}, number, smpp.ErrNoReply, `"Acme" (TON 5, a name`},
		{"a short number without a country", "", bridge.Address{TON: 3, Addr: "36180"}, number, smpp.ErrNoReply, "5 digits"},
		{"nobody", "FR", bridge.Address{}, number, smpp.ErrNoReply, "empty"},
		{"national without a region", "", bridge.Address{TON: 2, Addr: "0612345678"}, number, smpp.ErrNoReply, "national"},
		{"to nobody", "FR", phone, bridge.Address{}, smpp.ErrOurNumber, "empty"},
		{"a short code without a country", "", phone, bridge.Address{TON: 3, Addr: "36180"}, smpp.ErrOurNumber, "country calling code"},
		{"an unknown type", "FR", phone, bridge.Address{TON: 99, Addr: "+1"}, smpp.ErrOurNumber, "of no known type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := smpp.Reader{Region: tt.region}
			_, err := r.ReadMO(bridge.MO{Source: tt.source, Destination: tt.destination, Body: []byte("Hi")})
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v; want one that says %q", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "0612345678") {
				t.Error("the error shows a phone number")
			}
		})
	}
}

func TestReadText(t *testing.T) {
	sar := []bridge.TLV{tlv(0x020C, "\x01\x02"), tlv(0x020E, "\x03"), tlv(0x020F, "\x02")}
	tests := []struct {
		name    string
		account string
		esm     byte
		coding  byte
		body    string
		tlvs    []bridge.TLV
		text    string
		concat  bridge.Concat
	}{
		{name: "plain", body: "Hi", text: "Hi"},
		{name: "the account's alphabet", account: "latin", body: "caf\xe9", text: "café"},
		{name: "8-bit reference", esm: 0x40, body: "\x05\x00\x03\xfe\x02\x01Hi", text: "Hi", concat: bridge.Concat{Ref: 0xfe, Total: 2, Part: 1}},
		{name: "16-bit reference", esm: 0x40, body: "\x06\x08\x04\x01\x02\x03\x02Hi", text: "Hi", concat: bridge.Concat{Ref: 0x102, Wide: true, Total: 3, Part: 2}},
		{name: "another element before it", esm: 0x43, body: "\x09\x70\x02\x0b\x84\x00\x03\x09\x02\x02Hi", text: "Hi", concat: bridge.Concat{Ref: 9, Total: 2, Part: 2}},
		{name: "packed", account: "packed", body: "\xe8\x32\x9b\xfd\x46\x97\xd9\xec\x37", text: "hellohello"},
		{name: "packed, with a header", account: "packed", esm: 0x40, body: "\x05\x00\x03\x09\x02\x02\xd0\x65", text: "he", concat: bridge.Concat{Ref: 9, Total: 2, Part: 2}},
		{name: "packed, message class", account: "packed", coding: 0xF0, body: "\xe8\x32", text: "he"},
		{name: "packed, and yet UCS-2", account: "packed", coding: 8, body: "\x00h", text: "h"},
		{name: "an element without content before it", esm: 0x40, body: "\x07\x70\x00\x00\x03\x09\x02\x02Hi", text: "Hi", concat: bridge.Concat{Ref: 9, Total: 2, Part: 2}},
		{name: "an element cut off behind it", esm: 0x40, body: "\x07\x00\x03\x09\x02\x02\x05\x04Hi", text: "Hi", concat: bridge.Concat{Ref: 9, Total: 2, Part: 2}},
		{name: "one part is a whole", esm: 0x40, body: "\x05\x00\x03\x09\x01\x01Hi", text: "Hi"},
		{name: "part 0", esm: 0x40, body: "\x05\x00\x03\x09\x02\x00Hi", text: "Hi"},
		{name: "part beyond the total", esm: 0x40, body: "\x05\x00\x03\x09\x02\x03Hi", text: "Hi"},
		{name: "a header longer than the body", esm: 0x40, body: "Hi", text: "Hi"},
		{name: "a header that is none", esm: 0x40, body: "\x20" + strings.Repeat("x", 40), text: " " + strings.Repeat("x", 40)},
		{name: "a header and no text", esm: 0x40, body: "\x05\x00\x03\x09\x02\x01", text: "", concat: bridge.Concat{Ref: 9, Total: 2, Part: 1}},
		{name: "header bit and no body", esm: 0x40},
		{name: "UCS-2 behind a header", esm: 0x4d, coding: 8, body: "\x05\x00\x03\xfe\x02\x01\x00n\x00g\x1e\xaf", text: "ngắ", concat: bridge.Concat{Ref: 0xfe, Total: 2, Part: 1}},
		{name: "UCS-2 with a mark", coding: 8, body: "\xfe\xff\x00H\x00i", text: "Hi"},
		{name: "UCS-2 with the other mark", coding: 8, body: "\xff\xfeH\x00i\x00", text: "Hi"},
		{name: "UCS-2 with the other mark and an odd octet", coding: 8, body: "\xff\xfeH\x00i", text: "H\uFFFD"},
		{name: "Turkish locking shift", esm: 0x40, body: "\x03\x25\x01\x01\x07", text: "ı"},
		{name: "Spanish single shift", esm: 0x40, body: "\x03\x24\x01\x02\x1b\x61", text: "á"},
		{name: "a shift table that nobody knows", esm: 0x40, body: "\x03\x24\x01\x63Hi", text: "Hi"},
		{name: "SAR parameters", body: "Hi", tlvs: sar, text: "Hi", concat: bridge.Concat{Ref: 0x102, Wide: true, Total: 3, Part: 2}},
		{name: "the header before SAR", esm: 0x40, body: "\x05\x00\x03\x09\x02\x01Hi", tlvs: sar, text: "Hi", concat: bridge.Concat{Ref: 9, Total: 2, Part: 1}},
		{name: "SAR of a wrong length", body: "Hi", tlvs: []bridge.TLV{tlv(0x020C, "\x02"), tlv(0x020E, "\x03"), tlv(0x020F, "\x02")}, text: "Hi"},
		{name: "message_payload", tlvs: []bridge.TLV{tlv(0x0424, "Hi fikry")}, text: "Hi fikry"},
		{name: "empty message_payload", body: "Hi", tlvs: []bridge.TLV{tlv(0x0424, "")}, text: "Hi"},
		{name: "a header in message_payload", esm: 0x40, tlvs: []bridge.TLV{tlv(0x0424, "\x05\x00\x03\x09\x02\x01Hi")}, text: "Hi", concat: bridge.Concat{Ref: 9, Total: 2, Part: 1}},
		{name: "receipted_message_id in a plain MO", body: "Help", tlvs: []bridge.TLV{tlv(0x001E, "1618Z\x00")}, text: "Help"},
		{name: "a text like a receipt", body: "id:1 stat:DELIVRD", text: "id:1 stat:DELIVRD"},
		{name: "a person's acknowledgement", esm: 0x08, body: "OK", text: "OK"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mo(tt.body)
			m.Account, m.ESMClass, m.DataCoding, m.TLVs = tt.account, tt.esm, tt.coding, tt.tlvs
			s, err := reader().ReadMO(m)
			if err != nil {
				t.Fatal(err)
			}
			if s.Receipt != nil || s.Text != tt.text || s.Concat != tt.concat {
				t.Errorf("%q %+v, want %q %+v", s.Text, s.Concat, tt.text, tt.concat)
			}
		})
	}
}

func TestReadReceipt(t *testing.T) {
	tests := []struct {
		name   string
		esm    byte
		source string
		tlvs   []bridge.TLV
		phone  string
	}{
		{"by esm_class", 0x04, "33612345678", nil, "+33612345678"},
		{"intermediate", 0x20, "33612345678", nil, "+33612345678"},
		{"marked as an acknowledgement", 0x08, "33612345678", nil, "+33612345678"},
		{"by its parameters", 0x00, "33612345678", []bridge.TLV{tlv(0x001E, "7\x00"), tlv(0x0427, "\x02")}, "+33612345678"},
		{"from an address that is no phone", 0x04, "Acme", nil, ""},
		{"from nobody", 0x04, "", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mo("id:7 stat:DELIVRD err:000")
			m.ESMClass, m.Source.Addr, m.TLVs = tt.esm, tt.source, tt.tlvs
			s, err := reader().ReadMO(m)
			if err != nil || s.Receipt == nil {
				t.Fatalf("%+v, %v", s, err)
			}
			if d := cmp.Diff(s.Receipt.State, bridge.ReceiptDelivered); d != "" || s.Receipt.Candidates[0] != "7" || s.Phone.String() != tt.phone {
				t.Errorf("%+v of %v", s.Receipt, s.Phone)
			}
		})
	}
	m := mo("nothing")
	m.ESMClass = 0x04
	if _, err := reader().ReadMO(m); !errors.Is(err, smpp.ErrReceipt) {
		t.Errorf("a receipt without id: %v", err)
	}
}

func TestJoinMO(t *testing.T) {
	part := func(esm, coding byte, body string) bridge.MO {
		m := mo(body)
		m.ESMClass, m.DataCoding = esm, coding
		return m
	}
	tests := []struct {
		name  string
		parts []bridge.MO
		want  string
	}{
		{"a surrogate pair in two", []bridge.MO{part(0x40, 8, "\x05\x00\x03\x09\x02\x01\x00a\xd8\x3d"), part(0x40, 8, "\x05\x00\x03\x09\x02\x02\xde\x00\x00b")}, "a😀b"},
		{"an escape in two", []bridge.MO{part(0x40, 0, "\x05\x00\x03\x09\x02\x01a\x1b"), part(0x40, 0, "\x05\x00\x03\x09\x02\x02\x65b")}, "a€b"},
		{"two codings", []bridge.MO{part(0x40, 0, "\x05\x00\x03\x09\x02\x01a\x05"), part(0x40, 8, "\x05\x00\x03\x09\x02\x02\x00\xeab")}, "aéê\uFFFD"},
		{"two tables", []bridge.MO{part(0x40, 0, "\x08\x25\x01\x01\x00\x03\x09\x02\x01\x07"), part(0x40, 0, "\x05\x00\x03\x09\x02\x02\x07")}, "ıì"},
		{"one", []bridge.MO{part(0, 0, "a")}, "a"},
		{"none", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := reader().JoinMO(tt.parts); err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func FuzzReadMO(f *testing.F) {
	f.Add(byte(0x40), byte(0), []byte("\x05\x00\x03\xfe\x02\x01Hi"), []byte("Hi"))
	for _, v := range vectors(f) {
		if p, err := smpp.Decode(v.octets); err == nil && p.Short != nil {
			payload, _ := p.Short.TLV(smpp.TagMessagePayload)
			f.Add(p.Short.ESMClass, p.Short.DataCoding, p.Short.Body, payload)
		}
	}
	f.Fuzz(func(t *testing.T, esm, coding byte, body, payload []byte) {
		m := mo(string(body))
		m.ESMClass, m.DataCoding, m.TLVs = esm, coding, []bridge.TLV{{Tag: 0x0424, Value: payload}}
		s, err := reader().ReadMO(m)
		if c := s.Concat; err == nil && c.Total > 0 && (c.Part < 1 || c.Part > c.Total) {
			t.Errorf("part %d of %d", c.Part, c.Total)
		}
	})
}
