package llm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	maxRetries = 2 // of one call

	// Of the calls of the last minutes, one in retryShare may be repeated: a server that is
	// down is not asked three times as often as one that is well. The floor lets a quiet bot
	// repeat at all.
	retryShare  = 10
	retryFloor  = 3
	retryMemory = 5 // minutes
)

// retries count calls and their repetitions, by minute.
type retries struct {
	mu      sync.Mutex
	minutes [retryMemory]minute
}

type minute struct {
	number         int64 // since 1970
	calls, retries int
}

// called notes a call, its first request.
func (r *retries) called(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at(now).calls++
}

// allow says whether there may be another repetition, and notes it.
func (r *retries) allow(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	here := r.at(now)
	calls, again := 0, 0
	for _, m := range r.minutes {
		if now.Unix()/60-m.number < retryMemory {
			calls, again = calls+m.calls, again+m.retries
		}
	}
	if again >= retryFloor+calls/retryShare {
		return false
	}
	here.retries++
	return true
}

func (r *retries) at(now time.Time) *minute {
	number := now.Unix() / 60
	here := &r.minutes[number%retryMemory]
	if here.number != number {
		*here = minute{number: number}
	}
	return here
}

// newPauses wait for a random part of half a second, then of a whole one: full jitter, since a
// randomisation of 1 is anything from nothing to twice the interval.
func newPauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.RandomizationFactor, b.Multiplier = 250*time.Millisecond, 1, 2
	return b
}

// repeat says whether to make a request again after err, once it has waited for that. Else
// err is to be returned, to which it may have added why.
func (c *Client) repeat(ctx context.Context, err error, pauses *backoff.ExponentialBackOff) bool {
	var e *Error
	if !errors.As(err, &e) || !e.again {
		return false
	}
	wait := max(pauses.NextBackOff(), e.after)
	if !fits(ctx, wait) {
		if e.after > 0 {
			e.Detail = c.clean(fmt.Sprintf("it wants no call for %v, and there is no time to wait: %s", e.after, e.Detail))
		}
		return false
	}
	if !c.retries.allow(time.Now()) || !pause(ctx, wait) {
		return false
	}
	c.metrics.retries.Inc()
	return true
}

// fits says whether there is time left for a call after a wait.
func fits(ctx context.Context, wait time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > wait
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A hold keeps all calls back for as long as the server wants none.
type hold struct {
	mu    sync.Mutex
	until time.Time
}

func (h *hold) set(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(d); until.After(h.until) {
		h.until = until
	}
}

func (h *hold) left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Until(h.until)
}

// held waits while the server wants no calls.
func (c *Client) held(ctx context.Context) error {
	left := c.hold.left()
	if left <= 0 || fits(ctx, left) && pause(ctx, left) {
		return nil
	}
	if ctx.Err() != nil {
		return c.explain(ctx, ctx.Err(), &writing{wire: &wire{}})
	}
	return c.heldFor(left)
}

func (c *Client) heldFor(left time.Duration) *Error {
	return c.failure(ReasonRateLimited, "it wants no call for another %v", left.Round(time.Second))
}
