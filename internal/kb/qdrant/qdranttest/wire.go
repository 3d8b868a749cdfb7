package qdranttest

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc/peer"
)

// wires are the connections to a listener, by the address of their other end. A connection is
// known from when it is accepted, so that one in the middle of its handshake can be cut too.
type wires struct {
	came func() // called after each; nil: nothing

	mu   sync.Mutex
	open map[string]net.Conn // nil: closed, and what is accepted is cut
}

// around makes the wires those of l, which none may have been since the last cut.
func (w *wires) around(l net.Listener) net.Listener {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = map[string]net.Conn{}
	return wireListener{l, w}
}

type wireListener struct {
	net.Listener
	wires *wires
}

func (l wireListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c = l.wires.add(c)
	if l.wires.came != nil {
		l.wires.came()
	}
	return c, nil
}

func (w *wires) add(c net.Conn) net.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		_ = c.Close()
		return c
	}
	w.open[c.RemoteAddr().String()] = c
	return &wire{c, w}
}

type wire struct {
	net.Conn
	wires *wires
}

func (c *wire) Close() error {
	c.wires.mu.Lock()
	defer c.wires.mu.Unlock()
	if name := c.RemoteAddr().String(); c.wires.open[name] == c.Conn {
		delete(c.wires.open, name)
	}
	return c.Conn.Close()
}

// drop closes the connection on which a call came, without a word.
func (w *wires) drop(ctx context.Context) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.open[p.Addr.String()]; c != nil {
		_ = c.Close()
	}
}

// cut closes every connection without a word, as a killed process does, also those that come.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		_ = c.Close()
	}
	w.open = nil
}

// Connections is how many connections are open.
func (s *Server) Connections() int {
	s.wires.mu.Lock()
	defer s.wires.mu.Unlock()
	return len(s.wires.open)
}
