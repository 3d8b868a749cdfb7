package discordtest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestReadsMarkup(t *testing.T) {
	link := func(label, url string, quiet bool) Format {
		return Format{Kind: Link, Text: label, URL: url, Quiet: quiet}
	}
	bare := func(url string) Format { return Format{Kind: URL, Text: url, URL: url} }
	for _, c := range []struct {
		source, plain string
		want          []Format
	}{
		{"plain words", "plain words", nil},
		{"**a** *b* _c_ __d__", "a b c d", []Format{{Kind: Bold, Text: "a"}, {Kind: Italic, Text: "b"}, {Kind: Italic, Text: "c"}, {Kind: Underline, Text: "d"}}},
		{"***a***", "a", []Format{{Kind: Bold, Text: "a"}, {Kind: Italic, Text: "a"}}},
		{"**a\nb**", "a\nb", []Format{{Kind: Bold, Text: "a\nb"}}},
		{`\*\*a\*\* \_b\_`, "**a** _b_", nil},
		{"snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4", nil},
		{"2*3*4", "234", []Format{{Kind: Italic, Text: "3"}}},
		{"*open", "*open", nil},
		{"~~a~~ ||b|| `c*d*`", "a b c*d*", []Format{{Kind: Strike, Text: "a"}, {Kind: Spoiler, Text: "b"}, {Kind: Code, Text: "c*d*"}}},
		{"``a`b``", "a`b", []Format{{Kind: Code, Text: "a`b"}}},
		{"```go\nx := 1\n```", "go\nx := 1", []Format{{Kind: CodeBlock, Text: "go\nx := 1"}}},
		{"\\`a\\`", "`a`", nil},
		{"# Title\nbody", "Title\nbody", []Format{{Kind: Header, Text: "Title"}}},
		{"a # b\n#c\n\\# d", "a # b\n#c\n# d", nil},
		{"#### four", "#### four", nil},
		{"-# small **x**", "small x", []Format{{Kind: Small, Text: "small x"}, {Kind: Bold, Text: "x"}}},
		{"> said\n>>> more", "said\nmore", []Format{{Kind: Quote}, {Kind: Quote}}},
		{">x\n\\> y", ">x\n> y", nil},
		{"- a\n  * b\n12. c", "- a\n  * b\n12. c", []Format{{Kind: List}, {Kind: List}, {Kind: List}}},
		{"- # a", "- a", []Format{{Kind: List}, {Kind: Header, Text: "a"}}},
		{"\\- a\n1\\. b\n-c", "- a\n1. b\n-c", nil},
		{"<@1> <@!2> <@&3> <#4> @everyone @here", "@1 @2 @3 #4 @everyone @here", []Format{
			{Kind: UserMention, Text: "1"}, {Kind: UserMention, Text: "2"}, {Kind: RoleMention, Text: "3"}, {Kind: ChannelMention, Text: "4"},
			{Kind: Everyone, Text: "@everyone"}, {Kind: Everyone, Text: "@here"},
		}},
		{`\<@1> \@everyone \<#4> <@x>`, "<@1> @everyone <#4> <@x>", nil},
		{"</ask status:1> <t:1700000000:R> <:x:1> <a:y:2> <id:customize>", "/ask status 1700000000 :x: :y: customize", []Format{
			{Kind: SlashMention, Text: "ask status"}, {Kind: Timestamp, Text: "1700000000"}, {Kind: Emoji, Text: ":x:"}, {Kind: Emoji, Text: ":y:"},
			{Kind: GuideMention, Text: "customize"},
		}},
		{":tada: 9:00-17:30:", ":tada: 9:00-17:30:", []Format{{Kind: Emoji, Text: ":tada:"}}},
		{"see https://a.example/x(1). <http://b.example> xhttps://c.example", "see https://a.example/x(1). http://b.example xhttps://c.example", []Format{
			bare("https://a.example/x(1"), {Kind: URL, Text: "http://b.example", URL: "http://b.example", Quiet: true}, bare("https://c.example"),
		}},
		{`https\://a.example http:\//b.example`, "https://a.example http://b.example", nil},
		{"<a@b.example> <+49 30 1>", "a@b.example +49 30 1", []Format{{Kind: Address, Text: "a@b.example"}, {Kind: Address, Text: "+49 30 1"}}},
		{"[[1]](<https://a.example>)", "[1]", []Format{link("[1]", "https://a.example", true)}},
		{"[a *b*](https://a.example/x_(y) 'title') c", "a b c", []Format{link("a b", "https://a.example/x_(y)", false), {Kind: Italic, Text: "b"}}},
		{`[a\]](<https://a.example/\)>)`, "a]", []Format{link("a]", "https://a.example/)", true)}},
		{`[a\[ b](<https://a.example>)`, "[a[ b](https://a.example)", []Format{{Kind: URL, Text: "https://a.example", URL: "https://a.example", Quiet: true}}},
		{`\[a](x) [b](javascript:x) [c] (https\://d)`, "[a](x) [b](javascript:x) [c] (https://d)", nil},
	} {
		spans := read(c.source)
		if got := plain(spans, nil); got != c.plain {
			t.Errorf("%q reads %q, want %q", c.source, got, c.plain)
		}
		if diff := cmp.Diff(c.want, formats(c.source)); diff != "" {
			t.Errorf("%q: %s", c.source, diff)
		}
	}
}

func TestMessageReadsAsPeopleDo(t *testing.T) {
	m := Message{
		Content: "**Hi** <@" + Alice + ">", names: map[string]string{Alice: "Alice"},
		Embeds: []map[string]any{{
			"title": "Sources", "description": "[Returns](https://docs.example/s/1)", "url": "https://docs.example/",
			"fields": []any{map[string]any{"name": "n", "value": "v"}}, "footer": map[string]any{"text": "_raw_"},
		}},
		Components: []map[string]any{{"type": 1, "components": []any{map[string]any{"type": 2, "style": 5, "label": "Open", "url": "https://docs.example/o"}}}},
	}
	if diff := cmp.Diff("Hi @Alice\nSources\nReturns\nn\nv\n_raw_", m.Plain()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"https://docs.example/s/1", "https://docs.example/", "https://docs.example/o"}, m.Links()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Button{{Label: "Open", URL: "https://docs.example/o"}}, m.Buttons(), cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Style" }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
}

func TestPinged(t *testing.T) {
	const all = `@everyone \@here <@1> <@!2> <@&3>`
	for _, c := range []struct {
		allowed map[string]any
		want    []string
	}{
		{nil, []string{"@everyone", "@here", "<@1>", "<@2>", "<@&3>"}},
		{map[string]any{"parse": []any{}}, nil},
		{map[string]any{"parse": []any{"everyone"}, "users": []any{"2"}}, []string{"@everyone", "@here", "<@2>"}},
		{map[string]any{"parse": []any{"users"}, "roles": []any{"3"}}, []string{"<@1>", "<@2>", "<@&3>"}},
	} {
		if diff := cmp.Diff(c.want, Message{Content: all, allowed: c.allowed}.Pinged()); diff != "" {
			t.Errorf("%v: %s", c.allowed, diff)
		}
	}
}

// FuzzRead holds that reading ends, loses no words, and finds nothing in what is escaped.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"**a**_b_[c](https://d)`e`", "[[[](((", "> - # a\n```x", "\\\\**a", "||a||~~b~~", "<@1><t:1>:x:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if !utf8.ValidString(source) || len(source) > 4000 {
			return
		}
		if got := plain(read(source), nil); utf8.RuneCountInString(got) > utf8.RuneCountInString(source)+len(source) {
			t.Errorf("%q reads %q", source, got)
		}
		escaped := everythingEscaped(source)
		if found := formats(escaped); len(found) > 0 {
			t.Errorf("%q has %v", escaped, found)
		}
		if got := plain(read(escaped), nil); got != source {
			t.Errorf("%q reads %q", escaped, got)
		}
	})
}

// everythingEscaped puts a backslash before every character that one can be put before.
func everythingEscaped(source string) string {
	var b strings.Builder
	for _, r := range source {
		if escapes(r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
