package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"smsbridge/bridge"
)

// maxPanics is how often a handler may panic on one message before it is a dead letter.
const maxPanics = 5

// lane works on one lane of a queue: it takes messages (fetch.go), keeps those of each
// conversation in a line, runs one handler for each line, and acknowledges what is
// done (settle.go).
//
// Memory is bounded: Credit handlers run for each route, Credit messages wait whole, and the
// rest of what was taken, Held at most, waits as a sequence number and is read again when its
// turn comes. So a conversation that waits costs little and the lane can look past it, and so
// it can past a route that is down or slow.
type lane[M any] struct {
	s      *Store
	stage  stage[M]
	group  string
	number int
	handle func(context.Context, M) error
	log    zerolog.Logger
	stats  *counters

	mu      sync.Mutex
	held    map[uint64]*held[M] // what was taken and not acknowledged, and a few more, by sequence
	lines   map[string]*line[M] // by conversation; none is empty
	crews   map[string]*crew[M] // by route
	whole   int                 // messages that wait whole
	stopped bool
	turns   sync.WaitGroup
	// takeover: another instance may have worked on this lane. Only fetch uses it.
	takeover bool
	ctx      context.Context // of run; set before the lane is known to others

	finished []*held[M]    // to be acknowledged
	acked    []uint64      // the last that were, still in held
	pulse    pulse         // has no need of the lock
	lastAck  string        // where the last acknowledgement went; settle's own
	wake     chan struct{} // something is finished
}

// held is a message that was taken from the server.
type held[M any] struct {
	seq   uint64
	reply string // where its acknowledgement goes
	msg   *M     // nil while it is only a number
	term  string // the reason, where it ends as a dead letter
	acked bool
	at    int64 // when it was stored, in nanoseconds of Unix time
	since heldSince
}

// crew is the handlers that work for one route, and the lines that wait for one of them.
type crew[M any] struct {
	route   string
	ready   []*line[M] // lines whose head may start, in turn
	running int
}

// line is the messages of one conversation, oldest first.
type line[M any] struct {
	key     string
	crew    *crew[M]
	counted []string // in Store.waiting
	msgs    []*held[M]
	// Of the head:
	busy             bool // a handler has it, or it waits for its next attempt
	attempts, panics int
	lastErr          string
	retry            *time.Timer // while it waits for its next attempt
}

func newLane[M any](s *Store, st stage[M], group string, number int, handle func(context.Context, M) error) *lane[M] {
	return &lane[M]{
		s: s, stage: st, group: group, number: number, handle: handle,
		log:   s.log.With().Str("stage", strings.ToLower(st.name)).Str("group", group).Int("lane", number).Logger(),
		stats: s.counters[st.name],
		held:  make(map[uint64]*held[M]), lines: make(map[string]*line[M]), crews: make(map[string]*crew[M]),
		wake: make(chan struct{}, 1), takeover: s.keeper != nil,
	}
}

// prefix is what the lane's subjects have before their number.
func (l *lane[M]) prefix() string { return strings.ToLower(l.stage.name) + "." + l.group + "." }

// run works until ctx ends and every handler has returned.
func (l *lane[M]) run(ctx context.Context) {
	done := make(chan struct{})
	l.ctx = ctx
	l.pulse.beat()
	defer l.s.atWork.add(l)()
	var settling sync.WaitGroup
	settling.Go(func() { l.settle(done) })
	l.fetch(ctx)
	l.stop()
	l.turns.Wait()
	l.uncount()
	close(done)
	settling.Wait()
	if fence(ctx) == nil {
		l.confirm()
	}
}

// uncount takes back what the lane counts as waiting: who works on it next counts anew.
func (l *lane[M]) uncount() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.lines {
		l.s.waiting.add(ln.counted, -len(ln.msgs))
	}
}

// stop starts no other turn.
func (l *lane[M]) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for _, ln := range l.lines {
		if ln.retry != nil {
			ln.retry.Stop()
		}
	}
}

// take puts a message that the server gave into its line. One that is held already has
// been given out again: only the way to acknowledge it is new.
func (l *lane[M]) take(ctx context.Context, seq uint64, at time.Time, subject, reply string, data []byte) {
	l.mu.Lock()
	if h, again := l.held[seq]; again {
		h.reply = reply
		acked := h.acked
		l.mu.Unlock()
		if acked {
			_ = l.s.nc.Publish(reply, ackDone) // if this one is lost too, it comes again
		}
		return
	}
	commit := l.s.commit
	h := &held[M]{seq: seq, reply: reply, at: at.UnixNano(), since: heldSince{begun: commit.begun.Load(), era: commit.Era()}}
	l.held[seq] = h
	l.mu.Unlock()

	m, err := decode[M](data)
	if err != nil {
		l.buryUnreadable(ctx, h, subject, data, err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.msg = m
	l.whole++
	key := l.stage.key(m)
	ln := l.lines[key]
	if ln == nil {
		ln = &line[M]{key: key, crew: l.crewOf(m)}
		if l.stage.counted != nil {
			ln.counted = l.stage.counted(l.s, m)
		}
		l.lines[key] = ln
		ln.wait()
	}
	ln.msgs = append(ln.msgs, h)
	l.s.waiting.add(ln.counted, 1)
	l.dispatch(ctx, ln.crew)
	l.thin(h)
}

// thin forgets what h says if too many messages wait whole. The lock is held.
func (l *lane[M]) thin(h *held[M]) {
	if h.msg != nil && l.whole > l.s.cfg.Credit {
		h.msg = nil
		l.whole--
	}
}

// crewOf gives the handlers for the route of m as it is now. The lock is held.
func (l *lane[M]) crewOf(m *M) *crew[M] {
	route := ""
	if l.stage.route != nil {
		route = l.stage.route(l.s, m)
	}
	c := l.crews[route]
	if c == nil {
		c = &crew[M]{route: route}
		l.crews[route] = c
	}
	return c
}

// wait puts the line behind those that wait for a handler. The lock of the lane is held.
func (ln *line[M]) wait() {
	ln.busy = false
	ln.crew.ready = append(ln.crew.ready, ln)
}

// dispatch starts turns of a crew while there is credit. The lock is held.
func (l *lane[M]) dispatch(ctx context.Context, c *crew[M]) {
	for !l.stopped && ctx.Err() == nil && !l.s.holds(l.stage.name) && c.running < l.s.cfg.Credit && len(c.ready) > 0 {
		ln := c.ready[0]
		c.ready[0] = nil
		c.ready = c.ready[1:]
		ln.busy = true
		h := ln.msgs[0]
		m := h.msg
		if m != nil {
			h.msg = nil // the turn has it
			l.whole--
		}
		h.since.era = l.s.commit.Era()
		c.running++
		l.turns.Go(func() { l.turn(ctx, ln, h, m) })
	}
}

// turn handles the head of a line once.
func (l *lane[M]) turn(ctx context.Context, ln *line[M], h *held[M], m *M) {
	var err error
	if m == nil {
		m, err = l.load(ctx, h.seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			l.advance(ctx, ln, "") // an operator removed it
			return
		}
	}
	panicked := false
	if err == nil {
		panicked, err = l.call(context.WithValue(ctx, heldKey{}, h.since), m)
	}
	switch {
	case err == nil:
		l.advance(ctx, ln, "")
	case panicked && ln.panics+1 >= maxPanics && l.bury(ctx, m, err):
		l.advance(ctx, ln, "the handler panicked")
	default:
		l.again(ctx, ln, m, err, panicked)
	}
}

// load reads a message again that was only a number.
func (l *lane[M]) load(ctx context.Context, seq uint64) (*M, error) {
	raw, err := l.s.streams[l.stage.name].GetMsg(ctx, seq)
	if err != nil {
		return nil, fmt.Errorf("queue: read message %d of %s again: %w", seq, l.stage.name, err)
	}
	return decode[M](raw.Data)
}

// call runs the handler; a panic becomes an error.
func (l *lane[M]) call(ctx context.Context, m *M) (panicked bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.stats.panics.Add(1)
			l.log.Error().Str("message_id", l.stage.id(m)).Interface("panic", p).Bytes("stack", debug.Stack()).
				Msg("queue: a handler panicked")
			panicked, err = true, fmt.Errorf("queue: the handler panicked: %v", p)
		}
	}()
	return false, l.handle(ctx, *m)
}

// advance ends the head of a line: it is to be acknowledged, and the next may start.
func (l *lane[M]) advance(ctx context.Context, ln *line[M], term string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := ln.msgs[0]
	ln.msgs[0] = nil
	ln.msgs = ln.msgs[1:]
	l.s.waiting.add(ln.counted, -1)
	ln.attempts, ln.panics, ln.lastErr = 0, 0, ""
	if len(ln.msgs) > 0 {
		ln.wait()
	} else {
		delete(l.lines, ln.key)
	}
	l.finish(h, term)
	ln.crew.running--
	l.dispatch(ctx, ln.crew)
}

// again lets the head of a line wait for its next attempt, without its credit: for as
// long as the handler asks (bridge.LaterError), or longer after each failure.
func (l *lane[M]) again(ctx context.Context, ln *line[M], m *M, err error, panicked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln.crew.running--
	if l.stopped || ctx.Err() != nil {
		return // it stays queued
	}
	h := ln.msgs[0]
	if m != nil {
		h.msg = m
		l.whole++
		l.thin(h)
	}
	if later, ok := errors.AsType[*bridge.LaterError](err); ok {
		l.retryIn(ctx, ln, time.Until(later.At))
		return
	}
	l.stats.retried.Add(1)
	if panicked {
		ln.panics++
	}
	if text := err.Error(); text != ln.lastErr {
		ln.lastErr = text
		event := l.log.Warn().Err(err).Int("attempt", ln.attempts+1)
		if m != nil {
			event = event.Str("message_id", l.stage.id(m))
		}
		event.Msg("queue: a message was not handled; it will be tried again")
	}
	delay := retryDelay(ln.attempts, l.s.cfg.RetryMin, l.s.cfg.RetryMax)
	ln.attempts++
	l.retryIn(ctx, ln, delay)
}

// retryIn makes a line ready after a delay, which may be over. Others that are ready
// start now. The lock is held.
func (l *lane[M]) retryIn(ctx context.Context, ln *line[M], delay time.Duration) {
	ln.retry = time.AfterFunc(delay, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		ln.retry = nil
		if !l.stopped {
			ln.wait()
			l.dispatch(ctx, ln.crew)
		}
	})
	l.dispatch(ctx, ln.crew)
}

// bury makes a dead letter of a message whose handler panics; false if it could not.
func (l *lane[M]) bury(ctx context.Context, m *M, cause error) bool {
	d := l.letter(l.stage.id(m), bridge.ReasonInternal, cause.Error())
	l.stage.dead(&d, m)
	if err := l.s.giveUp(ctx, d); err != nil {
		l.log.Error().Err(err).Str("message_id", d.ID).Msg("queue: a dead letter was not stored; trying again")
		return false
	}
	l.log.Error().Str("message_id", d.ID).Err(cause).Msg("queue: a message was given up: see the dead letters")
	return true
}

// buryUnreadable makes a dead letter of what cannot be decoded. It tries until ctx ends:
// nothing may overtake what nobody can say the conversation of.
func (l *lane[M]) buryUnreadable(ctx context.Context, h *held[M], subject string, data []byte, cause error) {
	d := l.letter(rawID(data), bridge.ReasonUnreadable, cause.Error())
	d.Raw, d.Subject = data, subject
	for attempt := 0; ; attempt++ {
		err := l.s.giveUp(ctx, d)
		if err == nil {
			break
		}
		l.log.Error().Err(err).Uint64("sequence", h.seq).Msg("queue: a dead letter was not stored; trying again")
		if !sleep(ctx, retryDelay(attempt, l.s.cfg.RetryMin, l.s.cfg.RetryMax)) {
			return
		}
	}
	l.log.Error().Err(cause).Uint64("sequence", h.seq).Msg("queue: a message cannot be decoded: see the dead letters")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finish(h, "not decodable")
}

func (l *lane[M]) letter(id string, why bridge.Reason, detail string) bridge.Dead {
	return bridge.Dead{V: letterVersion, ID: id, Stage: l.stage.name, Reason: why, Detail: detail, At: time.Now().UTC()}
}
