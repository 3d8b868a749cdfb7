package chat

import (
	"cmp"
	"context"
	"math"
	"slices"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// How a unit's score is made up. Found by trying figures on the share of kb-docs' golden
// questions whose answer has the words it must quote, and on the mean reciprocal rank of
// the gold passages' sentences in the evaluation sets; steps of a fifth change little.
const (
	weighCosine  = 0.58
	weighOverlap = 0.18
	weighHit     = 0.18
	weighFit     = 0.06
	weighLength  = 0.05 // a fragment says less than a sentence
	fullLength   = 30   // words that count as one

	// Cosines of the built-in model lie between these; the weights count the way from
	// one to the other.
	lowCosine, highCosine = 0.45, 0.90

	aroundShare = 0.8 // what a term in the heading, header or title counts beside one in the unit
	maxCompared = 24  // units compared by the model, 3 to 7 ms each
)

// A reading is a question laid beside the units that may answer it.
type reading struct {
	terms map[string]float64 // stems of question and clues, and how much each counts, idf included
	asked []string           // the question's own stems
	units []unit
}

// similarity compares a text with others: kb.Library.Similarity.
type similarity func(ctx context.Context, text string, others []string) ([]float64, error)

// read cuts the hits into units and scores each. An error of similar costs only the
// cosines; it is returned with a reading that does without.
func read(ctx context.Context, in inquiry, hits []kb.Hit, similar similarity) (*reading, error) {
	r := &reading{units: cut(hits), asked: citations.Terms(in.Text)}
	r.weigh(in.Query)
	r.overlap()
	promising := r.promising()
	r.fit(promising, in.Text)
	err := r.compare(ctx, promising, in.spoken, similar)
	for _, i := range promising {
		u := &r.units[i]
		u.score = weighCosine*between01(u.cosine, lowCosine, highCosine) +
			weighOverlap*u.overlap + weighHit*u.hit + weighFit*u.fit +
			weighLength*between01(float64(u.words), 0, fullLength)
	}
	return r, err
}

// weigh gives each term of the question and its clues a weight: its source's times its
// idf among the units. The question's own terms are never outweighed by a clue's.
func (r *reading) weigh(q kb.Query) {
	df := map[string]int{}
	for i := range r.units {
		u := &r.units[i]
		u.terms, u.around = stemSet(u.text), stemSet(u.heading+" "+u.header+" "+u.passage.Title)
		for t := range u.terms {
			df[t]++
		}
	}
	r.terms = map[string]float64{}
	for _, c := range slices.Concat(q.Context, []kb.Clue{{Text: q.Text, Weight: 1}}) {
		for _, t := range citations.Terms(c.Text) {
			r.terms[t] = max(r.terms[t], c.Weight)
		}
	}
	n := float64(len(r.units))
	for t := range r.terms {
		r.terms[t] *= math.Log(1 + (n+1)/(float64(df[t])+0.5))
	}
}

func stemSet(text string) map[string]bool {
	m := map[string]bool{}
	for _, s := range citations.Terms(text) {
		m[s] = true
	}
	return m
}

// sortedKeys gives sums an order, so that equal questions get equal scores.
func sortedKeys(m map[string]float64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// overlap sets what share of the terms, by weight, each unit has; what stands above it
// counts in part.
func (r *reading) overlap() {
	terms, total := sortedKeys(r.terms), 0.0
	for _, t := range terms {
		total += r.terms[t]
	}
	for i := range r.units {
		u, held := &r.units[i], 0.0
		for _, t := range terms {
			switch {
			case u.terms[t]:
				held += r.terms[t]
			case u.around[t]:
				held += aroundShare * r.terms[t]
			}
		}
		u.overlap = held / max(total, 1e-9)
	}
}

// promising are the units that may be chosen for themselves and that words and rank speak
// for most. The others keep the score 0.
func (r *reading) promising() []int {
	var all []int
	for i := range r.units {
		if r.units[i].answers() {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(a, b int) int {
		return cmp.Compare(r.units[b].promise(), r.units[a].promise())
	})
	return all[:min(len(all), maxCompared)]
}

// promise orders the units for comparison. The hit counts most: the sentence that answers
// may share no word with the question, but stands in what the search found.
func (u *unit) promise() float64 { return 0.6*u.overlap + u.hit }

// fit sets how far the units look like what the question asks for.
func (r *reading) fit(units []int, question string) {
	answers := expected(question)
	for _, i := range units {
		r.units[i].fit = fits(answers, r.units[i].text)
	}
}

// compare sets the units' cosines with the question.
func (r *reading) compare(ctx context.Context, units []int, question string, similar similarity) error {
	if similar == nil {
		return nil
	}
	texts := make([]string, len(units))
	for i, u := range units {
		texts[i] = r.units[u].inContext()
	}
	cosines, err := similar(ctx, question, texts)
	for i := range min(len(cosines), len(units)) {
		r.units[units[i]].cosine = cosines[i]
	}
	return err
}

// share is the part of a's elements that b has.
func share(a, b map[string]bool) float64 {
	n := 0
	for t := range a {
		if b[t] {
			n++
		}
	}
	return float64(n) / float64(max(1, len(a)))
}

// between01 is how far x lies on the way from low to high, 0 to 1.
func between01(x, low, high float64) float64 {
	return min(1, max(0, (x-low)/(high-low)))
}
