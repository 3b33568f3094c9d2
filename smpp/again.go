package smpp

import (
	"container/list"
	"sync"
	"time"

	"smsbridge/bridge"
)

// doubts are the ids of MO messages of one account whose storing failed, so that the SMSC is
// to send them again. What failed may be stored all the same: its answer was lost, or the
// disk took it and could not say so. So that which is sent again has the same id, and the
// stream or the hub drops the second. All methods may be called concurrently.
type doubts struct {
	mu   sync.Mutex
	all  list.List                  // of doubt, the oldest first
	said map[string][]*list.Element // by [bridge.MO.Content], the oldest first
}

type doubt struct {
	content, id string
	at          time.Time
}

const (
	// maxDoubts bounds memory to some 2 MB: no SMSC has that much under way that it is told
	// to send again.
	maxDoubts = 10_000
	// doubtFor is how long an id is kept. SMSCs send again after seconds, then minutes; each
	// time that fails counts anew. One that has given the message up never does, and after
	// that a person who says the same again must not be taken for it.
	doubtFor = 10 * time.Minute
)

// take gives m the id of an earlier try and forgets that: each id is for one message, so
// that of two that say the same two are seen.
func (d *doubts) take(m *bridge.MO) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgetOld(time.Now())
	if d.all.Len() == 0 {
		return
	}
	if tries := d.said[m.Content()]; len(tries) > 0 {
		m.ID = tries[0].Value.(doubt).id
		d.forget(tries[0])
	}
}

// put keeps the id of m, which was not stored as far as anybody knows.
func (d *doubts) put(m bridge.MO) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.said == nil {
		d.said = make(map[string][]*list.Element)
	}
	one := doubt{content: m.Content(), id: m.ID, at: time.Now()}
	d.said[one.content] = append(d.said[one.content], d.all.PushBack(one))
	if d.all.Len() > maxDoubts {
		d.forget(d.all.Front())
	}
}

func (d *doubts) forgetOld(now time.Time) {
	for e := d.all.Front(); e != nil && now.Sub(e.Value.(doubt).at) > doubtFor; e = d.all.Front() {
		d.forget(e)
	}
}

// forget removes the oldest of its content: those that say the same are in the order of all.
func (d *doubts) forget(e *list.Element) {
	content := d.all.Remove(e).(doubt).content
	if rest := d.said[content][1:]; len(rest) > 0 {
		d.said[content] = rest
	} else {
		delete(d.said, content)
	}
}
