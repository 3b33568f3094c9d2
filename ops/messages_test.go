package ops_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// stories knows one message.
type stories struct {
	asked  ops.MessageQuery
	broken error
}

func (s *stories) Search(_ context.Context, q ops.MessageQuery) ([]ops.MessageRow, error) {
	s.asked = q
	return nil, s.broken
}

func (s *stories) Message(_ context.Context, id string) (ops.Message, error) {
	if id != "a/b" {
		return ops.Message{}, bridge.ErrNotFound
	}
	return ops.Message{MessageRow: ops.MessageRow{ID: id, Kind: "mt", State: ops.MessageWaiting}, Text: "secret"}, s.broken
}

func TestMessages(t *testing.T) {
	away := errors.New("away")
	for _, tt := range []struct {
		name, path string
		broken     error
		status     int
		want, not  string
		asked      ops.MessageQuery
	}{
		{name: "by phone, as it is written at home", path: "?phone=0612345678", status: 200, want: `"messages":[]`, asked: ops.MessageQuery{Phone: phone, Limit: 20}},
		{name: "by both", path: "?phone=%2B33612345678&handle=web:ann&limit=5", status: 200, asked: ops.MessageQuery{Phone: phone, Handle: ann, Limit: 5}},
		{name: "by id", path: "?id=x", status: 200, asked: ops.MessageQuery{ID: "x", Limit: 20}},
		{name: "by nothing", path: "", status: 400, want: "say which messages"},
		{name: "by id and phone", path: "?id=x&phone=0612345678", status: 400, want: "leave out phone"},
		{name: "no phone", path: "?phone=x", status: 400, want: "phone: "},
		{name: "no handle", path: "?handle=x", status: 400, want: "handle: "},
		{name: "too many", path: "?id=x&limit=201", status: 400, want: "1 to 200"},
		{name: "away", path: "?id=x", broken: away, status: 503, want: "see /readyz", asked: ops.MessageQuery{ID: "x", Limit: 20}},
		{name: "one without its text", path: "/a%2Fb", status: 200, want: `"id":"a/b"`, not: "secret"},
		{name: "one with its text", path: "/a%2Fb?text=true", status: 200, want: "secret"},
		{name: "none", path: "/x", status: 404, want: "smsbridge trace --phone"},
		{name: "one, while the store is away", path: "/a%2Fb", broken: away, status: 503, want: "see /readyz", not: "secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &stories{broken: tt.broken}
			base := serve(t, ops.Config{Region: "FR", Control: &ops.Control{Messages: m}})
			status, _, body := get(t, base+"/admin/v1/messages"+tt.path)
			if status != tt.status || !strings.Contains(body, tt.want) || tt.not != "" && strings.Contains(body, tt.not) {
				t.Errorf("%d %s", status, body)
			}
			if m.asked != tt.asked {
				t.Errorf("asked for %+v", m.asked)
			}
		})
	}
}
