package ops

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"smsbridge/addressing"
)

// The records of phones are many, so that they are counted seldom: not while the daemon starts, and
// never for more than a fiftieth of the time.
const (
	censusAfter = 10 * time.Second
	censusEvery = 5 * time.Minute
	censusShare = 50
)

// Census counts what is in the records of all phones, again and again. Its last count is in the metrics.
type Census struct {
	take func(context.Context) (addressing.Census, error)
	last atomic.Pointer[addressing.Census]
	log  zerolog.Logger
}

// NewCensus makes one that counts by take, which is [addressing.Book.Census].
func NewCensus(take func(context.Context) (addressing.Census, error), log zerolog.Logger) *Census {
	return &Census{take: take, log: log}
}

// Run counts until ctx ends, first after 10 s, then every 5 minutes, or less often where counting takes
// more than 6 s. It is called once. The error is that of ctx.
func (c *Census) Run(ctx context.Context) error {
	for pause := censusAfter; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = censusEvery
		found, err := c.take(ctx)
		if err != nil {
			if ctx.Err() == nil {
				c.log.Warn().Err(err).Msg("conversations and opt-outs could not be counted; their metrics are as they were, and it is tried again")
			}
			continue
		}
		c.last.Store(&found)
		pause = max(censusEvery, censusShare*found.Took)
	}
}

var (
	censusAt        = gauge("census_timestamp_seconds", "When conversations and opt-outs were counted last.")
	conversations   = gauge("conversations", "Conversations that are not over, by what their number is for.", "use")
	numbersInUse    = gauge("numbers", "Numbers that take new conversations, by what they are for.", "use")
	optouts         = gauge("optouts", "Opt-outs: of a phone from one person, or from everybody.")
	poolTakenPhones = gauge("pool_taken_phones", "Phones on which no number of the pool is free for another person.")
)

// Describe sends the families, as prometheus.Collector asks.
func (c *Census) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range []family{censusAt, conversations, numbersInUse, optouts, poolTakenPhones} {
		ch <- f.desc
	}
}

// Collect sends the last count; before the first there is nothing to say.
func (c *Census) Collect(ch chan<- prometheus.Metric) {
	found := c.last.Load()
	if found == nil {
		return
	}
	emit := func(f family, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
	}
	emit(censusAt, float64(found.At.UnixMilli())/1000)
	for _, use := range []string{addressing.UsePool, addressing.UseShared, addressing.UseDedicated} {
		emit(conversations, float64(found.Open[use]), use)
		emit(numbersInUse, float64(found.Numbers[use]), use)
	}
	emit(optouts, float64(found.Optouts))
	emit(poolTakenPhones, float64(found.PoolTaken))
}
