package smpp_test

import (
	"errors"
	"strings"
	"testing"

	"smsbridge/smpp"
)

func TestReadBinary(t *testing.T) {
	tests := []struct {
		name   string
		esm    byte
		coding byte
		body   string
		says   string // empty: it is text
	}{
		{"WAP push", 0x40, 0xF5, "\x06\x05\x04\x0b\x84\x23\xf0\x25\x06\x01\xae\x02\x05\x6a\x00\x45\xc6", "port 2948 (WAP push)"},
		{"WAP push with data_coding 4", 0x40, 0x04, "\x06\x05\x04\x0b\x84\x23\xf0\x25\x06", "2 octets for the program"},
		{"a part of one", 0x40, 0x04, "\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x01\x02\x01\x25\x06", "WAP push"},
		{"a port of 8 bits", 0x40, 0x00, "\x04\x04\x02\xe2\x00BEGIN:VCARD", "port 226 (vCard)"},
		{"an unknown port", 0x40, 0x00, "\x06\x05\x04\x40\x01\x00\x00Hi", "port 16385"},
		{"octets that no text has", 0, 0x02, "\x01\x06\x00\xff", "data_coding 0x02"},
		{"message class 1, 8-bit", 0, 0xF5, "\x01\x06\x00\xff", "data_coding 0xF5"},
		{"text that says 8-bit", 0, 0x04, "caf\xc3\xa9\r\n", ""},
		{"Latin-1 that says 8-bit", 0, 0xF5, "caf\xe9", ""},
		{"flash", 0, 0x10, "Hi", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mo(tt.body)
			m.ESMClass, m.DataCoding = tt.esm, tt.coding
			_, err := reader().ReadMO(m)
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, smpp.ErrBinary) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v does not say %q", err, tt.says)
			}
		})
	}
}
