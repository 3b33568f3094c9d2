package smpp_test

import (
	"testing"
	"unicode/utf8"

	"smsbridge/smpp"
)

func TestDecodeText(t *testing.T) {
	tests := []struct {
		name   string
		coding byte
		def    smpp.Alphabet
		body   string
		want   string
	}{
		{"default is GSM 7-bit", 0x00, "", "caf\x05 \x00 \x1b\x65", "café @ €"},
		{"default is Latin-1", 0x00, smpp.AlphabetLatin1, "caf\xe9 @", "café @"},
		{"default is ASCII", 0x00, smpp.AlphabetASCII, "a@_\xe9", "a@_\uFFFD"},
		{"GSM 7-bit with an octet that is no septet", 0x00, "", "a\x80\xe9b", "a\uFFFD\uFFFDb"},
		{"escape at the end", 0x00, "", "a\x1b", "a\uFFFD"},
		{"escape twice", 0x00, "", "a\x1b\x1bb", "a b"},
		{"escape before a letter that the extension lacks", 0x00, "", "\x1ba", "a"},
		{"escape before no septet", 0x00, "", "\x1b\xe9", "\uFFFD"},
		{"ASCII", 0x01, "", "a@_$", "a@_$"},
		{"octets that are UTF-8", 0x02, "", "caf\xc3\xa9", "café"},
		{"octets that are not", 0x04, "", "caf\xe9", "café"},
		{"Latin-1", 0x03, "", "caf\xe9", "café"},
		{"JIS", 0x05, "", "\x93\xfa\x96\x7b", "日本"},
		{"Cyrillic", 0x06, "", "\xbf\xe0\xd8\xd2\xd5\xe2", "Привет"},
		{"Hebrew", 0x07, "", "\xf9\xec\xe5\xed", "שלום"},
		{"UCS-2", 0x08, "", "\x00c\x00a\x00f\x00\xe9\xd8\x3d\xde\x00", "café😀"},
		{"UCS-2 with a lone surrogate", 0x08, "", "\x00a\xd8\x3d\x00b", "a\uFFFDb"},
		{"UCS-2 with an odd octet", 0x08, "", "\x00a\x00", "a\uFFFD"},
		{"ISO-2022-JP", 0x0A, "", "\x1b$BF|K\\\x1b(B", "日本"},
		{"Korean", 0x0E, "", "\xc7\xd1", "한"},
		{"reserved", 0x0B, "", "a\x05", "aé"},
		{"flash", 0x10, "", "a\x05", "aé"},
		{"flash where the default is Latin-1", 0x10, smpp.AlphabetLatin1, "a\xe9", "aé"},
		{"8-bit with a class", 0x15, "", "a\xe9", "aé"},
		{"flash UCS-2", 0x18, "", "\x00a", "a"},
		{"automatic deletion, UCS-2", 0x48, "", "\x00a", "a"},
		{"reserved group", 0x88, "", "a\x05", "aé"},
		{"message waiting, discard", 0xC8, "", "a\x05", "aé"},
		{"message waiting, store", 0xD0, "", "a\x05", "aé"},
		{"message waiting, UCS-2", 0xE0, "", "\x00a", "a"},
		{"class 0", 0xF0, "", "a\x05", "aé"},
		{"class 1, 8-bit", 0xF5, "", "a\xe9", "aé"},
		{"nothing", 0x08, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := smpp.DecodeText(tt.coding, []byte(tt.body), tt.def); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseAlphabet(t *testing.T) {
	for in, want := range map[string]smpp.Alphabet{"": "gsm7", "GSM7": "gsm7", "latin1": "latin1", "ascii": "ascii"} {
		if got, err := smpp.ParseAlphabet(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := smpp.ParseAlphabet("utf8"); err == nil {
		t.Error("utf8 was taken")
	}
}

func FuzzDecodeText(f *testing.F) {
	f.Add(byte(0), []byte("a\x1b"))
	f.Add(byte(8), []byte{0xd8, 0x3d})
	for _, v := range vectors(f) {
		if p, err := smpp.Decode(v.octets); err == nil && p.Short != nil {
			f.Add(p.Short.DataCoding, p.Short.Body)
		}
	}
	f.Fuzz(func(t *testing.T, coding byte, body []byte) {
		for _, alphabet := range []smpp.Alphabet{smpp.AlphabetGSM7Packed, smpp.AlphabetLatin1, smpp.AlphabetASCII} {
			if got := smpp.DecodeText(coding, body, alphabet); !utf8.ValidString(got) {
				t.Errorf("% x under %#x and %s is %q", body, coding, alphabet, got)
			}
		}
		if got := smpp.DecodeText(coding, body, ""); len(body) >= 2 && got == "" && coding != 0x0A {
			t.Errorf("% x under %#x was lost", body, coding)
		}
	})
}
