package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/citations"
)

// A page that was posted before a crash is not posted again, although the desk goes on before
// Discord has said who the bot is.
func TestFindBeforeReady(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.alter = impatient
	f.begin()
	gate := f.BlockAfter(discordtest.CreateFollowup)
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "tell me at length", false))
	if _, err := gate.Reached(f.ctx); err != nil {
		t.Fatal(err)
	}
	f.Misbehave(2, discordtest.Mischief{Refuse: 503}) // the gateway takes a moment, REST does not
	f.stop()
	gate.Release()
	f.start()
	f.reply(act, "Statement 39")
	f.idle()
	if doubles := doubled(f.Replies(act)); len(doubles) > 0 {
		t.Errorf("said twice: %d of %d", len(doubles), len(f.Replies(act)))
	}
}

// The same, in one call.
func TestFindWithoutSelf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	m := f.reply(act, "30 days")
	f.idle()
	turn, err := f.ledger.ByMessage(t.Context(), chat.Place{Platform: "discord", Team: discordtest.Guild, Channel: discordtest.General}, act.Message)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := New(Config{Token: f.Token, APIURL: f.URL(), Rules: f.rules, Library: f.discord.cfg.Library, Client: f.discord.cfg.Client}, f.desk)
	if err != nil {
		t.Fatal(err)
	}
	p := chat.Post{Place: turn.Place, Key: "other", Turn: turn.ID, Via: chat.Mention, Message: act.Message, User: discordtest.Alice, Question: turn.Text, Asked: turn.Accepted,
		Answer: answerFor(chat.Question{Text: turn.Text, Audiences: []string{"public"}})}
	id, err := fresh.Find(t.Context(), p)
	if err == nil {
		t.Errorf("Find says %q before it knows who the bot is; it is %s", id, m.ID)
	}
}

// A page of one turn is not taken for that of another with the same words.
func TestSamePagesOfTwo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	first := f.Send(f.Ask(discordtest.Alice, discordtest.General, "tell me at length", false))
	f.reply(first, "Statement 39")
	f.idle()
	n := len(f.Replies(first))
	f.Fail(discordtest.CreateFollowup, 1, discordtest.Dropped())
	second := f.Send(f.Ask(discordtest.Bob, discordtest.General, "tell me at length", false))
	f.reply(second)
	f.idle()
	if got := len(f.Replies(second)); got != n {
		t.Errorf("%d messages, want %d: a page is lost", got, n)
	}
}

// The deletion of many messages is none of a command, which has no message.
func TestBulkDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	release := make(chan struct{})
	f.answer = func(ctx context.Context, q chat.Question) (citations.Answer, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return answerFor(q), nil
	}
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	if _, err := f.AwaitCallback(f.ctx, act); err != nil {
		t.Fatal(err)
	}
	f.Send(f.Inner("MESSAGE_DELETE_BULK", discordtest.Guild, map[string]any{"ids": []any{"1", "2"}, "channel_id": discordtest.General, "guild_id": discordtest.Guild}))
	later := f.Send(f.Mention(discordtest.Bob, discordtest.General, "how wide?"))
	f.wait("what comes after it", func() bool {
		_, err := f.ledger.ByMessage(t.Context(), chat.Place{Platform: "discord", Team: discordtest.Guild, Channel: discordtest.General}, later.Message)
		return err == nil
	})
	close(release)
	f.idle()
	if len(f.Replies(act)) == 0 || f.Replies(act)[0].Deferred {
		t.Errorf("the question was withdrawn: %+v\n%s", f.Replies(act), f.log)
	}
}

// Quick clicks share once.
func TestDoubleShare(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", true))
	m := f.whisper(discordtest.Alice, "how long?")
	f.idle()
	var acts []*discordtest.Act
	for range 6 {
		acts = append(acts, f.Click(discordtest.Alice, m, idShare))
	}
	for _, a := range acts {
		f.Send(a)
	}
	for _, a := range acts {
		f.AwaitCallback(f.ctx, a)
	}
	f.idle()
	if n := len(f.Posts(discordtest.General)); n != 1 {
		t.Errorf("shared %d times", n)
	}
}

// Whoever points at a message, it is answered once.
func TestDoubleAnswerThis(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	said := f.Send(f.Chat(discordtest.Bob, discordtest.General, "how long do I have?"))
	var acts []*discordtest.Act
	for range 4 {
		acts = append(acts, f.AnswerThis(discordtest.Alice, discordtest.General, said.Message))
		acts = append(acts, f.AnswerThis(discordtest.Bob, discordtest.General, said.Message))
	}
	for _, a := range acts {
		f.Send(a)
	}
	for _, a := range acts {
		f.AwaitCallback(f.ctx, a)
	}
	f.idle()
	if n := len(f.Posts(discordtest.General)); n != 1 {
		t.Errorf("answered %d times", n)
	}
}

// An event for which there was no room is sent again by the session.
func TestEventInHandIsResumed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.HeartbeatInterval = 300 * time.Millisecond
	f.alter = func(d *Discord) { d.lanes.in = make(chan event, 1) }
	f.begin()
	const unknown = "1301000000000000888"
	f.AddChannel(discordtest.Channel{ID: unknown, Name: "old thread", Type: discordtest.PublicThread, Guild: discordtest.Guild, Parent: discordtest.General, Owner: discordtest.Alice})
	f.Fail(discordtest.GetChannel, 1, discordtest.Fault{Delay: time.Second, Status: 500})
	acts := []*discordtest.Act{f.Send(f.Mention(discordtest.Alice, unknown, "slow?"))}
	for i := range 5 {
		acts = append(acts, f.Send(f.Mention(discordtest.Bob, discordtest.Help, fmt.Sprintf("number %d?", i))))
	}
	for i, a := range acts[1:] {
		m, err := f.AwaitReply(f.ctx, a, nil)
		if err != nil {
			t.Errorf("number %d has no answer: %v %v", i, m.ID, strings.Contains(f.log.String(), "heartbeat"))
			break
		}
	}
}

// A second page that is refused does not take the first away.
func TestRefusedSecondPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(discordtest.CreateFollowup, 1, discordtest.Refused(403, 50013))
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "tell me at length", false))
	if _, err := f.AwaitPost(f.ctx, discordtest.DirectOf(discordtest.Alice), func(m discordtest.Message) bool { return strings.Contains(m.Plain(), "Statement") }); err != nil {
		t.Errorf("the second page is nowhere: %v", err)
	}
	f.idle()
	f.reply(act, "Statement 0 ")
}

// An answer that is refused as a reply reaches its asker elsewhere.
func TestRefusedReply(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(discordtest.EditOriginal, 2, discordtest.Refused(400, 200000)) // AutoMod
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	m, err := f.AwaitPost(f.ctx, discordtest.DirectOf(discordtest.Alice), nil)
	if err != nil || !hasWords(m.Plain(), []string{sayElsewhere, "how long?"}) {
		t.Errorf("%v\n%s", err, m.Plain())
	}
	f.idle()
	f.replies(act, 0) // nor a note that an answer is coming
}

// A gateway that cannot be reached for a moment costs neither the session nor what was said
// meanwhile.
func TestOutageKeepsSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Misbehave(maxResumes+1, discordtest.Mischief{Refuse: 503})
	f.conn().Reset()
	gap := f.Send(f.Mention(discordtest.Bob, discordtest.Help, "in the gap?"))
	f.wait("the session again", func() bool { ready, identified, resumed := f.Sessions(); return ready > 0 && identified+resumed > 1 })
	f.reply(f.Send(f.Mention(discordtest.Bob, discordtest.Help, "after?")), "after?")
	if _, identified, resumed := f.Sessions(); resumed != 1 || identified != 1 {
		t.Errorf("%d identified, %d resumed; answers to what was said in the gap: %d", identified, resumed, len(f.Replies(gap)))
	}
}

// What was taken off the gateway when the bot is stopped is answered all the same.
func TestStopWithEventsInQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	const unknown = "1301000000000000888"
	f.AddChannel(discordtest.Channel{ID: unknown, Name: "old thread", Type: discordtest.PublicThread, Guild: discordtest.Guild, Parent: discordtest.General, Owner: discordtest.Alice})
	f.Fail(discordtest.GetChannel, 1, discordtest.Fault{Delay: 700 * time.Millisecond})
	first := f.Send(f.Mention(discordtest.Alice, unknown, "first?"))
	f.wait("the lookup", func() bool { return f.Calls(discordtest.GetChannel) > 0 })
	second := f.Send(f.Mention(discordtest.Bob, unknown, "second?"))
	conn := f.conn()
	before := conn.Heartbeats()
	conn.AskHeartbeat() // which is answered when all before it has been taken
	f.wait("the second question to be taken", func() bool { return conn.Heartbeats() > before })
	f.stop()
	f.begin()
	f.silent()
	for i, a := range []*discordtest.Act{first, second} {
		if len(f.Replies(a)) == 0 {
			t.Errorf("question %d was lost by stopping", i+1)
		}
	}
}

// A thread that cannot be looked up for a moment keeps its memory.
func TestUnknownThread(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.Thread, "how long?")), "30 days")
	f.idle()
	f.discord.rooms.Purge() // evicted, or an archived thread after a restart
	f.Fail(discordtest.GetChannel, 2, discordtest.Fault{Status: 500})
	m := f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.Thread, "and for boots?")), "for boots")
	if !strings.Contains(m.Plain(), "After") {
		t.Errorf("it has forgotten: %s", m.Plain())
	}
}

// A message that is deleted while it is answered leaves no note that an answer is coming.
func TestDeletedWhileDeferred(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	said := f.Send(f.Chat(discordtest.Bob, discordtest.General, "how long do I have?"))
	gate := f.Block(discordtest.EditOriginal)
	f.Send(f.AnswerThis(discordtest.Alice, discordtest.General, said.Message))
	if _, err := gate.Reached(f.ctx); err != nil {
		t.Fatal(err)
	}
	f.Send(f.Delete(discordtest.General, said.Message))
	f.wait("withdrawn", func() bool {
		turn, err := f.ledger.ByMessage(t.Context(), chat.Place{Platform: "discord", Team: discordtest.Guild, Channel: discordtest.General}, said.Message)
		return err == nil && turn.Reason != ""
	})
	gate.Release()
	f.idle()
	f.wait("the note to go", func() bool { return len(f.Posts(discordtest.General)) == 0 })
}

// An interaction that the session sends again has had its response.
func TestReplayedInteraction(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Sources(discordtest.Alice, discordtest.General, "returns.md"))
	f.whisper(discordtest.Alice, "Returns")
	f.SendEvents(act.Events...)
	f.silent()
	if n := f.Calls(discordtest.Callback); n != 1 {
		t.Errorf("%d callbacks; %v", n, strings.Contains(f.log.String(), "another bot"))
	}
}

// What stands before Discord may say that there is nothing, too.
func TestReplyNotFoundWithoutCode(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.alter = func(d *Discord) { d.settleWithin = 50 * time.Millisecond }
	f.begin()
	f.Fail(discordtest.EditOriginal, 5, discordtest.Fault{Status: http.StatusNotFound})
	f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), sayLate) }); err != nil {
		t.Error(err)
	}
}

// A forum post is answered when its forum can be looked up again.
func TestForumThatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[discordtest.Forum] = Channel{AutoAnswer: true}
	f.PrivilegedContent = true
	f.begin()
	f.Fail(discordtest.GetChannel, -1, discordtest.Fault{Status: 500})
	post := f.ForumPost(discordtest.Alice, discordtest.Forum, "Shoes", "I would like to know how long I have.")
	f.SendEvents(post.Events[1]) // THREAD_CREATE did not come, as where the room was evicted
	f.silent(post)
	f.Heal("")
	f.reply(post, "Shoes")
}

// A message that names the bot waits for its channel to be looked up, and meanwhile somebody
// points at it.
func TestMentionAndAnswerThis(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.wait("the server's channels", func() bool { return f.discord.rooms.Remove(discordtest.General) })
	gate := f.Block(discordtest.GetChannel)
	mention := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	if _, err := gate.Reached(f.ctx); err != nil {
		t.Fatal(err)
	}
	act := f.Send(f.AnswerThis(discordtest.Bob, discordtest.General, mention.Message))
	f.reply(act, "how long?")
	gate.Release()
	f.silent(mention)
}

// Where nothing can be read nobody knows whether a post was made. Its name keeps a second try
// from being a second post, so it is made.
func TestUnknownAndUnreadable(t *testing.T) {
	t.Parallel()
	for name, unreadable := range map[string]discordtest.Fault{
		"forbidden": {Channel: discordtest.General, Status: http.StatusForbidden, Code: 50001},
		"not found": {Channel: discordtest.General, Status: http.StatusNotFound, HTML: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.begin()
			f.Fail(discordtest.CreateMessage, 1, discordtest.Lost())
			f.Fail(discordtest.GetMessages, -1, unreadable)
			act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
			f.wait("another try", func() bool { return f.Calls(discordtest.CreateMessage) == 2 })
			f.idle()
			f.replies(act, 1)
		})
	}
}

// thin is a Discord that tells nothing but the id of what it made.
type thin struct{ next http.RoundTripper }

func (h thin) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := h.next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK || request.Method == http.MethodGet || !strings.Contains(request.URL.Path, "/messages") {
		return response, err
	}
	var m struct {
		ID string `json:"id"`
	}
	err = errors.Join(json.NewDecoder(response.Body).Decode(&m), response.Body.Close())
	response.Body = io.NopCloser(strings.NewReader(`{"id":"` + m.ID + `"}`))
	response.ContentLength = -1
	return response, err
}

// A post of which Discord tells only the id is edited where it was made.
func TestThinAnswers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.alter = func(d *Discord) {
		w := d.rest.client.Transport.(*wire)
		w.next = thin{w.next}
	}
	f.begin()
	act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	f.reply(act, "how long?")
	f.idle()
	f.Send(f.Edit(discordtest.General, act.Message, "<@"+discordtest.BotUser+"> how wide?"))
	f.reply(act, "how wide?")
}

// bare is a Discord that says of what it made that it has no embed.
type bare struct{ next http.RoundTripper }

func (h bare) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := h.next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK || request.Method == http.MethodGet || !strings.Contains(request.URL.Path, "/webhooks/") {
		return response, err
	}
	var m map[string]any
	err = errors.Join(json.NewDecoder(response.Body).Decode(&m), response.Body.Close())
	m["embeds"] = []any{}
	data, _ := json.Marshal(m) // which was JSON before
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	return response, err
}

// A reply that comes out without its sources gets them in words, also where its asker alone sees
// it.
func TestRepliesWithoutEmbeds(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		f := newFixture(t)
		f.alter = func(d *Discord) {
			w := d.rest.client.Transport.(*wire)
			w.next = bare{w.next}
		}
		f.begin()
		act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "tell me at length", private))
		f.reply(act, "Statement 39")
		f.idle()
		for _, m := range f.Replies(act) {
			if len(m.Embeds) > 0 || !strings.Contains(m.Plain(), "[1] Returns") {
				t.Errorf("private is %v: %s", private, m.Plain())
			}
		}
		f.stop()
	}
}
