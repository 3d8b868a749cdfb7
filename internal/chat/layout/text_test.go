package layout

import (
	"strings"
	"testing"
	"unicode"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int
		want     []string
	}{
		{"it fits", "a b", 3, []string{"a b"}},
		{"nothing", " ", 3, nil},
		{"lines first", "one two ten\nthree. four five", 18, []string{"one two ten", "three. four five"}},
		{"then sentences", "One two. Three four five", 14, []string{"One two.", "Three four", "five"}},
		{"then words", "one two three four", 9, []string{"one two", "three", "four"}},
		{"no small pieces", "a\nbcdefghij klm", 10, []string{"a\nbcdefghi", "j klm"}},
		{"a long word", "abcdefgh", 3, []string{"abc", "def", "gh"}},
		{"sentences without spaces", "日本。語語。語", 4, []string{"日本。", "語語。語"}},
		{"families stay together", "a👨‍👩‍👧b", 9, []string{"a👨‍👩‍👧", "b"}},
		{"or go to the next", "abcd👨‍👩‍👧", 9, []string{"abcd", "👨‍👩‍👧"}},
		{"flags", "🇩🇪🇫🇷", 5, []string{"🇩🇪", "🇫🇷"}},
		{"marks stay on their letters", "xe\u0323\u0301y", 2, []string{"x", "e\u0323", "\u0301y"}},
		{"beyond the basic plane", "😀😀😀", 4, []string{"😀😀", "😀"}},
		{"one that is too large", "😀😀", 1, []string{"😀", "😀"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, split(c.in, c.limit, Chars)); diff != "" {
				t.Errorf("split(%q, %d) (-want +got):\n%s", c.in, c.limit, diff)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"one two", 7, "one two"},
		{"one two three", 9, "one two…"},
		{"one two, three", 10, "one two…"},
		{"one … two three", 8, "one…"},
		{"abcdefgh", 4, "abc…"},
		{"a bcdefghij", 8, "a bcdef…"},
		{"ab👨‍👩‍👧cd", 9, "ab…"},
		{"e\u0323\u0301x y", 3, "e\u0323…"},
	} {
		if got := Shorten(c.in, c.limit); got != c.want {
			t.Errorf("Shorten(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range hardToCut {
		f.Add(s, 100)
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		s, limit = strings.ToValidUTF8(s, ""), 2+max(limit, 0)%4000
		pieces := split(s, limit, Chars)
		if lettersOf(strings.Join(pieces, "")) != lettersOf(s) {
			t.Fatalf("split(%q, %d) = %q", s, limit, pieces)
		}
		whole := clusterStarts(s, limit)
		at := 0
		for _, p := range pieces {
			at += strings.Index(s[at:], p)
			if p == "" || Chars(p) > limit || !whole[at] {
				t.Errorf("piece %q of %d characters at %d, limit %d", p, Chars(p), at, limit)
			}
			at += len(p)
		}
		if short := Shorten(s, limit); Chars(short) > limit || strings.TrimSpace(s) != "" && short == "" {
			t.Errorf("Shorten(%q, %d) = %q", s, limit, short)
		}
	})
}

// clusterStarts are the offsets in s at which a piece may begin: those of what people see
// as characters, any in one that is larger than the limit, and those after white space,
// which an accent may follow.
func clusterStarts(s string, limit int) map[int]bool {
	starts := map[int]bool{}
	at := 0
	for g := graphemes.FromString(s); g.Next(); {
		space := true
		for i, r := range g.Value() {
			starts[at+i] = space || Chars(g.Value()) > limit
			space = unicode.IsSpace(r)
		}
		at += len(g.Value())
	}
	return starts
}

// lettersOf is s without white space.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// hardToCut are texts with few places to cut at, or none.
var hardToCut = []string{
	"", " a ", strings.Repeat("x", 300), strings.Repeat("a word and ", 30), strings.Repeat("It is. Is it? ", 20),
	strings.Repeat("👨‍👩‍👧‍👦🇩🇪👍🏽1️⃣", 20), strings.Repeat("e\u0301\u0323\u0308", 80), "z" + strings.Repeat("\u0323", 300),
	"日本。語語。語", "a\x00\x1b[31mred\x07\r\n\tb", "\u0301 \u0301\n\u0301", "שלום \u202eevil\u202c العربية",
}
