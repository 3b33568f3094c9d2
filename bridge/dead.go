package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// This file is what an operator does with dead letters. Whatever is put back into a queue
// goes as a message of its own, with an id that is made from the letter's: whoever knows
// the old one holds it to be done. Twice the same is once.

// Letters keeps the dead letters.
type Letters interface {
	// DeadLetter reads a letter; [ErrNotFound] where there is none.
	DeadLetter(ctx context.Context, id string) (Dead, error)
	// RequeueDead puts the message of d back into its queue. It returns once that is on disk.
	RequeueDead(ctx context.Context, d Dead) error
	// RemoveDead removes a letter, if there is one, and keeps a for the operator.
	RemoveDead(ctx context.Context, id string, a Audit) error
}

// Audit is what an operator did, with a dead letter, an address, or what messages go over.
type Audit struct {
	V      int       `json:"v"`
	At     time.Time `json:"at"`
	By     string    `json:"by"`     // who, as the operator's tool says
	Action string    `json:"action"` // one of the actions
	// Subject is what an action was about, in full: web:ann +33612345678, or link main.
	Subject string `json:"subject,omitempty"`
	// Failed is why an action that was begun was not done.
	Failed string `json:"failed,omitempty"`
	// The rest is of dead letters.
	ID     string `json:"id,omitempty"`     // of the letter
	Stage  string `json:"stage,omitempty"`  // MT, MO or OUT
	Reason Reason `json:"reason,omitempty"` // of the letter
	NewID  string `json:"new_id,omitempty"`
}

// The actions of an Audit.
const (
	ActionRequeue = "requeue"
	ActionDrop    = "drop"

	ActionRelease     = "release"      // a conversation
	ActionOptout      = "optout"       // a phone refuses a handle, or everybody
	ActionProvision   = "provision"    // the lines of a file
	ActionOptoutEnded = "optout_ended" // it does not any more
	ActionNumberAdd   = "number_add"
	ActionRetire      = "number_retire"
	ActionUnretire    = "number_unretire"
	ActionRename      = "handle_rename"
	ActionRemove      = "handle_rm"
	ActionRestore     = "handle_restore" // its removal is undone
	ActionReuse       = "handle_reuse"   // a new person has the name
	ActionBlock       = "handle_block"
	ActionUnblock     = "handle_unblock"
	ActionRegister    = "handle_register"
	ActionUnregister  = "handle_unregister"

	ActionPause  = "pause" // a link, a route or a stage
	ActionResume = "resume"
	ActionRebind = "rebind" // a link
	ActionPurge  = "purge"  // messages that wait; purged says how many there were
	ActionPurged = "purged"
	ActionErase  = "erase" // what is kept of a person; erased says how much that was
	ActionErased = "erased"
)

// ErrNothingToRequeue says that the message of the letter is on its way.
var ErrNothingToRequeue = errors.New("bridge: the operator's SMSC has the message, so that there is nothing to send again")

// Requeue puts the message of a dead letter back at the end of its queue, and removes the
// letter. An MT message goes as a new one, with an id, a validity and a final state of its
// own, and its sender is told that it is tried again: the old one ended, and stays so.
// It returns the new id, empty for what cannot be decoded. The error wraps [ErrNotFound] where
// there is no such letter, [ErrFull], or [ErrNothingToRequeue].
func (h *Hub) Requeue(ctx context.Context, letters Letters, id, by string) (newID string, err error) {
	d, err := letters.DeadLetter(ctx, id)
	if err != nil {
		return "", err
	}
	again := d
	switch {
	case d.MT != nil:
		if again.MT, err = h.anew(ctx, *d.MT); err != nil {
			return "", err
		}
		newID = again.MT.ID
		// Its sender is told before it is dispatched, as with one that is new.
		leave, err := h.accepting.alone(ctx, newID)
		if err != nil {
			return "", err
		}
		defer leave()
	case d.MO != nil:
		m := *d.MO
		m.ID, m.Requeued = m.ID+againSuffix, true
		again.MO, newID = &m, m.ID
	case d.OUT != nil:
		m := *d.OUT
		m.ID += againSuffix
		again.OUT, newID = &m, m.ID
	case len(d.Raw) == 0 || d.Subject == "":
		return "", fmt.Errorf("bridge: dead letter %s holds no message that could be put back: drop it", id)
	}
	if err := letters.RequeueDead(ctx, again); err != nil {
		return "", err
	}
	if again.MT != nil {
		if err := h.tellAgain(ctx, *again.MT); err != nil {
			return "", err
		}
	}
	return newID, h.removed(ctx, letters, d, Audit{By: by, Action: ActionRequeue, NewID: newID})
}

// againSuffix makes the id of what is put back.
const againSuffix = "-again"

// anew is m as a message of its own.
func (h *Hub) anew(ctx context.Context, m MT) (*MT, error) {
	s, _, err := h.Journal.Story(ctx, m.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if s.State == Sent || s.State == Delivered {
		return nil, ErrNothingToRequeue
	}
	accepted := m.AcceptedAt
	m.ID, m.AcceptedAt, m.By = MessageID(m.Handle, m.ID+againSuffix), h.now(), h.process
	m.ExpiresAt = m.AcceptedAt.Add(h.config().Validity)
	if to, _ := h.Book.Directory().Now(m.Handle, accepted); to != m.Handle && !to.IsZero() {
		m.Handle, m.ReplyTo = to, ""
	}
	return &m, nil
}

// tellAgain tells the sender of a message that was put back.
func (h *Hub) tellAgain(ctx context.Context, m MT) error {
	if err := h.logMT(ctx, m); err != nil {
		return err
	}
	if !h.pushes(m.Handle.Network()) {
		return nil // the log is what they read
	}
	return h.Queue.PublishOUT(ctx, OUT{
		V: version, ID: m.ID + "-" + string(Accepted), Kind: OUTStatus, Handle: m.Handle, Phone: m.Phone, Number: m.Number,
		At: m.AcceptedAt, NetworkID: m.NetworkID, ReplyTo: m.ReplyTo, State: Accepted,
		Detail: "Your message to " + m.Phone.String() + " that was not delivered is being sent again by the operator of the bridge.",
	})
}

// Drop removes a dead letter. The sender of an MT message was told when it died; where a
// crash or another defect kept that from happening, they are told now. The error wraps
// [ErrNotFound] where there is no such letter.
func (h *Hub) Drop(ctx context.Context, letters Letters, id, by string) error {
	d, err := letters.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	if d.MT != nil {
		if err := h.endDropped(ctx, *d.MT); err != nil {
			return err
		}
	}
	return h.removed(ctx, letters, d, Audit{By: by, Action: ActionDrop})
}

func (h *Hub) endDropped(ctx context.Context, m MT) error {
	t, err := h.take(ctx, m)
	if err != nil {
		return ignoreDone(err)
	}
	switch {
	case t.story.State == Sent:
		return nil // its receipts say what became of it
	case t.story.State.Final():
		return t.tell(ctx, t.story, t.rev)
	case t.story.State == Submitting:
		return t.end(ctx, unknownVerdict(t.story.Attempts, false))
	default:
		return t.end(ctx, decision{
			step: stepEnd, state: Failed, reason: ReasonInternal,
			detail: "A defect of the bridge kept it from being sent, and its operator has given it up.",
		})
	}
}

// removed ends a letter, on record.
func (h *Hub) removed(ctx context.Context, letters Letters, d Dead, a Audit) error {
	a.V, a.At, a.ID, a.Stage, a.Reason = version, h.now(), d.ID, d.Stage, d.Reason
	if err := letters.RemoveDead(ctx, d.ID, a); err != nil {
		return err
	}
	h.log.Info().Str("message_id", a.ID).Str("stage", a.Stage).Str("reason", string(a.Reason)).Str("action", a.Action).
		Str("by", a.By).Str("new_id", a.NewID).Msg("an operator dealt with a dead letter")
	return nil
}
