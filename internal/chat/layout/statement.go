package layout

import (
	"slices"
	"strconv"
	"strings"

	"citebot/internal/citations"
)

// statements sets an answer's parts, each with its marks after it, cut where one is too
// long for a section.
func (m Measure) statements(parts []citations.Part, notes []Footnote) []Statement {
	var out []Statement
	var labels []string // of the cells in the rows that follow
	for i, p := range parts {
		if p.Kind != citations.Row {
			labels = nil
		}
		if p.Kind == citations.Header && HeadsRows(parts[i:]) {
			labels = rowCells(p)
			continue
		}
		s := setPart(p, labels)
		s.Spans = append(s.Spans, markSpans(p.Sources, notes)...)
		out = append(out, m.cut(s, notes)...)
	}
	return out
}

// setPart sets one part, still without marks. A table's row is an item whose cells the
// header names: columns do not fit in a channel, and marks in preformatted text would be
// no links.
func setPart(p citations.Part, labels []string) Statement {
	switch p.Kind {
	case citations.Item:
		item := citations.Render([]citations.Part{{Text: OneLine(p.Text), Kind: p.Kind}})
		if text, ok := strings.CutPrefix(item, "- "); ok {
			return Statement{Kind: Item, Spans: []Span{{Text: text}}}
		}
		return Statement{Kind: Line, Spans: []Span{{Text: item}}}
	case citations.Header:
		return Statement{Kind: Line, Spans: []Span{{Text: strings.Join(rowCells(p), " · "), Bold: true}}}
	case citations.Row:
		return Statement{Kind: Item, Spans: rowSpans(rowCells(p), labels)}
	}
	return Statement{Spans: []Span{{Text: Unmarked(p.Text)}}}
}

func rowCells(p citations.Part) []string { return strings.Split(Unmarked(p.Text), " | ") }

// rowSpans is "Item: Boots · Days: 30" with the labels in bold.
func rowSpans(cells, labels []string) []Span {
	var out []Span
	for i, cell := range cells {
		if i > 0 {
			out = append(out, Span{Text: " · "})
		}
		if len(labels) > i && labels[i] != "" {
			out = append(out, Span{Text: strings.TrimSuffix(labels[i], ":") + ": ", Bold: true})
		}
		out = append(out, Span{Text: cell})
	}
	return out
}

// HeadsRows reports whether the header that parts begin with can label the cells of its rows,
// and so needs no line and no marks of its own: rows of its width follow, and each rests
// on all that the header rests on.
func HeadsRows(parts []citations.Part) bool {
	rows := parts[1:]
	if end := slices.IndexFunc(rows, func(p citations.Part) bool { return p.Kind != citations.Row }); end >= 0 {
		rows = rows[:end]
	}
	width := len(rowCells(parts[0]))
	return len(rows) > 0 && !slices.ContainsFunc(rows, func(r citations.Part) bool {
		return len(rowCells(r)) != width || slices.ContainsFunc(parts[0].Sources, func(n int) bool {
			return !slices.Contains(r.Sources, n)
		})
	})
}

// markSpans are " [1][2]", each a link to its source.
func markSpans(numbers []int, notes []Footnote) []Span {
	var out []Span
	for _, n := range numbers {
		m := Span{Text: Mark(n), Mark: n}
		if i := noteAt(notes, n); i >= 0 {
			m.URL = notes[i].URL
		}
		out = append(out, m)
	}
	if len(out) > 0 {
		out = slices.Insert(out, 0, Span{Text: " "})
	}
	return out
}

// Mark is how a source with a number is marked.
func Mark(n int) string { return "[" + strconv.Itoa(n) + "]" }

// cut cuts a statement whose text is too long for a section, or whose marks with their
// sources are too many for a sheet, into ones that fit. Its marks stay at its end; a piece
// without one cites the first source all the same.
func (m Measure) cut(s Statement, notes []Footnote) []Statement {
	c := cutter{measure: m, kind: s.Kind, notes: notes}
	for _, p := range s.Spans {
		if p.IsMark() {
			c.cite(p)
		} else {
			c.write(p)
		}
	}
	c.flush()
	first := slices.IndexFunc(s.Spans, Span.IsMark)
	for i := range c.out {
		if first >= 0 && len(c.out[i].Cites) == 0 {
			c.out[i].Cites = []int{s.Spans[first].Mark}
		}
	}
	return c.out
}

// A cutter makes statements of spans.
type cutter struct {
	measure Measure
	kind    Kind
	notes   []Footnote
	out     []Statement

	now   Statement
	size  int
	text  int // weight of the spans
	cited int // and of the footnotes, without quotes
}

// write adds text. White space that would begin a piece is left out.
func (c *cutter) write(p Span) {
	if strings.TrimSpace(p.Text) == "" {
		c.blank(p)
		return
	}
	most := c.measure.Section * 9 / 10 // leaves room for marks
	few := c.measure.Section / 10      // not worth beginning in
	for c.measure.Size(p.Text) > most-c.size {
		if room := most - c.size; room > few {
			first := split(p.Text, room, c.measure.Size)[0]
			c.add(Span{Text: first, Bold: p.Bold}, 0)
			_, p.Text, _ = strings.Cut(p.Text, first)
		}
		c.flush()
		p.Text = strings.TrimSpace(p.Text)
	}
	if c.measure.over(2*(c.text+c.measure.Span(p)), 2*c.cited) {
		c.flush()
	}
	c.add(p, 0)
}

func (c *cutter) blank(p Span) {
	if c.size > 0 {
		c.add(p, 0)
	}
}

// cite adds a mark.
func (c *cutter) cite(mark Span) {
	note := 0
	if i := noteAt(c.notes, mark.Mark); i >= 0 {
		note = c.measure.Note(c.notes[i], 0)
	}
	if c.size+c.measure.Size(mark.Text) > c.measure.Section ||
		c.measure.over(c.text+c.measure.Span(mark), c.cited+note) {
		c.flush()
	}
	c.now.Cites = append(c.now.Cites, mark.Mark)
	c.add(mark, note)
}

func (c *cutter) add(p Span, note int) {
	c.now.Spans = append(c.now.Spans, p)
	c.size += c.measure.Size(p.Text)
	c.text += c.measure.Span(p)
	c.cited += note
}

// flush ends a piece.
func (c *cutter) flush() {
	if c.size > 0 {
		c.now.Kind = c.kind
		if c.kind == Item && len(c.out) > 0 {
			c.now.Kind = Line // the item goes on, and gets no second bullet
		}
		c.out = append(c.out, c.now)
	}
	c.now, c.size, c.text, c.cited = Statement{}, 0, 0, 0
}
