package discordtest

import (
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/google/go-cmp/cmp"
)

// A reply that calls the bot shows it what is said; a quiet one does not.
func TestReplies(t *testing.T) {
	s := quiet(t)
	c := dial(t, s)
	c.enter(s)
	do(t, s, "POST", post, messageJSON("14 days"))
	c.event("MESSAGE_CREATE")
	mine := s.Posts(General)[0]
	for _, x := range []struct {
		ping bool
		want string
	}{{true, "and boots?"}, {false, ""}} {
		s.Send(s.Reply(Alice, General, mine.ID, "and boots?", x.ping))
		e := c.event("MESSAGE_CREATE")
		if text(e["content"]) != x.want || text(object(e["referenced_message"])["content"]) != "14 days" {
			t.Errorf("ping %t: %v", x.ping, e)
		}
	}
	s.Send(s.OwnEcho(mine))
	if e := c.event("MESSAGE_CREATE"); e["id"] != mine.ID || e["content"] != "14 days" {
		t.Errorf("%v", e)
	}
	if diff := cmp.Diff(map[int]int{0: 1}, s.Tally()); diff != "" {
		t.Error(diff)
	}
}

// Inputs within labels are what the vendor's library cannot read yet.
func TestLabelledSubmit(t *testing.T) {
	s := New(t)
	b := connect(t, s)
	act := s.Send(s.Ask(Alice, General, "?", false))
	next[*discordgo.InteractionCreate](b)
	respond(t, s, act, `{"type":9,"data":{"custom_id":"m","title":"t","components":[{"type":18,"label":"Why","component":{"type":4,"style":1,"custom_id":"comment"}}]}}`)
	s.Send(s.SubmitLabelled(Alice, map[string]string{"comment": "out of date"}))
	if i := next[*discordgo.InteractionCreate](b); i.Data != nil {
		t.Error("the library has learned to read labels")
	}
}

func TestWorldsChange(t *testing.T) {
	s := quiet(t)
	const far, room = "1310000009000000000", "1310000009000001001"
	s.AddChannel(Channel{ID: room, Guild: far, Name: "far"})
	if status, got := do(t, s, "GET", "/channels/"+room, ""); status != 403 {
		t.Error("a server that is none", status, got)
	}
	s.AddWorld(World{ID: far, Name: "Far", Everyone: Administrator})
	s.AddUser(User{ID: "1302000000000000305", Name: "Carol"})
	if status, got := do(t, s, "POST", "/channels/"+room+"/messages", messageJSON("hello")); status != 200 {
		t.Error(status, got)
	}
	c := dial(t, s)
	c.enter(s)
	s.RemoveChannel(Thread)
	if e := c.event("THREAD_DELETE"); e["id"] != Thread {
		t.Errorf("%v", e)
	}
	if status, got := do(t, s, "GET", "/channels/"+Thread, ""); status != 404 || codeIn(got) != 10003 {
		t.Error(status, got)
	}
	s.Alter(Help, func(c *Channel) { c.NoEmbeds = true })
	if e := c.event("CHANNEL_UPDATE"); e["id"] != Help || len(list(e["permission_overwrites"])) != 1 {
		t.Errorf("%v", e)
	}
	_, got := do(t, s, "POST", "/channels/"+Help+"/messages", messageJSON("x"))
	do(t, s, "PATCH", "/channels/"+Help+"/messages/"+text(object(got)["id"]), `{"content":"y","embeds":[{"title":"t"}],`+allowing+`}`)
	if m := s.Posts(Help)[0]; m.Content != "y" || len(m.Embeds) != 0 {
		t.Errorf("%+v", m)
	}
}

// With the person's own installation there is no bot in the server.
func TestUserInstallation(t *testing.T) {
	s := quiet(t)
	s.Leave(Foreign)
	act := s.Ask(Mallory, Lobby, "?", false)
	owners := object(act.Events[0].Data["authorizing_integration_owners"])
	if diff := cmp.Diff(map[string]any{"1": Mallory}, owners); diff != "" {
		t.Error(diff)
	}
}

func TestForgetsInteractions(t *testing.T) {
	s := quiet(t)
	s.Forget = true
	first := s.Ask(Alice, General, "?", false)
	for range keptInteractions {
		s.Ask(Alice, General, "?", false)
	}
	if _, ok := s.Interaction(first.Interaction); ok {
		t.Error("the first one is still there")
	}
	if diff := cmp.Diff(map[int]int{0: keptInteractions + 1}, s.Tally()); diff != "" {
		t.Error(diff)
	}
}

func TestCallbackWindow(t *testing.T) {
	clock := time.Now()
	s := quiet(t)
	s.CallbackWindow, s.Now = time.Minute, func() time.Time { return clock }
	act := s.Send(s.Ask(Alice, General, "?", false))
	clock = clock.Add(50 * time.Second)
	if status, got := respond(t, s, act, deferred); status != 204 || s.Latencies()[0] != 50*time.Second {
		t.Error(status, got, s.Latencies())
	}
}

// What was delivered over HTTP must be answered, there or by a callback.
func TestFindsUnansweredDeliveries(t *testing.T) {
	r := &recorder{TB: t}
	s := New(r)
	endpoint(t, s, `{"type":6}`)
	s.Send(s.Ask(Alice, General, "?", false))
	s.Close()
	if !has(r.lines, "answered with no callback") {
		t.Errorf("%q", r.lines)
	}
}

// Ids tell their time, and which shard they belong to.
func TestIDs(t *testing.T) {
	s := quiet(t)
	begin := time.Now().Truncate(time.Millisecond)
	a, b := s.Chat(Alice, General, "a").Message, s.Chat(Alice, General, "b").Message
	if at := TimeOf(a); at.Before(begin) || at.After(time.Now()) || !later(b, a) {
		t.Error(a, b, at)
	}
	if shardOf(Guild, 2) != 1 || shardOf(Foreign, 2) != 0 || shardOf("", 2) != 0 || shardOf(Guild, 1) != 0 {
		t.Error("the servers are on other shards")
	}
}
