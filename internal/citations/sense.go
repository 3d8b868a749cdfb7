package citations

import (
	"slices"
	"strings"
)

// sameSense checks that the statement says "not" where what it rests on does, and only there:
// each of its clauses beside the one there that is most like it, or all of them together: an
// exception can be turned round ("not unless", "only if").
func (p *proof) sameSense() *Refusal {
	known := p.heldTerms()
	for _, t := range p.terms {
		known[t] = true
	}
	claimed := clauses(p.text, known)
	var there []clause
	for _, i := range p.held {
		there = append(there, clauses(p.excerpts[i].said(), known)...)
	}
	if likest, ok := likest(claimed, there); ok && negative(claimed)%2 == negative(likest)%2 {
		return nil
	}
	for _, c := range claimed {
		if !sensed(c, there) {
			return &Refusal{Negated, strings.TrimSpace(c.text)}
		}
	}
	if negative(claimed) == 0 {
		return p.affirmsDenied(there)
	}
	return nil
}

// affirmsDenied refuses a statement without a "not" that has all words of a clause with one,
// beside which it says something that is so.
func (p *proof) affirmsDenied(there []clause) *Refusal {
	said := map[string]bool{}
	for _, t := range p.terms {
		said[t] = true
	}
	for _, c := range there {
		if c.negative%2 == 1 && len(c.terms) > 2 && len(both(c.terms, said)) == len(c.terms) {
			return &Refusal{Negated, strings.TrimSpace(c.text)}
		}
	}
	return nil
}

func negative(all []clause) (n int) {
	for _, c := range all {
		n += c.negative
	}
	return n
}

// likest are, for each claimed clause, the clauses there that are most like it, each once;
// false when there is none for one.
func likest(claimed, there []clause) (out []clause, ok bool) {
	used := map[int]bool{}
	for _, c := range claimed {
		best, most := -1, alikeFrom
		for i, e := range there {
			if l := likeness(c, e); l >= most {
				best, most = i, l
			}
		}
		if best < 0 {
			return nil, false
		}
		used[best] = true
	}
	for i, e := range there {
		if used[i] && !(e.inherits && i > 0 && used[i-1]) { // that negation is counted
			out = append(out, e)
		}
	}
	return out, true
}

// Clauses this much alike say the same thing or its opposite; of several within nearly of
// the best, any may be meant.
const (
	alikeFrom = 0.4
	nearly    = 0.05
)

// sensed reports whether c says "not" as the clause there does that is most like it; where
// none is like it, whether it does as all that is there.
func sensed(c clause, there []clause) bool {
	most := 0.0
	for _, e := range there {
		most = max(most, likeness(c, e))
	}
	if most < alikeFrom {
		return (c.negative%2 == 1) == (negative(there) > 0)
	}
	return slices.ContainsFunc(there, func(e clause) bool {
		row := strings.Count(e.text, " | ") > 1 && e.negative > 0 // of one cell, nobody knows which
		return likeness(c, e) >= most-nearly && (row || e.negative%2 == c.negative%2)
	})
}

// likeness is twice the words that two clauses share over all that they have, 0 to 1. Words
// that say little count little.
func likeness(a, b clause) float64 {
	shared := 0.0
	for w := range a.terms {
		if lexicon.meets(w, b.terms) {
			shared += weight(w)
		}
	}
	return 2 * shared / max(1, weights(a.terms)+weights(b.terms))
}

func weights(terms map[string]bool) (sum float64) {
	for w := range terms {
		sum += weight(w)
	}
	return sum
}

func weight(stem string) float64 {
	if lexicon.plain[stem] {
		return 0.25
	}
	return 1
}
