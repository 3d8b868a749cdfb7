package discord

import (
	"context"
	"time"
)

// lanes deal with the events of one channel one after the other, and with those of different
// channels beside each other, so that a channel that has to be asked about holds up no other.
type lanes struct {
	in   chan event
	deal func(ctx context.Context, e event)
}

const (
	maxEvents  = 1000            // that wait or are dealt with; as many may wait for their turn to wait
	stopWithin = 5 * time.Second // for the events in hand when the bot is told to stop
)

func newLanes(deal func(ctx context.Context, e event)) *lanes {
	return &lanes{in: make(chan event, maxEvents), deal: deal}
}

// add takes an event, and is false when ctx ends before there is room for it.
func (l *lanes) add(ctx context.Context, e event) bool {
	select {
	case l.in <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// run deals with events until ctx ends, and then with those that were taken, for Discord sends
// none of them again.
func (l *lanes) run(ctx context.Context) {
	inHand, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopWithin, cut) })()
	waiting := map[string][]event{} // by channel; there while somebody deals with its events
	open, done := 0, make(chan string)
	begin := func(e event) {
		go func() {
			l.deal(inHand, e)
			done <- e.channel
		}()
	}
	arrive := func(e event) {
		open++
		if _, busy := waiting[e.channel]; busy {
			waiting[e.channel] = append(waiting[e.channel], e)
			return
		}
		waiting[e.channel] = nil
		begin(e)
	}
	for stopped := ctx.Done(); stopped != nil || open > 0 || len(l.in) > 0; {
		in := l.in
		if open >= maxEvents {
			in = nil
		}
		select {
		case <-stopped:
			stopped = nil
		case e := <-in:
			arrive(e)
		case channel := <-done:
			open--
			next := waiting[channel]
			if len(next) == 0 {
				delete(waiting, channel)
				continue
			}
			waiting[channel] = next[1:]
			begin(next[0])
		}
	}
}
