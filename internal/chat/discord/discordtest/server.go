package discordtest

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"net"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Server is a fake Discord. Make one with [New]; the fields may be changed until the first
// request or event.
type Server struct {
	Token string // of the bot

	// PrivilegedContent is the Developer Portal's switch "Message Content Intent". Without it
	// a session that asks for that intent is closed with 4014.
	PrivilegedContent bool
	// InteractionsURL is the Developer Portal's "Interactions Endpoint URL", which
	// applications/@me tells. That interactions are delivered there is said by HTTP.
	InteractionsURL string

	HeartbeatInterval time.Duration // 0: half a second
	CallbackWindow    time.Duration // in which an interaction takes its callback; 0: 3 seconds
	MaxConcurrency    int           // of identifies, as gateway/bot says; 0: 1
	HTTP              *Endpoint     // where Send delivers interactions; nil: over the gateway

	AllowMention []string // ids of roles and users that posts may mention
	AllowLinks   []string // what the URL of each link must begin with one of; nil: no links

	Tolerate bool             // Close reports nothing
	Forget   bool             // keep counts, latencies and the newest messages only
	Now      func() time.Time // nil: time.Now

	t      testing.TB
	http   *httptest.Server
	key    ed25519.PrivateKey
	schema *schema
	done   chan struct{} // closed by Close
	once   sync.Once
	wg     sync.WaitGroup // what runs in the background

	mu         sync.Mutex
	closed     bool
	state      State
	changed    chan struct{} // closed and replaced at each change
	requests   []*Request
	violations []string
	tooFast    []string
	paces      map[string]*pace
	faults     map[string][]*failing
	windows    map[window]wait
	gates      []*Gate
	revoked    bool
	conns      []*Conn
	sessions   map[string]*session
	sessionIDs []string // in order
	mischief   []trouble
	tokens     map[string]*interaction // by token
	tokenOrder []string
	nonces     map[string]*Message
	nonceOrder []string
	latencies  []time.Duration
	invalid    int
	serial     int
}

// New starts a fake Discord that is closed when the test ends.
func New(t testing.TB) *Server {
	s := &Server{
		Token: "MTMwMTAwMDAwMDAwMDAwMDIwMA.Gd1sc0.discordtest-token-of-the-bot", t: t,
		key:    ed25519.NewKeyFromSeed([]byte("discordtest, an Ed25519 key seed")),
		schema: vendorSchema(), done: make(chan struct{}), changed: make(chan struct{}), paces: map[string]*pace{}, faults: map[string][]*failing{},
		windows: map[window]wait{}, sessions: map[string]*session{}, tokens: map[string]*interaction{}, nonces: map[string]*Message{},
	}
	s.state = newState(s.now)
	s.populate()
	s.http = httptest.NewUnstartedServer(s.mux())
	s.http.Config.ConnContext = withWire
	s.http.Listener = wires{s.http.Listener}
	s.http.Start()
	t.Cleanup(s.Close)
	if s.schema == nil {
		t.Logf("discordtest: %s is absent: requests are not held against the vendor's schema", schemaFile)
	}
	return s
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Close ends all connections, and reports violations to the test unless Tolerate is set. The
// bot should have stopped by then.
func (s *Server) Close() { s.once.Do(s.close) }

func (s *Server) close() {
	s.mu.Lock()
	s.closed = true
	close(s.done)
	s.unanswered()
	conns := s.conns
	s.mu.Unlock()
	for _, c := range conns {
		c.hangUp()
	}
	s.http.CloseClientConnections()
	s.http.Close()
	s.wg.Wait()
	s.report()
}

func (s *Server) report() {
	if s.Tolerate {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.violations {
		s.t.Errorf("discordtest: violation: %s", line)
	}
}

// URL is the address of the fake, without a path: what DISCORD_API_URL has to be.
func (s *Server) URL() string { return s.http.URL }

// PublicKey is what DISCORD_PUBLIC_KEY has to be, in hex.
func (s *Server) PublicKey() string {
	key, _ := s.key.Public().(ed25519.PublicKey)
	return hex.EncodeToString(key)
}

// Env are the variables that point the bot here; with the public key where the field HTTP
// is set.
func (s *Server) Env() []string {
	env := []string{"DISCORD_API_URL=" + s.URL(), "DISCORD_TOKEN=" + s.Token}
	if s.HTTP != nil {
		env = append(env, "DISCORD_PUBLIC_KEY="+s.PublicKey())
	}
	return env
}

// wires wraps connections so that they can be cut and frozen from outside.
type wires struct{ net.Listener }

func (l wires) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c}, nil
}

// A wire is one TCP connection. Once frozen it loses what it reads.
type wire struct {
	net.Conn
	frozen atomic.Bool
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := w.Conn.Read(b)
		if err != nil || !w.frozen.Load() {
			return n, err
		}
	}
}

type wireKey struct{}

func withWire(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, wireKey{}, c)
}
