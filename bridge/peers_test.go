package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/queue"
	"smsbridge/smpp"
)

// carrier is an SMSC that answers by a script, and takes everything after its end. It
// counts segments as the real one does.
type carrier struct {
	*smpp.Links
	submitted *recorder[bridge.Submission]

	mu     sync.Mutex
	script []answer
	ids    int
}

var _ bridge.Carrier = (*carrier)(nil)

func newCarrier(t *testing.T) *carrier {
	t.Helper()
	links, err := smpp.NewLinks(smpp.LinksConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return &carrier{Links: links, submitted: newRecorder[bridge.Submission]()}
}

// answer is what becomes of a submission.
type answer func(ctx context.Context, s bridge.Submission) bridge.Result

// plays adds to the script.
func (c *carrier) plays(answers ...answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.script = append(c.script, answers...)
}

func (c *carrier) Submit(ctx context.Context, s bridge.Submission) bridge.Result {
	c.submitted.add(s)
	return c.next(s)(ctx, s)
}

func (c *carrier) next(s bridge.Submission) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.script) > 0 {
		a := c.script[0]
		c.script = c.script[1:]
		return a
	}
	n, _ := smpp.Count(s.Text, smpp.TextConfig{})
	var ids []string
	for range n - len(s.Done) {
		c.ids++
		ids = append(ids, fmt.Sprintf("id-%d", c.ids))
	}
	return answers(bridge.OutcomeSent, ids...)
}

// answers attempts the submission and gives an outcome; ids are of the segments that were
// accepted before it.
func answers(o bridge.Outcome, ids ...string) answer {
	return func(ctx context.Context, s bridge.Submission) bridge.Result {
		r := bridge.Result{Link: "one", Account: "acme", SMSCIDs: slices.Clone(s.Done), Outcome: bridge.OutcomeNotWritten}
		r.Total, _ = smpp.Count(s.Text, smpp.TextConfig{})
		if r.Err = s.Attempt(ctx, "one", "acme"); r.Err != nil {
			return r
		}
		r.SMSCIDs, r.Outcome = append(r.SMSCIDs, ids...), o
		if o != bridge.OutcomeSent {
			r.Detail = "The operator says no"
		}
		return r
	}
}

// held answers once release is closed; written is closed when the submit is on the wire.
func held(written chan<- struct{}, release <-chan struct{}, o bridge.Outcome, ids ...string) answer {
	return func(ctx context.Context, s bridge.Submission) bridge.Result {
		r := answers(o, ids...)(ctx, s)
		close(written)
		<-release
		return r
	}
}

// noLink takes nothing until ctx ends.
func noLink(ctx context.Context, s bridge.Submission) bridge.Result {
	<-ctx.Done()
	return bridge.Result{SMSCIDs: s.Done, Outcome: bridge.OutcomeNotWritten, Err: ctx.Err()}
}

// texts are what was submitted, in order.
func (c *carrier) texts() []string {
	var all []string
	for _, s := range c.submitted.get() {
		all = append(all, s.Text)
	}
	return all
}

// messenger takes what its script does not refuse.
type messenger struct {
	*recorder[bridge.OUT]
	mu sync.Mutex
	// refuses may block, as a network that is away does.
	refuses func(context.Context, bridge.OUT) error
}

var _ bridge.Messenger = (*messenger)(nil)

func (m *messenger) Network() string { return addressing.NetworkXMPP }

func (m *messenger) script(refuses func(context.Context, bridge.OUT) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuses = refuses
}

func (m *messenger) Deliver(ctx context.Context, out bridge.OUT) error {
	m.mu.Lock()
	refuses := m.refuses
	m.mu.Unlock()
	if refuses != nil {
		if err := refuses(ctx, out); err != nil {
			return err
		}
	}
	m.add(out)
	return nil
}

// marker is the text of what settle sends, which is none of what a test expects.
const marker = "marker"

// of waits for n OUT of a kind to a handle.
func (m *messenger) of(t testing.TB, h addressing.Handle, kind bridge.OUTKind, n int) []bridge.OUT {
	t.Helper()
	var found []bridge.OUT
	m.until(t, fmt.Sprintf("%d %s to %s", n, kind, h), func(all []bridge.OUT) bool {
		found = found[:0]
		for _, out := range all {
			if out.Handle == h && out.Kind == kind && out.Text != marker {
				found = append(found, out)
			}
		}
		return len(found) >= n
	})
	return found
}

var errBroken = errors.New("the store is broken for a moment")

// store is the real store, of which single calls may fail.
type store struct {
	*queue.Store
	dead *recorder[bridge.Dead]

	mu sync.Mutex
	// Before a call; what they return is what the call returns in place of being made.
	onPublishMT func(bridge.MT) error
	onPutStory  func(bridge.Story) error
	onPutRef    func(id string) error
	onLog       func(bridge.Entry) error
	onStory     func(id string) error
	onSetMark   func(key string) error
	onDelete    func(key string) error // of a small record
	onRange     func()                 // after the records were read
	forgot      bool                   // whatever the real one says
}

func (s *store) Forgot(ctx context.Context, m bridge.MT) (bool, error) {
	if s.forgot {
		return true, nil
	}
	return s.Store.Forgot(ctx, m)
}

// fails is a hook that fails n times where match says so.
func fails[T any](n int, match func(T) bool) func(T) error {
	var mu sync.Mutex
	return func(v T) error {
		mu.Lock()
		defer mu.Unlock()
		if n == 0 || !match(v) {
			return nil
		}
		n--
		return errBroken
	}
}

func hook[T any](s *store, f *func(T) error, v T) error {
	s.mu.Lock()
	call := *f
	s.mu.Unlock()
	if call == nil {
		return nil
	}
	return call(v)
}

func (s *store) PublishMT(ctx context.Context, m bridge.MT) error {
	if err := hook(s, &s.onPublishMT, m); err != nil {
		return err
	}
	return s.Store.PublishMT(ctx, m)
}

func (s *store) Story(ctx context.Context, id string) (bridge.Story, uint64, error) {
	if err := hook(s, &s.onStory, id); err != nil {
		return bridge.Story{}, 0, err
	}
	return s.Store.Story(ctx, id)
}

func (s *store) PutStory(ctx context.Context, st bridge.Story, rev uint64, durable bool) (uint64, error) {
	if err := hook(s, &s.onPutStory, st); err != nil {
		return 0, err
	}
	return s.Store.PutStory(ctx, st, rev, durable)
}

func (s *store) PutRef(ctx context.Context, account, id string, ref bridge.SegmentRef) error {
	if err := hook(s, &s.onPutRef, id); err != nil {
		return err
	}
	return s.Store.PutRef(ctx, account, id, ref)
}

func (s *store) AppendLog(ctx context.Context, e bridge.Entry) error {
	if err := hook(s, &s.onLog, e); err != nil {
		return err
	}
	return s.Store.AppendLog(ctx, e)
}

func (s *store) SetMark(ctx context.Context, key string, value []byte) error {
	if err := hook(s, &s.onSetMark, key); err != nil {
		return err
	}
	return s.Store.SetMark(ctx, key, value)
}

func (s *store) DeletePart(ctx context.Context, key string, rev uint64) error {
	if err := hook(s, &s.onDelete, key); err != nil {
		return err
	}
	return s.Store.DeletePart(ctx, key, rev)
}

func (s *store) PublishDead(ctx context.Context, d bridge.Dead) error {
	s.dead.add(d)
	return s.Store.PublishDead(ctx, d)
}

func (s *store) RangeParts(ctx context.Context, fn func(string, []byte, uint64) bool) error {
	err := s.Store.RangeParts(ctx, fn)
	s.mu.Lock()
	call := s.onRange
	s.mu.Unlock()
	if call != nil {
		call()
	}
	return err
}
