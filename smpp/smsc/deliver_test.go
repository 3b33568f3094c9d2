package smsc_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"smsbridge/bridge"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// long has an emoji across each cut of 67 units, and an accent that GSM 7-bit lacks.
var long = strings.Repeat("ê", 66) + strings.Repeat("😀", 80) + " end"

func TestTextAndReceipt(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	base := web(t, s)
	c := bind(t, s, nil)
	answer := c.submit(phone.Digits(), "Hello, € and ~", 1)[0]
	if answer.Status != smpp.StatusOK || answer.MessageID == "" {
		t.Fatalf("%s, id %q", answer.Status, answer.MessageID)
	}
	r := c.read()
	if r.Receipt == nil || r.Receipt.Candidates[0] != answer.MessageID || r.Receipt.State != bridge.ReceiptDelivered || r.Receipt.At.IsZero() || r.Phone != phone {
		t.Errorf("%+v of %s", r.Receipt, r.Phone)
	}
	messages := getJSON[[]smsc.Message](t, base+"phones/"+phone.String()+"/messages")
	if len(messages) != 1 || messages[0].Text != "Hello, € and ~" || messages[0].From != ours || messages[0].To != phone.String() ||
		messages[0].Direction != smsc.Received || messages[0].Encoding != "GSM 7-bit" || messages[0].Segments != 1 {
		t.Errorf("%+v", messages)
	}
}

func TestNoReceiptUnlessAsked(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	c := bind(t, s, nil)
	c.submit(phone.Digits(), "no receipt", 0)
	c.submit(phone.Digits(), "only if it fails", 2)
	c.submit("33612300410", "it fails", 2)
	if r := c.read(); r.Receipt == nil || r.Receipt.State != bridge.ReceiptFailed {
		t.Errorf("%+v", r)
	}
	select {
	case p := <-c.got:
		t.Errorf("another receipt: %s", p.Short.Body)
	default:
	}
}

func TestLongBothWays(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	events := watch(t, web(t, s))
	c := bind(t, s, nil)
	answers := c.submit(phone.Digits(), long, 0)
	shown := await(t, events, func(m smsc.Message) bool { return m.Direction == smsc.Received })
	if shown.Text != long || shown.Segments != len(answers) || shown.Encoding != "UCS-2" {
		t.Errorf("the phone shows %q in %d segments", shown.Text, shown.Segments)
	}
	sent, err := s.Send(phone, ours, long)
	if err != nil {
		t.Fatal(err)
	}
	parts := make([]bridge.MO, sent.Segments)
	for range parts {
		m := c.next()
		parts[smpp.ReadConcat(m).Part-1] = m
	}
	var r smpp.Reader
	if text, err := r.JoinMO(parts); err != nil || text != long {
		t.Errorf("%q, %v", text, err)
	}
	await(t, events, func(m smsc.Message) bool { return m.ID == sent.ID && m.State == smsc.Accepted })
}

func TestSegmentsInAnyOrder(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	events := watch(t, web(t, s))
	c := bind(t, s, nil)
	segment := func(body string, tlvs ...bridge.TLV) {
		short := smpp.Short{Source: bridge.Address{TON: 5, Addr: "Acme"}, Destination: bridge.Address{Addr: phone.String()}, TLVs: tlvs}
		if tlvs == nil {
			short.ESMClass, short.Body = smpp.ESMUDH, []byte(body)
		}
		answer, err := c.session.Request(t.Context(), &smpp.PDU{Command: smpp.SubmitSM, Short: &short})
		if err != nil || answer.Status != smpp.StatusOK {
			t.Fatal(answer, err)
		}
	}
	segment("\x05\x00\x03\x07\x03\x03c")
	segment("\x05\x00\x03\x07\x03\x01a")
	segment("\x05\x00\x03\x07\x03\x01a")
	segment("", bridge.TLV{Tag: smpp.TagMessagePayload, Value: []byte(strings.Repeat("x", 1000))})
	segment("\x05\x00\x03\x07\x03\x02b")
	if m := await(t, events, func(smsc.Message) bool { return true }); len(m.Text) != 1000 || m.From != "Acme" {
		t.Errorf("%+v", m)
	}
	if m := await(t, events, func(smsc.Message) bool { return true }); m.Text != "abc" {
		t.Errorf("%+v", m)
	}
}

// What a client cannot take now comes again, before what the phone wrote after it.
func TestRefusedDeliveryIsRetriedInOrder(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	events := watch(t, web(t, s))
	var tries atomic.Int32
	c := bind(t, s, func(p *smpp.PDU) *smpp.PDU {
		if tries.Add(1) <= 3 {
			return p.Answer(smpp.StatusRxTAppn)
		}
		return p.Answer(smpp.StatusOK)
	})
	for _, text := range []string{"one", "two"} {
		if _, err := s.Send(phone, ours, text); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"one", "one", "one", "one", "two"} {
		if m := c.read(); m.Text != want || m.Number.String() != ours || m.Phone != phone {
			t.Errorf("delivery %d is %q, want %q", i, m.Text, want)
		}
	}
	await(t, events, func(m smsc.Message) bool { return m.Text == "two" && m.State == smsc.Accepted })
}

func TestRefusedForGood(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	events := watch(t, web(t, s))
	c := bind(t, s, func(p *smpp.PDU) *smpp.PDU {
		if strings.Contains(string(p.Short.Body), "no") {
			return p.Answer(smpp.StatusRxRAppn)
		}
		return p.Answer(smpp.StatusOK)
	})
	for _, text := range []string{"no", "yes"} {
		if _, err := s.Send(phone, "36180", text); err != nil {
			t.Fatal(err)
		}
	}
	await(t, events, func(m smsc.Message) bool { return m.Text == "no" && m.State == smsc.Refused })
	await(t, events, func(m smsc.Message) bool { return m.Text == "yes" && m.State == smsc.Accepted })
	c.next()
	if m := c.read(); m.Number.String() != "36180;phone-context=+33" {
		t.Errorf("to %s", m.Number)
	}
}

func TestDeliveryWaitsForABind(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	for _, text := range []string{"one", "two"} {
		if _, err := s.Send(phone, ours, text); err != nil {
			t.Fatal(err)
		}
	}
	// The first client goes away without an answer.
	first := bind(t, s, func(*smpp.PDU) *smpp.PDU { return nil })
	first.next()
	_ = first.session.Close()
	c := bind(t, s, nil)
	for _, want := range []string{"one", "two"} {
		if m := c.read(); m.Text != want {
			t.Errorf("%q, want %q", m.Text, want)
		}
	}
}

// A reply goes to the account that wrote from that number, and a receipt to the account
// that asked for it, over any of its binds that receive.
func TestAccounts(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	other := connect(t, s, nil)
	if _, err := other.session.Bind(t.Context(), smpp.BindTransceiver, smpp.Bind{SystemID: "bob"}); err != nil {
		t.Fatal(err)
	}
	tx, rx := connect(t, s, nil), connect(t, s, nil)
	for c, command := range map[*client]smpp.Command{tx: smpp.BindTransmitter, rx: smpp.BindReceiver} {
		if _, err := c.session.Bind(t.Context(), command, smpp.Bind{SystemID: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	tx.submit(phone.Digits(), "Hello", 1)
	if m := rx.read(); m.Receipt == nil {
		t.Errorf("%+v is no receipt", m)
	}
	if _, err := s.Send(phone, ours, "Hi"); err != nil {
		t.Fatal(err)
	}
	if m := rx.read(); m.Text != "Hi" {
		t.Errorf("%+v", m)
	}
	if len(other.got)+len(tx.got) != 0 {
		t.Error("another bind got something")
	}
	if answer := rx.submit(phone.Digits(), "no", 0)[0]; answer.Status != smpp.StatusInvBndSts {
		t.Errorf("submit over a receiver: %s", answer.Status)
	}
}

func TestBind(t *testing.T) {
	s, _ := start(t, smsc.Config{SystemID: "ann", Password: "secret"})
	tests := []struct {
		name string
		bind smpp.Bind
		want smpp.Status
	}{
		{"wrong system_id", smpp.Bind{SystemID: "bob", Password: "secret"}, smpp.StatusInvSysID},
		{"wrong password", smpp.Bind{SystemID: "ann", Password: "guess"}, smpp.StatusInvPaswd},
		{"right", smpp.Bind{SystemID: "ann", Password: "secret"}, smpp.StatusOK},
		{"again", smpp.Bind{SystemID: "ann", Password: "secret"}, smpp.StatusAlyBnd},
	}
	c := connect(t, s, nil)
	if answer := c.submit(phone.Digits(), "too early", 0)[0]; answer.Status != smpp.StatusInvBndSts {
		t.Errorf("submit before bind: %s", answer.Status)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, err := c.session.Request(t.Context(), &smpp.PDU{Command: smpp.BindTransceiver, Bind: &tt.bind})
			if err != nil || answer.Status != tt.want {
				t.Errorf("%v, %v; want %s", answer, err, tt.want)
			}
		})
	}
	query, err := c.session.Request(t.Context(), &smpp.PDU{Command: smpp.QuerySM})
	if err != nil || query.Status != smpp.StatusInvCmdID {
		t.Errorf("query_sm: %v, %v", query, err)
	}
}

func TestEndUnbinds(t *testing.T) {
	s, stop := start(t, smsc.Config{})
	c := bind(t, s, nil)
	stop()
	if err := <-c.ended; !errors.Is(err, smpp.ErrPeerUnbound) {
		t.Errorf("the client's session ended with %v", err)
	}
}
