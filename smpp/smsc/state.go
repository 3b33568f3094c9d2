package smsc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"smsbridge/addressing"
	"smsbridge/smpp"
)

// saveEvery is how long changes are gathered before the state file is written.
const saveEvery = time.Second

// state is what the state file holds.
type state struct {
	V        int          `json:"v"`
	Phones   []savedPhone `json:"phones"` // the last used first
	Receipts []receipt    `json:"receipts"`
}

type savedPhone struct {
	MSISDN   addressing.MSISDN `json:"msisdn"`
	Messages []Message         `json:"messages"` // oldest first
}

// saveChanges writes the state file some time after each change, until ctx ends.
func (s *Server) saveChanges(ctx context.Context) {
	for {
		select {
		case <-s.dirty:
		case <-ctx.Done():
			return
		}
		if sleep(ctx, saveEvery, nil) != nil {
			return
		}
		if err := s.save(); err != nil {
			s.log.Error().Err(err).Msg("what the phones show will be gone after a restart")
		}
	}
}

// save replaces the state file as a whole, so that a crash leaves the old or the new.
func (s *Server) save() error {
	path := s.cfg.StatePath
	if path == "" {
		return nil
	}
	body, err := json.Marshal(state{V: 1, Phones: s.phones.saved(), Receipts: s.outbox.receipts()})
	if err != nil {
		return fmt.Errorf("smsc: the state cannot be written: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("smsc: cannot write %s; check that the directory exists and is writable: %w", path, err)
	}
	_, err = tmp.Write(body)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("smsc: cannot write %s: %w", path, errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// load reads the state file, for which it makes the directory, and puts what was
// pending on its way again.
func (s *Server) load() error {
	path := s.cfg.StatePath
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("smsc: cannot make the directory of the state file %s; choose another: %w", path, err)
	}
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("smsc: cannot read the state file %s: %w", path, err)
	}
	var st state
	if err := json.Unmarshal(body, &st); err != nil {
		return fmt.Errorf("smsc: the state file %s is damaged; move it away to start with empty phones: %w", path, err)
	}
	for _, p := range slices.Backward(st.Phones) {
		s.phones.restore(p)
		for _, m := range p.Messages {
			s.resume(m)
		}
	}
	for _, r := range st.Receipts {
		if s.outbox.claim(1) == nil {
			s.outbox.add(receiptLane(r.Phone), r.item())
		}
	}
	return nil
}

// resume sends a message that no client had taken.
func (s *Server) resume(m Message) {
	if m.State != Pending {
		return
	}
	destination, err := answerAddress(m.To)
	if err != nil {
		return
	}
	segments, err := smpp.Split(m.Text, smpp.SplitOptions{Ref: smpp.RefOf(m.ID)})
	if err == nil && s.outbox.claim(len(segments)) == nil {
		s.outbox.add(sendLane(m.Phone), s.deliveries(m, destination, segments)...)
	}
}

// saved lists all phones with all that they keep.
func (ps *phones) saved() []savedPhone {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	out := make([]savedPhone, 0, len(ps.byName))
	for e := ps.order.Front(); e != nil; e = e.Next() {
		p := e.Value.(*phone)
		out = append(out, savedPhone{MSISDN: p.number, Messages: slices.Clone(p.messages)})
	}
	return out
}

// restore puts a phone back, in front of those before it.
func (ps *phones) restore(saved savedPhone) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.use(saved.MSISDN)
	p.messages = saved.Messages
	for _, m := range saved.Messages {
		p.text += len(m.Text)
	}
	ps.trim(p)
}
