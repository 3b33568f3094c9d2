package ops

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// This file sends spans: OTLP over HTTP, in protobuf (OTLP 1.x, "OTLP/HTTP"). The exporter of the
// OpenTelemetry project for that would bring gRPC along, which makes the program larger by a fifth.

const (
	// spansQueued bounds what waits to be sent: some 2 KiB of memory each.
	spansQueued = 8192
	spansAtOnce = 512
	// spansWait is how long a span waits for others to be sent with.
	spansWait = time.Second
	// A request that failed is tried again after pauses that double from the first to the last,
	// until spansTryFor; then its spans are lost.
	spansPauseMin = time.Second
	spansPauseMax = 30 * time.Second
	spansTryFor   = time.Minute
	// spansTimeout bounds one request.
	spansTimeout = 10 * time.Second
)

// spanQueue is where the SDK puts spans that have ended.
type spanQueue struct{ *Traces }

// OnStart does nothing.
func (q spanQueue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd queues a span, or counts it as lost.
func (q spanQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	select {
	case q.spans <- s:
	default:
		q.lost.Add(1)
	}
}

// Shutdown does nothing: [Traces.Run] sends what there is.
func (q spanQueue) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing.
func (q spanQueue) ForceFlush(context.Context) error { return nil }

// Run sends spans until ctx ends, and then for Flush at most what is left. It is called once. Nothing
// that goes wrong ends it: the log says so once a minute.
func (t *Traces) Run(ctx context.Context) error {
	defer t.upload.http.CloseIdleConnections()
	// A request that is under way is not cut off: the collector may have the spans already.
	flush, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(t.cfg.Flush, cancel) })()
	var batch []sdktrace.ReadOnlySpan
	for ctx.Err() == nil {
		if batch = t.gather(ctx, batch[:0]); len(batch) > 0 && t.send(ctx, flush, batch) {
			batch = batch[:0]
		}
	}
	for {
		batch = t.fill(batch)
		if len(batch) == 0 {
			return nil
		}
		if err := t.once(flush, batch); err != nil {
			t.lose(len(batch)+len(t.spans), err)
			return nil
		}
		batch = batch[:0]
	}
}

// gather waits for spans, and a while for more of them.
func (t *Traces) gather(ctx context.Context, batch []sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	var full <-chan time.Time
	for len(batch) < spansAtOnce {
		select {
		case s := <-t.spans:
			if batch = append(batch, s); full == nil {
				full = time.After(spansWait)
			}
		case <-full:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// fill adds what is queued, up to spansAtOnce.
func (t *Traces) fill(batch []sdktrace.ReadOnlySpan) []sdktrace.ReadOnlySpan {
	for len(batch) < spansAtOnce {
		select {
		case s := <-t.spans:
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}

// send sends a batch, or gives it up; false where ctx ended before either. Requests have flush.
func (t *Traces) send(ctx, flush context.Context, batch []sdktrace.ReadOnlySpan) bool {
	began := time.Now()
	for pause := spansPauseMin; ; pause = min(2*pause, spansPauseMax) {
		err := t.once(flush, batch)
		wait := pause
		refused, isRefused := errors.AsType[*refusedError](err)
		if isRefused {
			wait = max(wait, refused.after)
		}
		switch {
		case err == nil:
			return true
		case isRefused && !refused.again, time.Since(began)+wait > spansTryFor:
			t.lose(len(batch), err)
			return true
		}
		t.say(err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}

// once sends a batch by one request.
func (t *Traces) once(ctx context.Context, batch []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithTimeout(ctx, spansTimeout)
	defer cancel()
	err := t.exporter.ExportSpans(ctx, batch)
	t.failing.Store(err != nil)
	if err != nil {
		return err
	}
	rejected := min(t.upload.rejected, uint64(len(batch)))
	t.sent.Add(uint64(len(batch)) - rejected)
	if rejected > 0 {
		t.lose(int(rejected), errors.New("the collector took the others"))
	}
	return nil
}

func (t *Traces) lose(n int, err error) {
	t.lost.Add(uint64(n))
	t.say(err)
}

// say logs once a minute what is wrong.
func (t *Traces) say(err error) {
	t.said.Do(func() {
		t.cfg.Logger.Warn().Err(err).Uint64("lost", t.lost.Load()).Msg("the collector of traces does not take spans; messages go on without them")
	})
}

// traceClient implements otlptrace.Client. One request is made at a time.
type traceClient struct {
	cfg  TracesConfig
	http *http.Client
	// rejected is how many spans of the last request the collector did not want.
	rejected uint64
}

func newTraceClient(cfg TracesConfig) *traceClient {
	return &traceClient{cfg: cfg, http: &http.Client{
		Transport:     http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would get the headers
	}}
}

// Start does nothing.
func (c *traceClient) Start(context.Context) error { return nil }

// Stop does nothing.
func (c *traceClient) Stop(context.Context) error { return nil }

// UploadTraces makes one request. The body has the form of ExportTraceServiceRequest, whose only
// field is that of TracesData.
func (c *traceClient) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	c.rejected = 0
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range c.cfg.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("User-Agent", "smsbridge/"+c.cfg.Version)
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 != 2 {
		return refusalOf(response)
	}
	if err == nil {
		c.rejected = rejectedIn(answer)
	}
	return nil
}

// refusedError is an answer of the collector that is not a yes.
type refusedError struct {
	status string
	again  bool // the same request may be tried again
	after  time.Duration
}

func (e *refusedError) Error() string { return "the collector answers " + e.status }

func refusalOf(r *http.Response) error {
	e := &refusedError{status: r.Status}
	switch r.StatusCode { // OTLP/HTTP, "Retryable Response Codes"
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.again = true
		if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
			e.after = time.Duration(min(seconds, int(spansTryFor/time.Second))) * time.Second
		}
	}
	return fmt.Errorf("%s: %w", r.Request.URL.Host, e)
}

// rejectedIn reads rejected_spans of an ExportTraceServiceResponse: field 1 of its field 1. What
// cannot be read rejects nothing.
func rejectedIn(answer []byte) uint64 {
	partial, _ := protowire.ConsumeBytes(field(answer, protowire.BytesType))
	n, size := protowire.ConsumeVarint(field(partial, protowire.VarintType))
	if size < 0 {
		return 0
	}
	return n
}

// field gives what begins with the value of field 1; nil where there is none of that type.
func field(message []byte, kind protowire.Type) []byte {
	for len(message) > 0 {
		number, got, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		if number == 1 && got == kind {
			return message
		}
		if n = protowire.ConsumeFieldValue(number, got, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}

// newIDs are of a new trace.
func newIDs() trace.SpanContext {
	var c trace.SpanContextConfig
	binary.BigEndian.PutUint64(c.TraceID[:8], rand.Uint64())
	binary.BigEndian.PutUint64(c.TraceID[8:], rand.Uint64()|1) // zeros name nothing
	binary.BigEndian.PutUint64(c.SpanID[:], rand.Uint64()|1)
	return trace.NewSpanContext(c)
}
