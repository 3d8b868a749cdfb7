package discordtest

import (
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/google/go-cmp/cmp"
)

// respond makes the callback of an interaction.
func respond(t *testing.T, s *Server, a *Act, body string) (status int, answer any) {
	t.Helper()
	i, _ := s.Interaction(a.Interaction)
	return do(t, s, "POST", "/interactions/"+i.ID+"/"+i.Token+"/callback", body)
}

// hook makes a request with the token of an interaction.
func hook(t *testing.T, s *Server, a *Act, method, path, content string) (status int, answer any) {
	t.Helper()
	i, _ := s.Interaction(a.Interaction)
	body := ""
	if content != "" {
		body = `{"content":` + string(encode(content)) + `,"allowed_mentions":{"parse":[]}}`
	}
	return do(t, s, method, "/webhooks/"+App+"/"+i.Token+path, body)
}

const (
	deferred = `{"type":5}`
	private  = `{"type":5,"data":{"flags":64}}`
)

func codeIn(answer any) int { f, _ := object(answer)["code"].(float64); return int(f) }

func TestDeferredReply(t *testing.T) {
	s := quiet(t)
	act := s.Send(s.Ask(Alice, General, "how long?", false))
	if status, got := respond(t, s, act, deferred); status != 204 {
		t.Fatal(status, got)
	}
	if m := s.Replies(act); len(m) != 1 || !m[0].Deferred || m[0].Channel != General {
		t.Errorf("%+v", m)
	}
	hook(t, s, act, "PATCH", "/messages/@original", "14 days")
	m, err := s.AwaitReply(timely(t), act, nil)
	if err != nil || m.Plain() != "14 days" || m.Deferred || m.Edited || m.For != "" {
		t.Errorf("%+v %v", m, err)
	}
	status, got := hook(t, s, act, "POST", "?wait=true", "and more")
	if status != 200 || len(s.Replies(act)) != 2 {
		t.Error(status, s.Replies(act))
	}
	hook(t, s, act, "PATCH", "/messages/"+text(object(got)["id"]), "and less")
	i, _ := s.Interaction(act.Interaction)
	if m := s.Replies(act)[1]; m.Plain() != "and less" || !i.Edited || i.Callback != 5 || len(i.Followups) != 1 {
		t.Errorf("%+v %+v", m, i)
	}
	hook(t, s, act, "DELETE", "/messages/@original", "")
	if got := s.Replies(act); len(got) != 1 {
		t.Error(got)
	}
	if status, got := hook(t, s, act, "GET", "/messages/@original", ""); status != 404 || codeIn(got) != 10008 {
		t.Error(status, got)
	}
}

// The deferral decides who sees the reply, and the first followup fills it.
func TestDeferralFixesVisibility(t *testing.T) {
	s := quiet(t)
	act := s.Send(s.Ask(Alice, General, "how long?", true))
	respond(t, s, act, private)
	hook(t, s, act, "POST", "", "14 days")
	m, err := s.AwaitEphemeral(timely(t), Alice, nil)
	if err != nil || m.Plain() != "14 days" || len(s.Posts(General)) != 0 || len(s.Replies(act)) != 1 {
		t.Errorf("%+v %v", m, err)
	}
	hook(t, s, act, "POST", "", "for all")
	if got := s.Posts(General); len(got) != 1 || got[0].For != "" {
		t.Error("a followup without the flag is for all", got)
	}
	if i, _ := s.Interaction(act.Interaction); !i.Private {
		t.Errorf("%+v", i)
	}
}

func TestOneCallbackInTime(t *testing.T) {
	s := quiet(t)
	s.Tolerate = true
	act := s.Send(s.Ask(Alice, General, "?", false))
	if status, got := hook(t, s, act, "PATCH", "/messages/@original", "early"); status != 404 || codeIn(got) != 10015 {
		t.Error(status, got)
	}
	respond(t, s, act, deferred)
	if status, got := respond(t, s, act, deferred); status != 400 || codeIn(got) != 40060 {
		t.Error(status, got)
	}
	s.Expire(act.Interaction)
	if status, got := hook(t, s, act, "PATCH", "/messages/@original", "late"); status != 401 || codeIn(got) != 50027 {
		t.Error(status, got)
	}
	now := time.Now()
	clock := now
	later := quiet(t)
	later.Tolerate, later.Now = true, func() time.Time { return clock }
	late := later.Send(later.Ask(Alice, General, "?", false))
	clock = now.Add(4 * time.Second)
	if status, got := respond(t, later, late, deferred); status != 404 || codeIn(got) != 10062 {
		t.Error(status, got)
	}
	later.See(func(st *State) {
		if len(st.Failed(3*time.Second)) != 1 {
			t.Error("people were not told that it failed")
		}
	})
	for _, want := range []string{"answered already", "before the callback"} {
		if !has(s.Violations(), want) {
			t.Errorf("no violation %q: %q", want, s.Violations())
		}
	}
	if !has(later.Violations(), "after its delivery") {
		t.Errorf("%q", later.Violations())
	}
}

func TestButtonsAndModals(t *testing.T) {
	s := quiet(t)
	do(t, s, "POST", "/channels/"+General+"/messages", messageJSON("14 days",
		`"components":[{"type":1,"components":[{"type":2,"style":2,"label":"Not right","custom_id":"v1:bad:7"},{"type":2,"style":2,"label":"Good","custom_id":"v1:good:7"}]}]`))
	post := s.Posts(General)[0]
	click := s.Send(s.Click(Bob, post, "Not right"))
	respond(t, s, click, `{"type":9,"data":{"custom_id":"v1:why:7","title":"What was wrong?","components":[{"type":1,"components":[{"type":4,"style":2,"custom_id":"comment","label":"Why"}]}]}}`)
	modal, open := s.Modal(Bob)
	if !open || modal.Title != "What was wrong?" || len(modal.Inputs()) != 1 {
		t.Fatalf("%+v", modal)
	}
	submit := s.Send(s.Submit(Bob, map[string]string{"comment": "out of date"}))
	if _, open := s.Modal(Bob); open || submit.Message != post.ID {
		t.Error("the modal stays open")
	}
	respond(t, s, submit, `{"type":4,"data":{"content":"Thank you.","flags":64,"allowed_mentions":{"parse":[]}}}`)
	if m, err := s.AwaitEphemeral(timely(t), Bob, nil); err != nil || m.Plain() != "Thank you." {
		t.Error(m, err)
	}
	good := s.Send(s.Click(Alice, post, "v1:good:"))
	respond(t, s, good, `{"type":7,"data":{"components":[],"allowed_mentions":{"parse":[]}}}`)
	if m, _ := s.Message(General, post.ID); len(m.Buttons()) != 0 || m.Content != "14 days" {
		t.Errorf("%+v", m)
	}
	stale := s.Send(s.ClickStale(Alice, post, "v1:good:7"))
	if status, _ := respond(t, s, stale, `{"type":6}`); status != 204 {
		t.Error(status)
	}
	if got := len(s.Latencies()); got != 4 {
		t.Error(got)
	}
}

func TestAutocomplete(t *testing.T) {
	s := quiet(t)
	act := s.Send(s.Autocomplete(Alice, General, "ret"))
	respond(t, s, act, `{"type":8,"data":{"choices":[{"name":"Returns","value":"returns.md"}]}}`)
	i, err := s.AwaitCallback(timely(t), act)
	if err != nil || len(i.Choices) != 1 || i.Choices[0]["name"] != "Returns" {
		t.Error(i, err)
	}
}

func TestCallbacksFitTheirInteraction(t *testing.T) {
	s := quiet(t)
	s.Tolerate = true
	for _, c := range []struct {
		act  *Act
		body string
		want int
	}{
		{s.Autocomplete(Alice, General, "x"), deferred, 400},
		{s.Ask(Alice, General, "x", false), `{"type":6}`, 400},
		{s.Ask(Alice, General, "x", false), `{"type":8,"data":{"choices":[]}}`, 400},
		{s.Ask(Alice, General, "x", false), `{"type":4}`, 400},
		{s.KBStatus(Admin, General), private, 204},
	} {
		s.Send(c.act)
		if status, got := respond(t, s, c.act, c.body); status != c.want {
			t.Errorf("%s: %d %v", c.body, status, got)
		}
	}
}

// The vendor's library reads the interactions that people make.
func TestLibraryReadsInteractions(t *testing.T) {
	s := New(t)
	b := connect(t, s)
	said := s.Chat(Alice, General, "what about <@"+BotUser+">?")
	for _, c := range []struct {
		act  *Act
		want func(*discordgo.InteractionCreate) any
		is   any
	}{
		{s.Ask(Bob, General, "q", true), func(i *discordgo.InteractionCreate) any {
			return []any{i.ApplicationCommandData().Options[0].StringValue(), i.ApplicationCommandData().Options[1].BoolValue(), string(i.Locale), i.Member.User.ID, i.GuildID}
		}, []any{"q", true, "de", Bob, Guild}},
		{s.Ask(Alice, "", "q", false), func(i *discordgo.InteractionCreate) any {
			return []any{i.Member == nil, i.User.ID, i.ChannelID, i.Context}
		}, []any{true, Alice, DirectOf(Alice), discordgo.InteractionContextBotDM}},
		{s.Sources(Alice, General, "returns.md"), func(i *discordgo.InteractionCreate) any {
			return i.ApplicationCommandData().Options[0].StringValue()
		}, "returns.md"},
		{s.KBStatus(Admin, General), func(i *discordgo.InteractionCreate) any {
			return []any{i.ApplicationCommandData().Options[0].Name, i.Member.Permissions&ManageGuild != 0}
		}, []any{"status", true}},
		{s.AnswerThis(Alice, General, said.Message), func(i *discordgo.InteractionCreate) any {
			d := i.ApplicationCommandData()
			return []any{d.TargetID, d.Resolved.Messages[d.TargetID].Content, d.CommandType}
		}, []any{said.Message, "what about <@" + BotUser + ">?", discordgo.MessageApplicationCommand}},
		{s.Autocomplete(Alice, General, "re"), func(i *discordgo.InteractionCreate) any {
			return []any{i.Type, i.ApplicationCommandData().Options[0].Focused}
		}, []any{discordgo.InteractionApplicationCommandAutocomplete, true}},
		{s.Ask(Alice, Thread, "q", false), func(i *discordgo.InteractionCreate) any { return i.AppPermissions&SendInThreads != 0 }, true},
	} {
		s.Send(c.act)
		if diff := cmp.Diff(c.is, c.want(next[*discordgo.InteractionCreate](b))); diff != "" {
			t.Error(diff)
		}
	}
}

// What breaks the vendor's library arrives as it would.
func TestOddEvents(t *testing.T) {
	s := New(t)
	b := connect(t, s)
	s.Send(s.Say(Saying{User: Alice, Channel: General, Text: "x", Mention: true, More: map[string]any{"components": []any{map[string]any{"type": 20}}}}))
	if m := next[*discordgo.MessageCreate](b); m.Author != nil {
		t.Error("the library has learned; the odd message is no longer odd")
	}
	s.Send(s.WebhookSays(General, "hi"))
	if m := next[*discordgo.MessageCreate](b); m.WebhookID == "" || m.Member != nil {
		t.Errorf("%+v", m.Message)
	}
	s.Send(s.OtherBot(General, "hi"))
	if m := next[*discordgo.MessageCreate](b); !m.Author.Bot {
		t.Errorf("%+v", m.Message)
	}
	s.Send(s.Join(Alice, General))
	if m := next[*discordgo.MessageCreate](b); m.Type != discordgo.MessageTypeGuildMemberJoin {
		t.Errorf("%+v", m.Message)
	}
	s.Send(s.Say(Saying{User: Alice, Channel: General, More: map[string]any{"member": nil}}))
	if m := next[*discordgo.MessageCreate](b); m.Member != nil {
		t.Errorf("%+v", m.Message)
	}
	act := s.Send(s.Mention(Alice, General, "one"))
	next[*discordgo.MessageCreate](b)
	s.Send(s.Edit(General, act.Message, "two"))
	if m := next[*discordgo.MessageUpdate](b); !strings.HasSuffix(m.Content, "two") || m.EditedTimestamp == nil {
		t.Errorf("%+v", m.Message)
	}
	s.Send(s.Unfurl(General, act.Message))
	if m := next[*discordgo.MessageUpdate](b); len(m.Embeds) != 1 {
		t.Errorf("%+v", m.Message)
	}
	s.Send(s.Delete(General, act.Message))
	if m := next[*discordgo.MessageDelete](b); m.ID != act.Message || len(s.Messages(General)) != 5 {
		t.Errorf("%+v", m.Message)
	}
	s.Send(s.Inner("NOT_YET_INVENTED", Guild, map[string]any{"x": 1}))
}
