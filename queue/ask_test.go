package queue_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// TestFellElsewhere: an instance that lives is asked, one that left took its connections
// down in good order, and one that is cut off or died did not.
func TestFellElsewhere(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	asking := open(t, "", external(remote))
	for _, tt := range []struct {
		name    string
		process func(t *testing.T) string
		want    bool
	}{
		{"it says yes", func(t *testing.T) string { return answering(t, remote, true).Process() }, true},
		{"it says no", func(t *testing.T) string { return answering(t, remote, false).Process() }, false},
		{"it has left", func(t *testing.T) string {
			s := answering(t, remote, true)
			knows(t, asking, s, true)
			wantError(t, s.Close(), nil)
			knows(t, asking, s, false)
			return s.Process()
		}, false},
		{"it is gone", func(*testing.T) string { return "01M82FENNM1TTJDWMDG8C73V02" }, true},
		{"no name", func(*testing.T) string { return "" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			process := tt.process(t)
			if got := asking.Fell(t.Context(), process, process+".1"); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// answering is an instance that answers.
func answering(t *testing.T, remote *server.Server, fell bool) *queue.Store {
	t.Helper()
	s := open(t, "", external(remote))
	wantError(t, s.AnswerFor(answers{t, s.Process() + ".1", fell}), nil)
	return s
}

// answers is what an instance knows of its connections.
type answers struct {
	t          *testing.T
	connection string
	yes        bool
}

func (a answers) Fell(_ context.Context, connection string) bool {
	if connection != a.connection {
		a.t.Errorf("asked for %s", connection)
	}
	return a.yes
}

func (a answers) Doubted(_ context.Context, _ string, q bridge.Doubt) bool {
	if q != doubt {
		a.t.Errorf("asked for %+v", q)
	}
	return a.yes
}

var doubt = bridge.Doubt{ID: "a", Again: "b", CameAt: time.Date(2026, 11, 23, 6, 0, 0, 1, time.UTC), Came: bridge.Uptime{Boot: "b", Since: 1}}

// TestDoubtedElsewhere: an instance that lives is asked; one that is gone, or that has another version and
// does not know the question, doubts nothing.
func TestDoubtedElsewhere(t *testing.T) {
	remote := natsServer(t, t.TempDir(), -1)
	asking := open(t, "", external(remote))
	for _, tt := range []struct {
		name    string
		process string
		want    bool
	}{
		{"it says yes", answering(t, remote, true).Process(), true},
		{"it says no", answering(t, remote, false).Process(), false},
		{"it does not answer", open(t, "", external(remote)).Process(), false},
		{"it is gone", "01M82FENNM1TTJDWMDG8C73V02", false},
		{"no name", "", false},
		{"no name of one", ">", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := asking.Doubted(t.Context(), tt.process, doubt); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if open(t, t.TempDir()).Doubted(t.Context(), asking.Process(), doubt) {
		t.Error("the embedded server has no other instances")
	}
}

// knows waits until s holds other to live, or to have gone.
func knows(t *testing.T, s, other *queue.Store, lives bool) {
	t.Helper()
	process := other.Process()
	name := strings.ToLower(process[len(process)-6:])
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if lives == slices.ContainsFunc(s.Instances(), func(i queue.Instance) bool { return strings.HasSuffix(i.Name, name) }) {
			return
		}
	}
	t.Fatalf("%s: lives is not %t", name, lives)
}
