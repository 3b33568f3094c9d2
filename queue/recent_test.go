package queue

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"smsbridge/addressing"
)

func TestRecent(t *testing.T) {
	type state map[string]string // what is expected of each key; empty: not known
	put := func(key, value string, rev, era uint64) func(*recent[string, string]) {
		return func(r *recent[string, string]) { r.put(key, value, rev, r.begin(era)) }
	}
	doubt := func(key string, rev uint64) func(*recent[string, string]) {
		return func(r *recent[string, string]) { r.doubt(key, rev) }
	}
	tests := []struct {
		name  string
		size  int
		steps []func(*recent[string, string])
		era   uint64
		want  state
	}{
		{"what was written last", 2, []func(*recent[string, string]){put("a", "1", 1, 0), put("a", "2", 2, 0)}, 0, state{"a": "2"}},
		{"writes in the wrong order", 2, []func(*recent[string, string]){put("a", "2", 2, 0), put("a", "1", 1, 0)}, 0, state{"a": "2"}},
		{"wrong order over generations", 1, []func(*recent[string, string]){put("a", "2", 2, 0), put("b", "3", 3, 0), put("a", "1", 1, 0)}, 0, state{"a": "2", "b": "3"}},
		{"the oldest is forgotten", 1, []func(*recent[string, string]){put("a", "1", 1, 0), put("b", "2", 2, 0), put("c", "3", 3, 0)}, 0, state{"a": "", "b": "2", "c": "3"}},
		{"one that is used again stays", 2, []func(*recent[string, string]){
			put("a", "1", 1, 0), put("b", "2", 2, 0), put("c", "3", 3, 0), put("a", "4", 4, 0), put("d", "5", 5, 0),
		}, 0, state{"a": "4", "b": "", "c": "3", "d": "5"}},
		{"forgotten", 2, []func(*recent[string, string]){put("a", "1", 1, 0), func(r *recent[string, string]) { r.forget("a") }}, 0, state{"a": ""}},
		{"forgotten in both generations", 1, []func(*recent[string, string]){
			put("a", "1", 1, 0), put("b", "2", 2, 0), func(r *recent[string, string]) { r.forget("a"); r.forget("b") },
		}, 0, state{"a": "", "b": ""}},
		{"one that is read again stays", 1, []func(*recent[string, string]){
			put("a", "1", 1, 0), put("b", "2", 2, 0), func(r *recent[string, string]) { r.get("a", 0) }, put("c", "3", 3, 0),
		}, 0, state{"a": "1", "b": "", "c": "3"}},
		{"a write that failed, and then a read that began before it", 2, []func(*recent[string, string]){
			put("a", "1", 1, 0), doubt("a", 1), put("a", "1", 1, 0),
		}, 0, state{"a": ""}},
		{"what is newer than a write that failed", 2, []func(*recent[string, string]){
			put("a", "1", 1, 0), doubt("a", 1), put("a", "2", 2, 0),
		}, 0, state{"a": "2"}},
		{"a write that lost to one that is known", 2, []func(*recent[string, string]){
			put("a", "1", 1, 0), put("a", "2", 2, 0), doubt("a", 1),
		}, 0, state{"a": "2"}},
		{"a write that failed where nothing was known", 2, []func(*recent[string, string]){doubt("a", 5), put("a", "1", 5, 0)}, 0, state{"a": ""}},
		{"a read that took longer than the memory of what was written", 1, []func(*recent[string, string]){func(r *recent[string, string]) {
			began := r.begin(0)
			r.put("a", "2", 2, began)
			r.put("b", "3", 3, began)
			r.put("c", "4", 4, r.begin(0)) // a is forgotten
			r.put("a", "1", 1, began)
		}}, 0, state{"a": ""}},
		{"a write of an older era over what was read in this one", 2, []func(*recent[string, string]){
			put("b", "1", 1, 1), put("a", "2", 2, 1), put("a", "3", 3, 0),
		}, 1, state{"a": "", "b": "1"}},
		{"a new era ends a doubt", 2, []func(*recent[string, string]){doubt("a", 5), put("a", "1", 5, 1)}, 1, state{"a": "1"}},
		{"a new era", 2, []func(*recent[string, string]){put("a", "1", 1, 0), put("b", "2", 2, 1)}, 1, state{"a": "", "b": "2"}},
		{"a new era without a write", 2, []func(*recent[string, string]){put("a", "1", 1, 0)}, 1, state{"a": ""}},
		{"a write that began in an older era", 2, []func(*recent[string, string]){put("a", "1", 1, 1), put("b", "2", 2, 0)}, 1, state{"a": "1", "b": ""}},
		{"no size", 0, []func(*recent[string, string]){put("a", "1", 1, 0)}, 0, state{"a": ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRecent[string, string](test.size)
			for _, step := range test.steps {
				step(r)
			}
			for key, want := range test.want {
				if got, _, known := r.get(key, test.era); got != want || known != (want != "") {
					t.Errorf("%s is %q, %v; want %q", key, got, known, want)
				}
			}
		})
	}
}

// BenchmarkRemember tells what it takes of the heap to remember the records of a million phones,
// each with one conversation.
func BenchmarkRemember(b *testing.B) {
	const n = 1_000_000
	now := time.Now().UTC()
	number := addressing.MustParseNumber("+33700000001")
	size := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for b.Loop() {
		before := size()
		r := newRecent[uint64, string](n)
		for i := range n {
			person := addressing.MustParseHandle(fmt.Sprintf("xmpp:person%07d@corp.example", i))
			begun := now.Add(-time.Duration(i) * time.Second)
			record := addressing.Record{V: 2, Entries: []addressing.Entry{{Number: number, Handle: person, Created: begun, LastUsed: now}}}
			r.put(33_600_000_000+uint64(i), record.Packed(), uint64(i+1), moment{})
		}
		b.ReportMetric(float64(size()-before)/n, "B/record")
		runtime.KeepAlive(r)
	}
}
