package bridge

import (
	"errors"
	"fmt"
	"time"
)

// State is where an MT message stands. A message ends in exactly one final state.
type State string

// The states of an MT message, in order. See [State.Final].
const (
	Accepted   State = "accepted"   // on disk, waiting for a link
	Submitting State = "submitting" // written to an SMSC, or about to be: internal, shown as accepted
	Sent       State = "sent"       // the SMSC took every segment
	Delivered  State = "delivered"  // the phone has every segment
	Failed     State = "failed"     // it will not arrive; the Reason says why
	Expired    State = "expired"    // its validity ended before the phone could be reached
	Unknown    State = "unknown"    // nobody can say whether it was sent
)

// Final tells whether no other state follows s.
func (s State) Final() bool {
	switch s {
	case Delivered, Failed, Expired, Unknown:
		return true
	default:
		return false
	}
}

// Shown is the state as people see it: one that is being submitted has been accepted.
func (s State) Shown() State {
	if s == Submitting {
		return Accepted
	}
	return s
}

// Reason is why a message was refused or ended as it did: a closed set, for
// metrics, programs and tests. Plain words for people go with it.
type Reason string

// Reasons for a refusal at intake.
const (
	ReasonBadNumber    Reason = "bad_number"    // the address is no phone number
	ReasonEmpty        Reason = "empty_text"    // there is nothing to send
	ReasonTooLong      Reason = "text_too_long" // more segments than allowed
	ReasonBadText      Reason = "bad_text"      // the text is not valid Unicode
	ReasonNotPermitted Reason = "not_permitted" // this handle may not text this phone
	ReasonTooManyOpen  Reason = "too_many_open" // this handle has as many conversations open as it may
	ReasonNoNumber     Reason = "no_number"     // no Number is free for this conversation
	ReasonStopped      Reason = "stopped"       // the phone has said STOP
	ReasonIDReused     Reason = "id_reused"     // the same id came before with another text or recipient
	ReasonQueueFull    Reason = "queue_full"    // try again later
	ReasonUnavailable  Reason = "unavailable"   // the store cannot be reached; try again later
)

// Reasons for the end of an accepted message.
const (
	ReasonNone          Reason = ""
	ReasonRejected      Reason = "rejected"      // the SMSC refused it for good
	ReasonUndeliverable Reason = "undeliverable" // the SMSC took it and could not deliver it
	ReasonExpired       Reason = "expired"       // validity ended
	ReasonUncertain     Reason = "uncertain"     // submitted, and no answer came
	ReasonUnroutable    Reason = "unroutable"    // nobody to hand it to
	ReasonUnreadable    Reason = "unreadable"    // the message cannot be read
	ReasonInternal      Reason = "internal"      // a defect of the bridge
	ReasonPurged        Reason = "purged"        // an operator gave it up while it waited
)

// Reasons lists the closed set, for metrics that start at zero.
func Reasons() []Reason {
	return []Reason{
		ReasonBadNumber, ReasonEmpty, ReasonTooLong, ReasonBadText, ReasonNotPermitted, ReasonTooManyOpen, ReasonNoNumber, ReasonStopped, ReasonIDReused,
		ReasonQueueFull, ReasonUnavailable, ReasonRejected, ReasonUndeliverable, ReasonExpired, ReasonUncertain,
		ReasonUnroutable, ReasonUnreadable, ReasonInternal, ReasonPurged,
	}
}

// Temporary tells whether the same request may succeed later.
func (r Reason) Temporary() bool {
	return r == ReasonQueueFull || r == ReasonUnavailable || r == ReasonInternal
}

// RefusalError is why the hub did not accept a message. Nothing of it was stored.
type RefusalError struct {
	Reason Reason
	// Text says to the sender, in plain words, what happened and what to do.
	Text string
	// Err is the cause, for the log; nil where the request itself is at fault.
	Err error
}

func (e *RefusalError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("bridge: refused (%s): %v", e.Reason, e.Err)
	}
	return fmt.Sprintf("bridge: refused (%s): %s", e.Reason, e.Text)
}

// Unwrap gives the cause.
func (e *RefusalError) Unwrap() error { return e.Err }

// LaterError is what a Dispatch returns where the message is to be dispatched again,
// but not before At: nothing went wrong that the queue would have to know of. Until
// then the message holds up its own conversation and nothing else.
type LaterError struct {
	At time.Time
}

func (e *LaterError) Error() string {
	return "bridge: to be dispatched again at " + e.At.UTC().Format(time.RFC3339)
}

// Errors that a store gives the hub.
var (
	// ErrFull: the stream is at its limit and refuses; nothing was stored.
	ErrFull = errors.New("bridge: the queue is full")
	// ErrHandleFull: it is full for this sender, of whom as many wait as may.
	ErrHandleFull = fmt.Errorf("%w for this sender", ErrFull)
	// ErrRouteFull: it is full for this destination, whose route has as many waiting as may.
	ErrRouteFull = fmt.Errorf("%w for this destination", ErrFull)
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("bridge: no such record")
	// ErrConflict: the record changed since it was read; read it again.
	ErrConflict = errors.New("bridge: the record was changed by someone else")
	// ErrTakenOver is the cause with which the context of a Dispatch ends where another
	// instance may take the message over while this daemon goes on.
	ErrTakenOver = errors.New("bridge: another instance may have the message now")
	// ErrUndeliverable: the network refuses this message for good.
	ErrUndeliverable = errors.New("bridge: the network refuses the message for good")
)
