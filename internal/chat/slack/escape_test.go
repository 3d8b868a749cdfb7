package slack

import (
	"strings"
	"testing"
	"unicode/utf8"

	"citebot/internal/chat/layout"
	"citebot/internal/citations"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"control characters of Slack", "a & b < c > d", "a &amp; b &lt; c &gt; d"},
		{"an entity", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;"},
		{"a broadcast", "<!channel> <!here|x>", "&lt;!channel&gt; &lt;!here|x&gt;"},
		{"a forged link", "<https://evil.example|ok>", "&lt;https://evil.example|ok&gt;"},
		{"formatting", "*b* _i_ ~s~ `c`", "∗b∗ ˍiˍ ∼s∼ ˋcˋ"},
		{"within words", "snake_case 2*3 a~b", "snake_case 2*3 a~b"},
		{"at the ends of words", "_snake_case_ *2*3*", "ˍsnake_caseˍ ∗2*3∗"},
		{"other scripts", "日*本*語", "日∗本∗語"},
		{"a fence", "```\nx\n```", "ˋˋˋ\nx\nˋˋˋ"},
		{"a quote", "> a\n >b\nc > d", "˃ a\n ˃b\nc &gt; d"},
		{"emoji", ":wave: :+1: a:b", "∶wave: ∶+1: a:b"},
		{"one after the other", ":a:b:c", "∶a∶b:c"},
		{"times", "9:00-17:30, 10:30:45", "9:00-17:30, 10:30:45"},
		{"what is hidden", "a\u200b\u202eb\U000e0041", "ab"},
		{"invalid", "a\xff\xed\xa0\x80b", "ab"},
		{"what Slack links by itself only when told to", "@here #general www.evil.example", "@here #general www.evil.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := escape(c.in); got != c.want {
				t.Errorf("escape(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestMrkdwnLink(t *testing.T) {
	for _, c := range []struct{ address, label, want string }{
		{"https://bot.example/?a&b", "A > B", "<https://bot.example/?a&amp;b|A &gt; B>"},
		{"https://bot.example/", "a|b", "<https://bot.example/|a∣b>"},
		{"https://bot.example/", "", ""},
		{"", "<a>", "&lt;a&gt;"},
	} {
		if got := mrkdwnLink(c.address, c.label); got != c.want {
			t.Errorf("mrkdwnLink(%q, %q) = %q, want %q", c.address, c.label, got, c.want)
		}
	}
}

// foldedText is s without the difference between characters and their look-alikes.
func foldedText(s string) string {
	return strings.Map(func(r rune) rune {
		for ascii, alike := range lookalikes {
			if r == alike {
				return ascii
			}
		}
		return r
	}, s)
}

// seenAs is what Slack shows of mrkdwn that has nothing but entities.
func seenAs(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

func FuzzEscape(f *testing.F) {
	for _, s := range hostile {
		f.Add(layout.Shorten(s, 300), 100)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 20 + max(limit, 0)%4000
		short := escapeFit(s, limit)
		if layout.Chars(short) > limit {
			t.Errorf("escapeFit(%q, %d) = %q: %d characters", s, limit, short, layout.Chars(short))
		}
		for _, got := range []string{escape(s), short} {
			stripped := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(got)
			if strings.ContainsAny(stripped, "&<>`") || !utf8.ValidString(got) {
				t.Errorf("escape(%q) = %q", s, got)
			}
			checkFormatless(t, got)
		}
		if want := foldedText(citations.Clean(s)); foldedText(seenAs(escape(s))) != want {
			t.Errorf("escape(%q) shows %q, want %q", s, seenAs(escape(s)), want)
		}
	})
}

// checkFormatless checks that no character stands where Slack would begin or end formatting.
func checkFormatless(t *testing.T, s string) {
	t.Helper()
	for i := range len(s) {
		inside := i > 0 && i+1 < len(s) && wordRune(rune(s[i-1])) && wordRune(rune(s[i+1]))
		if strings.IndexByte("*_~", s[i]) >= 0 && !inside {
			t.Errorf("%q formats at %d", s, i)
		}
	}
	for line := range strings.Lines(s) {
		if strings.HasPrefix(strings.TrimSpace(line), "&gt;") {
			t.Errorf("%q quotes", line)
		}
	}
}
