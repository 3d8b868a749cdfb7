package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"citebot/internal/chat/slack/slacktest"
	"citebot/internal/ledger"

	"github.com/goccy/go-yaml"
)

// The tests in this file run the real program, as processes that they stop and kill,
// beside a Slack that package slacktest makes.

// A slackHouse is a house that is in Slack.
type slackHouse struct {
	*house
	*slacktest.Server
	crowd int // people that a benchmark added
}

// inSlack is Slack's section of a house's bot.yaml.
const inSlack = `
slack:
  limits: {person: 1000, channel: 1000}
  channels:
    C0PRIVATE1: {audience: [public, staff]}
`

// wrongToken is another house's.
const wrongToken = "xoxb-1234567890-of-another-house"

func newSlackHouse(t testing.TB) *slackHouse {
	return newHouse(t, houseConfig+inSlack).joinSlack()
}

// joinSlack makes a Slack for a house. An address of a response or of a socket lets whoever
// has it act for the bot.
func (h *house) joinSlack() *slackHouse {
	s := &slackHouse{house: h, Server: slacktest.New(h.t)}
	s.AllowLinks = []string{"http://127.0.0.1:"}
	s.install()
	h.join(s.Server, s.AwaitConnections, s.BotToken, s.AppToken, s.SigningSecret, "/response/", "/link?ticket", wrongToken)
	return s
}

// install grants the bot what its manifest asks for, and no more.
func (h *slackHouse) install() {
	h.t.Helper()
	var manifest struct {
		OAuth struct {
			Scopes struct{ Bot []string }
		} `yaml:"oauth_config"`
		Settings struct {
			Events struct {
				Bot []string `yaml:"bot_events"`
			} `yaml:"event_subscriptions"`
		}
	}
	text, err := os.ReadFile("../../deploy/slack-manifest.yaml")
	h.must(err)
	h.must(yaml.Unmarshal(text, &manifest))
	h.Scopes, h.Server.Events = manifest.OAuth.Scopes.Bot, manifest.Settings.Events.Bot
}

// ask mentions the bot.
func (h *slackHouse) ask(channel, text string) *slacktest.Act {
	return h.Send(h.Mention(slacktest.Alice, channel, text))
}

// answered waits for a post in answer to an act, that has the words.
func (h *slackHouse) answered(act *slacktest.Act, words string) slacktest.Message {
	h.t.Helper()
	m, err := h.AwaitPost(h.within(), act.Channel, act.Thread, func(m slacktest.Message) bool {
		return m.TS > act.TS && strings.Contains(m.Plain(), words)
	})
	h.must(err)
	return m
}

// settled waits until Slack has nothing more to tell the bot, and the bot nothing to say.
func (h *slackHouse) settled() {
	h.t.Helper()
	h.until("all to be acknowledged and posted", func() bool { return len(h.Unacked()) == 0 && len(h.unfinished()) == 0 })
}

// goOn starts a bot that goes on where another one ended. Slack delivers again what that one
// did not acknowledge.
func (h *slackHouse) goOn() {
	h.t.Helper()
	h.start()
	h.Redeliver()
	h.settled()
}

// answeredOnce fails unless each of the threads that acts belong to holds as many answers as
// acts, each to another question, and one page long.
func (h *slackHouse) answeredOnce(acts ...*slacktest.Act) {
	h.t.Helper()
	type thread struct{ channel, root string }
	questions := map[thread]int{}
	for _, a := range acts {
		questions[thread{a.Channel, a.Thread}]++
	}
	seen := map[any]bool{}
	for th, want := range questions {
		posts := h.Posts(th.channel, th.root)
		if len(posts) != want {
			h.t.Errorf("%d questions in the thread %s of %s, %d answers", want, th.root, th.channel, len(posts))
		}
		for _, m := range posts {
			key := m.Metadata.EventPayload["key"]
			if seen[key] || !strings.Contains(m.Plain(), "[1]") {
				h.t.Errorf("posted again, or no answer: %s", m.Plain())
			}
			seen[key] = true
		}
	}
}

func TestSlackConversation(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	h.sample("returns.md")
	h.sample("warranty.md")
	bot := h.start()
	question := h.ask(slacktest.General, askReturn)
	answer := h.answered(question, saysReturn)
	if !strings.Contains(answer.Plain(), "[1] (http") {
		t.Errorf("no linked mark in:\n%s", answer.Plain())
	}
	bot.opensSource(answer.Plain(), answer.Links())

	// Nobody needs to name the bot again, nor what this is about.
	further := h.Send(h.Reply(slacktest.Alice, slacktest.General, question.Thread, "And in Australia?"))
	h.answered(further, "45 days")
	h.Send(h.Reply(slacktest.Alice, slacktest.General, question.Thread, "Thank you so much!"))
	h.Send(h.Say(slacktest.Saying{User: slacktest.Bob, Channel: slacktest.General, Text: "How long do I have to return my library books?"}))

	h.change(bot, "returns.md", saysReturn, "37 days")
	again := h.ask(slacktest.General, askReturn)
	if m := h.answered(again, "37 days"); strings.Contains(m.Plain(), saysReturn) {
		t.Errorf("both editions in one answer:\n%s", m.Plain())
	}
	h.settled()
	h.answeredOnce(question, further, again)

	if status, state, problem := bot.part("slack"); status != http.StatusOK || state != "ok" || problem != "" {
		t.Errorf("readyz: %d %q %q", status, state, problem)
	}
	bot.wantSeries(
		`citebot_slack_events_total{kind="app_mention"} 2`, `citebot_slack_events_total{kind="message"} 5`,
		"citebot_slack_ack_seconds_count 7", "citebot_slack_reconnects_total 0", "citebot_slack_rejected_total 0",
		`citebot_chat_turns_total{outcome="posted",platform="slack"} 3`, `citebot_chat_turns_total{outcome="not a question",platform="slack"} 1`,
		"citebot_chat_duplicates_total 2", "citebot_chat_waiting 0",
		`citebot_chat_answer_seconds_count{platform="slack"} 3`, `citebot_chat_answer_sources_count{platform="slack"} 3`,
	)
}

// A boundary is a place between two states of a question where a bot is killed.
type boundary struct {
	name   string
	method string // the call of Slack's API at which that is; "": where reached says
	after  bool   // the call took effect, its answer is lost
	also   bool   // another question in the channel is asked first, so that this one has to wait for its turn
	posts  int    // how often chat.postMessage may be called in all

	reached func(h *slackHouse, act *slacktest.Act)
}

var boundaries = []boundary{
	{name: "acknowledged", posts: 2, reached: func(h *slackHouse, act *slacktest.Act) { h.must(h.AwaitAcks(h.within(), act.Envelopes...)) }},
	{name: "answering", method: "assistant.threads.setStatus", posts: 1},
	{name: "answered", also: true, posts: 4, reached: (*slackHouse).waitsForItsTurn},
	{name: "posting", method: "chat.postMessage", posts: 2},
	{name: "posted, not known yet", method: "chat.postMessage", after: true, posts: 1},
	{name: "posted", posts: 1, reached: func(h *slackHouse, act *slacktest.Act) { h.answered(act, saysReturn) }},
}

func TestSlackKilledAtEachBoundary(t *testing.T) {
	t.Parallel()
	for _, b := range boundaries {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			h := newSlackHouse(t)
			bot := h.start()
			acts := h.killAt(b, bot)
			h.goOn()
			h.answeredOnce(acts...)
			if calls := h.Calls("chat.postMessage"); calls > b.posts {
				t.Errorf("chat.postMessage was called %d times", calls)
			}
		})
	}
}

// killAt asks, and kills the bot there. A call that is held then never happens; the calls of
// the next bot are let through.
func (h *slackHouse) killAt(b boundary, bot *child) (acts []*slacktest.Act) {
	if b.also {
		acts = append(acts, h.ask(slacktest.General, askWarranty))
	}
	if b.method == "" {
		act := h.ask(slacktest.General, askReturn)
		b.reached(h, act)
		bot.kill()
		return append(acts, act)
	}
	block := h.Block
	if b.after {
		block = h.BlockAfter
	}
	gate := block(b.method)
	act := h.ask(slacktest.General, askReturn)
	_, err := gate.Reached(h.within())
	h.must(err)
	bot.kill()
	gate.Release()
	return append(acts, act)
}

// waitsForItsTurn waits until an answer is there and not posted, which is so for a second: a
// machine that is slow may miss it.
func (h *slackHouse) waitsForItsTurn(act *slacktest.Act) {
	h.must(h.AwaitAcks(h.within(), act.Envelopes...))
	h.until("the second answer to wait for its turn", func() bool {
		states := h.unfinished()
		return len(states) == 0 || slices.Contains(states, ledger.Answered)
	})
}

// What only its asker sees cannot be looked for. It stands in place of the note that it is
// coming, so that showing it twice shows it once.
func TestSlackKilledWhileItAnswersPrivately(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	bot := h.start()
	gate := h.BlockAfter(slacktest.ResponseURL)
	h.Send(h.Command(slacktest.Alice, slacktest.General, "/ask", askReturn))
	_, err := gate.Reached(h.within())
	h.must(err)
	bot.kill()
	gate.Release()
	h.Fail(slacktest.ResponseURL, 1, slacktest.Lost())
	h.goOn()
	if shown := h.Ephemerals(slacktest.Alice); len(shown) != 1 || !strings.Contains(shown[0].Plain(), saysReturn) || h.Calls(slacktest.ResponseURL) != 3 {
		t.Errorf("shown are %d messages after %d posts: %+v", len(shown), h.Calls(slacktest.ResponseURL), shown)
	}
}

// Some four questions a second in eight channels, old threads among them, while the bot is
// killed at random moments and started again, and Slack is slow or loses answers. What Slack
// got no acknowledgement for it delivers again. In the end each question has one answer.
func TestSlackKilledAtRandom(t *testing.T) {
	t.Parallel()
	kills, seed := 25, rand.Uint64()
	if testing.Short() {
		kills = 5
	}
	h := newSlackHouse(t)
	h.RedeliverAfter = 700 * time.Millisecond
	h.Tolerate = true // of what piles up while no bot is there not all can be acknowledged in time
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		h.Fail("chat.postMessage", 4, slacktest.Fault{Delay: 100 * time.Millisecond})
		h.Fail("chat.postMessage", 1, slacktest.Lost())
	}
	h.start().stop()
	asked := h.keepAsking(rand.New(rand.NewPCG(seed, 1)))
	begun := time.Now()
	for range kills {
		bot := h.launch()
		if rng.IntN(5) > 0 { // else it may be killed while it starts
			h.must(h.AwaitConnections(h.within(), 1))
		}
		h.rest(time.Duration(rng.Int64N(int64(1500 * time.Millisecond))))
		bot.kill()
	}
	acts := asked()
	h.goOn()
	h.answeredOnce(acts...)
	for _, problem := range append(h.Violations(), h.AckProblems()...) {
		if !strings.Contains(problem, "Slack waits 3s") {
			t.Error(problem)
		}
	}
	t.Logf("seed %d: %d questions while the bot was killed %d times in %v; %d posts, %d looked for, %d deliveries acknowledged", seed, len(acts), kills,
		time.Since(begun).Round(time.Second), h.Calls("chat.postMessage"), h.Calls("conversations.replies"), len(h.Acks()))
}

// keepAsking asks four questions a second until asked is called, which returns them.
func (h *slackHouse) keepAsking(rng *rand.Rand) (asked func() []*slacktest.Act) {
	for i := range 8 {
		h.AddChannel(slacktest.Channel{ID: fmt.Sprintf("C0ASKED%03d", i), Name: fmt.Sprintf("asked-%d", i), Type: slacktest.PublicChannel})
	}
	stop, done := make(chan struct{}), make(chan []*slacktest.Act)
	go func() {
		var acts []*slacktest.Act
		tick := time.NewTicker(time.Second / 4)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				acts = append(acts, h.askAnything(rng, acts))
			case <-stop:
				done <- acts
				return
			}
		}
	}()
	asked = sync.OnceValue(func() []*slacktest.Act {
		close(stop)
		return <-done
	})
	h.t.Cleanup(func() { asked() })
	return asked
}

// askAnything asks in a channel, or in a thread of an earlier question.
func (h *slackHouse) askAnything(rng *rand.Rand, before []*slacktest.Act) *slacktest.Act {
	text := []string{askReturn, askWarranty, "What does it cost to return something from Ireland?"}[rng.IntN(3)]
	if len(before) > 0 && rng.IntN(4) == 0 {
		in := before[rng.IntN(len(before))]
		return h.Send(h.MentionIn(slacktest.Bob, in.Channel, in.Thread, text))
	}
	return h.ask(fmt.Sprintf("C0ASKED%03d", rng.IntN(8)), text)
}

// Slack delivers an event up to four times, and may do so when the bot has started anew.
func TestSlackDeliversAgain(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	bot := h.start()
	act := h.Mention(slacktest.Alice, slacktest.General, askReturn)
	late := h.Mention(slacktest.Bob, slacktest.General, askWarranty)
	deliver := func(a *slacktest.Act, attempts ...int) {
		for _, n := range attempts {
			events := slices.Clone(a.Events)
			for i := range events {
				events[i].Attempt, events[i].Reason = n, "timeout"
			}
			h.must(h.AwaitAcks(h.within(), h.SendEvents(events...)...))
		}
	}
	deliver(act, 0, 1)
	h.answered(act, saysReturn)
	deliver(act, 2)
	bot.kill()
	again := h.start()
	deliver(act, 3)
	deliver(late, 3) // of which the other deliveries went astray
	h.settled()
	h.answeredOnce(act, late)
	again.wantSeries("citebot_chat_duplicates_total 3")
}

// Told to stop, the bot ends what it has in hand, for a while, and leaves the rest for the
// next one.
func TestSlackStops(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		block func(*slacktest.Server, string) *slacktest.Gate // of posts
		hangs bool                                            // Slack lets go of them only when the bot has gone
	}{
		{"posting", (*slacktest.Server).Block, false},
		{"posting, Slack hangs", (*slacktest.Server).Block, true},
		{"posted, Slack hangs", (*slacktest.Server).BlockAfter, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.hangs && testing.Short() {
				t.Skip("takes ten seconds")
			}
			t.Parallel()
			h := newSlackHouse(t)
			bot := h.start()
			gate := test.block(h.Server, "chat.postMessage")
			acts := h.stopInFlight(bot, gate, test.hangs)
			for _, a := range acts {
				if status := h.Status(a.Channel, a.Thread); status != "" {
					t.Errorf("the bot still %s", status)
				}
			}
			h.goOn()
			h.answeredOnce(acts...)
		})
	}
}

// stopInFlight stops a bot that has more questions than it can answer at once, at a gate.
func (h *slackHouse) stopInFlight(bot *child, gate *slacktest.Gate, hangs bool) (acts []*slacktest.Act) {
	for i := range 7 {
		id := fmt.Sprintf("C0STOPS%03d", i)
		h.AddChannel(slacktest.Channel{ID: id, Name: id, Type: slacktest.PrivateChannel})
		acts = append(acts, h.ask(id, askReturn))
	}
	post, err := gate.Reached(h.within())
	h.must(err)
	if !post.Done && h.Status(post.String("channel"), post.String("thread_ts")) == "" {
		h.t.Error("no status shows that an answer is coming")
	}
	bot.stopsWhile(hangs, gate.Release)
	return acts
}

// A placeholder is a stream, which must not go on when nobody feeds it any more. The next bot
// puts the answer in its place.
func TestSlackStopsStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	h := newSlackHouse(t)
	bot := h.talk()
	act := h.ask(slacktest.General, askReturn)
	streams := func(st *slacktest.State) bool {
		return slices.ContainsFunc(st.Posts(act.Channel, act.Thread), func(m slacktest.Message) bool { return m.Streaming })
	}
	h.must(h.Await(h.within(), streams))
	bot.stop()
	h.See(func(st *slacktest.State) {
		if streams(st) {
			t.Error("the bot has stopped, the stream goes on")
		}
	})
	bot.close()
	h.goOn()
	h.answeredOnce(act)
}

func TestSlackOverHTTP(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	h.AllowLinks = []string{"http://localhost:"}
	h.HTTP = &slacktest.Endpoint{} // of which the port is not known yet
	bot := h.start("BOT_HTTP=0.0.0.0:0", "BOT_TOKEN="+webToken)
	to := slacktest.Endpoint{BaseURL: bot.url}
	deliver := func(a *slacktest.Act, spoil slacktest.Spoil) slacktest.Response {
		t.Helper()
		r, err := h.Deliver(h.within(), to, a.Events[0], spoil)
		h.must(err)
		return r
	}
	refused := h.Mention(slacktest.Bob, slacktest.General, askReturn)
	for _, test := range []struct {
		name   string
		spoil  slacktest.Spoil
		status int
	}{
		{"bad signature", slacktest.Spoil{BadSignature: true}, http.StatusUnauthorized},
		{"no signature", slacktest.Spoil{NoSignature: true}, http.StatusUnauthorized},
		{"no timestamp", slacktest.Spoil{NoTimestamp: true}, http.StatusUnauthorized},
		{"stale", slacktest.Spoil{Skew: -6 * time.Minute}, http.StatusUnauthorized},
		{"from the future", slacktest.Spoil{Skew: 6 * time.Minute}, http.StatusUnauthorized},
		{"oversize", slacktest.Spoil{Pad: 1 << 20}, http.StatusRequestEntityTooLarge},
		{"wrong content type", slacktest.Spoil{ContentType: "text/plain"}, http.StatusUnsupportedMediaType},
		{"GET", slacktest.Spoil{Method: http.MethodGet}, http.StatusMethodNotAllowed},
	} {
		if r := deliver(refused, test.spoil); r.Status != test.status {
			t.Errorf("%s: %d, want %d", test.name, r.Status, test.status)
		}
	}
	hello := deliver(refused, slacktest.Spoil{Body: []byte(`{"type":"url_verification","token":"t","challenge":"3eZbrw1aBm"}`)})
	if hello.Status != http.StatusOK || !strings.Contains(string(hello.Body), "3eZbrw1aBm") {
		t.Errorf("url_verification: %d %s", hello.Status, hello.Body)
	}

	question := h.Mention(slacktest.Alice, slacktest.General, askReturn)
	responses := []slacktest.Response{deliver(question, slacktest.Spoil{})}
	answer := h.answered(question, saysReturn)
	h.settled()
	command := h.Command(slacktest.Alice, slacktest.General, "/ask", askWarranty)
	responses = append(responses, deliver(command, slacktest.Spoil{}))
	_, err := h.AwaitEphemeral(h.within(), slacktest.Alice, func(m slacktest.Message) bool { return strings.Contains(m.Plain(), "5 years") })
	h.must(err)
	h.settled()
	responses = append(responses, deliver(h.ThumbsUp(slacktest.Bob, answer), slacktest.Spoil{}))
	_, err = h.AwaitEphemeral(h.within(), slacktest.Bob, nil)
	h.must(err)

	for _, r := range responses {
		again, err := h.Replay(h.within(), to, r)
		h.must(err)
		if r.Status != http.StatusOK || again.Status != http.StatusOK || r.Latency > 3*time.Second {
			t.Errorf("%d after %v, %d when it came again", r.Status, r.Latency, again.Status)
		}
	}
	h.settled()
	h.answeredOnce(question)
	if n := len(h.Posts(refused.Channel, refused.Thread)); n != 0 {
		t.Errorf("%d answers to what was refused", n)
	}
	if n := h.Calls(slacktest.ResponseURL); n != 1 || len(h.Ephemerals(slacktest.Alice)) != 1 {
		t.Errorf("%d private answers, %d shown", n, len(h.Ephemerals(slacktest.Alice)))
	}
	if _, metrics := bot.do(http.MethodGet, "/metrics", "", webToken); !strings.Contains(metrics, "\ncitebot_chat_feedback_total{value=\"good\"} 1\n") {
		t.Error("/metrics: a click that came again was taken again")
	}
	click := responses[len(responses)-1]
	deliver(h.ThumbsDown(slacktest.Bob, answer), slacktest.Spoil{})
	_, err = h.Replay(h.within(), to, click)
	h.must(err)
	if code, out := h.run("gaps"); code != exitOK || !strings.Contains(out, "1 person said it was not right") {
		t.Errorf("a click that came again undid a later one:\n%s", out)
	}
	bot.guarded(answer.Links())
}

// A token that Slack refuses takes Slack away and nothing else, and Slack is not asked about
// it over and over.
func TestSlackRefusesToken(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	bot := h.launch("SLACK_BOT_TOKEN=" + wrongToken)
	h.until("readyz to name the token", func() bool {
		status, state, problem := bot.part("slack")
		return status == http.StatusServiceUnavailable && state == "failed" && strings.Contains(problem, "SLACK_BOT_TOKEN was refused (invalid_auth)")
	})
	for range 10 {
		bot.answersOnTheWeb()
	}
	if status, body := bot.get("/livez"); status != http.StatusOK {
		t.Errorf("livez: %d %s", status, body)
	}
	if n := h.Calls(""); n > 1 {
		t.Errorf("Slack was called %d times", n)
	}
	bot.stop()
}

// A token may also become worth nothing later. Then what was asked waits.
func TestSlackRevokesToken(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	bot := h.start()
	h.Revoke("token_revoked")
	act := h.ask(slacktest.General, askReturn)
	h.until("readyz to name the token", func() bool {
		_, state, problem := bot.part("slack")
		return state != "ok" && strings.Contains(problem, "SLACK_BOT_TOKEN was refused (token_revoked)")
	})
	for range 10 {
		bot.answersOnTheWeb()
	}
	if n := h.Calls("chat.postMessage"); n > 1 {
		t.Errorf("a post was tried %d times", n)
	}
	bot.stop()
	h.Revoke("")
	h.goOn()
	h.answeredOnce(act)
}

func TestSlackIsDown(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	door := h.newDoor(h.URL())
	bot := h.launch("SLACK_API_URL=http://" + door.addr + "/api/")
	h.until("readyz to tell", func() bool {
		status, state, problem := bot.part("slack")
		return status == http.StatusServiceUnavailable && state == "failed" && strings.Contains(problem, "Slack cannot be reached")
	})
	bot.answersOnTheWeb()
	act := h.ask(slacktest.General, askReturn)
	h.RefuseConnections(1)
	door.open()
	h.answered(act, saysReturn)
	if status, state, problem := bot.part("slack"); status != http.StatusOK || state != "ok" {
		t.Errorf("readyz: %d %s %s", status, state, problem)
	}
	bot.kill()
}

// What the documents do not say is listed beside the running bot, and so is what somebody
// did not like.
func TestSlackGaps(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	h.start()
	h.answered(h.ask(slacktest.General, askUnknown), "could not find")
	answer := h.answered(h.ask(slacktest.Private, askReturn), saysReturn)
	h.Send(h.ThumbsDown(slacktest.Bob, answer))
	h.must(h.Await(h.within(), func(st *slacktest.State) bool {
		_, open := st.Modal(slacktest.Bob)
		return open
	}))
	h.must(h.AwaitAcks(h.within(), h.Send(h.Submit(slacktest.Bob, map[string]string{"comment": "out of date"})).Envelopes...))
	h.settled()
	code, out := h.run("gaps")
	for _, want := range []string{"did not answer 2 questions", askUnknown, askReturn, "1 person said it was not right"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, without %q:\n%s", code, want, out)
		}
	}
}

func TestSlackDoctor(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	h.env = []string{"BOT_PUBLIC_URL=https://bot.example.com"}
	h.start()
	code, out := h.run("doctor", "--json")
	if code != exitOK || strings.Contains(out, `"state":"warn"`) || strings.Count(out, `"what":"Slack`) != 4 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestSlackDoctorMissesScope(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	h.Scopes = []string{"app_mentions:read", "commands", "im:history", "im:write"}
	code, out := h.run("doctor")
	if code != exitError || !strings.Contains(out, "chat:write") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// What staff may read is told where bot.yaml says so, but not where people of another
// organisation read along.
func TestSlackAudiences(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	h.write("bot.yaml", houseConfig+inSlack+"    C0SHARED01: {audience: [public, staff]}\n  direct: [public, staff]\n")
	h.start()
	told := []*slacktest.Act{h.ask(slacktest.Private, askLeave), h.Send(h.DM(slacktest.Alice, askLeave))}
	untold := []*slacktest.Act{
		h.ask(slacktest.Shared, askLeave), h.Send(h.Mention(slacktest.Partner, slacktest.Shared, askLeave)), h.ask(slacktest.General, askLeave),
	}
	// A command's event does not say that its channel is shared.
	h.Send(h.Command(slacktest.Alice, slacktest.Private, "/ask", askLeave))
	h.Send(h.Command(slacktest.Bob, slacktest.Shared, "/ask", askLeave))
	h.settled()

	for _, a := range told {
		h.shows(h.answered(a, ""), true)
	}
	for _, a := range untold {
		h.shows(h.answered(a, ""), false)
	}
	for user, want := range map[string]bool{slacktest.Alice: true, slacktest.Bob: false} {
		for _, m := range h.Ephemerals(user) {
			h.shows(m, want)
		}
	}
}

// shows checks whether a message tells of annual leave.
func (h *slackHouse) shows(m slacktest.Message, leave bool) {
	h.t.Helper()
	h.checkLeave(m.Channel, m.Plain()+m.Text, leave)
}

// A ledger that is damaged is put aside. What it may have answered is not answered again.
func TestSlackLedgerIsDamaged(t *testing.T) {
	t.Parallel()
	h := newSlackHouse(t)
	var past atomic.Int64
	h.SetNow(func() time.Time { return time.Now().Add(-time.Duration(past.Load())) })
	past.Store(int64(time.Minute))
	bot := h.start()
	old := h.ask(slacktest.General, askReturn)
	h.answered(old, saysReturn)
	bot.stop()
	past.Store(0)
	h.write("state/ledger.db", strings.Repeat("no database ", 1000))
	bot = h.start()
	if status, state, problem := bot.part("ledger"); status != http.StatusOK || state != "degraded" || !strings.Contains(problem, "damaged") {
		t.Errorf("readyz: %d %s %s", status, state, problem)
	}
	h.must(h.AwaitAcks(h.within(), h.SendEvents(old.Events...)...))
	act := h.ask(slacktest.General, askWarranty)
	h.answered(act, "5 years")
	h.settled()
	h.answeredOnce(old, act)
}
