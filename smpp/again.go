package smpp

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"smsbridge/bridge"
)

// doubts are the ids of MO messages of one account that the SMSC may send again: their storing
// failed, or took so long that it may not have waited. What failed may be stored all the
// same: its answer was lost, or the disk took it and could not say so. So that which is sent
// again has the same id, and the stream or the hub drops the second. All methods may be
// called concurrently.
type doubts struct {
	mu   sync.Mutex
	all  list.List                  // of doubt, the oldest first
	said map[string][]*list.Element // by [bridge.MO.Content], the oldest first
}

// doubt is a message that may be sent again, and when that may arrive.
type doubt struct {
	content, id  string
	after, until time.Time
}

const (
	// maxDoubts bounds memory to some 2 MB: no SMSC has that much under way that it is told
	// to send again.
	maxDoubts = 10_000
	// failedFor is how long the id of what failed is kept. SMSCs send again after seconds, then
	// minutes; each time that fails counts anew. One that has given the message up never
	// does, and after that a person who says the same again must not be taken for it.
	failedFor = 10 * time.Minute
	// lateAfter is how long an SMSC waits for an answer at least, as far as is known.
	lateAfter = 5 * time.Second
	// lateFor is how long the id of what was answered late is kept: not long, for the SMSC may
	// have taken the answer, and then the same words are a person's.
	lateFor = time.Minute
)

// take gives m, which came at a time, the id of an earlier try and forgets that: each id is for
// one message, so that of two that say the same two are seen.
func (d *doubts) take(m *bridge.MO, came time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for e := d.all.Front(); e != nil && now.After(e.Value.(doubt).until); e = d.all.Front() {
		d.forget(e)
	}
	if d.all.Len() == 0 {
		return
	}
	for _, e := range d.said[m.Content()] {
		if try := e.Value.(doubt); !came.Before(try.after) && !now.After(try.until) {
			m.ID = try.id
			d.forget(e)
			return
		}
	}
}

// failed keeps the id of m, which was not stored as far as anybody knows.
func (d *doubts) failed(m bridge.MO) {
	d.put(doubt{content: m.Content(), id: m.ID, until: time.Now().Add(failedFor)})
}

// stored keeps the id of m, which came at a time, if its answer goes late.
func (d *doubts) stored(m bridge.MO, came time.Time) {
	if now := time.Now(); now.Sub(came) > lateAfter {
		d.put(doubt{content: m.Content(), id: m.ID, after: came.Add(lateAfter), until: now.Add(lateFor)})
	}
}

func (d *doubts) put(one doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.said == nil {
		d.said = make(map[string][]*list.Element)
	}
	d.said[one.content] = append(d.said[one.content], d.all.PushBack(one))
	if d.all.Len() > maxDoubts {
		d.forget(d.all.Front())
	}
}

func (d *doubts) forget(e *list.Element) {
	content := d.all.Remove(e).(doubt).content
	rest := slices.DeleteFunc(d.said[content], func(other *list.Element) bool { return other == e })
	if d.said[content] = rest; len(rest) == 0 {
		delete(d.said, content)
	}
}
