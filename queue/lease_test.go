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
	"time"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// quickLease is a lease that a test can wait out, and that outlives the moments in which a busy machine
// runs nothing of it.
func quickLease(c *queue.Config) { c.LeaseTime = 3 * time.Second }

// holds waits until the lanes are shared as counts say: one count for each instance.
func holds(t *testing.T, s *queue.Store, counts ...int) {
	t.Helper()
	var got []int
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		got = nil
		for _, i := range s.Instances() {
			lanes := 0
			for _, name := range i.Holds {
				if strings.HasPrefix(name, "lane-") {
					lanes++
				}
			}
			got = append(got, lanes)
		}
		slices.Sort(got)
		if slices.Equal(got, counts) {
			return
		}
	}
	t.Fatalf("the lanes are held %v, want %v", got, counts)
}

// TestInstancesShareLanes: lanes are shared evenly as instances come and leave, order is
// kept and nothing is handled twice.
func TestInstancesShareLanes(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	seen := newRecord()
	handle := func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	}
	first := open(t, "", external(remote))
	stopFirst := work(t, first, handle)
	holds(t, first, 8)

	const phones, each = 16, 60
	published := make(chan struct{})
	go func() {
		defer close(published)
		for n := range each {
			for p := range phones {
				publish(t, first, mt(p, n))
			}
		}
	}()
	second := open(t, "", external(remote))
	stopSecond := work(t, second, handle)
	holds(t, first, 4, 4)
	third := open(t, "", external(remote))
	work(t, third, handle)
	holds(t, third, 2, 3, 3)
	stopSecond()
	wantError(t, second.Close(), nil)
	holds(t, third, 4, 4)
	receive(t, published, "the end of publishing")
	stopFirst()
	wantNoTwice(t, seen.wait(t, phones*each))
	wantError(t, first.Close(), nil)
	holds(t, third, 8)
	inOrder(t, seen.wait(t, phones*each), phones, each)
	queued(t, third, "mt", 0)
}

func wantNoTwice(t *testing.T, all []string) {
	t.Helper()
	count := make(map[string]int)
	for _, one := range all {
		if count[one]++; count[one] > 1 {
			t.Errorf("%s came %d times", one, count[one])
		}
	}
}

// TestSilentInstanceIsReplaced: a cut cable between one instance and the server. The other
// takes over in order, and what the first still wants to write is refused, before and
// after the cable is mended.
func TestSilentInstanceIsReplaced(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	cable := newProxy(t, hostOf(t, remote.ClientURL()))
	first := open(t, "", through(cable), quickLease, oneLane)
	second := open(t, "", external(remote), quickLease, oneLane)

	const each = 40
	for n := range each {
		publish(t, second, mt(1, n))
	}
	seen := newRecord()
	stuck, release := make(chan struct{}), make(chan struct{})
	stale := make(chan error, 1)
	var took atomic.Int32
	work(t, first, func(ctx context.Context, m bridge.MT) error {
		if took.Add(1) == 1 {
			close(stuck)
			<-release
			if ctx.Err() == nil {
				t.Error("a context says that the lease is held after its time")
			}
			stale <- first.PublishOUT(context.WithoutCancel(ctx), bridge.OUT{ID: "stale", Handle: ann, Phone: phone(1)})
			return nil
		}
		seen.add("first " + name(m))
		return nil
	})
	receive(t, stuck, "the first message")
	cable.freeze()
	began := time.Now()
	work(t, second, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	inOrder(t, seen.wait(t, each), 1, each)
	t.Logf("taken over and done in %s", time.Since(began))
	cable.thaw()
	close(release)
	if err := receive(t, stale, "the stale write"); err == nil {
		t.Error("a former holder could write")
	}
	queued(t, second, "mt", 0)
	queued(t, second, "out", 0)
	// The first comes back as a new instance, and is there to take over.
	for n := range each {
		publish(t, second, mt(2, n))
	}
	seen.wait(t, 2*each)
	holds(t, second, 0, 1)
	wantError(t, second.Close(), nil)
	holds(t, first, 1)
	publish(t, first, mt(3, 0))
	if all := seen.wait(t, 2*each+1); all[2*each] != "first "+phone(3).String()+" 0" {
		t.Errorf("the last was %s", all[2*each])
	}
}

// TestFrozenRequestStealsNothing: a holder asked for messages and went silent with its
// connection open. What the server still sends there must not be missing or out of order.
func TestFrozenRequestStealsNothing(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	cable := newProxy(t, hostOf(t, remote.ClientURL()))
	first := open(t, "", through(cable), quickLease, oneLane)
	second := open(t, "", external(remote), quickLease, oneLane)
	work(t, first, func(_ context.Context, m bridge.MT) error {
		t.Errorf("%s came to the silent one", name(m))
		return nil
	})
	holds(t, second, 0, 1)
	seen := newRecord()
	work(t, second, func(_ context.Context, m bridge.MT) error {
		seen.add(name(m))
		return nil
	})
	cable.freeze()
	holds(t, second, 1)
	const each = 20
	for n := range each {
		publish(t, second, mt(1, n))
		seen.wait(t, n+1)
	}
	inOrder(t, seen.get(), 1, each)
	queued(t, second, "mt", 0)
	cable.thaw()
}

// TestRunAlone: one instance at a time, another when that one leaves.
func TestRunAlone(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	var inside atomic.Int32
	entered := make(chan int, 10)
	var stops []func()
	for n := range 3 {
		s := open(t, "", external(remote))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.RunAlone(ctx, "task", func(ctx context.Context) error {
				if inside.Add(1) != 1 {
					t.Error("two at once")
				}
				entered <- n
				<-ctx.Done()
				inside.Add(-1)
				return nil
			})
		}()
		stops = append(stops, sync.OnceFunc(func() {
			cancel()
			wantError(t, receive(t, done, "the end of RunAlone"), nil)
		}))
		t.Cleanup(stops[n])
	}
	for range 3 {
		stops[receive(t, entered, "an instance")]()
	}
}

// TestCutOffGivesUpFirst: an instance that is cut off from its server has given up what one holds
// at a time, such as a component's connection, before another takes it up, and is there to
// take it again once the cable is mended.
func TestCutOffGivesUpFirst(t *testing.T) {
	for name, oneWay := range map[string]bool{"nothing arrives": false, "no answer arrives": true} {
		t.Run(name, func(t *testing.T) {
			remote := natsServer(t, t.TempDir(), -1)
			cable := newProxy(t, hostOf(t, remote.ClientURL()))
			cable.oneWay = oneWay
			var mu sync.Mutex
			var tenures []context.Context
			run := func(s *queue.Store) (entered chan struct{}, stop func()) {
				entered = make(chan struct{}, 10)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					done <- s.RunBeside(ctx, "xmpp", func(ctx context.Context) error {
						mu.Lock()
						for _, earlier := range tenures {
							if earlier.Err() == nil {
								t.Error("two hold the connection at once")
							}
						}
						tenures = append(tenures, ctx)
						mu.Unlock()
						entered <- struct{}{}
						<-ctx.Done() // without a word from the server
						return nil
					})
				}()
				stop = sync.OnceFunc(func() {
					cancel()
					wantError(t, receive(t, done, "the end of RunBeside"), nil)
				})
				t.Cleanup(stop)
				return entered, stop
			}
			here, _ := run(open(t, "", through(cable), quickLease))
			receive(t, here, "the first")
			there, stop := run(open(t, "", external(remote), quickLease))
			cable.freeze()
			receive(t, there, "the other")
			<-tenures[0].Done()
			cable.thaw()
			stop()
			receive(t, here, "the first again")
		})
	}
}

func TestRunAloneEndsByItself(t *testing.T) {
	failure := fmt.Errorf("over")
	remote := natsServer(t, t.TempDir(), -1)
	for what, s := range map[string]*queue.Store{
		"embedded": open(t, t.TempDir()),
		"external": open(t, "", external(remote)),
	} {
		if err := s.RunAlone(t.Context(), "task", func(context.Context) error { return failure }); !errors.Is(err, failure) {
			t.Errorf("%s: got %v", what, err)
		}
		wantError(t, s.Close(), nil)
		wantError(t, s.RunAlone(t.Context(), "task", func(context.Context) error { return nil }), queue.ErrClosed)
	}
}

// TestSharedKey: the first instance gives it, all get it.
func TestSharedKey(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	first, second := open(t, "", external(remote)), open(t, "", external(remote))
	alone := open(t, t.TempDir())
	for _, tt := range []struct {
		s           *queue.Store
		fresh, want string
	}{{first, "a", "a"}, {second, "b", "a"}, {first, "c", "a"}, {alone, "d", "d"}} {
		got, err := tt.s.SharedKey(t.Context(), "web-session", []byte(tt.fresh))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %q, %v", tt.fresh, got, err)
		}
	}
}

// TestLostAnswer: a record is stored and its answer comes too late. It counts as stored, and is
// stored once; what somebody else stored meanwhile is a conflict.
func TestLostAnswer(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	cable := newProxy(t, hostOf(t, remote.ClientURL()))
	cable.oneWay = true
	s, other := open(t, "", through(cable)), open(t, "", external(remote))
	story := bridge.Story{V: 1, ID: "m", Handle: ann, Phone: phone(1), State: bridge.Accepted}
	for _, tt := range []struct {
		name string
		put  func() error
	}{
		{"a story", func() error {
			_, err := s.PutStory(t.Context(), story, 0, true)
			return err
		}},
		{"a part", func() error {
			_, err := s.SavePart(t.Context(), "key", []byte("value"), 0)
			return err
		}},
		{"a message", func() error { return s.PublishMT(t.Context(), mt(1, 0)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cable.freeze()
			done := make(chan error, 1)
			go func() { done <- tt.put() }()
			go func() {
				// The answer is held up for longer than one try.
				time.Sleep(2500 * time.Millisecond)
				cable.thaw()
			}()
			wantError(t, receive(t, done, "the answer"), nil)
		})
	}
	queued(t, other, "mt", 1)
	_, err := other.PutStory(t.Context(), story, 0, true)
	wantError(t, err, bridge.ErrConflict)
}
