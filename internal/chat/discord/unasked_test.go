package discord

import (
	"testing"

	"citebot/internal/chat/discord/discordtest"
)

// Where the bot answers unasked, what is put to somebody is none of its business.
func TestSaidToSomebodyElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[discordtest.General] = Channel{AutoAnswer: true}
	f.PrivilegedContent = true
	f.begin()
	ask := func(text string, more map[string]any) *discordtest.Act {
		return f.Send(f.Say(discordtest.Saying{User: discordtest.Alice, Channel: discordtest.General, Text: text, More: more}))
	}
	said := f.Send(f.Chat(discordtest.Bob, discordtest.General, "good morning, everybody"))
	for name, act := range map[string]*discordtest.Act{
		"a role":             ask("<@&"+discordtest.Helpers+"> how long is it?", map[string]any{"mention_roles": []any{discordtest.Helpers}}),
		"everyone":           ask("@everyone how long is it?", map[string]any{"mention_everyone": true}),
		"a reply":            f.Send(f.Reply(discordtest.Alice, discordtest.General, said.Message, "how long is it?", false)),
		"a reply that pings": f.Send(f.Reply(discordtest.Alice, discordtest.General, said.Message, "how long is it?", true)),
	} {
		f.reply(ask("how long is it, anybody?", nil), "30 days") // comes after it in the channel
		f.idle()
		if posts := f.Replies(act); len(posts) > 0 {
			t.Errorf("%s: the bot says %s", name, posts[0].Plain())
		}
	}
}

// Each person learns once that replies which do not name the bot cannot be read.
func TestUnheardIsToldOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	m := f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?")), "30 days")
	quietly := func(user string) *discordtest.Act {
		return f.Send(f.Reply(user, discordtest.General, m.ID, "thanks", false))
	}
	f.reply(quietly(discordtest.Bob), sayUnheard)
	again := quietly(discordtest.Bob)
	f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.General, "how wide?")), "how wide?") // comes after it in the channel
	f.discord.asides.Wait()
	f.replies(again, 0)
	f.reply(quietly(discordtest.Alice), sayUnheard)
}
