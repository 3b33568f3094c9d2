package bridge

import "time"

// Exemplar is a traced message of those that a [Latency] has counted, so that who sees how long some took can look
// at one of them.
type Exemplar struct {
	TraceID string // see [Trace.ID]
	Took    time.Duration
	At      time.Time // when it was counted
}

// Exemplars are the last traced message of each bucket of a [Latency]; nil where none was traced.
type Exemplars map[int]Exemplar

// keep notes a message that took so long until at, if it was traced.
func (e *Exemplars) keep(t Trace, took time.Duration, at time.Time) {
	id := t.ID()
	if id == "" {
		return
	}
	if *e == nil {
		*e = make(Exemplars)
	}
	(*e)[latencyBucket(took)] = Exemplar{TraceID: id, Took: took, At: at}
}
