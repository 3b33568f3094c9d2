package smsc_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// matrixPatience bounds the wait for what must come: a message that is refused for now
// waits five seconds by the bridge's schedule.
const matrixPatience = 30 * time.Second

// matrixRow is a fault, and what it may do to messages.
type matrixRow struct {
	fault  string
	params smsc.Params
	waits  waits // of the daemon; none means patient
	binds  int   // links of the account; 0 means 1
	tls    bool  // the SMSC speaks TLS
	resend bool  // the operator has what is unknown sent again
	// kick breaks the link by another fault, so that this one, which is about connecting
	// or unbinding, strikes.
	kick string
	// ends are the states that a message may end in, besides delivered.
	ends []bridge.State
	// back is how soon after the fault a text must reach its phone again.
	back time.Duration
}

// Words for the table.
var (
	unknown = []bridge.State{bridge.Unknown}
)

// soon is when a broken link is back at work: it is noticed, the link backs off, binds,
// and the next text goes. It takes a quarter of that on an idle machine.
const soon = 5 * time.Second

// soonResent is where what was not answered is sent again: the first text to the link that
// is back may itself have to wait for the first step of the retry schedule, 5 s.
const soonResent = soon + 5*time.Second

var matrix = map[string]matrixRow{
	"black hole":                          {fault: "black-hole", params: smsc.Params{Count: 2}, kick: "reset", waits: impatient, ends: unknown, back: soon},
	"TLS with a wrong name":               {fault: "tls-wrong-name", params: smsc.Params{Count: 2}, tls: true, kick: "reset", ends: unknown, back: soon},
	"no answer to bind":                   {fault: "bind-silent", params: smsc.Params{Count: 2}, kick: "reset", waits: impatient, ends: unknown, back: soon},
	"bind refused":                        {fault: "bind-refused", params: smsc.Params{Count: 3}, kick: "reset", ends: unknown, back: soon},
	"already bound":                       {fault: "already-bound", params: smsc.Params{Count: 3}, kick: "reset", ends: unknown, back: soon},
	"wrong password":                      {fault: "wrong-password", params: smsc.Params{Count: 3}, kick: "reset", ends: unknown, back: soon},
	"deliver_sm before the bind response": {fault: "deliver-before-bind", params: smsc.Params{Count: 1}, kick: "reset", ends: unknown, back: soon},

	"no answer to submit":           {fault: "no-answer", params: smsc.Params{Count: 3}, waits: impatient, ends: unknown, back: soon},
	"no answer to submit, resend":   {fault: "no-answer", params: smsc.Params{Count: 2}, waits: impatient, resend: true, back: soonResent},
	"answer to submit lost":         {fault: "answer-lost", params: smsc.Params{Count: 3}, waits: impatient, ends: unknown, back: soon},
	"answer to submit lost, resend": {fault: "answer-lost", params: smsc.Params{Count: 2}, waits: impatient, resend: true, back: soonResent},
	"late answer":                   {fault: "late-answer", params: smsc.Params{Count: 3}, waits: impatient, ends: unknown, back: soon},
	"late answer, resend":           {fault: "late-answer", params: smsc.Params{Count: 2}, waits: impatient, resend: true, back: soonResent},
	"answers out of order":          {fault: "out-of-order", params: smsc.Params{Count: 9}, back: soon},
	"nack":                          {fault: "nack", params: smsc.Params{Count: 3}, back: soon},
	"nack without sequence":         {fault: "nack-nameless", params: smsc.Params{Count: 3}, waits: impatient, ends: unknown, back: soon},
	"throttled for a while":         {fault: "throttled", params: smsc.Params{For: time.Second}, back: soon},
	"queue full for a while":        {fault: "queue-full", params: smsc.Params{For: time.Second}, back: soon},
	"system error":                  {fault: "system-error", params: smsc.Params{Count: 3}, back: soon},
	"not bound, says the SMSC":      {fault: "not-bound", params: smsc.Params{Count: 1}, back: soon},

	"unbind":              {fault: "unbind", params: smsc.Params{Count: 2}, ends: unknown, back: soon},
	"unbind, no wait":     {fault: "unbind-abrupt", params: smsc.Params{Count: 2}, ends: unknown, back: soon},
	"unbind not answered": {fault: "unbind-silent", params: smsc.Params{Count: 1}, kick: "not-bound", back: soon},
	"length short":        {fault: "length-short", params: smsc.Params{Count: 2}, ends: unknown, back: soon},
	"length long":         {fault: "length-long", params: smsc.Params{Count: 2}, waits: impatient, ends: unknown, back: soon},
	"length huge":         {fault: "length-huge", params: smsc.Params{Count: 2}, ends: unknown, back: soon},
	"cut off":             {fault: "cut-off", params: smsc.Params{Count: 2}, ends: unknown, back: soon},
	"unknown command":     {fault: "unknown-command", params: smsc.Params{Count: 20}, back: soon},
	"stops reading":       {fault: "stops-reading", params: smsc.Params{Count: 1}, waits: impatient, ends: unknown, back: soon},
	"half-open":           {fault: "half-open", params: smsc.Params{Count: 1}, waits: impatient, ends: unknown, back: soon},
	"reset":               {fault: "reset", params: smsc.Params{Count: 3}, ends: unknown, back: soon},
	"reset, resend":       {fault: "reset", params: smsc.Params{Count: 2}, resend: true, back: soonResent},
	"reset, two binds":    {fault: "reset", params: smsc.Params{Count: 3}, binds: 2, ends: unknown, back: soon},
	"one octet at a time": {fault: "trickle", params: smsc.Params{Count: 30}, back: soon},

	"deliver_sm twice":           {fault: "deliver-twice", params: smsc.Params{Count: 20}, back: soon},
	"deliver_sm of our sequence": {fault: "deliver-same-sequence", params: smsc.Params{Count: 20}, back: soon},
	"receipt first":              {fault: "receipt-early", params: smsc.Params{Count: 8}, back: soon},
	"receipt twice":              {fault: "receipt-twice", params: smsc.Params{Count: 8}, back: soon},
	"receipt elsewhere":          {fault: "receipt-elsewhere", params: smsc.Params{Count: 8}, binds: 2, back: soon},
	"receipt of a stranger":      {fault: "receipt-stranger", params: smsc.Params{Count: 8}, back: soon},
	"receipt in another base":    {fault: "receipt-base", params: smsc.Params{Count: 8}, back: soon},
}

// What is under way while a fault strikes: this many conversations with so many texts
// each way.
const (
	conversations = 4
	textsMT       = 5
	textsMO       = 3
)

const rowsAtOnce = 4

// Each fault of the matrix strikes a bridge that is at work both ways. None of what was
// accepted may be lost, or come twice where its outcome is known, or out of its order,
// and the link must be back at work soon.
func TestMatrix(t *testing.T) {
	// More than there are processors: they mostly wait.
	var running sync.WaitGroup
	defer running.Wait()
	turns := make(chan struct{}, rowsAtOnce)
	for name, row := range matrix {
		turns <- struct{}{}
		running.Go(func() {
			defer func() { <-turns }()
			t.Run(name, row.play)
		})
	}
}

// Every fault has a row, but for lost receipts: such messages end only after their validity
// (TestReceiptLost here, and the hub's tests of what is overdue).
func TestMatrixIsComplete(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	for _, f := range s.Faults() {
		tested := f.Name == "receipt-lost"
		for _, row := range matrix {
			tested = tested || row.fault == f.Name
		}
		if !tested {
			t.Errorf("%s has no row", f.Name)
		}
	}
}

func (row matrixRow) play(t *testing.T) {
	cfg := smsc.Config{
		ReceiptDelay: 10 * time.Millisecond, RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond, LateAfter: 2 * impatient.response,
		Session: smpp.SessionConfig{ResponseTimeout: patient.response, EnquireInterval: 2 * impatient.enquire},
	}
	if row.tls {
		cfg.TLSNames = []string{"127.0.0.1"}
	}
	s, _ := start(t, cfg)
	d := startDaemon(t, s, row)
	d.bound()
	sent := row.traffic(d, s)
	row.over(t, s)
	row.backAtWork(d)
	sent.settle(d)
	sent.check(t, row, d, web(t, s))
}

// over waits until the fault has struck as often, or for as long, as it was to.
func (row matrixRow) over(t *testing.T, s *smsc.Server) {
	t.Helper()
	eventually(t, "the fault is over", func() bool {
		all := s.Faults()
		f := all[slices.IndexFunc(all, func(f smsc.Fault) bool { return f.Name == row.fault })]
		return !f.On && f.Struck > 0
	})
}

// backAtWork sends texts until one arrives. One that was written to a connection which is
// dead already does not.
func (row matrixRow) backAtWork(d *daemon) {
	d.t.Helper()
	began := time.Now()
	for n := 0; ; n++ {
		id := fmt.Sprint("probe ", n)
		d.accept(conversationOf(90+n), id, id)
		d.await(d.t, id, func() bool { return len(d.finals[id]) > 0 })
		if slices.Contains(d.endOf(id), bridge.Delivered) {
			break
		}
	}
	took := time.Since(began)
	d.t.Logf("back at work after %s, of %s", took.Round(time.Millisecond), row.back)
	if took > row.back {
		d.t.Errorf("back at work only after %s; want %s", took, row.back)
	}
	d.bound()
}

// sent is the traffic of a row.
type sentTexts struct {
	mt map[conversation][]string // a text is its own network id
	mo map[conversation][]string
}

// traffic sends one text in each conversation, switches the fault on, and sends the rest.
func (row matrixRow) traffic(d *daemon, s *smsc.Server) sentTexts {
	d.t.Helper()
	sent := sentTexts{mt: make(map[conversation][]string), mo: make(map[conversation][]string)}
	mt := func(n, i int) string {
		text := fmt.Sprintf("text %d of %d", i, n)
		if i == 2 {
			text += strings.Repeat(" and it is a long one", 20)
		}
		c := conversationOf(n)
		sent.mt[c] = append(sent.mt[c], text)
		return d.accept(c, text, text).String()
	}
	for n := range conversations {
		mt(n, 0)
	}
	must(d.t, s.SwitchOn(row.fault, row.params))
	if row.kick != "" {
		must(d.t, s.SwitchOn(row.kick, smsc.Params{Count: 1, After: 1}))
	}
	for i := 1; i < textsMT; i++ {
		for n := range conversations {
			number := mt(n, i)
			if i > textsMO {
				continue
			}
			c := conversationOf(n)
			text := fmt.Sprintf("answer %d of %d", i, n)
			sent.mo[c] = append(sent.mo[c], text)
			_, err := s.Send(c.phone, number, text)
			must(d.t, err)
		}
	}
	return sent
}

// settle waits until all texts have come to their end.
func (sent sentTexts) settle(d *daemon) {
	d.t.Helper()
	d.await(d.t, "the end of all messages", func() bool {
		for c, texts := range sent.mt {
			for _, text := range texts {
				if len(d.finals[text]) == 0 {
					return false
				}
			}
			if len(d.texts[c.handle]) < len(sent.mo[c]) {
				return false
			}
		}
		return true
	})
}

// check compares what was sent with what arrived.
func (sent sentTexts) check(t *testing.T, row matrixRow, d *daemon, base string) {
	t.Helper()
	d.stop() // nothing comes any more
	for c, texts := range sent.mt {
		if got := d.texts[c.handle]; !slices.Equal(got, sent.mo[c]) {
			t.Errorf("%s got %q, the phone sent %q", c.handle, got, sent.mo[c])
		}
		var shown []string
		for _, m := range getJSON[[]smsc.Message](t, base+"phones/"+c.phone.String()+"/messages") {
			if m.Direction == smsc.Received {
				shown = append(shown, m.Text)
			}
		}
		row.checkPhone(t, d, texts, shown)
	}
}

// checkPhone looks at one phone: which of the texts it shows, how often, and in which order.
func (row matrixRow) checkPhone(t *testing.T, d *daemon, texts, shown []string) {
	t.Helper()
	last := -1
	count := make(map[string]int)
	for _, text := range shown {
		count[text]++
		at := slices.Index(texts, text)
		if count[text] == 1 && at < last {
			t.Errorf("the phone shows %q too late: %q", text, shown)
		}
		last = max(last, at)
	}
	for _, text := range texts {
		finals := d.finals[text]
		if len(finals) != 1 || finals[0] != bridge.Delivered && !slices.Contains(row.ends, finals[0]) {
			t.Errorf("%.20q ended as %v (%s)", text, finals, d.details[text])
			continue
		}
		least, most := 1, 1
		switch {
		case finals[0] == bridge.Failed:
			least, most = 0, 0
		case finals[0] == bridge.Unknown:
			least = 0
		case row.resend:
			most = 2
		}
		if n := count[text]; n < least || n > most {
			t.Errorf("%.20q ended as %s, and the phone shows it %d times", text, finals[0], n)
		}
	}
}
