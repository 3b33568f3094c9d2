package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"smsbridge/addressing"
	"smsbridge/ops"
	"smsbridge/smpp/smsc"
)

// values reads what a command printed: JSON and nothing else, one value or more.
func values(t *testing.T, out string) (all []map[string]any) {
	t.Helper()
	in := json.NewDecoder(strings.NewReader(out))
	for {
		var value map[string]any
		err := in.Decode(&value)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Errorf("%v in %s", err, out)
			return all
		}
		all = append(all, value)
	}
}

// askers are the commands that ask a daemon, as they are typed.
func askers(t *testing.T) (all []string) {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("smsbridge"))
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		for _, flags := range leaf.AllFlags(true) {
			if slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Name == "ops" }) {
				all = append(all, strings.TrimPrefix(leaf.FullPath(), "smsbridge "))
			}
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d commands are found: %v", len(all), all)
	}
	return all
}

// TestJSON: each command that asks a daemon prints JSON with --json, with what programs look for in it,
// and nothing else.
func TestJSON(t *testing.T) {
	all, hashes := people("ann")
	ann := all[0]
	s := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0"})
	p := startDaemon(t, testConfig(t.TempDir(), s.Addr(), hashes, ""))
	ann.base = p.web
	const phone, stranger = "+33612345678", "+33698765432"
	sent, err := ann.send(t.Context(), phone, "Bonjour", "1")
	if err != nil || sent.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", sent, err)
	}
	ann.awaitFinal(t, 1)
	for range 2 {
		if _, err := s.Send(addressing.MustParseMSISDN(stranger), "+33700000005", "to nobody"); err != nil {
			t.Fatal(err)
		}
	}
	dead := func() (ids []string) {
		var list ops.DeadList
		_, out, _ := smsbridge(t, "", "queue", "ls", "dead", "--json", "--ops", p.ops)
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		for _, letter := range list.Letters {
			ids = append(ids, letter.ID)
		}
		return ids
	}
	patiently(t, "two dead letters", func() bool { return len(dead()) == 2 })
	letters := dead()
	rows := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(rows, []byte("kind,phone,handle,number,use\nnumber,,,+33700000033,pool\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	asked := make(map[string]bool)
	for _, tt := range []struct {
		command string
		want    string // keys of each value
		in      string
	}{
		{"queue ls", "stages", ""},
		{"queue ls dead", "letters total", ""},
		{"queue show " + letters[0], "id stage mo", ""},
		{"queue show " + sent.ID, "id state steps", ""},
		{"queue pause mt", "action subject changed", ""},
		{"queue resume mt", "action subject changed", ""},
		{"queue pause route all", "action subject changed", ""},
		{"queue resume route all", "action subject changed", ""},
		{"queue purge --all --yes", "subject purged left", ""},
		{"queue purge --route all", "subject purged left", "purge\n"},
		{"queue requeue " + letters[0], "id action new_id", ""},
		{"queue drop " + letters[1], "id action", ""},
		{"queue audit", "audits", ""},
		{"link ls", "links routes", ""},
		{"link pause main", "action subject changed", ""},
		{"link resume main", "action subject changed", ""},
		{"link rebind main", "action subject changed", ""},
		{"top", "queue links", ""},
		{"trace " + sent.ID, "id state steps", ""},
		{"trace --phone " + phone, "messages", ""},
		{"lookup " + phone, "address kind conversations", ""},
		{"lookup " + phone + " web:ann", "address send", ""},
		{"conversation ls web:ann", "conversations", ""},
		{"number ls", "numbers", ""},
		{"number add +33700000022", "action subject changed", ""},
		{"number retire +33700000022", "action subject changed", ""},
		{"optout add " + phone + " web:ann", "action subject changed", ""},
		{"optout ls", "optouts", ""},
		{"optout rm " + phone + " web:ann", "action subject changed", ""},
		{"handle register web:ann --as sales", "action subject changed", ""},
		{"handle unregister sales", "action subject changed", ""},
		{"handle block web:x*", "action subject changed", ""},
		{"handle unblock web:x*", "action subject changed", ""},
		{"handle rename web:bob web:bert", "action subject changed", ""},
		{"handle reuse web:bob", "action subject changed", ""},
		{"handle rm web:eve", "action subject changed", ""},
		{"handle ls", "gone blocks registered", ""},
		{"conversation release web:ann " + phone, "action subject changed", ""},
		{"provision " + rows, "changed", ""},
		{"reload", "changes", ""},
		{"erase " + stranger + " --dry-run", "subject counts kept left dry_run", ""},
		{"erase web:ann", "subject counts kept left", "erase\n"},
	} {
		code, out, errs := smsbridge(t, tt.in, append(strings.Fields(tt.command), "--json", "--ops", p.ops)...)
		if code != exitOK {
			t.Errorf("%s: %d %s", tt.command, code, errs)
			continue
		}
		got := values(t, out)
		if len(got) == 0 {
			t.Errorf("%s printed nothing", tt.command)
		}
		for _, value := range got {
			for key := range strings.FieldsSeq(tt.want) {
				if _, there := value[key]; !there {
					t.Errorf("%s: there is no %s in %s", tt.command, key, out)
				}
			}
		}
		for _, command := range askers(t) {
			if command == tt.command || strings.HasPrefix(tt.command, command+" ") {
				asked[command] = true
			}
		}
	}
	for _, command := range askers(t) {
		if !asked[command] {
			t.Errorf("%s was not tried", command)
		}
	}
}
