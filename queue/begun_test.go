package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

func TestBegun(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ann, bob := addressing.MustParseHandle("xmpp:ann@corp.example"), addressing.MustParseHandle("xmpp:bob@corp.example")
	if b, rev, err := s.LoadBegun(t.Context(), ann); err != nil || rev != 0 || len(b.Phones) != 0 {
		t.Fatalf("before: %+v, %d, %v", b, rev, err)
	}
	want := bridge.Begun{
		V: 1, Phones: []bridge.BeganWith{{Phone: addressing.MustParseMSISDN("+33612345678"), At: time.Unix(1700000000, 0).UTC()}},
		Checked: time.Unix(1700000001, 0).UTC(),
	}
	if err := s.SaveBegun(t.Context(), ann, want, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveBegun(t.Context(), ann, bridge.Begun{}, 0); !errors.Is(err, bridge.ErrConflict) {
		t.Errorf("a stale save: %v; want ErrConflict", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	got, rev, err := s.LoadBegun(t.Context(), ann)
	if err != nil || rev == 0 {
		t.Fatal(rev, err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b addressing.MSISDN) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if b, _, err := s.LoadBegun(t.Context(), bob); err != nil || len(b.Phones) != 0 {
		t.Errorf("another handle has %+v, %v", b, err)
	}
}
