package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/ops"
	"smsbridge/queue"
)

// This file keeps call-detail records.

// callsConfig says what the store is to keep of them.
func callsConfig(c *configs.CallRecords, q *queue.Config) {
	if c != nil {
		q.CallsMaxBytes, q.CallsFor = c.MaxBytes, c.KeepFor
	}
}

// calls is where the hub puts records; nil where none are kept.
func (a *app) calls() bridge.Calls {
	if a.cfg.CallRecords == nil {
		return nil
	}
	return a.store
}

// callPhone writes phones into records as c wants it; nil means masked.
func callPhone(c *configs.CallRecords) func(addressing.MSISDN) string {
	switch {
	case c == nil || c.Phones == configs.PhonesMasked:
		return nil
	case c.Phones == configs.PhonesHashed:
		key := []byte(c.Key.Reveal())
		return func(p addressing.MSISDN) string { return hashedPhone(key, p) }
	default:
		return addressing.MSISDN.String
	}
}

// hashedPhone is the first half of HMAC-SHA-256 over the phone as +33612345678, in hexadecimal digits.
func hashedPhone(key []byte, p addressing.MSISDN) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(p.String()))
	return hex.EncodeToString(mac.Sum(nil)[:sha256.Size/2])
}

// openCalls opens the files of the records, where there are to be any.
func (a *app) openCalls() (err error) {
	c := a.cfg.CallRecords
	if c == nil || c.Output != configs.CallsToFile {
		return nil
	}
	a.callFile, err = ops.NewCallFile(ops.CallFileConfig{Dir: c.Dir, MaxSize: c.MaxSize, MaxAge: c.MaxAge, Keep: c.Keep, Logger: room(a.log, "ops")})
	if err != nil {
		return fmt.Errorf("call_records.dir: %w", err)
	}
	return nil
}

// runCalls writes records to files, in one instance.
func (a *app) runCalls(ctx context.Context) error {
	err := a.store.RunAlone(ctx, "calls", func(ctx context.Context) error { return a.store.RunCalls(ctx, a.callFile.Write) })
	return errors.Join(err, a.callFile.Close())
}

func (a *app) callStats() ops.CallStats {
	s := a.store.CallStats()
	return ops.CallStats{Waiting: s.Waiting, Written: s.Written, Lost: s.Lost + a.hub.Stats().CallsLost, Failing: s.Failing}
}
