package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	gosmpp "github.com/fiorix/go-smpp/smpp"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutext"
	linxgnu "github.com/linxGnu/gosmpp"
	linxpdu "github.com/linxGnu/gosmpp/pdu"
	"golang.org/x/time/rate"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

// text is what everybody sends: 100 octets.
const text = "Your parcel has arrived. Please bring an identity card and this code to collect it by Friday: 481516"

// phoneOf spreads submits over phones.
func phoneOf(n int64) string { return "33612" + strconv.FormatInt(100_000+n%10_000, 10) }

// patience bounds binds and answers: only a failure takes so long.
const patience = 10 * time.Second

// client is an SMPP client that submits. What it is told to count it counts when the
// answer has come.
type client interface {
	// load submits with up to window submits in flight until stop, then waits for the rest.
	load(window int, stop *atomic.Bool, answered *atomic.Int64) error
	close()
}

// ours is a Session of the smpp room. Each submit waits for its own answer.
type ours struct {
	session *smpp.Session
	ended   chan error
	limit   *rate.Limiter // nil: as fast as it goes
}

func dialOurs(addr string, cfg smpp.SessionConfig) (*ours, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	o := &ours{
		session: smpp.NewSession(conn, cfg),
		ended:   make(chan error, 1),
	}
	go func() { o.ended <- o.session.Run(context.Background()) }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := o.session.Bind(ctx, smpp.BindTransceiver, smpp.Bind{SystemID: "bench", InterfaceVersion: smpp.Version34}); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func (o *ours) load(window int, stop *atomic.Bool, answered *atomic.Int64) error {
	return side(window, func(n int64) error {
		if o.limit != nil {
			if err := o.limit.Wait(context.Background()); err != nil {
				return err
			}
		}
		resp, err := o.session.Request(context.Background(), &smpp.PDU{Command: smpp.SubmitSM, Short: &smpp.Short{
			Source:             bridge.Address{TON: 1, NPI: 1, Addr: "33700000001"},
			Destination:        bridge.Address{TON: 1, NPI: 1, Addr: phoneOf(n)},
			RegisteredDelivery: 1, Body: []byte(text),
		}})
		if err != nil {
			return err
		}
		if resp.Status != smpp.StatusOK || resp.MessageID == "" {
			return fmt.Errorf("the SMSC answered %s with id %q", resp.Status, resp.MessageID)
		}
		answered.Add(1)
		return nil
	}, stop)
}

func (o *ours) close() {
	_ = o.session.Close()
	<-o.ended
}

// side runs do in n goroutines until stop, and returns the first error.
func side(n int, do func(int64) error, stop *atomic.Bool) error {
	var next atomic.Int64
	var working sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		working.Go(func() {
			for !stop.Load() && errs[i] == nil {
				errs[i] = do(next.Add(1))
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

// goSMPP is the Transceiver of fiorix/go-smpp. Each submit waits for its own answer.
type goSMPP struct{ trx *gosmpp.Transceiver }

func dialGoSMPP(addr string) (*goSMPP, error) {
	trx := &gosmpp.Transceiver{Addr: addr, User: "bench", RespTimeout: patience}
	select {
	case status := <-trx.Bind():
		if status.Error() != nil {
			return nil, status.Error()
		}
	case <-time.After(patience):
		return nil, errors.New("go-smpp did not bind")
	}
	return &goSMPP{trx: trx}, nil
}

func (g *goSMPP) load(window int, stop *atomic.Bool, answered *atomic.Int64) error {
	return side(window, func(n int64) error {
		sm, err := g.trx.Submit(&gosmpp.ShortMessage{
			Src: "33700000001", SourceAddrTON: 1, SourceAddrNPI: 1,
			Dst: phoneOf(n), DestAddrTON: 1, DestAddrNPI: 1,
			Text: pdutext.Raw(text), Register: 1,
		})
		if err != nil {
			return err
		}
		if sm.RespID() == "" {
			return errors.New("no message id")
		}
		answered.Add(1)
		return nil
	}, stop)
}

func (g *goSMPP) close() { _ = g.trx.Close() }

// linx is linxGnu/gosmpp. It matches no answers to submits: one goroutine submits, and
// each answer, whosever it is, makes room for another.
type linx struct {
	session *linxgnu.Session
	answer  atomic.Pointer[func(linxpdu.PDU)]
	failed  atomic.Pointer[error]
}

func dialLinx(addr string) (*linx, error) {
	l := new(linx)
	fail := func(err error) { l.failed.Store(&err) }
	session, err := linxgnu.NewSession(
		linxgnu.TRXConnector(linxgnu.NonTLSDialer, linxgnu.Auth{SMSC: addr, SystemID: "bench"}),
		linxgnu.Settings{
			ReadTimeout: patience, WriteTimeout: patience,
			OnSubmitError:    func(_ linxpdu.PDU, err error) { fail(err) },
			OnReceivingError: fail,
			OnPDU: func(p linxpdu.PDU, _ bool) {
				if answer := l.answer.Load(); answer != nil {
					(*answer)(p)
				}
			},
		}, -1)
	if err != nil {
		return nil, err
	}
	l.session = session
	return l, nil
}

func (l *linx) load(window int, stop *atomic.Bool, answered *atomic.Int64) error {
	room := make(chan struct{}, window)
	answer := func(p linxpdu.PDU) {
		if resp, ok := p.(*linxpdu.SubmitSMResp); ok && resp.MessageID != "" {
			answered.Add(1)
			<-room
		}
	}
	l.answer.Store(&answer)
	for n := int64(0); !stop.Load(); n++ {
		room <- struct{}{}
		p, err := linxSubmit(n)
		if err != nil {
			return err
		}
		if err := l.session.Transceiver().Submit(p); err != nil {
			return err
		}
		if err := l.failed.Load(); err != nil {
			return *err
		}
	}
	for range window { // the rest of the answers
		room <- struct{}{}
	}
	return nil
}

func linxSubmit(n int64) (linxpdu.PDU, error) {
	p := linxpdu.NewSubmitSM().(*linxpdu.SubmitSM)
	var err error
	if p.SourceAddr, err = linxpdu.NewAddressWithTonNpiAddr(1, 1, "33700000001"); err != nil {
		return nil, err
	}
	if p.DestAddr, err = linxpdu.NewAddressWithTonNpiAddr(1, 1, phoneOf(n)); err != nil {
		return nil, err
	}
	if p.Message, err = linxpdu.NewBinaryShortMessage([]byte(text)); err != nil {
		return nil, err
	}
	p.RegisteredDelivery = 1
	return p, nil
}

func (l *linx) close() { _ = l.session.Close() }
