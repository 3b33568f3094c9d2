package ops_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// TestCallFileErase: who it was is taken out of the records of one, in all files; the lines stay, in
// order, and writing goes on.
func TestCallFileErase(t *testing.T) {
	dir := t.TempDir()
	f := callFile(t, ops.CallFileConfig{Dir: dir, MaxSize: 500})
	all := callsOf(0, 9)
	for i := range all {
		all[i].Handle, all[i].Phone, all[i].NetworkID = "web:bob", "+33612345679", "key-of-bob"
		if i%2 == 0 {
			all[i].Handle, all[i].Phone, all[i].NetworkID = "web:ann", "+33612345678", "key-of-ann"
		}
	}
	for _, c := range all[:8] {
		writeCalls(t, f, []bridge.Call{c})
	}
	before, ended := idsIn(t, dir)
	if len(ended) < 2 {
		t.Fatalf("all is in %q", ended)
	}
	theirs := func(c bridge.Call) bool { return c.Handle == "web:ann" }
	if n, err := f.Erase(theirs, true); n != 4 || err != nil {
		t.Errorf("it would erase %d, %v", n, err)
	}
	for _, want := range []int{4, 0} {
		if n, err := f.Erase(theirs, false); n != want || err != nil {
			t.Errorf("erased %d, %v; want %d", n, err, want)
		}
	}
	writeCalls(t, f, all[7:])
	after, ended := idsIn(t, dir)
	if !slices.Equal(after, append(before, all[8].ID)) {
		t.Errorf("there is %q, and was %q", after, before)
	}
	var said strings.Builder
	for _, name := range append(ended, filepath.Join(dir, "calls.jsonl")) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		said.Write(data)
	}
	text := strings.ReplaceAll(said.String(), "\n", " ")
	if strings.Count(text, "ann") != 2 || strings.Count(text, "+33612345678") != 1 || strings.Count(text, "key-of-bob") != 4 {
		t.Errorf("the files say %s", text) // the last one is ann's, and came later
	}
}
