package web_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestEstimate(t *testing.T) {
	r := newRig(t, noWorkers)
	tests := []struct {
		name, body string
		status     int
		says       string
	}{
		{"short", `{"text":"hi"}`, http.StatusOK, `"segments":1`},
		{"longer than allowed", `{"text":"` + strings.Repeat("x", 1700) + `"}`, http.StatusOK, `"segments":11`},
		{"empty", `{"text":""}`, http.StatusOK, `"costly":[]`},
		{"absurd", `{"text":"` + strings.Repeat("x", 100_000) + `"}`, http.StatusUnprocessableEntity, `"text_too_long"`},
		{"not JSON", `text`, http.StatusBadRequest, `"reason"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.in(t).call("POST", "/api/v1/estimate", tt.body)
			if got.status != tt.status || !strings.Contains(string(got.body), tt.says) {
				t.Errorf("%d %s, want %d %s", got.status, got.body, tt.status, tt.says)
			}
		})
	}
}
