// Package qdrant keeps a library's vectors in Qdrant: it is [kb.VectorStore] over gRPC.
//
// Qdrant is a derived store. What it holds follows from the documents and may be lost at
// any time, so nothing here is remembered but how to reach it: ids are derived from keys,
// so that to put twice is to put once; only a write that Qdrant has applied counts; the
// library compares what is stored with what should be, and mends it.
//
// Nothing here waits for long. Each call has a deadline, and one that finds a connection
// gone is tried once more on the next.
//
// Several bots may share a collection. Whichever finds it missing makes it. One of them,
// which holds a lease (lease.go), writes it and changes how it is kept; to the others
// [Store.Put] and [Store.Delete] return [kb.ErrNotWriter].
package qdrant

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"citebot/internal/kb"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/metadata"
)

var _ kb.VectorStore = (*Store)(nil)

// Config says which collection of which server, and of what it is made.
type Config struct {
	URL        string      // of the gRPC port: http://host:6334, or https with TLS
	APIKey     string      // "": none
	TLS        *tls.Config // of https; nil: TLS 1.2 and the system's roots
	Collection string      // "": CollectionName of Model and Dim
	Model      string      // kb.Embedder.ID: vectors of two models are never in one collection
	Dim        int         // length of a vector

	// Of a collection that is made.
	Quantise bool   // search int8 values in memory; may be changed later
	Shards   uint32 // 0: as the server does
	Replicas uint32 // of each shard; 0: as the server does

	Holder    string // names this bot to those that share the collection; the same after a restart
	LeaseFile string // a file that the writer locks, in place of the lease in Qdrant

	Registry prometheus.Registerer // nil: not counted
	Log      *slog.Logger          // nil: discarded
}

// CollectionName is the collection's name unless one is given: citebot_<model>_<dim>.
func CollectionName(model string, dim int) string {
	return "citebot_" + suffix(model, dim)
}

var notInNames = regexp.MustCompile(`[^a-z0-9.-]+`)

func suffix(model string, dim int) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(model), "-"), "-") + "_" + strconv.Itoa(dim)
}

// times are how long things may take. Each is far above what a server that is well takes.
type times struct {
	search time.Duration
	ask    time.Duration // about a server, a collection, a lease
	page   time.Duration // of a list
	write  time.Duration // of one batch, applied
	create time.Duration // of a collection or an index
	look   time.Duration // between two looks at the lease
	renew  time.Duration // after a renewal of the lease, before the next look renews it
	lasts  time.Duration // of a lease that is not renewed
}

var usualTimes = times{
	search: 2 * time.Second, ask: 3 * time.Second, page: 5 * time.Second, write: 10 * time.Second, create: 15 * time.Second,
	look: 2 * time.Second, renew: 5 * time.Second, lasts: 15 * time.Second,
}

// A Store is a collection. Its methods may be called concurrently.
type Store struct {
	cfg     Config
	address string // host:port
	client  *qdrant.Client
	times   times
	lease   lease
	metrics metrics
	log     *slog.Logger

	mu         sync.Mutex
	collection string                 // in use; "" before it was looked at, and after trouble with it
	flawed     *qdrant.CollectionInfo // how it was found, if something is to be mended; else nil
	last       string                 // the last that was in use
	version    string                 // of the server
	limited    time.Time              // until when the server wants no calls
}

// Open checks cfg. It calls nobody: a server that is down is found out later, and may come
// back.
func Open(cfg Config) (*Store, error) {
	host, port, secure, err := splitURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Collection != "" && !validName.MatchString(cfg.Collection) {
		return nil, fmt.Errorf("QDRANT_COLLECTION: %q is no collection's name; use letters, digits, dots, hyphens and underscores, at most 200", cfg.Collection)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, times: usualTimes, address: net.JoinHostPort(host, strconv.Itoa(port)), log: cfg.Log}
	if s.metrics, err = newMetrics(cfg.Registry); err != nil {
		return nil, err
	}
	if s.lease, err = openLease(cfg); err != nil {
		return nil, err
	}
	s.client, err = qdrant.NewClient(&qdrant.Config{
		Host: bracketed(host), Port: port, UseTLS: secure,
		TLSConfig:              cmp.Or(cfg.TLS, &tls.Config{MinVersion: tls.VersionTLS12}),
		SkipCompatibilityCheck: true, // it calls the server, for up to a minute
		GrpcOptions: []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(withKey(cfg.APIKey)),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           grpcbackoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
				MinConnectTimeout: 5 * time.Second,
			}),
		},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("QDRANT_URL: %w", err), s.lease.close())
	}
	return s, nil
}

// bracketed is a host as the client wants it, which puts a colon and the port behind it.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// withKey sends the key with each call. The client's own setting does the same, and prints a
// warning about each connection to wherever it likes.
func withKey(key string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if key != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "api-key", key)
		}
		return call(ctx, method, request, reply, cc, opts...)
	}
}

// validName is what names may be; Qdrant refuses what cannot be a folder's name, and more
// than 255 characters, of which some are left for the names beside it.
var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`)

// splitURL checks an address and parts it.
func splitURL(address string) (host string, port int, secure bool, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", 0, false, errors.New("QDRANT_URL is not a web address; write that of Qdrant's gRPC port, for example http://127.0.0.1:6334")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", 0, false, errors.New("QDRANT_URL holds more than scheme, host and port; write it as http://127.0.0.1:6334, and the key to QDRANT_API_KEY")
	}
	port, err = strconv.Atoi(cmp.Or(u.Port(), "6334"))
	if err != nil || port < 1 || port > 65535 {
		return "", 0, false, fmt.Errorf("QDRANT_URL: %s is no port; Qdrant's gRPC port is 6334 unless changed", u.Port())
	}
	return u.Hostname(), port, u.Scheme == "https", nil
}

// Address is the server's host and port.
func (s *Store) Address() string { return s.address }

// Run keeps the writer's lease, or stands by to take it, until ctx ends; then it gives the
// lease back.
func (s *Store) Run(ctx context.Context) error {
	timer := time.NewTimer(s.times.look)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(s.look(ctx))
	}
}

// look renews the lease, or takes it, and says how long to wait for the next look.
func (s *Store) look(ctx context.Context) time.Duration {
	name, known := s.known()
	if !known {
		return s.times.look
	}
	_, err := s.writes(ctx, name)
	l := &s.lease
	if l.take(ctx) != nil {
		return s.times.look
	}
	defer l.leave()
	l.tell(s.log, err)
	return l.nap(s.times)
}

// Close gives the lease back and ends the connections. Run must have returned.
func (s *Store) Close() error {
	if name, known := s.known(); known {
		s.giveBack(context.Background(), name)
	}
	return errors.Join(s.lease.close(), s.client.Close())
}

// known is the collection that is in use, once it was looked at.
func (s *Store) known() (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.collection, s.collection != ""
}
