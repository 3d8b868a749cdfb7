package chat

import (
	"strings"
	"testing"
	"unicode/utf8"

	"citebot/internal/citations"
)

func TestGuard(t *testing.T) {
	tests := []struct{ text, want, reason string }{
		{"How long do returns take?", "How long do returns take?", ""},
		{"  How\u202e long\x00\n\ttake ", "How long take", ""},
		{"hi, how long do returns take?", "hi, how long do returns take?", ""},
		{"Thanks, and what about shoes?", "Thanks, and what about shoes?", ""},
		{"返品はできますか", "返品はできますか", ""},
		{strings.Repeat("é", maxQuestion), strings.Repeat("é", maxQuestion), ""},
		{"", "", "empty"},
		{" \u200b\n", "", "empty"},
		{"?!…", "", "empty"},
		{"👍", "", "empty"},
		{strings.Repeat("é", maxQuestion+1), "", "too long"},
		{"hi", "", "greeting"},
		{"Good morning, everyone!", "", "greeting"},
		{"Hello bot", "", "greeting"},
		{"thanks!", "", "thanks"},
		{"Great, thank you very much.", "", "thanks"},
	}
	for _, tt := range tests {
		text, refused := guard(tt.text)
		reason := ""
		if refused != nil {
			reason = refused.reason
		}
		if text != tt.want || reason != tt.reason {
			t.Errorf("guard(%.40q) = %.40q, %q; want %.40q, %q", tt.text, text, reason, tt.want, tt.reason)
		}
	}
}

func FuzzGuard(f *testing.F) {
	for _, s := range []string{"hi", "thanks", "How long?", "\u202e\u2066?", "\xff", "1", strings.Repeat("a ", 6000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, refused := guard(s)
		switch {
		case (text == "") != (refused != nil):
			t.Errorf("guard(%q) = %q, %v; want one of the two", s, text, refused)
		case refused != nil && (refused.reason == "" || refused.reply == ""):
			t.Errorf("guard(%q) refuses without a word: %+v", s, refused)
		case text != citations.Normal(text) || utf8.RuneCountInString(text) > maxQuestion:
			t.Errorf("guard(%q) = %q is not clean", s, text)
		}
	})
}
