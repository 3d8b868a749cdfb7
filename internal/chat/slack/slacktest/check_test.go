package slacktest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
)

// args are a call's arguments; what is no text becomes JSON.
type args map[string]any

func (a args) form(token string) string {
	values := url.Values{"token": {token}}
	for key, value := range a {
		if written, ok := value.(string); ok {
			values.Set(key, written)
			continue
		}
		b, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		values.Set(key, string(b))
	}
	return values.Encode()
}

func (a args) with(key string, value any) args {
	all := args{key: value}
	for k, v := range a {
		if k != key {
			all[k] = v
		}
	}
	return all
}

func (a args) without(key string) args {
	all := args{}
	for k, v := range a {
		if k != key {
			all[k] = v
		}
	}
	return all
}

func plain(words string) map[string]any { return map[string]any{"type": "plain_text", "text": words} }

func mrkdwn(words string) map[string]any { return map[string]any{"type": "mrkdwn", "text": words} }

func section(words string) map[string]any {
	return map[string]any{"type": "section", "text": mrkdwn(words)}
}

func markdownBlock(words string) map[string]any {
	return map[string]any{"type": "markdown", "text": words}
}

func button(action, label, value string) map[string]any {
	return map[string]any{"type": "button", "action_id": action, "text": plain(label), "value": value}
}

func feedback(action string) map[string]any {
	side := func(label, value string) map[string]any { return map[string]any{"text": plain(label), "value": value} }
	return map[string]any{
		"type": "feedback_buttons", "action_id": action, "positive_button": side("Good", "good:1"), "negative_button": side("Bad", "bad:1"),
	}
}

func holding(kind string, elements ...map[string]any) map[string]any {
	return map[string]any{"type": kind, "elements": elements}
}

func rich(run map[string]any) map[string]any {
	return holding("rich_text", holding("rich_text_section", run))
}

func repeat(n int, b map[string]any) []map[string]any {
	var all []map[string]any
	for range n {
		all = append(all, b)
	}
	return all
}

func buttons(n int) []map[string]any {
	var all []map[string]any
	for i := range n {
		all = append(all, button("a"+strconv.Itoa(i), "Go", "v"))
	}
	return all
}

func modal(blocks ...map[string]any) map[string]any {
	return map[string]any{"type": "modal", "title": plain("Feedback"), "submit": plain("Send"), "close": plain("Cancel"), "blocks": blocks, "callback_id": "feedback"}
}

func x(n int) string { return strings.Repeat("x", n) }

// What keeps every rule, of each kind of call.
var (
	goodPost = args{"channel": General, "text": "14 days &lt;or so&gt;", "unfurl_links": "false", "unfurl_media": "false", "blocks": []map[string]any{
		section("14 days <https://docs.example/a|Returns> &lt;!channel&gt; <!subteam^S0HELP0001> <@U0HELPER01>"),
		{"type": "header", "text": plain("Header <!channel>")},
		{"type": "section", "fields": []map[string]any{mrkdwn("field")}, "accessory": button("more", "More", "v")},
		{"type": "divider"},
		markdownBlock("**14** days [1](https://docs.example/a#b) `[x](https://evil.example)` \\<!channel>"),
		rich(map[string]any{"type": "text", "text": "<!channel> <https://evil.example|x>"}),
		rich(map[string]any{"type": "link", "url": "https://docs.example/b", "text": "b"}),
		holding("context", mrkdwn("Sources"), plain("two")),
		{"type": "image", "image_url": "https://docs.example/i.png", "alt_text": "A picture"},
		holding("context_actions", feedback("feedback")),
		holding("actions", buttons(25)...),
	}, "metadata": args{"event_type": "citebot_post", "event_payload": args{"key": "k"}}}
	goodEphemeral = args{"channel": General, "user": Alice, "text": "Only you"}
	goodStatus    = args{"channel_id": General, "thread_ts": "TS", "status": "is thinking…", "loading_messages": "Searching,Reading"}
	goodPrompts   = args{"channel_id": DirectOf(Alice), "prompts": []args{{"title": "a", "message": "b"}}}
	goodStream    = args{"channel": General, "thread_ts": "TS", "recipient_team_id": Team, "recipient_user_id": Alice, "markdown_text": "It takes"}
	goodAppend    = args{"channel": General, "ts": "STREAM", "markdown_text": " 14 days"}
	goodModal     = args{"trigger_id": "TRIGGER", "view": modal(map[string]any{
		"type": "input", "block_id": "comment", "label": plain("What was wrong?"), "element": map[string]any{"type": "plain_text_input", "action_id": "comment", "placeholder": plain("…")},
	})}
	goodHome = args{"user_id": Alice, "view": args{"type": "home", "blocks": repeat(100, section("Hello"))}}
)

// withBlocks is a good post with these blocks alone.
func withBlocks(blocks ...map[string]any) args { return goodPost.with("blocks", blocks) }

// inView is a modal with one more field.
func inView(key string, value any) args {
	return goodModal.with("view", args(object(goodModal["view"])).with(key, value))
}

// Each breach is seen, and said in one line with these words. What Slack refuses is refused.
func TestViolations(t *testing.T) {
	cases := []struct {
		name, method string
		args         args
		want         string // in the violation
		code         string // that Slack answers; "": it takes it
	}{
		{"no method", "chat.shout", goodPost, "no such method", "unknown_method"},
		{"no fallback", "chat.postMessage", goodPost.without("text"), "blocks without text", ""},
		{"no fallback in an update", "chat.update", goodPost.without("text").with("ts", "OWN"), "blocks without text", ""},
		{"no fallback for one", "chat.postEphemeral", goodEphemeral.without("text").with("blocks", []any{section("a")}), "blocks without text", ""},
		{"nothing said", "chat.postMessage", goodPost.without("text").without("blocks"), "neither text nor blocks", "no_text"},
		{"51 blocks", "chat.postMessage", withBlocks(repeat(51, section("a"))...), "51 blocks", "invalid_blocks"},
		{"101 blocks", "views.publish", args{"user_id": Alice, "view": args{"type": "home", "blocks": repeat(101, section("a"))}}, "101 blocks", "invalid_arguments"},
		{"101 blocks in a modal", "views.open", inView("blocks", repeat(101, section("a"))), "101 blocks", "invalid_arguments"},
		{"section", "chat.postMessage", withBlocks(section(x(3001))), "blocks[0].text has 3001", "invalid_blocks"},
		{"section, counted in characters", "chat.postMessage", withBlocks(section(strings.Repeat("ä", 3001))), "blocks[0].text has 3001", "invalid_blocks"},
		{"empty section", "chat.postMessage", withBlocks(section("")), "blocks[0].text is empty", "invalid_blocks"},
		{"section of nothing", "chat.postMessage", withBlocks(map[string]any{"type": "section"}), "neither text nor fields", "invalid_blocks"},
		{"fields", "chat.postMessage", withBlocks(map[string]any{"type": "section", "fields": repeat(11, mrkdwn("a"))}), "11 fields", "invalid_blocks"},
		{"field", "chat.postMessage", withBlocks(map[string]any{"type": "section", "fields": repeat(1, mrkdwn(x(2001)))}), "fields[0] has 2001", "invalid_blocks"},
		{"header", "chat.postMessage", withBlocks(map[string]any{"type": "header", "text": plain(x(151))}), "has 151", "invalid_blocks"},
		{"header in markup", "chat.postMessage", withBlocks(map[string]any{"type": "header", "text": mrkdwn("a")}), `type "mrkdwn"`, "invalid_blocks"},
		{"context", "chat.postMessage", withBlocks(holding("context", repeat(11, mrkdwn("a"))...)), "11 elements", "invalid_blocks"},
		{"empty context", "chat.postMessage", withBlocks(holding("context")), "0 elements", "invalid_blocks"},
		{"context_actions", "chat.postMessage", withBlocks(holding("context_actions", buttons(6)...)), "6 elements", "invalid_blocks"},
		{"actions", "chat.postMessage", withBlocks(holding("actions", buttons(26)...)), "26 elements", "invalid_blocks"},
		{"button", "chat.postMessage", withBlocks(holding("actions", button("a", x(76), "v"))), "text has 76", "invalid_blocks"},
		{"button in markup", "chat.postMessage", withBlocks(holding("actions", map[string]any{"type": "button", "action_id": "a", "text": mrkdwn("a")})), `type "mrkdwn"`, "invalid_blocks"},
		{"value", "chat.postMessage", withBlocks(holding("actions", button("a", "Go", x(2001)))), "value has 2001", "invalid_blocks"},
		{"feedback value", "chat.postMessage", withBlocks(holding("context_actions", map[string]any{
			"type": "feedback_buttons", "action_id": "f", "positive_button": map[string]any{"text": plain("Good"), "value": x(2001)}, "negative_button": map[string]any{"text": plain("Bad"), "value": "b"},
		})), "positive_button.value has 2001", "invalid_blocks"},
		{"action_id", "chat.postMessage", withBlocks(holding("actions", button(x(256), "Go", "v"))), "action_id has 256", "invalid_blocks"},
		{"block_id", "chat.postMessage", withBlocks(map[string]any{"type": "divider", "block_id": x(256)}), "block_id has 256", "invalid_blocks"},
		{"element", "chat.postMessage", withBlocks(holding("actions", map[string]any{"type": "lever"})), `unknown type "lever"`, "invalid_blocks"},
		{"block", "chat.postMessage", withBlocks(map[string]any{"type": "poem"}), `unknown type "poem"`, "invalid_blocks"},
		{"alert in a message", "chat.postMessage", withBlocks(map[string]any{"type": "alert"}), "no alert block", "invalid_blocks"},
		{"feedback in a home", "views.publish", args{"user_id": Alice, "view": args{"type": "home", "blocks": []any{holding("context_actions", feedback("f"))}}}, "no context_actions block", "invalid_arguments"},
		{"picture", "chat.postMessage", withBlocks(map[string]any{"type": "image", "image_url": "https://docs.example/i"}), "alt_text is empty", "invalid_blocks"},
		{"option", "chat.postMessage", withBlocks(holding("actions", map[string]any{
			"type": "static_select", "action_id": "a", "options": []any{map[string]any{"text": plain(x(76)), "value": "v"}},
		})), "options[0].text has 76", "invalid_blocks"},
		{"placeholder", "views.open", inView("blocks", []any{map[string]any{
			"type": "input", "label": plain("a"), "element": map[string]any{"type": "plain_text_input", "action_id": "a", "placeholder": plain(x(151))},
		}}), "placeholder has 151", "invalid_arguments"},
		{"picture in a context", "chat.postMessage", withBlocks(holding("context", map[string]any{"type": "image", "image_url": "https://docs.example/i"})), "alt_text is empty", "invalid_blocks"},
		{"style", "chat.postMessage", withBlocks(holding("actions", map[string]any{"type": "button", "action_id": "a", "text": plain("Go"), "style": "loud"})), `style "loud"`, "invalid_blocks"},
		{"rich part", "chat.postMessage", withBlocks(holding("rich_text", map[string]any{"type": "poem"})), `unknown type "poem"`, "invalid_blocks"},
		{"view no JSON", "views.publish", args{"user_id": Alice, "view": "{"}, "view is not JSON", "invalid_arguments"},
		{"Markdown beside text", "chat.postMessage", goodPost.without("blocks").with("markdown_text", "a"), "markdown_text beside", "markdown_text_conflict"},
		{"all text", "chat.postMessage", withBlocks(repeat(5, section(x(2500)))...), "12500 characters", ""},
		{"far too much text", "chat.postMessage", withBlocks(repeat(5, section(x(3000)))...), "15000 characters", "msg_blocks_too_long"},
		{"markdown", "chat.postMessage", withBlocks(markdownBlock(x(12001))), "text has 12001", "invalid_blocks"},
		{"text", "chat.postMessage", goodPost.with("text", x(40001)), "text has 40001", ""},
		{"text of an update", "chat.update", goodPost.with("ts", "OWN").with("text", x(4001)), "text has 4001", "msg_too_long"},
		{"blocks are no JSON", "chat.postMessage", goodPost.with("blocks", "[{"), "not JSON", "invalid_blocks_format"},
		{"blocks are no array", "chat.postMessage", goodPost.with("blocks", "{}"), "no array", "invalid_blocks_format"},
		{"unfurl_links missing", "chat.postMessage", goodPost.without("unfurl_links"), "unfurl_links is not false", ""},
		{"unfurl_media on", "chat.postMessage", goodPost.with("unfurl_media", "true"), "unfurl_media is not false", ""},
		{"unfurl_links missing in an update", "chat.update", goodPost.without("unfurl_links").with("ts", "OWN"), "unfurl_links is not false", ""},
		{"broadcast", "chat.postMessage", goodPost.with("reply_broadcast", "true"), "reply_broadcast is set", ""},
		{"link names", "chat.postMessage", goodPost.with("link_names", "1"), "link_names is set", ""},
		{"parse", "chat.postMessage", goodPost.with("parse", "full"), "parse is full", ""},
		{"status without thread", "assistant.threads.setStatus", goodStatus.without("thread_ts"), "no thread_ts", "invalid_arguments"},
		{"<!channel>", "chat.postMessage", goodPost.with("text", "Hi <!channel>"), `text mentions "!channel"`, ""},
		{"<!here>", "chat.postMessage", withBlocks(section("Hi <!here|here>")), `mentions "!here"`, ""},
		{"<!everyone>", "chat.postMessage", withBlocks(holding("context", mrkdwn("<!everyone>"))), `mentions "!everyone"`, ""},
		{"<!channel> in Markdown", "chat.postMessage", withBlocks(markdownBlock("Hi <!channel>")), `mentions "!channel"`, ""},
		{"<!channel> in Markdown, escaped twice", "chat.postMessage", withBlocks(markdownBlock(`Hi \\<!channel>`)), `mentions "!channel"`, ""},
		{"rich broadcast", "chat.postMessage", withBlocks(rich(map[string]any{"type": "broadcast", "range": "here"})), `mentions "!here"`, ""},
		{"<@U>", "chat.postEphemeral", goodEphemeral.with("text", "<@U0SOMEONE1>"), `mentions "U0SOMEONE1"`, ""},
		{"<@U> in Markdown", "chat.postMessage", withBlocks(markdownBlock("<@U0SOMEONE1>")), `mentions "U0SOMEONE1"`, ""},
		{"rich user", "chat.postMessage", withBlocks(rich(map[string]any{"type": "user", "user_id": "U0SOMEONE1"})), `mentions "U0SOMEONE1"`, ""},
		{"another group", "chat.postMessage", goodPost.with("text", "<!subteam^S0BOARD001|board>"), `mentions "S0BOARD001"`, ""},
		{"rich group", "chat.postMessage", withBlocks(rich(map[string]any{"type": "usergroup", "usergroup_id": "S0BOARD001"})), `mentions "S0BOARD001"`, ""},
		{"mention in a field", "chat.postMessage", withBlocks(map[string]any{"type": "section", "fields": repeat(1, mrkdwn("<!channel>"))}), `mentions "!channel"`, ""},
		{"mention in a home", "views.publish", args{"user_id": Alice, "view": args{"type": "home", "blocks": []any{section("<!channel>")}}}, `mentions "!channel"`, ""},
		{"forged link", "chat.postMessage", withBlocks(section("<https://evil.example|Returns>")), `links to "https://evil.example"`, ""},
		{"bare forged link", "chat.postMessage", goodPost.with("text", "<https://evil.example>"), `links to "https://evil.example"`, ""},
		{"mail link", "chat.postMessage", goodPost.with("text", "<mailto:a@evil.example|write>"), `links to "mailto:a@evil.example"`, ""},
		{"Markdown link", "chat.postMessage", withBlocks(markdownBlock("[1](https://evil.example)")), `links to "https://evil.example"`, ""},
		{"Markdown link by reference", "chat.postMessage", withBlocks(markdownBlock("[1][a]\n\n[a]: https://evil.example\n")), `links to "https://evil.example"`, ""},
		{"Markdown picture", "chat.postMessage", withBlocks(markdownBlock("![x](https://evil.example/i)")), `links to "https://evil.example/i"`, ""},
		{"Markdown bare link", "chat.postMessage", withBlocks(markdownBlock("<https://evil.example>")), `links to "https://evil.example"`, ""},
		{"rich link", "chat.postMessage", withBlocks(rich(map[string]any{"type": "link", "url": "https://evil.example"})), `links to "https://evil.example"`, ""},
		{"citation", "chat.postMessage", withBlocks(rich(map[string]any{"type": "citation", "url": "https://evil.example", "text": "x"})), `links to "https://evil.example"`, ""},
		{"link button", "chat.postMessage", withBlocks(holding("actions", map[string]any{"type": "button", "action_id": "a", "text": plain("Go"), "url": "https://evil.example"})), `links to "https://evil.example"`, ""},
		{"not escaped", "chat.postMessage", goodPost.with("text", "a <b> c"), "not escaped", ""},
		{"no UTF-8", "chat.postMessage", goodPost.with("text", "a\xff"), "text is not UTF-8", ""},
		{"cut character", "chat.postMessage", withBlocks(section("a\uFFFD")), "U+FFFD", ""},
		{"block_id twice", "chat.postMessage", withBlocks(repeat(2, map[string]any{"type": "divider", "block_id": "b"})...), `block_id "b" is there twice`, "invalid_blocks"},
		{"action_id twice", "chat.postMessage", withBlocks(holding("actions", button("a", "Go", "1")), holding("actions", button("a", "Go", "2"))), `action_id "a" is there twice`, ""},
		{"action_id twice in a block", "chat.postMessage", withBlocks(holding("actions", button("a", "Go", "1"), button("a", "Go", "2"))), `twice in a block`, "invalid_blocks"},
		{"metadata no JSON", "chat.postMessage", goodPost.with("metadata", "{"), "metadata is not JSON", "invalid_metadata_format"},
		{"metadata payload", "chat.postMessage", goodPost.with("metadata", `{"event_type":"a","event_payload":"key"}`), "event_payload is no object", "invalid_metadata_schema"},
		{"metadata without payload", "chat.update", goodPost.with("ts", "OWN").with("metadata", `{"event_type":"a","event_payload":null}`), "event_payload is no object", "invalid_metadata_schema"},
		{"metadata type", "chat.postMessage", goodPost.with("metadata", `{"event_type":"","event_payload":{}}`), "no event_type", "invalid_metadata_schema"},
		{"modal title", "views.open", inView("title", plain(x(25))), "title has 25", "invalid_arguments"},
		{"modal without title", "views.open", inView("title", nil), "title", "invalid_arguments"},
		{"modal submit", "views.open", inView("submit", plain(x(25))), "submit has 25", "invalid_arguments"},
		{"modal without submit", "views.open", inView("submit", nil), "needs a submit", "invalid_arguments"},
		{"modal close", "views.open", inView("close", plain(x(25))), "close has 25", "invalid_arguments"},
		{"private_metadata", "views.open", inView("private_metadata", x(3001)), "private_metadata has 3001", "invalid_arguments"},
		{"callback_id", "views.open", inView("callback_id", x(256)), "callback_id has 256", "invalid_arguments"},
		{"view type", "views.open", inView("type", "window"), `type "window"`, "invalid_arguments"},
		{"trigger invented", "views.open", goodModal.with("trigger_id", "1.2.3"), "never given out", "invalid_trigger_id"},
		{"prompts with thread", "assistant.threads.setSuggestedPrompts", goodPrompts.with("thread_ts", "TS"), "fail silently", ""},
		{"prompts", "assistant.threads.setSuggestedPrompts", goodPrompts.with("prompts", repeat(5, args{"title": "a", "message": "b"})), "5 prompts", "invalid_arguments"},
		{"prompt without message", "assistant.threads.setSuggestedPrompts", goodPrompts.with("prompts", []args{{"title": "a"}}), "no message", "invalid_arguments"},
		{"comma", "assistant.threads.setStatus", goodStatus.with("loading_messages", "Searching, then reading,Writing"), "splits them", ""},
		{"comma in JSON", "assistant.threads.setStatus", goodStatus.with("loading_messages", []string{"Searching,reading"}), "splits them", ""},
		{"loading messages", "assistant.threads.setStatus", goodStatus.with("loading_messages", strings.Repeat("a,", 10)+"a"), "11 loading_messages", "invalid_arguments"},
		{"stream without thread", "chat.startStream", goodStream.without("thread_ts"), "no thread_ts", ""},
		{"stream without team", "chat.startStream", goodStream.without("recipient_team_id"), "no recipient_team_id", "missing_recipient_team_id"},
		{"stream without user", "chat.startStream", goodStream.without("recipient_user_id"), "no recipient_user_id", "missing_recipient_user_id"},
		{"stream text", "chat.appendStream", goodAppend.with("markdown_text", x(12001)), "markdown_text has 12001", "msg_too_long"},
		{"stream mention", "chat.appendStream", goodAppend.with("markdown_text", "<!channel>"), `mentions "!channel"`, ""},
		{"stream link", "chat.appendStream", goodAppend.with("markdown_text", "[a](https://evil.example)"), `links to`, ""},
		{"chunks text", "chat.appendStream", goodAppend.without("markdown_text").with("chunks", repeat(2, args{"type": "markdown_text", "text": x(6001)})), "chunks have 12002", "msg_too_long"},
		{"chunks link", "chat.appendStream", goodAppend.without("markdown_text").with("chunks", repeat(1, args{"type": "markdown_text", "text": "[a](https://evil.example)"})), "links to", "streaming_mode_mismatch"},
		{"chunk type", "chat.appendStream", goodAppend.without("markdown_text").with("chunks", repeat(1, args{"type": "poem"})), `unknown type "poem"`, "invalid_chunks"},
		{"thread that never was", "chat.postMessage", goodPost.with("thread_ts", "1.000001"), "names no message", ""},
		{"thread of a reply", "chat.postMessage", goodPost.with("thread_ts", "REPLY"), "is a reply", ""},
		{"ephemeral in an empty thread", "chat.postEphemeral", goodEphemeral.with("thread_ts", "LONELY"), "nobody sees it", ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := New(t)
			s.Tolerate = true
			got := s.try(t, tc.method, tc.args)
			if !has(s.Violations(), tc.method+": ", tc.want) {
				t.Errorf("violations %q, want one with %q", s.Violations(), tc.want)
			}
			if text(got["error"]) != tc.code {
				t.Errorf("answered %v, want %q", got, tc.code)
			}
		})
	}
}

// try makes a call in a channel with a thread, a stream and an open trigger, whose names
// stand in the arguments.
func (s *Server) try(t *testing.T, method string, a args) map[string]any {
	t.Helper()
	s.AllowLinks, s.AllowMention = []string{"https://docs.example/"}, []string{"S0HELP0001", "U0HELPER01"}
	root := s.Mention(Alice, General, "How long?")
	reply := s.Reply(Bob, General, root.TS, "I wonder too")
	lonely := s.Mention(Alice, General, "Anyone?")
	post := func(method string, a args) string {
		return text(object(rawCall(t, s, method, "application/x-www-form-urlencoded", "", a.form(s.BotToken)))["ts"])
	}
	own := post("chat.postMessage", args{"channel": General, "text": "a", "unfurl_links": "false", "unfurl_media": "false"})
	stream := post("chat.startStream", goodStream.with("thread_ts", root.TS))
	names := map[string]string{
		"TS": root.TS, "REPLY": reply.TS, "LONELY": lonely.TS, "OWN": own, "STREAM": stream,
		"TRIGGER": s.Command(Alice, General, "/ask", "").TriggerID,
	}
	for key, value := range a {
		if name, ok := value.(string); ok && names[name] != "" {
			a = a.with(key, names[name])
		}
	}
	answer := object(rawCall(t, s, method, "application/x-www-form-urlencoded", "", a.form(s.BotToken)))
	post("chat.stopStream", args{"channel": General, "ts": stream})
	if method == "chat.startStream" && answer["ok"] == true {
		post("chat.stopStream", args{"channel": General, "ts": text(answer["ts"])})
	}
	return answer
}

// What keeps the rules is no violation, to the last character.
func TestNoViolations(t *testing.T) {
	cases := []struct {
		method string
		args   args
	}{
		{"chat.postMessage", goodPost},
		{"chat.postMessage", goodPost.with("text", x(40000))},
		{"chat.postMessage", goodPost.with("thread_ts", "TS")},
		{"chat.postMessage", withBlocks(repeat(50, section("a"))...)},
		{"chat.postMessage", withBlocks(repeat(4, section(x(3000)))...)},
		{"chat.postMessage", withBlocks(section(strings.Repeat("😀", 3000)))},
		{"chat.postMessage", withBlocks(holding("context", repeat(10, mrkdwn("a"))...))},
		{"chat.postMessage", withBlocks(holding("context_actions", buttons(5)...))},
		{"chat.postMessage", withBlocks(holding("actions", button(x(255), x(75), x(2000))))},
		{"chat.postMessage", withBlocks(markdownBlock(x(12000)))},
		{"chat.update", goodPost.with("ts", "OWN").with("text", x(4000))},
		{"chat.update", goodPost.with("ts", "OWN").with("blocks", "[]").with("metadata", "{}")},
		{"chat.postEphemeral", goodEphemeral},
		{"chat.postEphemeral", goodEphemeral.with("thread_ts", "TS")},
		{"assistant.threads.setStatus", goodStatus},
		{"assistant.threads.setStatus", goodStatus.with("status", "").without("loading_messages")},
		{"assistant.threads.setSuggestedPrompts", goodPrompts},
		{"chat.startStream", goodStream},
		{"chat.appendStream", goodAppend.with("markdown_text", x(12000))},
		{"views.open", goodModal},
		{"views.open", inView("title", plain(x(24))).with("trigger_id", "TRIGGER")},
		{"views.publish", goodHome},
	}
	for _, tc := range cases {
		t.Run(tc.method, func(t *testing.T) {
			s := New(t)
			if got := s.try(t, tc.method, tc.args); got["ok"] != true {
				t.Errorf("answered %v", got)
			}
		})
	}
}

func TestTokenInURL(t *testing.T) {
	s := New(t)
	s.Tolerate = true
	rawCall(t, s, "auth.test?token="+s.BotToken, "application/x-www-form-urlencoded", "", "")
	if v := s.Violations(); !has(v, "auth.test", "the token is in the URL") || has(v, s.BotToken) {
		t.Errorf("violations %q", v)
	}
}

func TestBrokenBodies(t *testing.T) {
	cases := map[string][2]string{ // content type and body, by what is said of it
		"not a JSON object": {"application/json", `["a"]`},
		"is not UTF-8":      {"application/json", "{\"text\":\"a\xff\"}"},
		"cannot be read":    {"application/x-www-form-urlencoded", "text=%zz"},
		"comes 2 times":     {"application/x-www-form-urlencoded", "text=a&text=b"},
		"neither a form":    {"text/plain", "a"},
	}
	for want, body := range cases {
		s := New(t)
		s.Tolerate = true
		rawCall(t, s, "auth.test", body[0], s.BotToken, body[1])
		if !has(s.Violations(), want) {
			t.Errorf("violations %q, want %q", s.Violations(), want)
		}
	}
}

func TestTooFast(t *testing.T) {
	s, ctx := New(t), timely(t)
	now := time.Now()
	s.SetNow(func() time.Time { return now })
	api := newAPI(s)
	post := func(channel string, wait time.Duration) int {
		now = now.Add(wait)
		if _, _, err := api.PostMessageContext(ctx, channel, plainly("a")); err != nil {
			t.Fatal(err)
		}
		return len(s.TooFast())
	}
	var got []int
	for _, wait := range []time.Duration{0, 0, 0, 900 * time.Millisecond, 1100 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		got = append(got, post(General, wait))
	}
	got = append(got, post(Private, 0))
	if diff := cmp.Diff([]int{0, 0, 0, 0, 0, 1, 1, 1}, got); diff != "" {
		t.Error(diff, s.TooFast())
	}
}

// A test that drives the fake is failed by what the bot did wrong.
func TestCloseReports(t *testing.T) {
	for _, tolerate := range []bool{false, true} {
		var seen witness
		s := New(&seen)
		s.Tolerate = tolerate
		q := s.DM(Alice, "Hello")
		if _, _, err := newAPI(s).StartStreamContext(timely(t), q.Channel, slack.MsgOptionTS(q.TS)); err != nil {
			t.Fatal(err)
		}
		s.See(func(*State) { s.misack("a bad acknowledgement") })
		seen.cleanup()
		reported := has(seen.lines, "never stopped") && has(seen.lines, "a bad acknowledgement")
		if reported == tolerate || !has(s.Violations(), "never stopped") {
			t.Errorf("tolerate %v: reported %q", tolerate, seen.lines)
		}
	}
}

// A witness stands in for a test and keeps what it is told.
type witness struct {
	testing.TB
	lines   []string
	cleanup func()
}

func (w *witness) Cleanup(f func()) { w.cleanup = f }

func (w *witness) Errorf(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}
