package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// How a stop goes on. From its first moment on /readyz says so and new work is refused, so
// that whoever spreads requests over several bots sends them elsewhere; the address stays
// open for that. Requests in hand have finishWithin. What then still goes on is told to end,
// which lets it say so, and cut off.
//
// Together this is less than the 25 seconds after which the whole program has to be gone.
const (
	finishWithin = 20 * time.Second
	endWithin    = time.Second
	closeWithin  = time.Second
)

// errStopping is the cause of a context that ends because the program does.
var errStopping = errors.New("the bot is stopping")

// A drain counts what is worth waiting for when the program stops.
type drain struct {
	mu       sync.Mutex
	inHand   int
	stopping bool
	dry      chan struct{} // closed when nothing is in hand any more and nothing comes
}

func newDrain() *drain { return &drain{dry: make(chan struct{})} }

// enter is false once the program stops. Whoever enters must leave.
func (d *drain) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return false
	}
	d.inHand++
	return true
}

func (d *drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inHand--
	d.closeIfDry()
}

// stop lets nobody in any more.
func (d *drain) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopping = true
	d.closeIfDry()
}

func (d *drain) closeIfDry() {
	if d.stopping && d.inHand == 0 {
		close(d.dry)
	}
}

func (d *drain) isStopping() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stopping
}

// ends reports whether nothing is in hand any more before some time is over.
func (d *drain) ends(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-d.dry:
		return true
	case <-timer.C:
		return false
	}
}

// finish lets what srv has in hand get done, and closes it. end ends the contexts of its
// requests.
func (s *Server) finish(srv *http.Server, end context.CancelCauseFunc) {
	s.work.stop()
	srv.SetKeepAlivesEnabled(false)
	done := s.work.ends(finishWithin)
	if !done {
		end(errStopping)
		done = s.work.ends(endWithin)
	}
	if !done {
		s.cfg.Log.Warn("requests cut off at shutdown")
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if srv.Shutdown(ctx) != nil {
		srv.Close() // what is left is no work: connections on which nothing was asked yet, probes
	}
}

// maxConns bounds the connections at once, each of which costs a goroutine and its buffers.
// A browser opens six, whoever waits for an answer one.
const maxConns = 4000

// door counts connections, and turns away those that are too many.
func (s *Server) door(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if s.conns.Add(1) > s.maxConns {
			turnAway(c)
		}
	case http.StateClosed, http.StateHijacked:
		s.conns.Add(-1)
	}
}

// turnAway tells whoever connects to come again. It waits for nothing: so few bytes fit
// into any socket's buffer.
func turnAway(c net.Conn) {
	c.SetWriteDeadline(time.Now().Add(time.Second))
	io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	c.Close()
}

// working is a handler whose requests are waited for when the program stops, and refused
// from then on.
func (s *Server) working(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.work.enter() {
			s.fail(w, r, errStopping)
			return
		}
		defer s.work.leave()
		h(w, r)
	})
}

// gated is a handler that a gate bounds.
func (s *Server) gated(g gate, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, err := g.enter(r.Context())
		if err != nil {
			s.fail(w, r, err)
			return
		}
		defer leave()
		h.ServeHTTP(w, r)
	})
}
