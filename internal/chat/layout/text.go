package layout

import (
	"net/url"
	"strings"
	"unicode"

	"citebot/internal/citations"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// OneLine makes s one line of text.
func OneLine(s string) string { return citations.Normal(s) }

// Unmarked is OneLine for what stands beside marks: where the words of others hold an [n],
// it is written as citations.Render writes it, and can be taken for no mark of ours.
func Unmarked(s string) string {
	return citations.Render([]citations.Part{{Text: OneLine(s)}})
}

// Chars is the length of s as chat platforms' limits count it. They say characters; this
// counts as JavaScript does, which is never less.
func Chars(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// split cuts s into pieces of at most limit by size, where possible at the end of a line, a
// sentence or a word, and never within what people see as one character unless that alone
// is longer. White space around the cuts is dropped.
//
// It is used on text alone, before escaping and without marks and links, so that none of
// those can be cut.
func split(s string, limit int, size func(string) int) []string {
	var out []string
	s = strings.TrimSpace(s)
	for size(s) > limit {
		at := cutsWithin(s, limit, size).best()
		if piece := strings.TrimSpace(s[:at]); piece != "" {
			out = append(out, piece)
		}
		s = strings.TrimLeftFunc(s[at:], unicode.IsSpace)
	}
	if s != "" {
		out = append(out, s)
	}
	return out
}

// Shorten cuts s to at most limit characters, the last of which is then an ellipsis, at
// the end of a word where that does not cost half of it.
func Shorten(s string, limit int) string { return ShortenBy(s, limit, Chars) }

// ShortenBy is [Shorten] for what counts otherwise, by a size as in [Measure].
func ShortenBy(s string, limit int, size func(string) int) string {
	if size(s) <= limit {
		return s
	}
	at := cutsWithin(s, limit-1, size)
	kept := s[:at.character]
	if at.word > at.character/2 {
		kept = s[:at.word]
	}
	return strings.TrimRight(kept, " \n\t…,;:–-") + "…"
}

// cuts are the places where the first piece of a text may end, as offsets; 0: nowhere.
type cuts struct{ line, sentence, word, character int }

// best is the end of a line, a sentence or a word, the first that leaves no small piece.
func (c cuts) best() int {
	for _, at := range []int{c.line, c.sentence, c.word} {
		if at > c.character/2 {
			return at
		}
	}
	return c.character
}

// cutsWithin finds the last places to cut within the first limit characters of s, which is
// longer and does not begin with white space.
func cutsWithin(s string, limit int, size func(string) int) cuts {
	var c cuts
	n, before := 0, ""
	for g := graphemes.FromString(s); g.Next(); before = g.Value() {
		cluster := g.Value()
		space := strings.TrimSpace(cluster) == ""
		if space && c.character > 0 {
			c.note(cluster, before)
		}
		if n += size(cluster); n > limit {
			break
		}
		c.character += len(cluster)
		if strings.ContainsAny(cluster, "。！？") {
			c.sentence, c.word = c.character, c.character
		}
	}
	if c.character == 0 {
		c.character = firstChars(s, limit, size)
	}
	return c
}

// note takes down that white space follows here.
func (c *cuts) note(space, before string) {
	c.word = c.character
	if strings.Contains(space, "\n") {
		c.line = c.character
	}
	if strings.ContainsAny(before, ".!?…") {
		c.sentence = c.character
	}
}

// firstChars is where the first limit characters of s end, at least one rune.
func firstChars(s string, limit int, size func(string) int) int {
	n := 0
	for at, r := range s {
		if n += size(string(r)); at > 0 && n > limit {
			return at
		}
	}
	return len(s)
}

// Address returns the address to link to for a URL, with the bytes in unsafe
// percent-encoded, or "" where it is not one that a browser should open or is longer than
// most characters.
func Address(raw, unsafe string, most int) string {
	if Chars(raw) > most || raw != citations.Clean(raw) {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	safe := encode(u.String(), unsafe)
	if Chars(safe) > most {
		return ""
	}
	return safe
}

func encode(s, unsafe string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(unsafe, s[i]) >= 0 {
			b.Write([]byte{'%', hex[s[i]>>4], hex[s[i]&15]})
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
