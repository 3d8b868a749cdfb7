package chat

import (
	"cmp"
	"slices"

	"citebot/internal/citations"
)

// How much an answer says. A list that the chosen lead-in announces may be longer: half a
// list reads as the whole.
const (
	maxStatements = 4
	maxParts      = 12 // with headers, lead-ins, exceptions and whole lists
	enoughWords   = 90 // no further statement once there are as many
	maxListWords  = 120

	// The share of the best score that a further unit needs, by where it stands.
	nearBest     = 0.80 // anywhere, with a term of the question that nothing chosen has
	nearTop      = 0.92 // anywhere
	nearAdjacent = 0.70 // right beside a chosen one
	nearSection  = 0.75 // under the same heading of the same passage

	sameText = 0.80 // shared terms from which on two units say the same
)

// pick returns the indexes of the units that make up the answer, in reading order, and
// that of the best unit; nothing and -1 when no unit may be chosen.
func (r *reading) pick() (chosen []int, best int) {
	ranked := r.ranked()
	if len(ranked) == 0 {
		return nil, -1
	}
	p := picker{reading: r, in: map[int]bool{}}
	for _, i := range ranked {
		if p.wants(i, r.units[ranked[0]].score) {
			p.take(i)
		}
	}
	for i := range r.units {
		if p.in[i] {
			chosen = append(chosen, i)
		}
	}
	return chosen, ranked[0]
}

// ranked are the units that were scored, best first.
func (r *reading) ranked() []int {
	var all []int
	for i := range r.units {
		if r.units[i].score > 0 {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b int) int {
		return cmp.Compare(r.units[b].score, r.units[a].score)
	})
	return all
}

// A picker gathers units for an answer.
type picker struct {
	*reading
	in         map[int]bool
	statements int
	words      int
}

// wants reports whether unit i is worth saying after what was taken so far.
func (p *picker) wants(i int, best float64) bool {
	u := &p.units[i]
	switch {
	case p.statements == 0:
		return true
	case p.in[i] || p.statements >= maxStatements || p.words >= enoughWords || p.says(u):
		return false
	}
	near := u.score / best
	return near >= nearTop ||
		near >= nearBest && p.addsTerm(u) ||
		near >= nearSection && p.sameSection(u) ||
		near >= nearAdjacent && u.kind == citations.Sentence && p.beside(i)
}

// says reports whether something taken already says what u says.
func (p *picker) says(u *unit) bool {
	for i := range p.in {
		if v := &p.units[i]; max(share(u.terms, v.terms), share(v.terms, u.terms)) >= sameText {
			return true
		}
	}
	return false
}

// beside reports whether a neighbour of unit i was taken.
func (p *picker) beside(i int) bool {
	return p.in[i-1] && follows(&p.units[i-1], &p.units[i]) ||
		p.in[i+1] && follows(&p.units[i], &p.units[i+1])
}

// sameSection reports whether something under the same heading was taken.
func (p *picker) sameSection(u *unit) bool {
	for i := range p.in {
		if v := &p.units[i]; v.passage == u.passage && v.heading == u.heading {
			return true
		}
	}
	return false
}

// addsTerm reports whether u has a term of the question that nothing taken has.
func (p *picker) addsTerm(u *unit) bool {
	return slices.ContainsFunc(p.asked, func(t string) bool {
		if !u.terms[t] {
			return false
		}
		for i := range p.in {
			if p.units[i].terms[t] {
				return false
			}
		}
		return true
	})
}

// take adds unit i as a statement, with what it cannot stand without: what announces it,
// what it announces, and the exception after it.
func (p *picker) take(i int) {
	p.statements++
	p.add(i)
	p.before(i)
	if p.units[i].leadsIn() {
		p.announced(i)
	}
	p.exceptions(i)
}

// add puts a unit into the answer, unless the answer is full.
func (p *picker) add(i int) bool {
	if p.in[i] {
		return true
	}
	if len(p.in) >= maxParts {
		return false
	}
	p.in[i] = true
	p.words += p.units[i].words
	return true
}

// before adds what unit i needs before it: a row its header, an item the line that
// announces its list, and a sentence that points back the one it points to.
func (p *picker) before(i int) {
	switch u := &p.units[i]; u.kind {
	case citations.Row:
		p.opening(i, func(v *unit) bool { return v.kind == citations.Row }, func(v *unit) bool { return v.kind == citations.Header })
	case citations.Item:
		p.opening(i, func(v *unit) bool { return v.kind == citations.Item }, (*unit).leadsIn)
	case citations.Sentence:
		p.question(i)
		if i > 0 && dependent.MatchString(u.text) && p.units[i-1].span == u.span && follows(&p.units[i-1], u) {
			p.add(i - 1)
		}
	}
}

// maxReplyWords is the length up to which a sentence under a question is taken for a
// mere reply to it.
const maxReplyWords = 4

// question adds the question above unit i in its passage, if the unit is a mere reply.
func (p *picker) question(i int) {
	u := &p.units[i]
	if u.words > maxReplyWords && !replies.MatchString(u.text) {
		return
	}
	for j := i - 1; j >= 0 && p.units[j].passage == u.passage && p.units[j].heading == u.heading; j-- {
		if p.units[j].asks {
			p.add(j)
			return
		}
	}
}

// opening goes back from unit i over those of its run and adds the unit that the run
// begins after, if it opens it.
func (p *picker) opening(i int, run, opens func(*unit) bool) {
	for ; i > 0 && follows(&p.units[i-1], &p.units[i]); i-- {
		if before := &p.units[i-1]; !run(before) {
			if opens(before) {
				p.add(i - 1)
			}
			return
		}
	}
}

// announced adds the items or rows after a lead-in, or the one sentence where it leads in
// no list. A list too long to quote is left to its source.
func (p *picker) announced(i int) {
	end, words := i+1, 0
	for ; end < len(p.units) && follows(&p.units[end-1], &p.units[end]); end++ {
		u := &p.units[end]
		if u.kind == citations.Sentence && end > i+1 {
			break
		}
		if words += u.words; words > maxListWords {
			break
		}
		if u.kind == citations.Sentence {
			end++
			break
		}
	}
	for j := i + 1; j < end; j++ {
		p.add(j)
	}
}

// exceptions adds the sentences right after unit i that restrict it.
func (p *picker) exceptions(i int) {
	for j := i + 1; j < len(p.units) && j <= i+2; j++ {
		if !follows(&p.units[j-1], &p.units[j]) || !exception.MatchString(p.units[j].text) || !p.add(j) {
			return
		}
	}
}
