package bridge

import (
	"context"
	"time"

	"smsbridge/addressing"
)

// This file is what the hub needs of the rooms around it. Each interface is
// implemented by an adapter and wired by cmd.

// Queue stores messages for the workers. A Publish returns nil once the message is
// on disk as the configured durability promises, and not before. It returns an
// error that wraps [ErrFull] where the stream is at its limit. Any other error means
// that it is not known to be stored. All methods may be called concurrently.
type Queue interface {
	PublishMT(ctx context.Context, m MT) error
	// RoomMT tells beforehand, by PublishMT's error, that m would be refused for want of room.
	// It is a quick look: nil promises nothing. Of m it needs who writes and to whom.
	RoomMT(ctx context.Context, m MT) error
	PublishMO(ctx context.Context, m MO) error
	// PublishOUT and the log do not wait for the disk: the worker that calls them
	// holds a message whose acknowledgement does.
	PublishOUT(ctx context.Context, m OUT) error
}

// StoryKept is how long a Journal keeps a story at least after it was last written: for so
// long a sender's repeat is known.
const StoryKept = 10 * time.Minute

// Journal keeps a [Story] for each MT message that was tried, or has ended, and finds it by
// an SMSC's message id. All methods may be called concurrently.
type Journal interface {
	// Forgot tells whether m, which has no story, was tried all the same: a queue that comes
	// back after a crash may bring with it what had left it just before, and where that took
	// longer than StoryKept the story may be gone by then.
	Forgot(ctx context.Context, m MT) (bool, error)
	// Story reads the record and its revision; [ErrNotFound] where there is none.
	Story(ctx context.Context, id string) (Story, uint64, error)
	// PutStory stores s if the record's revision is still rev (0: there is none yet)
	// and returns the new revision; otherwise [ErrConflict]. With durable it returns
	// once the record is on disk as the configured durability promises. A story that says
	// Told is stored once all that the caller stored before is on disk.
	PutStory(ctx context.Context, s Story, rev uint64, durable bool) (uint64, error)
	ReceiptIndex
}

// ReceiptIndex finds what an SMSC's message id belongs to, within one SMSC account.
type ReceiptIndex interface {
	PutRef(ctx context.Context, account, smscID string, ref SegmentRef) error
	// Ref gives what the first candidate that is known belongs to; [ErrNotFound]
	// where none is.
	Ref(ctx context.Context, account string, candidates []string) (SegmentRef, error)
}

// Archive keeps what is written once: the log of each conversation and dead letters.
type Archive interface {
	AppendLog(ctx context.Context, e Entry) error
	PublishDead(ctx context.Context, d Dead) error
}

// PartsKept is how long [Parts] keeps a record at least after it was last written, also while the
// bridge is off: texts that phones were told are taken wait there.
const PartsKept = 30 * 24 * time.Hour

// Parts keeps small records with compare-and-set: the segments of a long MO message
// until all are there. A key is any text; a record vanishes by itself after PartsKept. What
// the caller stored before is on disk before a record is changed or deleted, so that a
// power cut leaves none that says more than was done.
type Parts interface {
	// LoadPart reads a record; [ErrNotFound] where there is none.
	LoadPart(ctx context.Context, key string) (value []byte, rev uint64, err error)
	// SavePart stores a record if its revision is still rev (0: there is none) and
	// returns the new revision; otherwise [ErrConflict].
	SavePart(ctx context.Context, key string, value []byte, rev uint64) (uint64, error)
	// DeletePart removes a record if its revision is still rev; otherwise [ErrConflict].
	DeletePart(ctx context.Context, key string, rev uint64) error
	// RangeParts calls fn for each record until it returns false.
	RangeParts(ctx context.Context, fn func(key string, value []byte, rev uint64) bool) error
}

// Marks remember for an hour or longer what was dealt with: MO messages, by what they say, so
// that one which the SMSC or the queue repeats is seen once. What the caller stored before
// is on disk before a mark is set.
type Marks interface {
	// Mark reads a mark; [ErrNotFound] where there is none.
	Mark(ctx context.Context, key string) ([]byte, error)
	SetMark(ctx context.Context, key string, value []byte) error
}

// Carrier takes texts to SMSCs; the smpp room implements it over its links.
type Carrier interface {
	// Estimate tells how text would be sent. It returns an error in plain words where
	// the text cannot be sent at all.
	Estimate(text string) (Estimate, error)
	// Submit waits for a link that can take the submission and submits its segments.
	// It blocks while no link is bound, while the window is full and while the link
	// is paused; ctx ends that wait, but never the wait for an answer to what was
	// written. It may be called concurrently.
	Submit(ctx context.Context, s Submission) Result
}

// Sessions knows the connections to SMSCs; the smpp room implements it over its links.
type Sessions interface {
	// Fell tells whether the connection that [MO.Session] names ended with something left
	// unanswered, maybe: other than by unbind. It asks the SMSC over one that seems to be
	// up, and waits for the answer as long as for any; ctx ends the wait. It is false for
	// a connection that it does not know.
	Fell(ctx context.Context, session string) bool
	// Doubted tells whether the SMSC may have sent a message again that came over the connection that
	// [MO.Session] names: its storing failed, or took longer than the SMSC waits. Each is sent again
	// once: for another q.Again it is false after that. It may ask another instance, and ctx ends that; it is false where that
	// does not answer.
	Doubted(ctx context.Context, session string, q Doubt) bool
}

// Doubt asks whether one MO message may be another that the SMSC sent again.
type Doubt struct {
	ID     string    `json:"id"`      // the one that came first
	Again  string    `json:"again"`   // the one that came later
	CameAt time.Time `json:"came_at"` // when that did
	// Came is the same moment by a clock that nobody sets; it may be unset.
	Came Uptime `json:"came,omitzero"`
}

// SentAgainWithin is how long an SMSC is reckoned to send again what it was told to. SMSCs do so after
// seconds, then minutes; each time that fails counts anew. One that has given the
// message up never does, and after that a person who says the same again must not be taken for it.
const SentAgainWithin = 10 * time.Minute

// Estimate is how a text would be sent, and what that takes.
type Estimate struct {
	Encoding string `json:"encoding"` // gsm7, gsm7-turkish and the like, or ucs2
	Segments int    `json:"segments"` // 0 for an empty text
	Units    int    `json:"units"`    // septets, or 16-bit units, of the whole text
	// Left is how many units fit into the last segment besides.
	Left int `json:"left"`
	// Costly are the characters without which the text would need fewer segments, each
	// once, in the order of the text.
	Costly []string `json:"costly,omitempty"`
}

// Submission is one message for a Carrier.
type Submission struct {
	ID     string
	Handle addressing.Handle // who wrote it; routes may depend on it
	Number addressing.Number // from
	Phone  addressing.MSISDN // to
	Text   string
	// ExpiresAt becomes validity_period.
	ExpiresAt time.Time
	// Done are the first segments, which were accepted before. The rest goes by Link,
	// or by another link of Account.
	Done          []string
	Link, Account string
	// First asks to go before others that wait: it was throttled.
	First bool
	// Chosen is called before Attempt with what the Result will say of how the text goes: Link,
	// Account, Total, Count, Encoding, Route and CostClass.
	Chosen func(r Result)
	// Attempt is called once, when the link is chosen and its window has room,
	// right before the first octet is written. Where it fails nothing is written.
	Attempt func(ctx context.Context, link, account string) error
	// May is asked right before each segment is written; where it gives an error nothing more is, and
	// the outcome is OutcomeNotWritten. It must not block. Nil: it may.
	May func() error
	// Late is called, at most once and maybe before Submit has returned, where an answer
	// comes after it had to end with OutcomeUnknown. It gets what the Result would have been:
	// OutcomeNotWritten where a segment was accepted and those behind it were not written.
	// ctx ends with the connection. Nil where nobody wants to know.
	Late func(ctx context.Context, r Result)
	// Answered is called after each segment, before Submit returns, with what came of it. Nil
	// where nobody wants to know.
	Answered func(a Answer)
}

// Answer is what came of one segment: a submit_sm that was written, or was to be.
type Answer struct {
	Link, Account     string
	Segment, Segments int // from 1, of how many
	From, To          time.Time
	Taken             bool   // the SMSC has it
	SMSCID            string // of one that it took
	Status            string // the name of the command_status of one that it refused; empty where none came
}

// Result is what became of a Submission. Segments beyond the first that was not
// accepted have not been written.
type Result struct {
	Link, Account string
	Total         int // segments of the whole message
	// SMSCIDs are those of each segment that was accepted, Done included, in order; empty
	// ones where the SMSC's ids tell no message from another.
	SMSCIDs []string
	Outcome Outcome
	// Encoding is as in [Estimate]; empty where the text was not encoded.
	Encoding string
	// Count is how many short messages the SMSC makes of the whole; more than Total where one
	// segment carries all of a long text.
	Count int
	// Route and CostClass are of the route that it went by; empty where none was chosen.
	Route, CostClass string
	// NoReceipts says that none were asked for: nothing will be known beyond Outcome.
	NoReceipts bool
	// Status is the command_status of the answer that stopped it, with its name.
	Status     uint32
	StatusName string
	// Detail says in plain words what stopped it.
	Detail string
	// Reason goes with OutcomePermanent; empty means ReasonRejected.
	Reason Reason
	Err    error
}

// Outcome is how a submit ended (SMPP-NOTES: answered, never written, or unknown;
// what was answered falls into the classes of the status table).
type Outcome string

// The outcomes of a submit.
const (
	OutcomeSent       Outcome = "sent"        // every segment was accepted
	OutcomeNotWritten Outcome = "not_written" // safe to submit again at once
	OutcomeThrottled  Outcome = "throttled"   // refused for now; the link has paused; submit again with First
	OutcomeTemporary  Outcome = "temporary"   // refused for now; try again after a delay
	OutcomePermanent  Outcome = "permanent"   // refused for good
	OutcomeUnknown    Outcome = "unknown"     // written, and no answer came
)

// Outcomes lists the closed set, for metrics.
func Outcomes() []Outcome {
	return []Outcome{OutcomeSent, OutcomeNotWritten, OutcomeThrottled, OutcomeTemporary, OutcomePermanent, OutcomeUnknown}
}

// Reader reads raw MO messages; the smpp room implements it. An error means that
// no later try will read it either.
type Reader interface {
	ReadMO(m MO) (Short, error)
	// JoinMO reads the text of segments of one message, in order. It is more than the
	// sum of their texts: phones split characters across segments.
	JoinMO(parts []MO) (string, error)
}

// Messenger hands texts and statuses to one network.
type Messenger interface {
	// Network is the network of the Handles that it serves.
	Network() string
	// Deliver hands over m. It blocks while the network is away, until ctx ends. An
	// error means: try again later, in order. An error that wraps
	// [ErrUndeliverable] means that no later try will succeed either.
	Deliver(ctx context.Context, m OUT) error
}

// Request is what a messenger adapter asks the hub to send.
type Request struct {
	Handle addressing.Handle
	// To is the recipient as the person wrote it; national spellings are read in the
	// bridge's home region.
	To   string
	Text string
	// NetworkID is the network's id of the message: a repeat with the same id is the
	// same message. Empty: each request is a message of its own.
	NetworkID string
	ReplyTo   string
	// Trace is that of who asks, if they have one.
	Trace Trace
}
