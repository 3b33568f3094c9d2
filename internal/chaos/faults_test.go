//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"smsbridge/internal/chaos/history"
)

// A fault of the wire begins and ends while another lasts, and none goes on afterwards.
func TestBreakBeside(t *testing.T) {
	r := &run{cfg: config{every: time.Microsecond}, record: history.NewRecorder(false, time.Hour)}
	onWire := make(chan struct{})
	times := 0
	lasting := fault{name: "lasting", often: 1, breaks: func(ctx context.Context, _ *run, _ *rand.Rand) error {
		times++
		select {
		case <-onWire:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	wire := fault{name: "wire", often: 1, wire: true, breaks: func(ctx context.Context, _ *run, _ *rand.Rand) error {
		select {
		case onWire <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.breakBeside(ctx, []fault{wire, lasting}, func() bool { return times == 10 }); err != nil {
		t.Fatal(err)
	}
	if times != 10 {
		t.Errorf("%d times", times)
	}
}
