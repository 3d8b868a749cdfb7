package slacktest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Who and what is there from the beginning.
const (
	Team    = "T0CITEBOT1"
	Other   = "T0PARTNER1" // the partner's organisation
	App     = "A0CITEBOT1"
	Bot     = "B0CITEBOT1" // the bot's bot_id
	BotUser = "U0CITEBOT1" // the bot as a member

	Alice   = "U0ALICE001"
	Bob     = "U0BOB00001"
	Partner = "U0PARTNER1" // of the other organisation

	General = "C0GENERAL1" // a public channel
	Private = "C0PRIVATE1" // a private channel
	Shared  = "C0SHARED01" // a public channel shared with the other organisation
	Group   = "C0MPIM0001" // a direct message of several people
)

// A Server is a fake Slack. Make one with [New]; the fields may be changed until the first
// request or event.
type Server struct {
	BotToken      string
	AppToken      string
	SigningSecret string

	// Scopes are those that the bot token has; a method that needs another one answers
	// missing_scope. Nil: all that the fake knows.
	Scopes []string
	// Events are the subscriptions, as "app_mention" or "message.channels"; an act has no
	// other events. Nil: all.
	Events []string
	// Echo sends the bot its own posts, edits and deletions as message events, as Slack does
	// to an app that subscribes to messages.
	Echo bool

	PingInterval   time.Duration // of WebSocket pings; 0: half a second; negative: none
	RedeliverAfter time.Duration // what is not acknowledged comes again after this; 0: only by Redeliver
	HTTP           *Endpoint     // where Send delivers; nil: over a socket

	AllowMention []string // ids of user groups and users that posts may mention
	AllowLinks   []string // what the URL of each link must begin with one of; nil: no links

	Tolerate bool // Close reports nothing
	Forget   bool // keep counts, latencies and the newest messages only

	clock atomic.Pointer[func() time.Time] // nil: time.Now

	t       testing.TB
	http    *httptest.Server
	methods map[string]method
	done    chan struct{} // closed by Close
	once    sync.Once
	wg      sync.WaitGroup // what runs in the background

	mu          sync.Mutex
	closed      bool
	state       State
	changed     chan struct{} // closed and replaced at each change
	requests    []*Request
	violations  []string
	ackProblems []string
	tooFast     []string
	scopes      map[string]bool // used
	paces       map[string]*pace
	faults      map[string][]*failing
	windows     map[window]wait
	gates       []*Gate
	revoked     string
	tickets     map[string]bool
	conns       []*Conn
	turn        int
	backlog     []*delivery
	deliveries  map[string]*delivery
	order       []string // of envelopes in deliveries
	acks        []Ack
	latencies   []time.Duration
	triggers    map[string]*trigger
	urls        map[string]*responseURL
	urlOrder    []string
	serial      int
}

// New starts a fake Slack that is closed when the test ends.
func New(t testing.TB) *Server {
	s := &Server{
		BotToken: "xoxb-1234567890-slacktest", AppToken: "xapp-1-A0CITEBOT1-slacktest", SigningSecret: "8f742231b10e8888abcd99yyyzzz85a5",
		t: t, done: make(chan struct{}), changed: make(chan struct{}),
		scopes: map[string]bool{}, paces: map[string]*pace{}, faults: map[string][]*failing{}, windows: map[window]wait{},
		tickets: map[string]bool{}, deliveries: map[string]*delivery{}, triggers: map[string]*trigger{}, urls: map[string]*responseURL{},
	}
	s.methods = s.table()
	s.state = newState(s.now)
	s.populate()
	s.http = httptest.NewUnstartedServer(s.mux())
	s.http.Config.ConnContext = withWire
	s.http.Listener = wires{s.http.Listener}
	s.http.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.serveAPI)
	mux.HandleFunc("/response/{id}", s.serveResponseURL)
	mux.HandleFunc("/link", s.serveSocket)
	return mux
}

func (s *Server) populate() {
	for _, u := range []User{
		{ID: BotUser, Name: "Citebot", Bot: true},
		{ID: Alice, Name: "Alice"},
		{ID: Bob, Name: "Bob", Locale: "de-DE"},
		{ID: Partner, Name: "Pat", Team: Other},
	} {
		s.state.users[u.ID] = u
	}
	for _, c := range []Channel{
		{ID: General, Name: "general", Type: PublicChannel},
		{ID: Private, Name: "leads", Type: PrivateChannel},
		{ID: Shared, Name: "with-partner", Type: PublicChannel, ExtShared: true},
		{ID: Group, Name: "mpdm-alice--bob--citebot-1", Type: GroupMessage},
	} {
		s.state.add(c)
	}
}

// SetNow makes the server read its time elsewhere.
func (s *Server) SetNow(now func() time.Time) { s.clock.Store(&now) }

func (s *Server) now() time.Time {
	if now := s.clock.Load(); now != nil {
		return (*now)()
	}
	return time.Now()
}

// Close ends all connections, and reports violations and bad acknowledgements to the test
// unless Tolerate is set. The bot should have stopped by then: a stream that is still open is
// a violation.
func (s *Server) Close() { s.once.Do(s.close) }

func (s *Server) close() {
	s.mu.Lock()
	s.closed = true
	close(s.done)
	s.unstopped()
	conns := s.conns
	for _, d := range s.deliveries {
		d.stop()
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.hangUp()
	}
	s.http.CloseClientConnections()
	s.http.Close()
	s.wg.Wait()
	s.report()
}

// unstopped finds the streams that nobody stopped.
func (s *Server) unstopped() {
	for _, c := range s.state.channels {
		for _, m := range c.byTS {
			if m.Streaming {
				s.violate("chat.stopStream: the stream %s in %s was never stopped", m.TS, m.Channel)
			}
		}
	}
}

func (s *Server) report() {
	if s.Tolerate {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.violations {
		s.t.Errorf("slacktest: violation: %s", line)
	}
	for _, line := range s.ackProblems {
		s.t.Errorf("slacktest: acknowledgement: %s", line)
	}
}

// URL is the address of the fake, without a path.
func (s *Server) URL() string { return s.http.URL }

// APIURL is what SLACK_API_URL has to be.
func (s *Server) APIURL() string { return s.http.URL + "/api/" }

// Env are the variables that point the bot here: for Socket Mode, or for HTTP events where
// the field HTTP is set.
func (s *Server) Env() []string {
	env := []string{"SLACK_API_URL=" + s.APIURL(), "SLACK_BOT_TOKEN=" + s.BotToken}
	if s.HTTP != nil {
		return append(env, "SLACK_SIGNING_SECRET="+s.SigningSecret)
	}
	return append(env, "SLACK_APP_TOKEN="+s.AppToken)
}

// background runs f until it ends; Close waits for it. The lock is held.
func (s *Server) background(f func()) {
	if !s.closed {
		s.wg.Go(f)
	}
}

// wires wraps connections so that they can be cut and frozen from outside.
type wires struct{ net.Listener }

func (l wires) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wire{Conn: c, frozen: make(chan struct{}), closed: make(chan struct{})}, nil
}

// A wire is one TCP connection. Once frozen it reads nothing until it is closed.
type wire struct {
	net.Conn
	freeze, shut   sync.Once
	frozen, closed chan struct{}
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	select {
	case <-w.frozen:
		<-w.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (w *wire) Close() error {
	w.shut.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

type wireKey struct{}

func withWire(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, wireKey{}, c)
}

// host is the address without the scheme.
func (s *Server) host() string { return strings.TrimPrefix(s.http.URL, "http://") }
