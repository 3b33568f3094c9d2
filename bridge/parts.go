package bridge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// assembly is a long MO message of which segments have come.
type assembly struct {
	V     int    `json:"v"`
	Parts []part `json:"parts"` // in order of their number, each once
	// EndingAt is set by who gives it up, before what there is is delivered: nobody adds to
	// it any more.
	EndingAt time.Time `json:"ending_at,omitzero"`
}

type part struct {
	Number int `json:"number"`
	MO     MO  `json:"mo"`
}

// part is the segment of that number; nil where it has not come.
func (a *assembly) part(number int) *MO {
	for i := range a.Parts {
		if a.Parts[i].Number == number {
			return &a.Parts[i].MO
		}
	}
	return nil
}

func (a *assembly) add(number int, m MO) {
	a.Parts = append(a.Parts, part{number, m})
	slices.SortFunc(a.Parts, func(x, y part) int { return cmp.Compare(x.Number, y.Number) })
}

func (a *assembly) messages() []MO {
	all := make([]MO, len(a.Parts))
	for i, p := range a.Parts {
		all[i] = p.MO
	}
	return all
}

// since is when the first of the segments came.
func (a *assembly) since() time.Time {
	first := a.Parts[0].MO.ReceivedAt
	for _, p := range a.Parts {
		if p.MO.ReceivedAt.Before(first) {
			first = p.MO.ReceivedAt
		}
	}
	return first
}

// assemblyPrefix sets assemblies apart from the other small records.
const assemblyPrefix = "part "

// assemblyKey names a long message: references repeat, but not soon between the
// same two, on one account (3GPP TS 23.040, 9.2.3.24.1).
func assemblyKey(m MO, c Concat) string {
	return fmt.Sprintf("%s%s %s %s %d %d %t", assemblyPrefix, m.Account, m.Source.Addr, m.Destination.Addr, c.Ref, c.Total, c.Wide)
}

// endingFor is how long whoever gives a long message up may take for it; then it is
// held to have died, and somebody else does it.
const endingFor = time.Minute

// collect keeps a segment until all are there, and then delivers the text. Whoever stores
// the last one delivers it: the record's revision decides that, for all instances. The record
// stays until the segment has its mark (clear): a crash must not leave neither.
func (h *Hub) collect(ctx context.Context, m MO, short Short) error {
	key := assemblyKey(m, short.Concat)
	for {
		a, rev, err := h.loadAssembly(ctx, key)
		if err != nil {
			return err
		}
		over, err := h.isOver(ctx, a, short.Concat.Total)
		if err != nil {
			return err
		}
		before := a.part(short.Concat.Part)
		switch {
		case over: // the phone uses its reference again
			if err := h.Parts.DeletePart(ctx, key, rev); err != nil && !errors.Is(err, ErrConflict) {
				return err
			}
			continue
		case !a.EndingAt.IsZero():
			return &LaterError{At: h.now().Add(time.Second)} // a new one begins when this has ended
		case before != nil && !sameText(*before, m):
			// The phone uses its reference again: the rest of the first text will not come.
			err = h.giveUp(ctx, key, a, rev, short)
			if err != nil && !errors.Is(err, ErrConflict) {
				return err
			}
			continue
		case before == nil:
			a.add(short.Concat.Part, m)
			_, err = h.saveAssembly(ctx, key, a, rev)
			if errors.Is(err, ErrConflict) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if len(a.Parts) < short.Concat.Total {
			return nil
		}
		return h.deliverParts(ctx, a, short)
	}
}

// isOver tells whether a long message is complete and all its segments are marked, so that
// it was delivered.
func (h *Hub) isOver(ctx context.Context, a assembly, total int) (bool, error) {
	if len(a.Parts) < total || !a.EndingAt.IsZero() {
		return false, nil
	}
	for _, p := range a.Parts {
		seen, err := h.loadMark(ctx, p.MO.Content())
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(seen.Seen, func(s sighting) bool { return s.is(p.MO) }) {
			return false, nil
		}
	}
	return true, nil
}

// clear removes the record of the long message that m, which has its mark, belongs to, if
// that is over.
func (h *Hub) clear(ctx context.Context, m MO, short Short) error {
	key := assemblyKey(m, short.Concat)
	a, rev, err := h.loadAssembly(ctx, key)
	if err != nil {
		return err
	}
	over, err := h.isOver(ctx, a, short.Concat.Total)
	if err != nil || !over {
		return err
	}
	return ignoreConflict(h.Parts.DeletePart(ctx, key, rev))
}

func (h *Hub) saveAssembly(ctx context.Context, key string, a assembly, rev uint64) (uint64, error) {
	value, err := json.Marshal(a)
	if err != nil {
		return 0, err
	}
	return h.Parts.SavePart(ctx, key, value, rev)
}

// sameText tells a segment that came twice from another under the same reference.
func sameText(a, b MO) bool { return a.DataCoding == b.DataCoding && bytes.Equal(a.Body, b.Body) }

func (h *Hub) loadAssembly(ctx context.Context, key string) (assembly, uint64, error) {
	value, rev, err := h.Parts.LoadPart(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return assembly{V: version}, 0, nil
	}
	if err != nil {
		return assembly{}, 0, err
	}
	var a assembly
	return a, rev, json.Unmarshal(value, &a)
}

// deliverParts delivers what there is of a long message. Each gap is shown where it is.
func (h *Hub) deliverParts(ctx context.Context, a assembly, short Short) error {
	var text strings.Builder
	next := 1
	gap := func(until int) {
		for ; next < until; next++ {
			fmt.Fprintf(&text, "[part %d of %d is missing]", next, short.Concat.Total)
		}
	}
	for i := 0; i < len(a.Parts); {
		gap(a.Parts[i].Number)
		var run []MO
		for ; i < len(a.Parts) && a.Parts[i].Number == next; i++ {
			run = append(run, a.Parts[i].MO)
			next++
		}
		joined, err := h.Reader.JoinMO(run)
		if err != nil {
			return err
		}
		text.WriteString(joined)
	}
	gap(short.Concat.Total + 1)
	h.traceJoined(a.messages())
	return h.deliver(ctx, a.messages(), short, text.String())
}

// giveUp delivers what there is of a long message. It returns [ErrConflict] where a part
// has come meanwhile.
func (h *Hub) giveUp(ctx context.Context, key string, a assembly, rev uint64, short Short) error {
	rev, err := h.end(ctx, key, &a, rev)
	if err != nil {
		return err
	}
	h.log.Warn().Str("message_id", a.Parts[0].MO.ID).Int("parts", len(a.Parts)).Int("total", short.Concat.Total).
		Msg("segments of a long message did not come; what is there is delivered")
	if err := h.deliverParts(ctx, a, short); err != nil {
		return err
	}
	return h.Parts.DeletePart(ctx, key, rev)
}

// end notes that a long message is given up, so that no part is added to it.
func (h *Hub) end(ctx context.Context, key string, a *assembly, rev uint64) (uint64, error) {
	a.EndingAt = h.now()
	return h.saveAssembly(ctx, key, *a, rev)
}

// RunParts delivers long messages whose missing segments have not come in time,
// saying what is missing, and ends questions that no phone answered. It blocks until ctx ends. Of several instances one runs it.
func (h *Hub) RunParts(ctx context.Context) error {
	every := time.NewTicker(min(h.config().PartsWait, time.Minute))
	defer every.Stop()
	for {
		if err := h.releaseParts(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn().Err(err).Msg("cannot look for incomplete messages; trying again in a minute")
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// releaseParts gives up each long message that is due. One that fails hides no other.
func (h *Hub) releaseParts(ctx context.Context) error {
	var due, unanswered []string
	stale := make(map[string]uint64) // their revisions
	err := h.Parts.RangeParts(ctx, func(key string, value []byte, rev uint64) bool {
		if h.isStale(key, value) {
			stale[key] = rev
			return true
		}
		var a assembly
		if strings.HasPrefix(key, assemblyPrefix) && json.Unmarshal(value, &a) == nil && h.isDue(a) {
			due = append(due, key)
		}
		var q question
		if strings.HasPrefix(key, questionPrefix) && json.Unmarshal(value, &q) == nil && h.isUnanswered(q) {
			unanswered = append(unanswered, key)
		}
		return true
	})
	errs := []error{err}
	for _, key := range due {
		errs = append(errs, h.release(ctx, key))
	}
	for _, key := range unanswered {
		errs = append(errs, h.endQuestion(ctx, key))
	}
	for key, rev := range stale {
		errs = append(errs, ignoreConflict(h.Parts.DeletePart(ctx, key, rev)))
	}
	return errors.Join(errs...)
}

// isStale tells whether a small record is good for nothing any more. Those of long messages and of questions
// that wait end when they are dealt with, and not by time alone: a bridge that was off for days finds them.
func (h *Hub) isStale(key string, value []byte) bool {
	var r struct { // what those records have in common
		At      time.Time `json:"at"`
		AskedAt time.Time `json:"asked_at"`
		By      string    `json:"by"`
	}
	if strings.HasPrefix(key, assemblyPrefix) || json.Unmarshal(value, &r) != nil {
		return false
	}
	if strings.HasPrefix(key, questionPrefix) {
		return r.By != "" && r.By != expired && h.now().Sub(r.AskedAt) >= questionFor+countedFor
	}
	return !r.At.IsZero() && h.now().Sub(r.At) >= max(countedFor, h.config().Validity+overdueAfter)
}

func (h *Hub) isDue(a assembly) bool {
	switch {
	case len(a.Parts) == 0:
		return false
	case !a.EndingAt.IsZero():
		return h.now().Sub(a.EndingAt) >= endingFor
	default:
		return h.now().Sub(a.since()) >= h.config().PartsWait
	}
}

// release gives up a long message, unless a part has come meanwhile that completed it.
func (h *Hub) release(ctx context.Context, key string) error {
	for {
		a, rev, err := h.loadAssembly(ctx, key)
		if err != nil || !h.isDue(a) {
			return err
		}
		short, err := h.readAgain(a.Parts[0].MO)
		switch {
		case err != nil:
			err = h.buryParts(ctx, key, a, rev, ReasonUnreadable, err)
		case len(a.Parts) == short.Concat.Total && a.EndingAt.IsZero():
			return h.clear(ctx, a.Parts[0].MO, short) // or who stored the last part delivers it
		default:
			err = h.guarded(func() error { return h.giveUp(ctx, key, a, rev, short) })
			if defect, ok := errors.AsType[*defectError](err); ok {
				err = h.buryDefect(ctx, key, defect)
			}
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// buryDefect gives up parts on which the bridge panicked.
func (h *Hub) buryDefect(ctx context.Context, key string, cause error) error {
	a, rev, err := h.loadAssembly(ctx, key)
	if err != nil || len(a.Parts) == 0 {
		return err
	}
	return h.buryParts(ctx, key, a, rev, ReasonInternal, cause)
}

// buryParts gives up parts, most often such as were readable when they came: the configuration has changed.
func (h *Hub) buryParts(ctx context.Context, key string, a assembly, rev uint64, reason Reason, cause error) error {
	rev, err := h.end(ctx, key, &a, rev)
	if err != nil {
		return err
	}
	if err := h.buryMO(ctx, a.messages(), reason, cause.Error()); err != nil {
		return err
	}
	return h.Parts.DeletePart(ctx, key, rev)
}
