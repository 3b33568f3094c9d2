package smpp_test

import (
	"context"
	"errors"
	"testing"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// What could not be stored may be stored all the same. The SMSC is told that it was not and
// sends it again, and then it is the same message; what a person says again is another.
func TestLinkStoreFailsAndSMSCSendsAgain(t *testing.T) {
	l := listen(t)
	stored, verdict := make(chan bridge.MO, 1), make(chan error)
	store := func(_ context.Context, m bridge.MO) error {
		stored <- m
		return <-verdict
	}
	var all []*smpp.Link
	for _, name := range []string{"one", "two"} {
		cfg := quick(l.Addr().String())
		cfg.Name, cfg.Account, cfg.Store = name, "acme-account", store
		all = append(all, newLink(t, cfg))
	}
	if _, err := smpp.NewLinks(smpp.LinksConfig{Links: all}); err != nil {
		t.Fatal(err)
	}
	var peers []*peer
	for _, link := range all {
		stop := start(t, link)
		p := acceptPeer(t, l)
		p.send(p.expect(smpp.BindTransceiver).Answer(smpp.StatusOK))
		waitStatus(t, link, smpp.LinkBound)
		peers = append(peers, p)
		defer p.unbound(stop)
	}
	said := func(p *peer, sequence uint32, text string, err error) (id string) {
		t.Helper()
		pdu := deliverFrom("33612345678", sequence)
		pdu.Short.Body = []byte(text)
		p.send(pdu)
		m := receive(t, stored, "the MO")
		if m.Sequence != sequence || string(m.Body) != text {
			t.Errorf("stored %+v; want %q, sequence %d", m, text, sequence)
		}
		verdict <- err
		status := smpp.StatusOK
		if err != nil {
			status = smpp.StatusRxTAppn
		}
		p.expectAnswer(smpp.DeliverSMResp, status, sequence)
		return m.ID
	}
	full := errors.New("the disk is full")
	first := said(peers[0], 1, "yes", full)
	if other := said(peers[0], 2, "no", full); other == first {
		t.Error("another text has the id of the first")
	}
	if again := said(peers[0], 3, "yes", full); again != first {
		t.Errorf("sent again it is %s, and was %s", again, first)
	}
	if again := said(peers[1], 1, "yes", nil); again != first {
		t.Errorf("sent again over the other bind it is %s, and was %s", again, first)
	}
	if anew := said(peers[0], 4, "yes", nil); anew == first {
		t.Error("what a person says once more has the id of what was stored")
	}
}
