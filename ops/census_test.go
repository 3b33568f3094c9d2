package ops_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/ops"
)

// The records are counted seldom, the less the longer it takes; one that fails leaves the last.
func TestCensus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		counts := []func() (addressing.Census, error){
			func() (addressing.Census, error) {
				return addressing.Census{
					At: time.Unix(1800000000, 0), Took: time.Second, Optouts: 4, PoolTaken: 1,
					Open: map[string]int{addressing.UsePool: 7}, Numbers: map[string]int{addressing.UsePool: 3, addressing.UseShared: 1},
				}, nil
			},
			func() (addressing.Census, error) { return addressing.Census{}, errors.New("the queue is away") },
			func() (addressing.Census, error) { return addressing.Census{Took: time.Minute, Optouts: 5}, nil },
		}
		c := ops.NewCensus(func(context.Context) (addressing.Census, error) {
			at = append(at, time.Since(began))
			return counts[(len(at)-1)%len(counts)]()
		}, zerolog.Nop())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		synctest.Wait()
		if n := testutil.CollectAndCount(c); n != 0 {
			t.Errorf("%d metrics before anything was counted", n)
		}
		time.Sleep(6 * time.Minute) // the second has failed
		synctest.Wait()
		want := `
# HELP smsbridge_conversations Conversations that are not over, by what their number is for.
# TYPE smsbridge_conversations gauge
smsbridge_conversations{use="dedicated"} 0
smsbridge_conversations{use="pool"} 7
smsbridge_conversations{use="shared"} 0
# HELP smsbridge_numbers Numbers that take new conversations, by what they are for.
# TYPE smsbridge_numbers gauge
smsbridge_numbers{use="dedicated"} 0
smsbridge_numbers{use="pool"} 3
smsbridge_numbers{use="shared"} 1
# HELP smsbridge_optouts Opt-outs: of a phone from one person, or from everybody.
# TYPE smsbridge_optouts gauge
smsbridge_optouts 4
# HELP smsbridge_pool_taken_phones Phones on which no number of the pool is free for another person.
# TYPE smsbridge_pool_taken_phones gauge
smsbridge_pool_taken_phones 1
`
		if err := testutil.CollectAndCompare(c, strings.NewReader(want), "smsbridge_conversations", "smsbridge_numbers", "smsbridge_optouts", "smsbridge_pool_taken_phones"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		// After 10 s, twice 5 minutes, and fifty times the minute that the third took.
		first := 10 * time.Second
		for i, want := range []time.Duration{first, first + 5*time.Minute, first + 10*time.Minute, first + time.Hour} {
			if i >= len(at) || at[i] != want {
				t.Fatalf("counted at %v; %d is to be at %s", at, i, want)
			}
		}
	})
}
