package smpp

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Errors of [Reader.ReadMO]. No later try will read the message either.
var (
	// ErrNoReply: the sender is not a phone, so that nobody can answer it.
	ErrNoReply = errors.New("smpp: the sender is not a phone number and cannot be answered")
	// ErrOurNumber: the destination is not an address that a Number can be.
	ErrOurNumber = errors.New("smpp: the destination cannot be read as a number of ours")
	// ErrBinary: the message is for a program and not for people.
	ErrBinary = errors.New("smpp: a binary message, which nobody can read")
)

// ReadConfig is what has to be known of an SMSC account to read what it sends.
type ReadConfig struct {
	// Alphabet is what data_coding 0 means; empty means gsm7.
	Alphabet Alphabet
	// Country is the calling code, in digits such as 33, of the country that the
	// account's short codes belong to; empty means the calling code of the Reader's
	// Region.
	Country string
	// ConstantIDs says that the account's message ids tell no message from another; see
	// [FieldsConfig].
	ConstantIDs bool
}

// Reader reads raw MO messages and receipts; it implements [bridge.Reader]. It keeps
// no state: it may be used concurrently as long as its fields are not changed.
type Reader struct {
	// Region is the home region, such as FR, in which national numbers are read;
	// empty reads international ones only.
	Region string
	// Accounts are the settings by account. An account that is not listed has the
	// zero ReadConfig.
	Accounts map[string]ReadConfig
}

// ReadMO reads addresses, text and place in a long message (3GPP TS 23.040,
// 9.2.3.24; SMPP 3.4, 4.6.1). In an MO the source is the phone and the destination is
// our Number. A text that is damaged is still given, with U+FFFD where nothing can be
// read. A receipt names the phone if that can be read, and is never refused for its
// addresses. The error wraps [ErrNoReply], [ErrOurNumber], [ErrReceipt] or [ErrBinary].
func (r *Reader) ReadMO(m bridge.MO) (bridge.Short, error) {
	if m.IsReceipt() {
		phone, _ := r.phone(m.Source, r.country(m.Account))
		receipt, err := r.receipt(m, phone)
		if err == nil {
			return bridge.Short{Receipt: &receipt, Phone: phone}, nil
		}
		// 0x08 is also how a handset acknowledges with a text of its own (SMPP 3.4, 5.2.12).
		if m.ESMClass&esmTypeMask != esmUserAck {
			return bridge.Short{}, err
		}
	}
	account, country := r.Accounts[m.Account], r.country(m.Account)
	phone, err := r.phone(m.Source, country)
	if err != nil {
		return bridge.Short{}, err
	}
	number, err := r.number(m.Destination, country)
	if err != nil {
		return bridge.Short{}, err
	}
	text, header := r.content(m)
	if err := checkBinary(m.DataCoding, text, header); err != nil {
		return bridge.Short{}, err
	}
	return bridge.Short{
		Phone:  phone,
		Number: number,
		Text:   decodeMO(m.DataCoding, text, account.Alphabet, header.tables),
		Concat: header.place(m.TLVs),
	}, nil
}

// ReadConcat tells a segment's place in a long message, by the user data header or
// else by the sar_ parameters; zero where the message is whole.
func ReadConcat(m bridge.MO) bridge.Concat {
	_, h := readBody(m)
	return h.place(m.TLVs)
}

// JoinMO reads the text of segments of one message, given in order. Their octets are
// joined before they are read, because phones split escapes and surrogate pairs, and
// segments that differ in how they are coded are read each by itself. It never fails.
func (r *Reader) JoinMO(parts []bridge.MO) (string, error) {
	var text strings.Builder
	for i := 0; i < len(parts); {
		first := parts[i]
		octets, h := r.content(first)
		octets = slices.Clone(octets) // appending must not write into the message
		for i++; i < len(parts) && parts[i].DataCoding == first.DataCoding; i++ {
			more, next := r.content(parts[i])
			if next.tables != h.tables {
				break
			}
			octets = append(octets, more...)
		}
		text.WriteString(decodeMO(first.DataCoding, octets, r.Accounts[first.Account].Alphabet, h.tables))
	}
	return text.String(), nil
}

// receipt reads a receipt. Where the account's ids say nothing its phone must do.
func (r *Reader) receipt(m bridge.MO, phone addressing.MSISDN) (bridge.Receipt, error) {
	if !r.Accounts[m.Account].ConstantIDs || phone.IsZero() {
		return ParseReceipt(m)
	}
	receipt := parseReceipt(m)
	receipt.Candidates, receipt.ByPhone = nil, true
	if v, ok := findTLV(m.TLVs, TagUserMessageReference); ok && len(v) == 2 {
		ref := binary.BigEndian.Uint16(v)
		receipt.Reference = &ref
	}
	return receipt, nil
}

// content is the octets of the text, with septets taken apart, and what its header says.
func (r *Reader) content(m bridge.MO) ([]byte, header) {
	body, h := readBody(m)
	return septetsOf(m.DataCoding, body, h.length, r.Accounts[m.Account].Alphabet), h
}

func decodeMO(dataCoding byte, octets []byte, def Alphabet, t nationalTables) string {
	return decodeText(dataCoding, bigEndian(dataCoding, octets), def, t)
}

const (
	esmTypeMask = 0x3C // the message type in esm_class (SMPP 3.4, 5.2.12)
	esmUserAck  = 0x08
)

// messageBody is short_message, or message_payload, of which SMPP allows one (SMPP
// 3.4, 5.3.2.32). Where both are there the longer one has the text.
func messageBody(m bridge.MO) []byte {
	if payload, ok := findTLV(m.TLVs, TagMessagePayload); ok && len(payload) > len(m.Body) {
		return payload
	}
	return m.Body
}

// readBody takes the user data header off the text. A header that does not fit was
// none: then all of it is text, since a few odd characters are better than none.
func readBody(m bridge.MO) ([]byte, header) {
	body := messageBody(m)
	if m.ESMClass&ESMUDH == 0 || len(body) == 0 {
		return body, header{}
	}
	end := 1 + int(body[0])
	if end > len(body) {
		return body, header{}
	}
	h, ok := parseHeader(body[1:end])
	if !ok {
		return body, header{}
	}
	h.length = end
	return body[end:], h
}

// bigEndian takes a byte order mark off UCS-2 text, and swaps what it says is the
// other way round.
func bigEndian(dataCoding byte, text []byte) []byte {
	if codingOf(dataCoding) != codingUTF16 || len(text) < 2 {
		return text
	}
	switch binary.BigEndian.Uint16(text) {
	case 0xFEFF:
		return text[2:]
	case 0xFFFE:
		swapped := make([]byte, len(text)-2)
		copy(swapped, text[2:])
		for i := 0; i+1 < len(swapped); i += 2 {
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		}
		return swapped
	}
	return text
}

// findTLV gives the first parameter with this tag.
func findTLV(tlvs []bridge.TLV, tag uint16) ([]byte, bool) {
	for _, t := range tlvs {
		if t.Tag == tag {
			return t.Value, true
		}
	}
	return nil, false
}
