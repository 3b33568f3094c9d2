package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/ops"
	"smsbridge/queue"
)

const (
	// eraseRounds bounds how often is looked for what came in meanwhile, and eraseEvery is
	// between: for that long a status has time to reach a sender.
	eraseRounds = 6
	eraseEvery  = time.Second
	// erasedOutright is for how long a story must have been over to be erased without a trace: for
	// so long its message may come back after a crash, or be in the hands of another instance.
	erasedOutright = bridge.StoryKept
	// overwriteFor bounds for how long the queue is slowed down.
	overwriteFor = time.Minute
)

// erasing erases what is kept of a person, or counts it.
type erasing struct {
	a    *app
	what ops.EraseQuery
	dry  bool
	how  *queue.Erasure
	// is and names are of the person, where it is a handle.
	is    func(addressing.Handle, time.Time) bool
	names []addressing.Handle
	words []string // what the person is called in free texts

	ids       map[string]bool // of their messages
	traces    int             // stories of which stays that they were
	stops     int
	ends      []func()
	done      ops.Erased
	callsKept bool
}

// erase implements [ops.Control].
func (a *app) erase(ctx context.Context, what ops.EraseQuery, dry bool) (ops.Erased, error) {
	e := &erasing{a: a, what: what, dry: dry, ids: make(map[string]bool)}
	e.how = &queue.Erasure{Dry: dry, Overwrite: time.Now().Add(overwriteFor)}
	e.done = ops.Erased{Subject: what.String(), DryRun: dry, Counts: []ops.ErasedKind{}, Kept: []string{}}
	directory := a.hub.Book.Directory()
	if what.Phone.IsZero() {
		e.is, e.names = directory.Person(what.Handle)
		for _, name := range e.names {
			e.words = append(e.words, name.String())
		}
		if !dry {
			// What is on its way finds nobody from here on, and nothing new begins.
			if err := directory.EraseNames(ctx, e.names); err != nil {
				return e.done, err
			}
		}
	} else {
		e.words = []string{strings.TrimPrefix(what.Phone.String(), "+")}
	}
	err := e.run(ctx)
	for _, end := range e.ends {
		end()
	}
	return e.done, err
}

func (e *erasing) run(ctx context.Context) error {
	for round := range eraseRounds {
		before := e.done.Total
		e.done.Left = 0
		if err := e.round(ctx, round); err != nil {
			return err
		}
		if e.dry || round > 0 && e.done.Total == before && e.done.Left == 0 {
			break
		}
		select {
		case <-time.After(eraseEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	steps := []func(context.Context) error{e.callRecords, e.audits, e.notes}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	e.tellKept()
	return nil
}

// round erases what there is now. The queue goes first, so that nothing of it makes anything of
// what follows anew; whatever does is found by the next round.
func (e *erasing) round(ctx context.Context, round int) error {
	steps := []func(context.Context) error{e.waiting, e.raw, e.parts}
	if round > 0 || e.dry || e.is != nil {
		steps = append(steps, e.outgoing) // statuses tell others that their messages to the phone are given up
	}
	for _, step := range append(steps, e.said, e.dead, e.records) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// about tells whether something that h had at that time, and that phone was party to, is the person's.
func (e *erasing) about(h addressing.Handle, at time.Time, phone addressing.MSISDN) bool {
	if e.is != nil {
		return e.is(h, at)
	}
	return phone == e.what.Phone
}

func (e *erasing) aboutMT(m bridge.MT) bool { return e.about(m.Handle, m.AcceptedAt, m.Phone) }

func (e *erasing) aboutOUT(m bridge.OUT) bool {
	at := m.Addressed
	if at.IsZero() {
		at = m.At
	}
	return e.about(m.Handle, at, m.Phone)
}

func (e *erasing) aboutMO(m bridge.MO) bool {
	if e.is != nil {
		return false // whose it is has not been decided
	}
	short, err := e.a.hub.Reader.ReadMO(m)
	return err == nil && short.Phone == e.what.Phone
}

// count notes what a step has found.
func (e *erasing) count(kind string, n int, err error) error {
	e.done.Add(kind, n)
	return err
}

// waiting gives up what waits to be sent, each sender told, and erases the journal.
func (e *erasing) waiting(ctx context.Context) error {
	if !e.dry {
		p := purging{a: e.a, remove: func(ctx context.Context, all []uint64) error { return e.a.store.EraseMT(ctx, all, e.how) }, fits: func(sequence uint64, m bridge.MT) bool {
			theirs := e.aboutMT(m)
			if theirs {
				e.ends = append(e.ends, e.a.store.EraseMTEnding(sequence))
			}
			return theirs
		}}
		err := p.run(ctx)
		if err := e.count("messages to phones that waited", p.purged, err); err != nil {
			return err
		}
	}
	queued := make(map[string]bool)
	err := e.a.store.RangeMT(ctx, func(_ uint64, m bridge.MT) bool {
		if e.aboutMT(m) {
			queued[m.ID] = true
		}
		return true
	})
	if err != nil {
		return err
	}
	if e.dry {
		e.done.Add("messages to phones that wait", len(queued))
	}
	over, err := e.stories(ctx, queued)
	if err != nil || e.dry {
		return err
	}
	_, err = e.a.store.EraseQueued(ctx, "mt", func(q queue.Queued) bool { return over[q.MT.ID] && e.aboutMT(*q.MT) }, e.how)
	return err
}

// stories erases the journal, and gives the messages of queued that are over.
func (e *erasing) stories(ctx context.Context, queued map[string]bool) (over map[string]bool, err error) {
	var anew []string
	old := make(map[string]bool)
	err = e.a.store.RangeStories(ctx, 0, func(_ uint64, s bridge.Story) bool {
		if len(s.History) == 0 || !e.about(s.Handle, s.History[0].At, s.Phone) {
			return true
		}
		e.ids[s.ID] = true
		if at, rests := s.RestsSince(); rests && time.Since(at) > erasedOutright && !queued[s.ID] {
			old[s.ID] = true
		} else {
			anew = append(anew, s.ID)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	over = make(map[string]bool)
	for _, id := range anew {
		if e.dry {
			e.done.Add("stories of messages", 1)
			continue
		}
		erased, err := e.a.hub.EraseStory(ctx, id)
		if err != nil {
			return nil, err
		}
		if !erased {
			e.done.Left++
			continue
		}
		over[id] = true
		e.traces++
		e.done.Add("stories of messages", 1)
	}
	n, err := e.a.store.EraseStories(ctx, func(s bridge.Story) bool { return old[s.ID] }, func(r bridge.SegmentRef) bool { return e.ids[r.MessageID] }, e.how)
	return over, e.count("stories of messages", n, err)
}

// raw erases what the phone wrote and nobody has read yet.
func (e *erasing) raw(ctx context.Context) error {
	if e.is != nil {
		return nil
	}
	n, err := e.a.store.EraseQueued(ctx, "mo", func(q queue.Queued) bool { return e.aboutMO(*q.MO) }, e.how)
	return e.count("short messages and receipts that waited", n, err)
}

// parts erases what the hub keeps for up to a day: parts of long texts, questions to phones, codes. A question
// that has a handle among others is not that person's.
func (e *erasing) parts(ctx context.Context) error {
	n, err := e.a.store.EraseParts(ctx, func(key string, value []byte) bool {
		if e.is != nil && (strings.HasPrefix(key, "question ") || strings.HasPrefix(key, "part ")) {
			return false
		}
		return e.mentioned(key) || e.mentioned(string(value))
	}, e.how)
	return e.count("parts of texts, questions and codes", n, err)
}

func (e *erasing) outgoing(ctx context.Context) error {
	n, err := e.a.store.EraseQueued(ctx, "out", func(q queue.Queued) bool { return e.aboutOUT(*q.OUT) }, e.how)
	return e.count("texts and statuses to messengers that waited", n, err)
}

func (e *erasing) said(ctx context.Context) error {
	n, err := e.a.store.EraseSaid(ctx, e.names, e.what.Phone, func(s bridge.Entry) bool { return e.about(s.Handle, s.At, s.Phone) }, e.how)
	return e.count("texts and statuses of the history", n, err)
}

func (e *erasing) dead(ctx context.Context) error {
	n, err := e.a.store.EraseDead(ctx, func(d bridge.Dead) bool {
		theirs := false
		switch {
		case d.MT != nil:
			theirs = e.aboutMT(*d.MT)
		case d.OUT != nil:
			theirs = e.aboutOUT(*d.OUT)
		case d.MO != nil:
			theirs = e.aboutMO(*d.MO)
		default:
			theirs = e.mentioned(string(d.Raw))
		}
		if theirs {
			e.ids[d.ID] = true
		}
		return theirs
	}, e.how)
	return e.count("dead letters", n, err)
}

// records erases the conversations, and the lists of who began which.
func (e *erasing) records(ctx context.Context) error {
	store, book := e.a.store, e.a.hub.Book
	if e.is == nil {
		n, stops, err := book.ErasePhone(ctx, e.what.Phone, func(ctx context.Context, rev uint64) error {
			return store.EraseRecord(ctx, e.what.Phone, rev)
		}, e.dry)
		e.stops = stops
		if err := e.count("conversations of the phone", n, err); err != nil {
			return err
		}
		n, err = store.ErasePhoneBegun(ctx, e.what.Phone, e.how)
		return e.count("lists of who began conversations", n, err)
	}
	n, err := book.EraseHandle(ctx, e.is, e.dry)
	if err := e.count("phones with conversations", n, err); err != nil {
		return err
	}
	for _, name := range e.names {
		was, err := store.EraseBegun(ctx, name, e.how)
		if err != nil {
			return err
		}
		if was {
			e.done.Add("lists of who began conversations", 1)
		}
	}
	return nil
}

// audits erases what operators did to the person by name.
func (e *erasing) audits(ctx context.Context) error {
	n, err := e.a.store.EraseAudits(ctx, func(a bridge.Audit) bool {
		return e.mentioned(a.Subject) || e.mentioned(a.Failed) || e.ids[a.ID]
	}, e.how)
	return e.count("records of what operators did", n, err)
}

// notes erases what operators decided about the person, but that the names are nobody's.
func (e *erasing) notes(ctx context.Context) error {
	if e.is == nil {
		return nil
	}
	directory := e.a.hub.Book.Directory()
	keys, numbers := directory.NotesOf(e.names)
	for _, n := range numbers {
		e.done.Kept = append(e.done.Kept, fmt.Sprintf("the number %s was added for this handle; smsbridge number retire ends that, and its record names the handle", n))
	}
	e.done.Add("names, blocks and registrations", len(keys))
	if e.dry {
		return nil
	}
	return directory.EraseNotes(ctx, e.names, e.a.store.EraseNote)
}
