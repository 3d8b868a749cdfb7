package chat

import (
	"slices"
	"strings"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// compose turns chosen units, in reading order, into parts and their sources: one source
// a passage, numbered by first use.
func compose(units []unit, url func(hash string) string) ([]citations.Part, []citations.Source) {
	var parts []citations.Part
	var sources []citations.Source
	byPassage := map[*kb.Passage][]unit{}
	numbers := map[*kb.Passage]int{}
	for _, u := range units {
		byPassage[u.passage] = append(byPassage[u.passage], u)
	}
	for _, u := range units {
		if numbers[u.passage] == 0 {
			numbers[u.passage] = len(sources) + 1
			sources = append(sources, source(len(sources)+1, byPassage[u.passage], url))
		}
		parts = append(parts, citations.Part{Text: u.text, Kind: u.kind, Sources: []int{numbers[u.passage]}})
	}
	return parts, sources
}

// source quotes the units of one passage. Units with nothing but white space between them
// are one piece of the quote, so that it is the passage's bytes. A piece that ends like a
// gap runs on to the next: " … … " could be read two ways.
func source(n int, units []unit, url func(string) string) citations.Source {
	first := units[0]
	p := first.passage
	lines := p.Spans[first.span].Lines
	var pieces []string
	start, end := first.start, first.end
	for _, u := range units[1:] {
		lines = lines.Join(p.Spans[u.span].Lines)
		if strings.TrimSpace(p.Text[end:u.start]) != "" && !strings.HasSuffix(p.Text[start:end], " …") {
			pieces = append(pieces, p.Text[start:end])
			start = u.start
		}
		end = u.end
	}
	pieces = append(pieces, p.Text[start:end])
	return citations.Source{
		N: n, Path: citations.Clean(p.Path), Title: citations.Normal(p.Title), Section: citations.Normal(section(first)),
		Quote: citations.Clean(strings.Join(pieces, citations.Gap)), Lines: [2]int(lines),
		Updated: citations.Normal(p.Updated), URL: url(p.Hash), Hash: p.Hash,
	}
}

// section is where a unit stands: its passage's section, or the one inside the passage
// where short sections share it.
func section(u unit) string {
	p := u.passage
	for _, s := range slices.Backward(p.Spans[:u.span]) {
		if s.Kind == kb.Heading {
			above := p.Headings[:max(0, len(p.Headings)-1)]
			return strings.Join(append(slices.Clone(above), p.Text[s.Start:s.End]), " › ")
		}
	}
	return p.Section()
}

// nearest names up to three documents that the hits are from, best first.
func nearest(hits []kb.Hit, url func(hash string) string) []citations.Nearest {
	var out []citations.Nearest
	for _, h := range hits {
		p := h.Passages[h.Best]
		seen := slices.ContainsFunc(out, func(n citations.Nearest) bool { return n.Path == citations.Clean(p.Path) })
		if !seen && len(out) < 3 {
			out = append(out, citations.Nearest{
				Path: citations.Clean(p.Path), Title: citations.Normal(p.Title),
				Section: citations.Normal(p.Section()), URL: url(p.Hash),
			})
		}
	}
	return out
}

// missing are up to three words of the question that no unit has, in its text or above it.
func missing(question string, units []unit) []string {
	var out []string
	for _, w := range contentWords(question) {
		s := citations.Stem(w)
		found := slices.ContainsFunc(units, func(u unit) bool { return u.terms[s] || u.around[s] })
		if !found && len(w) > 2 && len(out) < 3 {
			out = append(out, w)
		}
	}
	return out
}
