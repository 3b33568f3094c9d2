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
	mu    sync.Mutex
	under map[string]*underWay       // by id: what is being stored
	all   list.List                  // of doubt, the oldest first
	said  map[string][]*list.Element // by [bridge.MO.Content], the oldest first; not those that came again
}

// doubt is a message that may be sent again, and when that may arrive.
type doubt struct {
	content, id  string
	after, until time.Time
	again        string // the id of what the hub found to be this one again
}

// underWay is a message that is being stored.
type underWay struct {
	came  time.Time
	again string // as in doubt
}

const (
	// maxDoubts bounds memory to some 2 MB: no SMSC has that much under way that it is told
	// to send again.
	maxDoubts = 10_000
	// failedFor is how long the id of what failed is kept.
	failedFor = bridge.SentAgainWithin
	// lateAfter is how long an SMSC waits for an answer at least, as far as is known.
	lateAfter = 5 * time.Second
	// lateFor is how long the id of what was answered late is kept: not long, for the SMSC may
	// have taken the answer, and then the same words are a person's.
	lateFor = time.Minute
)

// begin notes that m, which came at a time, is being stored until [doubts.end]. It gives m the id of
// an earlier try and forgets that: each id is for one message, so that of two that say the same
// two are seen.
func (d *doubts) begin(m *bridge.MO, came time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.take(m, came)
	if d.under == nil {
		d.under = make(map[string]*underWay)
	}
	d.under[m.ID] = &underWay{came: came}
}

func (d *doubts) end(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.under, id)
}

// take does what begin says of earlier tries. The lock is held.
func (d *doubts) take(m *bridge.MO, came time.Time) {
	now := time.Now()
	for e := d.all.Front(); e != nil && now.After(e.Value.(doubt).until); e = d.all.Front() {
		d.forget(e)
	}
	if len(d.said) == 0 {
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

// holds tells whether what q is about is in doubt, and notes that it came again: whoever asks of
// another after that learns that it is not, and who asks the same again learns the same. What comes
// again over the connections of another process, or while the first is being stored, has an id of its own, so that the
// hub asks this.
func (d *doubts) holds(q bridge.Doubt) bool {
	came := cameHere(q)
	d.mu.Lock()
	defer d.mu.Unlock()
	if one, ok := d.under[q.ID]; ok {
		if one.again == "" && !came.Before(one.came.Add(lateAfter)) {
			one.again = q.Again
		}
		return one.again == q.Again
	}
	for e := d.all.Back(); e != nil; e = e.Prev() {
		one := e.Value.(doubt)
		if one.id != q.ID {
			continue
		}
		if one.again == "" && !came.Before(one.after) && !came.After(one.until) {
			one.again = q.Again
			e.Value = one
			d.unsay(e)
		}
		return one.again == q.Again
	}
	return false
}

// cameHere is when the later message of q came, by the clocks of this process. The time of day
// decides only where it came to another machine: somebody may have set it since.
func cameHere(q bridge.Doubt) time.Time {
	if up := uptime(); up.Boot != "" && up.Boot == q.Came.Boot {
		return time.Now().Add(q.Came.Since - up.Since)
	}
	return q.CameAt
}

func (d *doubts) put(one doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if under, ok := d.under[one.id]; ok {
		one.again = under.again
	}
	e := d.all.PushBack(one)
	if one.again == "" {
		if d.said == nil {
			d.said = make(map[string][]*list.Element)
		}
		d.said[one.content] = append(d.said[one.content], e)
	}
	if d.all.Len() > maxDoubts {
		d.forget(d.all.Front())
	}
}

func (d *doubts) forget(e *list.Element) {
	d.all.Remove(e)
	d.unsay(e)
}

// unsay has e no longer found by what it says.
func (d *doubts) unsay(e *list.Element) {
	content := e.Value.(doubt).content
	rest := slices.DeleteFunc(d.said[content], func(other *list.Element) bool { return other == e })
	if d.said[content] = rest; len(rest) == 0 {
		delete(d.said, content)
	}
}
