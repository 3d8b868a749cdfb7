package kb

import (
	"cmp"
	"context"
	"math"
	"slices"
	"unicode/utf8"

	index "github.com/blevesearch/bleve_index_api"
)

// Scores come from BM25F (Zaragoza et al., "Microsoft Cambridge at TREC 13", 2004) over
// bleve's postings. bleve's own BM25 is not used: it takes the square root of the term
// frequency, counts idf twice, takes a field's number of different terms for the sum of
// its lengths and multiplies by the share of matched query terms (v2.6.3).
const (
	k1       = 1.2
	b        = 0.75
	maxTerms = 64 // of a question, by falling weight; the rest is not looked up
)

// The fields and their weights. On the evaluation sets titles at 2 beat 1 by 0.003 of
// nDCG@10 and 0 by 0.007; nothing between 0.6 and 1.2 for k1, or 0.3 and 0.9 for b,
// moved their mean by more than 0.001.
var bm25Fields = []struct {
	name   string
	weight float64
}{
	{fieldText, 1},
	{fieldHeadings, 1.5},
	{fieldTitle, 2},
}

// A queryTerm is one term of a question as the index spells it.
type queryTerm struct {
	text   string
	weight float64
	word   string // as the question spells it
	own    bool   // of the question itself, not of what was said before
}

// A lexicalHit is a passage with its score.
type lexicalHit struct {
	hash     string
	score    float64
	coverage float64 // idf-weighted share of the question's own terms that it holds
	matched  []string
}

// terms analyses a query: the question's own terms count 1, those of what was said
// before their clue's weight, and a term in both the larger of the two.
func (l *lexicon) terms(q Query) []queryTerm {
	seen := map[string]int{}
	var out []queryTerm
	add := func(text string, weight float64, own bool) {
		for _, t := range l.tokens(text) {
			key := string(t.Term)
			i, ok := seen[key]
			if !ok {
				i = len(out)
				seen[key] = i
				out = append(out, queryTerm{text: key, word: text[t.Start:t.End], own: own})
			}
			out[i].weight = max(out[i].weight, weight)
		}
	}
	add(validUTF8(q.Text), 1, true)
	for _, c := range q.Context {
		add(validUTF8(c.Text), c.Weight, false)
	}
	slices.SortStableFunc(out, func(a, b queryTerm) int { return cmp.Compare(b.weight, a.weight) })
	return out[:min(len(out), maxTerms)]
}

// search returns the k best passages of the audiences (nil: of all) by falling score.
func (l *lexicon) search(ctx context.Context, terms []queryTerm, audiences []string, avg fieldLengths, k int) ([]lexicalHit, error) {
	var hits []lexicalHit
	err := l.read(func(r index.IndexReader) error {
		s := scoring{reader: r, terms: terms, avg: avg}
		if err := s.run(ctx, audiences); err != nil {
			return err
		}
		var err error
		hits, err = s.best(k)
		return err
	})
	return hits, err
}

// fieldLengths are the mean lengths of the fields in words, in the order of bm25Fields.
type fieldLengths [3]float64

// scoring accumulates one query's scores; a passage is its number in the snapshot.
type scoring struct {
	reader  index.IndexReader
	terms   []queryTerm
	avg     fieldLengths
	total   float64 // passages in the snapshot
	allowed []bool  // by number; nil: all

	scores  []float64 // by number
	matches []uint64  // by number: bit i is set when it holds terms[i]
	touched []uint64  // numbers with a score
	idf     []float64 // by term
}

func (s *scoring) run(ctx context.Context, audiences []string) error {
	count, err := s.reader.DocCount()
	if err != nil {
		return err
	}
	s.total = float64(count)
	if audiences != nil {
		if err := s.allow(ctx, audiences); err != nil {
			return err
		}
	}
	s.idf = make([]float64, len(s.terms))
	var tf accumulator
	for i := range s.terms {
		if err := s.addTerm(ctx, i, &tf); err != nil {
			return err
		}
	}
	return nil
}

// allow marks the passages of the audiences.
func (s *scoring) allow(ctx context.Context, audiences []string) error {
	s.allowed = make([]bool, 0, int(s.total))
	for _, a := range audiences {
		err := s.postings(ctx, a, fieldAudience, func(n uint64, _, _ float64) {
			s.allowed = grow(s.allowed, n)
			s.allowed[n] = true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addTerm adds one term's contribution: its frequency summed over the fields, each
// divided by its length normalisation, then saturated and weighed by idf.
func (s *scoring) addTerm(ctx context.Context, i int, tf *accumulator) error {
	tf.reset()
	for f, field := range bm25Fields {
		err := s.postings(ctx, s.terms[i].text, field.name, func(n uint64, freq, length float64) {
			norm := 1 - b + b*length/max(s.avg[f], 1)
			tf.add(n, field.weight*freq/norm)
		})
		if err != nil {
			return err
		}
	}
	df := float64(len(tf.touched))
	s.idf[i] = math.Log(1 + (s.total-df+0.5)/(df+0.5))
	for _, n := range tf.touched {
		if s.allowed != nil && (n >= uint64(len(s.allowed)) || !s.allowed[n]) {
			continue
		}
		w := tf.values[n]
		s.score(n, i, s.terms[i].weight*s.idf[i]*w*(k1+1)/(w+k1))
	}
	return nil
}

func (s *scoring) score(n uint64, term int, value float64) {
	s.scores, s.matches = grow(s.scores, n), grow(s.matches, n)
	if s.matches[n] == 0 {
		s.touched = append(s.touched, n)
	}
	s.scores[n] += value
	s.matches[n] |= 1 << term
}

// postings calls f with every passage that holds the term in the field, how often, and
// the field's length in terms.
func (s *scoring) postings(ctx context.Context, term, field string, f func(n uint64, freq, length float64)) error {
	r, err := s.reader.TermFieldReader(ctx, []byte(term), field, true, true, false)
	if err != nil {
		return err
	}
	defer r.Close()
	var doc index.TermFieldDoc
	for i := 0; ; i++ {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		d, err := r.Next(doc.Reset())
		if err != nil || d == nil {
			return err
		}
		f(d.ID.Value(), float64(d.Freq), 1/(d.Norm*d.Norm))
	}
}

// best resolves the k highest scores to hits.
func (s *scoring) best(k int) ([]lexicalHit, error) {
	top := topK{k: k}
	for _, n := range s.touched {
		top.offer(int(n), s.scores[n])
	}
	hits := make([]lexicalHit, 0, len(top.heap))
	for _, r := range top.sorted() {
		hash, err := s.reader.ExternalID(index.NewIndexInternalID(nil, uint64(r.row)))
		if err != nil {
			return nil, err
		}
		hit := lexicalHit{hash: hash, score: r.score}
		hit.coverage, hit.matched = s.coverage(s.matches[r.row])
		hits = append(hits, hit)
	}
	return hits, nil
}

// coverage is the share of the question's own terms, weighed by idf, that the bits name,
// and those terms' words.
func (s *scoring) coverage(bits uint64) (share float64, matched []string) {
	var have, all float64
	for i, t := range s.terms {
		if !t.own {
			continue
		}
		all += s.idf[i]
		if bits&(1<<i) != 0 {
			have += s.idf[i]
			matched = append(matched, t.word)
		}
	}
	if all == 0 {
		return 0, nil
	}
	return have / all, matched
}

// An accumulator sums values by number and forgets them cheaply.
type accumulator struct {
	values  []float64
	touched []uint64
}

func (a *accumulator) add(n uint64, v float64) {
	a.values = grow(a.values, n)
	if a.values[n] == 0 {
		a.touched = append(a.touched, n)
	}
	a.values[n] += v
}

func (a *accumulator) reset() {
	for _, n := range a.touched {
		a.values[n] = 0
	}
	a.touched = a.touched[:0]
}

// grow makes room for index n.
func grow[T any](s []T, n uint64) []T {
	if n < uint64(len(s)) {
		return s
	}
	return append(s, make([]T, int(n)+1-len(s))...)
}

// validUTF8 keeps byte offsets of the analysis valid for the text.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
