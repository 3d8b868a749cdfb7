package citations

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// fromOne checks that no fact is taken from another excerpt than the one that the statement
// mostly rests on where that one has another fact of the sort, which the statement does not
// mention.
func (p *proof) fromOne() *Refusal {
	if len(p.held) == 0 {
		return nil
	}
	first := p.mostly()
	for _, f := range p.facts {
		if f.soft || p.says(first, f) {
			continue
		}
		for _, e := range p.excerpts[first].facts[:p.excerpts[first].own] {
			if !e.soft && rival(f, e) && !p.mentions(e) {
				return &Refusal{Stitched, f.text}
			}
		}
	}
	return nil
}

// mostly is the excerpt that has most of the statement's words, those of its facts left out.
func (p *proof) mostly() (best int) {
	most := -1.0
	for _, i := range p.held {
		n := 0.0
		for _, t := range p.terms {
			if lexicon.meets(t, p.excerpts[i].terms) && !slices.ContainsFunc(p.facts, func(f fact) bool { return f.kind == nameFact && Stem(f.value) == t }) {
				n += p.rarity[t]
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}

// mentions reports whether the statement holds a fact of an excerpt.
func (p *proof) mentions(e fact) bool {
	if e.kind == nameFact {
		return slices.Contains(Words(p.text), e.value)
	}
	return slices.ContainsFunc(p.facts, func(f fact) bool { return same(f, e) })
}

// boundTogether checks that each number is said of what the statement says it of: no other
// number of the sort stands closer to its words.
func (p *proof) boundTogether() *Refusal {
	for i, f := range p.facts {
		if f.soft || f.kind != numberFact && f.kind != dateFact && f.kind != clockFact {
			continue
		}
		words := territory(p.text, p.facts, i)
		maps.DeleteFunc(words, func(w string, _ bool) bool { return !slices.Contains(p.terms, w) })
		mine, others := 0, 0
		agrees := false // with the words of some number that is the same
		here, rivals := map[string]bool{}, map[string]bool{}
		for h := range p.excerpts {
			r := &p.excerpts[h]
			for j, e := range r.facts[:r.own] {
				if e.kind != f.kind || e.soft {
					continue
				}
				there := wordsOf(r, j)
				switch n := shared(words, there); {
				case holds(f, r.facts[j:j+1], r.words):
					maps.Copy(here, there)
					mine = max(mine, n)
					agrees = agrees || !contradict(words, there)
				case rival(f, e) && !p.inOrder(i, r, j):
					if n > others {
						clear(rivals)
					}
					if others = max(others, n); n == others {
						maps.Copy(rivals, there)
					}
				}
			}
		}
		if others > mine || mine > 0 && !agrees || others == mine && others > 0 && others > shared(both(words, rivals), here) || p.carriedOver(f) {
			return &Refusal{Stitched, f.text}
		}
	}
	return nil
}

// both are the words that are there.
func both(words, there map[string]bool) map[string]bool {
	out := map[string]bool{}
	for w := range words {
		if lexicon.meets(w, there) {
			out[w] = true
		}
	}
	return out
}

// joints are where one saying of a sentence may end.
var joints = regexp.MustCompile(`[,;:()–—]|\b(and|but|or|if|unless|when|where|which|who)\b`)

// carriedOver reports whether a number stands in a saying that is, but for the number, another
// excerpt's than those that have it: "returning is free within 30 days".
func (p *proof) carriedOver(f fact) bool {
	start, end := 0, len(p.text)
	for _, loc := range joints.FindAllStringIndex(p.text, -1) {
		if loc[1] <= f.at {
			start = loc[1]
		} else if loc[0] >= f.at+len(f.text) {
			end = loc[0]
			break
		}
	}
	words := newClause(plainly(p.text[start:end]), nil).terms
	maps.DeleteFunc(words, func(w string, _ bool) bool { return !slices.Contains(p.terms, w) })
	mine, others := 0, 0
	for _, i := range p.held {
		if n := shared(words, p.excerpts[i].terms); p.says(i, f) {
			mine = max(mine, n)
		} else {
			others = max(others, n)
		}
	}
	return others > 2*mine && others > 2
}

// inOrder reports whether fact j of an excerpt is another fact of the statement, too, and
// both stand there in the statement's order: "from 1 to 12 July".
func (p *proof) inOrder(i int, r *reading, j int) bool {
	for k, g := range p.facts {
		if k == i || !same(g, r.facts[j]) {
			continue
		}
		for l, e := range r.facts[:r.own] {
			if same(p.facts[i], e) && (k < i) == (j < l) {
				return true
			}
		}
	}
	return false
}

// wordsOf are those that belong to fact j of an excerpt.
func wordsOf(r *reading, j int) map[string]bool {
	there := cellWords(r, r.facts[j].at)
	if there == nil {
		there = territory(r.said(), r.facts[:r.own], j)
	}
	maps.Copy(there, newClause(r.Above, nil).terms)
	return there
}

// contradict reports whether one of the words excludes what is there.
func contradict(words, there map[string]bool) bool {
	for w := range words {
		if lexicon.contradicts(w, there) {
			return true
		}
	}
	return false
}

// shared is how many of the words are there, those that say little left out.
func shared(words, there map[string]bool) int {
	n := 0
	for w := range words {
		if !lexicon.plain[w] && lexicon.meets(w, there) {
			n++
		}
	}
	return n
}

// crossing is how many words further off a thing is behind a clause's end.
const crossing = 4

// territory is the content words of text that stand nearer to fact i, or to the other end of
// its range, than to others of its kind.
func territory(text string, all []fact, i int) map[string]bool {
	out := map[string]bool{}
	tokens := tokensOf(text)
	places := placesOf(tokens)
	for k, t := range tokens {
		if !hasLetter(t.text) || stopWords[t.text] || negations[t.text] || inFact(all, t) {
			continue
		}
		nearest, least := i, -1
		for j, f := range all {
			if f.kind != all[i].kind || f.soft {
				continue
			}
			d := places[k] - places[tokenAt(tokens, f.at)]
			if d = max(d, -d); least < 0 || d < least || d == least && j == i {
				nearest, least = j, d
			}
		}
		if nearest == i || ranged(text, all[min(nearest, i)], all[max(nearest, i)]) {
			word, _ := affirm(t.text, nil)
			out[Stem(word)] = true
		}
	}
	return out
}

// inFact reports whether a token is part of a number, date or time.
func inFact(all []fact, t token) bool {
	return slices.ContainsFunc(all, func(f fact) bool {
		return f.kind <= clockFact && t.at >= f.at && t.end <= f.at+len(f.text)
	})
}

// placesOf numbers tokens; the ends of clauses set them further apart.
func placesOf(tokens []token) []int {
	places, steps := make([]int, len(tokens)+1), 0
	for k, t := range tokens {
		steps++
		if breaks[t.text] || len(t.text) == 1 && strings.ContainsAny(t.text, ",;.|") {
			steps += crossing
		}
		places[k] = steps
	}
	places[len(tokens)] = steps
	return places
}

func tokenAt(tokens []token, at int) int {
	for k, t := range tokens {
		if t.end > at {
			return k
		}
	}
	return len(tokens)
}

// ranged reports whether two facts are the ends of one range.
func ranged(text string, a, b fact) bool {
	from := a.at + len(a.text)
	return a.kind == b.kind && from <= b.at && rangeSigns[strings.ToLower(strings.TrimSpace(text[from:b.at]))]
}
