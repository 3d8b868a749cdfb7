package discordtest

import (
	"fmt"
	"strings"
	"testing"
)

const allowing = `"allowed_mentions":{"parse":[]}`

// Each rule for a message bites; what Discord refuses is refused.
func TestMessageRules(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	embed := func(s string) string { return `{` + allowing + `,"embeds":[` + s + `]}` }
	buttons := func(s string) string {
		return `{"content":"x",` + allowing + `,"components":[{"type":1,"components":[` + s + `]}]}`
	}
	button := func(s string) string { return `{"type":2,"style":2,` + s + `}` }
	fields := strings.TrimSuffix(strings.Repeat(`{"name":"n","value":"v"},`, 26), ",")
	for _, c := range []struct {
		name, body, want string
		refused          bool
	}{
		{"content", `{"content":"` + long(2001) + `",` + allowing + `}`, "content: has 2001 characters", true},
		{"content in units of UTF-16", `{"content":"` + strings.Repeat("😀", 1001) + `",` + allowing + `}`, "content: has 2002", true},
		{"title", embed(`{"title":"` + long(257) + `"}`), "title: has 257", true},
		{"description", embed(`{"description":"` + long(4097) + `"}`), "description: has 4097", true},
		{"fields", embed(`{"fields":[` + fields + `]}`), "26 of them", true},
		{"field name", embed(`{"fields":[{"name":"` + long(257) + `","value":"v"}]}`), "name: has 257", true},
		{"field value", embed(`{"fields":[{"name":"n","value":"` + long(1025) + `"}]}`), "value: has 1025", true},
		{"empty field", embed(`{"fields":[{"name":"n","value":""}]}`), "no value", true},
		{"footer", embed(`{"footer":{"text":"` + long(2049) + `"}}`), "footer: has 2049", true},
		{"sum of embeds", embed(`{"description":"` + long(4000) + `"},{"description":"` + long(2001) + `"}`), "6001 characters in all", true},
		{"embeds", embed(strings.TrimSuffix(strings.Repeat(`{"title":"t"},`, 11), ",")), "11 of them", true},
		{"empty embed", embed(`{}`), "is empty", true},
		{"rows", `{"content":"x",` + allowing + `,"components":[` + strings.TrimSuffix(strings.Repeat(`{"type":1,"components":[{"type":2,"style":5,"label":"l","url":"https://docs.example/"}]},`, 6), ",") + `]}`, "6 rows", true},
		{"buttons", buttons(strings.TrimSuffix(strings.Repeat(`{"type":2,"style":5,"label":"l","url":"https://docs.example/"},`, 6), ",")), "6 components", true},
		{"no buttons", buttons(""), "0 components", true},
		{"custom_id", buttons(button(`"label":"l","custom_id":"` + long(101) + `"`)), "custom_id: has 101", true},
		{"label", buttons(button(`"custom_id":"c","label":"` + long(81) + `"`)), "label: has 81", true},
		{"twins", buttons(button(`"label":"l","custom_id":"c"`) + "," + button(`"label":"m","custom_id":"c"`)), "comes twice", true},
		{"button without name", buttons(button(`"custom_id":"c"`)), "without label", true},
		{"link without url", buttons(`{"type":2,"style":5,"label":"l"}`), "a link has a url", true},
		{"button without id", buttons(button(`"label":"l"`)), "a link has a url", true},
		{"link button", buttons(`{"type":2,"style":5,"label":"l","url":"https://evil.example/"}`), `links to "https://evil.example/"`, false},
		{"empty", `{"content":" ",` + allowing + `}`, "is empty", true},
		{"V2", `{"content":"x","flags":32768,` + allowing + `}`, "components V2", false},
		{"flags", `{"content":"x","flags":128,` + allowing + `}`, "not allowed here", false},
		{"no allowed_mentions", `{"content":"x"}`, "no allowed_mentions", false},
		{"null parse", `{"content":"x","allowed_mentions":{"parse":null}}`, "not the empty list", false},
		{"absent parse", `{"content":"x","allowed_mentions":{"users":[]}}`, "not the empty list", false},
		{"parse", `{"content":"x","allowed_mentions":{"parse":["users"]}}`, "not the empty list", false},
		{"users", `{"content":"x","allowed_mentions":{"parse":[],"users":["` + Alice + `"]}}`, "lets " + Alice, false},
		{"replied user", `{"content":"x","allowed_mentions":{"parse":[],"replied_user":true}}`, "replied_user", false},
		{"everyone", `{"content":"@everyone",` + allowing + `}`, `mentions "@everyone"`, false},
		{"a user", `{"content":"<@` + Alice + `>",` + allowing + `}`, "mentions", false},
		{"a role in an embed", embed(`{"description":"<@&` + Helpers + `>"}`), "mentions", false},
		{"a link", `{"content":"[a](<https://evil.example>)",` + allowing + `}`, "links to", false},
		{"a bare link", `{"content":"https://evil.example",` + allowing + `}`, "links to", false},
		{"an embed's link", embed(`{"title":"t","url":"https://evil.example"}`), "links to", false},
		{"a preview", `{"content":"[a](https://docs.example/1)",` + allowing + `}`, "has a preview", false},
		{"a false label", `{"content":"[https://bank.example](<https://docs.example/1>)",` + allowing + `}`, "labelled as another", false},
		{"an address", `{"content":"<a@b.example>",` + allowing + `}`, "address", false},
		{"U+FFFD", `{"content":"a�",` + allowing + `}`, "U+FFFD", false},
		{"a typing error", `{"content":"x","embed":{"title":"x"},` + allowing + `}`, `knows no key "embed"`, false},
		{"a typing error within", buttons(button(`"label":"l","custom_id":"c","colour":3`)), `knows no key "components[0].components[0].colour"`, false},
		{"a type", `{"content":"x","embeds":5,` + allowing + `}`, "the schema: at", false},
		{"a token", `{"content":"` + tokenMark + `",` + allowing + `}`, "interaction's token", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			if s.schema == nil && strings.Contains(c.want, "schema") || strings.Contains(c.want, "knows no key") && s.schema == nil {
				t.Skip("there is no schema")
			}
			s.Tolerate, s.AllowLinks = true, []string{"https://docs.example/"}
			act := s.Send(s.Ask(Alice, General, "?", false))
			respond(t, s, act, deferred)
			i, _ := s.Interaction(act.Interaction)
			status, got := do(t, s, "POST", "/webhooks/"+App+"/"+i.Token, c.body)
			if !has(s.Violations(), CreateFollowup, c.want) {
				t.Errorf("no %q in %q", c.want, s.Violations())
			}
			if c.refused != (status == 400) {
				t.Errorf("%d %v", status, got)
			}
		})
	}
}

// A message that keeps the rules breaks none.
func TestGoodMessages(t *testing.T) {
	s := quiet(t) // which reports violations
	s.AllowLinks, s.AllowMention = []string{"https://docs.example/"}, []string{Helpers, Alice}
	act := s.Mention(Alice, General, "?")
	for n, body := range []string{
		messageJSON("You have **30 days** [[1]](<https://docs.example/s/1>).", reference(act.Message, false),
			`"embeds":[{"title":"Sources","description":"[1] [Returns](https://docs.example/s/1) “30 days”","color":255}]`,
			`"components":[{"type":1,"components":[{"type":2,"style":2,"label":"Helpful","emoji":{"name":"👍"},"custom_id":"v1:good:1"},{"type":2,"style":5,"label":"Open","url":"https://docs.example/s/1"}]}]`),
		`{"content":"<@&` + Helpers + `> please help <@` + Alice + `>","nonce":"b","enforce_nonce":true,"allowed_mentions":{"parse":[],"roles":["` + Helpers + `"],"users":["` + Alice + `"]}}`,
		messageJSON("see https://docs.example/s/1", `"flags":4`, `"tts":false`),
	} {
		if status, got := do(t, s, "POST", post, body); status != 200 {
			t.Errorf("%d: %d %v", n, status, got)
		}
	}
	if diff := fmt.Sprint(s.Posts(General)[1].Pinged()); diff != "[<@&"+Helpers+"> <@"+Alice+">]" && diff != "[<@"+Alice+"> <@&"+Helpers+">]" {
		t.Error(diff)
	}
}

func TestPostRules(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"no nonce", `{"content":"x",` + allowing + `}`, "no nonce"},
		{"a long nonce", `{"content":"x","nonce":"` + strings.Repeat("n", 26) + `","enforce_nonce":true,` + allowing + `}`, "nonce: has 26"},
		{"a nonce that is not enforced", `{"content":"x","nonce":"n",` + allowing + `}`, "without enforce_nonce"},
		{"a hard reference", messageJSON("x", `"message_reference":{"message_id":"1310000005000009999"}`), "fail_if_not_exists"},
		{"a bad id", messageJSON("x", `"message_reference":{"message_id":"12","fail_if_not_exists":false}`), "the schema: at"},
		{"no JSON", `{`, "not JSON"},
		{"no UTF-8", "{\"content\":\"\xff\"}", "not UTF-8"},
		{"ephemeral in a channel", messageJSON("x", `"flags":64`), "not allowed here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			if s.schema == nil && strings.Contains(c.want, "schema") {
				t.Skip("there is no schema")
			}
			s.Tolerate = true
			do(t, s, "POST", post, c.body)
			if !has(s.Violations(), c.want) {
				t.Errorf("no %q in %q", c.want, s.Violations())
			}
		})
	}
}

func TestCallbackRules(t *testing.T) {
	choice := `{"name":"n","value":"%d"},`
	many := ""
	for n := range 26 {
		many += fmt.Sprintf(choice, n)
	}
	modal := func(s string) string { return `{"type":9,"data":{` + s + `}}` }
	const row = `"components":[{"type":1,"components":[{"type":4,"style":2,"custom_id":"c","label":"l"}]}]`
	for _, c := range []struct {
		name, body, want string
		complete         bool
	}{
		{"choices", `{"type":8,"data":{"choices":[` + strings.TrimSuffix(many, ",") + `]}}`, "26 of them", true},
		{"choice", `{"type":8,"data":{"choices":[{"name":"` + strings.Repeat("n", 101) + `","value":"v"}]}}`, "name: has 101", true},
		{"no choices", `{"type":8,"data":{}}`, "without choices", true},
		{"twin choices", `{"type":8,"data":{"choices":[{"name":"a","value":"v"},{"name":"b","value":"v"}]}}`, "comes twice", true},
		{"modal title", modal(`"custom_id":"m","title":"` + strings.Repeat("t", 46) + `",` + row), "title: has 46", false},
		{"modal id", modal(`"custom_id":"","title":"t",` + row), "needs a title", false},
		{"modal rows", modal(`"custom_id":"m","title":"t","components":[]`), "0 rows", false},
		{"input", modal(`"custom_id":"m","title":"t","components":[{"type":1,"components":[{"type":4,"style":2,"custom_id":"c","label":"` + strings.Repeat("l", 46) + `"}]}]`), "label: has 46", false},
		{"deferral", `{"type":5,"data":{"flags":4}}`, "not allowed here", false},
		{"message", `{"type":4,"data":{"content":"x"}}`, "no allowed_mentions", false},
		{"misfit", `{"type":7,"data":{"content":"x",` + allowing + `}}`, "takes no callback", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			s.Tolerate = true
			act := s.Ask(Alice, General, "?", false)
			if c.complete {
				act = s.Autocomplete(Alice, General, "x")
			}
			respond(t, s, s.Send(act), c.body)
			if !has(s.Violations(), c.want) {
				t.Errorf("no %q in %q", c.want, s.Violations())
			}
		})
	}
}

func TestCommandRules(t *testing.T) {
	const rest = `"description":"d","contexts":[0],"integration_types":[0]`
	for _, c := range []struct{ name, body, want string }{
		{"upper case", `[{"name":"Ask",` + rest + `}]`, "no name of a command"},
		{"a blank", `[{"name":"a b",` + rest + `}]`, "no name of a command"},
		{"a localised name", `[{"name":"ask","name_localizations":{"de":"Frage"},` + rest + `}]`, "no name of a command"},
		{"no description", `[{"name":"ask","contexts":[0],"integration_types":[0]}]`, "no description"},
		{"a long description", `[{"name":"ask","description":"` + strings.Repeat("d", 101) + `","contexts":[0],"integration_types":[0]}]`, "description: has 101"},
		{"no contexts", `[{"name":"ask","description":"d","integration_types":[0]}]`, "contexts is not set"},
		{"no integration types", `[{"name":"ask","description":"d","contexts":[0]}]`, "integration_types is not set"},
		{"twins", `[{"name":"ask",` + rest + `},{"name":"ask",` + rest + `}]`, "comes twice"},
		{"required last", `[{"name":"ask","options":[{"type":3,"name":"a","description":"d"},{"type":3,"name":"b","description":"d","required":true}],` + rest + `}]`, "required options come first"},
		{"an option's name", `[{"name":"ask","options":[{"type":3,"name":"A","description":"d"}],` + rest + `}]`, "no name of a command"},
		{"a message command's description", `[{"name":"Answer this","type":3,` + rest + `}]`, "only a command that is typed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			s.Tolerate = true
			do(t, s, "PUT", "/applications/"+App+"/commands", c.body)
			if !has(s.Violations(), PutCommands, c.want) {
				t.Errorf("no %q in %q", c.want, s.Violations())
			}
		})
	}
}

// Manners hold for every route.
func TestManners(t *testing.T) {
	s := quiet(t)
	s.Tolerate = true
	bot := newBot(t, s)
	bot.UserAgent = "curl/8"
	_, _ = bot.User("@me")
	do(t, s, "GET", "/users/@me?token="+s.Token, "")
	do(t, s, "GET", "/users/@me?x="+tokenMark, "")
	do(t, s, "GET", "/nowhere", "")
	for _, want := range []string{"User-Agent", "the bot's token", "interaction's token", "no such route"} {
		if !has(s.Violations(), want) {
			t.Errorf("no %q in %q", want, s.Violations())
		}
	}
}

// A recorder takes the fake's reports in place of a test.
type recorder struct {
	testing.TB
	lines []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}
func (*recorder) Cleanup(func())      {}
func (*recorder) Logf(string, ...any) {}

func TestCloseReports(t *testing.T) {
	for _, tolerate := range []bool{false, true} {
		r := &recorder{TB: t}
		s := New(r)
		s.Tolerate = tolerate
		do(t, s, "POST", post, `{"content":"x"}`)
		s.Close()
		if has(r.lines, "violation", "allowed_mentions") == tolerate {
			t.Errorf("Tolerate %t: %q", tolerate, r.lines)
		}
	}
}

// An act that cannot be is the test's mistake.
func TestReportsImpossibleActs(t *testing.T) {
	r := &recorder{TB: t}
	s := New(r)
	defer s.Close()
	s.Chat(Alice, "1310000005000009999", "x")
	s.Click(Alice, Message{Channel: General, ID: "1"}, "Helpful")
	s.Submit(Alice, nil)
	s.Expire("1")
	s.Fail("POST /nowhere", 1, Lost())
	s.Edit(General, "1", "x")
	for _, want := range []string{"is no channel", "there is no message", "sees no button", "no modal is open", "no interaction", "no route", "Edit"} {
		if !has(r.lines, want) {
			t.Errorf("no %q in %q", want, r.lines)
		}
	}
}
