package slack

import (
	"bytes"
	"context"
	"errors"
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
	"citebot/internal/chat/slack/slacktest"
	"citebot/internal/citations"
	"citebot/internal/ledger"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "5")                   // the tests wait for Slack's pace more than they compute
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // bleve starts workers when it is imported
}

const (
	sources = "http://docs.example/s/"
	helpers = "S0HELPERS1" // the user group that "Ask a person" calls
)

// A fixture is the surface with its desk and ledger against a fake Slack, with answers made
// up by answerFor.
type fixture struct {
	*slacktest.Server
	t      *testing.T
	ctx    context.Context
	path   string
	rules  Rules
	http   bool
	alter  func(*Slack)
	answer func(context.Context, chat.Question) (citations.Answer, error)

	log    *lockedBuffer
	desk   *chat.Desk
	slack  *Slack
	ledger *ledger.Ledger
	web    *httptest.Server
	stop   func()
}

func newFixture(t *testing.T) *fixture {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	f := &fixture{
		Server: slacktest.New(t), t: t, ctx: ctx,
		path: filepath.Join(t.TempDir(), "ledger.db"), log: &lockedBuffer{},
		rules: Rules{
			Person: Person{ID: helpers, Channel: slacktest.General},
			Channels: map[string]Channel{
				slacktest.Private: {Audience: []string{"public", "staff"}},
				slacktest.Shared:  {Audience: []string{"public", "staff"}},
			},
		},
		answer: func(_ context.Context, q chat.Question) (citations.Answer, error) { return answerFor(q), nil },
	}
	f.AllowLinks, f.AllowMention = []string{sources}, []string{helpers, slacktest.Alice} // who asks for a person is named elsewhere
	return f
}

// answerFor answers what is asked with words of the question: "unsure" and "nothing" among
// them change the verdict.
func answerFor(q chat.Question) citations.Answer {
	said := fmt.Sprintf("As %s to %q: 30 days.", strings.Join(q.Audiences, "+"), citations.Normal(q.Text))
	if len(q.History) > 0 {
		said += fmt.Sprintf(" After %q.", q.History[0].Text)
	}
	a := citations.Answer{
		Verdict: citations.Answered, Confidence: .9,
		Parts:   []citations.Part{{Text: said, Sources: []int{1}}},
		Sources: []citations.Source{{N: 1, Path: "returns.md", Title: "Returns", Section: "Refunds", Quote: said, URL: sources + "h1", Hash: "h1"}},
	}
	switch {
	case strings.Contains(q.Text, "nothing"):
		a = citations.Answer{Verdict: citations.NoAnswer, Notice: "I could not find an answer to that in the documents."}
	case strings.Contains(q.Text, "unsure"):
		a.Verdict, a.Notice = citations.Unsure, "The documents do not say this outright."
	}
	a.Text = citations.Render(a.Parts)
	return a
}

// begin starts a life of the bot and waits until it is connected.
func (f *fixture) begin() {
	f.t.Helper()
	l, err := ledger.Open(f.t.Context(), f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.ledger = l
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.desk, err = chat.NewDesk(chat.DeskConfig{
		Ledger: l, Log: log, Limits: map[string]chat.Limits{"slack": {PerPerson: 20, PerChannel: 100}},
		Answer: func(ctx context.Context, q chat.Question, _ func(chat.Progress)) (citations.Answer, error) {
			return f.answer(ctx, q)
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	cfg := Config{
		BotToken: f.BotToken, AppToken: f.AppToken, SigningSecret: f.SigningSecret, APIURL: f.APIURL(),
		Rules: f.rules, Log: log,
		Home: func() Home {
			return Home{Documents: []Document{{Title: "Returns", Updated: "2026-03-01", URL: sources + "h1"}}, Questions: []string{"Can I return shoes?"}, Persons: true}
		},
		Client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}},
	}
	if f.http {
		cfg.AppToken = ""
	}
	f.slack, err = New(cfg, f.desk)
	if err != nil {
		f.t.Fatal(err)
	}
	if f.alter != nil {
		f.alter(f.slack)
	}
	f.run(cfg)
}

func (f *fixture) run(cfg Config) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var lives sync.WaitGroup
	lives.Go(func() { f.slack.Run(ctx) })
	lives.Go(func() {
		if err := f.desk.Run(ctx, f.slack); err != nil {
			f.t.Errorf("desk.Run: %v", err)
		}
	})
	if f.http {
		mux := http.NewServeMux()
		for path, h := range f.slack.Webhooks() {
			mux.Handle(path, h)
		}
		f.web = httptest.NewServer(mux)
		f.HTTP = &slacktest.Endpoint{BaseURL: f.web.URL}
	}
	f.stop = sync.OnceFunc(func() {
		cancel()
		lives.Wait()
		f.slack.Close()
		if f.web != nil {
			f.web.Close()
		}
		f.ledger.Close()
		cfg.Client.CloseIdleConnections()
		f.wantNoSecrets()
	})
	f.t.Cleanup(f.stop)
	f.wait("a connection", func() bool { connected, _ := f.slack.Ready(); return connected })
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
	for _, secret := range []string{f.BotToken, f.AppToken, f.SigningSecret, "/response/", "ticket="} {
		if strings.Contains(log, secret) {
			f.t.Errorf("%q stands in the log:\n%s", secret, log)
		}
	}
}

// reply waits for the one post in a thread that has all the words, and checks that there
// is no other.
func (f *fixture) reply(act *slacktest.Act, words ...string) slacktest.Message {
	f.t.Helper()
	m, err := f.AwaitPost(f.ctx, act.Channel, act.Thread, func(m slacktest.Message) bool {
		for _, w := range words {
			if !strings.Contains(m.Plain(), w) {
				return false
			}
		}
		return !m.Streaming
	})
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

// silent checks that nothing was posted to a thread by the time that a later question
// elsewhere is answered, which comes after it in every queue.
func (f *fixture) silent(act *slacktest.Act) {
	f.t.Helper()
	f.reply(f.Send(f.DM(slacktest.Bob, "are you still there?")), "30 days")
	f.idle()
	if posts := f.Posts(act.Channel, act.Thread); len(posts) > 0 {
		f.t.Errorf("the bot spoke: %s", posts[0].Plain())
	}
}

// posts checks how many posts of the bot a thread has.
func (f *fixture) posts(act *slacktest.Act, want int) {
	f.t.Helper()
	if posts := f.Posts(act.Channel, act.Thread); len(posts) != want {
		f.t.Errorf("%d posts in the thread, want %d", len(posts), want)
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

func TestMentionIsAnsweredInItsThread(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Echo = true
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long for shoes?"))
	m := f.reply(act, `As public to "how long for shoes?": 30 days.`, "[1]", "Returns")
	if m.ThreadTS != act.TS || len(f.Posts(act.Channel, "")) > 0 {
		t.Errorf("posted in thread %q of %q", m.ThreadTS, act.TS)
	}
	if !strings.Contains(m.Text, "30 days") {
		t.Errorf("the fallback text is %q", m.Text)
	}
	if links := m.Links(); len(links) == 0 || links[0] != sources+"h1" {
		t.Errorf("links: %q", links)
	}
	if f.Calls("assistant.threads.setStatus") == 0 || f.Status(act.Channel, act.Thread) != "" {
		t.Errorf("status was set %d times and is %q", f.Calls("assistant.threads.setStatus"), f.Status(act.Channel, act.Thread))
	}
	f.Send(f.OwnEcho(m))

	followUp := f.Send(f.Reply(slacktest.Bob, slacktest.General, act.TS, "and for boots?"))
	f.reply(followUp, `to "and for boots?"`, `After "how long for shoes?"`)
	f.posts(act, 2)
}

func TestRedeliveriesAndTwins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Mention(slacktest.Alice, slacktest.General, "how long?")
	late := f.Mention(slacktest.Alice, slacktest.General, "how late?")
	for attempt := range 4 {
		for _, e := range act.Events {
			e.Attempt, e.Reason = attempt, map[bool]string{true: "timeout"}[attempt > 0]
			f.SendEvents(e)
		}
	}
	f.reply(act, `"how long?"`)
	// The first delivery that is seen may be a late one.
	e := late.Events[0]
	e.Attempt, e.Reason = 3, "timeout"
	f.SendEvents(e)
	f.reply(late, `"how late?"`)
	// The same words sent again under another ts by a client that thought them lost.
	again := f.Mention(slacktest.Alice, slacktest.General, "how long?")
	twin := again.Events[1]
	twin.Inner()["client_msg_id"] = act.Events[1].Inner()["client_msg_id"]
	f.SendEvents(twin)
	f.silent(again)

	f.stop()
	f.begin()
	f.SendEvents(act.Events...)
	f.SendEvents(late.Events...)
	f.silent(again)
	f.posts(act, 1)
	f.posts(late, 1)
}

// What nobody understands is acknowledged and harms nothing; a question in an event with
// parts that nobody understands is answered.
func TestUnknownAndMalformedEnvelopes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	unknown := f.Inner(map[string]any{"type": "sky_fell", "channel": map[string]any{"id": 7}})
	odd := f.Mention(slacktest.Alice, slacktest.General, "how long?")
	for _, e := range odd.Events {
		e.Inner()["blocks"] = []any{map[string]any{"type": "hologram", "elements": 7}, "x"}
	}
	ids := f.SendEvents(append([]slacktest.Event{
		unknown.Events[0],
		{Kind: "carrier_pigeon", Payload: map[string]any{"x": 1}},
		{Kind: slacktest.EventsAPI, Payload: map[string]any{"type": "event_callback", "event": 7}},
		{Kind: slacktest.EventsAPI, Payload: map[string]any{"event": map[string]any{"type": "message", "text": 3, "channel": []int{1}}}},
		{Kind: slacktest.Interactive, Payload: map[string]any{"type": "block_actions", "actions": 5}},
		{Kind: slacktest.Interactive, Payload: map[string]any{"type": "block_actions", "actions": []any{map[string]any{"action_id": "feedback", "value": "good:no"}}}},
		{Kind: slacktest.Interactive, Payload: map[string]any{"type": "view_submission", "view": map[string]any{"callback_id": "feedback", "private_metadata": "99"}}},
		{Kind: slacktest.Commands, Payload: map[string]any{"command": "/other", "text": "x"}},
		{Kind: slacktest.Commands, Payload: map[string]any{"command": "/ask", "text": "x", "response_url": "https://evil.example/"}},
	}, odd.Events...)...)
	if err := f.AwaitAcks(f.ctx, ids...); err != nil {
		t.Fatal(err)
	}
	f.reply(odd, `"how long?"`)
	if now, ever := f.Connections(); now != 1 || ever != 1 {
		t.Errorf("%d connections now, %d ever; want the one kept", now, ever)
	}
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*fixture, *slacktest.Conn){
		"warning":       func(_ *fixture, c *slacktest.Conn) { c.Disconnect(slacktest.Warning) },
		"refresh":       func(_ *fixture, c *slacktest.Conn) { c.Disconnect(slacktest.RefreshRequested) },
		"link disabled": func(_ *fixture, c *slacktest.Conn) { c.Disconnect(slacktest.LinkDisabled) },
		"reset":         func(_ *fixture, c *slacktest.Conn) { c.Reset() },
		"black hole":    func(_ *fixture, c *slacktest.Conn) { c.Deafen() },
		"refused at first": func(f *fixture, c *slacktest.Conn) {
			f.RefuseConnections(1)
			c.Reset()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.alter = func(s *Slack) { s.silentFor = 1500 * time.Millisecond }
			gate := make(chan struct{})
			f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
				<-gate
				return answerFor(q), nil
			}
			f.begin()
			inFlight := f.Send(f.Mention(slacktest.Alice, slacktest.General, "in flight?"))
			if err := f.AwaitAcks(f.ctx, inFlight.Envelopes...); err != nil {
				t.Fatal(err)
			}
			end(f, f.Conns()[0])
			f.wait("a second connection", func() bool { _, ever := f.Connections(); return ever >= 2 })
			close(gate)
			after := f.Send(f.Mention(slacktest.Alice, slacktest.General, "after?"))
			f.reply(inFlight, `"in flight?"`)
			f.reply(after, `"after?"`)
			f.posts(inFlight, 1)
		})
	}
}

// A Slack that ends every connection at once is not stormed.
func TestNoHotLoop(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	stop := time.Now().Add(2 * time.Second)
	for time.Now().Before(stop) {
		for _, c := range f.Conns() {
			c.Reset()
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, ever := f.Connections(); ever > 4 {
		t.Errorf("%d connections in two seconds", ever)
	}
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		method string
		fault  slacktest.Fault
		want   []string
	}{
		{"bot token", "auth.test", slacktest.Fault{Error: "invalid_auth"}, []string{"SLACK_BOT_TOKEN", "invalid_auth"}},
		{"revoked", "auth.test", slacktest.Fault{Error: "token_revoked"}, []string{"SLACK_BOT_TOKEN"}},
		{"app token", "apps.connections.open", slacktest.Fault{Error: "invalid_auth"}, []string{"SLACK_APP_TOKEN"}},
		{"wrong kind", "apps.connections.open", slacktest.Fault{Error: "not_allowed_token_type"}, []string{"SLACK_APP_TOKEN", "xapp-"}},
		{"scope", "apps.connections.open", slacktest.Fault{Error: "missing_scope", Needed: "connections:write", Provided: "x"}, []string{"SLACK_APP_TOKEN", "connections:write"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.begin()
			f.stop()
			f.Fail(test.method, -1, test.fault)
			before := f.Calls(test.method)
			f.restart()
			f.wait("the problem", func() bool { _, problem := f.slack.Ready(); return problem != "" && problem != "connecting" })
			connected, problem := f.slack.Ready()
			for _, w := range test.want {
				if connected || !strings.Contains(problem, w) {
					t.Errorf("connected %v, problem %q; want %q in it", connected, problem, w)
				}
			}
			time.Sleep(1500 * time.Millisecond)
			if n := f.Calls(test.method) - before; n > 2 {
				t.Errorf("%d calls of %s in a second and a half", n, test.method)
			}
		})
	}
}

// restart begins another life without waiting for a connection.
func (f *fixture) restart() {
	l, err := ledger.Open(f.t.Context(), f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.ledger = l
	f.desk, err = chat.NewDesk(chat.DeskConfig{Ledger: l, Answer: func(ctx context.Context, q chat.Question, _ func(chat.Progress)) (citations.Answer, error) {
		return f.answer(ctx, q)
	}})
	if err != nil {
		f.t.Fatal(err)
	}
	cfg := f.slack.cfg
	cfg.Client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	if f.slack, err = New(cfg, f.desk); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	var lives sync.WaitGroup
	s := f.slack
	lives.Go(func() { s.Run(ctx) })
	lives.Go(func() { f.desk.Run(ctx, s) })
	f.t.Cleanup(func() {
		cancel()
		lives.Wait()
		s.Close()
		l.Close()
		cfg.Client.CloseIdleConnections()
		f.wantNoSecrets()
	})
}

func TestDirectMessages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	first := f.Send(f.DM(slacktest.Alice, "how long?"))
	f.reply(first, `As public to "how long?"`)
	inThread := f.Send(f.Reply(slacktest.Alice, first.Channel, first.Thread, "and boots?"))
	f.reply(inThread, `"and boots?"`, `After "how long?"`)
	beside := f.Send(f.DM(slacktest.Alice, "and gloves?"))
	f.reply(beside, `"and gloves?"`, "After ")
	f.posts(first, 2)
}

func TestIgnores(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[slacktest.General] = Channel{AutoAnswer: true}
	f.begin()
	asked := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	answer := f.reply(asked, "30 days")
	acts := map[string]*slacktest.Act{
		"another bot":           f.OtherBot(slacktest.General, "", "how long does it take?"),
		"another bot in thread": f.OtherBot(slacktest.General, asked.TS, "how long does it take?"),
		"Slackbot":              f.Slackbot(slacktest.General, "how long does it take?"),
		"a join":                f.Join(slacktest.Bob, slacktest.General),
		"its own post":          f.OwnEcho(answer),
		"a link preview":        f.Unfurl(slacktest.General, asked.TS),
		"small talk":            f.Say(slacktest.Saying{User: slacktest.Bob, Channel: slacktest.General, Text: "I will be late today."}),
		"talk to someone else":  f.Say(slacktest.Saying{User: slacktest.Bob, Channel: slacktest.General, Text: "<@" + slacktest.Alice + "> how long does it take?"}),
		"someone in the thread": f.Reply(slacktest.Bob, slacktest.General, asked.TS, "<@"+slacktest.Alice+"> how long does it take?"),
		"other channels":        f.Say(slacktest.Saying{User: slacktest.Bob, Channel: slacktest.Private, Text: "how long does it take?"}),
	}
	for _, act := range acts {
		if err := f.AwaitAcks(f.ctx, f.Send(act).Envelopes...); err != nil {
			t.Fatal(err)
		}
	}
	f.reply(f.Send(f.DM(slacktest.Bob, "still there?")), "30 days")
	f.idle()
	for name, act := range acts {
		want := 0
		if act.Thread == asked.TS {
			want = 1 // the answer from before
		}
		if n := len(f.Posts(act.Channel, act.Thread)); n != want {
			t.Errorf("%s: %d posts in the thread, want %d", name, n, want)
		}
	}
}

func TestAutoAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[slacktest.General] = Channel{AutoAnswer: true}
	f.begin()
	say := func(text string) *slacktest.Act {
		return f.Send(f.Say(slacktest.Saying{User: slacktest.Alice, Channel: slacktest.General, Text: text}))
	}
	f.reply(say("How long does a refund take?"), "30 days")
	f.silent(say("I am unsure, how long does it take?"))
	f.silent(say("Is there nothing about dogs?"))
	gaps, err := f.ledger.Gaps(t.Context(), time.Time{})
	if len(gaps) != 2 || err != nil {
		t.Errorf("gaps: %+v, %v", gaps, err)
	}
}

func TestEditAndDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gate := make(chan struct{})
	f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
		if strings.Contains(q.Text, "regret") {
			<-gate
		}
		return answerFor(q), nil
	}
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how lnog?"))
	first := f.reply(act, `"how lnog?"`)
	f.Send(f.Edit(act.Channel, act.TS, "how long?"))
	second := f.reply(act, `"how long?"`)
	if first.TS != second.TS {
		t.Error("the answer to the edited question is another message")
	}
	f.posts(act, 1)

	regretted := f.Send(f.Mention(slacktest.Alice, slacktest.General, "do I regret this?"))
	if err := f.AwaitAcks(f.ctx, regretted.Envelopes...); err != nil {
		t.Fatal(err)
	}
	deleted := f.Send(f.Delete(regretted.Channel, regretted.TS))
	if err := f.AwaitAcks(f.ctx, deleted.Envelopes...); err != nil {
		t.Fatal(err)
	}
	close(gate)
	f.silent(regretted)
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	hostile := "<!channel> <!here|h> <@U0ALICE001> <https://evil.example|good> &lt;!everyone&gt; *b* _i_ ~s~ `c` @here [x](https://evil.example)?"
	m := f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.General, hostile)), "30 days")
	for _, link := range m.Links() {
		if !strings.HasPrefix(link, sources) {
			t.Errorf("a link to %s", link)
		}
	}
	f.Send(f.Command(slacktest.Alice, slacktest.General, "/ask", hostile))
	private, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "30 days") })
	if err != nil {
		t.Fatal(err)
	}
	f.Send(f.Click(slacktest.Alice, private, actionShare))
	if _, err := f.AwaitPost(f.ctx, slacktest.General, "", func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "30 days") }); err != nil {
		t.Fatal(err)
	}
} // the fake holds each request against the rules

func TestFeedback(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	m := f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?")), "30 days")
	stored := func(want string) {
		t.Helper()
		var got string
		f.wait(want, func() bool {
			turns, err := f.ledger.History(t.Context(), ledger.Place{Platform: "slack", Team: slacktest.Team, Channel: slacktest.General, Thread: m.ThreadTS}, 0, time.Time{}, 1)
			if err != nil || len(turns) != 1 { // it is shown before that is recorded
				return false
			}
			all, err := f.ledger.Feedback(t.Context(), turns[0].ID)
			got = fmt.Sprintf("%v %v", all, err)
			got = strings.ReplaceAll(got, fmt.Sprint(turns[0].ID, " "), "")
			return got == want
		})
	}
	up := f.Send(f.ThumbsUp(slacktest.Bob, m))
	f.Send(f.ThumbsUp(slacktest.Bob, m))
	stored("[{U0BOB00001 true }] <nil>")
	if err := f.AwaitAcks(f.ctx, up.Envelopes...); err != nil {
		t.Fatal(err)
	}
	f.Send(f.ThumbsDown(slacktest.Bob, m))
	f.wait("the question what was wrong", func() bool { _, open := f.Modal(slacktest.Bob); return open })
	stored("[{U0BOB00001 false }] <nil>")
	f.Send(f.Submit(slacktest.Bob, map[string]string{blockComment: "out of date <!channel>"}))
	stored("[{U0BOB00001 false out of date <!channel>}] <nil>")
}

func TestAskAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "nothing about dogs?"))
	m := f.reply(act, "could not find")
	f.Send(f.Click(slacktest.Alice, m, actionPerson))
	f.reply(act, helpers)
	f.Send(f.Click(slacktest.Bob, m, actionPerson))
	if _, err := f.AwaitEphemeral(f.ctx, slacktest.Bob, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "already") }); err != nil {
		t.Fatal(err)
	}
	quiet := f.Send(f.Reply(slacktest.Alice, act.Channel, act.TS, "and what about cats?"))
	if err := f.AwaitAcks(f.ctx, quiet.Envelopes...); err != nil {
		t.Fatal(err)
	}
	f.reply(f.Send(f.DM(slacktest.Bob, "still there?")), "30 days")
	f.posts(act, 2)
	f.reply(f.Send(f.MentionIn(slacktest.Alice, act.Channel, act.TS, "and horses?")), `"and horses?"`)
	f.posts(act, 3)

	// From a direct message they are called where the configuration says.
	direct := f.Send(f.DM(slacktest.Alice, "nothing about mice?"))
	f.Send(f.Click(slacktest.Alice, f.reply(direct, "could not find"), actionPerson))
	if _, err := f.AwaitPost(f.ctx, slacktest.General, "", func(m slacktest.Message) bool {
		return strings.Contains(m.Plain(), helpers) && strings.Contains(m.Plain(), "mice")
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAskCommand(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	whispered := func(words string) slacktest.Message {
		t.Helper()
		m, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), words) })
		if err != nil {
			t.Fatalf("%v\n%s", err, f.log)
		}
		return m
	}
	f.Send(f.Command(slacktest.Alice, slacktest.General, "/ask", " "))
	whispered("/ask How long")
	f.Send(f.Command(slacktest.Alice, slacktest.General, "/ask", "help"))
	act := f.Command(slacktest.Alice, slacktest.General, "/ask", "how long?")
	f.Send(act)
	f.SendEvents(act.Events...)
	m := whispered(`As public to "how long?"`)
	if n := f.Calls(slacktest.ResponseURL); n != 1 {
		t.Errorf("%d uses of the response URL, want 1", n)
	}
	if posts := f.Posts(slacktest.General, ""); len(posts) > 0 {
		t.Errorf("a private answer is public: %s", posts[0].Plain())
	}
	f.Send(f.Click(slacktest.Alice, m, actionShare))
	f.Send(f.Click(slacktest.Alice, m, actionShare))
	shared, err := f.AwaitPost(f.ctx, slacktest.General, "", func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "30 days") })
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shared.Plain(), "how long?") {
		t.Errorf("the shared answer does not say what was asked:\n%s", shared.Plain())
	}
	whispered("shared already")
	if n := len(f.Posts(slacktest.General, "")); n != 1 {
		t.Errorf("%d posts, want 1", n)
	}
}

// A response URL that is used up does not cost the answer.
func TestAskCommandWithoutResponseURL(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(slacktest.ResponseURL, -1, slacktest.Fault{Status: http.StatusNotFound})
	f.Send(f.Command(slacktest.Alice, slacktest.General, "/ask", "how long?"))
	if _, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "30 days") }); err != nil {
		t.Fatal(err)
	}
	f.Fail("chat.postEphemeral", -1, slacktest.Fault{Error: "not_in_channel"})
	f.Send(f.Command(slacktest.Bob, slacktest.General, "/ask", "how long?"))
	if _, err := f.AwaitPost(f.ctx, slacktest.DirectOf(slacktest.Bob), "", func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "30 days") }); err != nil {
		t.Fatal(err)
	}
}

func TestShortcut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	said := f.Say(slacktest.Saying{User: slacktest.Bob, Channel: slacktest.General, Text: "how long would that be?"})
	f.Send(f.Shortcut(slacktest.Alice, said.Channel, said.TS, callbackAnswer))
	f.reply(said, `"how long would that be?"`)
	f.Send(f.Shortcut(slacktest.Alice, said.Channel, said.TS, callbackAnswer))
	if _, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "answered") }); err != nil {
		t.Fatal(err)
	}
	f.posts(said, 1)
}

func TestHomeAndPrompts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.OpenHome(slacktest.Alice))
	f.wait("the home", func() bool { _, ok := f.Home(slacktest.Alice); return ok })
	home, _ := f.Home(slacktest.Alice)
	for _, want := range []string{"Returns", "/ask", "Can I return shoes?"} {
		if !strings.Contains(home.Plain(), want) {
			t.Errorf("the home does not say %q:\n%s", want, home.Plain())
		}
	}
	f.Send(f.OpenHome(slacktest.Alice))
	f.Send(f.OpenMessages(slacktest.Alice))
	f.wait("the prompts", func() bool { return len(f.Prompts(slacktest.Alice)) > 0 })
	if home, _ = f.Home(slacktest.Alice); home.Published != 1 {
		t.Errorf("the home was published %d times without a change", home.Published)
	}
}

func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacktest.Fault{
		"streams":   {},
		"no stream": {Error: "channel_type_not_supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			gate := make(chan struct{})
			f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
				<-gate
				return answerFor(q), nil
			}
			if fault.Error != "" {
				f.Fail("chat.startStream", -1, fault)
			}
			f.begin()
			act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
			f.wait("a placeholder", func() bool { return len(f.Posts(act.Channel, act.Thread)) > 0 })
			if shown := f.Posts(act.Channel, act.Thread)[0].Plain(); strings.Contains(shown, "30 days") {
				t.Errorf("the placeholder is %q", shown)
			}
			close(gate)
			m := f.reply(act, "30 days")
			if strings.Contains(m.Plain(), sayLooking) {
				t.Errorf("the answer keeps the placeholder:\n%s", m.Plain())
			}
			f.posts(act, 1)
		})
	}
}

func TestStopButton(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gate := make(chan struct{})
	f.answer = func(ctx context.Context, q chat.Question) (citations.Answer, error) {
		if !strings.Contains(q.Text, "long") {
			return answerFor(q), nil
		}
		select {
		case <-gate:
			return answerFor(q), nil
		case <-ctx.Done():
			return citations.Answer{}, ctx.Err()
		}
	}
	f.begin()
	act := f.Send(f.DM(slacktest.Alice, "how long?"))
	f.wait("a placeholder", func() bool { return len(f.Posts(act.Channel, act.Thread)) > 0 })
	f.Send(f.Stop(slacktest.Alice, act.Channel, act.Thread))
	f.wait("the placeholder to go", func() bool { return len(f.Posts(act.Channel, act.Thread)) == 0 })
	close(gate)
	f.silent(act)
}

// A channel that Slack wants us to leave alone for a while delays no other.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	var acts []*slacktest.Act
	for i := range 3 {
		acts = append(acts, f.Send(f.Mention(slacktest.Alice, slacktest.General, fmt.Sprintf("how long, number %d?", i))))
	}
	elsewhere := f.Send(f.DM(slacktest.Bob, "and here?"))
	f.reply(elsewhere, "and here?")
	for i, act := range acts {
		f.reply(act, fmt.Sprint("number ", i))
	}
	if fast := f.TooFast(); len(fast) > 0 {
		t.Errorf("too fast: %q", fast)
	}
	f.Fail("chat.postMessage", 1, slacktest.Fault{RetryAfter: 2})
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.General, "and then?")), "and then?")
}

// Every way in which a post can be refused or cut off ends with one answer that reaches
// the person.
func TestPostFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacktest.Fault{
		"lost reply":     slacktest.Lost(),
		"done, then 500": {Do: true, Status: 500},
		"dropped":        {Drop: true},
		"500":            {Status: 500},
		"HTML":           {HTML: true},
		"internal_error": {Error: "internal_error"},
		"done, error":    {Do: true, Error: "fatal_error"},
		"invalid_blocks": {Error: "invalid_blocks", Messages: []string{"[ERROR] no more than 50 items allowed [json-pointer:/blocks]"}},
		"msg_too_long":   {Error: "msg_too_long"},
		"slow":           {Delay: 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.begin()
			f.Fail("chat.postMessage", 1, fault)
			act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
			f.reply(act, "30 days")
			f.idle()
			f.posts(act, 1)
		})
	}
}

func TestPlaceRefuses(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"not_in_channel", "is_archived", "channel_not_found", "restricted_action"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.begin()
			f.Fail("chat.postMessage", -1, slacktest.Fault{Error: code, Channel: slacktest.General})
			f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
			direct := slacktest.DirectOf(slacktest.Alice)
			if _, err := f.AwaitPost(f.ctx, direct, "", func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "30 days") }); err != nil {
				t.Fatalf("%v\n%s", err, f.log)
			}
			f.idle()
			if n := f.Calls("chat.postMessage"); n != 2 {
				t.Errorf("%d posts tried, want 2", n)
			}
		})
	}
}

// Staff documents are for channels that nobody from outside reads.
func TestExternallySharedChannels(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.Private, "how long?")), "As public+staff to")
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.Shared, "how long?")), "As public to")
	f.Send(f.Command(slacktest.Alice, slacktest.Shared, "/ask", "how private?"))
	if _, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), `As public to "how private?"`) }); err != nil {
		t.Fatal(err)
	}
	if f.Calls("conversations.info") > 2 {
		t.Errorf("%d calls of conversations.info", f.Calls("conversations.info"))
	}
}

func TestSharedUnknownIsShared(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail("conversations.info", -1, slacktest.Fault{Error: "missing_scope", Needed: "groups:read"})
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.Private, "how long?")), "As public to")
}

func TestUninstalled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Uninstall())
	if err := f.AwaitAcks(f.ctx, act.Envelopes...); err != nil {
		t.Fatal(err)
	}
	if connected, problem := f.slack.Ready(); connected || !strings.Contains(problem, "removed") {
		t.Errorf("connected %v, problem %q", connected, problem)
	}
	before := f.Calls("chat.postMessage")
	late := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	if err := f.AwaitAcks(f.ctx, late.Envelopes...); err != nil {
		t.Fatal(err)
	}
	f.idle()
	if n := f.Calls("chat.postMessage"); n != before {
		t.Error("posts after the app was removed")
	}
}

func TestOverHTTP(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	m := f.reply(act, "30 days")
	f.Send(f.ThumbsDown(slacktest.Bob, m))
	f.wait("the question what was wrong", func() bool { _, open := f.Modal(slacktest.Bob); return open })
	f.Send(f.Command(slacktest.Alice, slacktest.General, "/ask", "how wide?"))
	if _, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "how wide?") }); err != nil {
		t.Fatal(err)
	}

	deliver := func(e slacktest.Event, s slacktest.Spoil) slacktest.Response {
		t.Helper()
		r, err := f.Deliver(f.ctx, *f.HTTP, e, s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	bad := f.Mention(slacktest.Alice, slacktest.General, "let me in?")
	for name, spoil := range map[string]struct {
		slacktest.Spoil
		status int
	}{
		"no signature":  {slacktest.Spoil{NoSignature: true}, 401},
		"bad signature": {slacktest.Spoil{BadSignature: true}, 401},
		"no timestamp":  {slacktest.Spoil{NoTimestamp: true}, 401},
		"stale":         {slacktest.Spoil{Skew: -6 * time.Minute}, 401},
		"future":        {slacktest.Spoil{Skew: 6 * time.Minute}, 401},
		"oversize":      {slacktest.Spoil{Pad: 2 << 20}, 413},
		"content type":  {slacktest.Spoil{ContentType: "text/plain"}, 415},
		"GET":           {slacktest.Spoil{Method: http.MethodGet}, 405},
	} {
		if r := deliver(bad.Events[0], spoil.Spoil); r.Status != spoil.status {
			t.Errorf("%s: status %d, want %d", name, r.Status, spoil.status)
		}
	}
	f.silent(bad)
	for name, body := range map[string]string{"not JSON": "{", "no event": "{}", "empty": ""} {
		if r := deliver(bad.Events[0], slacktest.Spoil{Body: []byte(body)}); r.Status != 200 {
			t.Errorf("%s: status %d", name, r.Status)
		}
	}
	if r := deliver(f.Challenge("abc"), slacktest.Spoil{}); r.Status != 200 || !strings.Contains(string(r.Body), `"abc"`) {
		t.Errorf("the handshake: %d %s", r.Status, r.Body)
	}
	if r := deliver(f.RateLimited(), slacktest.Spoil{}); r.Status != 200 {
		t.Errorf("app_rate_limited: status %d", r.Status)
	}
	replayed := deliver(act.Events[0], slacktest.Spoil{})
	if r, err := f.Replay(f.ctx, *f.HTTP, replayed); err != nil || r.Status != 200 {
		t.Errorf("a replay: %+v %v", r, err)
	}
	f.posts(act, 1)
}

func TestConfigIsChecked(t *testing.T) {
	home := func() Home { return Home{} }
	for _, test := range []struct {
		cfg  Config
		want string
	}{
		{Config{Home: home, BotToken: "xapp-1", AppToken: "xapp-1"}, "SLACK_BOT_TOKEN"},
		{Config{Home: home, BotToken: "xoxb-1", AppToken: "xoxb-1"}, "SLACK_APP_TOKEN"},
		{Config{Home: home, BotToken: "xoxb-1"}, "SLACK_SIGNING_SECRET"},
		{Config{Home: home, BotToken: "xoxb-1", AppToken: "xapp-1", APIURL: "http://x/api"}, "SLACK_API_URL"},
		{Config{BotToken: "xoxb-1", AppToken: "xapp-1"}, "Home"},
	} {
		if _, err := New(test.cfg, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s named", test.cfg, err, test.want)
		}
	}
}

func TestSafe(t *testing.T) {
	for _, text := range []string{
		"dial xoxb-123-abc failed", "xapp-1-A0-77-ff refused", `Post "https://hooks.slack.com/actions/T1/2/x": EOF`, "wss://host/link?ticket=1 is gone",
	} {
		if got := safe(errors.New(text)).Error(); !strings.Contains(got, "(hidden)") {
			t.Errorf("safe(%q) = %q", text, got)
		}
	}
}

// Who asks too fast is told once, where they see it.
func TestLimitIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Events = []string{"app_mention", "message.im"}
	f.begin()
	for i := range 25 {
		f.Send(f.Mention(slacktest.Alice, slacktest.Private, fmt.Sprintf("how long, number %d?", i)))
	}
	if _, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "faster than") }); err != nil {
		t.Fatal(err)
	}
	f.reply(f.Send(f.DM(slacktest.Bob, "still there?")), "30 days")
	if n := len(f.Ephemerals(slacktest.Alice)); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// Without the scope to look into a thread, an answer whose posting was cut off is left
// alone: it may be there.
func TestCutOffPostThatCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail("conversations.replies", -1, slacktest.Fault{Error: "missing_scope", Needed: "channels:history"})
	f.Fail("chat.postMessage", 1, slacktest.Lost())
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	f.reply(act, "30 days")
	f.idle()
	f.posts(act, 1)
	if _, problem := f.slack.Ready(); !strings.Contains(problem, "channels:history") {
		t.Errorf("problem: %q", problem)
	}
}
