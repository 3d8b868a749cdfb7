// Package web is the bot's surface in a browser: the ask page, the source viewer, and
// the HTTP API that the page, the command line and machines share.
//
// It knows how an [citations.Answer] looks in HTML and nothing of how one comes about:
// Config gives it functions and it shows what they return.
//
// # Who may ask
//
// On a loopback address everybody who reaches it may. On any other address every request
// needs the token, as a bearer header or as the cookie that the sign-in form sets, except
// /livez, /readyz, the page's own script and style, and source links that [Links] signed.
//
// A browser is not trusted to speak for its user alone: a Host header that is not ours is
// refused (DNS rebinding), a cross-origin POST is refused, and nothing in a page is
// executed or loaded but the embedded script and style. Text from questions, documents and
// models reaches a page through html/template on the server and text nodes in the browser.
package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"citebot/internal/chat"
	"citebot/internal/citations"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says what the pages show and who may see them.
// Ask, Search, Documents, Source and Ready are required.
type Config struct {
	// Ask answers a question. It calls progress, if at all, from its own goroutine and
	// never after it returned.
	Ask func(ctx context.Context, q chat.Question, progress func(chat.Progress)) (citations.Answer, error)

	// Search finds passages; what it returns is marshalled to JSON as it is.
	Search func(ctx context.Context, query string, history []chat.Turn, audiences []string, limit int) (any, error)

	Documents   func() []Document                // each document that answers and each file that failed
	Source      func(hash string) (Source, bool) // a passage version, present or past
	Ready       func() Readiness
	Suggestions func() []string // questions for the empty page, at most four are shown; nil: none

	Audience  []string // as whom the page asks, and the API unless a request says so; empty: public
	Addr      string   // the address Serve listens on, as host:port
	PublicURL string   // where people reach that address, as https://bot.example.com; "": http:// and Addr
	Token     string   // required unless Addr is loopback

	// Webhooks are addresses that other services call, by path. They check who calls by
	// themselves: no token, Host or origin is asked of them.
	Webhooks map[string]http.Handler

	Asked   func(verdict string) // told what came of each question: its verdict, or why there was none; nil: nobody is
	Busy    error                // an error of Ask and Search that is this one means: try again in a moment
	Metrics *prometheus.Registry // served at /metrics together with the package's own; nil: a new one
	Log     *slog.Logger         // nil: discarded
}

// A Server is the web surface. It is an http.Handler, safe for concurrent use.
type Server struct {
	cfg       Config
	links     Links
	keys      keys // empty when no token is needed
	questions gate
	pages     gate   // what costs no search
	hooks     gate   // what other services call
	work      *drain // all but probes and what other services call
	conns     atomic.Int64
	metrics   *metrics
	assets    map[string]asset
	templates *template.Template
	handler   http.Handler

	maxConns int64 // as the constant, but for tests
}

// New checks cfg and returns the surface; it listens to nothing and starts nothing.
// It refuses an address that other machines can reach unless there is a token.
func New(cfg Config) (*Server, error) {
	if cfg.Ask == nil || cfg.Search == nil || cfg.Documents == nil || cfg.Source == nil || cfg.Ready == nil {
		return nil, errors.New("web.Config: Ask, Search, Documents, Source and Ready are required")
	}
	links, err := NewLinks(cfg.Addr, cfg.PublicURL, cfg.Token)
	if err != nil {
		return nil, err
	}
	if len(cfg.Audience) == 0 {
		cfg.Audience = []string{"public"}
	}
	if cfg.Asked == nil {
		cfg.Asked = func(string) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, links: links, keys: links.keys, work: newDrain(), maxConns: maxConns,
		questions: newGate(atOnce, inLine), pages: newGate(pagesAtOnce, pagesInLine), hooks: newGate(hooksAtOnce, hooksInLine),
	}
	if s.metrics, err = newMetrics(cfg.Metrics); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.templates, err = loadTemplates(); err != nil {
		return nil, err
	}
	s.handler, err = s.guard(s.routes())
	return s, err
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	page := func(h http.HandlerFunc) http.Handler { return s.gated(s.pages, s.working(h)) }
	mux.Handle("GET /{$}", page(s.showAsk))
	mux.Handle("POST /{$}", s.working(s.postAsk))
	mux.Handle("POST /login", s.working(s.login)) // which strangers can send slowly, too
	mux.Handle("POST /logout", s.working(s.logout))
	mux.Handle("GET /s/{hash}", page(s.showSource))
	mux.Handle("POST /api/ask", s.working(s.apiAsk))
	mux.Handle("GET /api/search", s.working(s.apiSearch))
	mux.Handle("POST /api/search", s.working(s.apiSearch))
	mux.Handle("GET /api/documents", page(s.apiDocuments))
	mux.HandleFunc("GET /static/{name}", s.showAsset)
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.metrics.handler())
	for path, h := range s.cfg.Webhooks {
		mux.Handle(path, s.gated(s.hooks, h))
	}
	mux.HandleFunc("/", s.notFound)
	return mux
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// SourceURL returns the address people open to see a passage version; see [Links.URL].
func (s *Server) SourceURL(hash string) string { return s.links.URL(hash) }

// Time limits of a connection. An answer that a model writes may take most of answerWithin.
const (
	headerWithin = 5 * time.Second
	bodyWithin   = 15 * time.Second
	answerWithin = 90 * time.Second
	writeWithin  = answerWithin + 30*time.Second // queue and transfer on top
	idleWithin   = 2 * time.Minute
)

// Serve answers requests on ln until ctx ends, and goes on with those in hand for up to
// twenty seconds, in which it refuses others. It closes ln, and returns nil when ctx was the
// reason to stop.
//
// It refuses a listener that other machines reach when New was told a loopback address.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if !s.keys.needed() && !loopbackAddr(ln.Addr().String()) {
		ln.Close()
		return errNoToken(ln.Addr().String())
	}
	inHand, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerWithin,
		ReadTimeout:       bodyWithin,
		WriteTimeout:      writeWithin,
		IdleTimeout:       idleWithin,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return inHand },
		ConnState:         s.door,
	}
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Serve(ln) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("web address %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.finish(srv, end)
	<-stopped
	return nil
}
