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
	Sections  []Section // in reading order, without the title
	Questions []string  // that it answers in words of its own: headings, and beginnings of paragraphs as in an FAQ
	First     string    // hash of the first passage: where the source viewer shows the document's beginning
}

// A Section is what stands beneath one heading of a document.
type Section struct {
	Heading string
	Level   int    // 1 beneath the title, one more for each heading that it stands beneath
	First   string // hash of the passage that it begins in
}

// Outlines lists the documents that answer and that these audiences may see, by path. It
// reads the current manifest and no file. They are shared: what is in them is not to be
// changed.
func (l *Library) Outlines(audiences []string) []Outline {
	var out []Outline
	for _, o := range l.manifest().outlines() {
		if slices.Contains(audiences, o.Audience) {
			out = append(out, o)
		}
	}
	return out
}

// outlinesOf makes all outlines of a manifest: reading every paragraph for questions takes
// some 60 ms for 10,000 passages, and people who type a document's title ask at each letter.
func outlinesOf(entries map[string]*entry) []Outline {
	var out []Outline
	for _, e := range entries {
		if len(e.passages) > 0 {
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
		for depth := common(above, p.Headings); depth < len(p.Headings); depth++ {
			o.section(p, depth+1, p.Headings[depth])
		}
		above = p.Headings
		for _, s := range p.Spans {
			o.block(p, s.Kind, p.Text[s.Start:s.End])
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

// section adds one. A short section's heading is also inside the passage that it joined,
// which does not know its level: the path of the next passage, if that is of the same
// section, puts it right.
func (o *Outline) section(p *Passage, level int, heading string) {
	if heading == o.Title {
		return
	}
	if len(p.Headings) > 0 && p.Headings[0] == o.Title {
		level--
	}
	level = max(level, 1)
	if n := len(o.Sections); n > 0 && o.Sections[n-1].Heading == heading {
		o.Sections[n-1].Level = level
		return
	}
	o.Sections = append(o.Sections, Section{heading, level, p.Hash})
	if strings.HasSuffix(heading, "?") {
		o.Questions = append(o.Questions, heading)
	}
}

func (o *Outline) block(p *Passage, k Kind, text string) {
	switch k {
	case Heading:
		o.section(p, len(p.Headings), text) // most are the next of the same level
	case Paragraph:
		if s := Sentences(text); len(s) > 0 && strings.HasSuffix(text[:s[0][1]], "?") {
			o.Questions = append(o.Questions, text[s[0][0]:s[0][1]])
		}
	}
}
