package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/internal/peers"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// erase runs `smsbridge erase --json` until nothing of the person is under way.
func (o operatorAt) erase(who string, flags ...string) (found ops.Erased) {
	o.t.Helper()
	patiently(o.t, who+" being erased", func() bool {
		found = ops.Erased{}
		code, out, errs := smsbridge(o.t, "", append([]string{"erase", who, "--json", "--ops", o.ops}, flags...)...)
		if err := json.Unmarshal([]byte(out), &found); code != exitOK || err != nil {
			o.t.Fatalf("erase %s: code %d, %v, %s%s", who, code, err, out, errs)
		}
		return found.Left == 0
	})
	return found
}

func counted(e ops.Erased, kind string) int {
	i := slices.IndexFunc(e.Counts, func(k ops.ErasedKind) bool { return k.Kind == kind })
	if i < 0 {
		return 0
	}
	return e.Counts[i].Count
}

// noFileWith waits until no file below dir has one of the words in it, as it is or as base64: receipts, which
// repeat the text, are in a queue for up to 10 s.
func noFileWith(t *testing.T, dir string, words ...string) {
	t.Helper()
	patiently(t, fmt.Sprintf("%q to leave the disk", words), func() bool { return len(filesWith(dir, words)) == 0 })
}

func filesWith(dir string, words []string) (found []string) {
	files := os.DirFS(dir)
	look := func(name string) {
		data, _ := fs.ReadFile(files, name) // a folder, or one that is gone meanwhile, says nothing
		for _, w := range words {
			encoded := base64.RawStdEncoding.EncodeToString([]byte(w[:len(w)/3*3]))
			if bytes.Contains(data, []byte(w)) || bytes.Contains(data, []byte(encoded)) {
				found = append(found, name)
			}
		}
	}
	_ = fs.WalkDir(files, ".", func(name string, _ fs.DirEntry, _ error) error {
		look(name)
		return nil
	})
	return found
}

// eraseRig is a daemon over which ann and bob have written to two phones, and more waits for an SMSC that
// is away.
type eraseRig struct {
	t         *testing.T
	dir, away string
	config    string
	p         *process
	o         operatorAt
	ann, bob  *person
	smsc      *smsc.Server
}

const (
	erasedPhone  = "+33612345678"
	otherPhone   = "+33612345679"
	waitingPhone = "+447700900123"
)

func startEraseRig(t *testing.T, more string) *eraseRig {
	t.Helper()
	all, hashes := people("ann", "bob")
	r := &eraseRig{t: t, dir: t.TempDir(), away: peers.FreeAddress(t), ann: all[0], bob: all[1]}
	r.smsc = startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: time.Millisecond})
	r.config = twoSMSCs(r.dir, r.smsc.Addr(), r.away, hashes) + more
	r.start()
	return r
}

func (r *eraseRig) start() {
	r.t.Helper()
	r.p = startDaemon(r.t, r.config)
	r.o, r.ann.base, r.bob.base = operatorAt{r.t, r.p.ops}, r.p.web, r.p.web
}

func (r *eraseRig) send(who *person, to, text string) (id string) {
	r.t.Helper()
	m, err := who.send(r.t.Context(), to, text, "")
	if err != nil || m.Code != http.StatusAccepted {
		r.t.Fatalf("%s to %s: %+v, %v", who.name, to, m, err)
	}
	return m.ID
}

// answers has the phone answer who wrote a text to it.
func (r *eraseRig) answers(phone, to, text string) {
	r.t.Helper()
	for _, m := range messages(r.t, r.smsc, phone) {
		if m.Text == to {
			if _, err := r.smsc.Send(addressing.MustParseMSISDN(phone), m.From, text); err != nil {
				r.t.Fatal(err)
			}
			return
		}
	}
	r.t.Fatalf("%s has no %q", phone, to)
}

// talk has both write to both phones, which answer; what waits, for bob in order; and a dead letter of each phone.
func (r *eraseRig) talk() {
	r.t.Helper()
	for _, who := range []*person{r.ann, r.bob} {
		for _, phone := range []string{erasedPhone, otherPhone} {
			r.send(who, phone, who.name+"s-words to "+phone[10:])
		}
		who.awaitFinal(r.t, 2)
		for _, phone := range []string{erasedPhone, otherPhone} {
			r.answers(phone, who.name+"s-words to "+phone[10:], phone[10:]+"s-words to "+who.name)
			who.wrote(r.t, phone[10:]+"s-words to "+who.name)
		}
	}
	for n := range 3 {
		r.send(r.ann, waitingPhone, fmt.Sprint("anns-words wait ", n))
		r.send(r.bob, waitingPhone, fmt.Sprint("bobs-words wait ", n))
	}
	for _, phone := range []string{erasedPhone, otherPhone} {
		if _, err := r.smsc.Send(addressing.MustParseMSISDN(phone), "+33700000999", phone[10:]+"s-words to nobody"); err != nil {
			r.t.Fatal(err)
		}
	}
	patiently(r.t, "the dead letters", func() bool { return deadLetters(r.t, r.o) == 2 })
	r.o.waiting(6)
}

// bobIsWhole looks that nothing of bob's is gone with what was ann's.
func (r *eraseRig) bobIsWhole(phones ...string) {
	r.t.Helper()
	for _, phone := range phones {
		if got, want := r.bob.said(r.t, phone), []string{"mt bobs-words to " + phone[10:], "mo " + phone[10:] + "s-words to bob"}; !slices.Equal(got, want) {
			r.t.Errorf("bob and %s said %q", phone, got)
		}
		r.o.does("lookup "+phone, "web:bob")
	}
	other := startSMSC(r.t, smsc.Config{Addr: r.away, ReceiptDelay: time.Millisecond})
	r.o.does("link rebind other")
	patiently(r.t, "what waited of bob's", func() bool {
		return slices.Equal(texts(r.t, other, waitingPhone), []string{"bobs-words wait 0", "bobs-words wait 1", "bobs-words wait 2"})
	})
	r.o.waiting(0)
}

// TestEraseHandle: what is kept of a person goes, in all rooms, and nothing of anybody else's.
func TestEraseHandle(t *testing.T) {
	r := startEraseRig(t, "")
	r.talk()
	o := r.o
	o.does("handle block web:ann --to +882")
	if dry := o.erase("web:ann", "--dry-run"); dry.Total == 0 || counted(dry, "messages to phones that wait") != 3 || counted(dry, "phones with conversations") != 3 {
		t.Errorf("it would erase %+v", dry)
	}
	if code, _, errs := smsbridge(t, "no\n", "erase", "web:ann", "--ops", o.ops); code == exitOK || !strings.Contains(errs, "nothing was erased") {
		t.Errorf("code %d, %s", code, errs)
	}
	o.waiting(6)
	done := o.erase("web:ann", "--yes")
	if counted(done, "messages to phones that waited") != 3 || counted(done, "phones with conversations") != 3 {
		t.Errorf("it erased %+v", done)
	}
	noFileWith(t, r.dir, "anns-words", "s-words to ann")
	o.does("queue audit", "handle of web, digest")
	o.knowsNothing("web:ann")
	if m, err := r.ann.send(t.Context(), erasedPhone, "anns-words again", ""); err != nil || m.Code == http.StatusAccepted {
		t.Errorf("ann may write: %+v, %v", m, err)
	}
	o.waiting(3)
	r.bobIsWhole(erasedPhone, otherPhone)

	// A late answer is nobody's, and a new person begins afresh; also after a crash.
	r.p.kill()
	r.start()
	o = r.o
	before := deadLetters(t, o)
	r.answers(erasedPhone, "anns-words to 78", "late words")
	patiently(t, "the late answer being nobody's", func() bool { return deadLetters(t, o) == before+1 })
	o.does("handle reuse web:ann")
	if said := r.ann.said(t, erasedPhone); len(said) > 0 {
		t.Errorf("the new ann reads %q", said)
	}
	r.send(r.ann, otherPhone, "a new ann")
	patiently(t, "what the new ann wrote", func() bool { return slices.Contains(texts(t, r.smsc, otherPhone), "a new ann") })
	if again := o.erase("web:nobody", "--yes"); again.Total != 0 {
		t.Errorf("of nobody it erased %+v", again)
	}
}

func deadLetters(t *testing.T, o operatorAt) int {
	t.Helper()
	_, out, _ := smsbridge(t, "", "queue", "ls", "dead", "--ops", o.ops)
	return strings.Count(out, "unroutable")
}

// knowsNothing looks that no command finds anything of somebody.
func (o operatorAt) knowsNothing(who string) {
	o.t.Helper()
	flag := "--phone"
	if strings.Contains(who, ":") {
		flag = "--handle"
	}
	for _, command := range []string{"trace " + flag + " " + who, "lookup " + who, "conversation ls " + who, "queue ls dead", "queue audit", "handle ls"} {
		_, out, errs := smsbridge(o.t, "", append(strings.Fields(command), "--ops", o.ops)...)
		for _, word := range []string{"s-words", "resting", "open until", "mt ", who + " +", who + " may"} {
			if strings.Contains(out, word) {
				o.t.Errorf("%s: %s%s", command, out, errs)
				break
			}
		}
		if list := strings.HasPrefix(command, "queue") || strings.HasPrefix(command, "handle"); list && strings.Contains(out, who) {
			o.t.Errorf("%s names it: %s", command, out)
		}
	}
}

// TestErasePhone: what is kept of a phone goes, its own STOP but for, and its senders are told what
// becomes of their messages.
func TestErasePhone(t *testing.T) {
	r := startEraseRig(t, "call_records: {phones: plain}\n")
	r.talk()
	o := r.o
	done := o.erase(waitingPhone, "--yes")
	if counted(done, "messages to phones that waited") != 6 {
		t.Errorf("it erased %+v", done)
	}
	o.waiting(0)
	for _, who := range []*person{r.ann, r.bob} {
		if said := who.said(t, waitingPhone); len(said) > 0 {
			t.Errorf("%s reads %q", who.name, said)
		}
	}
	o.knowsNothing(waitingPhone)

	done = o.erase(erasedPhone, "--yes")
	if counted(done, "conversations of the phone") != 2 || counted(done, "dead letters") != 1 || len(done.Kept) != 2 {
		t.Errorf("it erased %+v", done)
	}
	noFileWith(t, r.dir, "78s-words", "s-words to 78", "s-words wait")
	// Four texts of it have ended, besides its dead letter; those of the other phone are whole.
	if n := counted(done, "call-detail records, of who it was"); n != 5 {
		t.Errorf("of %d call-detail records it was taken out", n)
	}
	if calls := filepath.Join(r.dir, "calls"); len(filesWith(calls, []string{erasedPhone, waitingPhone})) > 0 || len(filesWith(calls, []string{otherPhone})) != 1 {
		t.Error("the call-detail records say whose they are, or those of others do not")
	}
	o.knowsNothing(erasedPhone)
	for _, who := range []*person{r.ann, r.bob} {
		if got, want := who.said(t, otherPhone), []string{"mt " + who.name + "s-words to 79", "mo 79s-words to " + who.name}; !slices.Equal(got, want) {
			t.Errorf("%s and the other phone said %q", who.name, got)
		}
	}
	if n := deadLetters(t, o); n != 1 {
		t.Errorf("%d dead letters are left", n)
	}

	// Of a phone with a STOP that stays, and is heeded.
	o.does("optout add " + otherPhone + " web:ann")
	done = o.erase(otherPhone, "--yes")
	if i := slices.IndexFunc(done.Kept, func(k string) bool { return strings.HasPrefix(k, "1 STOP") }); i < 0 {
		t.Errorf("it kept %q", done.Kept)
	}
	if m, err := r.ann.send(t.Context(), otherPhone, "hello", ""); err != nil || m.Code == http.StatusAccepted {
		t.Errorf("ann may write: %+v, %v", m, err)
	}
	r.send(r.bob, otherPhone, "hello again")
	patiently(t, "what bob wrote", func() bool { return slices.Contains(texts(t, r.smsc, otherPhone), "hello again") })
}

// TestEraseKilled: an erasure that a crash broke off is finished by doing it again, and nobody else loses
// anything.
func TestEraseKilled(t *testing.T) {
	for _, after := range []time.Duration{20 * time.Millisecond, 400 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			r := startEraseRig(t, "")
			r.talk()
			var erasing sync.WaitGroup
			erasing.Go(func() { smsbridge(t, "", "erase", "web:ann", "--yes", "--ops", r.o.ops) })
			select {
			case <-time.After(after): // any moment will do
			case <-t.Context().Done():
			}
			r.p.kill()
			erasing.Wait()
			r.start()
			r.o.erase("web:ann", "--yes")
			if again := r.o.erase("web:ann", "--yes"); again.Total != 0 {
				t.Errorf("afterwards there was %+v", again)
			}
			r.o.knowsNothing("web:ann")
			r.bobIsWhole(erasedPhone, otherPhone)
		})
	}
}

// TestEraseWhileWriting: a person and a phone are erased while they write: each message that was
// accepted ends, none stays in a queue, and nobody else notices.
func TestEraseWhileWriting(t *testing.T) {
	r := startEraseRig(t, "")
	var writing sync.WaitGroup
	const each, begun = 100, 10
	first := make(chan struct{}, 3)
	var mine []string // bob's to the phone that is not erased
	write := func(who *person, phone string, accepted func(id string)) {
		writing.Go(func() {
			for n := range each {
				m, err := who.send(t.Context(), phone, fmt.Sprint(who.name, "s-words ", n), "")
				if err != nil {
					t.Error(err)
				}
				if m.Code == http.StatusAccepted {
					accepted(m.ID)
				}
				if n == begun {
					first <- struct{}{}
				}
			}
		})
	}
	write(r.ann, otherPhone, func(string) {})
	write(r.bob, erasedPhone, func(string) {})
	write(r.bob, otherPhone, func(id string) { mine = append(mine, id) })
	for range 3 {
		<-first
	}
	var erasing sync.WaitGroup
	for _, who := range []string{"web:ann", erasedPhone} {
		erasing.Go(func() {
			code, out, errs := smsbridge(t, "", "erase", who, "--yes", "--ops", r.o.ops)
			if code != exitOK && !strings.Contains(errs, "are being sent at this moment") {
				t.Errorf("erase %s: code %d, %s%s", who, code, out, errs)
			}
		})
	}
	writing.Wait()
	erasing.Wait()
	r.o.waiting(0)
	if len(mine) != each {
		t.Errorf("of bob's %d messages to the other phone %d were accepted", each, len(mine))
	}
	ended := make(map[string]string)
	r.bob.events(t, func(e event) bool {
		if slices.Contains(mine, e.ID) && final[e.Status] {
			ended[e.ID] = e.Status
		}
		return len(ended) < len(mine)
	})
	for id, status := range ended {
		if status != "delivered" {
			t.Errorf("message %s of bob's is %s", id, status)
		}
	}
	r.o.erase("web:ann", "--yes")
	r.o.erase(erasedPhone, "--yes")
	r.o.knowsNothing("web:ann")
	r.o.knowsNothing(erasedPhone)
	noFileWith(t, r.dir, "anns-words")
	if said := r.bob.said(t, otherPhone); len(said) == 0 {
		t.Error("bob has lost his conversation")
	}
}
