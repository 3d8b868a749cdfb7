package slack

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/slack/slacktest"
	"citebot/internal/citations"
)

func says(words string) func(slacktest.Message) bool {
	return func(m slacktest.Message) bool { return strings.Contains(m.Plain(), words) }
}

// soon is false when something does not happen within two seconds.
func (f *fixture) soon(done func() bool) bool {
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return false
}

// Acceptance 10: the status is taken back when the answer goes elsewhere or nowhere.
func TestStatusWhenThePlaceRefuses(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"is_archived", "some_new_code"} {
		t.Run(code, func(t *testing.T) {
			f := newFixture(t)
			f.begin()
			f.Fail("chat.postMessage", -1, slacktest.Fault{Error: code, Channel: slacktest.General})
			act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
			f.wait("a turn", func() bool { return f.Calls("chat.postMessage") > 0 })
			f.idle()
			time.Sleep(200 * time.Millisecond)
			if status := f.Status(act.Channel, act.Thread); status != "" {
				t.Errorf("the bot %q although nothing comes", status)
			}
		})
	}
}

// An answer that went to its asker, in a channel that can be read, is not sent twice.
func TestElsewhereOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail("chat.postMessage", -1, slacktest.Fault{Error: "is_archived", Channel: slacktest.General})
	f.Fail("chat.postMessage", 1, slacktest.Fault{Do: true, Status: 500, Channel: slacktest.DirectOf(slacktest.Alice)})
	f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	if _, err := f.AwaitPost(f.ctx, slacktest.DirectOf(slacktest.Alice), "", says("30 days")); err != nil {
		t.Fatal(err)
	}
	f.idle()
	if n := len(f.Posts(slacktest.DirectOf(slacktest.Alice), "")); n != 1 {
		t.Errorf("%d answers in the direct message", n)
	}
}

// A direct message with the bot has no other person in it: the bot goes on answering there.
func TestDirectThreadAfterHandoff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	direct := f.Send(f.DM(slacktest.Alice, "nothing about mice?"))
	f.Send(f.Click(slacktest.Alice, f.reply(direct, "could not find"), actionPerson))
	if _, err := f.AwaitPost(f.ctx, slacktest.General, "", says(helpers)); err != nil {
		t.Fatal(err)
	}
	f.Send(f.Reply(slacktest.Alice, direct.Channel, direct.Thread, "and how long for boots?"))
	if !f.soon(func() bool { return len(f.Posts(direct.Channel, direct.Thread)) == 2 }) {
		t.Error("no answer in a direct message, for ever")
	}
}

// The shortcut in a conversation that the bot is not in, as that of two people.
func TestShortcutInAnothersDirectMessage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.AddChannel(slacktest.Channel{ID: "D0TWOPEOPLE", Type: slacktest.DirectMessage, User: slacktest.Bob, NotMember: true})
	f.begin()
	said := f.Say(slacktest.Saying{User: slacktest.Bob, Channel: "D0TWOPEOPLE", Text: "how long would that be?"})
	f.Send(f.Shortcut(slacktest.Alice, said.Channel, said.TS, callbackAnswer))
	if !f.soon(func() bool {
		return len(f.Posts(slacktest.DirectOf(slacktest.Alice), "")) > 0 || len(f.Ephemerals(slacktest.Alice)) > 0
	}) {
		t.Errorf("neither an answer nor a word why\n%s", f.log)
	}
}

// What two people in a direct message with someone from outside read is public.
func TestShortcutAudienceInAnothersDirectMessage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Direct = []string{"public", "staff"}
	f.begin()
	f.AddChannel(slacktest.Channel{ID: "D0TWOPEOPLE", Type: slacktest.DirectMessage, User: slacktest.Bob, NotMember: true})
	said := f.Say(slacktest.Saying{User: slacktest.Bob, Channel: "D0TWOPEOPLE", Text: "how long would that be?"})
	f.Send(f.Shortcut(slacktest.Alice, said.Channel, said.TS, callbackAnswer))
	if _, err := f.AwaitPost(f.ctx, slacktest.DirectOf(slacktest.Alice), "", says("As public to")); err != nil {
		t.Fatal(err)
	}
}

// "Share in channel" where the bot is not a member, then invite it and share again.
func TestShareAgainAfterInvite(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Command(slacktest.Alice, slacktest.General, "/ask", "how long?"))
	m, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, says("As public to"))
	if err != nil {
		t.Fatal(err)
	}
	f.Fail("chat.postMessage", -1, slacktest.Fault{Error: "not_in_channel", Channel: slacktest.General})
	f.Send(f.Click(slacktest.Alice, m, actionShare))
	f.wait("a try", func() bool { return f.Calls("chat.postMessage") > 0 })
	f.idle()
	f.Heal("chat.postMessage")
	f.Send(f.Click(slacktest.Alice, m, actionShare))
	if !f.soon(func() bool { return len(f.Posts(slacktest.General, "")) > 0 }) {
		for _, e := range f.Ephemerals(slacktest.Alice) {
			t.Log("told: " + e.Plain())
		}
		for _, e := range f.Posts(slacktest.DirectOf(slacktest.Alice), "") {
			t.Log("direct: " + e.Plain())
		}
		t.Error("never shared, and said to be")
	}
}

// Nobody is told that a person has been asked when nobody was.
func TestHandoffThatFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	direct := f.Send(f.DM(slacktest.Alice, "nothing about mice?"))
	m := f.reply(direct, "could not find")
	f.Fail("chat.postMessage", -1, slacktest.Fault{Error: "not_in_channel", Channel: slacktest.General})
	f.Send(f.Click(slacktest.Alice, m, actionPerson))
	f.wait("a try", func() bool { return f.Calls("chat.postMessage") > 1 })
	f.idle()
	time.Sleep(300 * time.Millisecond)
	for _, e := range f.Ephemerals(slacktest.Alice) {
		if strings.Contains(e.Plain(), "has been asked") {
			t.Errorf("said %q, and nobody was", e.Plain())
		}
	}
}

// A message that the bot let pass, edited so that it names the bot, is a question to it.
func TestNamedByEditAfterSilence(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[slacktest.General] = Channel{AutoAnswer: true}
	f.begin()
	act := f.Send(f.Say(slacktest.Saying{User: slacktest.Alice, Channel: slacktest.General, Text: "I am unsure, how long does it take?"}))
	f.silent(act)
	f.Send(f.Edit(act.Channel, act.TS, "<@"+slacktest.BotUser+"> I am unsure, how long does it really take?"))
	if !f.soon(func() bool { return len(f.Posts(act.Channel, act.Thread)) == 1 }) {
		t.Error("named by an edit, and silent")
	}
}

// The same in a thread that the bot follows.
func TestNamedByEditInThread(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	root := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	f.reply(root, "30 days")
	act := f.Send(f.Reply(slacktest.Alice, slacktest.General, root.TS, "nothing on boots"))
	if err := f.AwaitAcks(f.ctx, act.Envelopes...); err != nil {
		t.Fatal(err)
	}
	f.idle()
	f.Send(f.Edit(act.Channel, act.TS, "<@"+slacktest.BotUser+"> nothing on boots"))
	if !f.soon(func() bool { return len(f.Posts(root.Channel, root.TS)) == 2 }) {
		t.Error("named by an edit, and silent")
	}
}

// A Slack that fails is asked less and less often.
func TestBackoffOfReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail("conversations.info", -1, slacktest.Fault{Status: 500})
	f.Send(f.Mention(slacktest.Alice, slacktest.Private, "how long?"))
	time.Sleep(7 * time.Second)
	if n := f.Calls("conversations.info"); n > 5 {
		t.Errorf("%d calls in seven seconds", n)
	}
	f.Heal("")
}

// tokens_revoked also tells of people's tokens, which the bot has none of.
func TestOthersTokensRevoked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Inner(map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []any{slacktest.Alice}, "bot": []any{}}}))
	if err := f.AwaitAcks(f.ctx, act.Envelopes...); err != nil {
		t.Fatal(err)
	}
	if connected, problem := f.slack.Ready(); !connected {
		t.Errorf("the bot stopped: %s", problem)
	}
}

// An edit of an old message that names the bot is not answered, whichever event tells.
func TestOldMessageEdited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Tolerate = true
	f.begin()
	act := f.Mention(slacktest.Alice, slacktest.General, "how long?")
	ts := fmt.Sprintf("%d.000100", time.Now().Add(-90*24*time.Hour).Unix())
	e := act.Events[0] // app_mention
	e.Inner()["ts"], e.Inner()["edited"] = ts, map[string]any{"user": slacktest.Alice, "ts": act.TS}
	f.Send(&slacktest.Act{Events: []slacktest.Event{e}})
	time.Sleep(time.Second)
	f.idle()
	if n := f.Calls("chat.postMessage"); n != 0 {
		t.Error("an answer to a message of three months ago")
	}
}

// /ask in a channel with its own person calls that person.
func TestPersonOfTheChannelIsCalled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[slacktest.Private] = Channel{Audience: []string{"public", "staff"}, Person: Person{ID: slacktest.Bob, Channel: slacktest.General}}
	f.AllowMention = append(f.AllowMention, slacktest.Bob)
	f.begin()
	f.Send(f.Command(slacktest.Alice, slacktest.Private, "/ask", "nothing about mice?"))
	m, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, says("could not find"))
	if err != nil {
		t.Fatal(err)
	}
	f.Send(f.Click(slacktest.Alice, m, actionPerson))
	called, err := f.AwaitPost(f.ctx, slacktest.General, "", says("mice"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(called.Text, slacktest.Bob) {
		t.Errorf("called someone else: %q", called.Text)
	}
}

// Over HTTP a problem that has passed is no longer told.
func TestProblemPasses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	f.Fail("assistant.threads.setStatus", 1, slacktest.Fault{Error: "missing_scope", Needed: "chat:write"})
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?")), "30 days")
	f.slack.mu.Lock()
	clear(f.slack.holds) // half a minute later
	f.slack.mu.Unlock()
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.Private, "how wide?")), "30 days")
	if _, problem := f.slack.Ready(); problem != "" {
		t.Errorf("still told: %s", problem)
	}
}

// Strangers who knock at the webhook do not fill the log.
func TestRejectedRequestsInTheLog(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	for range 200 {
		r, err := http.Post(f.web.URL+"/slack/events", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	if n := strings.Count(f.log.String(), "was rejected"); n > 10 {
		t.Errorf("%d lines for 200 requests", n)
	}
}

// Acceptance 20: other channels keep flowing while one is limited.
func TestLimitOfOneChannel(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail("chat.postMessage", 1, slacktest.Fault{RetryAfter: 5, Channel: slacktest.General})
	f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	f.wait("the limit", func() bool { return f.Calls("chat.postMessage") > 0 })
	elsewhere := f.Send(f.Mention(slacktest.Bob, slacktest.Private, "how wide?"))
	if !f.soon(func() bool { return len(f.Posts(elsewhere.Channel, elsewhere.Thread)) == 1 }) {
		t.Error("another channel waits for it")
	}
}

// A channel that has just been shared is not answered from staff documents.
func TestChannelIsSharedMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.Private, "how long?")), "As public+staff to")
	f.AddChannel(slacktest.Channel{ID: slacktest.Private, Name: "leads", Type: slacktest.PrivateChannel, ExtShared: true})
	f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.Private, "how wide?")), "As public to") // the event says so
	said := f.Say(slacktest.Saying{User: slacktest.Bob, Channel: slacktest.Private, Text: "how deep is it?"})
	f.Send(f.Shortcut(slacktest.Alice, said.Channel, said.TS, callbackAnswer))
	if m := f.reply(said, "how deep"); strings.Contains(m.Plain(), "staff") {
		t.Errorf("shown to strangers: %s", m.Plain())
	}
}

// A placeholder that someone deleted does not cost the answer.
func TestPlaceholderGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	gate := make(chan struct{})
	f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
		<-gate
		return answerFor(q), nil
	}
	f.Fail("chat.startStream", -1, slacktest.Fault{Error: "channel_type_not_supported"})
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	f.wait("a placeholder", func() bool { return len(f.Posts(act.Channel, act.Thread)) > 0 })
	f.Fail("chat.update", -1, slacktest.Fault{Error: "message_not_found"})
	close(gate)
	if !f.soon(func() bool {
		for _, p := range f.Posts(act.Channel, act.Thread) {
			if says("30 days")(p) {
				return true
			}
		}
		return false
	}) {
		t.Error("the answer is lost")
	}
}

// SIGTERM while a stream is open and the answer takes longer than the grace: the stream is closed.
func TestStreamAtShutdown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Tolerate = true
	f.answer = func(ctx context.Context, q chat.Question) (citations.Answer, error) {
		<-ctx.Done()
		return citations.Answer{}, ctx.Err()
	}
	f.begin()
	act := f.Send(f.DM(slacktest.Alice, "how long?"))
	f.wait("a placeholder", func() bool { return len(f.Posts(act.Channel, act.Thread)) > 0 })
	began := time.Now()
	f.stop()
	t.Logf("stopped in %v", time.Since(began))
	if p := f.Posts(act.Channel, act.Thread); len(p) > 0 && p[0].Streaming {
		t.Error("a stream is open though nobody writes to it any more")
	}
}

// A redelivered mention, through Slack.
func TestRedeliveredMention(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "nothing about dogs?"))
	m := f.reply(act, "could not find")
	f.Send(f.Click(slacktest.Alice, m, actionPerson))
	f.reply(act, helpers)
	e := act.Events[1]
	e.Attempt, e.Reason = 2, "timeout"
	ids := f.SendEvents(e)
	if err := f.AwaitAcks(f.ctx, ids...); err != nil {
		t.Fatal(err)
	}
	f.Send(f.Reply(slacktest.Bob, act.Channel, act.TS, "how long did you wait for them?"))
	if f.soon(func() bool { return len(f.Posts(act.Channel, act.Thread)) > 2 }) {
		t.Error("interrupts people who were called in")
	}
}

// How often an invalid token is tried with several questions waiting.
func TestInvalidTokenWithManyWaiting(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail("chat.postMessage", -1, slacktest.Fault{Error: "invalid_auth"})
	for i := range 15 {
		f.Send(f.Mention(slacktest.Alice, []string{slacktest.General, slacktest.Private}[i%2], fmt.Sprintf("how long %d?", i)))
	}
	f.wait("the problem", func() bool { connected, _ := f.slack.Ready(); return !connected })
	if _, problem := f.slack.Ready(); !strings.Contains(problem, "SLACK_BOT_TOKEN") {
		t.Errorf("problem: %q", problem)
	}
	time.Sleep(3 * time.Second)
	if n := f.Calls("chat.postMessage"); n > 2 {
		t.Errorf("%d calls with a token that is refused, in four seconds", n)
	}
	f.Heal("")
}

// A click that comes again does not undo a later one.
func TestStaleClick(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	m := f.reply(f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?")), "30 days")
	f.idle() // it is shown before that is recorded
	up := f.Send(f.ThumbsUp(slacktest.Bob, m))
	if err := f.AwaitAcks(f.ctx, up.Envelopes...); err != nil {
		t.Fatal(err)
	}
	down := f.Send(f.ThumbsDown(slacktest.Bob, m))
	if err := f.AwaitAcks(f.ctx, append(down.Envelopes, f.SendEvents(up.Events...)...)...); err != nil {
		t.Fatal(err)
	}
	turns, err := f.ledger.History(f.ctx, chat.Place{Platform: "slack", Team: slacktest.Team, Channel: m.Channel, Thread: m.ThreadTS}, 0, time.Time{}, 1)
	if err != nil || len(turns) != 1 {
		t.Fatal(turns, err)
	}
	said, err := f.ledger.Feedback(f.ctx, turns[0].ID)
	if err != nil || len(said) != 1 || said[0].Good {
		t.Errorf("%+v %v: the newest click was thumbs down", said, err)
	}
}

// A placeholder that was cut off, where the bot may not read the thread, costs no answer.
func TestLostPlaceholderWithoutScope(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Tolerate = true
	gate := make(chan struct{})
	f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
		<-gate
		return answerFor(q), nil
	}
	f.Fail("chat.startStream", 1, slacktest.Lost())
	f.Fail("conversations.replies", -1, slacktest.Fault{Error: "missing_scope", Needed: "channels:history"})
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	f.wait("a placeholder", func() bool { return len(f.Posts(act.Channel, act.Thread)) > 0 })
	f.wait("a look", func() bool { return f.Calls("conversations.replies") > 0 })
	close(gate)
	time.Sleep(3 * time.Second)
	n := f.Calls("conversations.replies")
	left, _ := f.ledger.Unfinished(f.ctx)
	if len(left) > 0 {
		t.Errorf("looked %d times, goes on for a quarter of an hour and then drops the answer", n)
	}
}

// The two events of one mention have the message in common, whatever else they lack.
func TestTwinsByTheirMessageAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Mention(slacktest.Alice, slacktest.General, "how long?")
	for _, e := range act.Events {
		delete(e.Inner(), "client_msg_id")
	}
	f.Send(act)
	f.reply(act, "30 days")
	f.idle()
	f.posts(act, 1)
}

// What cannot be written down is not acknowledged: Slack has to send it again.
func TestNothingIsAcknowledgedUnwritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.ledger.Close()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	f.wait("the failure", func() bool { return strings.Contains(f.log.String(), "could not be kept") })
	if n := len(f.Unacked()); n != len(act.Envelopes) {
		t.Errorf("%d of %d envelopes are left", n, len(act.Envelopes))
	}
	f.stop()
	f.begin()
	f.Redeliver()
	f.reply(act, "30 days")
	f.posts(act, 1)
}

// Who did not ask may not show the answer to others.
func TestOnlyTheAskerShares(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Command(slacktest.Alice, slacktest.General, "/ask", "how long?"))
	m, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, says("30 days"))
	if err != nil {
		t.Fatal(err)
	}
	act := f.Click(slacktest.Alice, m, actionShare)
	act.Events[0].Payload["user"] = map[string]any{"id": slacktest.Bob, "name": "bob", "team_id": slacktest.Team}
	if err := f.AwaitAcks(f.ctx, f.Send(act).Envelopes...); err != nil {
		t.Fatal(err)
	}
	f.idle()
	if n := len(f.Posts(slacktest.General, "")); n > 0 {
		t.Error("someone else shared a private answer")
	}
}

// Each sign of readers from outside is enough by itself.
func TestSignsOfOutsiders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	told := f.Mention(slacktest.Alice, slacktest.Private, "how told?")
	for _, e := range told.Events {
		e.Payload["is_ext_shared_channel"] = true
	}
	foreign := f.Command(slacktest.Alice, slacktest.Private, "/ask", "how foreign?")
	foreign.Events[0].Payload["team_id"] = slacktest.Other
	f.Send(foreign)
	if _, err := f.AwaitEphemeral(f.ctx, slacktest.Alice, says(`As public to "how foreign?"`)); err != nil {
		t.Fatal(err)
	}
	f.reply(f.Send(told), `As public to "how told?"`)
}

// Changes of a message that no person made of its words are no new question.
func TestChangesThatAreNoEdits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Events = []string{"message.channels", "message.im", "app_mention"}
	f.begin()
	act := f.Send(f.Mention(slacktest.Alice, slacktest.General, "how long?"))
	f.reply(act, `"how long?"`)
	f.idle()
	for _, change := range []map[string]any{
		{"text": "<@" + slacktest.BotUser + "> how wide?", "user": slacktest.Alice, "ts": act.TS},
		{"text": "<@" + slacktest.BotUser + "> how wide?", "user": slacktest.Alice, "ts": act.TS, "bot_id": "B0OTHERBOT", "edited": map[string]any{"user": slacktest.Alice}},
		{"text": "<@" + slacktest.BotUser + "> how wide?", "user": slacktest.BotUser, "ts": act.TS, "edited": map[string]any{"user": slacktest.BotUser}},
	} {
		changed := f.Inner(map[string]any{
			"type": "message", "subtype": "message_changed", "channel": act.Channel, "channel_type": "channel", "message": change,
		})
		if err := f.AwaitAcks(f.ctx, f.Send(changed).Envelopes...); err != nil {
			t.Fatal(err)
		}
	}
	f.idle()
	if m := f.Posts(act.Channel, act.Thread)[0]; len(m.History) > 0 {
		t.Errorf("answered again: %s", m.Plain())
	}
}

func TestMayRespond(t *testing.T) {
	s := &Slack{}
	for address, want := range map[string]bool{
		"https://hooks.slack.com/commands/T1/2/x":     true,
		"https://hooks.slack-gov.com/commands/T1/2/x": true,
		"http://hooks.slack.com/commands/T1/2/x":      false,
		"https://hooks.slack.com.evil.example/x":      false,
		"https://evil.example/hooks.slack.com":        false,
		"https://hooks.slack.com@evil.example/x":      false,
		"https://evilslack.com/x":                     false,
		"https://127.0.0.1/x":                         false,
		"file:///etc/passwd":                          false,
		"":                                            false,
	} {
		if got := s.mayRespond(address); got != want {
			t.Errorf("mayRespond(%q) = %v", address, got)
		}
	}
}

// A message with parts that nobody knows does not hide our own from us.
func TestThreadsAreReadPastWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"ok":true,"messages":[
			{"user":"U1","ts":"1.1","blocks":"none","attachments":7,"metadata":{"event_type":"other","event_payload":{}}},
			{"user":"U9","ts":"1.2","blocks":[{"type":7}],"metadata":{"event_type":"citebot_post","event_payload":{"key":"k1"}}}]}`)
	}))
	defer web.Close()
	s, err := New(Config{
		BotToken: "xoxb-1", AppToken: "xapp-1", APIURL: web.URL + "/", Home: func() Home { return Home{} }, Client: web.Client(),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Find(t.Context(), chat.Post{Place: chat.Place{Channel: "C1", Thread: "1.0"}, Key: "k1"})
	if id != "C1/1.2" || err != nil {
		t.Errorf("found %q, %v", id, err)
	}
}
