package qdranttest

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc/peer"
)

// wires are the server's connections, by the address of their other end.
type wires struct {
	mu   sync.Mutex
	open map[string]net.Conn
}

func (w *wires) around(l net.Listener) net.Listener { return wireListener{l, w} }

type wireListener struct {
	net.Listener
	wires *wires
}

func (l wireListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wires.add(c), nil
}

func (w *wires) add(c net.Conn) net.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[string]net.Conn{}
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

// cut closes every connection without a word, as a killed process does.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		_ = c.Close()
	}
}

// Connections is how many connections are open.
func (s *Server) Connections() int {
	s.wires.mu.Lock()
	defer s.wires.mu.Unlock()
	return len(s.wires.open)
}
