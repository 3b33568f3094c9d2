package bridge

import (
	"math"
	"sort"
	"time"
)

// Latency counts messages by how long something took: four buckets for each power of ten, from 10 ms on.
// Two of them may be subtracted, to know what was between.
type Latency [latencyBuckets]uint64

// The last bucket, which has no end, begins at 10^5 s, that is a day.
const (
	latencyBuckets   = 30
	latencyPerDecade = 4
	latencyFirst     = 10 * time.Millisecond
)

// latencyEnd is where bucket i ends.
func latencyEnd(i int) time.Duration {
	return time.Duration(float64(latencyFirst) * math.Pow(10, float64(i)/latencyPerDecade))
}

// latencyBucket is the bucket of what took so long.
func latencyBucket(took time.Duration) int {
	return sort.Search(latencyBuckets-1, func(i int) bool { return took <= latencyEnd(i) })
}

func (l *Latency) add(took time.Duration) { l[latencyBucket(took)]++ }

// Buckets gives how many took at most so many seconds, for each bucket but the last, as
// Prometheus counts them, and how many there are in all.
func (l Latency) Buckets() (atMost map[float64]uint64, count uint64) {
	atMost = make(map[float64]uint64, latencyBuckets-1)
	for i, n := range l {
		if count += n; i < latencyBuckets-1 {
			atMost[latencyEnd(i).Seconds()] = count
		}
	}
	return atMost, count
}

// Since gives what l has counted beyond before.
func (l Latency) Since(before Latency) Latency {
	for i := range l {
		l[i] -= before[i]
	}
	return l
}

// Quantile estimates how long at most the share q (0 to 1) of what was counted took, to within its
// bucket; false where nothing was counted.
func (l Latency) Quantile(q float64) (time.Duration, bool) {
	var total float64
	for _, n := range l {
		total += float64(n)
	}
	if total == 0 {
		return 0, false
	}
	rank := q * total
	for i, n := range l {
		if rank -= float64(n); rank > 0 {
			continue
		}
		var begin time.Duration
		if i > 0 {
			begin = latencyEnd(i - 1)
		}
		within := 1 + rank/float64(max(n, 1)) // rank is 0 at the end of the bucket
		return begin + time.Duration(within*float64(latencyEnd(i)-begin)), true
	}
	return latencyEnd(latencyBuckets - 1), true
}
