package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"smsbridge/bridge"
	"smsbridge/queue"
)

// childDir names the environment variable that makes the test binary a child that
// publishes into that directory until it is killed.
const childDir = "SMSBRIDGE_QUEUE_TEST_DIR"

// publishUntilKilled prints the id of each message once it is accepted.
func publishUntilKilled(dir string) {
	s, err := queue.Open(context.Background(), queue.Config{Dir: dir, MinFree: -1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var out sync.Mutex
	var publishers sync.WaitGroup
	for p := range 16 {
		publishers.Go(func() {
			for n := 0; ; n++ {
				m := mt(p, n)
				if err := s.PublishMT(context.Background(), m); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(m.ID)
				out.Unlock()
			}
		})
	}
	publishers.Wait()
}

func TestKilled(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	accepted := make(map[string]bool)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		accepted[lines.Text()] = true
		if len(accepted) == 1000 {
			if err := child.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed
	if len(accepted) < 1000 {
		t.Fatalf("the child ended after %d messages", len(accepted))
	}

	s := open(t, dir)
	var mu sync.Mutex
	next := make(map[string]int)
	missing := newRecord()
	work(t, s, func(_ context.Context, m bridge.MT) error {
		mu.Lock()
		defer mu.Unlock()
		if want := fmt.Sprint(next[m.Phone.String()]); m.Text != want {
			t.Errorf("%s: got message %s, want %s", m.Phone, m.Text, want)
		}
		next[m.Phone.String()]++
		if accepted[m.ID] {
			delete(accepted, m.ID)
			if len(accepted) == 0 {
				missing.add("none")
			}
		}
		return nil
	})
	missing.wait(t, 1)
}

func TestReopened(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	publish(t, s, mt(1, 0))
	story := bridge.Story{V: 1, ID: "m-1-0", State: bridge.Accepted}
	if _, err := s.PutStory(t.Context(), story, 0, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	queued(t, s, "mt", 1)
	if got, rev, err := s.Story(t.Context(), "m-1-0"); err != nil || rev == 0 || got.State != bridge.Accepted {
		t.Errorf("story %+v, revision %d, %v", got, rev, err)
	}
}

func TestSecondDaemonRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	_, err := queue.Open(t.Context(), queue.Config{Dir: dir})
	if err == nil {
		t.Fatal("two stores on one directory")
	}
	t.Log(err)
}
