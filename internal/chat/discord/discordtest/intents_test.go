package discordtest

import "testing"

func TestShardsAndIntents(t *testing.T) {
	s := quiet(t)
	shard := func(n int64, intents int64) func(map[string]any) {
		return func(d map[string]any) { d["shard"], d["intents"] = []int64{n, 2}, intents }
	}
	zero, one := dial(t, s), dial(t, s)
	zero.enter(s, shard(0, IntentDirectMessages|IntentGuilds))
	one.enter(s, shard(1, IntentMessages))
	if text(zero.event("GUILD_CREATE")["id"]) != Foreign {
		t.Error("the server of shard 0 is another")
	}
	s.Send(s.Mention(Mallory, Lobby, "not for shard 1, and not wanted by shard 0"))
	s.Send(s.Mention(Alice, General, "for shard 1"))
	direct := s.Send(s.DM(Alice, "for shard 0"))
	if got := text(one.event("MESSAGE_CREATE")["content"]); got != "<@"+BotUser+"> for shard 1" {
		t.Error(got)
	}
	if got := text(zero.event("MESSAGE_CREATE")["content"]); got != "for shard 0" || direct.Sessions != 1 {
		t.Error(got, direct.Sessions)
	}
	if !has(s.TooFast(), "identify", "shard 1") {
		t.Errorf("two identifies at once: %q", s.TooFast())
	}
}

// What others say is blank without the intent, unless it is meant for the bot.
func TestBlanksContent(t *testing.T) {
	s := quiet(t)
	c := dial(t, s)
	c.enter(s)
	content := func(act *Act) string {
		s.Send(act)
		return text(c.event("MESSAGE_CREATE")["content"])
	}
	for _, x := range []struct {
		act  *Act
		want string
	}{
		{s.Chat(Alice, General, "secret"), ""},
		{s.Mention(Alice, General, "hi"), "<@" + BotUser + "> hi"},
		{s.DM(Alice, "direct"), "direct"},
	} {
		if got := content(x.act); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
	private := s.Chat(Alice, General, "secret")
	s.Send(s.Say(Saying{User: Bob, Channel: General, Text: "look", Mention: true, ReplyTo: private.Message}))
	e := c.event("MESSAGE_CREATE")
	if text(object(e["referenced_message"])["content"]) != "" || text(e["content"]) == "" {
		t.Errorf("%v", e)
	}
	s.Send(s.AnswerThis(Bob, General, private.Message))
	data := object(c.event("INTERACTION_CREATE")["data"])
	if got := text(object(object(object(data["resolved"])["messages"])[private.Message])["content"]); got != "secret" {
		t.Errorf("the target's content is %q", got)
	}
	s.Alter(General, func(c *Channel) { c.Hidden = true })
	if a := s.Send(s.Mention(Alice, General, "unseen")); a.Sessions != 0 {
		t.Error("a hidden channel is heard")
	}
}

func TestShowsContentWithTheIntent(t *testing.T) {
	s := quiet(t)
	s.PrivilegedContent = true
	c := dial(t, s)
	c.enter(s, func(d map[string]any) { d["intents"] = intentsOfTests | IntentContent })
	s.Send(s.Chat(Alice, General, "open"))
	if got := text(c.event("MESSAGE_CREATE")["content"]); got != "open" {
		t.Error(got)
	}
}
