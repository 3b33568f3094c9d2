package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Text names one text of a run: who wrote it to whom, and which of theirs it is, from 0.
// The text itself says so, in each of its segments, so that whoever sees one of them
// knows it.
type Text struct {
	MO    bool   `json:"mo,omitempty"` // from the phone to the user
	User  string `json:"user"`
	Phone string `json:"phone"` // digits
	Seq   int    `json:"seq"`
}

// String is how a text names itself: /ann>33620000003#17. or /33620000003>ann#4. Its ends
// tell whether a segment has all of it.
func (t Text) String() string {
	if t.MO {
		return fmt.Sprintf("/%s>%s#%d.", t.Phone, t.User, t.Seq)
	}
	return fmt.Sprintf("/%s>%s#%d.", t.User, t.Phone, t.Seq)
}

var named = regexp.MustCompile(`/(?:([a-z]+)>([0-9]+)|([0-9]{8,})>([a-z]+))#([0-9]+)\.`)

// ParseText finds the first name of a text in what somebody saw; false where there is none.
func ParseText(s string) (Text, bool) {
	m := named.FindStringSubmatch(s)
	if m == nil {
		return Text{}, false
	}
	seq, err := strconv.Atoi(m[5])
	if err != nil {
		return Text{}, false
	}
	if m[1] != "" {
		return Text{User: m[1], Phone: m[2], Seq: seq}, true
	}
	return Text{MO: true, Phone: m[3], User: m[4], Seq: seq}, true
}

// Kind is what happened.
type Kind string

// The kinds of events, in the order in which a message meets them.
const (
	Asked    Kind = "asked"    // a user is about to send a text
	Accepted Kind = "accepted" // the bridge said that it has it: ID
	Submit   Kind = "submit"   // the SMSC saw a submit_sm: Number, Part, Parts, Taken, Answer, SMSCID, Remote
	Receipt  Kind = "receipt"  // the SMSC is about to send a receipt: SMSCID, Stat
	Told     Kind = "told"     // a user was told a state: ID, State, Reason if it came with one
	Shown    Kind = "shown"    // what the bridge says at the end, when it is asked: ID, State
	Wrote    Kind = "wrote"    // a phone is about to write a text: Number
	Taken    Kind = "taken"    // the bridge answered ESME_ROK to it
	Seen     Kind = "seen"     // a user saw a phone's text: ID, Number, By
	Listed   Kind = "listed"   // it stands in the user's history at the end: ID, By
	Cut      Kind = "cut"      // the user's history with a phone begins earlier than it is shown
	Fault    Kind = "fault"    // something was broken: Note, Doubt
)

// Event is one thing that somebody saw. Which fields count is said with its Kind.
type Event struct {
	At   time.Duration `json:"at"` // since the beginning, monotonic
	Kind Kind          `json:"kind"`
	Text Text          `json:"text,omitzero"`
	By   string        `json:"by,omitempty"` // the user who saw it
	ID   string        `json:"id,omitempty"`
	// Number is the bridge's own, as the SMSC or the user saw it.
	Number string `json:"number,omitempty"`
	Part   int    `json:"part,omitempty"` // from 1
	Parts  int    `json:"parts,omitempty"`
	Taken  bool   `json:"taken,omitempty"` // the phone has it or will
	// Answer is the command_status that the SMSC answered with; empty where it did not answer.
	Answer string `json:"answer,omitempty"`
	SMSCID string `json:"smsc_id,omitempty"`
	Remote string `json:"remote,omitempty"` // the client's address
	Stat   string `json:"stat,omitempty"`
	State  string `json:"state,omitempty"`
	Reason string `json:"reason,omitempty"`
	Note   string `json:"note,omitempty"`
	// Doubt says of a fault that the bridge may not know what became of a submit.
	Doubt bool `json:"doubt,omitempty"`
}

// OK is the answer of an SMSC, or of the bridge, that takes a message.
const OK = "ESME_ROK"

// Forgotten is the State where the bridge knows nothing of a text when it is asked.
const Forgotten = "forgotten"

// History is what happened in a run, in order, and by which rules it is judged.
type History struct {
	// Resend is the operator's policy: what may not have arrived is sent again.
	Resend bool `json:"resend"`
	// Validity is how long a text was worth delivering.
	Validity time.Duration `json:"validity"`
	Events   []Event       `json:"-"`
}

// Recorder writes a History. It may be used concurrently.
type Recorder struct {
	mu    sync.Mutex
	began time.Time
	h     History
}

// NewRecorder makes an empty history, which begins with its first event.
func NewRecorder(resend bool, validity time.Duration) *Recorder {
	return &Recorder{h: History{Resend: resend, Validity: validity}}
}

// Add writes what happened just now. Who is about to cause something adds it before.
func (r *Recorder) Add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.h.Events) == 0 {
		r.began = time.Now()
	}
	e.At = time.Since(r.began)
	r.h.Events = append(r.h.Events, e)
}

// History gives what was written so far.
func (r *Recorder) History() History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.h
	h.Events = slices.Clip(h.Events)
	return h
}

// Write writes the history as lines of JSON: the rules, then each event.
func (h History) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	if err := lines.Encode(h); err != nil {
		return err
	}
	for _, e := range h.Events {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Read reads what Write wrote.
func Read(r io.Reader) (History, error) {
	lines := json.NewDecoder(bufio.NewReader(r))
	var h History
	if err := lines.Decode(&h); err != nil {
		return h, fmt.Errorf("history: the first line has no rules: %w", err)
	}
	for {
		var e Event
		err := lines.Decode(&e)
		if err == io.EOF { //nolint:errorlint // Decode returns this very value at the end
			return h, nil
		}
		if err != nil {
			return h, fmt.Errorf("history: event %d: %w", len(h.Events), err)
		}
		h.Events = append(h.Events, e)
	}
}
