package smpp_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/warthog618/sms/encoding/gsm7"
	"pgregory.net/rapid"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

func one(t *testing.T, text string, cfg smpp.TextConfig) smpp.Segment {
	t.Helper()
	segments, err := smpp.Split(text, smpp.SplitOptions{Ref: 0x1234, Text: cfg})
	if err != nil || len(segments) != 1 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	return segments[0]
}

func TestSplitOctets(t *testing.T) {
	national := []smpp.Language{smpp.Turkish, smpp.Spanish, smpp.Portuguese}
	long := strings.Repeat("ş", 71) // too long for one segment of UCS-2
	tests := []struct {
		name   string
		text   string
		cfg    smpp.TextConfig
		coding byte
		esm    byte
		body   string // hex of its beginning
	}{
		{"packed", "hellohello", smpp.TextConfig{Alphabet: smpp.AlphabetGSM7Packed}, 0, 0, "e8329bfd4697d9ec37"},
		{"packed, seven bits left over", "1234567", smpp.TextConfig{Alphabet: smpp.AlphabetGSM7Packed}, 0, 0, "31d98c56b3dd1a"},
		{"packed, a carriage return", "a\r", smpp.TextConfig{Alphabet: smpp.AlphabetGSM7Packed}, 8, 0, "0061000d"},
		{"Latin-1", "café @", smpp.TextConfig{Alphabet: smpp.AlphabetLatin1}, 0, 0, "636166e92040"},
		{"Latin-1 lacks the euro", "€", smpp.TextConfig{Alphabet: smpp.AlphabetLatin1}, 8, 0, "20ac"},
		{"phones lack this of Latin-1", "ê", smpp.TextConfig{Alphabet: smpp.AlphabetLatin1}, 8, 0, "00ea"},
		{"ASCII", "a@[", smpp.TextConfig{Alphabet: smpp.AlphabetASCII}, 0, 0, "61405b"},
		{"ASCII lacks accents", "é", smpp.TextConfig{Alphabet: smpp.AlphabetASCII}, 8, 0, "00e9"},
		{"UCS-2, always", "a", smpp.TextConfig{Encoding: smpp.EncodingUCS2}, 8, 0, "0061"},
		{"Turkish where it saves a segment", long, smpp.TextConfig{National: national}, 0, 0x40, "03240101" + strings.Repeat("1b73", 60)},
		{"no tables where it saves none", "ş", smpp.TextConfig{National: national}, 8, 0, "015f"},
		{"no tables unless allowed", "ş", smpp.TextConfig{}, 8, 0, "015f"},
		{"Spanish in GSM 7-bit only", "ó", smpp.TextConfig{National: national, Encoding: smpp.EncodingGSM7}, 0, 0x40, "032401021b6f"},
		{"smart", "“it’s” – ok…\u00a0", smpp.TextConfig{Smart: true}, 0, 0, hex.EncodeToString([]byte(`"it's" - ok... `))},
		{"smart leaves what cannot be saved", "“😀”", smpp.TextConfig{Smart: true}, 8, 0, "201cd83dde00201d"},
		{"transliterated", "Łódź ač œuf", smpp.TextConfig{Transliterate: true}, 0, 0, hex.EncodeToString([]byte("Lodz ac oeuf"))},
		{"transliterated, é stays", "éê", smpp.TextConfig{Transliterate: true}, 0, 0, "0565"},
		{"transliterated, not Chinese", "中ê", smpp.TextConfig{Transliterate: true}, 8, 0, "4e2d00ea"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := one(t, tt.text, tt.cfg)
			if s.DataCoding != tt.coding || s.ESMClass != tt.esm || !strings.HasPrefix(hex.EncodeToString(s.Body), tt.body) {
				t.Errorf("data_coding %#x esm_class %#x %x; want %#x %#x %s", s.DataCoding, s.ESMClass, s.Body, tt.coding, tt.esm, tt.body)
			}
		})
	}
}

func TestLongModes(t *testing.T) {
	text := strings.Repeat("x", 200)
	tests := []struct {
		long   smpp.LongMode
		esm    byte
		header string   // of the second segment
		sizes  []int    // of all bodies
		tlvs   []string // of the second segment, or the only one
	}{
		{smpp.LongUDH8, 0x40, "050003340202", []int{6 + 153, 6 + 47}, nil},
		{smpp.LongUDH16, 0x40, "06080412340202", []int{7 + 152, 7 + 48}, nil},
		{smpp.LongSAR, 0, "78", []int{152, 48}, []string{"020c:1234", "020e:02", "020f:02"}},
		{smpp.LongPayload, 0, "", []int{0}, []string{"0424:" + hex.EncodeToString([]byte(text))}},
	}
	for _, tt := range tests {
		t.Run(string(tt.long), func(t *testing.T) {
			segments, err := smpp.Split(text, smpp.SplitOptions{Ref: 0x1234, Text: smpp.TextConfig{Long: tt.long}})
			if err != nil {
				t.Fatal(err)
			}
			var sizes []int
			for _, s := range segments {
				sizes = append(sizes, len(s.Body))
			}
			last := segments[len(segments)-1]
			var tlvs []string
			for _, v := range last.TLVs {
				tlvs = append(tlvs, hex.EncodeToString([]byte{byte(v.Tag >> 8), byte(v.Tag)})+":"+hex.EncodeToString(v.Value))
			}
			if !slices.Equal(sizes, tt.sizes) || !slices.Equal(tlvs, tt.tlvs) || last.ESMClass != tt.esm || !strings.HasPrefix(hex.EncodeToString(last.Body), tt.header) {
				t.Errorf("sizes %v, TLVs %v, esm_class %#x, %x", sizes, tlvs, last.ESMClass, last.Body)
			}
		})
	}
}

func TestClustersStayWhole(t *testing.T) {
	family := "👩‍👩‍👧‍👦" // 11 units of UTF-16
	tests := []struct {
		name  string
		text  string
		sizes []int // units in each segment
	}{
		{"a family at the cut", strings.Repeat("ê", 60) + family, []int{60, 11}},
		{"a flag at the cut", strings.Repeat("ê", 65) + "🇫🇷" + "êêê", []int{65, 7}},
		{"an accent of its own at the cut", strings.Repeat("ê", 66) + "e\u0301" + "êêê", []int{66, 5}},
		{"a whole segment more is too dear", strings.Repeat("ê", 59) + family + strings.Repeat("ê", 64), []int{67, 67}},
		{"a cluster that fills segments", "e" + strings.Repeat("\u0301", 99), []int{67, 33}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			segments, err := smpp.Split(tt.text, smpp.SplitOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var sizes []int
			for _, s := range segments {
				sizes = append(sizes, (len(s.Body)-6)/2)
			}
			if !slices.Equal(sizes, tt.sizes) {
				t.Errorf("%v, want %v", sizes, tt.sizes)
			}
		})
	}
}

func TestSplitNamesWhatIsMissing(t *testing.T) {
	_, err := smpp.Split("Zażółć 👍🏽 gęślą", smpp.SplitOptions{Text: smpp.TextConfig{Encoding: smpp.EncodingGSM7}})
	if !errors.Is(err, smpp.ErrCharacters) {
		t.Fatal(err)
	}
	for _, c := range []string{`"ż"`, `"👍🏽"`, `"ę"`} {
		if !strings.Contains(err.Error(), c) {
			t.Errorf("%v does not name %s", err, c)
		}
	}
}

// Another implementation packs the same, but for our padding.
func TestPackAgainstAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("abcXYZ 019")), 1, 160, -1).Draw(t, "text")
		s, err := smpp.Split(text, smpp.SplitOptions{Text: smpp.TextConfig{Alphabet: smpp.AlphabetGSM7Packed}})
		if err != nil {
			t.Fatal(err)
		}
		want := gsm7.Pack7Bit([]byte(text), 0)
		if len(text)%8 == 7 {
			want[len(want)-1] |= 0x0D << 1
		}
		if string(s[0].Body) != string(want) {
			t.Fatalf("%x, want %x", s[0].Body, want)
		}
	})
}

func TestEstimate(t *testing.T) {
	tests := []struct {
		name string
		text string
		cfg  smpp.TextConfig
		want bridge.Estimate
	}{
		{"empty", "", smpp.TextConfig{}, bridge.Estimate{Encoding: "gsm7"}},
		{"one", "Hi", smpp.TextConfig{}, bridge.Estimate{Encoding: "gsm7", Segments: 1, Units: 2, Left: 158}},
		{"two", strings.Repeat("a", 161), smpp.TextConfig{}, bridge.Estimate{Encoding: "gsm7", Segments: 2, Units: 161, Left: 145}},
		{"emoji that cost nothing", "Hi 😀", smpp.TextConfig{}, bridge.Estimate{Encoding: "ucs2", Segments: 1, Units: 5, Left: 65}},
		{
			"emoji that cost", strings.Repeat("a", 80) + "😀ê😀",
			smpp.TextConfig{},
			bridge.Estimate{Encoding: "ucs2", Segments: 2, Units: 85, Left: 49, Costly: []string{"😀", "ê"}},
		},
		{
			"the euro costs", strings.Repeat("a", 158) + "€€",
			smpp.TextConfig{},
			bridge.Estimate{Encoding: "gsm7", Segments: 2, Units: 162, Left: 144, Costly: []string{"€"}},
		},
		{"too long anyway", strings.Repeat("a", 300) + "€", smpp.TextConfig{}, bridge.Estimate{Encoding: "gsm7", Segments: 2, Units: 302, Left: 4}},
		{
			"Turkish", strings.Repeat("ş", 75),
			smpp.TextConfig{National: []smpp.Language{smpp.Turkish}},
			bridge.Estimate{Encoding: "gsm7-turkish", Segments: 1, Units: 150, Left: 5},
		},
		{
			"payload counts what the SMSC makes of it", strings.Repeat("a", 161),
			smpp.TextConfig{Long: smpp.LongPayload},
			bridge.Estimate{Encoding: "gsm7", Segments: 2, Units: 161, Left: 145},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := smpp.Estimate(tt.text, tt.cfg)
			if err != nil || got.Encoding != tt.want.Encoding || got.Segments != tt.want.Segments || got.Units != tt.want.Units ||
				got.Left != tt.want.Left || !slices.Equal(got.Costly, tt.want.Costly) {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
