package web

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often one may try to sign in: a few times at once, then slowly. One address may
// try more, because many people may share it.
const (
	triesPerName    = 5
	triesPerAddress = 50
	tryEvery        = 15 * time.Second
	// maxTracked bounds the memory, to about 2 MB.
	maxTracked = 10_000
)

// tries counts attempts to sign in. A sign-in that succeeds gives its own back.
type tries struct {
	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

// take counts one attempt from address as name. It returns how long to wait where
// there have been too many, and 0 where the attempt may be made.
func (t *tries) take(name, address string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	byName, byAddress := t.limiter(name+"\n"+address, triesPerName, now), t.limiter(address, triesPerAddress, now)
	if wait := max(lacks(byName, now), lacks(byAddress, now)); wait > 0 {
		return wait
	}
	byName.AllowN(now, 1)
	byAddress.AllowN(now, 1)
	return 0
}

// forgive forgets the attempts of a name that has signed in.
func (t *tries) forgive(name, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.keys, name+"\n"+address)
}

func (t *tries) limiter(key string, burst int, now time.Time) *rate.Limiter {
	if l := t.keys[key]; l != nil {
		return l
	}
	if len(t.keys) >= maxTracked {
		t.evict(now)
	}
	if t.keys == nil {
		t.keys = make(map[string]*rate.Limiter)
	}
	l := rate.NewLimiter(rate.Every(tryEvery), burst)
	t.keys[key] = l
	return l
}

// evict drops those who have not tried for long, and any one where all have.
func (t *tries) evict(now time.Time) {
	for key, l := range t.keys {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(t.keys, key)
		}
	}
	for key := range t.keys {
		if len(t.keys) < maxTracked {
			return
		}
		delete(t.keys, key)
	}
}

// lacks is how long it is until l has room for one more.
func lacks(l *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - l.TokensAt(now)
	return max(0, time.Duration(math.Ceil(missing*float64(tryEvery))))
}
