package main

import (
	"smsbridge/bridge"
	"smsbridge/ops"
)

// openTraces makes what records spans, where they are to be recorded.
func (a *app) openTraces() {
	t := a.cfg.Traces
	if t == nil {
		return
	}
	a.traces = ops.NewTraces(ops.TracesConfig{
		Endpoint: t.Endpoint, Headers: t.HeaderLines(), Sample: t.Sample, Service: t.Service, Instance: t.Instance, Version: version(), Flush: a.cfg.DrainTimeout / 10, Logger: room(a.log, "ops"),
	})
}

// tracer is where the hub records spans; nil where nothing is traced.
func (a *app) tracer() bridge.Tracer {
	if a.traces == nil {
		return nil
	}
	return a.traces
}
