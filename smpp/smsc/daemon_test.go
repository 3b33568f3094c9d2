package smsc_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// backoffMax is short, so that a fault costs no more than it must.
const backoffMax = 200 * time.Millisecond

// waits are how long the daemon waits for the SMSC.
type waits struct{ response, enquire time.Duration }

var (
	// impatient is for faults that are noticed by waiting in vain.
	impatient = waits{response: 500 * time.Millisecond, enquire: 150 * time.Millisecond}
	// patient is for all others: on a busy machine an answer may take a while.
	patient = waits{response: 10 * time.Second, enquire: 5 * time.Second}
)

// daemon is the bridge as cmd wires it, without ops and with a messenger that records.
type daemon struct {
	*recorder
	t     *testing.T
	hub   *bridge.Hub
	links *smpp.Links
	stop  func()
}

// startDaemon runs a bridge that is bound to s by some links of one account.
func startDaemon(t *testing.T, s *smsc.Server, row matrixRow) *daemon {
	t.Helper()
	d := &daemon{t: t, recorder: newRecorder()}
	store, err := queue.Open(t.Context(), queue.Config{
		Dir: t.TempDir(), Durability: queue.Process, Lanes: 2, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, MinFree: -1,
	})
	must(t, err)
	d.links = d.newLinks(s, max(row.binds, 1), cmp.Or(row.waits, patient))
	book, err := addressing.NewBook(store, addressing.Config{Pool: []addressing.Number{addressing.MustParseNumber(ours)}})
	must(t, err)
	d.hub, err = bridge.New(bridge.Config{
		Region: "FR", ResendUnknown: row.resend, Networks: map[string]bridge.Messenger{addressing.NetworkWeb: d.recorder},
	}, bridge.Ports{
		Queue: store, Journal: store, Archive: store, Parts: store, Marks: store,
		Carrier: d.links, Sessions: d.links, Reader: &smpp.Reader{Region: "FR"}, Book: book,
	})
	must(t, err)
	stopLinks := inBackground(t, d.links.Run)
	stopWorkers := inBackground(t,
		func(ctx context.Context) error { return store.RunMT(ctx, d.hub.DispatchMT) },
		func(ctx context.Context) error { return store.RunMO(ctx, d.hub.DispatchMO) },
		func(ctx context.Context) error { return store.RunOUT(ctx, d.hub.DispatchOUT) },
	)
	d.stop = sync.OnceFunc(func() {
		stopWorkers()
		stopLinks()
		must(t, store.Close())
	})
	t.Cleanup(d.stop)
	return d
}

func (d *daemon) newLinks(s *smsc.Server, binds int, w waits) *smpp.Links {
	var all []*smpp.Link
	for i := range binds {
		cfg := smpp.LinkConfig{
			Name: fmt.Sprint("link-", i), Account: "account", Addr: s.Addr(), SystemID: "ann",
			ResponseTimeout: w.response, EnquireInterval: w.enquire, ConnectTimeout: time.Second, DrainTimeout: time.Second,
			BackoffMin: backoffMax / 10, BackoffMax: backoffMax,
			Store: func(ctx context.Context, m bridge.MO) error { return d.hub.StoreMO(ctx, m) },
		}
		if ca := s.CA(); ca != nil {
			cfg.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
			cfg.TLS.RootCAs.AppendCertsFromPEM(ca)
		}
		link, err := smpp.NewLink(cfg)
		must(d.t, err)
		all = append(all, link)
	}
	links, err := smpp.NewLinks(smpp.LinksConfig{Links: all})
	must(d.t, err)
	return links
}

// bound waits until every link is bound.
func (d *daemon) bound() {
	d.t.Helper()
	eventually(d.t, "every link is bound", func() bool {
		return !slices.ContainsFunc(d.links.Status(), func(l smpp.LinkState) bool { return l.Status != smpp.LinkBound })
	})
}

// accept takes a text as a messenger does, and gives the number that the phone may answer to.
func (d *daemon) accept(c conversation, id, text string) addressing.Number {
	d.t.Helper()
	story, err := d.hub.Accept(d.t.Context(), bridge.Request{Handle: c.handle, To: c.phone.String(), Text: text, NetworkID: id})
	must(d.t, err)
	return story.Number
}

type conversation struct {
	handle addressing.Handle
	phone  addressing.MSISDN
}

func conversationOf(n int) conversation {
	return conversation{
		handle: addressing.MustParseHandle(fmt.Sprint("web:user", n)), phone: addressing.MustParseMSISDN(fmt.Sprintf("+33612%06d", n)),
	}
}

// recorder is a messenger that keeps all it is handed.
type recorder struct {
	mu      sync.Mutex
	changed chan struct{}                  // closed and replaced with each
	finals  map[string][]bridge.State      // by network id
	texts   map[addressing.Handle][]string // from phones
	details map[string]string              // by network id
}

func newRecorder() *recorder {
	return &recorder{
		changed: make(chan struct{}), finals: make(map[string][]bridge.State), texts: make(map[addressing.Handle][]string),
		details: make(map[string]string),
	}
}

func (*recorder) Network() string { return addressing.NetworkWeb }

func (r *recorder) Deliver(_ context.Context, m bridge.OUT) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Kind == bridge.OUTText {
		r.texts[m.Handle] = append(r.texts[m.Handle], m.Text)
	} else {
		r.finals[m.NetworkID] = append(r.finals[m.NetworkID], m.State)
		r.details[m.NetworkID] = m.Detail
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// endOf gives the final states that came for a message; there is to be one.
func (r *recorder) endOf(id string) []bridge.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.finals[id])
}

// await waits until done, which is called with the lock, says so.
func (r *recorder) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	timeout := time.After(matrixPatience)
	for {
		r.mu.Lock()
		is, changed := done(), r.changed
		r.mu.Unlock()
		if is {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("waited in vain for %s: statuses %v, texts %v", what, r.finals, r.texts)
		}
	}
}

// inBackground runs what blocks until the returned function is called.
func inBackground(t *testing.T, all ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	for _, run := range all {
		running.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// tick is how often a state is looked at that tells nobody that it changes.
const tick = 2 * time.Millisecond

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	timeout := time.After(matrixPatience)
	for !is() {
		select {
		case <-time.After(tick):
		case <-timeout:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
