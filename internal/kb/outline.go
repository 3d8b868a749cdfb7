package kb

import (
	"slices"
	"strings"
)

// An Outline is what a document that answers is about.
type Outline struct {
	Path      string
	Title     string
	Updated   string // YYYY-MM-DD; "" when the document does not say
	URL       string // the document's published original; "" if there is none
	Audience  string
	Headings  []string // in reading order, without the title
	Questions []string // that it answers in words of its own: headings, and beginnings of paragraphs as in an FAQ
	First     string   // hash of the first passage: where the source viewer shows the document's beginning
}

// Outlines lists the documents that answer and that these audiences may see, by path. It
// reads the current manifest and no file.
func (l *Library) Outlines(audiences []string) []Outline {
	var out []Outline
	for _, e := range l.manifest().entries {
		if len(e.passages) > 0 && slices.Contains(audiences, e.audience) {
			out = append(out, e.outline())
		}
	}
	slices.SortFunc(out, func(a, b Outline) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func (e *entry) outline() Outline {
	first := e.passages[0]
	o := Outline{Path: e.path, Title: e.title, Updated: first.Updated, URL: first.URL, Audience: e.audience, First: first.Hash}
	var above []string
	for _, p := range e.passages {
		for _, h := range p.Headings[common(above, p.Headings):] {
			o.heading(h)
		}
		above = p.Headings
		for _, s := range p.Spans {
			o.block(s.Kind, p.Text[s.Start:s.End])
		}
	}
	return o
}

// common is how many headings two paths share from the top.
func common(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// heading adds one. A short section's is also inside the passage that it joined.
func (o *Outline) heading(text string) {
	if text == o.Title || len(o.Headings) > 0 && text == o.Headings[len(o.Headings)-1] {
		return
	}
	o.Headings = append(o.Headings, text)
	if strings.HasSuffix(text, "?") {
		o.Questions = append(o.Questions, text)
	}
}

func (o *Outline) block(k Kind, text string) {
	switch k {
	case Heading:
		o.heading(text)
	case Paragraph:
		if s := Sentences(text); len(s) > 0 && strings.HasSuffix(text[:s[0][1]], "?") {
			o.Questions = append(o.Questions, text[s[0][0]:s[0][1]])
		}
	}
}
