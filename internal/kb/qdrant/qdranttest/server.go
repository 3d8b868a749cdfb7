package qdranttest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Options are what a [Server] is like. The zero value is an open server with no key.
type Options struct {
	APIKey  string // wanted with every call but HealthCheck; "": none
	TLS     bool   // serve with a certificate that only [Server.CA] vouches for
	Strict  bool   // collections refuse what [StrictMode] refuses
	Version string // what HealthCheck tells; "": 1.18.2

	// Optimised: collections with int8 quantisation are searched by their bytes from the
	// first point on. Qdrant does that above the indexing threshold, which is 20 MB of
	// vectors in a segment; below it the vectors themselves are compared.
	Optimised bool

	Addr      string // where to listen; "": a free port of 127.0.0.1
	CountOnly bool   // count the calls and keep no requests: for tests that send much
}

// A Server is a Qdrant whose data lives as long as the test. Make one with [New].
type Server struct {
	t       testing.TB
	options Options
	addr    string
	cert    tls.Certificate
	ca      []byte

	lifeMu sync.Mutex // Stop and Start, one at a time
	grpc   *grpc.Server
	served chan struct{} // closed when grpc serves no more

	wires wires

	mu          sync.Mutex
	collections map[string]*collection
	aliases     map[string]string // to a collection's name
	operations  uint64            // writes so far
	calls       []Call
	counts      map[string]int
	complaints  []string
	changed     chan struct{} // closed and replaced by ring
	mischief    []trouble
	thawed      chan struct{} // nil: not frozen; closed by Thaw
}

// New starts a server, which ends with the test.
func New(t testing.TB, options Options) *Server {
	t.Helper()
	s := &Server{
		t: t, options: options, addr: cmp.Or(options.Addr, "127.0.0.1:0"), changed: make(chan struct{}),
		collections: map[string]*collection{}, aliases: map[string]string{}, counts: map[string]int{},
	}
	s.wires.came = s.ring
	if options.TLS {
		s.certify()
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// Addr is where the server listens, as host:port.
func (s *Server) Addr() string { return s.addr }

// URL is what QDRANT_URL has to be.
func (s *Server) URL() string {
	if s.options.TLS {
		return "https://" + s.addr
	}
	return "http://" + s.addr
}

// CA is the certificate, in PEM, that vouches for a server with TLS.
func (s *Server) CA() []byte { return s.ca }

// Stop closes the port and all connections at once. Calls that hang end without effect, what
// was written stays. When Stop returns, no call is at work.
func (s *Server) Stop() {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.grpc == nil {
		return
	}
	s.wires.cut()
	s.grpc.Stop()
	<-s.served
	s.grpc = nil
}

// Start listens again at the same address, with the data there was at Stop.
func (s *Server) Start() {
	s.t.Helper()
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.grpc != nil {
		return
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatalf("qdranttest: %v", err)
	}
	if a := l.Addr().String(); a != s.addr { // the first time; later others may read it
		s.addr = a
	}
	s.serve(s.wires.around(l))
}

func (s *Server) serve(l net.Listener) {
	s.grpc = grpc.NewServer(s.serverOptions()...)
	qdrant.RegisterQdrantServer(s.grpc, health{s: s})
	qdrant.RegisterCollectionsServer(s.grpc, collections{s: s})
	qdrant.RegisterPointsServer(s.grpc, points{s: s})
	done, g := make(chan struct{}), s.grpc
	s.served = done
	go func() {
		defer close(done)
		if err := g.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped at once
			s.t.Errorf("qdranttest: %v", err)
		}
	}()
}

func (s *Server) serverOptions() []grpc.ServerOption {
	o := []grpc.ServerOption{
		grpc.UnaryInterceptor(s.intercept),
		grpc.WaitForHandlers(true),
		// Qdrant decodes messages of any size, and lets a client ping as often as it likes;
		// the client does every 10 seconds.
		grpc.MaxRecvMsgSize(math.MaxInt32),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
	if s.options.TLS {
		o = append(o, grpc.Creds(credentials.NewServerTLSFromCert(&s.cert)))
	}
	return o
}

// What a server says of itself.
const (
	title   = "qdrant - vector search engine"
	version = "1.18.2"
)

type health struct {
	qdrant.UnimplementedQdrantServer
	s *Server
}

func (h health) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{Title: title, Version: cmp.Or(h.s.options.Version, version)}, nil
}

// short is a method's name as our constants spell it.
func short(full string) string { return strings.TrimPrefix(full, "/qdrant.") }

// Await waits until a condition holds, such as that a call has arrived. It is tried again
// whenever a call or connection comes, or a call is done that gets no reply; it may use the
// server's methods.
func (s *Server) Await(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("qdranttest: waited in vain: %w", context.Cause(ctx))
		}
	}
}

// ring wakes those who Await.
func (s *Server) ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// complain notes a broken rule; the lock is held.
func (s *Server) complain(format string, args ...any) {
	s.complaints = append(s.complaints, fmt.Sprintf(format, args...))
}
