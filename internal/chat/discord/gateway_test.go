package discord

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat/discord/discordtest"
)

// Whatever the gateway does, the bot is back within a bounded time, and what was asked is
// answered once.
func TestGatewayRecovers(t *testing.T) {
	t.Parallel()
	for name, break_ := range map[string]func(*fixture, *discordtest.Conn){
		"Op 7":              func(_ *fixture, c *discordtest.Conn) { c.Reconnect() },
		"Op 9, resumable":   func(_ *fixture, c *discordtest.Conn) { c.Invalidate(true) },
		"Op 9":              func(_ *fixture, c *discordtest.Conn) { c.Invalidate(false) },
		"1006":              func(_ *fixture, c *discordtest.Conn) { c.Reset() },
		"zombie":            func(_ *fixture, c *discordtest.Conn) { c.Deafen() },
		"4000":              func(_ *fixture, c *discordtest.Conn) { c.Close(4000) },
		"1000":              func(_ *fixture, c *discordtest.Conn) { c.Close(1000) },
		"4007, invalid seq": func(_ *fixture, c *discordtest.Conn) { c.Close(4007) },
		"4009, timed out":   func(_ *fixture, c *discordtest.Conn) { c.Close(4009) },
		"garbage":           func(_ *fixture, c *discordtest.Conn) { c.Raw(`{"op": "x"`) },
		"null":              func(_ *fixture, c *discordtest.Conn) { c.Raw(`null`); c.Reset() },
		"unknown op":        func(_ *fixture, c *discordtest.Conn) { c.Raw(`{"op": 77, "d": [1]}`); c.Reset() },
		"heartbeat wanted":  func(_ *fixture, c *discordtest.Conn) { c.AskHeartbeat(); c.Reconnect() },
		"no HELLO":          func(f *fixture, c *discordtest.Conn) { f.Misbehave(1, discordtest.Mischief{NoHello: true}); c.Reset() },
		"Op 7 before READY": func(f *fixture, c *discordtest.Conn) {
			f.Misbehave(2, discordtest.Mischief{Reconnect: true})
			c.Reset()
		},
		"Op 9 before READY":    func(f *fixture, c *discordtest.Conn) { f.Misbehave(2, discordtest.Mischief{Invalid: true}); c.Reset() },
		"no READY":             func(f *fixture, c *discordtest.Conn) { f.Misbehave(1, discordtest.Mischief{Deaf: true}); c.Reset() },
		"upgrade refused":      func(f *fixture, c *discordtest.Conn) { f.Misbehave(2, discordtest.Mischief{Refuse: 503}); c.Reset() },
		"garbage before HELLO": func(f *fixture, c *discordtest.Conn) { f.Misbehave(1, discordtest.Mischief{Garbage: "[]"}); c.Reset() },
		"closed before READY":  func(f *fixture, c *discordtest.Conn) { f.Misbehave(2, discordtest.Mischief{Close: 4000}); c.Reset() },
		"gateway not found": func(f *fixture, c *discordtest.Conn) {
			f.Fail(discordtest.GetGateway, 2, discordtest.BadGateway())
			c.Reset()
		},
		"resumes that lead nowhere": func(f *fixture, c *discordtest.Conn) {
			f.Misbehave(maxResumes, discordtest.Mischief{Deaf: true})
			c.Reset()
		},
		"slow READY": func(f *fixture, c *discordtest.Conn) {
			f.Misbehave(1, discordtest.Mischief{SlowReady: 200 * time.Millisecond})
			c.Reset()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if name == "zombie" {
				f.HeartbeatInterval = time.Second
			}
			f.begin()
			before := f.Send(f.Mention(discordtest.Alice, discordtest.General, "before?"))
			f.reply(before, "before?")
			_, begun, resumed := f.Sessions()
			break_(f, f.conn())
			f.wait("another session", func() bool {
				ready, identified, again := f.Sessions()
				return ready > 0 && identified+again > begun+resumed
			})
			after := f.Send(f.Mention(discordtest.Bob, discordtest.Help, "after?"))
			f.reply(after, "after?")
			f.idle()
			f.replies(before, 1)
			f.replies(after, 1)
			if connected, problem := f.discord.Ready(); !connected || problem != "" {
				t.Errorf("Ready: %v, %q", connected, problem)
			}
		})
	}
}

// What is said while the connection is away arrives when the session is resumed, once.
func TestGatewayGapIsReplayed(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*discordtest.Conn){
		"Op 7": func(c *discordtest.Conn) { c.Reconnect() }, "1006": func(c *discordtest.Conn) { c.Reset() },
		"zombie": func(c *discordtest.Conn) { c.Deafen() }, "4000": func(c *discordtest.Conn) { c.Close(4000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if name == "zombie" {
				f.HeartbeatInterval = time.Second
			}
			f.begin()
			first := f.Send(f.Mention(discordtest.Alice, discordtest.General, "first?"))
			f.reply(first, "first?")
			f.Misbehave(2, discordtest.Mischief{Refuse: 503})
			away(f.conn())
			gap := []*discordtest.Act{
				f.Send(f.Mention(discordtest.Bob, discordtest.Help, "in the gap?")),
				f.Send(f.Ask(discordtest.Alice, discordtest.Help, "also there?", false)),
			}
			f.reply(gap[0], "in the gap?")
			f.reply(gap[1], "also there?")
			f.idle()
			for _, act := range append(gap, first) {
				f.replies(act, 1)
			}
			if _, identified, resumed := f.Sessions(); identified != 1 || resumed != 1 {
				t.Errorf("%d sessions, resumed %d times", identified, resumed)
			}
		})
	}
}

// A refusal that only a person can end is no storm, and says what to do.
func TestGatewayRefusals(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		4004: "DISCORD_TOKEN", 4010: "discord.shards", 4011: "discord.shards", 4012: "update the bot", 4013: "update the bot", 4014: "Message Content Intent",
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.Misbehave(-1, discordtest.Mischief{Close: code})
			f.alter = func(d *Discord) { d.times.hello, d.times.ready = 10*time.Second, 10*time.Second }
			f.start()
			f.wait("the refusal", func() bool { _, problem := f.discord.Ready(); return strings.Contains(problem, want) })
			time.Sleep(300 * time.Millisecond) // for more connections, which there are none of
			if connected, problem := f.discord.Ready(); connected || !strings.Contains(problem, want) {
				t.Errorf("Ready: %v, %q", connected, problem)
			}
			if _, ever := f.Connections(); ever != 1 {
				t.Errorf("%d connections", ever)
			}
		})
	}
}

// A channel that is to be answered unasked needs an intent that Discord may refuse.
func TestAutoAnswerNeedsAnIntent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.rules.Channels[discordtest.General] = Channel{AutoAnswer: true}
	f.start()
	f.wait("the refusal", func() bool {
		_, problem := f.discord.Ready()
		return hasWords(problem, []string{"Message Content", "auto_answer"})
	})
}

// A token that Discord takes back is a problem that is named, and hammers nothing.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Tolerate = true
	f.begin()
	f.Revoke()
	f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	f.wait("the refusal", func() bool { _, problem := f.discord.Ready(); return strings.Contains(problem, "DISCORD_TOKEN") })
	time.Sleep(200 * time.Millisecond) // for more calls
	if n := f.Calls(discordtest.CreateMessage); n > 1 {
		t.Errorf("%d posts were tried", n)
	}
}

func TestShards(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.shards = 2
	f.start()
	f.wait("two sessions", func() bool { ready, _, _ := f.Sessions(); return ready == 2 })
	here := f.Send(f.Mention(discordtest.Alice, discordtest.General, "here?"))
	there := f.Send(f.Mention(discordtest.Mallory, discordtest.Lobby, "there?"))
	f.reply(here, "here?")
	f.reply(there, "there?")
	f.reply(f.Send(f.DM(discordtest.Bob, "and directly?")), "and directly?")
	f.idle()
	f.replies(here, 1)
}

// Where a session may be resumed is Discord's to say, within its own house.
func TestResumeAt(t *testing.T) {
	for _, test := range []struct{ gateway, session, want string }{
		{"wss://gateway.discord.gg", "wss://gateway-us-east1-b.discord.gg", "wss://gateway-us-east1-b.discord.gg"},
		{"wss://gateway.discord.gg", "", "wss://gateway.discord.gg"},
		{"wss://gateway.discord.gg", "wss://discord.gg.evil.example", "wss://gateway.discord.gg"},
		{"wss://gateway.discord.gg", "ws://gateway.discord.gg", "wss://gateway.discord.gg"},
		{"ws://127.0.0.1:9001/gateway", "wss://gateway-us-east1-b.discord.gg", "ws://127.0.0.1:9001/gateway"},
		{"ws://127.0.0.1:9001/gateway", "ws://127.0.0.1:9001/resume", "ws://127.0.0.1:9001/resume"},
	} {
		if got := resumeAt(test.gateway, test.session); got != test.want {
			t.Errorf("resumeAt(%q, %q) = %q", test.gateway, test.session, got)
		}
	}
}
