package discord

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat/discord/discordtest"
)

// Whatever goes wrong on the way, each question has one answer in the end.
func TestPostsDespiteFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]discordtest.Fault{
		"429":                 discordtest.RateLimited(200 * time.Millisecond),
		"429, shared":         {RetryAfter: 200 * time.Millisecond, Shared: true},
		"429, all routes":     {RetryAfter: time.Second, Global: true},
		"lost after it":       discordtest.Lost(),
		"dropped before it":   discordtest.Dropped(),
		"bad gateway":         discordtest.BadGateway(),
		"bad gateway, but it": {Status: 502, HTML: true, Do: true},
		"internal error":      {Status: 500, Do: true},
		"slow":                {Delay: 700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.begin()
			f.Fail(discordtest.CreateMessage, 2, fault)
			f.Fail(discordtest.EditOriginal, 2, fault)
			f.Fail(discordtest.CreateFollowup, 2, fault)
			mention := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
			ask := f.Send(f.Ask(discordtest.Bob, discordtest.Help, "tell me at length", false))
			private := f.Send(f.Ask(discordtest.Bob, discordtest.Help, "how wide?", true))
			f.reply(mention, `"how long?"`)
			f.reply(ask, "Statement 39")
			f.reply(private, `"how wide?"`)
			f.idle()
			f.replies(mention, 1)
			f.replies(private, 1)
			f.replies(ask, len(pagesOf(f, ask)))
			if doubles := doubled(f.Replies(ask)); len(doubles) > 0 {
				t.Errorf("said twice: %q", doubles)
			}
		})
	}
}

// pagesOf are the distinct texts of an act's replies.
func pagesOf(f *fixture, act *discordtest.Act) map[string]bool {
	texts := map[string]bool{}
	for _, m := range f.Replies(act) {
		texts[m.Plain()] = true
	}
	return texts
}

func doubled(messages []discordtest.Message) (doubles []string) {
	seen := map[string]bool{}
	for _, m := range messages {
		if seen[m.Plain()] {
			doubles = append(doubles, m.Plain())
		}
		seen[m.Plain()] = true
	}
	return doubles
}

// A page in front of Discord that shuts us out for a while is waited for, and no storm.
func TestBanned(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(discordtest.CreateMessage, 1, discordtest.Banned())
	act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	f.wait("the ban", func() bool { return f.discord.rest.held("POST /anything") != nil })
	other := f.Send(f.Mention(discordtest.Alice, discordtest.Help, "how wide?"))
	time.Sleep(300 * time.Millisecond) // for more calls, which there are none of
	if n := f.Calls(discordtest.CreateMessage); n != 1 {
		t.Errorf("%d posts were tried", n)
	}
	f.replies(act, 0)
	f.replies(other, 0)
}

// One channel's limit is none of another's.
func TestLimitOfOneChannelDelaysNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(discordtest.CreateMessage, 1, discordtest.Fault{Channel: discordtest.General, RetryAfter: 3 * time.Second})
	slow := f.Send(f.Mention(discordtest.Alice, discordtest.General, "slow?"))
	f.wait("the limit", func() bool { return f.Calls(discordtest.CreateMessage) == 1 })
	f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.Help, "fast?")), "fast?")
	f.replies(slow, 0)
	f.reply(slow, "slow?")
}

// Where the bot may not post, who asked gets the answer, and others nothing.
func TestPlacesThatRefuse(t *testing.T) {
	t.Parallel()
	for name, alter := range map[string]func(*discordtest.Channel){
		"send":    func(c *discordtest.Channel) { c.NoSend = true },
		"threads": func(c *discordtest.Channel) { c.NoThreads = true },
		"locked":  func(c *discordtest.Channel) { c.Locked, c.Archived = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.begin()
			where := discordtest.General
			if name == "threads" || name == "locked" {
				where = discordtest.Thread
			}
			act := f.Mention(discordtest.Alice, where, "how long?")
			f.Alter(where, alter)
			f.SendEvents(act.Events...)
			m, err := f.AwaitPost(f.ctx, discordtest.DirectOf(discordtest.Alice), func(m discordtest.Message) bool { return strings.Contains(m.Plain(), "how long?") })
			if err != nil || !strings.Contains(m.Plain(), sayElsewhere) {
				t.Errorf("%v\n%s\n%s", err, m.Plain(), f.log)
			}
			f.idle()
			if n := len(f.Posts(where)); n > 0 {
				t.Errorf("%d posts where it may not", n)
			}
		})
	}
}

// Whoever takes no direct messages either is not pursued.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Mention(discordtest.Alice, discordtest.General, "how long?")
	f.Alter(discordtest.General, func(c *discordtest.Channel) { c.NoSend = true })
	f.Alter(discordtest.DirectOf(discordtest.Alice), func(c *discordtest.Channel) { c.Refuses = true })
	f.SendEvents(act.Events...)
	f.wait("giving up", func() bool { return strings.Contains(f.log.String(), "an answer could not be posted") })
	f.idle()
	if n := f.Calls(discordtest.CreateMessage); n > 2 {
		t.Errorf("%d posts were tried", n)
	}
}

// Without leave to read what was said before, an answer is no reply but still there.
func TestWithoutHistory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Mention(discordtest.Alice, discordtest.General, "how long?")
	f.Alter(discordtest.General, func(c *discordtest.Channel) { c.NoHistory = true })
	f.SendEvents(act.Events...)
	if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), "how long?") }); err != nil {
		t.Error(err)
	}
}

// Where the bot may not embed links Discord drops the list of sources; it is told in words.
func TestWithoutEmbeds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Alter(discordtest.General, func(c *discordtest.Channel) { c.NoEmbeds = true })
	act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	m := f.reply(act, "30 days", "[1] Returns")
	if len(m.Buttons()) == 0 || !strings.Contains(f.log.String(), "Embed Links") {
		t.Errorf("%d buttons; %s", len(m.Buttons()), f.log)
	}
	f.idle()
	f.replies(act, 1)
	f.reply(f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false)), "Sources") // a response may always
}

// A message in a form that Discord does not take is sent in words.
func TestFormThatIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(discordtest.CreateMessage, 1, discordtest.Refused(400, 50035))
	f.Fail(discordtest.EditOriginal, 1, discordtest.Refused(400, 50035))
	for _, act := range []*discordtest.Act{
		f.Mention(discordtest.Alice, discordtest.General, "how long?"), f.Ask(discordtest.Alice, discordtest.General, "how long?", false),
	} {
		m := f.reply(f.Send(act), "30 days", "[1]", "Returns")
		if len(m.Embeds)+len(m.Components) > 0 {
			t.Errorf("sent again in the form that was refused: %+v", m)
		}
	}
}

// Interactions whose response does not arrive, or arrives when it is too late.
func TestResponsesThatFail(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]discordtest.Fault{
		"lost after it":     discordtest.Lost(),
		"dropped before it": discordtest.Dropped(),
		"10062":             discordtest.Refused(404, 10062),
		"40060":             {Status: 400, Code: 40060, Do: true},
		"429":               discordtest.RateLimited(200 * time.Millisecond),
		"bad gateway":       discordtest.BadGateway(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.alter = func(d *Discord) { d.settleWithin = 500 * time.Millisecond }
			f.begin()
			f.Fail(discordtest.Callback, 1, fault)
			f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
			if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), `"how long?"`) }); err != nil {
				t.Fatalf("%v\n%s", err, f.log)
			}
			f.idle()
			if posts := f.Posts(discordtest.General); len(posts) != 1 {
				t.Errorf("%d posts", len(posts))
			}
		})
	}
}

// What nobody understands harms nothing.
func TestOddEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	for kind, all := range map[string][]map[string]any{
		"MESSAGE_CREATE": {
			{}, {"id": "1", "type": 0}, {"id": 7, "content": []any{}}, {"id": "1", "type": 0, "author": nil, "mentions": nil},
			{"id": "1", "type": 0, "channel_id": discordtest.General, "author": map[string]any{"id": discordtest.Alice}, "mentions": "x"},
		},
		"MESSAGE_UPDATE": {{}, {"id": "1", "edited_timestamp": "now"}}, "MESSAGE_DELETE": {{}, {"id": "1"}}, "MESSAGE_DELETE_BULK": {{"ids": []any{"1", 2}}},
		"THREAD_CREATE": {{}, {"id": nil}}, "GUILD_CREATE": {{}, {"channels": "x"}}, "CHANNEL_DELETE": {{}}, "WHO_KNOWS": {{"a": 1}},
		"INTERACTION_CREATE": {
			{}, {"id": "1", "token": "t", "type": 2}, {"id": "2", "token": "t", "type": 3, "member": map[string]any{}}, {"id": "3", "token": "t", "type": 99, "user": map[string]any{"id": "5"}},
			{"id": "4", "token": "t", "type": 5, "data": nil, "user": map[string]any{"id": "5"}}, {"id": "5", "token": "t", "type": 2, "data": map[string]any{"name": "ask"}, "user": map[string]any{"id": "5"}},
			{"id": "6", "token": "t", "type": 2, "data": map[string]any{"name": "Answer this", "target_id": "9"}, "user": map[string]any{"id": "5"}}, {"id": "7", "type": "x"},
		},
	} {
		for _, data := range all {
			f.Send(f.Inner(kind, discordtest.Guild, data))
		}
	}
	f.Tolerate = true // callbacks of interactions that the fake never made
	odd := f.Say(discordtest.Saying{User: discordtest.Alice, Channel: discordtest.General, Text: "how long?", Mention: true, More: map[string]any{
		"components": []any{map[string]any{"type": 9999, "components": "x"}}, "embeds": "x", "poll": 7,
	}})
	f.Send(odd)
	f.reply(odd, "how long?")
	f.silent()
	if strings.Contains(f.log.String(), "panic") {
		t.Error(f.log)
	}
}

// A hundred interactions and thirty connections leave nothing behind.
func TestNothingPilesUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	for range 30 {
		_, begun, resumed := f.Sessions()
		f.conn().Reconnect()
		f.wait("the session again", func() bool {
			ready, identified, again := f.Sessions()
			return ready > 0 && identified+again > begun+resumed
		})
	}
	for range 100 {
		if _, err := f.AwaitCallback(f.ctx, f.Send(f.Autocomplete(discordtest.Alice, discordtest.General, "ret"))); err != nil {
			t.Fatal(err)
		}
	}
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	f.reply(act, "how long?")
	f.idle()
	f.stop()
	if n := len(f.discord.rest.holds); n > 5 {
		t.Errorf("%d waits are kept: %s", n, fmt.Sprint(f.discord.rest.holds))
	}
}
