package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// links is the whole way of a text through the smpp room: one Link of a Links, which
// splits and encodes the text, waits for its turn and for room in the window, and says
// what became of it.
type links struct {
	links  *smpp.Links
	from   addressing.Number
	phones [1000]addressing.MSISDN // the hub has read them long before
	stop   context.CancelFunc
	ended  chan error
}

func dialLinks(addr string, window int) (*links, error) {
	link, err := smpp.NewLink(smpp.LinkConfig{
		Name: "bench", Addr: addr, Bind: smpp.Transmitter, SystemID: "bench", Window: window,
	})
	if err != nil {
		return nil, err
	}
	all, err := smpp.NewLinks(smpp.LinksConfig{Links: []*smpp.Link{link}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &links{links: all, from: addressing.MustParseNumber("+33700000001"), stop: cancel, ended: make(chan error, 1)}
	for i := range l.phones {
		l.phones[i] = addressing.MustParseMSISDN("+" + phoneOf(int64(i)))
	}
	go func() { l.ended <- all.Run(ctx) }()
	late := time.After(patience)
	for {
		changed := link.Changed()
		if link.State().Status == smpp.LinkBound {
			return l, nil
		}
		select {
		case <-changed:
		case <-late:
			l.close()
			return nil, fmt.Errorf("the link did not bind: %s", link.State().LastError)
		}
	}
}

func (l *links) load(window int, stop *atomic.Bool, answered *atomic.Int64) error {
	return side(window, func(n int64) error {
		result := l.links.Submit(context.Background(), bridge.Submission{
			ID: strconv.FormatInt(n, 10), Number: l.from, Phone: l.phones[n%int64(len(l.phones))], Text: text,
		})
		if result.Outcome != bridge.OutcomeSent {
			return fmt.Errorf("%s: %s: %w", result.Outcome, result.Detail, result.Err)
		}
		answered.Add(1)
		return nil
	}, stop)
}

func (l *links) close() {
	l.stop()
	<-l.ended
}
