package parse

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"
)

// BenchmarkParse reads a megabyte made of the golden cases' like; each format has a
// baseline that does the least that could be called reading it.
func BenchmarkParse(b *testing.B) {
	const section = "Late fees\n\nA book is late when it comes back after its due date, which stands on the slip. We charge 20p\n" +
		"per day, at most £5 for each book; members and children under 12 pay nothing.\n\n- one item here\n- two items there\n\n"
	page := strings.NewReplacer("Late fees", "<h2>Late fees</h2>", "A book", "<p>A <b>book</b>", "- ", "<li>").Replace(section)
	for _, c := range []struct {
		path, data string
		baseline   func(data []byte)
	}{
		{"x.md", strings.ReplaceAll(strings.ReplaceAll(section, "Late fees", "## Late fees"), "due date", "[due **date**](https://x.example)"), goldmarkAlone},
		{"x.txt", section, splitLines},
		{"x.html", page, tokenise},
	} {
		data := []byte(strings.Repeat(c.data, 1<<20/len(c.data)))
		b.Run(c.path, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Parse(context.Background(), c.path, data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.path+" baseline", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				c.baseline(data)
			}
		})
	}
}

func goldmarkAlone(data []byte) { goldmark.DefaultParser().Parse(text.NewReader(data)) }

func splitLines(data []byte) {
	for range bytes.SplitSeq(data, []byte("\n")) {
	}
}

func tokenise(data []byte) {
	for z := html.NewTokenizer(bytes.NewReader(data)); z.Next() != html.ErrorToken; {
	}
}
