// Package surface has what the bot's surfaces on chat platforms need alike, whatever the
// platform: how they are, what goes on beside, how fast they post, what they count, and who may
// call their web addresses.
package surface

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Rescue keeps a panic from ending the process, and says where it was. It must be deferred
// itself.
func Rescue(log *slog.Logger, where string) {
	if p := recover(); p != nil {
		log.Error("panic on a chat platform's surface", slog.String("where", where), slog.String("panic", fmt.Sprint(p)),
			slog.String("stack", strings.TrimSpace(string(debug.Stack()))))
	}
}

// Asides are goroutines for what is nice to have and must hold up no event.
type Asides struct {
	slots chan struct{}
	log   *slog.Logger
}

// How much goes on beside events, and for how long each.
const (
	maxAsides    = 32
	asidesWithin = 5 * time.Second
)

// NewAsides returns asides; none runs.
func NewAsides(log *slog.Logger) *Asides {
	return &Asides{slots: make(chan struct{}, maxAsides), log: log}
}

// Go runs f on a goroutine of its own, for five seconds at most. When too much of that goes
// on already, it is left out.
func (a *Asides) Go(ctx context.Context, f func(ctx context.Context)) {
	select {
	case a.slots <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-a.slots }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), asidesWithin)
		defer cancel()
		defer Rescue(a.log, "aside")
		f(ctx)
	}()
}

// Wait waits for those that run.
func (a *Asides) Wait() { Drain(a.slots) }

// Drain waits until everyone who holds a slot has given it back.
func Drain(slots chan struct{}) {
	for range cap(slots) {
		slots <- struct{}{}
	}
	for range cap(slots) {
		<-slots
	}
}

// A Pace spaces the posts in each channel.
type Pace struct {
	every    time.Duration
	burst    int
	channels *lru.Cache[string, *rate.Limiter]
}

// pacesKept is how many channels are known at once; one that is forgotten may post at once.
const pacesKept = 5000

// NewPace lets one post through each so often, and so many at once after a pause.
func NewPace(every time.Duration, burst int) *Pace {
	channels, _ := lru.New[string, *rate.Limiter](pacesKept) // fails only for a size of 0
	return &Pace{every, burst, channels}
}

// Slot takes a channel's next moment and says how far away it is. One that is wanted now or
// not at all is given back where it is not now.
func (p *Pace) Slot(channel string, nowOnly bool) time.Duration {
	limiter, ok := p.channels.Get(channel)
	if !ok {
		limiter = rate.NewLimiter(rate.Every(p.every), p.burst)
		if before, had, _ := p.channels.PeekOrAdd(channel, limiter); had {
			limiter = before
		}
	}
	r := limiter.Reserve()
	wait := r.Delay()
	if nowOnly && wait > 0 {
		r.Cancel()
	}
	return wait
}
