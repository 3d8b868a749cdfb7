package llm

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	failuresToOpen = 5 // one after the other
	outageLasts    = 30 * time.Second
	settingLasts   = time.Minute
)

// A breaker keeps calls from a server that fails. One breaker is about outages, which end by
// themselves; another about what no repetition mends, and opens at once.
//
// When its time is over, one call goes through, whose end decides.
type breaker struct {
	*gobreaker.TwoStepCircuitBreaker[any]
	lasts time.Duration

	mu    sync.Mutex
	until time.Time // while it is open
	cause *Error    // of the last failure that counted
	told  bool      // that it is open
}

// newBreaker opens after a number of failures that count, one after the other. Others say
// nothing about what it guards: they neither close nor open it.
func newBreaker(failures uint32, lasts time.Duration, counts func(error) bool) *breaker {
	b := &breaker{lasts: lasts}
	b.TwoStepCircuitBreaker = gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Timeout:     lasts,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= failures },
		IsExcluded:  func(err error) bool { return err != nil && !counts(err) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if to == gobreaker.StateOpen {
				b.until = time.Now().Add(lasts)
			}
		},
	})
	return b
}

// isOutage counts what a server does wrong, and not what a request, a setting or the caller
// does.
func isOutage(err error) bool {
	reason := reasonOf(err)
	return reason != "" && reason != ReasonBadRequest && reason != ReasonBreakerOpen && !lasts(err)
}

// failed keeps the cause, before it counts: a copy, for the caller has the other one.
func (b *breaker) failed(err error) {
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	cause := *e
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cause = &cause
}

// open is why no call goes through, and for how long; nil when one would.
func (b *breaker) open() (cause *Error, left time.Duration) {
	if b.State() != gobreaker.StateOpen {
		return nil, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cause, max(time.Until(b.until), time.Second)
}

// tell logs that it has opened or closed, once.
func (b *breaker) tell(log *slog.Logger, model string) {
	state := b.State()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case state == gobreaker.StateOpen && !b.told:
		b.told = true
		log.Warn("the language model is left alone for a while", "model", model, "for", b.lasts, "reason", b.cause.Reason, "error", b.cause.Error())
	case state == gobreaker.StateClosed && b.told:
		b.told = false
		log.Info("the language model writes again", "model", model)
	}
}

// guarded makes a call unless a breaker is open.
func (c *Client) guarded(call func() error) error {
	var ends []func(error)
	for i, b := range c.breakers {
		end, err := b.Allow()
		if err != nil {
			err = c.leftAlone(b)
			if i > 0 { // the other let it through, to no avail
				ends[0](err)
			}
			return err
		}
		ends = append(ends, end)
	}
	err := errAbandoned
	defer func() {
		for i, end := range ends {
			end(err)
			c.breakers[i].tell(c.log, c.name)
		}
	}()
	err = call()
	if isOutage(err) {
		c.breakers[0].failed(err)
	} else if lasts(err) {
		c.breakers[1].failed(err)
	}
	return err
}

// errAbandoned is how a call ends in which the caller's function panics.
var errAbandoned = errors.New("abandoned")

// leftAlone is the error of a call that was not made. What it was that failed comes along.
func (c *Client) leftAlone(b *breaker) *Error {
	cause, left := b.open()
	if cause == nil {
		return c.failure(ReasonBreakerOpen, "the calls before failed, and another one tries whether it writes again")
	}
	e := c.failure(ReasonBreakerOpen, "not called for another %v, for the last calls failed, %s: %s", left.Round(time.Second), cause.Reason, cause.Detail)
	e.Status, e.Remedy = cause.Status, cause.Remedy
	return e
}
