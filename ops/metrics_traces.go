package ops

import "github.com/prometheus/client_golang/prometheus"

var (
	spansFailing = gauge("ops_spans_failing", "1 while the collector of traces does not take spans.")
	spansSent    = counter("ops_spans_sent_total", "Spans that the collector of traces took.")
	spansLost    = counter("ops_spans_lost_total", "Spans that the collector of traces did not take, or that there was no room for.")
)

// traceCollector gives the metrics of traces, where there are any.
type traceCollector struct{ read func() TraceStats }

// Describe sends the families, as prometheus.Collector asks.
func (c traceCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range []family{spansFailing, spansSent, spansLost} {
		ch <- f.desc
	}
}

// Collect reads the counts and sends them.
func (c traceCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.read()
	emit := func(f family, value float64) { ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value) }
	emit(spansFailing, flag(s.Failing))
	emit(spansSent, float64(s.Sent))
	emit(spansLost, float64(s.Lost))
}
