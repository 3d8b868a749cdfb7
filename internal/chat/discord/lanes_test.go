package discord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What happened in a channel is dealt with in that order, whatever takes how long, and beside
// what happened elsewhere.
func TestLanesKeepTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got, want := map[string][]string{}, map[string][]string{}
		l := newLanes(func(_ context.Context, e event) {
			time.Sleep(rand.N(time.Second))
			mu.Lock()
			defer mu.Unlock()
			got[e.channel] = append(got[e.channel], e.kind)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var life sync.WaitGroup
		life.Go(func() { l.run(ctx) })
		begun := time.Now()
		const events, channels = 50, 10
		for i := range events * channels {
			e := event{kind: fmt.Sprint(i), channel: fmt.Sprint(i % channels)}
			want[e.channel] = append(want[e.channel], e.kind)
			l.add(ctx, e)
		}
		cancel() // what was taken is dealt with all the same
		life.Wait()
		if took := time.Since(begun); took > stopWithin+events*time.Second {
			t.Errorf("channels wait for each other: %v", took)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// When much more happens than is dealt with, no more is taken; Discord keeps the rest.
func TestLanesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := newLanes(func(context.Context, event) { <-release })
		ctx, cancel := context.WithCancel(t.Context())
		var life sync.WaitGroup
		life.Go(func() { l.run(ctx) })
		taken := 0
		waiting, end := context.WithTimeout(ctx, time.Minute)
		defer end()
		for taken < 3*maxEvents && l.add(waiting, event{channel: fmt.Sprint(taken % 10)}) {
			taken++
		}
		if taken != 2*maxEvents {
			t.Errorf("%d events were taken", taken)
		}
		close(release)
		synctest.Wait()
		if !l.add(ctx, event{}) {
			t.Error("nothing is taken when there is room again")
		}
		cancel()
		life.Wait()
	})
}

// An event that hangs does not keep the bot from stopping.
func TestLanesStopInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(func(ctx context.Context, _ event) { <-ctx.Done() })
		ctx, cancel := context.WithCancel(t.Context())
		l.add(ctx, event{channel: "1"})
		l.add(ctx, event{channel: "1"})
		cancel()
		begun := time.Now()
		l.run(ctx)
		if took := time.Since(begun); took != stopWithin {
			t.Errorf("stopped after %v", took)
		}
	})
}
