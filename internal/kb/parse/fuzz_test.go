package parse

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"citebot/internal/kb"
)

// checkParse parses data and fails unless the result keeps what kb.Block and kb.Parser
// promise.
func checkParse(t *testing.T, path string, data []byte) kb.Document {
	t.Helper()
	start := time.Now()
	doc, err := Parse(context.Background(), path, data)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d bytes took %v", len(data), took)
	}
	if err != nil {
		if broken := new(kb.ParseError); !errors.As(err, &broken) || strings.Contains(broken.Reason, "its reader failed") {
			t.Errorf("error %v", err)
		}
		return doc
	}
	checkDocument(t, doc, 1+strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), "\n"))
	return doc
}

func checkDocument(t *testing.T, doc kb.Document, lines int) {
	t.Helper()
	for _, s := range []string{doc.Title, doc.Audience, doc.Owner} {
		checkText(t, s, false)
	}
	if doc.Title == "" || len(doc.Blocks) == 0 {
		t.Errorf("title %q, %d blocks", doc.Title, len(doc.Blocks))
	}
	anchors := map[string]bool{}
	last := 1
	for _, b := range doc.Blocks {
		checkText(t, b.Text, b.Kind == kb.Code)
		checkText(t, b.Header, false)
		if b.Text == "" || b.Lines[0] < last || b.Lines[1] < b.Lines[0] || b.Lines[1] > lines {
			t.Errorf("block %+v after line %d of %d", b, last, lines)
		}
		last = b.Lines[0]
		if b.Kind == kb.Heading {
			if b.Anchor == "" || anchors[b.Anchor] || b.Level < 1 || b.Level > 6 {
				t.Errorf("heading %+v: anchor empty or taken, or no level", b)
			}
			anchors[b.Anchor] = true
		}
		if b.Kind == kb.Item && b.Level < 1 || b.Header != "" && b.Kind != kb.Row {
			t.Errorf("block %+v", b)
		}
	}
}

// checkText fails unless s is what the comment on kb.Block calls plain text.
func checkText(t *testing.T, s string, code bool) {
	t.Helper()
	if !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) {
		t.Errorf("%q is not valid UTF-8 in NFC", s)
	}
	if !code && s != strings.Join(strings.Fields(s), " ") {
		t.Errorf("%q has white space other than single spaces", s)
	}
	for _, r := range s {
		newline := code && r == '\n'
		if unicode.In(r, unicode.Cc, unicode.Co, unicode.Bidi_Control, unicode.Variation_Selector) && !newline ||
			strings.ContainsRune("\u200b\u200c\u200d\u2060\ufeff\u00ad", r) || 0xE0000 <= r && r <= 0xE007F {
			t.Errorf("%q holds %U", s, r)
		}
	}
}

// fuzz seeds f with the inputs of the golden cases of one format.
func fuzz(f *testing.F, path string) {
	cases, err := filepath.Glob("testdata/*" + filepath.Ext(path) + ".txtar")
	if err != nil || len(cases) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range cases {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkParse(t, path, data) })
}

func FuzzMarkdown(f *testing.F) { fuzz(f, "x.md") }
func FuzzText(f *testing.F)     { fuzz(f, "x.txt") }
func FuzzHTML(f *testing.F)     { fuzz(f, "x.html") }
