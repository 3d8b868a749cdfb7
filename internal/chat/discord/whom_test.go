package discord

import (
	"strconv"
	"strings"
	"testing"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
)

// In a thread that the bot may not look up, which may be one of a channel for fewer people
// than its server, only public documents answer.
func TestHiddenThreadFailsOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Audience = []string{"public", "staff"}
	f.rules.Channels = map[string]Channel{discordtest.General: {Audience: []string{"public"}}} // customers read it
	const hidden = "1301000000000000999"
	f.begin()
	f.AddChannel(discordtest.Channel{ID: hidden, Name: "private", Type: discordtest.PrivateThread, Guild: discordtest.Guild, Parent: discordtest.General, Owner: discordtest.Alice, Hidden: true})
	got, err := f.discord.Audiences(t.Context(), chat.Place{Platform: "discord", Team: discordtest.Guild, Channel: hidden}, false)
	if err == nil && len(got) > 1 {
		t.Errorf("audiences %q in a private thread of a channel for the public", got)
	}
}

// In a foreign server there is no button that calls people of another.
func TestForeignHandoff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	m := f.reply(f.Send(f.Mention(discordtest.Mallory, discordtest.Lobby, "how long?")), "30 days")
	for _, b := range m.Buttons() {
		if strings.HasPrefix(b.CustomID, idPerson) {
			t.Error("the button calls a role of another server, whom nobody there is in")
		}
	}
}

// Nobody but its asker takes a private question to where people help.
func TestForgedHandoff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Ask(discordtest.Alice, discordtest.Staff, "am I being fired?", true))
	m := f.whisper(discordtest.Alice, "am I being fired?")
	var id string
	for _, b := range m.Buttons() {
		if rest, ok := strings.CutPrefix(b.CustomID, idReveal); ok {
			id = idCall + rest
		}
	}
	pub := f.reply(f.Send(f.Mention(discordtest.Mallory, discordtest.Lobby, "how long?")), "30 days")
	f.Send(f.ClickStale(discordtest.Mallory, pub, id))
	f.wait("a response", func() bool { return len(f.Ephemerals(discordtest.Mallory)) > 0 })
	f.idle()
	for _, p := range f.Posts(discordtest.Help) {
		t.Errorf("shown to others by another: %s", p.Plain())
	}
}

// A person can be asked about each answer that was shared.
func TestHandoffOfTwoShares(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	for _, q := range []string{"how long?", "how wide?"} {
		f.Send(f.Ask(discordtest.Alice, discordtest.General, q, true))
		m := f.whisper(discordtest.Alice, q, "30 days")
		f.Send(f.Click(discordtest.Alice, m, idShare))
		shared, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool {
			return strings.Contains(m.Plain(), q) && strings.Contains(m.Plain(), "asked")
		})
		if err != nil {
			t.Fatal(err)
		}
		f.idle()
		f.Send(f.Click(discordtest.Bob, shared, idPerson))
		if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return len(m.Pinged()) > 0 && strings.Contains(m.Plain(), q) }); err != nil {
			t.Fatalf("nobody is called for %q: %v", q, f.Ephemerals(discordtest.Bob))
		}
	}
}

// Who shares what not everyone may see is told in private.
func TestShareRefusedIsToldInPublic(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Ask(discordtest.Alice, discordtest.Staff, "how long?", true))
	m := f.whisper(discordtest.Alice, "As public+staff")
	f.idle()
	f.discord.cfg.Rules.Channels[discordtest.Staff] = Channel{Audience: []string{"public"}} // as after a reload or restart
	f.Send(f.Click(discordtest.Alice, m, idShare))
	f.wait("the note", func() bool {
		return len(f.Posts(discordtest.Staff))+len(f.Posts(discordtest.DirectOf(discordtest.Alice))) > 0 || len(f.Ephemerals(discordtest.Alice)) > 2
	})
	for _, p := range f.Posts(discordtest.Staff) {
		t.Errorf("all read: %s", p.Plain())
	}
}

// In direct messages a mention is part of the conversation, too.
func TestMentionInDM(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.reply(f.Send(f.DM(discordtest.Alice, "how long?")), "30 days")
	f.idle()
	m := f.reply(f.Send(f.DM(discordtest.Alice, "<@"+discordtest.BotUser+"> and for boots?")), "for boots")
	if !strings.Contains(m.Plain(), "After") {
		t.Errorf("it has forgotten: %s", m.Plain())
	}
}

// A form about somebody else's private answer is as forged as a button of it.
func TestForgedModal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", true))
	turn := turnOf(f.whisper(discordtest.Alice, "30 days"))
	bobs := f.reply(f.Send(f.Ask(discordtest.Bob, discordtest.General, "how wide?", false)), "how wide?")
	f.idle()
	f.Send(f.Click(discordtest.Bob, bobs, idBad))
	f.wait("the form", func() bool { _, open := f.Modal(discordtest.Bob); return open })
	act := f.Submit(discordtest.Bob, map[string]string{inputComment: "forged"})
	act.Events[0].Data["data"].(map[string]any)["custom_id"] = idWhy + turn
	f.Send(act)
	f.whisper(discordtest.Bob, sayNotKnown)
	n, err := strconv.ParseInt(turn, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.ledger.Feedback(t.Context(), n)
	if err != nil || len(got) > 0 {
		t.Errorf("Bob's words about Alice's private answer are kept: %+v, %v", got, err)
	}
}
