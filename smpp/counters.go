package smpp

import (
	"sync/atomic"

	"github.com/rs/zerolog"
)

// Counters count what is odd on a connection. They only grow.
type Counters struct {
	ResponseTimeouts atomic.Uint64 // requests of ours that got no answer in time
	LateResponses    atomic.Uint64 // answers after that, or twice
	StrayResponses   atomic.Uint64 // answers to nothing that was asked
	Malformed        atomic.Uint64 // PDUs that could not be read
	UnknownCommands  atomic.Uint64 // requests that SMPP 3.4 does not define
	Panics           atomic.Uint64 // handlers that panicked
}

// warnFirst is the level of what may come a thousand times: only the first is worth a
// warning, and the rest is counted.
func warnFirst(first bool) zerolog.Level {
	if first {
		return zerolog.WarnLevel
	}
	return zerolog.DebugLevel
}
