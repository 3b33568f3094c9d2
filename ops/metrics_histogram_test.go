package ops_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/ops"
)

// TestExemplars: traces stand at the times that messages took, with who asks for OpenMetrics where they are
// wanted; else /metrics is in the text format, as it always was.
func TestExemplars(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	s := ops.Sources{Hub: func() bridge.Stats {
		return bridge.Stats{
			SentAfter: bridge.Latency{0, 0, 0, 2}, SentTime: 100 * time.Millisecond,
			SentTraced: bridge.Exemplars{3: {TraceID: trace, Took: 50 * time.Millisecond, At: time.Unix(1700000000, 0)}},
		}
	}}
	for _, tc := range []struct {
		name   string
		wanted bool
		accept string
		is     string
		traced bool
	}{
		{"Prometheus", true, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text", true},
		{"who asks for text", true, "text/plain", "text/plain", false},
		{"no traces", false, "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "text/plain", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := serve(t, ops.Config{Registry: ops.NewRegistry("test", s), Exemplars: tc.wanted})
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/metrics", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept", tc.accept)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), tc.is) {
				t.Errorf("%s: %v", response.Header, err)
			}
			line := `} 2 # {trace_id="` + trace + `"} 0.05 1.7e+09` + "\n"
			if strings.Contains(string(body), line) != tc.traced || strings.Contains(string(body), trace) != tc.traced {
				t.Errorf("it says %s", body)
			}
		})
	}
}
