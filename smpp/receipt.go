package smpp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"smsbridge/bridge"
)

// ErrReceipt tells that a message says that it is a receipt and names no message.
var ErrReceipt = errors.New("smpp: the receipt has no message id, so it belongs to no message")

// messageStates are the values of the message_state parameter (SMPP 3.4, 5.2.28, and
// 0 and 9 of SMPP 5.0, 4.7.15).
var messageStates = map[byte]bridge.ReceiptState{
	0: bridge.ReceiptEnroute, // scheduled
	1: bridge.ReceiptEnroute,
	2: bridge.ReceiptDelivered,
	3: bridge.ReceiptExpired,
	4: bridge.ReceiptFailed, // deleted
	5: bridge.ReceiptFailed, // undeliverable
	6: bridge.ReceiptEnroute,
	7: bridge.ReceiptUnknown,
	8: bridge.ReceiptFailed, // rejected
	9: bridge.ReceiptFailed, // skipped
}

// statWords are the words of stat: in a receipt's text (SMPP 3.4, Appendix B), by
// their first seven letters, and those that SMSCs made up.
var statWords = map[string]bridge.ReceiptState{
	"SCHEDUL": bridge.ReceiptEnroute,
	"ENROUTE": bridge.ReceiptEnroute,
	"ACCEPTD": bridge.ReceiptEnroute,
	"ACCEPTE": bridge.ReceiptEnroute,
	"BUFFERD": bridge.ReceiptEnroute,
	"BUFFERE": bridge.ReceiptEnroute,
	"BUFFRED": bridge.ReceiptEnroute,
	"ACKED":   bridge.ReceiptEnroute,
	"DELIVRD": bridge.ReceiptDelivered,
	"DELIVER": bridge.ReceiptDelivered,
	"EXPIRED": bridge.ReceiptExpired,
	"DELETED": bridge.ReceiptFailed,
	"UNDELIV": bridge.ReceiptFailed,
	"REJECTD": bridge.ReceiptFailed,
	"REJECTE": bridge.ReceiptFailed,
	"FAILED":  bridge.ReceiptFailed,
	"SKIPPED": bridge.ReceiptFailed,
	"UNKNOWN": bridge.ReceiptUnknown,
}

// ParseReceipt reads a receipt from its text (SMPP 3.4, Appendix B) and its optional
// parameters, whichever there are. message_state wins over stat, since a number is not
// cut off or translated; the text's err wins over network_error_code, since it is what
// the SMSC's own tables list. A time without zone is taken as UTC. A word that nobody
// knows is [bridge.ReceiptUnknown]. The error wraps [ErrReceipt].
func ParseReceipt(m bridge.MO) (bridge.Receipt, error) {
	r := parseReceipt(m)
	if len(r.Candidates) == 0 {
		return bridge.Receipt{}, fmt.Errorf("%w (esm_class 0x%02X, from the account %q)", ErrReceipt, m.ESMClass, m.Account)
	}
	return r, nil
}

func parseReceipt(m bridge.MO) bridge.Receipt {
	fields := receiptFields(receiptText(messageBody(m)))
	var tlvID string
	if v, ok := findTLV(m.TLVs, TagReceiptedMessageID); ok {
		tlvID = strings.TrimRight(string(v), "\x00")
	}
	r := bridge.Receipt{
		Candidates: CandidateIDs(firstWord(fields["id"]), tlvID),
		State:      bridge.ReceiptUnknown,
		Code:       receiptCode(firstWord(fields["err"]), m.TLVs),
		At:         receiptTime(fields["done"]),
	}
	if state, ok := statWords[statKey(fields["stat"])]; ok {
		r.State = state
	}
	if v, ok := findTLV(m.TLVs, TagMessageState); ok && len(v) == 1 {
		if state, known := messageStates[v[0]]; known {
			r.State = state
		}
	}
	return r
}

// receiptText reads the text whatever data_coding says: SMSCs write receipts in ASCII
// and label them UCS-2, or write UCS-2 and do not say so. Only ASCII is looked for in it.
func receiptText(body []byte) string {
	body = bytes.TrimPrefix(body, []byte{0xFE, 0xFF})
	wide := 0
	for i := 0; i+1 < len(body); i += 2 {
		if body[i] == 0 && body[i+1] != 0 {
			wide++
		}
	}
	if 4*wide > len(body) { // more than half of the pairs have a zero in front
		return strings.TrimRight(decodeUTF16(body), "\x00")
	}
	return strings.TrimRight(decodeLatin1(body), "\x00")
}

// receiptKey finds the names of the fields. They stand in any order, with or without
// the blank in "submit date", and with or without one after the colon.
var receiptKey = regexp.MustCompile(`(?i)(?:^|[\s;,])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:`)

// receiptFields takes the text apart. The first of two equal names counts, so that
// what a person wrote, behind text:, does not replace what the SMSC says.
func receiptFields(text string) map[string]string {
	found := receiptKey.FindAllStringSubmatchIndex(text, -1)
	fields := make(map[string]string, len(found))
	for i, at := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		name := strings.ToLower(text[at[2]:at[3]])
		name = strings.TrimRight(strings.TrimSuffix(name, "date"), " _")
		if _, twice := fields[name]; !twice {
			fields[name] = strings.TrimSpace(text[at[1]:end])
		}
	}
	return fields
}

func firstWord(s string) string {
	if words := strings.Fields(s); len(words) > 0 {
		return strings.TrimRight(words[0], ",;")
	}
	return ""
}

func statKey(s string) string {
	const significant = 7
	word := strings.ToUpper(firstWord(s))
	if len(word) > significant {
		return word[:significant]
	}
	return word
}

// receiptCode is err: as written, or where that says nothing network_error_code: its
// first octet is the network type and the rest the code (SMPP 3.4, 5.3.2.31), though
// some write the code as three digits of ASCII.
func receiptCode(fromText string, tlvs []bridge.TLV) string {
	v, ok := findTLV(tlvs, TagNetworkErrorCode)
	if !ok || len(v) != 3 || strings.Trim(fromText, "0") != "" {
		return fromText
	}
	code := fmt.Sprintf("%03d", binary.BigEndian.Uint16(v[1:]))
	if isDecimal(string(v)) {
		code = string(v)
	}
	if fromText != "" && strings.Trim(code, "0") == "" {
		return fromText
	}
	return code
}

// receiptTime reads a date of 10, 12 or 14 digits, or nothing. YYMMDDhhmmss is tried
// before YYYYMMDDhhmm: "2026..." has no month 26, so the two cannot be mistaken.
func receiptTime(s string) time.Time {
	s = firstWord(s)
	for _, layout := range []string{"0601021504", "060102150405", "200601021504", "20060102150405"} {
		if len(s) != len(layout) {
			continue
		}
		if at, err := time.Parse(layout, s); err == nil {
			return at
		}
	}
	return time.Time{}
}
