// Package llmtest is a stand-in for a server with a language model. It speaks OpenAI's chat
// completions at /v1/chat/completions and Anthropic's messages at /v1/messages, both as
// streams only, on loopback; [Server.Answer] writes what is replied, and a [Mood] spoils it
// in one of the ways in which such servers fail.
//
// What it says follows https://platform.openai.com/docs/api-reference/chat-streaming and
// https://docs.anthropic.com/en/docs/build-with-claude/streaming.
package llmtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// T is the part of a testing.TB that is needed.
type T interface{ Cleanup(func()) }

// A Call is a request that came.
type Call struct {
	Provider  string // "openai" or "anthropic", by the path
	Key       string
	Model     string
	System    string
	Messages  []Message
	MaxTokens int
	Body      map[string]any // all of it
	Header    http.Header
	At        time.Time
}

// A Message is a turn of a conversation.
type Message struct{ Role, Text string }

// Last is the text of the last message.
func (c Call) Last() string {
	if len(c.Messages) == 0 {
		return ""
	}
	return c.Messages[len(c.Messages)-1].Text
}

// Usual is replied while there is no [Server.Answer].
const Usual = "You have 30 days. [1]"

// A Server is the stand-in. It is a handler, too, for tests that bring their own connections.
type Server struct {
	web       *httptest.Server // nil: not listening
	elsewhere *httptest.Server
	closing   chan struct{}
	close     func()

	mu     sync.Mutex
	answer func(Call) string
	mood   Mood
	queue  []Mood
	calls  []Call
	leaked int // requests at the other host
}

// New makes a server that listens on loopback until t ends.
func New(t T) *Server {
	s := NewHandler()
	s.elsewhere = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leaked++
	}))
	s.web = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// NewHandler makes a server that listens nowhere.
func NewHandler() *Server {
	s := &Server{closing: make(chan struct{})}
	s.close = sync.OnceFunc(func() {
		close(s.closing)
		if s.web != nil {
			s.web.Close()
			s.elsewhere.Close()
		}
	})
	return s
}

// Close ends it. New's test does so by itself.
func (s *Server) Close() { s.close() }

// URL is where it is, with /v1 at the end: what LLM_BASE_URL is set to, with either provider.
func (s *Server) URL() string { return s.web.URL + "/v1" }

// Answer has f write all replies from now on; nil writes Usual. f may be called concurrently.
func (s *Server) Answer(f func(Call) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// SetMood spoils all replies from now on, but those that [Server.Queue] is about. "" ends that.
func (s *Server) SetMood(m Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

// Queue spoils the next replies, one mood each; "" leaves one as it is.
func (s *Server) Queue(moods ...Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, moods...)
}

// Calls are the requests that came so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Forget empties Calls.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// Leaked counts the requests that followed a redirect to another host.
func (s *Server) Leaked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaked
}

// note records a call, and says how to reply to it.
func (s *Server) note(c Call) (answer func(Call) string, m Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	m = s.mood
	if len(s.queue) > 0 {
		m, s.queue = s.queue[0], s.queue[1:]
	}
	return s.answer, m
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, err := read(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, mood := s.note(call)
	text := Usual
	if answer != nil {
		text = answer(call)
	}
	s.reply(&response{w: w, r: r, call: call, closing: s.closing}, mood, text)
}

// read parses a request of either API.
func read(r *http.Request) (c Call, err error) {
	c = Call{Header: r.Header.Clone(), At: time.Now()}
	switch r.URL.Path {
	case "/v1/chat/completions":
		c.Provider, c.Key = "openai", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	case "/v1/messages":
		c.Provider, c.Key = "anthropic", r.Header.Get("X-Api-Key")
	default:
		return c, fmt.Errorf("nothing is at %s", r.URL.Path)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return c, err
	}
	var body body
	if err := json.Unmarshal(data, &body); err != nil {
		return c, err
	}
	if !body.Stream {
		return c, fmt.Errorf("only streams are spoken here")
	}
	if err := json.Unmarshal(data, &c.Body); err != nil {
		return c, err
	}
	c.Model, c.System, c.MaxTokens = body.Model, string(body.System), max(body.MaxTokens, body.MaxCompletionTokens)
	for _, m := range body.Messages {
		if m.Role == "system" {
			c.System = string(m.Content)
			continue
		}
		c.Messages = append(c.Messages, Message{m.Role, string(m.Content)})
	}
	return c, nil
}

// body is what is of interest in a request of either API.
type body struct {
	Model               string
	System              content
	MaxTokens           int `json:"max_tokens"`
	MaxCompletionTokens int `json:"max_completion_tokens"`
	Stream              bool
	Messages            []struct {
		Role    string
		Content content
	}
}

// content is a text, or a list of blocks of text.
type content string

func (c *content) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, (*string)(c)) == nil {
		return nil
	}
	var blocks []struct{ Text string }
	err := json.Unmarshal(data, &blocks)
	for _, b := range blocks {
		*c += content(b.Text)
	}
	return err
}
