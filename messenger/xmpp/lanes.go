package xmpp

import "sync"

// maxWaiting bounds what waits in all lanes together, in octets. A stanza is counted
// with what it costs beside its text.
const (
	maxWaiting = 16 << 20
	stanzaCost = 2 << 10
	// maxWorking bounds how many conversations are worked on at once.
	maxWorking = 64
)

// lanes run tasks: those of one key in order, those of different keys side by side.
// The zero value is ready.
type lanes struct {
	mu      sync.Mutex
	waiting map[string][]task // a key is here while a goroutine works on it
	size    int
	slots   chan struct{}
	wg      sync.WaitGroup
}

type task struct {
	size int
	run  func()
}

// do queues run behind the others of key. It never blocks; false means that too
// much is waiting and run was not taken.
func (l *lanes) do(key string, size int, run func()) bool {
	size += stanzaCost
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+size > maxWaiting {
		return false
	}
	if l.waiting == nil {
		l.waiting = make(map[string][]task)
		l.slots = make(chan struct{}, maxWorking)
	}
	l.size += size
	tasks, working := l.waiting[key]
	l.waiting[key] = append(tasks, task{size, run})
	if !working {
		l.wg.Go(func() { l.work(key) })
	}
	return true
}

// work runs the tasks of key until none is left.
func (l *lanes) work(key string) {
	for {
		l.mu.Lock()
		tasks := l.waiting[key]
		if len(tasks) == 0 {
			delete(l.waiting, key)
			l.mu.Unlock()
			return
		}
		t := tasks[0]
		l.waiting[key] = tasks[1:]
		l.mu.Unlock()

		l.slots <- struct{}{}
		t.run()
		<-l.slots

		l.mu.Lock()
		l.size -= t.size
		l.mu.Unlock()
	}
}

// wait returns once every lane is empty.
func (l *lanes) wait() { l.wg.Wait() }
