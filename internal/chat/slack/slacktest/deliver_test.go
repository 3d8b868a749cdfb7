package slacktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
)

// A webBot takes HTTP deliveries as a bot of the vendor's library does.
type webBot struct {
	secret string
	mu     sync.Mutex
	got    []string
	answer string
	status int
}

func (b *webBot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	verifier, err := slack.NewSecretsVerifier(r.Header, b.secret)
	if err == nil {
		_, _ = verifier.Write(body)
		err = verifier.Ensure()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, understood(r, body))
	w.Header().Set("Content-Type", "application/json")
	if b.status != 0 {
		w.WriteHeader(b.status)
	}
	_, _ = io.WriteString(w, b.answer)
}

// understood is what the vendor's library makes of a delivery.
func understood(r *http.Request, body []byte) string {
	r.Body = io.NopCloser(bytes.NewReader(body))
	retry := r.Header.Get("X-Slack-Retry-Num")
	switch r.URL.Path {
	case "/slack/commands":
		c, err := slack.SlashCommandParse(r)
		return fmt.Sprintf("%s %s %s %v", c.Command, c.Text, c.UserID, err)
	case "/slack/interactions":
		i, err := slack.InteractionCallbackParse(r)
		return fmt.Sprintf("%s %s %v", i.Type, i.CallbackID, err)
	}
	e, err := slackevents.ParseEvent(body, slackevents.OptionNoVerifyToken())
	return fmt.Sprintf("%s %s %s %v", e.Type, e.InnerEvent.Type, retry, err)
}

func newWebBot(t *testing.T, s *Server) (*webBot, Endpoint) {
	b := &webBot{secret: s.SigningSecret}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, Endpoint{BaseURL: server.URL}
}

func TestDeliver(t *testing.T) {
	s, ctx := New(t), timely(t)
	bot, to := newWebBot(t, s)
	said := s.Say(Saying{User: Bob, Channel: General, Text: "a"})
	again := said.Events[0]
	again.Attempt = 2
	for _, e := range []Event{
		said.Events[0], again, s.Command(Alice, General, "/ask", "How long & how much?").Events[0],
		s.Shortcut(Alice, General, said.TS, "answer_this").Events[0], s.Challenge("c1"), s.RateLimited(),
	} {
		r, err := s.Deliver(ctx, to, e, Spoil{})
		if err != nil || r.Status != http.StatusOK {
			t.Errorf("%v: %d %s %v", e.Payload["type"], r.Status, r.Body, err)
		}
	}
	want := []string{
		"event_callback message  <nil>", "event_callback message 2 <nil>", "/ask How long & how much? " + Alice + " <nil>",
		"message_action answer_this <nil>", "url_verification   <nil>", "app_rate_limited   <nil>",
	}
	if diff := cmp.Diff(want, bot.got); diff != "" {
		t.Error(diff)
	}
	if len(s.Acks()) != 6 || len(s.Unacked()) != 0 {
		t.Errorf("%d acknowledged, unacknowledged %v", len(s.Acks()), s.Unacked())
	}
}

func TestSpoiled(t *testing.T) {
	s, ctx := New(t), timely(t)
	bot, to := newWebBot(t, s)
	e := s.DM(Alice, "Hello").Events[0]
	cases := map[string]struct {
		to    Endpoint
		spoil Spoil
		want  int
	}{
		"good":         {to, Spoil{}, 200},
		"a bit old":    {to, Spoil{Skew: -4 * time.Minute}, 200},
		"unsigned":     {to, Spoil{NoSignature: true}, 401},
		"badly signed": {to, Spoil{BadSignature: true}, 401},
		"undated":      {to, Spoil{NoTimestamp: true}, 401},
		"old":          {to, Spoil{Skew: -6 * time.Minute}, 401},
		"early":        {to, Spoil{Skew: 6 * time.Minute}, 401},
		"large":        {to, Spoil{Pad: 1 << 17}, 413},
		"other secret": {Endpoint{BaseURL: to.BaseURL, Secret: "other"}, Spoil{}, 401},
		"other body":   {to, Spoil{Body: []byte(`{"type":"url_verification"}`)}, 200},
		"by GET":       {to, Spoil{Method: http.MethodGet}, 200}, // the test's bot does not mind
	}
	taken := 0
	for name, tc := range cases {
		r, err := s.Deliver(ctx, tc.to, e, tc.spoil)
		if err != nil || r.Status != tc.want {
			t.Errorf("%s: %d %s %v", name, r.Status, r.Body, err)
		}
		if tc.want == 200 {
			taken++
		}
	}
	if len(bot.got) != taken || len(s.Acks()) != taken {
		t.Errorf("the bot took %d of %d", len(bot.got), taken)
	}
	first, err := s.Deliver(ctx, to, e, Spoil{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Replay(ctx, to, first)
	same := again.sent.Header.Get("X-Slack-Signature") == first.sent.Header.Get("X-Slack-Signature")
	if err != nil || again.Status != 200 || !same || bot.got[taken] != bot.got[taken+1] {
		t.Errorf("replayed %+v: %v", again, err)
	}
}

// Where HTTP is set Send goes there, and the answer has its effect.
func TestSendOverHTTP(t *testing.T) {
	s := New(t)
	bot, to := newWebBot(t, s)
	s.HTTP = &to
	bot.answer = `{"response_type":"ephemeral","text":"Searching…"}`
	act := s.Send(s.Command(Alice, General, "/ask", "How long?"))
	if e := s.Ephemerals(Alice); len(e) != 1 || e[0].Plain() != "Searching…" {
		t.Errorf("shown %+v", e)
	}
	if a, ok := s.Ack(act.Envelopes[0]); !ok || a.Status != 200 || a.Conn != 0 {
		t.Errorf("ack %+v", a)
	}
	bot.answer = "Plain words"
	s.Send(s.Command(Bob, General, "/ask", ""))
	if e := s.Ephemerals(Bob); len(e) != 1 || e[0].Plain() != "Plain words" {
		t.Errorf("shown %+v", e)
	}

	bot.answer, bot.status = "", http.StatusInternalServerError
	s.Send(s.DM(Alice, "Hello"))
	if len(s.Unacked()) != 1 {
		t.Errorf("unacknowledged %v", s.Unacked())
	}
	bot.status = http.StatusOK
	s.Redeliver()
	if got := bot.got[len(bot.got)-1]; got != "event_callback message 1 <nil>" || len(s.Unacked()) != 0 {
		t.Errorf("again %q, unacknowledged %v", got, s.Unacked())
	}
}

func TestFailAndHeal(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	post := func() error { _, _, err := api.PostMessageContext(ctx, General, plainly("a")); return err }
	describe := func(err error) string {
		var status slack.StatusCodeError
		var limited *slack.RateLimitedError
		switch {
		case err == nil:
			return "ok"
		case errors.As(err, &limited):
			return "retry after " + limited.RetryAfter.String()
		case errors.As(err, &status):
			return fmt.Sprint("status ", status.Code)
		case slackCode(err) != "":
			return slackCode(err)
		case errors.Is(err, io.EOF):
			return "dropped"
		}
		return "garbled"
	}
	cases := []struct {
		fault Fault
		want  string
		shown int
	}{
		{Fault{Error: "internal_error"}, "internal_error", 0},
		{Fault{Error: "missing_scope", Needed: "chat:write", Provided: "im:read"}, "missing_scope", 0},
		{Fault{Status: 500}, "status 500", 0},
		{Fault{Status: 503, Do: true}, "status 503", 1},
		{Fault{HTML: true}, "garbled", 0},
		{Fault{HTML: true, Do: true}, "garbled", 1},
		{Fault{Drop: true}, "dropped", 0},
		{Lost(), "dropped", 1},
		{Fault{Delay: time.Millisecond}, "ok", 1},
		{Fault{Channel: Private, Error: "internal_error"}, "ok", 1},
		{Fault{RetryAfter: 30}, "retry after 30s", 0},
	}
	for i, tc := range cases {
		before := len(s.Posts(General, ""))
		s.Fail("chat.postMessage", 1, tc.fault)
		if got := describe(post()); got != tc.want {
			t.Errorf("%d: got %s, want %s", i, got, tc.want)
		}
		if shown := len(s.Posts(General, "")) - before; shown != tc.shown {
			t.Errorf("%d: %d posts, want %d", i, shown, tc.shown)
		}
		s.Heal("chat.postMessage")
		if got := describe(post()); got != "ok" {
			t.Errorf("%d: healed, but %s", i, got)
		}
	}
	last := s.Requests("chat.postMessage")[14]
	if last.Done != true || last.Status != 0 {
		t.Errorf("the record of a lost answer is %+v", last)
	}
}

func TestFaultCounts(t *testing.T) {
	s, ctx := New(t), timely(t)
	api := newAPI(s)
	s.Fail("auth.test", 2, Fault{Error: "internal_error"})
	s.Fail("auth.test", 1, Fault{Error: "fatal_error"})
	var got []string
	for range 4 {
		_, err := api.AuthTestContext(ctx)
		got = append(got, slackCode(err))
	}
	if diff := cmp.Diff([]string{"internal_error", "internal_error", "fatal_error", ""}, got); diff != "" {
		t.Error(diff)
	}
	s.Fail("chat.postMessage", 1, Fault{Error: "invalid_blocks", Messages: []string{"[ERROR] no [json-pointer:/blocks/0]"}})
	_, _, err := api.PostMessageContext(ctx, General, plainly("a"))
	var refused slack.SlackErrorResponse
	if !errors.As(err, &refused) || !slices.Equal(refused.ResponseMetadata.Messages, []string{"[ERROR] no [json-pointer:/blocks/0]"}) {
		t.Errorf("got %#v", err)
	}
}

// Who calls again before the wait is over breaks a rule, and waits on.
func TestRetryAfterWindow(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.Tolerate = true
	var mu sync.Mutex
	now := time.Now()
	s.SetNow(func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	api := newAPI(s)
	post := func(channel string) time.Duration {
		_, _, err := api.PostMessageContext(ctx, channel, plainly("a"))
		var limited *slack.RateLimitedError
		if errors.As(err, &limited) {
			return limited.RetryAfter / time.Second
		}
		return 0
	}
	s.Fail("chat.postMessage", 1, Fault{RetryAfter: 5, Channel: General})
	got := []time.Duration{post(General), post(General)} // the second may have been on its way
	blamed := []int{len(s.Violations())}
	pass(2 * time.Second)
	got = append(got, post(Private), post(General))
	blamed = append(blamed, len(s.Violations()))
	pass(3 * time.Second)
	got = append(got, post(General))
	if diff := cmp.Diff([]time.Duration{5, 5, 0, 3, 0}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 1}, blamed); diff != "" || !has(s.Violations(), "chat.postMessage", "a 429 asked for") {
		t.Error(diff, s.Violations())
	}
}

// A call that is held has not happened, or has, as the gate says; and it ends with its client.
func TestGates(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %v, killed %v", after, killed), func(t *testing.T) {
				s, ctx := New(t), timely(t)
				gate := s.Block("chat.postMessage")
				if after {
					gate.Release()
					gate = s.BlockAfter("chat.postMessage")
				}
				client, kill := context.WithCancel(ctx)
				defer kill()
				ended := make(chan error, 1)
				go func() {
					_, _, err := newAPI(s).PostMessageContext(client, General, plainly("a"))
					ended <- err
				}()
				held, err := gate.Reached(ctx)
				if err != nil || held.String("text") != "a" || held.Done != after {
					t.Fatalf("held %+v: %v", held, err)
				}
				if got := len(s.Posts(General, "")) == 1; got != after {
					t.Errorf("shown: %v", got)
				}
				if killed {
					kill()
				} else {
					gate.Release()
				}
				if err := <-ended; (err != nil) != killed {
					t.Errorf("ended with %v", err)
				}
				gate.Release()
				if shown := len(s.Posts(General, "")) == 1; !killed && !shown || killed && shown != after {
					t.Errorf("shown: %v", shown)
				}
			})
		}
	}
}

// Close frees what is held and what is slow.
func TestCloseFrees(t *testing.T) {
	var seen witness
	s := New(&seen)
	gate := s.Block("auth.test")
	s.Fail("users.info", 1, Fault{Delay: time.Hour})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = newAPI(s).AuthTestContext(t.Context()) })
	wg.Go(func() { _, _ = newAPI(s).GetUserInfoContext(t.Context(), Alice) })
	if _, err := gate.Reached(timely(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(timely(t), func(st *State) bool { return st.Calls("users.info") == 1 }); err != nil {
		t.Fatal(err)
	}
	dial(t, s)
	seen.cleanup()
	wg.Wait()
}

func TestResponseURL(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.Tolerate = true
	now := time.Now()
	s.SetNow(func() time.Time { return now })
	api := newAPI(s)
	post := func(u string) int {
		_, _, err := api.PostMessageContext(ctx, General, plainly("a"), slack.MsgOptionResponseURL(u, "ephemeral"))
		var status slack.StatusCodeError
		if errors.As(err, &status) {
			return status.Code
		}
		return 200
	}
	u := s.Command(Alice, General, "/ask", "").ResponseURL
	old := s.Command(Alice, General, "/ask", "").ResponseURL
	var got []int
	for range 6 {
		got = append(got, post(u))
	}
	now = now.Add(31 * time.Minute)
	got = append(got, post(old), post(s.URL()+"/response/T0-0"))
	if diff := cmp.Diff([]int{200, 200, 200, 200, 200, 404, 404, 404}, got); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"used more than 5 times", "31m0s after", "never given out"} {
		if !has(s.Violations(), "response_url: ", want) {
			t.Errorf("violations %q, want %q", s.Violations(), want)
		}
	}
	if len(s.Ephemerals(Alice)) != 5 {
		t.Errorf("shown %+v", s.Ephemerals(Alice))
	}
}

// What a response URL is sent is held against the rules like any post.
func TestResponseURLViolations(t *testing.T) {
	s := New(t)
	s.Tolerate = true
	u := s.Command(Alice, General, "/ask", "").ResponseURL
	body := encode(map[string]any{"text": "<!channel>", "blocks": repeat(51, section("a"))})
	req, err := http.NewRequestWithContext(timely(t), http.MethodPost, u, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	r, err := s.do(Endpoint{}, req, nil)
	if err != nil || r.Status != http.StatusBadRequest {
		t.Errorf("answered %d %s: %v", r.Status, r.Body, err)
	}
	if v := s.Violations(); !has(v, "response_url: ", "51 blocks") || !has(v, "response_url: ", "!channel") {
		t.Errorf("violations %q", v)
	}
	listen(t, s, &listener{reply: func(socketmode.Event) map[string]any { return map[string]any{"text": "<!here>"} }})
	s.Send(s.Command(Bob, General, "/ask", ""))
	if _, err := s.AwaitEphemeral(timely(t), Bob, nil); err != nil || !has(s.Violations(), "ack of /ask: ", "!here") {
		t.Errorf("violations %q: %v", s.Violations(), err)
	}
}

// With Forget the fake stays small, and still says what was answered.
func TestForget(t *testing.T) {
	s, ctx := New(t), timely(t)
	s.Forget = true
	api := newAPI(s)
	ws := dial(t, s)
	const n = keptThreads + 100
	for i := range n {
		act := s.Send(s.Say(Saying{User: Alice, Channel: General, Text: "How long?"}))
		if frameOf(t, ws)["envelope_id"] != act.Envelopes[0] {
			t.Fatal("another envelope came")
		}
		writeFrame(t, ws, map[string]any{"envelope_id": act.Envelopes[0]})
		if i%3 == 0 {
			s.DM(Bob, "unanswered")
		}
		if _, _, err := api.PostMessageContext(ctx, General, plainly("14 days", slack.MsgOptionTS(act.TS))); err != nil {
			t.Fatal(err)
		}
		if _, err := api.PostEphemeralContext(ctx, General, Bob, plainly("psst")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Await(ctx, func(*State) bool { return len(s.latencies) == n }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int]int{1: n, 0: (n + 2) / 3}, s.Tally()); diff != "" {
		t.Error(diff)
	}
	got := map[string]bool{
		"requests": len(s.Requests("")) == 0, "acks": len(s.Acks()) == 0, "calls": s.Calls("chat.postMessage") == n,
		"top": len(s.Messages(General, "")) <= keptThreads, "all": len(s.state.channels[General].byTS) <= 2*keptThreads,
		"private": len(s.Ephemerals(Bob)) == keptEphemerals, "roots": len(s.state.channels[General].roots) <= keptRoots,
		"deliveries": len(s.deliveries) < 2*keptAcked, "acked": len(s.state.acked) < 2*keptAcked,
	}
	for what, ok := range got {
		if !ok {
			t.Errorf("%s do not stay small", what)
		}
	}
}

func TestForgetAcked(t *testing.T) {
	s := New(t)
	s.Forget = true
	open := s.newDelivery(Event{Kind: EventsAPI})
	s.See(func(*State) { open.sent = s.now() })
	for range 3 * keptAcked {
		d := s.newDelivery(Event{Kind: EventsAPI})
		s.See(func(*State) { d.sent = s.now(); s.acknowledge(d, Ack{Envelope: d.id, Event: d.event}) })
	}
	if len(s.deliveries) > 2*keptAcked+1 || len(s.order) != len(s.deliveries) || !slices.Equal(s.Unacked(), []string{open.id}) {
		t.Errorf("kept %d, in order %d, unacknowledged %v", len(s.deliveries), len(s.order), s.Unacked())
	}
}

func TestAwait(t *testing.T) {
	s := New(t)
	s.DM(Alice, "Hello there")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.AwaitPost(ctx, DirectOf(Alice), "", nil)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !has([]string{err.Error()}, "Hello there") {
		t.Errorf("got %v", err)
	}
}

func TestEnv(t *testing.T) {
	s := New(t)
	if diff := cmp.Diff([]string{"SLACK_API_URL=" + s.URL() + "/api/", "SLACK_BOT_TOKEN=" + s.BotToken, "SLACK_APP_TOKEN=" + s.AppToken}, s.Env()); diff != "" {
		t.Error(diff)
	}
	s.HTTP = &Endpoint{}
	if !slices.Contains(s.Env(), "SLACK_SIGNING_SECRET="+s.SigningSecret) || len(s.Env()) != 3 {
		t.Errorf("env %q", s.Env())
	}
}

func TestPlain(t *testing.T) {
	cases := []struct {
		m    Message
		want string
	}{
		{Message{Text: "a &lt;b&gt; &amp; <https://x.example|X> <@U0ALICE001> <!subteam^S1|s> <!here>"}, "a <b> & X (https://x.example) @U0ALICE001 @S1 @here"},
		{Message{Text: "no", Blocks: []map[string]any{section("*one*"), {"type": "divider"}, holding("context", mrkdwn("two"), plain("&amp;"))}}, "*one*\n---\ntwo &amp;"},
		{Message{Blocks: []map[string]any{rich(map[string]any{"type": "link", "url": "https://x.example", "text": "X"}), holding("context_actions", feedback("f"))}}, "X (https://x.example)\n[Good] [Bad]"},
		{Message{Blocks: []map[string]any{{"type": "table", "rows": []any{[]any{map[string]any{"type": "raw_text", "text": "a"}, map[string]any{"type": "raw_text", "text": "b"}}}}}}, "a | b"},
		{Message{Blocks: []map[string]any{holding("rich_text", holding("rich_text_list", holding("rich_text_section", map[string]any{"type": "text", "text": "one"}), holding("rich_text_section", map[string]any{"type": "emoji", "name": "eyes"})))}}, "• one\n• :eyes:"},
	}
	for _, tc := range cases {
		if diff := cmp.Diff(tc.want, tc.m.Plain()); diff != "" {
			t.Error(diff)
		}
	}
}
