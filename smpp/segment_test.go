package smpp_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"smsbridge/smpp"
)

func TestSplitSizes(t *testing.T) {
	tests := []struct {
		name   string
		text   string
		coding byte
		sizes  []int // octets of text in each segment
	}{
		{"empty", "", 0, nil},
		{"one", "a", 0, []int{1}},
		{"full GSM", strings.Repeat("a", 160), 0, []int{160}},
		{"one more", strings.Repeat("a", 161), 0, []int{153, 8}},
		{"two full", strings.Repeat("a", 306), 0, []int{153, 153}},
		{"two full and one", strings.Repeat("a", 307), 0, []int{153, 153, 1}},
		{"extension counts twice", strings.Repeat("€", 80), 0, []int{160}},
		{"extension over the edge", strings.Repeat("€", 81), 0, []int{152, 10}},
		{"escape at the cut", strings.Repeat("a", 152) + "€" + strings.Repeat("a", 10), 0, []int{152, 12}},
		{"accents of GSM", strings.Repeat("é", 160), 0, []int{160}},
		{"full UCS-2", strings.Repeat("ê", 70), 8, []int{140}},
		{"one more UCS-2", strings.Repeat("ê", 71), 8, []int{134, 8}},
		{"emoji fill it", strings.Repeat("😀", 35), 8, []int{140}},
		{"surrogate at the cut", strings.Repeat("ê", 66) + "😀" + strings.Repeat("ê", 5), 8, []int{132, 14}},
		{"small c with cedilla is not GSM", "ç", 8, []int{2}},
		{"escape as a character", "a\x1bb", 8, []int{6}},
		{"NUL is not the at sign", "\x00", 8, []int{2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			segments, err := smpp.Split(tt.text, smpp.SplitOptions{Ref: 7})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := smpp.Count(tt.text, smpp.TextConfig{}); err != nil || n != len(tt.sizes) {
				t.Errorf("Count = %d, %v; want %d", n, err, len(tt.sizes))
			}
			if len(segments) != len(tt.sizes) {
				t.Fatalf("%d segments, want %d", len(segments), len(tt.sizes))
			}
			for i, s := range segments {
				body := s.Body
				if len(segments) > 1 {
					header := []byte{5, 0, 3, 7, byte(len(segments)), byte(i + 1)}
					if s.ESMClass != smpp.ESMUDH || !bytes.HasPrefix(body, header) {
						t.Errorf("segment %d: esm_class %#x, body % x", i, s.ESMClass, body[:6])
					}
					body = body[len(header):]
				} else if s.ESMClass != 0 {
					t.Errorf("esm_class %#x of a single segment", s.ESMClass)
				}
				if s.DataCoding != tt.coding || len(body) != tt.sizes[i] {
					t.Errorf("segment %d: coding %d, %d octets; want %d, %d", i, s.DataCoding, len(body), tt.coding, tt.sizes[i])
				}
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	tests := []struct {
		name string
		text string
		max  int
		err  error
		says string
	}{
		{"not UTF-8", "caf\xe9", 0, smpp.ErrText, "not valid Unicode"},
		{"a surrogate in UTF-8", "\xed\xa0\x80", 0, smpp.ErrText, "not valid Unicode"},
		{"over the limit", strings.Repeat("a", 307), 2, smpp.ErrTooLong, "needs 3 SMS and at most 2"},
		{"over the protocol's limit", strings.Repeat("a", 153*256), 1000, smpp.ErrTooLong, "needs 256 SMS and at most 255"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := smpp.Split(tt.text, smpp.SplitOptions{Max: tt.max})
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v; want one that says %q", err, tt.says)
			}
		})
	}
	if _, err := smpp.Split(strings.Repeat("a", 153*255), smpp.SplitOptions{}); err != nil {
		t.Errorf("255 segments: %v", err)
	}
}

func TestRefOf(t *testing.T) {
	first, again := smpp.RefOf("a"), smpp.RefOf("a")
	if first != again || first == smpp.RefOf("b") {
		t.Error("the reference is not a function of the id")
	}
}
