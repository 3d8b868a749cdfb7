package parse

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"citebot/internal/kb"
)

// A failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkParse parses data and fails unless the result keeps what kb.Block and kb.Parser
// promise.
func checkParse(t failer, path string, data []byte) kb.Document {
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

func checkDocument(t failer, doc kb.Document, lines int) {
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
func checkText(t failer, s string, code bool) {
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

// TestSoupProperty joins pieces of markup in any order.
func TestSoupProperty(t *testing.T) {
	for path, pieces := range map[string]string{
		"x.md": "# |## |- |* |1. |   |> |>|```|~~~|\n|\n\n|word |**|*|_|`|~~|~|[|](|)|![|](u)|[a]: u\n|<div hidden>|</div>|<!--|-->|" +
			"<span hidden>|</span>|<br>|<table>|<tr><td>|</table>|---\n|===\n|\\|&amp;|&|\u200b|e\u0301|\xff|\r\n|\t|    |<x y>|<script>",
		"x.txt": "word |Word |WORD|\n|\n\n|- |* |•|1. |2) |(a) |  |    |\t|===|---|Title: |Section 3: |3.2 |Monday: 9|.|:|\u00a0|\xe9|\r",
		"x.html": "<p>|</p>|<div>|</div>|<div hidden>|<span hidden>|</span>|<ul>|</ul>|<ol start=2>|</ol>|<li>|<dl>|<dt>|<dd>|<table>|</table>|" +
			"<tr>|</tr>|<td rowspan=2>|<td colspan=3>|</td>|<th>|<thead>|<caption>|<h1>|</h1>|<h2>|<pre>|</pre>|<br>|<hr>|<img alt=x>|" +
			"<main>|</main>|<article>|<header>|</header>|<nav>|</nav>|<q>|</q>|<sup>|word |Word|5|\n|&#10;|&lt;|<!--|-->|<title>|</title>|<|<b|<del>|</del>",
	} {
		t.Run(path, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				soup := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(strings.Split(pieces, "|")), rapid.Just("|"))).Draw(rt, "soup")
				checkParse(rt, path, []byte(strings.Join(soup, "")))
			})
		})
	}
}

// fuzz seeds f with the inputs of the golden cases of one format.
func fuzz(f *testing.F, path string) {
	for _, data := range inputs(f, filepath.Ext(path)) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkParse(t, path, data) })
}

func FuzzMarkdown(f *testing.F) { fuzz(f, "x.md") }
func FuzzText(f *testing.F)     { fuzz(f, "x.txt") }
func FuzzHTML(f *testing.F)     { fuzz(f, "x.html") }
