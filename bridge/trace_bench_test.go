package bridge

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
)

// discarded takes spans and forgets them.
type discarded struct{}

func (discarded) Begin(Trace) Trace {
	return "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
}

func (discarded) Record(Span) {}

// BenchmarkTrace is what the traces of one message cost the hub, from its acceptance to its end: off,
// with a tracer that does not want this one, and with one that does. What a span costs the tracer is ops's
// BenchmarkTraceRecord, 7 times a message.
func BenchmarkTrace(b *testing.B) {
	for _, bb := range []struct {
		name   string
		tracer Tracer
		traced bool
	}{{"off", nil, false}, {"not sampled", discarded{}, false}, {"on", discarded{}, true}} {
		b.Run(bb.name, func(b *testing.B) {
			h := &Hub{Ports: Ports{Tracer: bb.tracer}, now: time.Now, log: zerolog.Nop()}
			m := MT{
				ID: "abcdefghijklmnopqrstuvwxyz", Handle: addressing.MustParseHandle("web:ann"), Phone: addressing.MustParseMSISDN("+33612345678"),
				Number: addressing.MustParseNumber("+33700000001"), AcceptedAt: time.Now(),
			}
			if bb.traced {
				m.Trace = bb.tracer.Begin("")
			}
			t, segments := turn{Hub: h, m: m}, []Segment{{SMSCID: "17"}}
			for b.ReportAllocs(); b.Loop(); {
				t.story = Story{ID: m.ID, Phone: m.Phone, Trace: m.Trace, Submits: 1, Segments: segments}
				h.traceIntake(m, "", false)
				answered := t.answered()
				t.traceAttempt()
				if answered != nil {
					answered(Answer{Link: "main", Account: "main", Segment: 1, Segments: 1, Taken: true, SMSCID: "17"})
				}
				t.traceSubmit(Result{Link: "main", Account: "main", Outcome: OutcomeSent})
				h.traceReceipt(t.story, MO{}, SegmentRef{}, Receipt{State: ReceiptDelivered})
				h.traceOUT(OUT{ID: m.ID, Handle: m.Handle, Phone: m.Phone, Trace: m.Trace}, m.AcceptedAt, false)
			}
		})
	}
}
