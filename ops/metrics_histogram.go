package ops

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"smsbridge/bridge"
)

// histogram is what such a metric says.
type histogram struct {
	family
	bridge.Latency
	sum    time.Duration
	traced bridge.Exemplars
}

// metric has the trace of a message for each bucket that has one; only the form of OpenMetrics shows it
// ([Config].Exemplars).
func (h histogram) metric() prometheus.Metric {
	atMost, count := h.Buckets()
	plain := prometheus.MustNewConstHistogram(h.desc, count, h.sum.Seconds(), atMost)
	var traced []prometheus.Exemplar
	for _, e := range h.traced {
		traced = append(traced, prometheus.Exemplar{Value: e.Took.Seconds(), Labels: prometheus.Labels{"trace_id": e.TraceID}, Timestamp: e.At})
	}
	m, err := prometheus.NewMetricWithExemplars(plain, traced...)
	if err != nil { // there is none
		return plain
	}
	return m
}
