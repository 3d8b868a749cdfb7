package discord

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/citations"
	"citebot/internal/ledger"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "5")                   // the tests wait for Discord's pace more than they compute
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // bleve starts workers when it is imported
}

const sourcesAt = "http://docs.example/s/"

// A fixture is the surface with its desk and ledger against a fake Discord, with answers
// made up by answerFor.
type fixture struct {
	*discordtest.Server
	t      *testing.T
	ctx    context.Context
	path   string
	rules  Rules
	docs   []Document
	http   bool
	shards int
	alter  func(*Discord)
	answer func(context.Context, chat.Question) (citations.Answer, error)

	log     *lockedBuffer
	desk    *chat.Desk
	discord *Discord
	ledger  *ledger.Ledger
	stop    func()
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{
		Server: discordtest.New(t), t: t,
		path: filepath.Join(t.TempDir(), "ledger.db"), log: &lockedBuffer{},
		rules: Rules{
			Person:   Person{ID: discordtest.Helpers, Role: true, Channel: discordtest.Help},
			Guilds:   map[string]Guild{discordtest.Guild: {}},
			Channels: map[string]Channel{discordtest.Staff: {Audience: []string{"public", "staff"}}},
		},
		docs: []Document{
			{Path: "returns.md", Title: "Returns", Updated: "2026-03-01", URL: sourcesAt + "h1", Sections: []Section{{Title: "Refunds", Level: 1, URL: sourcesAt + "h2"}}},
			{Path: "warranty.md", Title: "Warranty", URL: sourcesAt + "h3"},
		},
		answer: func(_ context.Context, q chat.Question) (citations.Answer, error) { return answerFor(q), nil },
	}
	f.within(time.Minute)
	// A busy machine may be late to answer one, and that costs the connection.
	f.HeartbeatInterval = time.Minute
	f.AllowLinks, f.AllowMention = []string{sourcesAt}, []string{discordtest.Helpers, discordtest.Alice, discordtest.Bob} // who asks for a person is named
	return f
}

// within is how long a test may wait in all, from here on.
func (f *fixture) within(d time.Duration) {
	ctx, cancel := context.WithTimeout(f.t.Context(), d)
	f.t.Cleanup(cancel)
	f.ctx = ctx
}

// answerFor answers what is asked with words of the question: "unsure" and "nothing" among
// them change the verdict, "long" the length.
func answerFor(q chat.Question) citations.Answer {
	said := fmt.Sprintf("As %s to %q: 30 days.", strings.Join(q.Audiences, "+"), citations.Normal(q.Text))
	if len(q.History) > 0 {
		said += fmt.Sprintf(" After %q.", q.History[0].Text)
	}
	a := citations.Answer{
		Verdict: citations.Answered, Confidence: .9,
		Parts:   []citations.Part{{Text: said, Sources: []int{1}}},
		Sources: []citations.Source{{N: 1, Path: "returns.md", Title: "Returns", Section: "Refunds", Quote: said, URL: sourcesAt + "h1", Hash: "h1"}},
	}
	switch {
	case strings.Contains(q.Text, "nothing"):
		a = citations.Answer{Verdict: citations.NoAnswer, Notice: "I could not find an answer to that in the documents."}
	case strings.Contains(q.Text, "unsure"):
		a.Verdict, a.Notice = citations.Unsure, "The documents do not say this outright."
	case strings.Contains(q.Text, "at length"):
		for i := range 40 {
			a.Parts = append(a.Parts, citations.Part{Text: fmt.Sprintf("Statement %d says %s.", i, strings.Repeat("much ", 15)), Sources: []int{1}})
		}
	}
	a.Text = citations.Render(a.Parts)
	return a
}

// begin starts a life of the bot and waits until it is connected.
func (f *fixture) begin() {
	f.t.Helper()
	f.start()
	f.wait("a connection", func() bool {
		connected, _ := f.discord.Ready()
		_, user := f.discord.state.self()
		return connected && user != ""
	})
}

// start is begin without the wait.
func (f *fixture) start() {
	f.t.Helper()
	l, err := ledger.Open(f.t.Context(), f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.ledger = l
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.desk, err = chat.NewDesk(chat.DeskConfig{
		Ledger: l, Log: log, Limits: map[string]chat.Limits{"discord": {PerPerson: 20, PerChannel: 100}},
		Answer: func(ctx context.Context, q chat.Question, _ func(chat.Progress)) (citations.Answer, error) {
			return f.answer(ctx, q)
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	cfg := Config{
		Token: f.Token, APIURL: f.URL(), Rules: f.rules, Shards: f.shards, Log: log,
		Library: Library{
			Documents: func([]string) []Document { return f.docs },
			Status: func(audiences []string) Status {
				return Status{Documents: 2, Passages: 9, Problems: []Problem{{"broken.md", "no UTF-8"}}, Degraded: audiences}
			},
		},
		Client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}},
	}
	if f.http {
		cfg.PublicKey = f.PublicKey()
	}
	f.discord, err = New(cfg, f.desk)
	if err != nil {
		f.t.Fatal(err)
	}
	f.discord.times = times{
		hello: time.Second, ready: time.Second, write: time.Second,
		rejoin: 20 * time.Millisecond, fatal: time.Hour, turn: time.Millisecond, pause: 20 * time.Millisecond, good: 40 * time.Millisecond,
	}
	if f.alter != nil {
		f.alter(f.discord)
	}
	f.run(cfg)
}

func (f *fixture) run(cfg Config) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var lives sync.WaitGroup
	lives.Go(func() { f.discord.Run(ctx) })
	lives.Go(func() {
		if err := f.desk.Run(ctx, f.discord); err != nil {
			f.t.Errorf("desk.Run: %v", err)
		}
	})
	var web *httptest.Server
	if f.http {
		mux := http.NewServeMux()
		for path, h := range f.discord.Webhooks() {
			mux.Handle(path, h)
		}
		web = httptest.NewServer(mux)
		f.HTTP = &discordtest.Endpoint{BaseURL: web.URL}
	}
	f.stop = sync.OnceFunc(func() {
		cancel()
		lives.Wait()
		if web != nil {
			web.Close()
		}
		f.ledger.Close()
		cfg.Client.CloseIdleConnections()
		f.wantNoSecrets()
	})
	f.t.Cleanup(f.stop)
}

// conn is the bot's newest connection, once there is one.
func (f *fixture) conn() *discordtest.Conn {
	f.t.Helper()
	f.wait("a connection", func() bool { return len(f.Conns()) > 0 })
	all := f.Conns()
	return all[len(all)-1]
}

// wait waits until done is true.
func (f *fixture) wait(what string, done func() bool) {
	f.t.Helper()
	for !done() {
		select {
		case <-f.ctx.Done():
			f.t.Fatalf("%s: not in time\n%s", what, f.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// wantNoSecrets holds what was logged, at all levels, against everything secret.
func (f *fixture) wantNoSecrets() {
	f.t.Helper()
	log := f.log.String()
	for _, secret := range []string{f.Token, "discordtest-interaction-token"} {
		if strings.Contains(log, secret) {
			f.t.Errorf("%q stands in the log:\n%s", secret, log)
		}
	}
}

// reply waits for the one answer to an act that has all the words.
func (f *fixture) reply(act *discordtest.Act, words ...string) discordtest.Message {
	f.t.Helper()
	m, err := f.AwaitReply(f.ctx, act, func(m discordtest.Message) bool { return hasWords(m.Plain(), words) })
	if err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
	return m
}

func hasWords(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// whisper waits for something that one person alone sees.
func (f *fixture) whisper(user string, words ...string) discordtest.Message {
	f.t.Helper()
	m, err := f.AwaitEphemeral(f.ctx, user, func(m discordtest.Message) bool { return hasWords(m.Plain(), words) })
	if err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
	return m
}

// idle waits until the desk has nothing left to do.
func (f *fixture) idle() {
	f.t.Helper()
	f.wait("the desk to be idle", func() bool {
		left, err := f.ledger.Unfinished(f.t.Context())
		return err == nil && len(left) == 0
	})
}

// silent checks that nothing answers an act by the time that a later question is answered, in
// another channel, and the desk is idle.
func (f *fixture) silent(acts ...*discordtest.Act) {
	f.t.Helper()
	f.reply(f.Send(f.DM(discordtest.Bob, "are you still there?")), "30 days")
	f.idle()
	for _, act := range acts {
		if posts := f.Replies(act); len(posts) > 0 {
			f.t.Errorf("the bot spoke: %s", posts[0].Plain())
		}
	}
}

// replies checks that an act has exactly so many answers.
func (f *fixture) replies(act *discordtest.Act, want int) {
	f.t.Helper()
	posts := f.Replies(act)
	if len(posts) != want {
		f.t.Errorf("%d answers, want %d", len(posts), want)
		for _, p := range posts {
			f.t.Log(p.Plain())
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
