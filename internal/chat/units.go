package chat

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

const (
	readHits     = 6  // hits that are taken apart
	maxItemWords = 60 // a longer list item is cut into its sentences
)

// A unit is the smallest piece of a passage that an answer quotes.
type unit struct {
	passage    *kb.Passage
	document   int     // rank of its document among the hits, from 0
	hit        float64 // fused score of its hit over that of the best, 0 to 1
	kind       citations.PartKind
	start, end int // in passage.Text
	span       int // in passage.Spans
	text       string
	words      int    // in text
	heading    string // the heading or FAQ question that it stands under
	header     string // rows: their table's header row
	asks       bool   // a question that the next units answer

	terms   map[string]bool // stems of the text
	around  map[string]bool // stems of heading, header and title
	overlap float64         // weighted share of the terms of the question and its clues, 0 to 1
	fit     float64         // looks like what is asked for, 0 to 1
	cosine  float64         // with the question; 0 when not compared
	score   float64         // how well it answers, about 0 to 1
}

// cut takes the passages of the first hits apart and returns their units in reading
// order: the best document first, each from its beginning to its end.
func cut(hits []kb.Hit) []unit {
	var units []unit
	documents, seen := map[string]int{}, map[string]bool{}
	for _, h := range hits[:min(len(hits), readHits)] {
		for _, p := range h.Passages {
			if _, ok := documents[p.Path]; !ok {
				documents[p.Path] = len(documents)
			}
			if seen[p.Hash] {
				continue
			}
			seen[p.Hash] = true
			c := cutter{passage: p, document: documents[p.Path], hit: h.Score / max(hits[0].Score, 1e-9)}
			units = append(units, c.cut()...)
		}
	}
	slices.SortStableFunc(units, func(a, b unit) int {
		return cmp.Or(cmp.Compare(a.document, b.document), cmp.Compare(a.passage.Ordinal, b.passage.Ordinal))
	})
	return units
}

// A cutter walks one passage.
type cutter struct {
	passage  *kb.Passage
	document int
	hit      float64
	heading  string
	units    []unit
}

func (c *cutter) cut() []unit {
	p := c.passage
	if n := len(p.Headings); n > 0 {
		c.heading = p.Headings[n-1]
	}
	for i, s := range p.Spans {
		text := p.Text[s.Start:s.End]
		switch {
		case s.Kind == kb.Heading:
			c.heading = text
		case s.Kind == kb.Header:
			c.add(citations.Header, i, s.Start, s.End)
		case s.Kind == kb.Row:
			c.add(citations.Row, i, s.Start, s.End)
		case s.Kind == kb.Code:
			c.lines(i, s)
		case asksSomething(text):
			c.ask(i, s.Start, s.End)
		case s.Kind == kb.Item && len(strings.Fields(text)) <= maxItemWords:
			c.add(citations.Item, i, s.Start, s.End)
		default:
			c.sentences(i, s)
		}
	}
	return c.units
}

// asksSomething reports whether a text is a question: no answer, but the heading of what
// follows, as in a list of frequent questions.
func asksSomething(text string) bool {
	return strings.HasSuffix(text, "?") && len(strings.Fields(text)) <= maxItemWords
}

// sentences cuts a block. A question in it, with what stands before it in the block or a
// sentence in the asker's voice ("I opened it. Is that a problem? No."), heads the rest.
func (c *cutter) sentences(span int, s kb.Span) {
	ranges := kb.Sentences(c.passage.Text[s.Start:s.End])
	for i := min(len(ranges), 3) - 1; i >= 0; i-- {
		text := c.passage.Text[s.Start : s.Start+ranges[i][1]]
		if asksSomething(text) || i == 0 && len(ranges) > 1 && asker.MatchString(text) {
			c.ask(span, s.Start, s.Start+ranges[i][1])
			ranges = ranges[i+1:]
			break
		}
	}
	for _, r := range ranges {
		c.add(citations.Sentence, span, s.Start+r[0], s.Start+r[1])
	}
}

// lines cuts a code block: a command is quoted without its neighbours.
func (c *cutter) lines(span int, s kb.Span) {
	at := s.Start
	for line := range strings.Lines(c.passage.Text[s.Start:s.End]) {
		c.add(citations.Item, span, at, at+len(line))
		at += len(line)
	}
}

// add makes a unit of passage.Text[start:end], white space at its ends left out.
func (c *cutter) add(kind citations.PartKind, span, start, end int) {
	raw := c.passage.Text[start:end]
	start += len(raw) - len(strings.TrimLeft(raw, " \t\n"))
	end -= len(raw) - len(strings.TrimRight(raw, " \t\n"))
	if start >= end {
		return
	}
	text := citations.Normal(c.passage.Text[start:end])
	switch {
	case text == "":
		return
	case kind == citations.Sentence && asksSomething(text):
		c.ask(span, start, end)
		return
	}
	c.append(kind, span, start, end, text)
}

// ask makes a unit of a question, which heads what follows it.
func (c *cutter) ask(span, start, end int) {
	text := citations.Normal(c.passage.Text[start:end])
	c.heading = text
	c.append(citations.Sentence, span, start, end, text)
	c.units[len(c.units)-1].asks = true
}

func (c *cutter) append(kind citations.PartKind, span, start, end int, text string) {
	c.units = append(c.units, unit{
		passage: c.passage, document: c.document, hit: c.hit, kind: kind,
		start: start, end: end, span: span, text: text, words: len(strings.Fields(text)),
		heading: c.heading, header: c.passage.Spans[span].Header,
	})
}

// inContext is the unit with what a reader of the document sees above it, as the
// embedding model compares it with the question.
func (u *unit) inContext() string {
	head := u.passage.Title
	if u.heading != "" && u.heading != head {
		head += "\n" + u.heading
	}
	if u.kind == citations.Row && u.header != "" {
		head += "\n" + u.header
	}
	return head + "\n" + u.text
}

// answers reports whether a unit may be chosen for itself; others come along with those.
func (u *unit) answers() bool {
	return !u.asks && u.kind != citations.Header && !boilerplate.MatchString(u.text) && !instructs(u.text) && strings.ContainsFunc(u.text, meaningful)
}

// leadsIn reports whether the unit announces what follows it.
func (u *unit) leadsIn() bool { return strings.HasSuffix(u.text, ":") }

// follows reports whether v comes right after u in one document, nothing left out but a
// passage's end.
func follows(u, v *unit) bool {
	if u.passage == v.passage {
		return v.span-u.span <= 1
	}
	return u.passage.Path == v.passage.Path && v.passage.Ordinal == u.passage.Ordinal+1 &&
		u.span == len(u.passage.Spans)-1 && v.span == 0
}

var (
	// boilerplate says nothing by itself: pointers elsewhere and the furniture of a page.
	boilerplate = regexp.MustCompile(`(?i)^(see( also)?|refer to|read more|learn more|click|visit|go to|back to|(for )?(more|further) (information|details)\b.{0,20}(see|visit|contact|refer))\b.{0,80}$|` +
		`^(this|these) (policy|policies|page|pages|document|guide|section|chapter|article|rules?) (explains?|describes?|is about|sets? out|tells?|summari[sz]es?)\b|` +
		`^(last (updated|reviewed|modified)|table of contents|contents|copyright|©|all rights reserved|page \d+|related (articles|links|topics))\b`)

	// asker is the voice of who asks: policies say "you" and "we".
	asker = regexp.MustCompile(`^(I|I'm|I've|I’m|I’ve|My)\b`)

	// exception opens a sentence without which the one before it says too much.
	exception = regexp.MustCompile(`(?i)^(however|except|exceptions?|unless|but|this (does|will) not|these do not|it does not|they do not|the only exception|otherwise|in (these|such|those) cases|only)\b`)

	// replies opens a sentence that says nothing without the question that it answers.
	replies = regexp.MustCompile(`(?i)^(yes|no|not|never|always|only|it depends|that depends|at most|up to|of course|unfortunately)\b`)

	// dependent opens a sentence that cannot be understood without the one before it.
	dependent = regexp.MustCompile(`^(It|They|This|These|Those|That|He|She|In (this|that|these|such|those) cases?|If so|Otherwise|Also|After that|Then|Such|However|But|Both|Either|Unless|Except)\b`)
)
