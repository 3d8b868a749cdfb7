package citations

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormal(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"white space", "\t a \u00a0\n\r\n b\u2028", "a b"},
		{"composes", "cafe\u0301", "café"},
		{"control", "a\x00\x1bb", "ab"},
		{"zero width", "a\u200bb\ufeffc\u2060", "abc"},
		{"bidi", "a\u202eb\u2066c\u061c", "abc"},
		{"tags", "a\U000e0041b", "ab"},
		{"private use", "\uf0b7 item", "item"},
		{"soft hyphen", "re\u00adturn", "return"},
		{"invalid", "a\xffb", "ab"},
		{"visible format characters stay", "\u06dd12", "\u06dd12"},
		{"other scripts stay", "日本語 العربية हिन्दी", "日本語 العربية हिन्दी"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Normal(tt.in); got != tt.want {
				t.Errorf("Normal(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestCleanKeepsLines(t *testing.T) {
	if got, want := Clean("a\n\tb\u200b\u00a0c\n"), "a\n\tb c\n"; got != want {
		t.Errorf("Clean = %q, want %q", got, want)
	}
}

func FuzzNormal(f *testing.F) {
	for _, s := range []string{"", "a  b", "e\u0301", "\u202eabc", "a\u200b\u0301", "\xff", " … "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Normal(s)
		switch {
		case !utf8.ValidString(got):
			t.Errorf("Normal(%q) = %q is not valid UTF-8", s, got)
		case Normal(got) != got:
			t.Errorf("Normal(%q) = %q, again %q", s, got, Normal(got))
		case got != Normal(Clean(s)):
			t.Errorf("Normal(Clean(%q)) = %q, want %q", s, Normal(Clean(s)), got)
		case hides(got) || strings.ContainsAny(got, "\n\t"):
			t.Errorf("Normal(%q) = %q holds a hidden character", s, got)
		}
	})
}

// FuzzCheck quotes an arbitrary piece of an arbitrary text: what Clean made of it holds,
// however the text is written, and Check never panics on what was not cleaned.
func FuzzCheck(f *testing.F) {
	f.Add("Returns take 30 days.\nExcept shoes.", 8, 20)
	f.Add("a … b", 0, 8)
	f.Add("[1] \u202e x", 0, 6)
	f.Fuzz(func(t *testing.T, text string, from, to int) {
		text = Clean(text)
		if from < 0 || to > len(text) || from >= to || !utf8.ValidString(text[from:to]) {
			t.Skip()
		}
		quote := text[from:to]
		if Normal(quote) == "" || Clean(quote) != quote {
			t.Skip()
		}
		parts := []Part{{Text: Normal(quote), Sources: []int{1}}}
		a := Answer{Verdict: Answered, Text: Render(parts), Parts: parts, Sources: []Source{{N: 1, Quote: quote}}}
		if err := Check(a, library{"": text}.passage); err != nil {
			t.Errorf("Check: %v for %q of %q", err, quote, text)
		}
	})
}
