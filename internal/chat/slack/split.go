package slack

import (
	"slices"
	"strings"
	"unicode"

	"citebot/internal/citations"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// A span is a stretch of text that is set in one way.
type span struct {
	text string
	url  string // what it links to, or ""
	bold bool
	mark int // the source it marks, or 0
}

func (s span) isMark() bool { return s.mark > 0 }

// weight is what a span may count against messageWeight.
func (s span) weight() int {
	const element = 30 // of its names and braces
	return chars(s.text) + chars(s.url) + element
}

// A layout says how a statement stands beside others.
type layout int

const (
	layoutRun  layout = iota // sentences run on in one paragraph
	layoutItem               // an item of a list
	layoutLine               // a line of its own
)

// A statement is a part of an answer, or a piece of one that is too long, with its marks.
type statement struct {
	layout layout
	spans  []span
	cites  []int // the sources that a message with this statement has to show
}

func (s statement) text() string {
	var b strings.Builder
	for _, p := range s.spans {
		b.WriteString(p.text)
	}
	return b.String()
}

func (s statement) weight() int {
	total := 0
	for _, p := range s.spans {
		total += p.weight()
	}
	return total
}

// A sheet is what one message shows of an answer.
type sheet struct {
	statements []statement
	notes      []footnote // of the sources that the statements rest on
	quote      int        // characters of their quotes
}

// paginate puts an answer on as few sheets as it fits on, at least one: where it is too
// large it first shortens quotes. Every sheet has the sources of its marks.
func paginate(a citations.Answer) []sheet {
	notes := footnotesOf(a.Sources)
	all := statementsOf(a.Parts, notes)
	first := min(max(quotesChars/max(len(a.Sources), 1), quoteChars/4), quoteChars)
	var best []sheet
	for _, quote := range []int{first, quoteChars / 4, 0} {
		f := filler{notes: notes, quote: quote}
		if sheets := f.fill(all); best == nil || len(sheets) < len(best) {
			best = sheets
		}
		if len(best) == 1 {
			break
		}
	}
	return best
}

// A filler fills sheets with statements.
type filler struct {
	notes []footnote
	quote int
}

func (f filler) fill(all []statement) []sheet {
	sheets := []sheet{{quote: f.quote}}
	weight := 0
	for _, s := range all {
		now := &sheets[len(sheets)-1]
		more := s.weight() + f.weigh(now, s.cites)
		if weight+more > answerWeight && len(now.statements) > 0 {
			sheets = append(sheets, sheet{quote: f.quote})
			now = &sheets[len(sheets)-1]
			weight, more = 0, s.weight()+f.weigh(now, s.cites)
		}
		weight += more
		now.add(s, f.notes)
	}
	return sheets
}

// weigh is the weight of the footnotes that a sheet does not have yet.
func (f filler) weigh(now *sheet, cites []int) int {
	total := 0
	for _, n := range cites {
		if i := noteAt(f.notes, n); i >= 0 && noteAt(now.notes, n) < 0 {
			total += f.notes[i].weight(f.quote)
		}
	}
	return total
}

func (f footnote) weight(quote int) int { return span{text: f.line(quote)}.weight() }

func (s *sheet) add(more statement, notes []footnote) {
	s.statements = append(s.statements, more)
	for _, n := range more.cites {
		if i := noteAt(notes, n); i >= 0 && noteAt(s.notes, n) < 0 {
			s.notes = append(s.notes, notes[i])
		}
	}
}

// noteAt is the index of the footnote with a number, or -1.
func noteAt(notes []footnote, n int) int {
	return slices.IndexFunc(notes, func(f footnote) bool { return f.n == n })
}

// statementsOf sets an answer's parts, each with its marks after it, cut where one is too
// long for a section.
func statementsOf(parts []citations.Part, notes []footnote) []statement {
	var out []statement
	var labels []string // of the cells in the rows that follow
	for i, p := range parts {
		if p.Kind != citations.Row {
			labels = nil
		}
		if p.Kind == citations.Header && headsRows(parts[i:]) {
			labels = rowCells(p)
			continue
		}
		s := setPart(p, labels)
		s.spans = append(s.spans, markSpans(p.Sources, notes)...)
		out = append(out, s.cut(notes)...)
	}
	return out
}

// setPart sets one part, still without marks. A table's row is an item whose cells the
// header names: columns do not fit in a channel, and marks in preformatted text would be
// no links.
func setPart(p citations.Part, labels []string) statement {
	switch p.Kind {
	case citations.Item:
		item := citations.Render([]citations.Part{{Text: oneLine(p.Text), Kind: p.Kind}})
		if text, ok := strings.CutPrefix(item, "- "); ok {
			return statement{layout: layoutItem, spans: []span{{text: text}}}
		}
		return statement{layout: layoutLine, spans: []span{{text: item}}}
	case citations.Header:
		return statement{layout: layoutLine, spans: []span{{text: strings.Join(rowCells(p), " · "), bold: true}}}
	case citations.Row:
		return statement{layout: layoutItem, spans: rowSpans(rowCells(p), labels)}
	}
	return statement{spans: []span{{text: unmarked(p.Text)}}}
}

func rowCells(p citations.Part) []string { return strings.Split(unmarked(p.Text), " | ") }

// rowSpans is "Item: Boots · Days: 30" with the labels in bold.
func rowSpans(cells, labels []string) []span {
	var out []span
	for i, cell := range cells {
		if i > 0 {
			out = append(out, span{text: " · "})
		}
		if len(labels) > i && labels[i] != "" {
			out = append(out, span{text: strings.TrimSuffix(labels[i], ":") + ": ", bold: true})
		}
		out = append(out, span{text: cell})
	}
	return out
}

// headsRows reports whether the header that parts begin with can label the cells of its rows,
// and so needs no line and no marks of its own: rows of its width follow, and each rests
// on all that the header rests on.
func headsRows(parts []citations.Part) bool {
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
func markSpans(numbers []int, notes []footnote) []span {
	var out []span
	for _, n := range numbers {
		m := span{text: markText(n), mark: n}
		if i := noteAt(notes, n); i >= 0 {
			m.url = notes[i].url
		}
		out = append(out, m)
	}
	if len(out) > 0 {
		out = slices.Insert(out, 0, span{text: " "})
	}
	return out
}

// cut cuts a statement whose text is too long for a section, or whose marks with their
// sources are too many for a sheet, into ones that fit. Its marks stay at its end; a piece
// without one cites the first source all the same.
func (s statement) cut(notes []footnote) []statement {
	c := cutter{layout: s.layout, notes: notes}
	for _, p := range s.spans {
		if p.isMark() {
			c.cite(p)
		} else {
			c.write(p)
		}
	}
	c.flush()
	first := slices.IndexFunc(s.spans, span.isMark)
	for i := range c.out {
		if first >= 0 && len(c.out[i].cites) == 0 {
			c.out[i].cites = []int{s.spans[first].mark}
		}
	}
	return c.out
}

// A cutter makes statements of spans.
type cutter struct {
	layout layout
	notes  []footnote
	out    []statement

	now    statement
	chars  int
	weight int // of the spans and, without quotes, of the footnotes
}

// write adds text. White space that would begin a piece is left out.
func (c *cutter) write(p span) {
	if strings.TrimSpace(p.text) == "" {
		c.blank(p)
		return
	}
	const (
		most = sectionChars * 9 / 10 // leaves room for marks
		few  = sectionChars / 10     // not worth beginning in
	)
	for chars(p.text) > most-c.chars {
		if room := most - c.chars; room > few {
			first := splitText(p.text, room)[0]
			c.add(span{text: first, bold: p.bold}, 0)
			_, p.text, _ = strings.Cut(p.text, first)
		}
		c.flush()
		p.text = strings.TrimSpace(p.text)
	}
	if c.weight+p.weight() > answerWeight/2 {
		c.flush()
	}
	c.add(p, 0)
}

func (c *cutter) blank(p span) {
	if c.chars > 0 {
		c.add(p, 0)
	}
}

// cite adds a mark.
func (c *cutter) cite(m span) {
	note := 0
	if i := noteAt(c.notes, m.mark); i >= 0 {
		note = c.notes[i].weight(0)
	}
	if c.chars+chars(m.text) > sectionChars || c.weight+m.weight()+note > answerWeight {
		c.flush()
	}
	c.now.cites = append(c.now.cites, m.mark)
	c.add(m, note)
}

func (c *cutter) add(p span, note int) {
	c.now.spans = append(c.now.spans, p)
	c.chars += chars(p.text)
	c.weight += p.weight() + note
}

// flush ends a piece.
func (c *cutter) flush() {
	if c.chars > 0 {
		c.now.layout = c.layout
		if c.layout == layoutItem && len(c.out) > 0 {
			c.now.layout = layoutLine // the item goes on, and gets no second bullet
		}
		c.out = append(c.out, c.now)
	}
	c.now, c.chars, c.weight = statement{}, 0, 0
}

// chars is the length of s as Slack's limits count it. They say characters; this counts
// as JavaScript does, which is never less.
func chars(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// splitText cuts s into pieces of at most limit characters, where possible at the end of
// a line, a sentence or a word, and never within what people see as one character unless
// that alone is longer. White space around the cuts is dropped.
//
// It is used on text alone, before escaping and without marks and links, so that none of
// those can be cut.
func splitText(s string, limit int) []string {
	var out []string
	s = strings.TrimSpace(s)
	for chars(s) > limit {
		at := cutsWithin(s, limit).best()
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

// shorten cuts s to at most limit characters, the last of which is then an ellipsis, at
// the end of a word where that does not cost half of it.
func shorten(s string, limit int) string {
	if chars(s) <= limit {
		return s
	}
	at := cutsWithin(s, limit-1)
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
func cutsWithin(s string, limit int) cuts {
	var c cuts
	n, before := 0, ""
	for g := graphemes.FromString(s); g.Next(); before = g.Value() {
		cluster := g.Value()
		space := strings.TrimSpace(cluster) == ""
		if space && c.character > 0 {
			c.note(cluster, before)
		}
		if n += chars(cluster); n > limit {
			break
		}
		c.character += len(cluster)
		if strings.ContainsAny(cluster, "。！？") {
			c.sentence, c.word = c.character, c.character
		}
	}
	if c.character == 0 {
		c.character = firstChars(s, limit)
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
func firstChars(s string, limit int) int {
	n := 0
	for at, r := range s {
		if n += chars(string(r)); at > 0 && n > limit {
			return at
		}
	}
	return len(s)
}

// reading is what a sheet's statements say, as plain text.
func (s sheet) reading() string {
	var b strings.Builder
	for i, st := range s.statements {
		b.WriteString(separator(s.statements[:i], st))
		if st.layout == layoutItem {
			b.WriteString("• ")
		}
		b.WriteString(st.text())
	}
	return b.String()
}

// plain is a sheet as mrkdwn of at most limit characters. It leaves out statements that do
// not fit, and says so.
func (s sheet) plain(limit int) string {
	text := s.mrkdwn()
	n := len(s.statements)
	for ; n > 1 && chars(text) > limit-len(sayShortened)-1; n-- {
		text = s.first(n-1).mrkdwn() + "\n" + sayShortened
	}
	if chars(text) > limit {
		return s.beginning(limit)
	}
	return text
}

// first is a sheet of the first n statements.
func (s sheet) first(n int) sheet {
	var out sheet
	for _, st := range s.statements[:n] {
		out.add(st, s.notes)
	}
	return out
}

func (s sheet) mrkdwn() string {
	text := escape(s.reading())
	if len(s.notes) > 0 {
		text += "\n"
	}
	for _, f := range s.notes {
		text += "\n" + f.line(0)
	}
	return text
}

// beginning is as much of the first statement as fits, with as many marks and sources.
func (s sheet) beginning(limit int) string {
	var marks, list string
	for _, n := range s.statements[0].cites {
		i := noteAt(s.notes, n)
		if i < 0 || chars(list) > limit/2 {
			continue
		}
		marks += markText(n)
		list += "\n" + s.notes[i].line(0)
	}
	const between = 3
	text := statement{spans: slices.DeleteFunc(slices.Clone(s.statements[0].spans), span.isMark)}.text()
	return escapeFit(text, limit-chars(marks)-chars(list)-between) + " " + marks + "\n" + list
}
