package queue

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// Durability is what must not harm a message once it was accepted.
type Durability string

// The durabilities of an embedded server.
const (
	Power   Durability = "power"   // a power cut: the default
	Process Durability = "process" // the death of the process, but not of the machine
)

// Config says where the queue lives and how much it may hold. Zero values mean the
// documented defaults.
type Config struct {
	// Dir is the data directory of the embedded server. It is made if need be, readable by
	// its owner only, and used by one process at a time. Required unless URL is set.
	Dir string
	// Listen is a loopback address, such as 127.0.0.1:4222, at which the embedded server
	// also serves the nats command line tool; port 0 picks a free one. Default: nowhere.
	Listen string
	// URL of an external NATS server or cluster with JetStream, 2.14 or later; several are
	// separated by commas. Default: an embedded server.
	URL string
	// CredsFile holds the credentials for URL.
	CredsFile string
	// Token is the secret for URL, or what Listen asks of its clients.
	Token string
	// Replicas of each stream: 1 (default) to 5, more than one only in a cluster.
	Replicas int
	// Durability of an embedded server: Power (default) or Process.
	Durability Durability

	// Lanes is the number of consumers that the phones are spread over: 1 to 64, default 8.
	// While messages are queued a change waits for a later start.
	Lanes int
	// Credit is how many handlers a lane runs at once for each route, and how many more messages
	// it keeps in memory whole: 1 to 100000, default 256.
	Credit int
	// Held is how many messages a lane takes from the server before they are done: a
	// conversation or a route with more than that waiting holds up its lane. Default 25000, at
	// about 250 bytes each; at least Credit.
	Held int
	// AckWait is how long the server waits for a sign of life of a message that was taken
	// before it gives it out again. Default 10 minutes.
	AckWait time.Duration
	// LeaseTime is how long an instance at an external server holds its lanes after its
	// last sign of life, and so within what time another takes over from one that died.
	// 1 s to 10 min; longer than the cluster takes to choose a new leader. Default 10 s.
	LeaseTime time.Duration
	// RetryMin and RetryMax bound the delay before a message whose handler failed is handled
	// again; it doubles from one to the other. Defaults 100 ms and 10 s.
	RetryMin, RetryMax time.Duration

	// MTMaxBytes, MOMaxBytes and OUTMaxBytes bound the work queues on disk. A full one
	// refuses with bridge.ErrFull. Defaults 1 GiB, 1 GiB and 1 GiB.
	MTMaxBytes, MOMaxBytes, OUTMaxBytes int64
	// MTMaxMsgs, MOMaxMsgs and OUTMaxMsgs bound them in messages. Default: no bound.
	MTMaxMsgs, MOMaxMsgs, OUTMaxMsgs int64
	// MTMaxPerHandle bounds how many messages of one person wait for phones, and MTMaxPerRoute
	// how many of one route, as RouteOf names it; see [waiting]. The bounds are kept to within a
	// few messages, and up to Lanes times Held. Default: no bound.
	MTMaxPerHandle, MTMaxPerRoute int
	// RouteOf names the route that a message would take now. Required for MTMaxPerRoute. It
	// is called concurrently and must not block.
	RouteOf func(addressing.Handle, addressing.MSISDN) string
	// LogMaxBytes bounds the log of the conversations; the oldest entries go first. Default 1 GiB.
	LogMaxBytes int64
	// DeadMaxBytes bounds the dead letters; the oldest go first. Default 256 MiB.
	DeadMaxBytes int64
	// MinFree is the free space on Dir's file system, in bytes, below which nothing is accepted
	// any more. Default 100 MB; negative: no floor.
	MinFree int64

	// SentFor is how long the journal keeps a story after its last change, and so how late a
	// receipt or a repeat is recognised. Default 7 days.
	SentFor time.Duration
	// SentMaxMsgs bounds the journal in records, one for each message and one for each segment
	// that waits for its receipt; the server holds some 170 bytes of memory for each. From a
	// quarter of it on, what has ended is kept shorter than SentFor, down to an hour; a journal
	// that is full refuses new messages with bridge.ErrFull. Default 5,000,000.
	SentMaxMsgs int64
	// RememberedPhones is how many phones' records the process keeps in memory, at some 120 bytes
	// each, once it has read or written them; when there are as many again, those not asked for
	// since are forgotten. A record that is remembered is read in a microsecond in place of some
	// 30. Default 1,000,000; negative: none. At an external server, to which other instances
	// write, none is remembered.
	RememberedPhones int
	// LogFor is how long conversations are kept. Default 90 days.
	LogFor time.Duration
	// DeadFor is how long dead letters are kept. Default 90 days.
	DeadFor time.Duration
	// CallsMaxBytes bounds the call-detail records that wait, the oldest of which go first, and
	// CallsFor is how long they are kept at most. Defaults: no records are kept; as long as
	// there is room.
	CallsMaxBytes int64
	CallsFor      time.Duration
	// PartsFor is how long the records of bridge.Parts are kept. Default bridge.PartsKept.
	PartsFor time.Duration
	// MarksFor is how long the marks of bridge.Marks are kept, by the time of day: twice the hour
	// that they are good for, should somebody set the clock meanwhile. Default 2 hours.
	MarksFor time.Duration
	// DuplicateWindow is how long a queue knows the ids that it holds, at some 100 bytes each. A
	// convenience: what must hold is in the journal. Default 2 minutes at an external server,
	// whose answers may be lost, and 10 s at the embedded one.
	DuplicateWindow time.Duration

	// Logger for all of the room, the server included. Default: no log.
	Logger zerolog.Logger
}

// withDefaults fills in the defaults and checks the rest.
func (c Config) withDefaults() (Config, error) {
	orInt(&c.Replicas, 1)
	orInt(&c.Lanes, 8)
	orInt(&c.Credit, 256)
	orInt(&c.Held, max(25_000, c.Credit))
	window := 10 * time.Second
	if c.URL != "" {
		window = 2 * time.Minute
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&c.AckWait, 10 * time.Minute},
		{&c.LeaseTime, 10 * time.Second},
		{&c.RetryMin, 100 * time.Millisecond},
		{&c.RetryMax, 10 * time.Second},
		{&c.SentFor, 7 * 24 * time.Hour},
		{&c.LogFor, 90 * 24 * time.Hour},
		{&c.DeadFor, 90 * 24 * time.Hour},
		{&c.PartsFor, bridge.PartsKept},
		{&c.MarksFor, 2 * time.Hour},
		{&c.DuplicateWindow, window},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	const gib = 1 << 30
	for _, b := range []*int64{&c.MTMaxBytes, &c.MOMaxBytes, &c.OUTMaxBytes, &c.LogMaxBytes} {
		if *b == 0 {
			*b = gib
		}
	}
	if c.DeadMaxBytes == 0 {
		c.DeadMaxBytes = gib / 4
	}
	if c.SentMaxMsgs == 0 {
		c.SentMaxMsgs = 5_000_000
	}
	if c.RememberedPhones == 0 {
		c.RememberedPhones = 1_000_000
	}
	if c.MinFree == 0 {
		c.MinFree = 100 << 20
	}
	if c.Durability == "" {
		c.Durability = Power
	}
	return c, c.check()
}

func orInt(value *int, or int) {
	if *value == 0 {
		*value = or
	}
}

// check says all that is wrong at once.
func (c Config) check() error {
	var errs []error
	wrong := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New("queue: "+text))
		}
	}
	wrong(c.Dir == "" && c.URL == "", "no data directory is set for the embedded server, and no URL of an external one")
	wrong(c.Lanes < 1 || c.Lanes > 64, "lanes must be 1 to 64")
	wrong(c.Credit < 1 || c.Credit > 100_000, "credit must be 1 to 100000")
	wrong(c.Held < c.Credit, "held must be at least credit")
	wrong(c.Replicas < 1 || c.Replicas > 5, "replicas must be 1 to 5")
	wrong(c.Replicas > 1 && c.URL == "", "replicas needs an external cluster: set its URL, or leave replicas at 1")
	wrong(c.Durability != Power && c.Durability != Process, "durability must be power or process")
	wrong(c.SentMaxMsgs < 1, "the bound of the journal must be 1 or more")
	wrong(c.RetryMin < 0 || c.RetryMax < c.RetryMin, "the longest delay of a retry is shorter than the shortest")
	wrong(c.LeaseTime < time.Second || c.LeaseTime > 10*time.Minute, "the time of a lease must be 1 s to 10 min")
	wrong(c.MTMaxPerRoute > 0 && c.RouteOf == nil, "a bound for each route needs to know the routes")
	wrong(c.AckWait < 100*time.Millisecond, "the wait for an acknowledgement must be 100 ms or more")
	wrong(c.Listen != "" && c.URL != "", "listen is for the embedded server only: leave it out where URL is set")
	if c.Listen != "" {
		host, _, err := net.SplitHostPort(c.Listen)
		ip := net.ParseIP(host)
		if err != nil || ip == nil || !ip.IsLoopback() {
			errs = append(errs, fmt.Errorf("queue: listen %q is not a loopback address: write it like 127.0.0.1:4222; "+
				"whoever can connect can read every message", c.Listen))
		}
	}
	return errors.Join(errs...)
}
