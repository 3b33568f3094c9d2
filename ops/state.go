package ops

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"smsbridge/bridge"
)

// QueueDepth is how much waits in one stage of the queue.
type QueueDepth struct {
	Stage    string // mt, mo, out or dead
	Messages uint64
	Bytes    uint64
	MaxBytes uint64    // 0: no limit
	OldestAt time.Time // when the oldest was stored; zero where nothing waits
}

// StageStats counts what the queue has done in one stage since the daemon started.
type StageStats struct {
	Stage                                   string // mt, mo or out
	Published, Acked, Retried, Panics, Dead uint64
}

// The statuses of a link.
const (
	LinkConnecting = "connecting"
	LinkBound      = "bound"
	LinkPaused     = "paused" // bound, and throttled by the SMSC for now
	LinkDown       = "down"
	// LinkQuarantined is down for longer: the SMSC drops each bind at once.
	LinkQuarantined = "quarantined"
)

// LinkStatuses lists the closed set.
func LinkStatuses() []string {
	return []string{LinkConnecting, LinkBound, LinkPaused, LinkDown, LinkQuarantined}
}

// LinkState is how one link to an SMSC is.
type LinkState struct {
	Name, Account string
	Pool          string // the entry of the file that it is of
	Held          bool   // an operator keeps new messages from it
	Bind          string // transceiver, transmitter or receiver
	Status        string // one of the Link constants
	Since         time.Time
	RetryAt       time.Time // when a link that is down is tried again; zero where it is not
	Window        int       // requests that may be under way
	InUse         int       // requests that are
	Binds         uint64
	LastError     string  // what ended the last try; may be empty
	Rate          float64 // segments a second that its account is held to now; 0: no limit
}

// LinkCounts is what a link has counted since the daemon started.
type LinkCounts struct {
	Name, Account string
	Submits       map[bridge.Outcome]uint64 // messages, by how their submit ended
	Segments      uint64                    // segments that the SMSC took
	MORefused     uint64                    // short messages that could not be stored; the SMSC sends them again
	Faults        LinkFaults
}

// LinkFaults counts what a peer, or the bridge, should not have done.
type LinkFaults struct {
	ResponseTimeouts, LateResponses, StrayResponses, Malformed, UnknownCommands, Panics uint64
}

// MessengerState is how the connection to one messenger network is.
type MessengerState struct {
	Network   string
	Connected bool
	Elsewhere bool // another instance has the connection for all
	Since     time.Time
	LastError string // what ended the last try; may be empty
	Bounced   uint64 // texts that the network gave back after taking them
	Panics    uint64 // handlers that panicked; each is a defect
}

// LeaseCounts is how the work is shared among instances.
type LeaseCounts struct {
	Instances               int // that live, this one included; 0 where there can only be one
	Here, Elsewhere, Nobody int // lanes and tasks, by who holds them
	Taken, Given, Lost      uint64
}

// Check is something without which the daemon is not ready. Its function returns nil,
// or says what is wrong; it returns when ctx ends.
type Check struct {
	Name  string
	Check func(ctx context.Context) error
}

// LinksReady is a Check that at least one link is bound.
func LinksReady(links func() []LinkState) Check {
	return Check{Name: "links", Check: func(context.Context) error {
		var down []string
		for _, l := range links() {
			if l.bound() {
				return nil
			}
			down = append(down, l.whyDown())
		}
		if len(down) == 0 {
			return errors.New("there is no link")
		}
		return fmt.Errorf("no link is bound: %s", strings.Join(down, "; "))
	}}
}

// MessengersReady is a Check that all messengers are connected, here or at another instance.
func MessengersReady(messengers func() []MessengerState) Check {
	return Check{Name: "messengers", Check: func(context.Context) error {
		var away []string
		for _, m := range messengers() {
			if !m.Connected && !m.Elsewhere {
				away = append(away, fmt.Sprintf("%s is away since %s%s", m.Network, stamp(m.Since), because(m.LastError)))
			}
		}
		if len(away) == 0 {
			return nil
		}
		return errors.New(strings.Join(away, "; "))
	}}
}

func (l LinkState) whyDown() string {
	why := fmt.Sprintf("%s is %s since %s", l.Name, l.Status, stamp(l.Since))
	if l.Status == LinkQuarantined {
		why += fmt.Sprintf(": the SMSC drops each bind at once; it is tried again at %s", stamp(l.RetryAt))
	}
	return why + because(l.LastError)
}

func (l LinkState) bound() bool { return l.Status == LinkBound || l.Status == LinkPaused }

func stamp(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return t.UTC().Format(time.RFC3339)
}

func because(lastError string) string {
	if lastError == "" {
		return ""
	}
	return " (" + lastError + ")"
}
