package chat

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Pause is how long to wait before something is tried again: about First, then twice as
// long each time up to Most, half of it at random, so that a thousand bots that failed
// together do not come back together.
type Pause struct {
	First, Most time.Duration

	tries int
}

// Next is the next wait.
func (p *Pause) Next() time.Duration {
	const enough = 30 // doublings, after which First would overflow
	most := min(p.First<<min(p.tries, enough), p.Most)
	if most <= 0 {
		most = p.Most
	}
	p.tries++
	return most/2 + rand.N(most)
}

// Reset begins again with First: what was tried has worked.
func (p *Pause) Reset() { p.tries = 0 }

// Sleep reports whether ctx lasted as long as d.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
