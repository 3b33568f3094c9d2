package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/queue"
)

// This file is what an erasure does to call-detail records, how it finds names in free texts, and
// what it tells that it keeps.

// callRecords takes who it was out of call-detail records in files, and erases those in the stream.
func (e *erasing) callRecords(ctx context.Context) error {
	c := e.a.cfg.CallRecords
	if c == nil {
		return nil
	}
	if e.is == nil && c.Phones == configs.PhonesMasked {
		e.callsKept = true
		return nil
	}
	write := callPhone(c)
	fits := func(call bridge.Call) bool {
		if e.is == nil {
			return call.Phone == write(e.what.Phone)
		}
		h, err := addressing.ParseHandle(call.Handle)
		return err == nil && e.is(h, call.AcceptedAt)
	}
	if e.a.callFile == nil {
		n, err := e.a.store.EraseCalls(ctx, fits, e.how)
		return e.count("call-detail records", n, err)
	}
	// They are in the stream for a second only, and then in a file.
	for attempt := 0; !e.dry; attempt++ {
		n, err := e.a.store.EraseCalls(ctx, fits, &queue.Erasure{Dry: true})
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if attempt == eraseRounds {
			e.done.Left += n
			break
		}
		select {
		case <-time.After(eraseEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n, err := e.a.callFile.Erase(fits, e.dry)
	return e.count("call-detail records, of who it was", n, err)
}

// tellKept says what stays.
func (e *erasing) tellKept() {
	keep := func(format string, args ...any) { e.done.Kept = append(e.done.Kept, fmt.Sprintf(format, args...)) }
	if e.is != nil {
		keep("that the handle was erased, as a digest: nobody may write as it until smsbridge handle reuse gives it to a new person")
	}
	if e.stops > 0 {
		keep("%s of the phone, with its number: without them it would be written to, and has asked for nothing; smsbridge optout rm ends them", count(e.stops, "STOP"))
	}
	for _, b := range e.a.hub.Book.Directory().Blocks() {
		if e.is == nil && b.Prefix == e.what.Phone.Digits() {
			keep("the block of %s names the phone; smsbridge handle unblock ends it", b)
		}
	}
	if e.traces > 0 {
		keep("of %s that they are dealt with, so that none is sent again; without name, phone and text, until the journal forgets them (queue.keep.journal)", count(e.traces, "message"))
	}
	if e.callsKept {
		keep("call-detail records: their phones are masked, so that it cannot be told which are of this one")
	}
	if e.how.Removed > 0 {
		keep("on the disk the octets of %s, until the NATS server writes their blocks anew: there were too many to overwrite each", count(e.how.Removed, "record"))
	}
	keep("what the configuration, logs and backups say, what other instances have in files, and what SMSCs and messengers keep")
}

// mentioned tells whether a free text names the person.
func (e *erasing) mentioned(text string) bool {
	for _, word := range e.words {
		for from := 0; ; from++ {
			i := strings.Index(text[from:], word)
			if i < 0 {
				break
			}
			from += i
			if end := from + len(word); !e.goesOn(text[:from], true) && !e.goesOn(text[end:], false) {
				return true
			}
		}
	}
	return false
}

// goesOn tells whether the text before or after a name makes another name of it.
func (e *erasing) goesOn(text string, before bool) bool {
	if text == "" {
		return false
	}
	c := text[0]
	if before {
		c = text[len(text)-1]
	}
	digit := c >= '0' && c <= '9'
	if e.is == nil {
		return digit
	}
	return digit || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 || strings.IndexByte("._-@", c) >= 0
}
