package queue_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// layouts are what each stream and bucket says.
func layouts(t *testing.T, js jetstream.JetStream) map[string]string {
	t.Helper()
	all := make(map[string]string)
	list := js.ListStreams(t.Context())
	for info := range list.Info() {
		all[info.Config.Name] = info.Config.Metadata["smsbridge.layout"]
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Each stream and bucket is refused, by name, where a newer version or somebody else made
// it; and then nothing at all is changed.
func TestForeignStores(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	_, js := connect(t, remote.ClientURL())
	wantError(t, open(t, "", external(remote)).Close(), nil)
	names := layouts(t, js)
	if len(names) < 10 {
		t.Fatalf("there are only %v", names)
	}
	names["NEWS"] = "" // a stream of a version to come
	for name, current := range names {
		for _, tt := range []struct{ name, says, want string }{
			{"of a newer version", "99", "stream " + name + " has layout 99"},
			{"of somebody else", "", "stream " + name + " that is not smsbridge's"},
			{"nonsense", "x", "stream " + name + ` says that its layout is "x"`},
		} {
			if name == "NEWS" && tt.says == "" {
				continue // it is theirs
			}
			t.Run(name+" "+tt.name, func(t *testing.T) {
				was := label(t, js, name, tt.says)
				before := layouts(t, js)
				_, err := queue.Open(t.Context(), queue.Config{URL: remote.ClientURL()})
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				if diff := cmp.Diff(before, layouts(t, js)); diff != "" {
					t.Errorf("changed: %s", diff)
				}
				if current == "" {
					wantError(t, js.DeleteStream(t.Context(), name), nil)
				} else {
					label(t, js, name, was)
				}
			})
		}
	}
}

// label makes a stream say that it has a layout, and gives what it said before.
func label(t *testing.T, js jetstream.JetStream, name, says string) (was string) {
	t.Helper()
	cfg := jetstream.StreamConfig{Name: name, Subjects: []string{name}}
	if stream, err := js.Stream(t.Context(), name); err == nil {
		cfg = stream.CachedInfo().Config
		was = cfg.Metadata["smsbridge.layout"]
	}
	cfg.Metadata = map[string]string{"smsbridge.layout": says}
	if says == "" {
		cfg.Metadata = nil
	}
	if _, err := js.CreateOrUpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return was
}

// What layout 1 stored is read by this version, and its dead letters, of which all of a
// stage had one subject, are all there and can be dealt with. The letters are as that version wrote them.
func TestFromLayout1(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	_, js := connect(t, remote.ClientURL())
	for _, name := range []string{"DEAD", "MT", "SENT"} {
		cfg := jetstream.StreamConfig{
			Name: name, Subjects: []string{strings.ToLower(name) + ".>"}, AllowDirect: true, MaxBytes: 1 << 30,
			Metadata: map[string]string{"smsbridge.layout": "1", "smsbridge.lanes": "8"},
		}
		switch name {
		case "MT":
			cfg.Retention, cfg.Discard = jetstream.WorkQueuePolicy, jetstream.DiscardNew
		case "SENT":
			cfg.MaxMsgsPerSubject, cfg.MaxBytes = 1, -1
		case "DEAD":
			cfg.MaxBytes = -1
		}
		if _, err := js.CreateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	for _, letter := range []struct{ subject, data string }{
		{"dead.mo", `{"v":1,"id":"a","stage":"MO","reason":"unroutable","detail":"nobody","at":"2026-11-01T10:00:00Z"}`},
		{"dead.mo", `{"v":1,"id":"b","stage":"MO","reason":"unroutable","detail":"nobody","at":"2026-11-01T10:00:01Z"}`},
		{"dead.mt", `{"v":1,"id":"","stage":"MT","reason":"unreadable","detail":"no","at":"2026-11-01T10:00:02Z","raw":"ew=="}`},
		{"dead.mo", `{"v":1,"id":"a","stage":"MO","reason":"unroutable","detail":"nobody","at":"2026-11-01T10:00:00Z"}`}, // twice, after a crash
		{"dead.mo", `{`},
	} {
		if _, err := js.Publish(t.Context(), letter.subject, []byte(letter.data)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(mt(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "mt.default.0", data); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second start finds it done
		s := open(t, "", external(remote))
		all, _, err := s.DeadLetters(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, d := range all {
			ids = append(ids, d.ID)
			if found, err := s.DeadLetter(t.Context(), d.ID); err != nil || found.Reason != d.Reason {
				t.Errorf("%s: %+v, %v", d.ID, found, err)
			}
		}
		if len(ids) != 3 || !slices.Contains(ids, "a") || !slices.Contains(ids, "b") || !strings.HasPrefix(ids[1], "raw-") {
			t.Errorf("the letters are %v", ids)
		}
		queued(t, s, "mt", 1)
		for name, says := range layouts(t, js) {
			if n, err := strconv.Atoi(says); err != nil || n < 2 {
				t.Errorf("%s says layout %s", name, says)
			}
		}
		wantError(t, s.RemoveDead(t.Context(), "none", bridge.Audit{Stage: "MO"}), nil)
		wantError(t, s.Close(), nil)
	}
}
