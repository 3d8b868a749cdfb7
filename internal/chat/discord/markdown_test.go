package discord

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/chat/layout"
	"citebot/internal/citations"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A reading is what Discord shows of markdown, and what takes effect in it. It is made with
// the grammar of Discord's clients, as https://github.com/LyricLy/parse-discord found it by
// trial; where clients differ it takes what does more.
type reading struct {
	shown   strings.Builder
	effects []effect
	label   bool // inside a link's label: no escapes
}

// An effect is markup that Discord acts on.
type effect struct {
	what string // "bold", "link", …
	text string // what it is about
	url  string // of a link
}

func read(s string) *reading {
	r := &reading{}
	r.read(s, true)
	return r
}

// names of what took effect.
func (r *reading) names() string {
	var out []string
	for _, e := range r.effects {
		out = append(out, e.what)
	}
	return strings.Join(out, " ")
}

var atLineStart = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"header", regexp.MustCompile(`^ *#{1,3}\s+`)},
	{"small", regexp.MustCompile(`^ *-#\s+`)},
	{"quote", regexp.MustCompile(`^ *>(>>)?\s`)},
	{"list", regexp.MustCompile(`^ *[-*+]\s+`)},
	{"numbers", regexp.MustCompile(`^ *\d+\.\s+`)},
}

var anywhere = []struct {
	what    string
	begins  string         // the characters that it may begin with, so as not to try it at each
	pattern *regexp.Regexp // its first group is set in turn, or shown
}{
	{"fence", "`", regexp.MustCompile("^```([\\s\\S]+?)```")},
	{"code", "`", regexp.MustCompile("^`([^`]+)`")},
	{"code", "`", regexp.MustCompile("^``([\\s\\S]+?)``")},
	{"user", "<", regexp.MustCompile(`^<@!?\d+>`)},
	{"role", "<", regexp.MustCompile(`^<@&\d+>`)},
	{"channel", "<", regexp.MustCompile(`^<#\d+>`)},
	{"command", "<", regexp.MustCompile(`^</[^:>]+:\d+>`)},
	{"navigation", "<", regexp.MustCompile(`^<id:\w+>`)},
	{"time", "<", regexp.MustCompile(`^<t:-?\d+(:\w)?>`)},
	{"custom emoji", "<", regexp.MustCompile(`^<a?:\w+:\d+>`)},
	{"autolink", "<", regexp.MustCompile(`^<[^: >]+:/[^ >]+>`)},
	{"mail", "<", regexp.MustCompile(`^<[^\s<>@]+@[^\s<>]+>`)},
	{"phone", "<", regexp.MustCompile(`^<\+\d+>`)},
	{"everyone", "@", regexp.MustCompile(`^@(everyone|here)`)},
	{"address", "hHsSdD", regexp.MustCompile(`^(?i)(https?|steam|discord)://[^\s<]+[^<.,:;"'\]\s]`)},
	{"emoji", ":", regexp.MustCompile(`^:([\pL\pN_+~-]*[\pL_][\pL\pN_+~-]*|100|1234|\+1|-1):`)},
	{"bold", "*", regexp.MustCompile(`^\*\*((?:\\[\s\S]|[^\\])+?)\*\*`)},
	{"underline", "_", regexp.MustCompile(`^__((?:\\[\s\S]|[^\\])+?)__`)},
	{"italics", "*", regexp.MustCompile(`^\*((?:\\[\s\S]|\*\*|[^*\\\s])(?:\\[\s\S]|\*\*|[^*\\])*?)\*`)},
	{"italics", "_", regexp.MustCompile(`^_((?:\\[\s\S]|__|[^_\\])+?)_(?:[^a-zA-Z0-9_]|$)`)},
	{"strike", "~", regexp.MustCompile(`^~~([\s\S]+?)~~`)},
	{"spoiler", "|", regexp.MustCompile(`^\|\|([\s\S]+?)\|\|`)},
}

var (
	aMaskedLink = regexp.MustCompile(`^\[((?:\[[^\]]*\]|[^\[\]])*[^\[]*)\]\(\s*(<?)((?:\([^)]*\)|[^\s\\]|\\[^\n])*?)(>?)(?:\s+['"].*?['"])?\s*\)`)
	anInvite    = regexp.MustCompile(`(?i)(discord\.gg|discord(app)?\.com/invite|discord\.new|discord\.gift)/\w`)
	aPing       = regexp.MustCompile(`<@[!&]?\d+>`)
	formatting  = []string{"bold", "underline", "italics", "strike", "spoiler"}
)

func (r *reading) read(s string, start bool) {
	for len(s) > 0 {
		if start && !r.label {
			s = s[r.lineStart(s):]
		}
		n := r.markup(s)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(s)
			r.shown.WriteString(s[:n])
		}
		start = s[n-1] == '\n'
		s = s[n:]
	}
}

// lineStart is how much of the beginning of a line is markup of the line, of which there may
// be several: "> - # ".
func (r *reading) lineStart(s string) int {
	for _, rule := range atLineStart {
		if m := rule.pattern.FindString(s); m != "" && len(m) < len(s) {
			line, _, _ := strings.Cut(s[len(m):], "\n")
			r.effects = append(r.effects, effect{what: rule.what, text: line})
			return len(m) + r.lineStart(s[len(m):])
		}
	}
	return 0
}

// markup is how much of the beginning of s is markup, whose effect it notes.
func (r *reading) markup(s string) int {
	if s[0] == '\\' && len(s) > 1 && !r.label {
		next, n := utf8.DecodeRuneInString(s[1:])
		if next < utf8.RuneSelf && !wordRune(next) && !unicode.IsSpace(next) {
			r.shown.WriteString(s[1 : 1+n])
			return 1 + n
		}
	}
	if s[0] == '[' && !r.label {
		if m := aMaskedLink.FindStringSubmatch(s); m != nil {
			r.masked(m)
			return len(m[0])
		}
	}
	for _, rule := range anywhere {
		if strings.IndexByte(rule.begins, s[0]) < 0 {
			continue
		}
		m := rule.pattern.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		r.effects = append(r.effects, effect{what: rule.what, text: m[0]})
		if slices.Contains(formatting, rule.what) {
			r.read(m[1], false)
			return len(m[0])
		}
		r.shown.WriteString(m[0])
		return len(m[0])
	}
	return 0
}

// masked notes a link that hides its address; what Discord does not take for one it shows as
// it is.
func (r *reading) masked(m []string) {
	inner := &reading{label: true}
	inner.read(m[1], false)
	if len(inner.effects) > 0 || anInvite.MatchString(m[1]) || strings.TrimSpace(m[1]) == "" {
		r.effects = append(r.effects, effect{what: "broken link", text: m[0]})
		r.shown.WriteString(m[0])
		return
	}
	what := "link"
	if m[2] == "" || m[4] == "" {
		what = "link with a preview"
	}
	r.effects = append(r.effects, effect{what: what, text: m[1], url: m[3]})
	r.shown.WriteString(m[1])
}

// othersRead is what takes effect as the stand-in for Discord sees it: a second opinion.
func othersRead(s string) string {
	var out []string
	for _, f := range (discordtest.Message{Content: s}).Formats() {
		out = append(out, f.Kind+" "+f.URL)
	}
	return strings.Join(out, "\n")
}

// A reader that sees nothing in this would find nothing in what escape makes of it either.
func TestReaderReads(t *testing.T) {
	for s, want := range map[string]string{
		"plain words, snake_case 2*3 9:00-17:30 [x] (y)": "",
		`\*\*x\*\* \<@1> \@everyone https\://a.example`:  "",
		"**a** *b* _c_ __d__ ~~e~~ ||f||":                "bold italics italics underline strike spoiler",
		"a_b_ c":                                         "italics",
		"`a` ``b`` ```c```":                              "code code fence",
		"# a\n-# b\n> c\n- d\n1. e\n>>> f":               "header small quote list numbers quote",
		"> - # a":                                        "quote list header",
		"<@1> <@!1> <@&1> <#1> </a:1> <id:home> <t:1:R> <:a:1> <a:a:1>": "user user role channel command navigation time custom emoji custom emoji",
		"@everyone @here :wave: 5:100:":                                 "everyone everyone emoji emoji",
		"https://a.example <https://a.example> <a@b.example> <+123456>": "address autolink mail phone",
		"[a](https://a.example)":                                        "link with a preview",
		"[[1]](<https://a.example>)":                                    "link",
		`[[1]](<https://a.example>) x \](https://b.example)`:            "broken link",
		"[a https://b.example](<https://a.example>)":                    "broken link",
		"[:wave:](<https://a.example>)":                                 "broken link",
	} {
		if got := read(s).names(); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"words", "Mr. O'Neill's 2nd (and last) e-mail: 50% off!", "Mr. O'Neill's 2nd (and last) e-mail: 50% off!"},
		{"times", "9:00-17:30, 10:30:45", "9:00-17:30, 10:30:45"},
		{"formatting", "*b* _i_ ~~s~~ `c` ||p||", `\*b\* \_i\_ \~\~s\~\~ \` + "`c\\`" + ` \|\|p\|\|`},
		{"names in code", "snake_case 2*3", `snake\_case 2\*3`},
		{"backslashes", `C:\docs \*`, `C:\\docs \\\*`},
		{"people", "<@1> <@!1> <@&1>", `\<\@1> \<\@!1> \<\@&1>`},
		{"all people", "@everyone @here @bob a@b.example", `\@everyone \@here @bob a@b.example`},
		{"references", "<#1> </ask:1> <id:customize>", `\<#1> \</ask:1> \<id:customize>`},
		{"emoji", ":wave: <:x:1> <a:x:1> 5:100:3", `\:wave: \<\:x:1> \<a\:x:1> 5\:100:3`},
		{"moments", "<t:1:R>", `\<t:1:R>`},
		{"lists", "- a\n  - b\n+ c\n1. d\n12. e\nf - g 1. h", "\\- a\n  \\- b\n\\+ c\n1\\. d\n12\\. e\nf - g 1. h"},
		{"headers and small letters", "# a\n### b\n-# c\nno. #4", "\\# a\n\\### b\n\\-# c\nno. #4"},
		{"quotes", "> a\n>>> b\nc > d", "\\> a\n\\>>> b\nc > d"},
		{"addresses", "see http://evil.example <https://evil.example>", `see http\://evil.example \<https\://evil.example>`},
		{"links", "[ok](https://evil.example)", `\[ok\]\(https\://evil.example)`},
		{"the end of a link", "x](https://evil.example)", `x\]\(https\://evil.example)`},
		{"invitations", "discord.gg/abc discord.com/invite/abc other.example/abc", `discord.gg\/abc discord.com\/invite\/abc other.example/abc`},
		{"what is hidden", "a\u200b\u202eb\U000e0041", "ab"},
		{"invalid", "a\xff\xed\xa0\x80b", "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, escape(c.in)); diff != "" {
				t.Errorf("escape(%q) (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range hostile {
		f.Add(layout.Shorten(s, 300), 100)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 20 + max(limit, 0)%4000
		if short := escapeFit(s, limit); layout.Chars(short) > limit {
			t.Errorf("escapeFit(%q, %d) = %q: %d characters", s, limit, short, layout.Chars(short))
		}
		checkEscape(t, s)
	})
}

// drawMarkup draws text made of what markup is made of.
var drawMarkup = rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{
	"*", "_", "~", "|", "`", "[", "]", "(", ")", "<", ">", "@", "#", "&", "!", "-", "+", ".", ":", "/", "//", "\\", "\"", "'",
	" ", " ", "\n", "a", "Z", "é", "0", "1", "100", "://", "http", "discord.gg", "everyone", "here", "t:", "id:", "😀", "**", "__", "](",
}), 1, 25), func(tokens []string) string { return strings.Join(tokens, "") })

func TestEscapeOfMarkup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkEscape(t, drawMarkup.Draw(t, "text")) })
}

func TestLabelOfMarkup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkLabel(t, drawMarkup.Draw(t, "text")) })
}

// checkEscape checks that escaped text has no effect and shows what it was.
func checkEscape(t checked, s string) {
	t.Helper()
	got := escape(s)
	if n := layout.Chars(got); n > escapedSize(citations.Clean(s)) {
		t.Errorf("escape(%q) = %q: %d characters", s, got, n)
	}
	for _, before := range []string{"", "- ", "> ", "**x:** ", "[[1]](<https://bot.example>) "} {
		own, r := read(before+"x"), read(before+got)
		if strings.TrimSpace(got) == "" {
			continue
		}
		if r.names() != own.names() || othersRead(before+got) != othersRead(before+"x") || anInvite.MatchString(got) || aPing.MatchString(got) {
			t.Errorf("%q has an effect: %s", before+got, r.names())
		}
		shown := strings.TrimSuffix(own.shown.String(), "x") + citations.Clean(s)
		if citations.Normal(r.shown.String()) != citations.Normal(shown) { // white space at the ends may be lost
			t.Errorf("%q shows %q, want %q", before+got, r.shown.String(), shown)
		}
	}
}

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{
		"Returns › Time":               "Returns › Time",
		"max_retries, _all_":           "max_retries, ˍallˍ",
		"2*3 [draft] `x` a|b <c>":      "2∗3 (draft) ˋxˋ a∣b ‹c›",
		"see https://evil.example/a/b": "see https:/ /evil.example/a/b",
		"discord.gg/abc":               "discord.gg /abc",
		":wave: us @ 10:30:45":         "wave: us ＠ 10:30:45",
		"🚀 Launch 👍🏽 1️⃣ of 🇩🇪, Acme™": "Launch 1 of , Acme™",
		"👍":    "A document",
		"a\nb": "a b",
	} {
		if got := label(in); got != want {
			t.Errorf("label(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLabel(f *testing.F) {
	for _, s := range hostile {
		f.Add(layout.Shorten(s, 300))
	}
	f.Fuzz(func(t *testing.T, s string) { checkLabel(t, s) })
}

// checkLabel checks that a link with a label is one, and leads where it is to lead.
func checkLabel(t checked, s string) {
	t.Helper()
	const address = "https://bot.example/s/1"
	r := read(link("x"+s, address) + " and")
	if len(r.effects) != 1 || r.effects[0].what != "link" || r.effects[0].url != address {
		t.Errorf("link(%q) = %q: %+v", s, link("x"+s, address), r.effects)
	}
	if got := othersRead(link("x"+s, address)); got != "link "+address {
		t.Errorf("link(%q) is %q", s, got)
	}
}

func TestLinkAddress(t *testing.T) {
	for raw, want := range map[string]string{
		"https://bot.example/s/1":                "https://bot.example/s/1",
		"http://127.0.0.1:8080/s/1?sig=a&b=c#x":  "http://127.0.0.1:8080/s/1?sig=a&b=c#x",
		"http://[::1]:8080/s/1":                  "http://[::1]:8080/s/1",
		"https://bot.example/a b>c)d(e|f":        "https://bot.example/a%20b%3Ec%29d%28e%7Cf",
		"https://bot.example/?q=a b>c)d(e\\f\"g": "https://bot.example/?q=a%20b%3Ec%29d%28e%5Cf%22g",
		"https://bot.example@evil.example/":      "",
		"https://bot.example/\u202ex":            "",
		"javascript:alert(1)":                    "",
		"discord://x/y":                          "",
		"//evil.example/x":                       "",
		"/s/1":                                   "",
		"":                                       "",
		"https://bot.example/" + strings.Repeat("x", 900):  "",
		"https://bot.example/?" + strings.Repeat("(", 300): "",
	} {
		if got := linkAddress(raw); got != want {
			t.Errorf("linkAddress(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"<@1> how long do refunds take?":       "how long do refunds take?",
		"does <@!12> or <@&3> pay in <#4>?":    "does   or   pay in  ?",
		"open on <t:1618953630:D> or <t:1>?":   "open on 20 Apr 2021 or 1 Jan 1970?",
		"at <t:99999999999999>":                "at",
		"what does </kb status:55> do?":        "what does /kb status do?",
		"nice <:cat:1> <a:cat_2:1> :wave:":     "nice     :wave:",
		"see <id:customize> <https://a.b/c d>": "see   <https://a.b/c d>",
		"see <https://a.example/b>":            "see https://a.example/b",
		"a < b > c, **x**, 3 <@ 4":             "a < b > c, **x**, 3 <@ 4",
		"  ":                                   "",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestDays: moments that are none do not end up as words.
func TestDays(t *testing.T) {
	for seconds, want := range map[string]string{
		"0": "1 Jan 1970", "253402300799": "31 Dec 9999", "253402300800": "", "-1": "", "": "", "99999999999999999999": "",
	} {
		if got := dayAt(seconds); got != want {
			t.Errorf("dayAt(%q) = %q, want %q", seconds, got, want)
		}
	}
}
