package smsc

import (
	"strings"
	"sync"
	"time"

	"smsbridge/smpp"
)

// MagicNumber shows one fault: that of a submit to a destination that ends in Suffix.
type MagicNumber struct {
	Suffix string `json:"suffix"`
	Name   string `json:"name"`
	Text   string `json:"text"`

	play play
}

// play is how a fault differs from a submit that goes well.
type play struct {
	busy      smpp.Status // refuse with it for a while
	refuse    smpp.Status // refuse with it always
	nack      bool        // refuse with generic_nack
	nameless  bool        // the generic_nack has no sequence_number
	silent    bool        // no answer, and the phone gets nothing
	mute      bool        // no answer, though the phone gets it
	late      bool
	lost      string // stat of the receipt, if the phone does not get it
	receipts  int    // how many; 1 where nothing else is said
	early     bool   // the receipt goes before the response
	hex       bool   // its id is in the other base
	stranger  bool   // a receipt of something else goes first
	elsewhere bool   // the receipt goes over another bind, if there is one
}

// Magic lists the magic numbers.
func Magic() []MagicNumber {
	return []MagicNumber{
		{"00429", "throttled", "Throttled (ESME_RTHROTTLED) for a few seconds, then accepted.", play{busy: smpp.StatusThrottled, receipts: 1}},
		{"00503", "queue full", "The queue is full (ESME_RMSGQFUL) for a few seconds, then it is accepted.", play{busy: smpp.StatusMsgQFul, receipts: 1}},
		{"00500", "system error", "System error (ESME_RSYSERR) for a few seconds, then accepted.", play{busy: smpp.StatusSysErr, receipts: 1}},
		{"00404", "refused", "Refused for good (ESME_RINVDSTADR).", play{refuse: smpp.StatusInvDstAdr}},
		{"00408", "no answer", "No answer ever, and the phone gets nothing.", play{silent: true}},
		{"00504", "late answer", "Accepted, but answered only after the usual timeout.", play{late: true, receipts: 1}},
		{"00410", "undeliverable", "Accepted; the receipt says undeliverable.", play{lost: "UNDELIV", receipts: 1}},
		{"00419", "expired", "Accepted; the receipt says expired.", play{lost: "EXPIRED", receipts: 1}},
		{"00204", "no receipt", "Accepted and delivered; no receipt ever comes.", play{}},
		{"00103", "early receipt", "Accepted and delivered; the receipt comes before the answer.", play{early: true, receipts: 1}},
		{"00208", "receipt twice", "Accepted and delivered; the receipt comes twice.", play{receipts: 2}},
		{"00303", "other base", "Accepted and delivered; the receipt has the id in hexadecimal.", play{hex: true, receipts: 1}},
	}
}

// maxBusy bounds how many magic numbers are remembered as busy.
const maxBusy = 1000

// magic finds what to play, and remembers which numbers are busy until when.
type magic struct {
	list []MagicNumber
	last time.Duration // how long a busy number stays so

	mu    sync.Mutex
	until map[string]time.Time
}

func newMagic(busyFor time.Duration) *magic {
	return &magic{list: Magic(), last: busyFor, until: make(map[string]time.Time)}
}

func (f *magic) of(digits string) play {
	for _, m := range f.list {
		if strings.HasSuffix(digits, m.Suffix) {
			return m.play
		}
	}
	return play{receipts: 1}
}

// anewAfter is how long after its busy time a number is taken for new. It is longer than any client
// pauses that was refused, however short the busy time is.
const anewAfter = time.Minute

// busy tells whether the number refuses now. Its busy time begins with the first submit, and
// with the first one after anewAfter.
func (f *magic) busy(digits string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	until, known := f.until[digits]
	if !known || now.Sub(until) > anewAfter {
		if len(f.until) >= maxBusy {
			clear(f.until)
		}
		until = now.Add(f.last)
		f.until[digits] = until
	}
	return now.Before(until)
}
