package citations

import (
	"slices"
	"strings"
)

// project leaves of each row that was chosen the cells of the columns that the statement
// names, and the first one; all where it names none.
func (p *proof) project() {
	for _, i := range p.held {
		r := &p.excerpts[i]
		cells, header := strings.Split(r.Text, " | "), strings.Split(r.Header, " | ")
		if len(cells) < 3 || len(cells) != len(header) || r.Text == r.Header {
			continue
		}
		named := p.columns(header)
		if len(named) == 0 {
			continue
		}
		e := r.Excerpt
		e.Text, e.Header = cells[0], header[0]
		for _, k := range named {
			e.Text, e.Header = e.Text+" | "+cells[k], e.Header+" | "+header[k]
		}
		whole := r.table
		p.excerpts[i] = read(e)
		p.excerpts[i].table = whole
	}
}

// columns are those, but for the first, in whose header alone a word of the statement stands,
// or the unit of one of its numbers.
func (p *proof) columns(header []string) (named []int) {
	for k := 1; k < len(header); k++ {
		words := map[string]bool{}
		for _, w := range Words(header[k]) {
			words[w] = true
		}
		if slices.ContainsFunc(p.facts, func(f fact) bool { return spelledUnit(f, fact{raw: f.raw}, words) }) {
			named = append(named, k)
			continue
		}
		for t := range newClause(header[k], nil).terms {
			alone := !slices.ContainsFunc(header, func(other string) bool {
				return other != header[k] && newClause(other, nil).terms[t]
			})
			if alone && slices.ContainsFunc(p.terms, func(mine string) bool { return lexicon.alike(mine, t) }) {
				named = append(named, k)
				break
			}
		}
	}
	return named
}

// rightRow checks of each row that was chosen that no other row of the table begins with more
// of the statement's words.
func (p *proof) rightRow() *Refusal {
	for _, i := range p.held {
		r := &p.excerpts[i]
		if r.Header == "" || r.Text == r.Header {
			continue
		}
		mine := p.label(r)
		for j := range p.excerpts {
			if o := &p.excerpts[j]; o.Header != "" && o.table == r.table && !slices.Contains(p.held, j) && p.label(o) > mine {
				return &Refusal{Stitched, strings.Split(r.Text, " | ")[0]}
			}
		}
	}
	return nil
}

// label is how many of the statement's words a row begins with.
func (p *proof) label(r *reading) (n float64) {
	first, _, _ := strings.Cut(r.Text, " | ")
	for t := range newClause(first, nil).terms {
		if slices.ContainsFunc(p.terms, func(mine string) bool { return mine == t || derived(mine, t) }) {
			n += weight(t)
		}
	}
	return n
}

// cellWords are the words that a cell of a row is about: its own, those of the first cell
// and of its column's header; nil where there is no such cell.
func cellWords(r *reading, at int) map[string]bool {
	cells, header := strings.Split(r.Text, " | "), strings.Split(r.Header, " | ")
	if len(cells) < 2 || len(cells) != len(header) {
		return nil
	}
	column, end := 0, 0
	for i, c := range cells {
		if end += len(c); at < end {
			column = i
			break
		}
		end += len(" | ")
	}
	return newClause(strings.Join([]string{cells[0], cells[column], header[column]}, " "), nil).terms
}
