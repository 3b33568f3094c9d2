package smpp_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// textConfigs are all ways in which an account may want texts, unchanged.
func textConfigs() []smpp.TextConfig {
	var all []smpp.TextConfig
	for _, alphabet := range []smpp.Alphabet{smpp.AlphabetGSM7, smpp.AlphabetGSM7Packed, smpp.AlphabetLatin1, smpp.AlphabetASCII} {
		for _, encoding := range []smpp.Encoding{smpp.EncodingAuto, smpp.EncodingGSM7, smpp.EncodingUCS2} {
			for _, long := range []smpp.LongMode{smpp.LongUDH8, smpp.LongUDH16, smpp.LongSAR, smpp.LongPayload} {
				for _, national := range [][]smpp.Language{nil, {smpp.Turkish, smpp.Spanish, smpp.Portuguese}} {
					all = append(all, smpp.TextConfig{Alphabet: alphabet, Encoding: encoding, Long: long, National: national})
				}
			}
		}
	}
	return all
}

// received makes MO of segments, as if we had sent them to ourselves.
func received(t interface{ Fatal(...any) }, segments []smpp.Segment) []bridge.MO {
	parts := make([]bridge.MO, len(segments))
	for i, s := range segments {
		frame, err := smpp.Encode(&smpp.PDU{Command: smpp.DeliverSM, Short: &smpp.Short{
			Source: mo("").Source, Destination: mo("").Destination,
			ESMClass: s.ESMClass, DataCoding: s.DataCoding, Body: s.Body, TLVs: s.TLVs,
		}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := smpp.Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		parts[i] = mo(string(p.Short.Body))
		parts[i].ESMClass, parts[i].DataCoding, parts[i].TLVs = p.Short.ESMClass, p.Short.DataCoding, p.Short.TLVs
	}
	return parts
}

// Any text that is split, encoded, decoded and joined is the same text, however the
// account wants it; or the error says why not.
func TestTextRoundTrip(t *testing.T) {
	letters := func(s string, most int) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.SampledFrom([]rune(s)), 0, most, -1)
	}
	texts := rapid.OneOf(
		rapid.String(),
		rapid.StringOfN(rapid.Rune(), 0, 300, -1),
		letters("@£aZ \n\r_€[]{}~^|\\éÉß", 700),
		letters("aşğıİçÇ€@ \n", 500),
		letters("áíóúñç^€ aB", 500),
		letters("ãõâêôÀªº∞ÇaB", 500),
		letters("ê😀a👩🏽‍\u200d🚀e\u0301🇫🇷\ufeff", 300),
	)
	for _, cfg := range textConfigs() {
		name := fmt.Sprintf("%s %s %s %d", cfg.Alphabet, cfg.Encoding, cfg.Long, len(cfg.National))
		t.Run(name, func(t *testing.T) {
			reader := &smpp.Reader{Region: "FR", Accounts: map[string]smpp.ReadConfig{"": {Alphabet: cfg.Alphabet}}}
			rapid.Check(t, func(t *rapid.T) {
				in := texts.Draw(t, "text")
				segments, err := smpp.Split(in, smpp.SplitOptions{Ref: rapid.Uint16().Draw(t, "ref"), Text: cfg})
				switch {
				case !utf8.ValidString(in):
					if !errors.Is(err, smpp.ErrText) {
						t.Fatalf("not UTF-8: %v", err)
					}
					return
				case cfg.Encoding == smpp.EncodingGSM7 && errors.Is(err, smpp.ErrCharacters):
					return
				case err != nil:
					t.Fatal(err)
				}
				e, err := smpp.Estimate(in, cfg)
				if err != nil || cfg.Long != smpp.LongPayload && e.Segments != len(segments) || len(segments) > e.Segments {
					t.Fatalf("%d segments, estimate %+v, %v", len(segments), e, err)
				}
				parts := received(t, segments)
				for i, p := range parts {
					s, err := reader.ReadMO(p)
					if err != nil {
						t.Fatal(err)
					}
					if c := s.Concat; len(parts) > 1 && (c.Part != i+1 || c.Total != len(parts)) {
						t.Fatalf("segment %d of %d says %+v", i+1, len(parts), c)
					}
				}
				if out, err := reader.JoinMO(parts); err != nil || out != in {
					t.Fatalf("%q became %q, %v", in, out, err)
				}
			})
		})
	}
}

// What does not fit the limits of a phone is never written.
func TestSegmentsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := rapid.SampledFrom(textConfigs()).Draw(t, "config")
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aé€ş^ñ😀e\u0301")), 1, 600, -1).Draw(t, "text")
		segments, err := smpp.Split(text, smpp.SplitOptions{Text: cfg})
		if err != nil {
			return
		}
		for _, s := range segments {
			header := 0
			if s.ESMClass&smpp.ESMUDH != 0 {
				header = 1 + int(s.Body[0])
			}
			most := 140 // octets, header included
			if s.DataCoding == smpp.CodingDefault && cfg.Alphabet != smpp.AlphabetGSM7Packed {
				most = header + (140-header)*8/7
			}
			if len(s.Body) > most {
				t.Fatalf("%d octets, at most %d fit: %+v", len(s.Body), most, cfg)
			}
			if payload := slices.IndexFunc(s.TLVs, func(t bridge.TLV) bool { return t.Tag == smpp.TagMessagePayload }); payload < 0 && len(s.Body) == 0 {
				t.Fatal("an empty segment")
			}
		}
	})
}
