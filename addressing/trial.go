package addressing

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Trial is a Book that begins with what b holds now and whose changes stay in memory, so that one
// change after the other can be tried out. It answers as b would; what b hears of Numbers, names
// and registrations later the trial does not. It has no blocks, which no Book asks for. It needs
// nothing to be closed.
func (b *Book) Trial() *Book {
	trial := &Book{store: &trialStore{Store: b.store, records: make(map[MSISDN]trialRecord)}, dir: b.dir.trial(), now: b.now}
	trial.file.Store(b.plan())
	return trial
}

// trial copies what is in memory: d goes on to change its own.
func (d *Directory) trial() *Directory {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t := &Directory{
		now: d.now, revs: make(map[string]uint64), people: maps.Clone(d.people), came: maps.Clone(d.came),
		blocks: make(map[string]Block), exact: make(map[Handle][]Block), registered: maps.Clone(d.registered),
		numbers: numberNotes{all: maps.Clone(d.numbers.all), pool: d.numbers.pool, shared: d.numbers.shared, dedicated: maps.Clone(d.numbers.dedicated)},
		waiters: make(map[Handle]map[*func()]bool),
	}
	for h, names := range t.came { // those d changes in place
		t.came[h] = slices.Clone(names)
	}
	for h, own := range t.numbers.dedicated {
		t.numbers.dedicated[h] = slices.Clip(own) // both append
	}
	if d.notes != nil {
		t.notes = &trialNotes{Notes: d.notes, values: make(map[string]trialNote)}
	}
	return t
}

// trialStore reads from a Store, and keeps what is saved to itself.
type trialStore struct {
	Store
	mu      sync.Mutex
	records map[MSISDN]trialRecord
}

type trialRecord struct {
	record Record
	rev    uint64
}

func (s *trialStore) LoadRecord(ctx context.Context, phone MSISDN) (Record, uint64, error) {
	s.mu.Lock()
	kept, ok := s.records[phone]
	s.mu.Unlock()
	if ok {
		return kept.record, kept.rev, nil
	}
	return s.Store.LoadRecord(ctx, phone)
}

// SaveRecord does not ask the store again: what others save meanwhile is not for the trial.
func (s *trialStore) SaveRecord(_ context.Context, phone MSISDN, r Record, rev uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, ok := s.records[phone]; ok && kept.rev != rev {
		return ErrConflict
	}
	s.records[phone] = trialRecord{r, rev + 1}
	return nil
}

func (s *trialStore) RangeRecords(ctx context.Context, fn func(MSISDN, Record) bool) error {
	s.mu.Lock()
	kept := maps.Clone(s.records)
	s.mu.Unlock()
	for phone, k := range kept {
		if !fn(phone, k.record) {
			return nil
		}
	}
	return s.Store.RangeRecords(ctx, func(phone MSISDN, r Record) bool {
		_, ok := kept[phone]
		return ok || fn(phone, r)
	})
}

// trialNotes reads from Notes, and keeps what is saved to itself.
type trialNotes struct {
	Notes
	mu     sync.Mutex
	values map[string]trialNote
}

type trialNote struct {
	value []byte
	rev   uint64
}

func (n *trialNotes) LoadNote(ctx context.Context, key string) ([]byte, uint64, error) {
	n.mu.Lock()
	kept, ok := n.values[key]
	n.mu.Unlock()
	if ok {
		return kept.value, kept.rev, nil
	}
	return n.Notes.LoadNote(ctx, key)
}

func (n *trialNotes) SaveNote(_ context.Context, key string, value []byte, rev uint64) (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if kept, ok := n.values[key]; ok && kept.rev != rev {
		return 0, ErrConflict
	}
	n.values[key] = trialNote{value, rev + 1}
	return rev + 1, nil
}
