package discord

import (
	"context"
	"strings"
	"testing"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/citations"
)

// What the bot says unasked, and what it says directly, goes nowhere else where it is refused.
func TestNobodyIsPursued(t *testing.T) {
	t.Parallel()
	const question = "how long is it for boots?"
	for name, test := range map[string]struct {
		where  string
		before func(*fixture)
		shut   func(*discordtest.Channel)
	}{
		"overheard": {where: discordtest.General, shut: func(c *discordtest.Channel) { c.NoSend = true }},
		"follow-up": {where: discordtest.Thread, shut: func(c *discordtest.Channel) { c.NoThreads = true }, before: func(f *fixture) {
			f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.Thread, "how long?")), "30 days")
			f.idle()
		}},
		"direct": {where: discordtest.DirectOf(discordtest.Alice), shut: func(c *discordtest.Channel) { c.Refuses = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.PrivilegedContent = true
			f.rules.Channels[discordtest.General] = Channel{AutoAnswer: true}
			f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
				if strings.Contains(q.Text, "boots") {
					f.Alter(test.where, test.shut)
				}
				return answerFor(q), nil
			}
			f.begin()
			if test.before != nil {
				test.before(f)
			}
			tried := f.Calls(discordtest.CreateMessage)
			f.Send(f.Chat(discordtest.Alice, test.where, question))
			f.wait("giving up", func() bool { return strings.Contains(f.log.String(), "an answer could not be posted") })
			f.idle()
			if tried = f.Calls(discordtest.CreateMessage) - tried; tried != 1 || f.Calls(discordtest.OpenDM) > 0 {
				t.Errorf("%d posts tried, %d direct messages opened", tried, f.Calls(discordtest.OpenDM))
			}
		})
	}
}

// A reply that is refused in a direct message leads nowhere else either.
func TestReplyThatIsRefusedDirectly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(discordtest.EditOriginal, 1, discordtest.Refused(403, 50007))
	f.Send(f.Ask(discordtest.Alice, "", "how long?", false))
	f.wait("giving up", func() bool { return strings.Contains(f.log.String(), "an answer could not be posted") })
	f.idle()
	if n := f.Calls(discordtest.OpenDM) + f.Calls(discordtest.CreateMessage); n > 0 {
		t.Errorf("%d calls to say it elsewhere", n)
	}
}

// Who shares an answer where the bot may not post is told, and the answer is shown to nobody.
func TestShareThatIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", true))
	m := f.whisper(discordtest.Alice, "30 days")
	f.idle()
	f.Alter(discordtest.General, func(c *discordtest.Channel) { c.NoSend = true })
	f.Send(f.Click(discordtest.Alice, m, idShare))
	f.onlyDirectly(discordtest.Alice, sayNotShared)
}

// onlyDirectly waits for the one thing that a person is told in a direct message.
func (f *fixture) onlyDirectly(user, words string) {
	f.t.Helper()
	where := discordtest.DirectOf(user)
	if _, err := f.AwaitPost(f.ctx, where, func(m discordtest.Message) bool { return m.Plain() == words }); err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
	f.idle()
	if n := len(f.Posts(where)); n != 1 {
		f.t.Errorf("told %d times", n)
	}
}

// Who asks for a person where the bot may not call one is told so.
func TestCallThatIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	m := f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?")), "30 days")
	f.Alter(discordtest.General, func(c *discordtest.Channel) { c.NoSend = true })
	f.Send(f.Click(discordtest.Bob, m, idPerson))
	f.onlyDirectly(discordtest.Bob, sayNobodyCalled)

	// Where it may again, so may who asks.
	f.Alter(discordtest.General, func(c *discordtest.Channel) { c.NoSend = false })
	f.Send(f.Click(discordtest.Alice, m, idPerson))
	if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return len(m.Pinged()) > 0 }); err != nil {
		t.Errorf("%v\n%s", err, f.log)
	}
	f.Send(f.Click(discordtest.Bob, m, idPerson))
	f.whisper(discordtest.Bob, sayCalledAlready)
	f.idle()
	if n := len(f.Posts(discordtest.General)); n != 2 {
		t.Errorf("%d posts", n)
	}
}

// Buttons that Discord showed to nobody who presses them do nothing.
func TestForgedClicks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	shown := f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?")), "30 days")
	foreign := f.reply(f.Send(f.Mention(discordtest.Mallory, discordtest.Lobby, "how wide?")), "30 days")
	f.Send(f.Ask(discordtest.Alice, discordtest.General, "am I being fired?", true))
	hidden := f.whisper(discordtest.Alice, "fired")
	f.idle()
	for _, click := range []struct {
		user string
		on   discordtest.Message
		id   string
	}{
		{discordtest.Bob, shown, idShare + turnOf(hidden)},      // a private answer, not by its asker
		{discordtest.Alice, shown, idShare + turnOf(shown)},     // one that all see already
		{discordtest.Mallory, foreign, idGood + turnOf(shown)},  // from another server
		{discordtest.Mallory, foreign, idGood + turnOf(hidden)}, // both
	} {
		act := f.Send(f.ClickStale(click.user, click.on, click.id))
		if _, err := f.AwaitCallback(f.ctx, act); err != nil {
			t.Fatal(err)
		}
		if said := f.Replies(act); len(said) != 1 || said[0].Plain() != sayNotKnown {
			t.Errorf("%s: %+v", click.id, said)
		}
	}
	f.idle()
	if n := len(f.Posts(discordtest.General)); n != 1 {
		t.Errorf("%d posts", n)
	}
}

// turnOf is the turn that a post's buttons are about.
func turnOf(m discordtest.Message) string {
	id := m.Buttons()[0].CustomID
	return id[strings.LastIndex(id, ":")+1:]
}
