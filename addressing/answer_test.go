package addressing_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"smsbridge/addressing"
)

var sharedNumber = addressing.MustParseNumber("+33700000010")

func TestKeywords(t *testing.T) {
	tests := []struct {
		text string
		want addressing.Keyword
		rest string
	}{
		{"STOP", addressing.KeywordStop, ""},
		{"  stop\n", addressing.KeywordStop, ""},
		{"Arrêt", addressing.KeywordStop, ""},
		{"ＳＴＯＰ", addressing.KeywordStop, ""},
		{"baja", addressing.KeywordStop, ""},
		{"Stop all", addressing.KeywordStopAll, ""},
		{"PARAR TODO", addressing.KeywordStopAll, ""},
		{"stop @Ann", addressing.KeywordStop, "@ann"},
		{"STOP #2", addressing.KeywordStop, "#2"},
		{"Réabonner", addressing.KeywordStart, ""},
		{"ayuda", addressing.KeywordHelp, ""},
		{"stop it", addressing.NoKeyword, ""},
		{"please stop", addressing.NoKeyword, ""},
		{"stops", addressing.NoKeyword, ""},
		{"stop all now", addressing.NoKeyword, ""},
		{"help all", addressing.NoKeyword, ""},
		{"", addressing.NoKeyword, ""},
		{"halt", addressing.NoKeyword, ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, rest := addressing.DefaultKeywords().Find(tt.text)
			if got != tt.want || rest != tt.rest {
				t.Errorf("Find(%q) = %q, %q; want %q, %q", tt.text, got, rest, tt.want, tt.rest)
			}
		})
	}
	own := addressing.Keywords{addressing.KeywordStop: {"Halt"}}
	if got, _ := own.Find("HALT"); got != addressing.KeywordStop {
		t.Errorf("a word of the operator's is %q", got)
	}
}

// Whose a text to a shared Number is, when ann, bob and another ann have it.
func TestAnswerOnASharedNumber(t *testing.T) {
	other := addressing.MustParseHandle("xmpp:ann@other.example")
	b := newBook(t, newMemory(), addressing.Config{Shared: []addressing.Number{sharedNumber}})
	for _, h := range []addressing.Handle{ann, bob, other} {
		if _, err := b.Assign(t.Context(), h, phone1); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		text  string
		whose addressing.Handle // zero: the phone must choose
		want  string
	}{
		{"hello", addressing.Handle{}, "hello"},
		{"@bob hello", bob, "hello"},
		{"@Bob: hello", bob, "hello"},
		{"bob: hello", bob, "hello"},
		{"bob@corp.example: hello", bob, "hello"},
		{"@bob", bob, "@bob"},
		{"#2 hello", bob, "hello"},
		{"#3 hello", other, "hello"},
		{"#4 hello", addressing.Handle{}, "#4 hello"},
		{"#x", addressing.Handle{}, "#x"},
		{"@ann@other.example hello", other, "hello"},
		{"@ann hello", ann, "hello"}, // the whole id of web:ann, the name of the other
		{"@carl hello", addressing.Handle{}, "@carl hello"},
		{"see you at 10: bob", addressing.Handle{}, "see you at 10: bob"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			a, err := b.Answer(t.Context(), phone1, sharedNumber, tt.text)
			if err != nil || a.Conversation.Handle != tt.whose || a.Text != tt.want {
				t.Errorf("Answer(%q) = %v, %q, %v", tt.text, a.Conversation.Handle, a.Text, err)
			}
			if chose := len(a.Choices) > 0; chose != tt.whose.IsZero() {
				t.Errorf("choices %v", a.Choices)
			}
		})
	}
}

// A pair rests before it is given to another, and a late reply opens it again.
func TestReleaseAndRest(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := newBook(t, newMemory(), addressing.Config{
		Pool: pool[:1], ReleaseAfter: 10 * day, Rest: 5 * day, Now: func() time.Time { return now },
	})
	assign := func(h addressing.Handle, want error) {
		t.Helper()
		if _, err := b.Assign(t.Context(), h, phone1); !errors.Is(err, want) {
			t.Fatalf("after %s: Assign(%v) = %v; want %v", now, h, err, want)
		}
	}
	owner := func(want addressing.Handle) {
		t.Helper()
		if c, err := b.Lookup(t.Context(), phone1, pool[0]); err != nil || c.Handle != want {
			t.Fatalf("Lookup = %v, %v; want %v", c.Handle, err, want)
		}
	}
	assign(ann, nil)
	now = now.Add(14 * day)
	assign(bob, addressing.ErrNoNumber) // it rests
	owner(ann)                          // a late reply opens it
	now = now.Add(14 * day)
	assign(bob, addressing.ErrNoNumber)
	now = now.Add(2 * day)
	assign(bob, nil)
	owner(bob)
	if changed, err := b.Release(t.Context(), bob, phone1); err != nil || !changed {
		t.Fatal(err)
	}
	assign(ann, addressing.ErrNoNumber) // one that was ended rests as well
	now = now.Add(6 * day)
	assign(ann, nil)
	owner(ann)
}

// What version 1 stored is read, and keeps what it said.
func TestRecordOfVersion1(t *testing.T) {
	store := newMemory()
	then := time.Now().Add(-time.Hour)
	old := addressing.Record{V: 1, Entries: []addressing.Entry{{Number: pool[0], Handle: ann, Created: then, LastUsed: then}}}
	if err := store.SaveRecord(t.Context(), phone1, old, 0); err != nil {
		t.Fatal(err)
	}
	b := newBook(t, store, addressing.Config{Pool: pool})
	if c, err := b.Assign(t.Context(), ann, phone1); err != nil || c.Number != pool[0] {
		t.Errorf("Assign = %v, %v", c.Number, err)
	}
	if c, err := b.Lookup(t.Context(), phone1, pool[0]); err != nil || c.Handle != ann {
		t.Errorf("Lookup = %v, %v", c.Handle, err)
	}
}

// TestWhoIsWhose runs random histories of people, phones, shared and other Numbers,
// silence, stops and restarts on two instances that get in each other's way: a reply goes to
// who wrote last from that pair, nobody else gets a pair before it has rested, and whom a
// phone has stopped does not write.
func TestWhoIsWhose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const day = 24 * time.Hour
		type pair struct {
			phone  addressing.MSISDN
			number addressing.Number
		}
		type person struct {
			phone  addressing.MSISDN
			handle addressing.Handle
		}
		type use struct {
			handle addressing.Handle
			at     time.Time
		}
		ctx := context.Background()
		store := newMemory()
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		cfg := addressing.Config{
			Pool: pool[:2], Shared: []addressing.Number{sharedNumber}, Dedicated: map[addressing.Number]addressing.Handle{desk: ann},
			ReleaseAfter: 10 * day, Rest: 5 * day, Now: func() time.Time { return now },
		}
		instances := []*addressing.Book{newBook(t, store, cfg), newBook(t, store, cfg)}
		exclusive := map[pair]use{}
		shares := map[person]bool{}
		stopped := map[person]bool{}
		stoppedAll := map[addressing.MSISDN]bool{}
		people := []addressing.Handle{ann, bob, addressing.MustParseHandle("web:carl"), addressing.MustParseHandle("web:dora")}
		handles := rapid.SampledFrom(people)
		phones := rapid.SampledFrom([]addressing.MSISDN{phone1, addressing.MustParseMSISDN("+33612345679")})
		message := 0
		assigned := func(c addressing.Conversation) {
			if c.Number == sharedNumber {
				shares[person{c.Phone, c.Handle}] = true
				return
			}
			p := pair{c.Phone, c.Number}
			if before, known := exclusive[p]; known && before.handle != c.Handle && now.Sub(before.at) < 15*day {
				t.Fatalf("%v over %v was %v's %s ago and is now %v's", c.Phone, c.Number, before.handle, now.Sub(before.at), c.Handle)
			}
			exclusive[p] = use{c.Handle, now.Add(-day)} // known to the day
		}
		book := func(t *rapid.T) *addressing.Book { return rapid.SampledFrom(instances).Draw(t, "instance") }
		assign := func(t *rapid.T, b *addressing.Book, h addressing.Handle, phone addressing.MSISDN) {
			c, err := b.Assign(ctx, h, phone)
			if must := stoppedAll[phone] || stopped[person{phone, h}]; must != errors.Is(err, addressing.ErrStopped) {
				t.Fatalf("Assign(%v, %v) = %v; stopped: %v", h, phone, err, must)
			} else if must {
				return
			}
			if err != nil || c.Handle != h || c.Phone != phone { // the shared Number is never full
				t.Fatalf("Assign(%v, %v) = %+v, %v", h, phone, c, err)
			}
			assigned(c)
		}
		t.Repeat(map[string]func(*rapid.T){
			"assign": func(t *rapid.T) { assign(t, book(t), handles.Draw(t, "handle"), phones.Draw(t, "phone")) },
			"two assign at once": func(t *rapid.T) {
				one, two, phone := handles.Draw(t, "one"), handles.Draw(t, "two"), phones.Draw(t, "phone")
				store.between = func() { assign(t, instances[1], two, phone) }
				assign(t, instances[0], one, phone)
			},
			"reply": func(t *rapid.T) {
				phone, n := phones.Draw(t, "phone"), rapid.SampledFrom([]addressing.Number{pool[0], pool[1], desk}).Draw(t, "number")
				a, err := book(t).Answer(ctx, phone, n, "hello")
				want, known := exclusive[pair{phone, n}]
				if n == desk {
					want.handle, known = ann, true
				}
				if known != (err == nil) || known && a.Conversation.Handle != want.handle {
					t.Fatalf("Answer(%v, %v) = %+v, %v; want %v", phone, n, a, err, want.handle)
				}
				if known {
					exclusive[pair{phone, n}] = use{want.handle, now.Add(-day)}
				}
			},
			"reply by name": func(t *rapid.T) {
				phone, h := phones.Draw(t, "phone"), handles.Draw(t, "handle")
				a, err := book(t).Answer(ctx, phone, sharedNumber, "@"+h.ID()+" hello")
				if shares[person{phone, h}] && (err != nil || a.Conversation.Handle != h || a.Text != "hello") {
					t.Fatalf("a reply to %v is %+v, %v", h, a, err)
				}
				if err == nil && !a.Conversation.Handle.IsZero() && !shares[person{phone, a.Conversation.Handle}] {
					t.Fatalf("a stranger, %v, got a reply", a.Conversation.Handle)
				}
			},
			"stop": func(t *rapid.T) {
				message++
				phone, n := phones.Draw(t, "phone"), rapid.SampledFrom([]addressing.Number{pool[0], pool[1], desk, sharedNumber}).Draw(t, "number")
				s, err := book(t).Stop(ctx, phone, n, "", rapid.Bool().Draw(t, "all"), string(rune(message)))
				if err != nil {
					t.Fatal(err)
				}
				if s.All {
					stoppedAll[phone] = true
				}
				entries, err := instances[0].Conversations(ctx, phone)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range entries {
					if c.Number == n {
						stopped[person{phone, c.Handle}] = true
					}
				}
			},
			"start": func(t *rapid.T) {
				phone := phones.Draw(t, "phone")
				if _, err := book(t).SetOptout(ctx, phone, addressing.Handle{}, false); err != nil {
					t.Fatal(err)
				}
				delete(stoppedAll, phone)
				for _, h := range people {
					delete(stopped, person{phone, h})
				}
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "hours")) * time.Hour)
			},
			"restart": func(t *rapid.T) {
				instances[rapid.IntRange(0, 1).Draw(t, "which")] = newBook(t, store, cfg)
			},
			"": func(t *rapid.T) {
				for phone, r := range store.records {
					var seen []pair
					for _, e := range r.Entries {
						p := pair{phone, e.Number}
						if e.Number != sharedNumber && slices.Contains(seen, p) {
							t.Fatalf("two handles have %v on %v", e.Number, phone)
						}
						seen = append(seen, p)
					}
				}
			},
		})
	})
}
