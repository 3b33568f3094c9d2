package ops

import (
	"net/http"
	"time"

	"smsbridge/bridge"
)

// QueueRow is one stage in the body of /admin/v1/queue.
type QueueRow struct {
	Stage    string `json:"stage"` // mt, mo, out or dead
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	MaxBytes uint64 `json:"max_bytes"` // 0: no limit
	// OldestAgeSeconds is how long the oldest message has waited; 0 where nothing waits.
	OldestAgeSeconds float64 `json:"oldest_age_seconds"`
	Held
}

// Queue is the body of /admin/v1/queue.
type Queue struct {
	Stages []QueueRow `json:"stages"`
	// Instances work at the queue together; absent where the queue is this daemon's own.
	Instances []Instance `json:"instances,omitempty"`
}

// Instance is one daemon at the queue.
type Instance struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	Here  bool      `json:"here"`  // it is the one that was asked
	Holds []string  `json:"holds"` // lanes, and tasks that one instance does for all
}

func (s *Server) queue(w http.ResponseWriter, r *http.Request) {
	depths, err := s.cfg.Depths(r.Context())
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, "the queue cannot be read, see /readyz: "+err.Error())
		return
	}
	now, holds := time.Now(), s.holds()
	all := Queue{Stages: make([]QueueRow, len(depths))}
	for i, d := range depths {
		all.Stages[i] = QueueRow{
			Stage: d.Stage, Messages: d.Messages, Bytes: d.Bytes, MaxBytes: d.MaxBytes,
			OldestAgeSeconds: d.oldestAge(now).Seconds(), Held: held(holds, bridge.HoldStage, d.Stage),
		}
	}
	if s.cfg.Instances != nil {
		all.Instances = s.cfg.Instances()
	}
	s.reply(w, http.StatusOK, all)
}

// oldestAge is never negative: the clocks of several machines differ.
func (d QueueDepth) oldestAge(now time.Time) time.Duration {
	if d.OldestAt.IsZero() {
		return 0
	}
	return max(0, now.Sub(d.OldestAt))
}
