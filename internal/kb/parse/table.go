package parse

import (
	"strings"

	"golang.org/x/net/html/atom"

	"citebot/internal/kb"
)

const (
	maxCell   = 2000 // bytes; a row with more lays out a page rather than data
	maxHeader = 1000 // bytes; a longer header row is not repeated with each row

	// A cell that spans rows is repeated in them, up to these sizes.
	maxSpanRows  = 500
	maxSpanCols  = 20
	maxSpanBytes = 200
)

// A table is one that is open. Only the innermost collects cells: where a table begins,
// the row around it is found to be layout and spilled.
type table struct {
	header  string // the text of its last header row
	row     []cell
	size    int // bytes in row
	spilled bool
	spans   []span // by column
}

type cell struct {
	blocks  []kb.Block
	head    bool
	columns int
	rows    int
}

// A span is a cell of an earlier row that reaches into the next ones.
type span struct {
	text string
	rows int // still to come
}

func (t *table) put(b kb.Block) {
	c := &t.row[len(t.row)-1]
	c.blocks = append(c.blocks, b)
	t.size += len(b.Text)
}

// cellOf returns the table whose last cell collects text, nil for none. Text between
// cells, which no table should have, counts with the cell before it.
func (p *page) cellOf() *table {
	if len(p.tables) == 0 || p.inner[atom.Tr] <= p.inner[atom.Table] {
		return nil
	}
	if t := p.tables[len(p.tables)-1]; !t.spilled && len(t.row) > 0 {
		return t
	}
	return nil
}

func (p *page) openTable() {
	if t := p.cellOf(); t != nil {
		p.spill(t, p.top().region)
	}
	p.tables = append(p.tables, &table{})
}

// openPart begins a row or a cell.
func (p *page) openPart(e *element, a attrs) {
	if len(p.tables) == 0 {
		return
	}
	t := p.tables[len(p.tables)-1]
	if e.tag == atom.Tr {
		t.row, t.size, t.spilled = t.row[:0], 0, false
		return
	}
	e.kind, e.depth = kb.Paragraph, 0
	t.row = append(t.row, cell{
		head:    e.tag == atom.Th || p.inner[atom.Thead] > p.inner[atom.Table],
		columns: min(a.number("colspan", 1), maxSpanCols),
		rows:    min(a.number("rowspan", 1), maxSpanRows),
	})
}

// spill turns the open row into blocks of their own, and what comes in it too.
func (p *page) spill(t *table, r region) {
	for _, c := range t.row {
		for _, b := range c.blocks {
			p.add(b, r)
		}
	}
	t.row, t.spilled = t.row[:0], true
}

// endRow makes a block of the row that ends.
func (p *page) endRow(e *element) {
	if len(p.tables) == 0 {
		return
	}
	t := p.tables[len(p.tables)-1]
	if t.spilled {
		return
	}
	b := kb.Block{Kind: kb.Row, Lines: t.lines()}
	filled, head := t.shape()
	switch {
	case filled == 0:
		return
	case head:
		b.Kind = kb.Header
	case filled == 1 && (t.header == "" || len(t.row) == 1 && t.row[0].columns > 1): // layout, or a note across the table
		p.spill(t, e.region)
		return
	}
	b.Text = clean(strings.Join(p.cells(t), " | "))
	if head && (filled > 1 || t.header == "") {
		t.header = ""
		if len(b.Text) <= maxHeader {
			t.header = b.Text
		}
	}
	if !head {
		b.Header = t.header
	}
	p.add(b, e.region)
}

// shape reports how many cells of the row hold text and whether all of these are heads.
func (t *table) shape() (filled int, head bool) {
	head = true
	for _, c := range t.row {
		if len(c.blocks) > 0 {
			filled++
			head = head && c.head
		}
	}
	return filled, head
}

func (t *table) lines() (lines kb.Lines) {
	for _, c := range t.row {
		for _, b := range c.blocks {
			if lines[0] == 0 {
				lines = b.Lines
			}
			lines = lines.Join(b.Lines)
		}
	}
	return lines
}

// cells returns the texts of the row's columns, those that reach into it from above
// included.
func (p *page) cells(t *table) []string {
	var texts []string
	for _, c := range t.row {
		texts = p.reach(t, texts)
		text := c.text()
		if c.rows > 1 {
			t.hold(len(texts), span{text, c.rows - 1})
		}
		texts = append(texts, text)
		for range c.columns - 1 {
			if p.spare -= 3; p.spare > 0 {
				texts = append(texts, "")
			}
		}
	}
	return p.reach(t, texts)
}

// reach appends the spans that stand in the columns that follow.
func (p *page) reach(t *table, texts []string) []string {
	for i := len(texts); i < len(t.spans) && t.spans[i].rows > 0; i++ {
		s := &t.spans[i]
		s.rows--
		if p.spare -= len(s.text) + 3; p.spare < 0 {
			return texts
		}
		texts = append(texts, s.text)
	}
	return texts
}

func (t *table) hold(column int, s span) {
	if column >= maxSpanCols || len(s.text) > maxSpanBytes {
		return
	}
	for len(t.spans) <= column {
		t.spans = append(t.spans, span{})
	}
	t.spans[column] = s
}

// text joins the blocks of a cell; what ends without a stop gets a semicolon, so that
// the lines of a list in a cell stay apart.
func (c *cell) text() string {
	var b strings.Builder
	for i, block := range c.blocks {
		if i > 0 {
			if !strings.ContainsAny(b.String()[b.Len()-1:], ".,:;?!") {
				b.WriteByte(';')
			}
			b.WriteByte(' ')
		}
		b.WriteString(strings.ReplaceAll(block.Text, "\n", " "))
	}
	return b.String()
}
