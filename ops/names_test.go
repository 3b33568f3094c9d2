package ops_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"smsbridge/addressing"
	"smsbridge/ops"
)

// notes keeps what operators decide in memory.
type notes struct {
	mu     sync.Mutex
	values map[string][]byte
	revs   map[string]uint64
	seq    uint64
}

func (n *notes) LoadNote(_ context.Context, key string) ([]byte, uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.values[key], n.revs[key], nil
}

func (n *notes) SaveNote(_ context.Context, key string, value []byte, rev uint64) (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.revs[key] != rev {
		return 0, fmt.Errorf("notes: %w", addressing.ErrConflict)
	}
	n.seq++
	if n.values[key], n.revs[key] = value, n.seq; value == nil {
		delete(n.values, key)
		delete(n.revs, key)
	}
	return n.seq, nil
}

func (n *notes) FollowNotes(context.Context, func(string, []byte, uint64) error) error { return nil }

// TestNames: what operators decide about handles and Numbers, each decision after the ones before it.
func TestNames(t *testing.T) {
	directory, err := addressing.NewDirectory(t.Context(), &notes{values: map[string][]byte{}, revs: map[string]uint64{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	book, err := addressing.NewBook(&memory{}, addressing.Config{Pool: []addressing.Number{addressing.MustParseNumber("+33700000001")}, Directory: directory})
	if err != nil {
		t.Fatal(err)
	}
	audits := &trail{}
	base := serve(t, ops.Config{Book: book, Audit: audits})
	for _, tt := range []struct {
		name, method, path string
		status             int
		want               string
		audit              string // of the last record; empty: there is no new one
	}{
		{"nothing decided", "GET", "/handles", 200, `{"gone":[],"blocks":[],"registered":[]}`, ""},
		{"register", "POST", "/registered?handle=web:ann", 200, `"subject":"@ann web:ann","changed":true`, "handle_register @ann web:ann"},
		{"register again", "POST", "/registered?handle=web:ann&name=@ANN", 200, `"changed":false`, "handle_register @ANN web:ann"},
		{"a name that is taken", "POST", "/registered?handle=web:bob&name=ann", 409, "handle unregister ann", "handle_register @ann web:bob"},
		{"no name", "POST", "/registered?handle=web:bob&name=a%20b", 400, "one word", "handle_register @a b web:bob"},
		{"rename", "POST", "/handles/rename?from=web:ann&to=web:anna", 200, `"changed":true`, "handle_rename web:ann web:anna"},
		{"rename who is gone", "POST", "/handles/rename?from=web:ann&to=web:anne", 409, "is called web:anna", "handle_rename web:ann web:anne"},
		{"the name went along", "GET", "/handles", 200, `"name":"ann","handle":"web:anna"`, ""},
		{"block", "POST", "/blocks?handles=web:*&to=%2B882", 200, `"changed":true`, "handle_block web:* to +882"},
		{"block everybody", "POST", "/blocks?handles=*", 400, "stop the daemon", ""},
		{"block to no prefix", "POST", "/blocks?handles=web:ann&to=x", 400, "to: ", ""},
		{"unblock", "DELETE", "/blocks?handles=web:*&to=%2B882", 200, `"changed":true`, "handle_unblock web:* to +882"},
		{"unblock again", "DELETE", "/blocks?handles=web:*&to=%2B882", 200, `"changed":false`, "handle_unblock web:* to +882"},
		{"remove", "DELETE", "/handles?handle=web:anna", 200, `"changed":true`, "handle_rm web:anna"},
		{"restore", "POST", "/handles/restore?handle=web:anna", 200, `"changed":true`, "handle_restore web:anna"},
		{"reuse what is in use", "POST", "/handles/reuse?handle=web:anna", 200, `"changed":false`, "handle_reuse web:anna"},
		{"reuse", "POST", "/handles/reuse?handle=web:ann", 200, `"changed":true`, "handle_reuse web:ann"},
		{"no handle", "POST", "/handles/reuse?handle=x", 400, "handle: ", ""},
		{"unregister", "DELETE", "/registered?name=@ann", 200, `"changed":true`, "handle_unregister @ann"},
		{"add a number", "POST", "/numbers?number=%2B33700000088&use=dedicated&handle=web:bob", 200, `"changed":true`, "number_add +33700000088 dedicated web:bob"},
		{"add without a use", "POST", "/numbers?number=%2B33700000089", 400, "use must be", ""},
		{"retire", "POST", "/numbers/retire?number=%2B33700000088", 200, `"changed":true`, "number_retire +33700000088"},
		{"retire undone", "POST", "/numbers/retire?number=%2B33700000088&undo=true", 200, `"changed":true`, "number_unretire +33700000088"},
		{"a number that is not ours", "POST", "/numbers/retire?number=%2B33700000077", 400, "number ls", "number_retire +33700000077"},
		{"look-up", "GET", "/lookup?address=web:bob", 200, `"dedicated":"+33700000088"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(audits.all)
			status, body := ask(t, base, tt.method, "/admin/v1"+tt.path, http.Header{})
			if status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s", status, body)
			}
			last := ""
			if len(audits.all) > before {
				a := audits.all[before]
				last = a.Action + " " + a.Subject
			}
			if last != tt.audit {
				t.Errorf("on record: %q, want %q", last, tt.audit)
			}
		})
	}
}
