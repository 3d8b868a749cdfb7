package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A proof tells whether something can be written, by writing it, now and then. A disk that
// hangs holds up a write for as long as it likes, whatever a context says: so the write goes
// on in a goroutine of its own, never two at once, and nobody waits for it for long.
type proof struct {
	write func(ctx context.Context) error

	mu    sync.Mutex
	err   error         // of the last write that has ended
	at    time.Time     // when that was
	begun time.Time     // of the write under way
	done  chan struct{} // closed when it has ended; nil: none is under way
}

// How old a proof may be. Probes come often and want to know; scrapes come for ever, and a
// laptop's disk should not be woken for each.
const (
	proofFresh  = time.Second
	proofStale  = time.Minute
	proofWithin = 2 * time.Second
)

// newProof begins with what opening has proven.
func newProof(write func(ctx context.Context) error) *proof {
	return &proof{write: write, at: time.Now()}
}

// fresh writes unless that was done a moment ago, and waits for it for two seconds.
func (p *proof) fresh() error {
	done := p.begin(proofFresh)
	timer := time.NewTimer(proofWithin)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	return p.known()
}

// recent is what is known, without waiting. Where that is old it is found out for the next
// who asks.
func (p *proof) recent() error {
	p.begin(proofStale)
	return p.known()
}

// begin starts a write unless one is under way or the last is young enough.
func (p *proof) begin(age time.Duration) (done <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		return p.done
	}
	ended := make(chan struct{})
	if time.Since(p.at) <= age {
		close(ended)
		return ended
	}
	p.done, p.begun = ended, time.Now()
	go p.run(ended)
	return ended
}

// run writes. Whoever asked for it may be gone before it ends: [proof.wait] waits for it.
func (p *proof) run(ended chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), proofWithin)
	defer cancel()
	err := p.write(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.at, p.done = err, time.Now(), nil
	close(ended)
}

func (p *proof) known() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late := time.Since(p.begun); p.done != nil && late >= proofWithin {
		return fmt.Errorf("the disk has not answered for %d seconds: look at that of the state folder", int(late.Seconds()))
	}
	return p.err
}

// wait waits for the write under way.
func (p *proof) wait() {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done != nil {
		<-done
	}
}
