package smsc

import (
	"fmt"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// receipt is a delivery receipt on its way; it is kept in the state file too.
type receipt struct {
	Account   string            `json:"account"`
	ID        uint64            `json:"id"`  // as submit_sm_resp said it, in decimal
	Hex       bool              `json:"hex"` // say it in hexadecimal
	Phone     addressing.MSISDN `json:"phone"`
	Sender    bridge.Address    `json:"sender"` // of the message: the receipt goes to it
	Stat      string            `json:"stat"`
	Text      string            `json:"text"`
	Submitted time.Time         `json:"submitted"`
	Due       time.Time         `json:"due"`
}

// The words for stat and their message_state (SMPP 3.4, Appendix B and 5.2.28).
const (
	statDelivered     = "DELIVRD"
	statUndeliverable = "UNDELIV"
	statExpired       = "EXPIRED"
)

var messageStates = map[string]byte{statDelivered: 2, statExpired: 3, statUndeliverable: 5}

// absentSubscriber is the error code of what was lost, on a GSM network (SMPP 3.4,
// 5.3.2.31: network type 3).
const absentSubscriber = 27

// receiptTextLen is how much of the text a receipt quotes.
const receiptTextLen = 20

// item makes the deliver_sm, as SMPP 3.4, Appendix B, and 4.6.1 with its note on
// receipts describe it.
func (r receipt) item() *item {
	id := fmt.Sprint(r.ID)
	if r.Hex {
		id = fmt.Sprintf("%X", r.ID)
	}
	delivered, code := 1, 0
	if r.Stat != statDelivered {
		delivered, code = 0, absentSubscriber
	}
	const date = "0601021504"
	text := fmt.Sprintf("id:%s sub:001 dlvrd:%03d submit date:%s done date:%s stat:%s err:%03d text:%s",
		id, delivered, r.Submitted.UTC().Format(date), r.Due.UTC().Format(date), r.Stat, code, r.Text)
	return &item{
		due: r.Due, account: r.Account, receipt: &r,
		short: smpp.Short{
			Source:      bridge.Address{TON: 1, NPI: 1, Addr: r.Phone.Digits()},
			Destination: r.Sender,
			ESMClass:    0x04,
			Body:        []byte(text),
			TLVs: []bridge.TLV{
				{Tag: smpp.TagReceiptedMessageID, Value: append([]byte(id), 0)},
				{Tag: smpp.TagMessageState, Value: []byte{messageStates[r.Stat]}},
				{Tag: smpp.TagNetworkErrorCode, Value: []byte{3, 0, byte(code)}},
			},
		},
	}
}

// quote is the beginning of a text, in ASCII.
func quote(text string) string {
	var b strings.Builder
	for _, r := range text {
		if b.Len() == receiptTextLen {
			break
		}
		if r < ' ' || r > '~' {
			r = '.'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wantsReceipt reads registered_delivery (SMPP 3.4, 5.2.17): 1 asks for a receipt in
// any case, 2 only for one that says that it failed.
func wantsReceipt(registered byte, stat string) bool {
	switch registered & 0x03 {
	case 1:
		return true
	case 2:
		return stat != statDelivered
	default:
		return false
	}
}

// receiptLane keeps the receipts of a phone in order.
func receiptLane(phone addressing.MSISDN) string { return "receipts " + phone.Digits() }
