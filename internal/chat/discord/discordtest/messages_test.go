package discordtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPostsAndEdits(t *testing.T) {
	s := quiet(t)
	c := dial(t, s)
	c.enter(s)
	act := s.Send(s.Mention(Alice, General, "how long?"))
	status, got := do(t, s, "POST", "/channels/"+General+"/messages", messageJSON("14 days", reference(act.Message, false)))
	if status != 200 || text(object(got)["id"]) == "" {
		t.Fatal(status, got)
	}
	m, err := s.AwaitReply(timely(t), act, nil)
	if err != nil || m.Plain() != "14 days" || m.Type != Reply || m.Channel != General {
		t.Error(m, err)
	}
	do(t, s, "PATCH", "/channels/"+General+"/messages/"+m.ID, `{"content":"15 days","allowed_mentions":{"parse":[]}}`)
	m, _ = s.Message(General, m.ID)
	if diff := cmp.Diff([]any{"15 days", true, []string{"14 days"}}, []any{m.Plain(), m.Edited, m.History}); diff != "" {
		t.Error(diff)
	}
	if c.event("MESSAGE_UPDATE")["content"] != "15 days" {
		t.Error("the edit is not told")
	}
	if diff := cmp.Diff(map[int]int{1: 1}, s.Tally()); diff != "" {
		t.Error(diff)
	}
	if status, _ := do(t, s, "DELETE", "/channels/"+General+"/messages/"+m.ID, ""); status != 204 || len(s.Posts(General)) != 0 {
		t.Error(status, s.Posts(General))
	}
	if got := c.event("MESSAGE_DELETE")["id"]; got != m.ID {
		t.Error(got)
	}
	if diff := cmp.Diff(map[int]int{0: 1}, s.Tally()); diff != "" {
		t.Error(diff)
	}
}

func reference(id string, must bool) string {
	return fmt.Sprintf(`"message_reference":{"message_id":%q,"fail_if_not_exists":%t}`, id, must)
}

func TestNonceIsEnforced(t *testing.T) {
	s := quiet(t)
	post := func() any {
		_, got := do(t, s, "POST", "/channels/"+General+"/messages", messageJSON("once"))
		return object(got)["id"]
	}
	first := post()
	if second := post(); first != second || len(s.Posts(General)) != 1 {
		t.Errorf("%v then %v: %v", first, second, s.Posts(General))
	}
	s.ForgetNonces()
	if third := post(); third == first || len(s.Posts(General)) != 2 {
		t.Error("a forgotten nonce is still enforced")
	}
}

// What a channel does not allow has the code that Discord gives it.
func TestRefusesByPermission(t *testing.T) {
	post := func(channel string, more ...string) func(*Server) (string, string, string) {
		return func(*Server) (string, string, string) {
			return "POST", "/channels/" + channel + "/messages", messageJSON("hello", more...)
		}
	}
	for _, c := range []struct {
		name   string
		where  string
		alter  func(*Channel)
		do     func(*Server) (method, path, body string)
		status int
		code   string
	}{
		{"no sending", General, func(c *Channel) { c.NoSend = true }, post(General), 403, "50013"},
		{"no sending in threads", General, func(c *Channel) { c.NoThreads = true }, post(Thread), 403, "50013"},
		{"no sending in this thread", Thread, func(c *Channel) { c.NoThreads = true }, post(Thread), 403, "50013"},
		{"hidden", General, func(c *Channel) { c.Hidden = true }, post(General), 403, "50001"},
		{"no history", General, func(c *Channel) { c.NoHistory = true }, post(General, reference("1", false)), 400, "160002"},
		{"a locked thread", Thread, func(c *Channel) { c.Locked = true }, post(Thread), 400, "160005"},
		{"a direct message refused", DirectOf(Alice), func(c *Channel) { c.Refuses = true }, post(DirectOf(Alice)), 403, "50007"},
		{"a forum", Forum, nil, post(Forum), 400, "50008"},
		{"no such channel", "", nil, post("1310000005000009999"), 404, "10003"},
		{"a reply to nothing", "", nil, post(General, reference("1310000005000009999", true)), 400, "50035"},
		{"no such message", "", nil, func(*Server) (string, string, string) {
			return "GET", "/channels/" + General + "/messages/1310000005000009999", ""
		}, 404, "10008"},
		{"another's message", "", nil, func(s *Server) (string, string, string) {
			return "PATCH", "/channels/" + General + "/messages/" + s.Chat(Alice, General, "mine").Message, `{"content":"x","allowed_mentions":{"parse":[]}}`
		}, 403, "50005"},
		{"an archived thread is not edited", Thread, func(c *Channel) { c.Archived = true }, func(s *Server) (string, string, string) {
			return "PATCH", "/channels/" + Thread + "/messages/" + s.Posts(Thread)[0].ID, `{"content":"x","allowed_mentions":{"parse":[]}}`
		}, 400, "50083"},
		{"no such guild", "", nil, func(*Server) (string, string, string) { return "GET", "/guilds/1310000005000009999", "" }, 404, "10004"},
		{"no such member", "", nil, func(*Server) (string, string, string) { return "GET", "/guilds/" + Guild + "/members/" + Mallory, "" }, 404, "10007"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			s.Tolerate = true
			do(t, s, "POST", "/channels/"+Thread+"/messages", messageJSON("mine"))
			if c.alter != nil {
				s.Alter(c.where, c.alter)
			}
			method, path, body := c.do(s)
			status, got := do(t, s, method, path, body)
			if status != c.status || fmt.Sprint(object(got)["code"]) != c.code {
				t.Errorf("%d %v, want %d %s", status, got, c.status, c.code)
			}
		})
	}
}

func TestSoftReferenceToNothing(t *testing.T) {
	s := quiet(t)
	act := s.Mention(Alice, General, "?")
	s.Delete(General, act.Message)
	status, _ := do(t, s, "POST", "/channels/"+General+"/messages", messageJSON("hello", reference(act.Message, false)))
	if m := s.Posts(General); status != 200 || len(m) != 1 || m[0].ReplyTo != "" || m[0].Type != Default {
		t.Error(status, m)
	}
}

func TestEmbedsNeedPermission(t *testing.T) {
	s := quiet(t)
	s.Alter(General, func(c *Channel) { c.NoEmbeds = true })
	do(t, s, "POST", "/channels/"+General+"/messages", messageJSON("words", `"embeds":[{"title":"Sources"}]`))
	if m := s.Posts(General); len(m) != 1 || len(m[0].Embeds) != 0 {
		t.Error(m)
	}
	i := s.Send(s.Ask(Alice, General, "?", false))
	respond(t, s, i, `{"type":4,"data":{"content":"words","embeds":[{"title":"Sources"}],"allowed_mentions":{"parse":[]}}}`)
	if m := s.Replies(i); len(m) != 1 || len(m[0].Embeds) != 1 {
		t.Error("the embeds of an interaction's response are dropped", m)
	}
}

// A message wakes an archived thread.
func TestArchivedThreadWakes(t *testing.T) {
	s := quiet(t)
	s.Alter(Thread, func(c *Channel) { c.Archived = true })
	if status, got := do(t, s, "POST", "/channels/"+Thread+"/messages", messageJSON("hello")); status != 200 {
		t.Fatal(status, got)
	}
	_, got := do(t, s, "GET", "/channels/"+Thread, "")
	if object(object(got)["thread_metadata"])["archived"] != false {
		t.Error(got)
	}
}

func TestPagesThroughHistory(t *testing.T) {
	s := quiet(t)
	s.PrivilegedContent = true
	var ids []string
	for n := range 10 {
		ids = append(ids, s.Chat(Alice, General, fmt.Sprint(n)).Message)
	}
	for _, c := range []struct{ query, want string }{
		{"", "9876543210"}, {"?limit=3", "987"}, {"?limit=3&before=" + ids[3], "210"}, {"?limit=3&after=" + ids[3], "654"},
		{"?limit=4&around=" + ids[5], "6543"}, {"?after=" + ids[9], ""},
	} {
		_, got := do(t, s, "GET", "/channels/"+General+"/messages"+c.query, "")
		read := ""
		for _, m := range objects(got) {
			read += text(m["content"])
		}
		if read != c.want {
			t.Errorf("%s: %q, want %q", c.query, read, c.want)
		}
	}
	s.PrivilegedContent = false
	_, got := do(t, s, "GET", "/channels/"+General+"/messages?limit=1", "")
	if text(objects(got)[0]["content"]) != "" {
		t.Error("others' content is shown without the intent")
	}
	s.Alter(General, func(c *Channel) { c.NoHistory = true })
	if _, got = do(t, s, "GET", "/channels/"+General+"/messages", ""); len(list(got)) != 0 {
		t.Error("history is shown without permission")
	}
}

func TestTyping(t *testing.T) {
	s := quiet(t)
	do(t, s, "POST", "/channels/"+General+"/typing", "")
	if !s.Typing(General) || s.Typing(Help) {
		t.Error("the bot does not seem to type")
	}
	do(t, s, "POST", "/channels/"+General+"/messages", messageJSON("hello"))
	if s.Typing(General) {
		t.Error("a post does not end it")
	}
}

func TestThreadsAndForums(t *testing.T) {
	s := quiet(t)
	c := dial(t, s)
	c.enter(s)
	root := s.Chat(Alice, General, "a question")
	th := s.Send(s.StartThread(Bob, General, root.Message, "about it"))
	if e := c.event("THREAD_CREATE"); e["id"] != root.Message || e["parent_id"] != General || e["newly_created"] != true {
		t.Errorf("%v", e)
	}
	do(t, s, "POST", "/channels/"+th.Thread+"/messages", messageJSON("in the thread"))
	if got := s.Posts(th.Thread); len(got) != 1 {
		t.Error(got)
	}
	post := s.Send(s.ForumPost(Alice, Forum, "Shoes", "How long?"))
	if e := c.event("THREAD_CREATE"); e["parent_id"] != Forum || e["name"] != "Shoes" {
		t.Errorf("%v", e)
	}
	if e := c.event("MESSAGE_CREATE"); post.Thread != post.Message {
		t.Error(e)
	}
	s.AlterWorld(Guild, func(w *World) { w.Everyone &^= StartThreads })
	if status, got := do(t, s, "POST", "/channels/"+General+"/threads", `{"name":"x","type":11}`); status != 403 {
		t.Error("the bot may not start threads", status, got)
	}
}

// A World is looked up as the vendor documents it.
func TestLookups(t *testing.T) {
	s := quiet(t)
	s.InteractionsURL = "https://bot.example/discord/interactions"
	for _, c := range []struct{ path, has string }{
		{"/users/@me", BotUser}, {"/applications/@me", `"flags":0`}, {"/applications/@me", s.PublicKey()}, {"/applications/@me", s.InteractionsURL},
		{"/oauth2/applications/@me", App}, {"/users/@me/guilds", Foreign}, {"/guilds/" + Guild, "Citebot HQ"}, {"/guilds/" + Guild + "/roles", Helpers},
		{"/guilds/" + Guild + "/channels", `"deny":"1024"`}, {"/guilds/" + Guild + "/members/" + BotUser, BotRole}, {"/channels/" + Staff, `"name":"staff"`},
	} {
		if status, got := do(t, s, "GET", c.path, ""); status != 200 || !strings.Contains(string(encode(got)), c.has) {
			t.Errorf("%s: %d %s has no %s", c.path, status, encode(got), c.has)
		}
	}
	status, got := do(t, s, "POST", "/users/@me/channels", `{"recipient_id":"`+Alice+`"}`)
	if status != 200 || object(got)["id"] != DirectOf(Alice) {
		t.Error(status, got)
	}
	s.Send(s.Leave(Foreign))
	if status, _ := do(t, s, "GET", "/guilds/"+Foreign, ""); status != http.StatusForbidden {
		t.Error(status)
	}
}

func TestWantsTheToken(t *testing.T) {
	s := quiet(t)
	s.Revoke()
	if status, _ := do(t, s, "GET", "/users/@me", ""); status != 401 || s.Invalid() != 1 {
		t.Error(status, s.Invalid())
	}
	c := dial(t, s)
	c.op(opHello)
	c.say(opIdentify, identity(s))
	if got := c.code(); got != AuthenticationFailed {
		t.Error(got)
	}
}

func TestRegistersCommands(t *testing.T) {
	s := quiet(t)
	path := "/applications/" + App + "/commands"
	put := func(names ...string) []Command {
		var all []string
		for _, n := range names {
			all = append(all, `{"name":"`+n+`","description":"d","contexts":[0,1],"integration_types":[0]}`)
		}
		if status, got := do(t, s, "PUT", path, "["+strings.Join(all, ",")+"]"); status != 200 {
			t.Fatal(status, got)
		}
		return s.Commands("")
	}
	first := put("ask", "old")
	second := put("ask", "kb")
	if first[0].ID != second[0].ID || second[1].Name() != "kb" || len(second) != 2 {
		t.Errorf("%v then %v", first, second)
	}
	if _, got := do(t, s, "GET", path, ""); len(list(got)) != 2 || objects(got)[0]["application_id"] != App {
		t.Error(got)
	}
	i := s.Ask(Alice, General, "?", false)
	if got := object(i.Events[0].Data["data"])["id"]; got != second[0].ID {
		t.Errorf("the interaction is of command %v", got)
	}
	s.See(func(st *State) {
		if st.Overwrites("") != 2 || st.Overwrites(Guild) != 0 {
			t.Error(st.Overwrites(""))
		}
	})
}
