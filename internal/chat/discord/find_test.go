package discord

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/citations"
)

// crashAt makes the next request of a route the last of the bot's life. The function that it
// returns waits for that request and ends the bot, which does not learn whether it took effect.
func (f *fixture) crashAt(route string, takesEffect bool) (crash func()) {
	begun, gate := f.Calls(route), (*discordtest.Gate)(nil)
	if takesEffect {
		gate = f.BlockAfter(route)
	} else {
		f.Fail(route, 1, discordtest.Fault{Delay: time.Minute, Drop: true})
	}
	return func() {
		f.t.Helper()
		f.wait(route, func() bool { return f.Calls(route) > begun })
		if gate != nil {
			gate.Reached(f.ctx)
			defer gate.Release()
		}
		f.stop()
		f.alter = nil
	}
}

// impatient makes a bot wait for requests no longer than a crash should take.
func impatient(d *Discord) { d.rest.client.Timeout = time.Second }

// postOf is the post that answers a command in a server.
func (f *fixture) postOf(act *discordtest.Act, via chat.Via, question string, private bool) chat.Post {
	i, _ := f.Interaction(act.Interaction)
	return chat.Post{
		Place: chat.Place{Platform: "discord", Team: discordtest.Guild, Channel: act.Channel},
		Key:   "0123456789abcdef0123456789abcdef", Via: via, User: act.User, Question: question, Asked: time.Now(),
		ReplyURL: reply{private: private, app: discordtest.App, token: i.Token, interaction: act.Interaction}.String(),
		Answer:   answerFor(chat.Question{Text: question, Audiences: []string{"public"}}),
	}
}

func (f *fixture) find(p chat.Post) string {
	f.t.Helper()
	id, err := f.discord.Find(f.ctx, p)
	if err != nil {
		f.t.Fatalf("Find: %v\n%s", err, f.log)
	}
	return id
}

// A post is known by its name, whatever it says by now.
func TestFindByName(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	said := f.Chat(discordtest.Alice, discordtest.General, "how long?")
	p := f.postOf(said, chat.Mention, "how long?", false)
	p.ReplyURL, p.Message = "", said.Message
	sent, err := f.discord.Send(f.ctx, p, "")
	if err != nil {
		t.Fatal(err)
	}
	p.Answer = answerFor(chat.Question{Text: "how wide?"})
	if got := f.find(p); got != sent {
		t.Errorf("found %q, sent as %q", got, sent)
	}
	p.Key = "another"
	if got := f.find(p); got != "" {
		t.Errorf("%q has other words and another name", got)
	}
}

// A response that still says that an answer is coming is none, and while it can become one the
// answer is nowhere else.
func TestFindDeferral(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		f := newFixture(t)
		release := f.answersLater()
		f.begin()
		act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", private))
		if _, err := f.AwaitCallback(f.ctx, act); err != nil {
			t.Fatal(err)
		}
		p := f.postOf(act, chat.Ask, "how long?", private)
		if got := f.find(p); got != "" || f.Calls(discordtest.GetMessages) > 0 {
			t.Errorf("found %q, after %d looks into the channel", got, f.Calls(discordtest.GetMessages))
		}
		old := p
		old.Asked = time.Now().Add(-replyFor - time.Second)
		if got := f.find(old); got != "" || f.Calls(discordtest.GetMessages) == 0 {
			t.Errorf("found %q; an answer that came too late is a message of its own", got)
		}
		release()
		m := f.reply(act, "how long?")
		if got, want := f.find(p), (ref{m.Channel, m.ID}).String(); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
		f.stop()
	}
}

// answersLater makes answers wait until the function is called that it returns.
func (f *fixture) answersLater() (release func()) {
	released := make(chan struct{})
	answer := f.answer
	f.answer = func(ctx context.Context, q chat.Question) (citations.Answer, error) {
		select {
		case <-released:
		case <-ctx.Done():
		}
		return answer(ctx, q)
	}
	return sync.OnceFunc(func() { close(released) })
}

// The pages that follow a reply are in its channel. Those of a private one are in none,
// whatever is there in the same words.
func TestFindLaterPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "tell me at length", true))
	f.Send(f.Click(discordtest.Alice, f.whisper(discordtest.Alice, "Statement 39"), idShare))
	if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), "Statement 39") }); err != nil {
		t.Fatal(err)
	}
	p := f.postOf(act, chat.Command, "tell me at length", true)
	p.Page = 1
	if got := f.find(p); got != "" {
		t.Errorf("found %q, which others see", got)
	}
	p.ReplyURL = ""
	if f.find(p) == "" {
		t.Error("there is no page with the same words: this test shows nothing")
	}
	open := f.Send(f.Ask(discordtest.Bob, discordtest.Help, "tell me at length", false))
	f.reply(open, "Statement 39")
	p = f.postOf(open, chat.Ask, "tell me at length", false)
	p.Page = 1
	if got, want := f.find(p), f.Replies(open)[1]; got != (ref{want.Channel, want.ID}).String() {
		t.Errorf("found %q, want %q", got, want.ID)
	}
}

// Killed before or after its first page took effect, a reply is there once.
func TestCrashWhileReplying(t *testing.T) {
	t.Parallel()
	for _, takesEffect := range []bool{false, true} {
		for _, private := range []bool{false, true} {
			t.Run(fmt.Sprintf("takes effect %v, private %v", takesEffect, private), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.alter = impatient
				f.begin()
				crash := f.crashAt(discordtest.EditOriginal, takesEffect)
				act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", private))
				crash()
				f.begin()
				f.reply(act, "how long?")
				f.idle()
				f.replies(act, 1)
				if n, want := f.Calls(discordtest.EditOriginal), map[bool]int{false: 2, true: 1}[takesEffect]; n != want {
					t.Errorf("%d edits, want %d", n, want)
				}
			})
		}
	}
}

// Killed while it brings an answer to its asker alone, the bot has brought it once.
func TestCrashWhileAnsweringElsewhere(t *testing.T) {
	t.Parallel()
	for name, shut := range map[string]func(*discordtest.Channel){
		"may not send": func(c *discordtest.Channel) { c.NoSend = true },
		"may not see":  func(c *discordtest.Channel) { c.Hidden = true },
	} {
		for _, takesEffect := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, takes effect %v", name, takesEffect), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.alter = impatient
				f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
					f.Alter(discordtest.General, shut)
					return answerFor(q), nil
				}
				f.begin()
				opened := f.Block(discordtest.OpenDM)
				f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
				if _, err := opened.Reached(f.ctx); err != nil {
					t.Fatal(err)
				}
				crash := f.crashAt(discordtest.CreateMessage, takesEffect)
				opened.Release()
				crash()
				f.ForgetNonces()
				f.begin()
				f.idle()
				posts := f.Posts(discordtest.DirectOf(discordtest.Alice))
				if len(posts) != 1 || !hasWords(posts[0].Plain(), []string{sayElsewhere, "how long?"}) {
					t.Errorf("%d posts: %v\n%s", len(posts), posts, f.log)
				}
			})
		}
	}
}
