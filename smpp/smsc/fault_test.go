package smsc_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

// The list of the documentation is the list of the program.
func TestFaultsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	must(t, err)
	s, _ := start(t, smsc.Config{})
	for _, f := range s.Faults() {
		if !strings.Contains(string(doc), f.Name) {
			t.Errorf("doc.go does not name %s", f.Name)
		}
		if f.Text == "" || f.Counts == "" {
			t.Errorf("%s says nothing of itself", f.Name)
		}
	}
}

func TestParseFault(t *testing.T) {
	for text, want := range map[string]smsc.Params{
		"reset":                              {},
		"reset:count=3":                      {Count: 3},
		"reset:count=3,seconds=1.5,after=10": {Count: 3, For: 1500 * time.Millisecond, After: 10},
	} {
		if name, got, err := smsc.ParseFault(text); name != "reset" || got != want || err != nil {
			t.Errorf("%q: %s, %+v, %v", text, name, got, err)
		}
	}
	for _, text := range []string{"reset:count", "reset:count=x", "reset:count=1.5", "reset:often=3"} {
		if _, _, err := smsc.ParseFault(text); !errors.Is(err, smsc.ErrNoFault) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Faults are switched over HTTP, and end by themselves where they were told to.
func TestFaultsOverHTTP(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	base := web(t, s)
	c := bind(t, s, nil)
	refused := func() bool { return c.submit(phone.Digits(), "a", 0)[0].Status == smpp.StatusThrottled }

	for _, tt := range []struct {
		method, path, body string
		status             int
		strikes            []bool // the submits that follow
	}{
		{http.MethodPut, "faults/throttled", `{"count": 2}`, http.StatusNoContent, []bool{true, true, false}},
		{http.MethodPost, "faults/throttled", `{}`, http.StatusNoContent, []bool{true, true, true}},
		{http.MethodDelete, "faults/throttled", "", http.StatusNoContent, []bool{false}},
		{http.MethodPut, "faults/throttled", "", http.StatusNoContent, []bool{true}},
		{http.MethodDelete, "faults", "", http.StatusNoContent, []bool{false}},
		{http.MethodPut, "faults/throttled", `{"after": 1000}`, http.StatusNoContent, []bool{false}},
		{http.MethodPut, "faults/throttled", `{"often": 2}`, http.StatusBadRequest, nil},
		{http.MethodPut, "faults/throttled", `{"count": -2}`, http.StatusUnprocessableEntity, nil},
		{http.MethodPut, "faults/earthquake", "", http.StatusUnprocessableEntity, nil},
		{http.MethodPut, "faults/tls-wrong-name", "", http.StatusUnprocessableEntity, nil},
		{http.MethodDelete, "faults/earthquake", "", http.StatusUnprocessableEntity, nil},
		{http.MethodGet, "ca.pem", "", http.StatusNotFound, nil},
	} {
		status, _, body := request(t, tt.method, base+tt.path, "application/json", tt.body)
		if status != tt.status {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, status, body)
		}
		for i, want := range tt.strikes {
			if got := refused(); got != want {
				t.Errorf("%s %s %s: submit %d refused: %v", tt.method, tt.path, tt.body, i, got)
			}
		}
	}
	var list []map[string]any
	_, _, body := request(t, http.MethodGet, base+"faults", "", "")
	must(t, json.Unmarshal([]byte(body), &list))
	for _, f := range list {
		if on := f["name"] == "throttled"; f["on"] != on {
			t.Errorf("%v", f)
		}
	}
}

// A receipt that is lost does not come, though the phone has the text; the next one does.
func TestReceiptLost(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	c := bind(t, s, nil)
	must(t, s.SwitchOn("receipt-lost", smsc.Params{Count: 1}))
	c.submit(phone.Digits(), "lost", 1)
	kept := c.submit(phone.Digits(), "kept", 1)[0]
	if r := c.read(); r.Receipt == nil || r.Receipt.Candidates[0] != kept.MessageID {
		t.Errorf("%+v is not the receipt of %s", r, kept.MessageID)
	}
	var got []string
	for _, m := range getJSON[[]smsc.Message](t, web(t, s)+"phones/"+phone.String()+"/messages") {
		got = append(got, m.Text)
	}
	if strings.Join(got, " ") != "lost kept" {
		t.Errorf("the phone has %q", got)
	}
}
