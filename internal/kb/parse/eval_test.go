package parse

import (
	"context"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"citebot/internal/kb"
)

// evalDocs are documents that nobody here wrote: see the README beside them.
const evalDocs = "../../../../shared/eval"

// aboutMarkup are Markdown documents on HTML itself: their examples are tags, and what
// these strike out or hide is left out.
var aboutMarkup = map[string]bool{
	"how-do-i-strikethrough-text-in-gmail.md":                       true,
	"is-it-possible-to-export-my-data-from-trello-to-back-it-up.md": true,
	"is-there-a-webapp-to-create-ascii-art-tables-closed.md":        true,
	"strikethrough-with-github-markdown.md":                         true,
}

// TestEvalDocuments reads real documents: none is refused or empty, each gets a title, and
// no letter or digit is lost that a tag stripper would keep.
func TestEvalDocuments(t *testing.T) {
	var paths []string
	err := filepath.WalkDir(evalDocs, func(path string, _ os.DirEntry, err error) error {
		if err == nil && Accepts(path) && strings.Contains(path, "/docs/") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Skipf("no documents to read: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := Parse(context.Background(), path, data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		checkDocument(t, doc, 1+strings.Count(string(data), "\n"))
		if got, want := letters(blockText(doc)), letters(strip(path, string(data))); got != want && !aboutMarkup[filepath.Base(path)] {
			i := 0
			for i < len(got) && i < len(want) && got[i] == want[i] {
				i++
			}
			t.Errorf("%s: text differs after %.40q: got %.60q, want %.60q", path, got[max(0, i-40):i], got[i:], want[i:])
		}
	}
	t.Logf("%d documents", len(paths))
}

func blockText(doc kb.Document) string {
	var b strings.Builder
	for _, block := range doc.Blocks {
		text := block.Text
		if block.Kind == kb.Item && filepath.Ext(doc.Path) == ".html" {
			text = listMark.ReplaceAllString(text, "") // the page does not say its numbers
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

var (
	pageTitle = regexp.MustCompile(`(?s)<title>.*?</title>`)
	anyTag    = regexp.MustCompile(`(?s)<[a-zA-Z/!][^>]*>`)
	knownTag  = regexp.MustCompile(`(?s)</?(?:a|b|br|div|em|i|img|p|span|strong|table|td|tr)(?:\s[^>]*)?/?>`)
	listMark  = regexp.MustCompile(`^[0-9]+\. `)
)

// strip is a tag stripper.
func strip(path, s string) string {
	switch filepath.Ext(path) {
	case ".html":
		return html.UnescapeString(anyTag.ReplaceAllString(pageTitle.ReplaceAllString(s, ""), ""))
	case ".md":
		return html.UnescapeString(knownTag.ReplaceAllString(s, ""))
	}
	return strings.TrimPrefix(s, "Title: ")
}

// letters returns the letters and digits of s.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}
