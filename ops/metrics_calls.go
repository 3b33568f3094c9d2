package ops

import "github.com/prometheus/client_golang/prometheus"

// CallStats is how it goes with call-detail records.
type CallStats struct {
	Waiting       uint64 // records that are not in a file yet
	Written, Lost uint64
	Failing       bool // the last write to a file failed
}

var (
	callsWaiting = gauge("ops_call_records_waiting", "Call-detail records that are not in a file yet.")
	callsFailing = gauge("ops_call_records_failing", "1 while call-detail records cannot be written to a file.")
	callsWritten = counter("ops_call_records_written_total", "Call-detail records that were written to files.")
	callsLost    = counter("ops_call_records_lost_total", "Call-detail records that there was no room for.")
)

// callCollector gives the metrics of call-detail records, where there are any.
type callCollector struct{ read func() CallStats }

// Describe sends the families, as prometheus.Collector asks.
func (c callCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range []family{callsWaiting, callsFailing, callsWritten, callsLost} {
		ch <- f.desc
	}
}

// Collect reads the counts and sends them.
func (c callCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.read()
	emit := func(f family, value float64) { ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value) }
	emit(callsWaiting, float64(s.Waiting))
	emit(callsFailing, flag(s.Failing))
	emit(callsWritten, float64(s.Written))
	emit(callsLost, float64(s.Lost))
}
