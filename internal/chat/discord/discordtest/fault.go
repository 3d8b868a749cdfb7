package discordtest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A Fault is how a request goes wrong. Unless Do is set the request has no effect; a Fault of
// nothing but a Delay is a slow success.
type Fault struct {
	Channel string // only requests for this channel; "": all

	Status  int    // answer with this status
	Code    int    // … and this error code of Discord's, as 50013
	Message string // … and this text; "": one that fits

	RetryAfter time.Duration // answer 429; requests of the route and channel within it get it again, and are violations
	Global     bool          // … requests of all routes but callbacks
	Shared     bool          // … with the scope shared: others used the limit up

	HTML  bool          // the body is a page, as in front of Discord: 1015 with 429, else a bad gateway
	Delay time.Duration // before anything else; a client that goes away meanwhile gets nothing done
	Drop  bool          // close the connection without an answer
	Do    bool          // do what was asked, then answer wrongly
}

// Lost is the fault of an answer that does not arrive: it was done, the connection ends.
func Lost() Fault { return Fault{Do: true, Drop: true} }

// Dropped is the fault of a connection that ends before anything was done.
func Dropped() Fault { return Fault{Drop: true} }

// Refused is an error of Discord's, such as Refused(403, 50013).
func Refused(status, code int) Fault { return Fault{Status: status, Code: code} }

// RateLimited is a 429 for the route and channel.
func RateLimited(after time.Duration) Fault { return Fault{RetryAfter: after} }

// Banned is the page that Cloudflare answers to an address with too many invalid requests.
// https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
func Banned() Fault { return Fault{Status: http.StatusTooManyRequests, HTML: true} }

// BadGateway is the page in front of a Discord that is down.
func BadGateway() Fault { return Fault{Status: http.StatusBadGateway, HTML: true} }

// harmless reports whether the request succeeds all the same.
func (f Fault) harmless() bool { return f.Status == 0 && f.RetryAfter == 0 && !f.Drop }

// A failing is a Fault and how often it is still to happen.
type failing struct {
	Fault
	left int // < 0: always
}

// Fail makes the next n requests of a route go wrong; n < 0: all until Heal. Faults of one
// route are used up in the order in which they were set.
func (s *Server) Fail(route string, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !known(route) {
		s.t.Errorf("discordtest: there is no route %q", route)
	}
	if n != 0 {
		s.faults[route] = append(s.faults[route], &failing{f, n})
	}
}

// Heal removes all faults of a route, and the waits of 429s; "" of all routes.
func (s *Server) Heal(route string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if route == "" {
		clear(s.faults)
		clear(s.windows)
		return
	}
	delete(s.faults, route)
	for w := range s.windows {
		if w.route == route {
			delete(s.windows, w)
		}
	}
}

// Revoke makes the token worth nothing: requests get 401, an identify 4004.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// fault takes the next fault of a request; the lock is held.
func (s *Server) fault(route, channel string) (Fault, bool) {
	for i, f := range s.faults[route] {
		if f.Channel != "" && f.Channel != channel {
			continue
		}
		if f.left--; f.left == 0 {
			s.faults[route] = slices.Delete(s.faults[route], i, i+1)
		}
		return f.Fault, true
	}
	return Fault{}, false
}

// A window is where a 429 holds: a route for one channel or interaction, or everything.
// https://discord.com/developers/docs/topics/rate-limits#rate-limits
type window struct{ route, major string }

type wait struct {
	begin, end time.Time
	fault      Fault
}

// A client that had sent a request before it read the 429 is not to blame. On one route it
// sends one after the other; on all routes together others may be on their way, and on a
// busy machine that takes a while.
const (
	windowGrace = 50 * time.Millisecond
	globalGrace = 500 * time.Millisecond
)

func (w window) grace() time.Duration {
	if w.route == "" {
		return globalGrace
	}
	return windowGrace
}

// limited looks whether a request falls into the wait that a 429 asked for; if so it is a
// violation and gets the rest of the wait. The lock is held.
func (s *Server) limited(r *Request) (Fault, bool) {
	for _, w := range []window{{}, {r.Route, r.major()}} {
		asked, ok := s.windows[w]
		if !ok || !r.At.Before(asked.end) || w.route == "" && r.Route == Callback {
			continue
		}
		if r.At.Sub(asked.begin) > w.grace() {
			s.violate("%s: requested %v before the end of the wait that a 429 asked for", r.Route, asked.end.Sub(r.At).Round(time.Millisecond))
		}
		f := asked.fault
		f.RetryAfter = asked.end.Sub(r.At)
		return f, true
	}
	return Fault{}, false
}

// forbid opens the wait that a 429 asks for; the lock is held.
func (s *Server) forbid(r *Request, f Fault) {
	w := window{r.Route, r.major()}
	if f.Global {
		w = window{}
	}
	now := s.now()
	if old, ok := s.windows[w]; !ok || old.end.Before(now.Add(f.RetryAfter)) {
		s.windows[w] = wait{now, now.Add(f.RetryAfter), f}
	}
}

// misanswer writes what a fault says instead of the right answer.
func (s *Server) misanswer(w http.ResponseWriter, f Fault) {
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case f.HTML:
		page(w, f)
	case f.RetryAfter > 0:
		tooMany(w, f)
	default:
		writeJSON(w, f.Status, refusal{code: f.Code, message: or(f.Message, nameOf(f.Code, f.Status))}.body())
	}
}

// tooMany is a 429. https://discord.com/developers/docs/topics/rate-limits#exceeding-a-rate-limit
func tooMany(w http.ResponseWriter, f Fault) {
	h, seconds := w.Header(), f.RetryAfter.Seconds()
	h.Set("Retry-After", strconv.Itoa(int(seconds)+1))
	h.Set("X-RateLimit-Scope", scopeOf(f))
	text := "You are being rate limited."
	switch {
	case f.Global:
		h.Set("X-RateLimit-Global", "true")
	case f.Shared:
		text = "The resource is being rate limited."
	}
	writeJSON(w, http.StatusTooManyRequests, map[string]any{"message": text, "retry_after": seconds, "global": f.Global})
}

func scopeOf(f Fault) string {
	switch {
	case f.Global:
		return "global"
	case f.Shared:
		return "shared"
	}
	return "user"
}

func page(w http.ResponseWriter, f Fault) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())+1))
	}
	what := "Bad gateway"
	if f.Status == http.StatusTooManyRequests {
		what = "Access denied | discord.com used Cloudflare to restrict access: error code 1015, you are being rate limited"
	}
	w.WriteHeader(f.Status)
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html>\n<html><head><title>%s</title></head><body><h1>%d</h1></body></html>", what, f.Status)
}

// A Gate holds requests of a route.
type Gate struct {
	route string
	after bool
	held  chan Request
	open  chan struct{}
	once  sync.Once
}

// Block holds requests of a route before they take effect. One whose client goes away while
// it is held never happens.
func (s *Server) Block(route string) *Gate { return s.gate(route, false) }

// BlockAfter holds requests of a route after they took effect and before they are answered.
func (s *Server) BlockAfter(route string) *Gate { return s.gate(route, true) }

func (s *Server) gate(route string, after bool) *Gate {
	g := &Gate{route: route, after: after, held: make(chan Request, 1024), open: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !known(route) {
		s.t.Errorf("discordtest: there is no route %q", route)
	}
	s.gates = append(s.gates, g)
	return g
}

// Reached waits until a request is held, and returns it: each held request once.
func (g *Gate) Reached(ctx context.Context) (Request, error) {
	select {
	case r := <-g.held:
		return r, nil
	case <-ctx.Done():
		return Request{}, fmt.Errorf("discordtest: no request of %s was held: %w", g.route, context.Cause(ctx))
	}
}

// Release lets the held requests go on, and those that come later through.
func (g *Gate) Release() { g.once.Do(func() { close(g.open) }) }

// pass waits at the gates of a request. It is false when the client or the server went away.
func (s *Server) pass(ctx context.Context, r Request, after bool) bool {
	s.mu.Lock()
	gates := slices.Clone(s.gates)
	s.mu.Unlock()
	for _, g := range gates {
		if g.route == r.Route && g.after == after && !s.hold(ctx, g, r) {
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
	default: // nobody reads: the request is held all the same
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
