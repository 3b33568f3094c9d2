package configs

import (
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// readTexts reads how an account wants texts.
func (f *file) readTexts(s *section, alphabet Alphabet) smpp.TextConfig {
	c := smpp.TextConfig{
		Encoding:      read(s, "encoding", oneOf(smpp.EncodingAuto, smpp.EncodingGSM7, smpp.EncodingUCS2), ""),
		Long:          read(s, "long", oneOf(smpp.LongUDH8, smpp.LongUDH16, smpp.LongSAR, smpp.LongPayload), ""),
		Smart:         read(s, "smart_replacement", boolean, false),
		Transliterate: read(s, "transliterate", boolean, false),
	}
	v := s.get("national")
	items, _ := v.list()
	for _, item := range items {
		if l, ok := parseValue(item, oneOf(smpp.Turkish, smpp.Spanish, smpp.Portuguese)); ok {
			c.National = append(c.National, l)
		}
	}
	if len(c.National) > 0 && (c.Long == smpp.LongSAR || c.Long == smpp.LongPayload) {
		v.problemf("needs long: udh8 or long: udh16: the tables are named in the header of each segment")
	}
	if len(c.National) > 0 && (alphabet == AlphabetLatin1 || alphabet == AlphabetASCII) {
		v.problemf("needs default_alphabet: gsm7 or gsm7-packed: there are no national tables for %s", alphabet)
	}
	return c
}

// messageIDs is what an SMSC's message ids are worth.
type messageIDs string

const (
	idsUnique   messageIDs = "unique"
	idsConstant messageIDs = "constant"
)

// readFields reads the fields of submit_sm that an account wants otherwise.
func (f *file) readFields(s *section) smpp.FieldsConfig {
	return smpp.FieldsConfig{
		ServiceType: read(s, "service_type", octets(5), ""),
		Validity:    read(s, "validity", oneOf(smpp.ValidityAbsolute, smpp.ValidityRelative, smpp.ValidityNone), ""),
		Schedule:    read(s, "schedule", duration(time.Second, 7*day), 0),
		Priority:    byte(read(s, "priority", integer(0, 3), 0)),
		ProtocolID:  byte(read(s, "protocol_id", integer(0, 255), 0)),
		Flash:       read(s, "flash", boolean, false),
		NoReceipts:  !read(s, "receipts", boolean, true),
		ConstantIDs: read(s, "message_ids", oneOf(idsUnique, idsConstant), idsUnique) == idsConstant,
		TLVs:        f.readTLVs(s),
	}
}

// ownTags are the parameters that the bridge writes itself.
var ownTags = []uint16{
	smpp.TagUserMessageReference, smpp.TagSARRefNum, smpp.TagSARTotalSegments, smpp.TagSARSegmentSeqnum, smpp.TagMessagePayload,
}

// readTLVs reads the optional parameters, in the order of their tags as written.
func (f *file) readTLVs(s *section) []bridge.TLV {
	v := s.get("tlvs")
	if !v.given() {
		return nil
	}
	t, ok := v.section()
	if !ok {
		return nil
	}
	var all []bridge.TLV
	for _, key := range slices.Sorted(maps.Keys(t.entries)) {
		entry := t.get(key)
		tag, err := strconv.ParseUint(key, 0, 16)
		switch {
		case err != nil || tag == 0:
			entry.problemf("must be named by its tag, 0x0001 to 0xFFFF, such as 0x1400")
		case slices.Contains(ownTags, uint16(tag)):
			entry.problemf("is a parameter that the bridge writes itself: remove the line")
		}
		if octets, ok := parseValue(entry, tlvValue); ok {
			all = append(all, bridge.TLV{Tag: uint16(tag), Value: octets})
		}
	}
	return all
}

// tlvValue reads hex:0102, or text:abc, which has no NUL behind it.
func tlvValue(text string) ([]byte, error) {
	const most = 1024
	if rest, ok := strings.CutPrefix(text, "text:"); ok && len(rest) <= most {
		return []byte(rest), nil
	}
	if rest, ok := strings.CutPrefix(text, "hex:"); ok && len(rest) <= 2*most {
		if octets, err := hex.DecodeString(rest); err == nil {
			return octets, nil
		}
	}
	return nil, fmt.Errorf("must be hex: and an even number of hexadecimal digits, or text: and a text, at most %d octets, got %s", most, shown(text))
}

// sameSending notes links of one account that would send the same text differently, or
// match its receipts differently. A receiver sends nothing.
func sameSending(s *section, link, other SMSC) {
	if link.Fields.ConstantIDs != other.Fields.ConstantIDs {
		s.get("message_ids").problemf("must be the same on all links of the account %s, such as %s", link.Account, other.Name)
	}
	if link.Bind == BindReceiver || other.Bind == BindReceiver {
		return
	}
	if !reflect.DeepEqual(link.Text, other.Text) {
		s.problemf("must have the same encoding, long, national, smart_replacement and transliterate as %s, which is of the same account", other.Name)
	}
	if link.Fields.ConstantIDs == other.Fields.ConstantIDs && !reflect.DeepEqual(link.Fields, other.Fields) {
		s.problemf("must have the same service_type, validity, schedule, priority, protocol_id, flash, receipts and tlvs as %s, which is of the same account", other.Name)
	}
}
