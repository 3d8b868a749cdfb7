package discordtest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

func TestIdentifies(t *testing.T) {
	s := quiet(t)
	c := dial(t, s)
	ready := c.enter(s)
	if text(object(ready["user"])["id"]) != BotUser || text(object(ready["application"])["id"]) != App || text(ready["resume_gateway_url"]) == "" {
		t.Errorf("READY is %v", ready)
	}
	guild := c.event("GUILD_CREATE")
	if text(guild["id"]) != Guild || len(list(guild["channels"])) != 4 || len(list(guild["threads"])) != 1 || len(list(guild["roles"])) != 4 {
		t.Errorf("GUILD_CREATE is %v", guild)
	}
	if text(c.event("GUILD_CREATE")["id"]) != Foreign {
		t.Error("the other server is not told")
	}
	if _, identified, _ := s.Sessions(); identified != 1 {
		t.Error(identified)
	}
}

func TestRefusesIdentify(t *testing.T) {
	for _, c := range []struct {
		name  string
		alter func(map[string]any)
		want  int
	}{
		{"a wrong token", func(d map[string]any) { d["token"] = "x.y.z" }, AuthenticationFailed},
		{"a shard beyond", func(d map[string]any) { d["shard"] = []int{2, 2} }, InvalidShard},
		{"no intents", func(d map[string]any) { delete(d, "intents") }, InvalidIntents},
		{"unknown intents", func(d map[string]any) { d["intents"] = 1 << 30 }, InvalidIntents},
		{"content", func(d map[string]any) { d["intents"] = IntentContent }, DisallowedIntents},
		{"members", func(d map[string]any) { d["intents"] = IntentMembers }, DisallowedIntents},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			b := dial(t, s)
			b.op(opHello)
			d := identity(s)
			c.alter(d)
			b.say(opIdentify, d)
			if got := b.code(); got != c.want {
				t.Errorf("closed with %d, want %d", got, c.want)
			}
		})
	}
}

func TestRefusesWhatIsNoPayload(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		want        int
		violation   string
	}{
		{"no JSON", `{`, DecodeError, "no payload"},
		{"an unknown opcode", `{"op":99,"d":null}`, UnknownOpcode, "opcode 99"},
		{"presence before identify", `{"op":3,"d":{}}`, NotAuthenticated, ""},
		{"resume with another token", `{"op":6,"d":{"token":"x","session_id":"y","seq":1}}`, AuthenticationFailed, ""},
		{"no properties", `{"op":2,"d":{"token":"x","intents":1}}`, DecodeError, "without properties"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			s.Tolerate = true
			b := dial(t, s)
			b.op(opHello)
			if err := b.ws.WriteMessage(websocket.TextMessage, []byte(c.frame)); err != nil {
				t.Fatal(err)
			}
			if got := b.code(); got != c.want {
				t.Errorf("closed with %d, want %d", got, c.want)
			}
			if c.violation != "" && !has(s.Violations(), c.violation) {
				t.Errorf("violations: %q", s.Violations())
			}
		})
	}
}

// A session outlives its connection unless the bot says goodbye.
func TestResumes(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*Server, *client)
		lost bool
	}{
		{"a reset", func(s *Server, _ *client) { s.Conns()[0].Reset() }, false},
		{"the bot's 4900", func(_ *Server, c *client) { c.close(4900) }, false},
		{"the bot's 1000", func(_ *Server, c *client) { c.close(1000) }, true},
		{"the bot's 1001", func(_ *Server, c *client) { c.close(1001) }, true},
		{"Discord's 4000", func(s *Server, _ *client) { s.Conns()[0].Close(UnknownError) }, false},
		{"Discord's 4009", func(s *Server, _ *client) { s.Conns()[0].Close(SessionTimedOut) }, true},
		{"Op 7", func(s *Server, c *client) { s.Conns()[0].Reconnect(); c.op(opReconnect); c.close(4900) }, false},
		{"Op 9", func(s *Server, c *client) { s.Conns()[0].Invalidate(false); c.op(opInvalidSession); c.close(4900) }, true},
		{"silence", func(s *Server, c *client) { s.Conns()[0].Deafen(); c.ws.Close() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			b := dial(t, s)
			ready := b.enter(s)
			b.event("GUILD_CREATE")
			b.event("GUILD_CREATE")
			c.end(s, b)
			if err := s.Await(timely(t), func(st *State) bool { return st.open == 0 }); err != nil {
				t.Fatal(err)
			}
			s.Send(s.Mention(Alice, General, "are you there?"))
			again := dialAt(t, text(ready["resume_gateway_url"]))
			again.resume(s, ready["session_id"], 3)
			if c.lost {
				if f := again.op(opInvalidSession); f.D != false {
					t.Errorf("%+v", f)
				}
				return
			}
			if got := text(again.event("MESSAGE_CREATE")["content"]); got != "<@"+BotUser+"> are you there?" {
				t.Errorf("the missed message is %q", got)
			}
			again.event("RESUMED")
			if conn := s.Conns()[0]; !conn.Resumed || !conn.AtHome {
				t.Errorf("%+v", conn)
			}
		})
	}
}

func TestResumeBeyondTheSequence(t *testing.T) {
	s := quiet(t)
	b := dial(t, s)
	ready := b.enter(s)
	b.close(4900)
	again := dial(t, s)
	again.resume(s, ready["session_id"], 99)
	if got := again.code(); got != InvalidSeq {
		t.Errorf("closed with %d", got)
	}
}

func TestMisbehaves(t *testing.T) {
	for _, c := range []struct {
		name string
		m    Mischief
		want func(*testing.T, *Server, *client)
	}{
		{"Op 7 instead of READY", Mischief{Reconnect: true}, func(_ *testing.T, s *Server, c *client) {
			c.op(opHello)
			c.say(opIdentify, identity(s))
			c.op(opReconnect)
		}},
		{"Op 9 instead of READY, then READY", Mischief{Invalid: true, Resumable: true}, func(t *testing.T, s *Server, c *client) {
			c.op(opHello)
			c.say(opIdentify, identity(s))
			if f := c.op(opInvalidSession); f.D != true {
				t.Errorf("%+v", f)
			}
			c.say(opIdentify, identity(s))
			c.event("READY")
		}},
		{"a close instead of READY", Mischief{Close: TooManySends}, func(t *testing.T, s *Server, c *client) {
			c.op(opHello)
			c.say(opIdentify, identity(s))
			if got := c.code(); got != TooManySends {
				t.Errorf("closed with %d", got)
			}
		}},
		{"garbage", Mischief{Garbage: "{oops"}, func(t *testing.T, s *Server, c *client) {
			if f := c.op(-1); f.T != "{oops" {
				t.Errorf("%+v", f)
			}
			c.enter(s)
		}},
		{"a slow READY", Mischief{SlowReady: 80 * time.Millisecond}, func(t *testing.T, s *Server, c *client) {
			begin := time.Now()
			c.enter(s)
			if time.Since(begin) < 80*time.Millisecond {
				t.Error("it came at once")
			}
		}},
		{"deaf", Mischief{Deaf: true}, func(t *testing.T, s *Server, c *client) {
			c.op(opHello)
			c.say(opIdentify, identity(s))
			c.wantSilence()
		}},
		{"no HELLO", Mischief{NoHello: true}, func(_ *testing.T, _ *Server, c *client) { c.wantSilence() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			s.Misbehave(1, c.m)
			c.want(t, s, dial(t, s))
			dial(t, s).enter(s) // the next one is well
		})
	}
}

// wantSilence waits a moment for nothing.
func (c *client) wantSilence() {
	c.t.Helper()
	select {
	case f := <-c.frames:
		c.t.Errorf("%+v", f)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestRefusesConnections(t *testing.T) {
	s := quiet(t)
	s.Misbehave(1, Mischief{Refuse: 429})
	s.Fail(Connect, 1, Fault{Status: 503})
	for _, want := range []int{503, 429} {
		_, resp, err := websocket.DefaultDialer.Dial(s.gatewayURL(gatewayPath)+"?v=9&encoding=json", nil)
		if err == nil || resp.StatusCode != want {
			t.Errorf("%v %v", resp, err)
		}
	}
	s.Behave()
	dial(t, s).enter(s)
	if s.Calls(Connect) != 3 {
		t.Error(s.Calls(Connect))
	}
}

func TestAcknowledgesHeartbeats(t *testing.T) {
	s := quiet(t)
	c := dial(t, s)
	c.enter(s)
	c.event("GUILD_CREATE")
	c.event("GUILD_CREATE")
	c.say(opHeartbeat, 3)
	c.op(opHeartbeatAck)
	s.Conns()[0].AskHeartbeat()
	c.op(opHeartbeat)
	s.Conns()[0].Raw(`{"op":0,"t":"ODD","s":9,"d":null}`)
	if f := c.op(opDispatch); f.T != "ODD" {
		t.Errorf("%+v", f)
	}
	s.Misbehave(1, Mischief{NoAcks: true})
	d := dial(t, s)
	d.enter(s)
	d.event("GUILD_CREATE")
	d.event("GUILD_CREATE")
	d.say(opHeartbeat, nil)
	d.wantSilence()
	if s.Conns()[1].Heartbeats() != 1 {
		t.Error("the heartbeat was not counted")
	}
}

func TestWantsHeartbeats(t *testing.T) {
	s := New(t)
	s.Tolerate, s.HeartbeatInterval = true, 5*time.Millisecond
	c := dial(t, s)
	c.enter(s)
	now := time.Now()
	for time.Since(now) < 50*time.Millisecond {
		s.Send(s.DM(Alice, "time passes"))
	}
	c.close(4900)
	if err := s.Await(timely(t), func(st *State) bool { return st.open == 0 }); err != nil {
		t.Fatal(err)
	}
	if !has(s.Violations(), "heartbeats") {
		t.Errorf("%q", s.Violations())
	}
}

// The vendor's library understands what the gateway sends.
func TestLibraryConnectsAndReconnects(t *testing.T) {
	s := New(t)
	b := connect(t, s)
	if g := next[*discordgo.GuildCreate](b); g.Name != "Citebot HQ" || len(g.Channels) != 4 || g.Members[0].User.ID != BotUser {
		t.Errorf("%+v", g.Guild)
	}
	s.Conns()[0].Reset()
	s.Send(s.Mention(Alice, General, "still there?"))
	if err := s.Await(timely(t), func(st *State) bool { return st.ready == 1 && st.ever == 2 }); err != nil {
		t.Fatal(err)
	}
	// The library closes with 1000 after an error of reading, so that its resume fails; see
	// its listen. After a reset that code does not arrive any more.
	if m := next[*discordgo.MessageCreate](b); m.Author.ID != Alice {
		t.Errorf("%+v", m.Message)
	}
	if _, identified, resumed := s.Sessions(); identified != 1 || resumed != 1 {
		t.Error(identified, resumed)
	}
}

func TestGatewayIsFound(t *testing.T) {
	s := quiet(t)
	_, got := do(t, s, "GET", "/gateway", "")
	if diff := cmp.Diff(map[string]any{"url": s.gatewayURL("/gateway")}, got); diff != "" {
		t.Error(diff)
	}
	dial(t, s).enter(s)
	_, got = do(t, s, "GET", "/gateway/bot", "")
	var left struct{ Remaining, Total int }
	if err := json.Unmarshal(encode(object(got)["session_start_limit"]), &left); err != nil || left.Remaining != left.Total-1 {
		t.Error(got, err)
	}
}
