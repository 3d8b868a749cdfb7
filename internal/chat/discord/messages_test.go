package discord

import (
	"strings"
	"testing"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
)

func TestMentionIsAnsweredWhereItIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long for shoes?"))
	m := f.reply(act, `As public to "how long for shoes?": 30 days.`, "[1]")
	if m.ReplyTo != act.Message || m.Channel != discordtest.General || len(m.Pinged()) > 0 {
		t.Errorf("%+v", m)
	}
	if f.Calls(discordtest.TriggerTyping) == 0 {
		t.Error("nothing showed that it was at work")
	}
	f.Send(f.OwnEcho(m))
	f.idle()
	// A reply is one to the bot whether it calls it or not; only with a call are its words shown.
	again := f.Send(f.Reply(discordtest.Bob, discordtest.General, m.ID, "and for boots?", true))
	second := f.reply(again, `to "and for boots?"`, `After "how long for shoes?"`)
	f.idle()
	third := f.Send(f.Reply(discordtest.Bob, discordtest.General, second.ID, "and for hats?", true))
	f.reply(third, `to "and for hats?"`, `After "how long for shoes?"`)
	quiet := f.Send(f.Reply(discordtest.Alice, discordtest.General, m.ID, "and quietly?", false))
	f.reply(quiet, sayUnheard)
	f.idle()
	f.replies(act, 1)
}

func TestDirectMessage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Direct = []string{"public", "members"}
	f.begin()
	f.reply(f.Send(f.DM(discordtest.Alice, "how long?")), "As public+members", "30 days")
	f.idle()
	f.reply(f.Send(f.DM(discordtest.Alice, "and for boots?")), `After "how long?"`)
	f.reply(f.Send(f.Ask(discordtest.Alice, "", "how wide?", false)), `As public+members to "how wide?"`)
}

func TestThreadsAndTheirChannels(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	said := f.Chat(discordtest.Bob, discordtest.Staff, "about holidays")
	thread := f.Send(f.StartThread(discordtest.Bob, discordtest.Staff, said.Message, "Holidays")).Thread
	act := f.Send(f.Mention(discordtest.Alice, thread, "how long?"))
	if m := f.reply(act, "As public+staff"); m.Channel != thread {
		t.Errorf("answered in %s", m.Channel)
	}
	f.reply(f.Send(f.Mention(discordtest.Bob, thread, "and then?")), `After "how long?"`)
	f.reply(f.Send(f.Ask(discordtest.Bob, thread, "and after?", false)), `After`)
}

// In a server that nobody has named the bot knows what everybody may.
func TestForeignServerGetsPublicDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Audience = []string{"public", "staff"}
	f.begin()
	f.reply(f.Send(f.Mention(discordtest.Mallory, discordtest.Lobby, "how long?")), "As public to")
	f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?")), "As public+staff to")
}

// A channel may be for fewer documents than its server: so are its threads, even one that
// Discord does not describe.
func TestThreadOfARestrictedChannel(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Guilds[discordtest.Guild] = Guild{Audience: []string{"public", "staff"}}
	f.rules.Channels = map[string]Channel{discordtest.General: {Audience: []string{"public"}}}
	f.begin()
	f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.Staff, "how long?")), "As public+staff to")
	f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.Thread, "how long?")), "As public to")
	ask := f.Ask(discordtest.Alice, discordtest.Thread, "how wide?", false)
	delete(ask.Events[0].Data["channel"].(map[string]any), "parent_id")
	f.discord.rooms.Purge()
	f.reply(f.Send(ask), "As public to")
	f.discord.rooms.Purge()
	f.Alter(discordtest.Thread, func(c *discordtest.Channel) { c.Hidden = true })
	f.discord.rooms.Purge()
	hidden := f.Ask(discordtest.Alice, discordtest.Thread, "how deep?", false)
	delete(hidden.Events[0].Data, "channel")
	f.reply(f.Send(hidden), "As public to")
}

func TestWhatIsNotForTheBot(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[discordtest.General] = Channel{AutoAnswer: true}
	f.PrivilegedContent = true
	f.begin()
	acts := []*discordtest.Act{
		f.OtherBot(discordtest.General, "how long is it?"),
		f.WebhookSays(discordtest.General, "how long is it?"),
		f.Join(discordtest.Alice, discordtest.General),
		f.Chat(discordtest.Alice, discordtest.Help, "how long is it?"),
		f.Chat(discordtest.Alice, discordtest.General, "good morning, everybody"),
		f.Chat(discordtest.Alice, discordtest.General, "<@"+discordtest.Bob+"> how long is it?"),
		f.Chat(discordtest.Alice, discordtest.General, "is there nothing to be had?"),
		f.Chat(discordtest.Alice, discordtest.General, "is it unsure how long it is?"),
	}
	for _, act := range acts {
		f.Send(act)
	}
	f.silent(acts...)
	f.reply(f.Send(f.Chat(discordtest.Alice, discordtest.General, "how long is it?")), "30 days")
}

func TestForumPostIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[discordtest.Forum] = Channel{AutoAnswer: true, Audience: []string{"public", "forum"}}
	f.PrivilegedContent = true
	f.begin()
	post := f.Send(f.ForumPost(discordtest.Alice, discordtest.Forum, "Shoes", "I would like to know how long I have."))
	m := f.reply(post, "As public+forum", "Shoes I would like to know")
	if m.Channel != post.Thread {
		t.Errorf("answered in %s", m.Channel)
	}
	more := f.Send(f.Chat(discordtest.Alice, post.Thread, "there is nothing in my size"))
	follow := f.Send(f.Chat(discordtest.Alice, post.Thread, "and how long for boots?"))
	f.reply(follow, `After "Shoes`)
	f.SendEvents(post.Events...) // said again, as after a resume
	f.silent(more)
	f.replies(post, 1)
}

// A forum post may say all in its title, above a picture.
func TestForumPostWithoutWords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[discordtest.Forum] = Channel{AutoAnswer: true}
	f.PrivilegedContent = true
	f.begin()
	post := f.Send(f.ForumPost(discordtest.Alice, discordtest.Forum, "How long for shoes?", ""))
	f.reply(post, `"How long for shoes?"`)
	f.idle()
	f.replies(post, 1)
}

func TestEditedAndDeletedQuestions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	f.reply(act, `"how long?"`)
	f.Send(f.Unfurl(discordtest.General, act.Message))
	f.Send(f.Edit(discordtest.General, act.Message, "<@"+discordtest.BotUser+"> how wide?"))
	f.reply(act, `"how wide?"`, "after your edit")
	f.idle()
	f.replies(act, 1)

	// Named in an edit, a message becomes a question once.
	late := f.Send(f.Chat(discordtest.Bob, discordtest.General, "how deep?"))
	f.Send(f.Edit(discordtest.General, late.Message, "<@"+discordtest.BotUser+"> how deep?"))
	f.reply(late, `"how deep?"`)

	gate := f.Block(discordtest.CreateMessage)
	gone := f.Send(f.Mention(discordtest.Alice, discordtest.Help, "how high?"))
	if _, err := gate.Reached(f.ctx); err != nil {
		t.Fatal(err)
	}
	f.Send(f.Delete(discordtest.Help, gone.Message))
	f.wait("the question to be withdrawn", func() bool {
		asked, err := f.ledger.ByMessage(t.Context(), chat.Place{Platform: "discord", Team: discordtest.Guild, Channel: discordtest.Help}, gone.Message)
		return err == nil && asked.Reason != ""
	})
	gate.Release()
	f.idle()
	if n := len(f.Posts(discordtest.Help)); n > 0 {
		t.Errorf("%d answers to a question that is gone", n)
	}
}

// Nothing of a question or a document takes effect.
func TestHostileQuestions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	const attack = "@everyone <@1302000000000000302> [click](https://evil.example) **now** `x` ||spoiler|| https://evil.example # big"
	for _, act := range []*discordtest.Act{
		f.Ask(discordtest.Alice, discordtest.General, attack, false),
		f.Mention(discordtest.Alice, discordtest.General, attack),
	} {
		m := f.reply(f.Send(act), "30 days")
		if len(m.Pinged()) > 0 || strings.Contains(strings.Join(m.Links(), " "), "evil") {
			t.Errorf("pings %q, links %q", m.Pinged(), m.Links())
		}
	}
}
