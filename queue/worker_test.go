package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
)

// byPhone splits "phone text" records by phone.
func byPhone(all []string) map[string][]string {
	split := make(map[string][]string)
	for _, one := range all {
		p, text, _ := strings.Cut(one, " ")
		split[p] = append(split[p], text)
	}
	return split
}

// inOrder fails unless each phone got 0 to n-1 in order, each once.
func inOrder(t *testing.T, all []string, phones, n int) {
	t.Helper()
	got := byPhone(all)
	if len(got) != phones {
		t.Errorf("got texts for %d phones, want %d", len(got), phones)
	}
	for p, texts := range got {
		want := make([]string, n)
		for i := range want {
			want[i] = fmt.Sprint(i)
		}
		if !slices.Equal(texts, want) {
			t.Errorf("%s got %v", p, texts)
		}
	}
}

func name(m bridge.MT) string { return m.Phone.String() + " " + m.Text }

func TestOrderThroughErrors(t *testing.T) {
	s := open(t, t.TempDir())
	const phones, each = 6, 20
	for n := range each {
		for p := range phones {
			publish(t, s, mt(p, n))
		}
	}
	var failed sync.Map
	seen := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		tries, _ := failed.LoadOrStore(m.ID, new(atomic.Int32))
		if n := tries.(*atomic.Int32).Add(1); int(n) <= len(m.ID+m.Text)%3 {
			return fmt.Errorf("try %d", n)
		}
		seen.add(name(m))
		return nil
	})
	inOrder(t, seen.wait(t, phones*each), phones, each)
	queued(t, s, "mt", 0)
	if st := s.Stats()["mt"]; st.Published != phones*each || st.Retried == 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestOrderThroughRestart(t *testing.T) {
	dir := t.TempDir()
	const phones, each = 4, 30
	seen := newRecord()
	s := open(t, dir)
	for n := range each {
		for p := range phones {
			publish(t, s, mt(p, n))
		}
	}
	for round := range 3 {
		// Each round stops in the middle of it: some are done, some run, some wait.
		enough := make(chan struct{})
		once := sync.OnceFunc(func() { close(enough) })
		stop := work(t, s, func(ctx context.Context, m bridge.MT) error {
			if len(seen.get()) >= (round+1)*phones*each/4 {
				once()
				<-ctx.Done()
				return ctx.Err()
			}
			seen.add(name(m))
			return nil
		})
		receive(t, enough, "the middle of the round")
		stop()
		if round == 1 { // and once the whole server starts again
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
		}
	}
	work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	inOrder(t, seen.wait(t, phones*each), phones, each)
	queued(t, s, "mt", 0)
}

func TestBlockedConversationHoldsUpNobody(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, func(c *queue.Config) { c.Credit = 4 })
	const blocked, others = 60, 20
	for n := range blocked {
		publish(t, s, mt(1, n))
	}
	for n := range others {
		publish(t, s, mt(2, n))
	}
	release := make(chan struct{})
	first, second := newRecord(), newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		if m.Phone == phone(1) {
			<-release
			first.add(name(m))
			return nil
		}
		second.add(name(m))
		return nil
	})
	inOrder(t, second.wait(t, others), 1, others)
	if got := first.get(); len(got) != 0 {
		t.Errorf("the blocked conversation went on: %v", got)
	}
	close(release)
	inOrder(t, first.wait(t, blocked), 1, blocked)
	queued(t, s, "mt", 0)
}

func TestFailingConversationHoldsUpNobody(t *testing.T) {
	// More conversations fail than there is credit: they wait for their next attempt without it.
	s := open(t, t.TempDir(), oneLane, func(c *queue.Config) { c.Credit = 2 })
	for p := range 10 {
		publish(t, s, mt(p, 0))
	}
	seen := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		if m.Phone != phone(9) {
			return errors.New("not now")
		}
		seen.add(name(m))
		return nil
	})
	seen.wait(t, 1)
	queued(t, s, "mt", 9)
}

func TestNetworksHoldUpNoOther(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, func(c *queue.Config) { c.Credit = 2 })
	bob := addressing.MustParseHandle("xmpp:bob@corp.example")
	for n := range 8 {
		for _, h := range []addressing.Handle{bob, ann} {
			err := s.PublishOUT(t.Context(), bridge.OUT{V: 1, ID: fmt.Sprint(h, n), Kind: bridge.OUTText, Handle: h, Phone: phone(n), Text: "hi"})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	seen := newRecord()
	go func() {
		done <- s.RunOUT(ctx, func(ctx context.Context, m bridge.OUT) error {
			if m.Handle == bob { // his network is away
				<-ctx.Done()
				return ctx.Err()
			}
			seen.add(m.ID)
			return nil
		})
	}()
	seen.wait(t, 8)
	queued(t, s, "out", 8)
	cancel()
	if err := receive(t, done, "the end of RunOUT"); err != nil {
		t.Error(err)
	}
}

func TestReceiptsAndTextsOfMO(t *testing.T) {
	s := open(t, t.TempDir())
	for n := range 10 {
		err := s.PublishMO(t.Context(), bridge.MO{
			V: 1, ID: fmt.Sprint(n), Account: "corp/main account", Source: bridge.Address{TON: 1, NPI: 1, Addr: phone(1).Digits()},
			Destination: bridge.Address{Addr: "36180"}, Body: []byte{0, 1, byte(n)}, TLVs: []bridge.TLV{{Tag: 0x204, Value: []byte{1}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	seen := newRecord()
	go func() {
		done <- s.RunMO(ctx, func(_ context.Context, m bridge.MO) error {
			seen.add(fmt.Sprintf("%s %d %d", m.ID, m.Body[2], m.TLVs[0].Tag))
			return nil
		})
	}()
	all := seen.wait(t, 10)
	if !slices.IsSorted(all) || all[9] != "9 9 516" {
		t.Errorf("got %v", all)
	}
	cancel()
	if err := receive(t, done, "the end of RunMO"); err != nil {
		t.Error(err)
	}
}

func TestRedeliveryWhileHeld(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, listen)
	_, js := client(t, s)
	for n := range 5 {
		publish(t, s, mt(1, n))
	}
	started, release := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(started) })
	seen := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		once()
		<-release
		seen.add(name(m))
		return nil
	})
	receive(t, started, "the first message")
	// All of them come again, and the numbers of the deliveries start anew.
	if _, err := js.ResetConsumerToSequence(t.Context(), "MT", "all-0", 1); err != nil {
		t.Fatal(err)
	}
	publish(t, s, mt(2, 0)) // comes after them
	close(release)
	all := seen.wait(t, 6)
	queued(t, s, "mt", 0)
	if got := byPhone(all)[phone(1).String()]; !slices.Equal(got, []string{"0", "1", "2", "3", "4"}) || len(seen.get()) != 6 {
		t.Errorf("got %v", seen.get())
	}
}

func TestSignsOfLife(t *testing.T) {
	s := open(t, t.TempDir(), oneLane, listen, func(c *queue.Config) { c.AckWait = shortAckWait })
	nc, _ := client(t, s)
	acks, err := nc.SubscribeSync("$JS.ACK.MT.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	publish(t, s, mt(1, 0))
	var runs atomic.Int32
	release := make(chan struct{})
	work(t, s, func(context.Context, bridge.MT) error {
		runs.Add(1)
		<-release
		return nil
	})
	for range 4 { // three in each AckWait
		m, err := acks.NextMsg(patience)
		if err != nil || string(m.Data) != "+WPI" {
			t.Fatalf("got %v, %v", m, err)
		}
	}
	close(release)
	queued(t, s, "mt", 0)
	if runs.Load() != 1 {
		t.Errorf("the handler ran %d times", runs.Load())
	}
}

func TestCancelled(t *testing.T) {
	s := open(t, t.TempDir())
	publish(t, s, mt(1, 0), mt(1, 1))
	started := make(chan struct{})
	seen := newRecord()
	stop := work(t, s, func(ctx context.Context, _ bridge.MT) error {
		close(started) // panics if there is a second
		<-ctx.Done()
		return ctx.Err()
	})
	receive(t, started, "the first message")
	stop()
	queued(t, s, "mt", 2)
	work(t, s, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	inOrder(t, seen.wait(t, 2), 1, 2)
}

func TestOneRunAtATime(t *testing.T) {
	s := open(t, t.TempDir())
	publish(t, s, mt(1, 0))
	started := make(chan struct{})
	handle := func(context.Context, bridge.MT) error {
		close(started)
		return nil
	}
	work(t, s, handle)
	receive(t, started, "the message")
	if err := s.RunMT(t.Context(), handle); err == nil {
		t.Error("a second RunMT was not refused")
	}
	if err := s.Close(); err != nil { // ends the first
		t.Error(err)
	}
	wantError(t, s.RunMT(t.Context(), handle), queue.ErrClosed)
	wantError(t, s.PublishMT(t.Context(), mt(1, 1)), queue.ErrClosed)
	wantError(t, s.Close(), nil)
}
