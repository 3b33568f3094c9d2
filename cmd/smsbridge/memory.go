package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector may let the heap grow to four times what is in use, which saves a
// tenth of the processor time under load, as long as all memory stays below a bound. The bound
// follows what is in use, since a fixed one would keep the collector running all the time
// where the queue is longer, or the people are more, than whoever chose it thought.
const (
	memoryPercent = 300
	memoryLeast   = 300 << 20
	memorySpare   = 100 << 20
	memoryEvery   = 500 * time.Millisecond
)

// boundMemory holds the bound until ctx ends. Where the environment has GOGC or GOMEMLIMIT
// that counts, and nothing is done here.
func boundMemory(ctx context.Context) error {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		<-ctx.Done()
		return nil
	}
	debug.SetGCPercent(memoryPercent)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for ctx.Err() == nil {
		metrics.Read(live)
		debug.SetMemoryLimit(memoryLimit(int64(live[0].Value.Uint64())))
		pause(ctx, memoryEvery)
	}
	return nil
}

// memoryLimit is the bound for a heap of which live bytes are in use.
func memoryLimit(live int64) int64 { return max(memoryLeast, live+live/4+memorySpare) }
