package ops

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"smsbridge/bridge"
)

// TracesConfig says where the spans of messages go.
type TracesConfig struct {
	// Endpoint is the URL that takes them, by OTLP over HTTP: that of the collector and /v1/traces.
	// Required.
	Endpoint string
	Headers  map[string]string // of each request
	// Sample is the part of all messages that is traced, 0 to 1: those whose sender began a trace are
	// traced if that is sampled. Zero traces no others; there is no default.
	Sample float64
	// Service and Instance name the daemon; default smsbridge and nothing. Version is its own.
	Service, Instance, Version string
	// Flush bounds what is still sent when Run ends; default 1 s.
	Flush  time.Duration
	Logger zerolog.Logger
}

// Traces records spans and sends them to a collector; it implements [bridge.Tracer]. All
// methods may be called concurrently. It never holds up anybody: what it has no room for, and what
// the collector does not take, is lost and counted.
type Traces struct {
	cfg      TracesConfig
	sampler  sdktrace.Sampler
	tracer   trace.Tracer
	spans    chan sdktrace.ReadOnlySpan
	exporter *otlptrace.Exporter
	upload   *traceClient
	said     rate.Sometimes

	sent, lost atomic.Uint64
	failing    atomic.Bool
}

// NewTraces makes a Traces; nothing is sent before [Traces.Run].
func NewTraces(cfg TracesConfig) *Traces {
	t := &Traces{
		cfg: cfg, sampler: sdktrace.TraceIDRatioBased(cfg.Sample), spans: make(chan sdktrace.ReadOnlySpan, spansQueued),
		upload: newTraceClient(cfg), said: rate.Sometimes{First: 1, Interval: time.Minute},
	}
	t.cfg.Flush = cmp.Or(cfg.Flush, time.Second)
	t.exporter = otlptrace.NewUnstarted(t.upload)
	about := []attribute.KeyValue{attribute.String("service.name", cmp.Or(cfg.Service, "smsbridge")), attribute.String("service.version", cfg.Version)}
	if cfg.Instance != "" {
		about = append(about, attribute.String("service.instance.id", cfg.Instance))
	}
	// Whether a message is traced was decided when it came (Begin): what is recorded is sent.
	t.tracer = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithIDGenerator(givenIDs{}), sdktrace.WithSpanProcessor(spanQueue{t}),
		sdktrace.WithResource(resource.NewSchemaless(about...)),
	).Tracer("smsbridge", trace.WithInstrumentationVersion(cfg.Version))
	return t
}

// Begin names the first span of a message; see [bridge.Tracer].
func (t *Traces) Begin(parent bridge.Trace) bridge.Trace {
	if parent != "" {
		if parent.Sampled() {
			return parent.Child()
		}
		return ""
	}
	ids := newIDs()
	if t.sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: context.Background(), TraceID: ids.TraceID()}).Decision != sdktrace.RecordAndSample {
		return ""
	}
	return bridge.NewTrace(ids.TraceID().String(), ids.SpanID().String(), true)
}

// Record takes a span that has ended; see [bridge.Tracer].
func (t *Traces) Record(s bridge.Span) {
	self, ok := spanContext(s.Self)
	if !ok {
		return
	}
	ctx := context.WithValue(context.Background(), givenKey{}, self)
	opts := []trace.SpanStartOption{trace.WithTimestamp(s.From), trace.WithSpanKind(kinds[s.Name]), trace.WithAttributes(attributes(s)...)}
	if parent, ok := spanContext(s.Parent); ok {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	for _, l := range s.Links {
		if linked, ok := spanContext(l); ok {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: linked}))
		}
	}
	_, span := t.tracer.Start(ctx, string(s.Name), opts...)
	if s.Failed {
		span.SetStatus(codes.Error, cmp.Or(s.Reason, s.Status, s.Outcome, s.State))
	}
	to := s.To
	if to.Before(s.From) { // the clock was set back meanwhile, or it is another machine's
		to = s.From
	}
	span.End(trace.WithTimestamp(to))
}

// kinds are what the spans are to the programs on the other side; the rest are the bridge's own.
var kinds = map[bridge.SpanName]trace.SpanKind{
	bridge.SpanIntake: trace.SpanKindServer, bridge.SpanSubmitSM: trace.SpanKindClient,
	bridge.SpanReceipt: trace.SpanKindConsumer, bridge.SpanStore: trace.SpanKindServer, bridge.SpanDeliver: trace.SpanKindProducer,
}

// attributes are what is known of a span.
func attributes(s bridge.Span) []attribute.KeyValue {
	all := make([]attribute.KeyValue, 0, 16)
	text := func(name, value string) {
		if value != "" {
			all = append(all, attribute.String(name, value))
		}
	}
	number := func(name string, value int) {
		if value != 0 {
			all = append(all, attribute.Int(name, value))
		}
	}
	text("smsbridge.message_id", s.MessageID)
	text("smsbridge.msisdn", s.Phone)
	text("smsbridge.number", s.Number)
	text("smsbridge.network", s.Network)
	text("smsbridge.route", s.Route)
	text("smsbridge.link", s.Link)
	text("smsbridge.smsc", s.Account)
	text("smsbridge.smsc_id", s.SMSCID)
	number("smsbridge.attempt", s.Attempt)
	number("smsbridge.segment", s.Segment)
	number("smsbridge.segments", s.Segments)
	text("smsbridge.outcome", s.Outcome)
	text("smsbridge.status", s.Status)
	text("smsbridge.state", s.State)
	text("smsbridge.reason", s.Reason)
	return all
}

// spanContext reads a name; false where it is none.
func spanContext(t bridge.Trace) (trace.SpanContext, bool) {
	traceID, err := trace.TraceIDFromHex(t.ID())
	if err != nil {
		return trace.SpanContext{}, false
	}
	spanID, err := trace.SpanIDFromHex(t.SpanID())
	if err != nil {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled}), true
}

// givenIDs gives spans the names that they were stored under before they ended.
type givenIDs struct{}

type givenKey struct{}

// NewIDs gives those of the context.
func (givenIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	self := ctx.Value(givenKey{}).(trace.SpanContext)
	return self.TraceID(), self.SpanID()
}

// NewSpanID gives that of the context.
func (givenIDs) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	return ctx.Value(givenKey{}).(trace.SpanContext).SpanID()
}

// TraceStats is how it goes with spans.
type TraceStats struct {
	Sent, Lost uint64
	Failing    bool // the last request to the collector failed
}

// Stats gives the counts since the start.
func (t *Traces) Stats() TraceStats {
	return TraceStats{Sent: t.sent.Load(), Lost: t.lost.Load(), Failing: t.failing.Load()}
}
