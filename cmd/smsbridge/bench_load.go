package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// benchText is one segment of usual length.
const benchText = "The lift on the third floor is out of order until Thursday; please take the stairs at the north entrance."

// benchConversations is how many conversations the messages are spread over.
const benchConversations = 2000

// benchLoad writes messages to a rig and waits for what becomes of them.
type benchLoad struct {
	rig    *benchRig
	want   bridge.State
	atOnce int
	next   atomic.Int64
}

// request makes the next message of conversation n.
func (l *benchLoad) request(n int) bridge.Request {
	return bridge.Request{
		Handle: benchHandle(n), To: benchPhone(n),
		Text: benchText, NetworkID: strconv.FormatInt(l.next.Add(1), 36),
	}
}

func benchHandle(n int) addressing.Handle {
	return addressing.MustParseHandle(fmt.Sprintf("xmpp:user%d@bench.example", n))
}

// benchPhone is a phone that no magic number names.
func benchPhone(n int) string { return fmt.Sprintf("+336%06d11", n) }

// send writes one message and waits until it has ended.
func (l *benchLoad) send(ctx context.Context, r bridge.Request) (accepted time.Time, err error) {
	told := l.rig.ended.expect(r.NetworkID)
	if _, err := l.rig.app.hub.Accept(ctx, r); err != nil {
		return accepted, err
	}
	accepted = time.Now()
	select {
	case state := <-told:
		if state != l.want {
			return accepted, fmt.Errorf("bench: a message is %s and not %s", state, l.want)
		}
		return accepted, nil
	case <-ctx.Done():
		return accepted, ctx.Err()
	}
}

// benchWarmUp is how long the load runs before it is measured.
const benchWarmUp = 2 * time.Second

// rate keeps atOnce messages on their way for d, after a warm-up, and gives how many
// ended a second, the CPU time that each took here in µs, and the stages.
func (l *benchLoad) rate(ctx context.Context, d time.Duration) (rate, cpu float64, stages []benchStage, err error) {
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	errs := make(chan error, l.atOnce)
	for w := range l.atOnce {
		writers.Go(func() {
			for n := w; stopping.Err() == nil; n += l.atOnce {
				if _, err := l.send(ctx, l.request(n%benchConversations)); err != nil {
					errs <- err
					stop()
					return
				}
			}
		})
	}
	pause(stopping, benchWarmUp)
	before, begun, cpuBefore := l.rig.ended.total(), time.Now(), cpuTime()
	l.rig.meter.reset()
	pause(stopping, d)
	ended, took := l.rig.ended.total()-before, time.Since(begun)
	cpu = perMessage(cpuTime()-cpuBefore, ended)
	stages = l.rig.meter.stages(ended)
	stop()
	writers.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return float64(ended) / took.Seconds(), cpu, stages, errors.Join(err, ctx.Err())
}

// latency offers rate messages a second for d, whatever becomes of them: one that could
// not be written in time is as late as its writer would have found it.
func (l *benchLoad) latency(ctx context.Context, rate int, d time.Duration) (benchLatency, error) {
	m := newBenchLatencies()
	err := l.offer(ctx, rate, d, m, func(n int) bridge.Request { return l.request(n % benchConversations) })
	return m.summary(rate), err
}

// offer writes the messages that next makes, at their times, and waits for them.
func (l *benchLoad) offer(ctx context.Context, rate int, d time.Duration, m *benchLatencies, next func(n int) bridge.Request) error {
	var writers sync.WaitGroup
	begun := time.Now()
	for n := range int(d.Seconds() * float64(rate)) {
		intended := begun.Add(time.Duration(n) * time.Second / time.Duration(rate))
		pause(ctx, time.Until(intended))
		writers.Go(func() {
			accepted, err := l.send(ctx, next(n))
			m.add(accepted.Sub(intended), time.Since(intended), err)
		})
	}
	writers.Wait()
	return errors.Join(m.err, ctx.Err())
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// benchLatencies gathers how long messages took.
type benchLatencies struct {
	mu              sync.Mutex
	accepted, final []time.Duration
	err             error // the first
}

func newBenchLatencies() *benchLatencies { return &benchLatencies{} }

func (m *benchLatencies) add(accepted, final time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if m.err == nil {
			m.err = err
		}
		return
	}
	m.accepted, m.final = append(m.accepted, accepted), append(m.final, final)
}

func (m *benchLatencies) summary(rate int) benchLatency {
	m.mu.Lock()
	defer m.mu.Unlock()
	return benchLatency{Offered: rate, Accepted: quantilesOf(m.accepted), Final: quantilesOf(m.final)}
}
