package slacktest

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Names for what is no method of the Web API but is recorded, blocked or made to fail too.
const (
	ResponseURL = "response_url" // a post to a response URL
	Upgrade     = "websocket"    // the opening of a socket; it can only fail, and is not recorded
)

// A Fault is how a call goes wrong. Unless Do is set the call has no effect; a Fault of
// nothing but a Delay is a slow success.
type Fault struct {
	Channel string // only calls for this channel; "": all

	Error    string   // answer with this error code
	Needed   string   // … and these scopes
	Provided string   //
	Messages []string // … and response_metadata.messages, as invalid_blocks has them

	RetryAfter int // answer 429; calls within so many seconds get it again, and are violations
	Status     int // answer with this status
	HTML       bool
	Delay      time.Duration // before anything else; a client that goes away meanwhile gets nothing done
	Drop       bool          // close the connection without an answer
	Do         bool          // do what was asked, then answer wrongly
}

// Lost is the fault of an answer that does not arrive: the call was done, the connection ends.
func Lost() Fault { return Fault{Do: true, Drop: true} }

// harmless reports whether the call succeeds all the same.
func (f Fault) harmless() bool {
	return f.Error == "" && f.RetryAfter == 0 && f.Status == 0 && !f.HTML && !f.Drop
}

// A failing is a Fault and how often it is still to happen.
type failing struct {
	Fault
	left int // < 0: always
}

// Fail makes the next n calls of a method go wrong; n < 0: all until Heal. Faults of one
// method are used up in the order in which they were set.
func (s *Server) Fail(method string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n != 0 {
		s.faults[method] = append(s.faults[method], &failing{f, n})
	}
}

// Heal removes all faults of a method, and the wait of a 429; "" of all methods.
func (s *Server) Heal(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method == "" {
		clear(s.faults)
		clear(s.windows)
		return
	}
	delete(s.faults, method)
	for w := range s.windows {
		if w.method == method {
			delete(s.windows, w)
		}
	}
}

// Revoke makes the bot's and the app's tokens worth nothing: each call answers code, such as
// "token_revoked" or "account_inactive"; "" makes them good again.
func (s *Server) Revoke(code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = code
}

// fault takes the next fault of a call; the lock is held.
func (s *Server) fault(method, channel string) (Fault, bool) {
	for i, f := range s.faults[method] {
		if f.Channel != "" && f.Channel != channel {
			continue
		}
		if f.left--; f.left == 0 {
			s.faults[method] = slices.Delete(s.faults[method], i, i+1)
		}
		return f.Fault, true
	}
	return Fault{}, false
}

// A window is where a 429 holds: a method, or a method for one channel.
type window struct{ method, channel string }

// A client that had sent a call before it read the 429 is not to blame.
const windowGrace = 50 * time.Millisecond

// limited looks whether a call falls into the wait that a 429 asked for; if so it is a
// violation and gets the rest of the wait. The lock is held.
func (s *Server) limited(method, channel string, at time.Time) (Fault, bool) {
	for _, w := range []window{{method, ""}, {method, channel}} {
		asked, ok := s.windows[w]
		if !ok || !at.Before(asked.end) {
			continue
		}
		if at.Sub(asked.begin) > windowGrace {
			s.violate("%s: called %v before the end of the wait that a 429 asked for", method, asked.end.Sub(at).Round(time.Millisecond))
		}
		return Fault{Channel: w.channel, RetryAfter: max(1, int(math.Ceil(asked.end.Sub(at).Seconds())))}, true
	}
	return Fault{}, false
}

type wait struct{ begin, end time.Time }

// outcome is the error code and the status that a client sees; 0 where it sees none.
func (f Fault) outcome() (code string, status int) {
	switch {
	case f.Drop:
		return "", 0
	case f.RetryAfter > 0:
		return "ratelimited", http.StatusTooManyRequests
	case f.Status != 0:
		return f.Error, f.Status
	}
	return f.Error, http.StatusOK
}

// misanswer writes what a fault says instead of the right answer.
func (s *Server) misanswer(w http.ResponseWriter, out reply) {
	f := out.fault
	if f.Drop {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	code, status := f.outcome()
	if f.HTML || code == "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>Server Error</title></head><body><h1>%d</h1></body></html>", status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(errorBody(code, f))
}

func errorBody(code string, f Fault) []byte {
	body := map[string]any{"ok": false, "error": code}
	if f.Needed != "" {
		body["needed"], body["provided"] = f.Needed, f.Provided
	}
	if len(f.Messages) > 0 {
		body["errors"] = f.Messages
		body["response_metadata"] = map[string]any{"messages": f.Messages}
	}
	return encode(body)
}

// A Gate holds calls of a method.
type Gate struct {
	method string
	after  bool
	held   chan Request
	open   chan struct{}
	once   sync.Once
}

// Block holds calls of a method before they take effect. One whose client goes away while it
// is held never happens.
func (s *Server) Block(method string) *Gate { return s.gate(method, false) }

// BlockAfter holds calls of a method after they took effect and before they are answered.
func (s *Server) BlockAfter(method string) *Gate { return s.gate(method, true) }

func (s *Server) gate(method string, after bool) *Gate {
	g := &Gate{method: method, after: after, held: make(chan Request, 1024), open: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gates = append(s.gates, g)
	return g
}

// Reached waits until a call is held, and returns it: each held call once.
func (g *Gate) Reached(ctx context.Context) (Request, error) {
	select {
	case r := <-g.held:
		return r, nil
	case <-ctx.Done():
		return Request{}, fmt.Errorf("slacktest: no call of %s was held: %w", g.method, context.Cause(ctx))
	}
}

// Release lets the held calls go on, and those that come later through.
func (g *Gate) Release() { g.once.Do(func() { close(g.open) }) }

// pass waits at the gates of a call. It is false when the client or the server went away.
func (s *Server) pass(ctx context.Context, r Request, after bool) bool {
	s.mu.Lock()
	gates := slices.Clone(s.gates)
	s.mu.Unlock()
	for _, g := range gates {
		if g.method == r.Method && g.after == after && !s.hold(ctx, g, r) {
			return false
		}
	}
	return true
}

func (s *Server) hold(ctx context.Context, g *Gate, r Request) bool {
	select {
	case <-g.open:
		return true
	default:
	}
	select {
	case g.held <- r:
	default: // nobody reads: the call is held all the same
	}
	select {
	case <-g.open:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

// sleep waits for a delay. It is false when the client or the server went away.
func (s *Server) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}
