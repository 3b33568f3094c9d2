package smsc

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/smpp"
)

// ErrBusy tells that as many deliver_sm wait as may. People read it, and [ErrMessage].
var ErrBusy = errors.New("too many messages wait for a client to take them; bind one as receiver, or try again later")

// item is one deliver_sm on its way to a client.
type item struct {
	due     time.Time     // not before
	account string        // whom it is for; empty: whose number it goes to
	to      string        // digits of that number
	not     *smpp.Session // goes over another bind than this, if there is one
	receipt *receipt      // what it is made from, if it is a receipt
	short   smpp.Short    // the deliver_sm
	done    func(taken bool)
}

// outbox sends deliver_sm: one after the other within a lane, lanes beside each other,
// and each again until a client takes it or refuses it for good.
type outbox struct {
	binds    *binds
	max      int
	minPause time.Duration // between tries
	maxPause time.Duration
	observe  func(Exchange) // nil: nobody
	log      zerolog.Logger

	mu      sync.Mutex
	ctx     context.Context // nil before start
	lanes   map[string][]*item
	pending int
	workers sync.WaitGroup
}

// claim makes room for n items that are about to be added, or says that there is none.
func (o *outbox) claim(n int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending+n > o.max {
		return ErrBusy
	}
	o.pending += n
	return nil
}

// add puts items, for which there is room, behind those of their lane.
func (o *outbox) add(lane string, items ...*item) {
	if len(items) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting, running := o.lanes[lane]
	o.lanes[lane] = append(waiting, items...)
	if ctx := o.ctx; !running && ctx != nil {
		o.workers.Go(func() { o.work(ctx, lane) })
	}
}

// start begins to send; what was added before goes first.
func (o *outbox) start(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ctx = ctx
	for lane := range o.lanes {
		o.workers.Go(func() { o.work(ctx, lane) })
	}
}

// stop waits until nothing is being sent any more; the ctx of start must have ended.
func (o *outbox) stop() {
	o.mu.Lock()
	o.ctx = nil // so that add starts no worker while stop waits
	o.mu.Unlock()
	o.workers.Wait()
}

// work sends a lane until it is empty. Only work removes items, and there is one for
// each lane.
func (o *outbox) work(ctx context.Context, lane string) {
	for {
		o.mu.Lock()
		it := o.lanes[lane][0]
		o.mu.Unlock()
		taken, err := o.send(ctx, it)
		if err != nil {
			return // ctx ended; the item stays
		}
		o.mu.Lock()
		o.pending--
		rest := o.lanes[lane][1:]
		if len(rest) == 0 {
			delete(o.lanes, lane)
		} else {
			o.lanes[lane] = rest
		}
		o.mu.Unlock()
		if it.done != nil {
			it.done(taken)
		}
		if len(rest) == 0 {
			return
		}
	}
}

// send tries until the client has taken or refused the item, or ctx ends.
func (o *outbox) send(ctx context.Context, it *item) (taken bool, err error) {
	if err := sleep(ctx, time.Until(it.due), nil); err != nil {
		return false, err
	}
	for pause := o.minPause; ; pause = min(2*pause, o.maxPause) {
		session, rebound, err := o.binds.wait(ctx, it.account, it.to, it.not)
		if err != nil {
			return false, err
		}
		short := it.short
		o.sawDelivery(it, nil)
		answer, err := session.Request(ctx, &smpp.PDU{Command: smpp.DeliverSM, Short: &short})
		if err == nil {
			o.sawDelivery(it, answer)
		}
		switch {
		case err != nil:
			o.log.Debug().Err(err).Msg("deliver_sm was not answered; it will be sent again")
		case answer.Status == smpp.StatusOK:
			return true, nil
		case answer.Status == smpp.StatusRxPAppn || answer.Status == smpp.StatusRxRAppn:
			o.log.Warn().Stringer("status", answer.Status).Msg("the client refused a deliver_sm for good")
			return false, nil
		default:
			o.log.Debug().Stringer("status", answer.Status).Msg("the client cannot take a deliver_sm now; it will be sent again")
		}
		if err := sleep(ctx, pause, rebound); err != nil {
			return false, err
		}
	}
}

// sleep waits for d or until wake is closed. The error is that of ctx.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receipts lists those that nobody has taken, in the order of each lane.
func (o *outbox) receipts() []receipt {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []receipt
	for _, lane := range o.lanes {
		for _, it := range lane {
			if it.receipt != nil {
				all = append(all, *it.receipt)
			}
		}
	}
	return all
}
