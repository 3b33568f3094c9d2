package queue

import (
	"slices"
	"strings"
)

// HoldStages keeps the stages mt, mo and out, as far as they are named, from handling messages: what has a handler
// ends, nothing else begins, and what comes is stored as before. It replaces what was held; nothing is,
// to begin with.
func (s *Store) HoldStages(stages []string) {
	held := slices.Clone(stages)
	s.held.Store(&held)
	s.atWork.each(laneAtWork.goOn)
}

// holds tells whether a stage may begin nothing.
func (s *Store) holds(stage string) bool {
	held := s.held.Load()
	return held != nil && slices.ContainsFunc(*held, func(name string) bool { return strings.EqualFold(name, stage) })
}

// goOn begins what may begin: a hold may have ended.
func (l *lane[M]) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.crews {
		l.dispatch(l.ctx, c)
	}
}
