package peers

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector takes spans as a collector of OpenTelemetry does: OTLP over HTTP, read by the
// project's own types. Its methods may be called concurrently.
type Collector struct {
	// Endpoint is the URL of /v1/traces.
	Endpoint string

	mu     sync.Mutex
	more   chan struct{}
	spans  []CollectedSpan
	heads  []http.Header
	answer func() (status int, header http.Header, body []byte)
}

// CollectedSpan is a span in the words of its fields.
type CollectedSpan struct {
	*tracepb.Span
	Trace, ID, Parent string            // hexadecimal
	Attributes        map[string]string // also numbers, in decimal
	Resource          map[string]string // of the process that it is of
}

// NewCollector serves until the test ends.
func NewCollector(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{more: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(server.Close)
	c.Endpoint = server.URL + "/v1/traces"
	return c
}

// Answers sets what each request is answered from now on; what is no 2xx takes no spans. Nil
// takes all.
func (c *Collector) Answers(answer func() (status int, header http.Header, body []byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data tracepb.TracesData
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &data) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads = append(c.heads, r.Header)
	status := http.StatusOK
	var answer []byte
	if c.answer != nil {
		var header http.Header
		status, header, answer = c.answer()
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	if status/100 == 2 {
		c.take(&data)
	}
	close(c.more)
	c.more = make(chan struct{})
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

func (c *Collector) take(data *tracepb.TracesData) {
	for _, process := range data.ResourceSpans {
		about := texts(process.Resource.GetAttributes())
		for _, scope := range process.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, CollectedSpan{
					Span: s, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
					Attributes: texts(s.Attributes), Resource: about,
				})
			}
		}
	}
}

func texts(all []*commonpb.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, a := range all {
		if number, is := a.Value.Value.(*commonpb.AnyValue_IntValue); is {
			m[a.Key] = strconv.FormatInt(number.IntValue, 10)
			continue
		}
		m[a.Key] = a.Value.GetStringValue()
	}
	return m
}

// Requests are the headers of all requests so far.
func (c *Collector) Requests() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]http.Header(nil), c.heads...)
}

// Until waits, for two minutes at most, until there are spans enough, and returns all. It looks again after
// each request.
func (c *Collector) Until(t testing.TB, what string, enough func([]CollectedSpan) bool) []CollectedSpan {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		c.mu.Lock()
		all, more := append([]CollectedSpan(nil), c.spans...), c.more
		c.mu.Unlock()
		if enough(all) {
			return all
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("the collector has not got %s; it has %d spans", what, len(all))
		}
	}
}
