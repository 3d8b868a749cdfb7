package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/chat"
	"citebot/internal/citations"

	"github.com/google/go-cmp/cmp"
)

// pipes is an address in this process, so that a server can run in a synctest bubble.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.dialed <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// An evening is a server that is told to stop, in a bubble's time.
type evening struct {
	*pipes
	t      *testing.T
	server *Server
	client *http.Client
	log    bytes.Buffer // to be read when the server has stopped
	stop   func()
	served chan error
	over   time.Time // when Serve returned
}

func newEvening(t *testing.T, cfg Config) *evening {
	e := &evening{t: t, served: make(chan error, 1), pipes: &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}}
	cfg.Log = slog.New(slog.NewTextHandler(&e.log, nil))
	e.server = newTestServer(t, cfg)
	e.client = &http.Client{Transport: &http.Transport{DialContext: e.dial}}
	ctx, stop := context.WithCancel(t.Context())
	e.stop = stop
	go func() {
		err := e.server.Serve(ctx, e.pipes)
		e.over = time.Now()
		e.served <- err
	}()
	synctest.Wait()
	return e
}

// A reaction is what came back, all of it.
type reaction struct {
	status int
	body   string
	close  bool
	again  string // Retry-After
}

func (e *evening) send(target, body string, headers ...string) reaction {
	method, path, _ := strings.Cut(target, " ")
	r, err := http.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	if err != nil {
		e.t.Error(err)
		return reaction{}
	}
	r.Header.Set("Accept", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := e.client.Do(r)
	if err != nil {
		return reaction{body: err.Error()}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		text = fmt.Append(text, err)
	}
	return reaction{res.StatusCode, string(text), res.Close, res.Header.Get("Retry-After")}
}

// ask asks twice, once for a stream, and leaves the answers to come.
func (e *evening) ask() (plain, stream <-chan reaction) {
	ask := func(accept string) <-chan reaction {
		c := make(chan reaction, 1)
		go func() { c <- e.send("POST /api/ask", `{"question":"How long?"}`, "Accept", accept) }()
		return c
	}
	plain, stream = ask("application/json"), ask("text/event-stream")
	synctest.Wait()
	return plain, stream
}

func (e *evening) ends() {
	e.t.Helper()
	if err := <-e.served; err != nil {
		e.t.Errorf("Serve: %v", err)
	}
	e.client.CloseIdleConnections()
	synctest.Wait()
}

// slowAsk answers when it is let go, or when it is told to end.
func slowAsk(letGo <-chan struct{}) func(context.Context, chat.Question, func(chat.Progress)) (citations.Answer, error) {
	return func(ctx context.Context, _ chat.Question, progress func(chat.Progress)) (citations.Answer, error) {
		progress(chat.Progress{Stage: chat.Searching})
		select {
		case <-letGo:
			return citations.Answer{Verdict: citations.Answered, Text: "30 days"}, nil
		case <-ctx.Done():
			return citations.Answer{}, fmt.Errorf("search: %w", ctx.Err())
		}
	}
}

func TestStopFinishesWhatIsInHandAndRefusesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letGo := make(chan struct{})
		cfg := newShop().config()
		cfg.Ask = slowAsk(letGo)
		cfg.Webhooks = map[string]http.Handler{"/hook": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		e := newEvening(t, cfg)
		plain, stream := e.ask()
		e.stop()
		synctest.Wait()
		time.Sleep(15 * time.Second)
		for _, test := range []struct {
			target string
			status int
			words  string
		}{
			{"GET /readyz", 503, `"web":{"state":"degraded","problem":"the bot is stopping"}`},
			{"GET /livez", 200, "ok"},
			{"GET /metrics", 200, "citebot_web_requests_total"},
			{"POST /hook", 200, ""}, // a platform's event is kept for the next start
			{"POST /api/ask", 503, textStop},
			{"GET /api/search?q=a", 503, textStop},
			{"GET /", 503, textStop},
			{"GET /s/" + hashReturns, 503, textStop},
		} {
			got := e.send(test.target, "{}")
			if got.status != test.status || !strings.Contains(got.body, test.words) || !got.close {
				t.Errorf("%s while stopping: %+v", test.target, got)
			}
			if refused := test.words == textStop; refused != (got.again != "") {
				t.Errorf("%s: Retry-After %q", test.target, got.again)
			}
		}
		close(letGo)
		e.ends()
		if got := <-plain; got.status != 200 || !strings.Contains(got.body, "30 days") {
			t.Errorf("the question in hand: %+v", got)
		}
		if got := <-stream; !strings.Contains(got.body, "event: answer\n") || !strings.Contains(got.body, "30 days") {
			t.Errorf("the stream in hand: %+v", got)
		}
		if e.log.Len() > 0 {
			t.Errorf("the log: %s", &e.log)
		}
	})
}

// What does not come to an end is told to, and can say so.
func TestStopTellsWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := newShop().config()
		cfg.Ask = slowAsk(nil)
		var asked []string
		var mu sync.Mutex
		cfg.Asked = func(verdict string) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, verdict)
		}
		e := newEvening(t, cfg)
		plain, stream := e.ask()
		told := time.Now()
		e.stop()
		e.ends()
		if took := e.over.Sub(told); took < finishWithin || took >= finishWithin+endWithin {
			t.Errorf("it took %v", took)
		}
		if got := <-plain; got.status != 503 || !strings.Contains(got.body, textStop) || got.again == "" {
			t.Errorf("the question in hand: %+v", got)
		}
		if got := <-stream; !strings.HasSuffix(got.body, "event: error\ndata: {\"error\":\""+textStop+"\"}\n\n") {
			t.Errorf("the stream in hand: %+v", got)
		}
		if diff := cmp.Diff([]string{chat.EndCancelled, chat.EndCancelled}, asked); diff != "" {
			t.Error(diff)
		}
	})
}

// What does not listen either is cut off.
func TestStopWaitsForNothingForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := make(chan struct{})
		cfg := newShop().config()
		cfg.Ask = func(context.Context, chat.Question, func(chat.Progress)) (citations.Answer, error) {
			<-deaf
			return citations.Answer{}, errors.New("too late")
		}
		e := newEvening(t, cfg)
		plain, stream := e.ask()
		told := time.Now()
		e.stop()
		e.ends()
		if took := e.over.Sub(told); took > finishWithin+endWithin+closeWithin {
			t.Errorf("it took %v", took)
		}
		if !strings.Contains(e.log.String(), "cut off") {
			t.Errorf("the log: %s", &e.log)
		}
		for _, c := range []<-chan reaction{plain, stream} {
			if got := <-c; got.status == http.StatusOK && !strings.Contains(got.body, "EOF") {
				t.Errorf("the connection stays: %+v", got)
			}
		}
		close(deaf)
	})
}

// With nothing in hand a stop waits for nobody, whatever connections are open.
func TestStopWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvening(t, newShop().config())
		e.send("GET /livez", "")
		synctest.Wait() // until the connection is idle; the answer comes a moment before
		told := time.Now()
		e.stop()
		e.ends()
		if took := e.over.Sub(told); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// Connections beyond the bound are told to come again, those below it are served, and their
// end makes room.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvening(t, newShop().config())
		e.server.maxConns = 3
		var open []net.Conn
		for range 3 {
			open = append(open, e.knock())
		}
		for _, c := range open {
			if got := exchange(t, c); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
				t.Errorf("below the bound: %s", got)
			}
		}
		text, err := io.ReadAll(e.knock())
		if got := string(text); !strings.HasPrefix(got, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n") || err != nil {
			t.Errorf("above it: %q, %v", got, err)
		}
		open[0].Close()
		synctest.Wait()
		open[0] = e.knock()
		if got := exchange(t, open[0]); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
			t.Errorf("when one has gone: %s", got)
		}
		for _, c := range open {
			c.Close()
		}
		e.stop()
		e.ends()
	})
}

func (e *evening) knock() net.Conn {
	e.t.Helper()
	c, err := e.dial(e.t.Context(), "", "")
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

// exchange asks for /livez on a connection that goes on.
func exchange(t *testing.T, c net.Conn) string {
	t.Helper()
	if _, err := io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Error(err)
		return ""
	}
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		t.Error(err)
	}
	return string(buf[:n])
}

// Pages and other services' calls are bounded, each apart, and probes are not.
func TestPagesAndWebhooksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letGo := make(chan struct{})
		cfg := newShop().config()
		wait := func() { <-letGo }
		cfg.Documents = func() []Document { wait(); return nil }
		cfg.Webhooks = map[string]http.Handler{"/hook": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { wait() })}
		s := newTestServer(t, cfg)
		for _, test := range []struct {
			target string
			bound  int
		}{
			{"GET /api/documents", pagesAtOnce + pagesInLine},
			{"POST /hook", hooksAtOnce + hooksInLine},
		} {
			for range test.bound {
				go serve(s, test.target, "")
			}
			synctest.Wait()
			if w := serve(s, test.target, ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s, one too many: %d %s", test.target, w.Code, w.Body)
			}
		}
		for _, target := range []string{"GET /livez", "GET /readyz", "GET /metrics"} {
			if w := serve(s, target, ""); w.Code != 200 {
				t.Errorf("%s: %d", target, w.Code)
			}
		}
		if w := serve(s, "POST /api/ask", `{"question":"What does delivery cost?"}`); w.Code != 200 {
			t.Errorf("a question beside them: %d", w.Code)
		}
		close(letGo)
		synctest.Wait()
		if w := serve(s, "GET /api/documents", ""); w.Code != 200 {
			t.Errorf("afterwards: %d", w.Code)
		}
	})
}
