package llm

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/llm/llmtest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret is the key of all tests. Nothing that is told may hold it.
const secret = "sk-test-4f1a9c77e2b84d0a"

var (
	providers = []string{OpenAI, Anthropic}
	asked     = Request{
		System:   "Answer from the passages alone, and keep the canary quiet.",
		Messages: []Message{{roleUser, "how long?"}, {roleAssistant, "30 days."}, {roleUser, "And from Australia, with the long form filled in?"}},
	}
)

// A rig is a client, the server that it calls, and all that it logs.
type rig struct {
	*Client
	server   *llmtest.Server
	registry *prometheus.Registry
	logs     *logs
}

// logs may be written concurrently.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.FieldsFunc(l.text.String(), func(r rune) bool { return r == '\n' })
}

func (r *rig) open(t *testing.T, cfg Config) {
	t.Helper()
	r.registry, r.logs = prometheus.NewRegistry(), &logs{}
	cfg.Key, cfg.Model, cfg.Registry, cfg.Log = secret, "m", r.registry, slog.New(slog.NewTextHandler(r.logs, nil))
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
}

// inBubble calls f with a client and a server that share a clock of their own, which runs while
// all wait. It fails when goroutines are left.
func inBubble(t *testing.T, cfg Config, f func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{server: llmtest.NewHandler()}
		pipes := make(pipes)
		web := &http.Server{Handler: r.server}
		done := make(chan error)
		go func() { done <- web.Serve(pipes) }()
		cfg.BaseURL = "http://model.test/v1"
		r.open(t, cfg)
		r.transport.DialContext = pipes.dial
		defer func() {
			r.server.Close()
			if err := errors.Join(r.Close(), web.Close()); err != nil {
				t.Error(err)
			}
			<-done
		}()
		f(t, r)
	})
}

// onLoopback is a client of a server with real connections.
func onLoopback(t *testing.T, cfg Config) *rig {
	t.Helper()
	r := &rig{server: llmtest.New(t)}
	if cfg.BaseURL == "" {
		cfg.BaseURL = r.server.URL()
	}
	r.open(t, cfg)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// pipes are connections in this process.
type pipes chan net.Conn

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// answerWithin is the time of a whole answer.
const answerWithin = 20 * time.Second

// ask completes asked, and collects what was shown.
func (r *rig) ask(ctx context.Context) (reply Reply, shown string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	reply, err = r.Complete(ctx, asked, func(text string) { shown += text })
	return reply, shown, err
}

// told checks what was said of an error and of all before.
func (r *rig) told(t *testing.T, err error) {
	t.Helper()
	families, gatherErr := r.registry.Gather()
	if gatherErr != nil {
		t.Fatal(gatherErr)
	}
	texts := r.logs.lines()
	for _, f := range families {
		texts = append(texts, f.String())
	}
	if err != nil {
		texts = append(texts, err.Error())
	}
	_, problem := r.Ready()
	for _, text := range append(texts, problem) {
		if strings.Contains(text, secret) || strings.Contains(text, "canary") || strings.Contains(text, "the long form") {
			t.Errorf("the key or the prompt is in: %s", text)
		}
	}
}

// metric is a series' value, by name and label.
func (r *rig) metric(t *testing.T, name, outcome string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (outcome == "" || m.GetLabel()[0].GetValue() == outcome) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	t.Fatalf("no series %s of %q", name, outcome)
	return 0
}

func TestComplete(t *testing.T) {
	for _, provider := range providers {
		inBubble(t, Config{Provider: provider, Prices: Prices{2, 10}}, func(t *testing.T, r *rig) {
			r.server.Answer(func(c llmtest.Call) string { return "echo: " + c.Last() })
			reply, shown, err := r.ask(t.Context())
			want := "echo: And from Australia, with the long form filled in?"
			if err != nil || reply.Text != want || shown != want || reply.Cut || reply.Usage.Output != llmtest.Tokens(want) || reply.Usage.Input < 10 {
				t.Errorf("%+v, shown %q, %v", reply, shown, err)
			}
			call := r.server.Calls()[0]
			got := []any{call.Provider, call.Key, call.Model, call.System, call.Messages, call.MaxTokens, call.Body["temperature"]}
			if diff := cmp.Diff([]any{provider, secret, "m", asked.System, []llmtest.Message{
				{Role: "user", Text: "how long?"}, {Role: "assistant", Text: "30 days."}, {Role: "user", Text: asked.Messages[2].Text},
			}, usualMaxTokens, 0.0}, got); diff != "" {
				t.Error(diff)
			}
			if got := r.metric(t, "citebot_llm_requests_total", "ok"); got != 1 || r.metric(t, "citebot_llm_request_seconds", "") != 1 {
				t.Errorf("%v calls counted", got)
			}
			if money := r.metric(t, "citebot_llm_spent_money", ""); money != r.Cost(reply.Usage) || money == 0 {
				t.Errorf("%v spent", money)
			}
			r.told(t, nil)
		})
	}
}

// A cut reply says so, and tokens that a server does not count are estimated.
func TestCutAndUncounted(t *testing.T) {
	for _, provider := range providers {
		inBubble(t, Config{Provider: provider}, func(t *testing.T, r *rig) {
			r.server.Queue(llmtest.TooLong, llmtest.NoUsage)
			if reply, _, err := r.ask(t.Context()); err != nil || !reply.Cut {
				t.Errorf("%+v, %v", reply, err)
			}
			reply, _, err := r.ask(t.Context())
			if want := (Usage{tokens(asked.all()), (len(llmtest.Usual) + 3) / 4}); err != nil || reply.Usage != want {
				t.Errorf("%+v, want %+v, %v", reply.Usage, want, err)
			}
		})
	}
}

// A model that refuses how a request is worded costs one request more, once.
func TestHabits(t *testing.T) {
	for _, mood := range []llmtest.Mood{llmtest.NoTemperature, llmtest.NoMaxTokens} {
		for _, provider := range providers {
			inBubble(t, Config{Provider: provider}, func(t *testing.T, r *rig) {
				r.server.SetMood(mood)
				for range 3 {
					if _, _, err := r.ask(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if got := len(r.server.Calls()); got != 4 {
					t.Errorf("%s: %d requests for 3 calls", mood, got)
				}
			})
		}
	}
}

// What refuses everything is asked once more, ever.
func TestHabitsEnd(t *testing.T) {
	h := &habits{}
	first := h.now()
	if !h.adapt(said{text: "temperature"}, first) || h.adapt(said{text: "stream_options"}, h.now()) {
		t.Error("not one change")
	}
	if !h.adapt(said{text: "temperature"}, first) {
		t.Error("a call that began before the change is not made again")
	}
	if h := (&habits{}); h.adapt(said{text: "the prompt is too long"}, h.now()) {
		t.Error("changed without need")
	}
}

// OpenAI's own server gets the new name of a parameter, which others do not know.
func TestMaxTokensByServer(t *testing.T) {
	for base, want := range map[string]bool{"": true, "https://api.openai.com/v1": true, "http://127.0.0.1:11434/v1": false} {
		if got := newOpenAI(Config{BaseURL: base}).habits.now().completionTokens; got != want {
			t.Errorf("%q: %v", base, got)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Provider: OpenAI, BaseURL: "http://127.0.0.1:1/v1", Model: "m"}
	for want, spoil := range map[string]func(*Config){
		"LLM_PROVIDER":                  func(c *Config) { c.Provider = "openia" },
		"LLM_MODEL":                     func(c *Config) { c.Model = " " },
		"LLM_API_KEY is not set":        func(c *Config) { c.BaseURL = "" },
		"LLM_API_KEY holds":             func(c *Config) { c.Key = secret + "\n" },
		"LLM_BASE_URL is not":           func(c *Config) { c.BaseURL = "127.0.0.1:11434" },
		"LLM_BASE_URL holds more":       func(c *Config) { c.BaseURL = "http://u:" + secret + "@a/v1" },
		"must not be less than nothing": func(c *Config) { c.Budget.Tokens = -1 },
		"needs the model's prices":      func(c *Config) { c.Budget.Money = 1 },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	c, err := New(good)
	if err != nil || c.Name() != "openai/m" {
		t.Error(err)
	}
}

// The libraries' own variables change nothing, and neither does a proxy's.
func TestEnvironmentIsNotRead(t *testing.T) {
	trap := llmtest.New(t)
	for _, name := range []string{"OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, trap.URL())
	}
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"} {
		t.Setenv(name, "from-the-environment")
	}
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Trap: from-the-environment")
	t.Setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Trap: from-the-environment")
	for _, provider := range providers {
		for _, key := range []string{"", secret} {
			server := llmtest.New(t)
			c, err := New(Config{Provider: provider, BaseURL: server.URL(), Key: key, Model: "m"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Complete(t.Context(), asked, nil); err != nil {
				t.Error(err)
			}
			for _, call := range server.Calls() {
				for name, values := range call.Header {
					if strings.Contains(strings.Join(values, " "), "from-the-environment") {
						t.Errorf("%s: header %s is %s", provider, name, values)
					}
				}
				if call.Key != key {
					t.Errorf("%s: key %q, want %q", provider, call.Key, key)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if got := len(trap.Calls()); got != 0 {
		t.Errorf("%d requests went where the environment said", got)
	}
}
