package discordtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"
)

// timely ends with the test, and well before go test gives up.
func timely(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A toFake sends every request to the fake, as the vendor's library knows one host only.
type toFake struct {
	base *url.URL
	next http.RoundTripper
}

func (f toFake) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = f.base.Scheme, f.base.Host, f.base.Host
	return f.next.RoundTrip(r)
}

// newBot is the vendor's library pointed at the fake, not connected.
func newBot(t *testing.T, s *Server) *discordgo.Session {
	t.Helper()
	bot, err := discordgo.New("Bot " + s.Token)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	bot.Client = &http.Client{Timeout: 10 * time.Second, Transport: toFake{base, &http.Transport{DisableKeepAlives: true}}}
	bot.MaxRestRetries, bot.ShouldRetryOnRateLimit = 0, false
	bot.Identify.Intents = discordgo.IntentsGuilds | discordgo.IntentsGuildMessages | discordgo.IntentsDirectMessages
	bot.SyncEvents = true
	bot.LogLevel = -1
	return bot
}

// A bot is the vendor's library, connected, and what it heard.
type bot struct {
	*discordgo.Session
	t      *testing.T
	events chan any
}

// connect connects a bot, which is gone when the test ends.
func connect(t *testing.T, s *Server, alter ...func(*discordgo.Session)) *bot {
	t.Helper()
	b := &bot{Session: newBot(t, s), t: t, events: make(chan any, 1000)}
	for _, f := range alter {
		f(b.Session)
	}
	b.AddHandler(func(_ *discordgo.Session, e any) {
		switch e.(type) {
		case *discordgo.Event, *discordgo.Connect:
		default:
			b.events <- e
		}
	})
	if err := b.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.ShouldReconnectOnError = false; _ = b.Close() })
	return b
}

// next is the next event of a type.
func next[T any](b *bot) T {
	b.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case e := <-b.events:
			if found, ok := e.(T); ok {
				return found
			}
		case <-timeout:
			var want T
			b.t.Fatalf("no %T came", want)
		}
	}
}

// has tells whether one of the lines holds all the words.
func has(lines []string, words ...string) bool {
	for _, line := range lines {
		found := true
		for _, w := range words {
			found = found && strings.Contains(line, w)
		}
		if found {
			return true
		}
	}
	return false
}

// A frame is one that the gateway sent.
type frame struct {
	Op int    `json:"op"`
	T  string `json:"t"`
	S  int64  `json:"s"`
	D  any    `json:"d"`
}

func (f frame) data() map[string]any { return object(f.D) }

// A client is a bot of a few lines, which does what a test says and no more: it has no
// heart, so the server must not ask for heartbeats soon.
type client struct {
	t      *testing.T
	ws     *websocket.Conn
	frames chan frame
	ended  error // once frames is closed
}

// quiet makes a server that asks for a heartbeat in an hour.
func quiet(t *testing.T) *Server {
	s := New(t)
	s.HeartbeatInterval = time.Hour
	return s
}

// dial opens a connection, and hears what comes.
func dial(t *testing.T, s *Server) *client { return dialAt(t, s.gatewayURL(gatewayPath)) }

func dialAt(t *testing.T, url string) *client {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial(url+"?v=9&encoding=json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	c := &client{t: t, ws: ws, frames: make(chan frame, 1000)}
	var hears sync.WaitGroup
	hears.Go(c.hear)
	t.Cleanup(func() { c.ws.Close(); hears.Wait() })
	return c
}

func (c *client) hear() {
	defer close(c.frames)
	for {
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			c.ended = err
			return
		}
		var f frame
		if json.Unmarshal(b, &f) != nil {
			f = frame{Op: -1, T: string(b)}
		}
		c.frames <- f
	}
}

func (c *client) say(op int, d any) {
	c.t.Helper()
	if err := c.ws.WriteJSON(map[string]any{"op": op, "d": d}); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next frame; ok is false when the connection ended.
func (c *client) next() (f frame, ok bool) {
	c.t.Helper()
	select {
	case f, ok = <-c.frames:
		return f, ok
	case <-time.After(10 * time.Second):
		c.t.Fatal("no frame came")
		return frame{}, false
	}
}

// op is the next frame, which must have this opcode.
func (c *client) op(op int) frame {
	c.t.Helper()
	f, ok := c.next()
	if !ok || f.Op != op {
		c.t.Fatalf("op %d: %+v %v, want %d", f.Op, f, c.ended, op)
	}
	return f
}

// event is the next event of a type; others are passed over.
func (c *client) event(kind string) map[string]any {
	c.t.Helper()
	for {
		f, ok := c.next()
		if !ok {
			c.t.Fatalf("the connection ended before %s: %v", kind, c.ended)
		}
		if f.T == kind {
			return object(f.D)
		}
	}
}

// code waits for the end, and returns the code.
func (c *client) code() int {
	c.t.Helper()
	for {
		if _, ok := c.next(); !ok {
			var closed *websocket.CloseError
			errors.As(c.ended, &closed)
			if closed == nil {
				return 0
			}
			return closed.Code
		}
	}
}

// close ends the connection with a code.
func (c *client) close(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	c.code()
	c.ws.Close()
}

// intentsOfTests are those that need no permission.
const intentsOfTests = IntentGuilds | IntentMessages | IntentDirectMessages

func identity(s *Server) map[string]any {
	return map[string]any{"token": s.Token, "intents": intentsOfTests, "properties": map[string]any{"os": "linux"}}
}

// enter identifies, and returns READY.
func (c *client) enter(s *Server, alter ...func(map[string]any)) map[string]any {
	c.t.Helper()
	c.op(opHello)
	d := identity(s)
	for _, f := range alter {
		f(d)
	}
	c.say(opIdentify, d)
	return c.event("READY")
}

func (c *client) resume(s *Server, session any, seq int64) {
	c.t.Helper()
	c.op(opHello)
	c.say(opResume, map[string]any{"token": s.Token, "session_id": session, "seq": seq})
}

// do makes one request as the bot; body is JSON, "" for none.
func do(t *testing.T, s *Server, method, path, body string) (status int, answer any) {
	t.Helper()
	req, err := http.NewRequestWithContext(timely(t), method, s.URL()+"/api/v9"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bot "+s.Token)
	req.Header.Set("User-Agent", "DiscordBot (https://example.org, 1.0)")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	_ = json.NewDecoder(resp.Body).Decode(&answer) // pages and nothing are no JSON
	return resp.StatusCode, answer
}

// messageJSON is a good post with more keys.
func messageJSON(content string, more ...string) string {
	fields := append([]string{
		`"content":` + string(encode(content)), `"nonce":"n` + content[:min(len(content), 8)] + `"`, `"enforce_nonce":true`, `"allowed_mentions":{"parse":[]}`,
	}, more...)
	return "{" + strings.Join(fields, ",") + "}"
}
