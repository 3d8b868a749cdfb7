// Package layout sets answers for surfaces that show them in messages of limited size: it
// turns parts into statements of marked-up spans, and puts these on as few sheets as they fit
// on, each with the sources of its marks.
//
// It knows no markup and no limits. A surface gives its own as a [Measure], and writes spans
// and footnotes in its own way. Whatever text comes out is still to be escaped.
package layout

import (
	"slices"
	"strings"

	"citebot/internal/citations"
)

// A Span is a stretch of text that is set in one way.
type Span struct {
	Text string
	URL  string // what it links to, or ""
	Bold bool
	Mark int // the source it marks, or 0
}

// IsMark reports whether s is the mark of a source.
func (s Span) IsMark() bool { return s.Mark > 0 }

// A Kind says how a statement stands beside others.
type Kind int

// The kinds of statements.
const (
	Run  Kind = iota // sentences run on in one paragraph
	Item             // an item of a list
	Line             // a line of its own
)

// A Statement is a part of an answer, or a piece of one that is too long, with its marks.
type Statement struct {
	Kind  Kind
	Spans []Span
	Cites []int // the sources that a message with this statement has to show
}

// Text is what a statement says, marks included.
func (s Statement) Text() string {
	var b strings.Builder
	for _, p := range s.Spans {
		b.WriteString(p.Text)
	}
	return b.String()
}

// A Footnote is a source as it is shown.
type Footnote struct {
	N     int
	URL   string // "" where it cannot be opened
	Label string // its document and section
	Quote string // its first Measure.Quote characters
	Day   string // when it was updated, or ""
}

// A Sheet is what one message shows of an answer.
type Sheet struct {
	Statements []Statement
	Notes      []Footnote // of the sources that the statements rest on
	Quote      int        // characters of their quotes
}

// A Measure is what a surface has room for.
type Measure struct {
	Section int // the longest statement, by Size
	Sheet   int // the most that the statements on a sheet weigh
	Notes   int // the most that its footnotes weigh; 0: they share Sheet with the statements
	Above   int // what stands above the first statements weighs, of Sheet
	Quote   int // characters of a source's quote, where there are few sources
	Quotes  int // characters of all quotes, roughly

	// Size is what text counts against Section. Texts side by side count the sum of theirs.
	Size func(text string) int
	Span func(s Span) int                // what a span weighs
	Note func(f Footnote, quote int) int // what a footnote weighs with so much of its quote
	Link func(url string) string         // the address to link to for a source's URL, or ""
}

// over reports whether statements and footnotes of these weights are too much for a sheet.
func (m Measure) over(statements, notes int) bool {
	if m.Notes == 0 {
		return statements+notes > m.Sheet
	}
	return statements > m.Sheet || notes > m.Notes
}

// Paginate puts an answer on as few sheets as it fits on, at least one: where it is too
// large it first shortens quotes. Every sheet has the sources of its marks.
func (m Measure) Paginate(a citations.Answer) []Sheet {
	notes := m.footnotes(a.Sources)
	all := m.statements(a.Parts, notes)
	first := min(max(m.Quotes/max(len(a.Sources), 1), m.Quote/4), m.Quote)
	var best []Sheet
	for _, quote := range []int{first, m.Quote / 4, 0} {
		f := filler{measure: m, notes: notes, quote: quote}
		if sheets := f.fill(all); best == nil || len(sheets) < len(best) {
			best = sheets
		}
		if len(best) == 1 {
			break
		}
	}
	return best
}

func (m Measure) footnotes(sources []citations.Source) []Footnote {
	var out []Footnote
	for _, s := range sources {
		out = append(out, Footnote{
			N: s.N, URL: m.Link(s.URL), Label: Label(s.Title, s.Section, s.Path),
			Quote: Shorten(Unmarked(s.Quote), m.Quote), Day: Day(s.Updated),
		})
	}
	return out
}

// A filler fills sheets with statements.
type filler struct {
	measure Measure
	notes   []Footnote
	quote   int
}

func (f filler) fill(all []Statement) []Sheet {
	sheets := []Sheet{{Quote: f.quote}}
	text, notes := f.measure.Above, 0
	for _, s := range all {
		now := &sheets[len(sheets)-1]
		more, cited := f.measure.weigh(s), f.weigh(now, s.Cites)
		if f.measure.over(text+more, notes+cited) && (text > 0 || len(now.Statements) > 0) {
			sheets = append(sheets, Sheet{Quote: f.quote})
			now = &sheets[len(sheets)-1]
			text, notes, cited = 0, 0, f.weigh(now, s.Cites)
		}
		text, notes = text+more, notes+cited
		now.add(s, f.notes)
	}
	return sheets
}

func (m Measure) weigh(s Statement) int {
	total := 0
	for _, p := range s.Spans {
		total += m.Span(p)
	}
	return total
}

// weigh is the weight of the footnotes that a sheet does not have yet.
func (f filler) weigh(now *Sheet, cites []int) int {
	total := 0
	for _, n := range cites {
		if i := noteAt(f.notes, n); i >= 0 && noteAt(now.Notes, n) < 0 {
			total += f.measure.Note(f.notes[i], f.quote)
		}
	}
	return total
}

func (s *Sheet) add(more Statement, notes []Footnote) {
	s.Statements = append(s.Statements, more)
	for _, n := range more.Cites {
		if i := noteAt(notes, n); i >= 0 && noteAt(s.Notes, n) < 0 {
			s.Notes = append(s.Notes, notes[i])
		}
	}
}

// noteAt is the index of the footnote with a number, or -1.
func noteAt(notes []Footnote, n int) int {
	return slices.IndexFunc(notes, func(f Footnote) bool { return f.N == n })
}

// Separator is what stands between a statement and those before it.
func Separator(before []Statement, s Statement) string {
	switch n := len(before); {
	case n == 0:
		return ""
	case s.Kind == Run && before[n-1].Kind == Run:
		return " "
	}
	return "\n"
}
