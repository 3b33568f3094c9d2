package smpp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

var phone = addressing.MustParseMSISDN("+33612345678")

func submission(id, text string) bridge.Submission {
	return bridge.Submission{ID: id, Number: addressing.MustParseNumber("+33700000001"), Phone: phone, Text: text}
}

func newLinks(t *testing.T, links ...*smpp.Link) *smpp.Links {
	t.Helper()
	ls, err := smpp.NewLinks(smpp.LinksConfig{Links: links, MaxSegments: 10})
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// onePeer is Links over one bound link, with the SMSC's end of it.
func onePeer(t *testing.T, change func(*smpp.LinkConfig)) (*smpp.Links, *peer) {
	t.Helper()
	l := listen(t)
	cfg := quick(l.Addr().String())
	cfg.Account = "account"
	cfg.DrainTimeout = time.Millisecond
	if change != nil {
		change(&cfg)
	}
	ls := newLinks(t, newLink(t, cfg))
	start(t, ls)
	return ls, bindPeer(t, l)
}

func submit(ctx context.Context, ls *smpp.Links, s bridge.Submission) <-chan bridge.Result {
	done := make(chan bridge.Result, 1)
	go func() { done <- ls.Submit(ctx, s) }()
	return done
}

func TestSubmitFields(t *testing.T) {
	ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.Fields.ServiceType = "CMT" })
	paris := time.FixedZone("Paris", 3600)
	tests := []struct {
		number  string
		source  bridge.Address
		expires time.Time
		period  string
	}{
		{"+33700000001", bridge.Address{TON: 1, NPI: 1, Addr: "33700000001"}, time.Date(2026, 11, 22, 18, 5, 9, 700_000_000, paris), "261122170509700+"},
		{"36180;phone-context=+33", bridge.Address{TON: 3, NPI: 0, Addr: "36180"}, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), "270101000000000+"},
		{"Acme", bridge.Address{TON: 5, NPI: 0, Addr: "Acme"}, time.Time{}, ""},
		{"", bridge.Address{}, time.Time{}, ""},
	}
	for _, test := range tests {
		t.Run(test.number, func(t *testing.T) {
			s := submission("m", "Bonjour")
			s.Number = addressing.Number{}
			if test.number != "" {
				s.Number = addressing.MustParseNumber(test.number)
			}
			s.ExpiresAt = test.expires
			attempts := 0
			s.Attempt = func(_ context.Context, link, account string) error {
				if attempts++; link != "one" || account != "account" {
					t.Errorf("attempt over %s of %s", link, account)
				}
				return nil
			}
			done := submit(testContext(t), ls, s)
			asked := p.expect(smpp.SubmitSM)
			want := &smpp.Short{
				ServiceType: "CMT", Source: test.source, Destination: bridge.Address{TON: 1, NPI: 1, Addr: "33612345678"},
				Validity: test.period, RegisteredDelivery: 1, Body: []byte("Bonjour"),
			}
			if diff := cmp.Diff(want, asked.Short); diff != "" {
				t.Error(diff)
			}
			p.send(answerWithID(asked, "3b5c"))
			got := receive(t, done, "the result")
			result := bridge.Result{
				Link: "one", Account: "account", Total: 1, SMSCIDs: []string{"3b5c"}, Outcome: bridge.OutcomeSent, Encoding: "gsm7", Count: 1, Route: "all",
			}
			if diff := cmp.Diff(result, got); diff != "" {
				t.Error(diff)
			}
			if attempts != 1 {
				t.Errorf("%d attempts", attempts)
			}
		})
	}
	if st := ls.Stats()[0]; st.Submits[bridge.OutcomeSent] != uint64(len(tests)) || st.Segments != uint64(len(tests)) {
		t.Errorf("counted %+v", st)
	}
}

// Flash says class 0 in data_coding where that tells the alphabet as well, and in
// dest_addr_subunit where data_coding 0 is Latin-1 or ASCII, which no class goes with.
func TestSubmitFlash(t *testing.T) {
	display := bridge.TLV{Tag: 0x0005, Value: []byte{1}}
	own := bridge.TLV{Tag: 0x0005, Value: []byte{2}}
	tests := []struct {
		name, text string
		alphabet   smpp.Alphabet
		given      []bridge.TLV
		coding     byte
		tlvs       []bridge.TLV
	}{
		{"GSM 7-bit", "caf\u00e9", smpp.AlphabetGSM7, nil, 0x10, nil},
		{"GSM 7-bit by default", "cafe", "", nil, 0x10, nil},
		{"packed", "cafe", smpp.AlphabetGSM7Packed, nil, 0x10, nil},
		{"UCS-2", "\u0436", smpp.AlphabetGSM7, nil, 0x18, nil},
		{"Latin-1", "caf\u00e9", smpp.AlphabetLatin1, nil, 0x00, []bridge.TLV{display}},
		{"ASCII", "cafe", smpp.AlphabetASCII, nil, 0x00, []bridge.TLV{display}},
		{"UCS-2 beside Latin-1", "\u0436", smpp.AlphabetLatin1, nil, 0x18, nil},
		{"a subunit by setting", "cafe", smpp.AlphabetLatin1, []bridge.TLV{own}, 0x00, []bridge.TLV{own}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ls, p := onePeer(t, func(c *smpp.LinkConfig) {
				c.Text.Alphabet, c.Fields = tt.alphabet, smpp.FieldsConfig{Flash: true, TLVs: tt.given}
			})
			done := submit(testContext(t), ls, submission("m", tt.text))
			asked := p.expect(smpp.SubmitSM)
			if asked.Short.DataCoding != tt.coding {
				t.Errorf("data_coding 0x%02X, want 0x%02X", asked.Short.DataCoding, tt.coding)
			}
			if diff := cmp.Diff(tt.tlvs, asked.Short.TLVs); diff != "" {
				t.Error(diff)
			}
			p.send(answerWithID(asked, "id"))
			receive(t, done, "the result")
		})
	}
}

// An account may have the SMSC deliver later.
func TestSubmitSchedule(t *testing.T) {
	ls, p := onePeer(t, func(c *smpp.LinkConfig) {
		c.Fields = smpp.FieldsConfig{Schedule: time.Hour, Validity: smpp.ValidityRelative}
	})
	sub := submission("m", "later")
	sub.ExpiresAt = time.Now().Add(48 * time.Hour)
	done := submit(testContext(t), ls, sub)
	asked := p.expect(smpp.SubmitSM)
	if got := asked.Short.Schedule; got != "000000010000000R" {
		t.Errorf("schedule_delivery_time %q", got)
	}
	p.send(answerWithID(asked, "id"))
	receive(t, done, "the result")
}

// Segments go in order, one after the other, and none after one that was refused; a
// later submit takes up where it ended, without a second begin.
func TestSubmitSegments(t *testing.T) {
	ls, p := onePeer(t, nil)
	long := submission("long", strings.Repeat("0123456789", 40)) // three segments
	attempts := 0
	long.Attempt = func(context.Context, string, string) error { attempts++; return nil }
	var told []string
	long.Answered = func(a bridge.Answer) {
		told = append(told, fmt.Sprintf("%d of %d: %t %s%s over %s", a.Segment, a.Segments, a.Taken, a.SMSCID, a.Status, a.Account))
		if a.From.IsZero() || a.To.Before(a.From) {
			t.Errorf("%+v", a)
		}
	}
	done := submit(testContext(t), ls, long)
	first := p.expect(smpp.SubmitSM)
	p.barrier() // the second does not come before the answer
	p.send(answerWithID(first, "a"))
	p.send(p.expect(smpp.SubmitSM).Answer(smpp.StatusSysErr))
	got := receive(t, done, "the result")
	if got.Outcome != bridge.OutcomeTemporary || got.Total != 3 || fmt.Sprint(got.SMSCIDs) != "[a]" || got.Status != 8 || got.StatusName != "ESME_RSYSERR" ||
		got.Detail != "the operator has a technical problem (ESME_RSYSERR, 0x08)" {
		t.Errorf("got %+v", got)
	}
	p.barrier() // no third segment
	long.Done, long.Link, long.Account = got.SMSCIDs, got.Link, got.Account
	done = submit(testContext(t), ls, long)
	for i := byte(2); i <= 3; i++ {
		asked := p.expect(smpp.SubmitSM)
		if asked.Short.ESMClass != smpp.ESMUDH || asked.Short.Body[5] != i || asked.Short.Body[3] != first.Short.Body[3] {
			t.Errorf("segment %d is %x", i, asked.Short.Body)
		}
		p.send(answerWithID(asked, string('a'+i-1)))
	}
	if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeSent || fmt.Sprint(got.SMSCIDs) != "[a b c]" {
		t.Errorf("got %+v", got)
	}
	if attempts != 2 {
		t.Errorf("%d attempts", attempts)
	}
	if want := []string{"1 of 3: true a over account", "2 of 3: false ESME_RSYSERR over account", "2 of 3: true b over account", "3 of 3: true c over account"}; !slices.Equal(told, want) {
		t.Errorf("told of the segments: %q", told)
	}
	long.Done = []string{"a", "b", "c"}
	if got := ls.Submit(testContext(t), long); got.Outcome != bridge.OutcomeSent || len(got.SMSCIDs) != 3 || got.Account != "account" {
		t.Errorf("all done: %+v", got)
	}
}

// What fails before the first octet is never written, and gives its slot back.
func TestSubmitNotWritten(t *testing.T) {
	ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.Window = 1 })
	failing := submission("m", "hi")
	failing.Attempt = func(context.Context, string, string) error { return bridge.ErrConflict }
	got := ls.Submit(testContext(t), failing)
	if got.Outcome != bridge.OutcomeNotWritten || !errors.Is(got.Err, bridge.ErrConflict) {
		t.Errorf("got %+v", got)
	}
	done := submit(testContext(t), ls, submission("m", "hi"))
	asked := p.expect(smpp.SubmitSM)
	ctx, cancel := context.WithCancel(testContext(t))
	waiting := submit(ctx, ls, submission("n", "hi"))
	cancel()
	got = receive(t, waiting, "the one that gave up")
	if got.Outcome != bridge.OutcomeNotWritten || !errors.Is(got.Err, context.Canceled) || got.Total != 1 {
		t.Errorf("got %+v", got)
	}
	p.send(answerWithID(asked, "id"))
	if got := receive(t, done, "the first"); got.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", got)
	}
	p.barrier()
	if st := ls.Status()[0]; st.WindowUsed != 0 || ls.Waiting() != 0 {
		t.Errorf("state %+v, %d waiting", st, ls.Waiting())
	}
}

// What may not be written any more is not, also between two segments, and gives its slot back.
func TestSubmitMayNotGoOn(t *testing.T) {
	for first := range 2 {
		t.Run(fmt.Sprint(first, " written"), func(t *testing.T) {
			ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.Window = 1 })
			long := submission("long", strings.Repeat("0123456789", 40)) // three segments
			asked := 0
			long.May = func() error {
				if asked++; asked > first {
					return bridge.ErrTakenOver
				}
				return nil
			}
			done := submit(testContext(t), ls, long)
			for range first {
				p.send(answerWithID(p.expect(smpp.SubmitSM), "a"))
			}
			got := receive(t, done, "the result")
			if got.Outcome != bridge.OutcomeNotWritten || !errors.Is(got.Err, bridge.ErrTakenOver) || len(got.SMSCIDs) != first || got.Total != 3 {
				t.Errorf("got %+v", got)
			}
			p.barrier() // nothing more was written
			done = submit(testContext(t), ls, submission("m", "hi"))
			p.send(answerWithID(p.expect(smpp.SubmitSM), "b"))
			if got := receive(t, done, "the next"); got.Outcome != bridge.OutcomeSent {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSubmitUnsendable(t *testing.T) {
	ls := newLinks(t)
	for name, text := range map[string]string{"empty": "", "not UTF-8": "a\xff", "too long": strings.Repeat("x", 10_000)} {
		t.Run(name, func(t *testing.T) {
			if got := ls.Submit(testContext(t), submission("m", text)); got.Outcome != bridge.OutcomePermanent || got.Detail == "" || got.Err == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
	if e, err := ls.Estimate("é€"); e.Segments != 1 || err != nil {
		t.Errorf("got %+v, %v", e, err)
	}
}

// A stop waits for the answer to what was written, and takes nothing new.
func TestStopDrains(t *testing.T) {
	l := listen(t)
	link := newLink(t, quick(l.Addr().String()))
	ls := newLinks(t, link)
	stop := start(t, ls)
	p := bindPeer(t, l)
	done := submit(testContext(t), ls, submission("m", "hi"))
	asked := p.expect(smpp.SubmitSM)
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	waitStatus(t, link, smpp.LinkDown)
	ctx, cancel := context.WithCancel(testContext(t))
	late := submit(ctx, ls, submission("n", "late"))
	waitFor(t, ls, 1)
	p.send(answerWithID(asked, "id"))
	if got := receive(t, done, "the result"); got.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", got)
	}
	p.send(p.expect(smpp.Unbind).Answer(smpp.StatusOK))
	<-stopped
	cancel()
	if got := receive(t, late, "the late one"); got.Outcome != bridge.OutcomeNotWritten {
		t.Errorf("got %+v", got)
	}
}

// An SMSC that says we are not bound is bound again, once the others in flight have
// their answers.
func TestBindsAgainWhenNotBoundThere(t *testing.T) {
	l := listen(t)
	cfg := quick(l.Addr().String())
	ls := newLinks(t, newLink(t, cfg))
	stop := start(t, ls)
	p := bindPeer(t, l)
	one := submit(testContext(t), ls, submission("1", "one"))
	first := p.expect(smpp.SubmitSM)
	two := submit(testContext(t), ls, submission("2", "two"))
	second := p.expect(smpp.SubmitSM)
	p.send(first.Answer(smpp.StatusInvBndSts))
	if got := receive(t, one, "the refusal"); got.Outcome != bridge.OutcomeTemporary {
		t.Errorf("got %+v", got)
	}
	eventually(t, tick, func() bool { return ls.Status()[0].Status == smpp.LinkDown }, "the end of the bind")
	p.send(answerWithID(second, "id"))
	if got := receive(t, two, "the other"); got.Outcome != bridge.OutcomeSent {
		t.Errorf("got %+v", got)
	}
	p.send(p.expect(smpp.Unbind).Answer(smpp.StatusOK))
	again := bindPeer(t, l)
	eventually(t, tick, func() bool { return ls.Status()[0].Binds == 2 }, "the second bind")
	again.unbound(stop)
}

// A rate limit counts segments.
func TestRate(t *testing.T) {
	ls, p := onePeer(t, func(c *smpp.LinkConfig) { c.Rate = 20 })
	began := time.Now()
	done := submit(testContext(t), ls, submission("long", strings.Repeat("0123456789", 40)))
	for range 3 {
		p.send(answerWithID(p.expect(smpp.SubmitSM), "id"))
	}
	receive(t, done, "the result")
	if took := time.Since(began); took < 90*time.Millisecond {
		t.Errorf("three segments at 20 a second took %s", took)
	}
}

func TestEstimateOfSeveralAccounts(t *testing.T) {
	account := func(name string, text smpp.TextConfig) *smpp.Link {
		cfg := quick("127.0.0.1:1")
		cfg.Name, cfg.Account, cfg.Text = name, name, text
		return newLink(t, cfg)
	}
	strict := account("strict", smpp.TextConfig{Encoding: smpp.EncodingGSM7})
	auto := account("any", smpp.TextConfig{})
	wide := account("wide", smpp.TextConfig{Encoding: smpp.EncodingUCS2})
	for _, tt := range []struct {
		name     string
		links    []*smpp.Link
		text     string
		segments int // 0: refused
	}{
		{"only one account, which refuses it", []*smpp.Link{strict}, "日本", 0},
		{"one of two can carry it", []*smpp.Link{strict, auto}, "日本", 1},
		{"the one that takes the most", []*smpp.Link{strict, auto, wide}, strings.Repeat("a", 100), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := newLinks(t, tt.links...).Estimate(tt.text)
			if e.Segments != tt.segments || (err != nil) != (tt.segments == 0) {
				t.Errorf("got %+v, %v", e, err)
			}
		})
	}
}
