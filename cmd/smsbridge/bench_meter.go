package main

import (
	"context"
	"sync"
	"time"

	"smsbridge/bridge"
)

// benchMeter counts and times what the hub asks of the rooms around it.
type benchMeter struct {
	mu    sync.Mutex
	order []string
	all   map[string]*benchTally
}

type benchTally struct {
	calls int
	took  time.Duration
}

// benchStage is one of these.
type benchStage struct {
	Name  string        `json:"name"`
	Calls float64       `json:"calls_per_message"`
	Mean  time.Duration `json:"mean_ns"`
}

func newBenchMeter() *benchMeter { return &benchMeter{all: make(map[string]*benchTally)} }

// watch puts the meter between the hub, which does not run yet, and its ports.
func (m *benchMeter) watch(h *bridge.Hub) {
	h.Queue = meteredQueue{h.Queue, m}
	h.Journal = meteredJournal{h.Journal, m}
	h.Archive = meteredArchive{h.Archive, m}
	h.Carrier = meteredCarrier{h.Carrier, m}
}

// time begins a stage; the function that it returns ends it.
func (m *benchMeter) time(name string) func() {
	begun := time.Now()
	return func() {
		took := time.Since(begun)
		m.mu.Lock()
		defer m.mu.Unlock()
		t := m.all[name]
		if t == nil {
			t = &benchTally{}
			m.all[name] = t
			m.order = append(m.order, name)
		}
		t.calls++
		t.took += took
	}
}

func (m *benchMeter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.all {
		*t = benchTally{}
	}
}

// stages lists them in the order in which they were first seen.
func (m *benchMeter) stages(messages int) []benchStage {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []benchStage
	for _, name := range m.order {
		if t := m.all[name]; t.calls > 0 {
			all = append(all, benchStage{Name: name, Calls: float64(t.calls) / float64(max(messages, 1)), Mean: t.took / time.Duration(t.calls)})
		}
	}
	return all
}

type meteredQueue struct {
	bridge.Queue
	m *benchMeter
}

func (q meteredQueue) PublishMT(ctx context.Context, m bridge.MT) error {
	defer q.m.time("MT queue: store, synced")()
	return q.Queue.PublishMT(ctx, m)
}

func (q meteredQueue) PublishMO(ctx context.Context, m bridge.MO) error {
	defer q.m.time("MO queue: store, synced")()
	return q.Queue.PublishMO(ctx, m)
}

func (q meteredQueue) PublishOUT(ctx context.Context, m bridge.OUT) error {
	defer q.m.time("OUT queue: store")()
	return q.Queue.PublishOUT(ctx, m)
}

type meteredJournal struct {
	bridge.Journal
	m *benchMeter
}

func (j meteredJournal) Story(ctx context.Context, id string) (bridge.Story, uint64, error) {
	defer j.m.time("journal: read a story")()
	return j.Journal.Story(ctx, id)
}

func (j meteredJournal) PutStory(ctx context.Context, s bridge.Story, rev uint64, durable bool) (uint64, error) {
	name := "journal: story " + string(s.State)
	switch {
	case s.Told:
		name += ", told"
	case durable:
		name += ", synced"
	}
	defer j.m.time(name)()
	return j.Journal.PutStory(ctx, s, rev, durable)
}

func (j meteredJournal) PutRef(ctx context.Context, account, smscID string, ref bridge.SegmentRef) error {
	defer j.m.time("journal: the SMSC's id")()
	return j.Journal.PutRef(ctx, account, smscID, ref)
}

func (j meteredJournal) Ref(ctx context.Context, account string, candidates []string) (bridge.SegmentRef, error) {
	defer j.m.time("journal: find by the SMSC's id")()
	return j.Journal.Ref(ctx, account, candidates)
}

type meteredArchive struct {
	bridge.Archive
	m *benchMeter
}

func (a meteredArchive) AppendLog(ctx context.Context, e bridge.Entry) error {
	defer a.m.time("log: " + string(e.Kind) + " " + string(e.State))()
	return a.Archive.AppendLog(ctx, e)
}

type meteredCarrier struct {
	bridge.Carrier
	m *benchMeter
}

// Submit takes the wait for a place in the window for one stage, and the way to the SMSC
// and back for another; the record of the attempt, between them, is the journal's.
func (c meteredCarrier) Submit(ctx context.Context, s bridge.Submission) bridge.Result {
	granted := c.m.time("link: wait for the window")
	attempt := s.Attempt
	answered := func() {}
	s.Attempt = func(ctx context.Context, link, account string) error {
		granted()
		err := attempt(ctx, link, account)
		answered = c.m.time("link: submit_sm to its answer")
		return err
	}
	defer func() { answered() }()
	return c.Carrier.Submit(ctx, s)
}
