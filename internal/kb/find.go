package kb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// depth is how many passages each leg contributes to the fusion.
const depth = 100

// bm25Share is the weight of the lexical leg in the convex combination; the rest is the
// vectors'. Mean nDCG@10 over the four evaluation sets: 0.824 at 0 (vectors alone), 0.854
// at 0.3, 0.871 at 0.5, 0.871 at 0.6, 0.831 at 1 (BM25 alone).
const bm25Share = 0.5

// Search finds passages. Both legs run at once, each filtered by audience; their scores
// are fused by convex combination, and neighbours in one section become one hit. It
// returns ErrBusy before a first scan is applied.
func (l *Library) Search(ctx context.Context, q Query) (Results, error) {
	started := time.Now()
	if !l.ready.Load() {
		return Results{}, ErrBusy
	}
	m, release := l.pin()
	defer release()
	vectors := make(chan vectorLeg, 1)
	go func() { vectors <- l.searchVectors(ctx, m, q) }()
	lexical := l.searchLexical(ctx, m, q)
	near := l.catchUp(ctx, m, lexical, <-vectors)
	if err := ctx.Err(); err != nil {
		return Results{}, err
	}
	f := fusion{manifest: m, query: q, lexical: lexical.hits, vectors: near.hits, vectored: l.vectored}
	r := Results{Hits: f.hits(), Degraded: l.legsOut(lexical.err, near.err), Took: time.Since(started)}
	if lexical.err != nil && (near.err != nil || l.vecs == nil) {
		return r, fmt.Errorf("search: %w", lexical.err)
	}
	return r, nil
}

// legsOut names the legs that failed, and vectors also when so many are still to come that
// they hardly took part.
func (l *Library) legsOut(lexical, near error) []string {
	var out []string
	if lexical != nil {
		l.log.Warn("search leg failed", "leg", "bm25", "reason", lexical)
		out = append(out, "bm25")
	}
	if near != nil && !errors.Is(near, errAway) { // that was said when it went
		l.log.Warn("search leg failed", "leg", "vectors", "reason", near)
	}
	if near != nil || l.vecs != nil && l.vecs.behind() {
		out = append(out, "vectors")
	}
	return out
}

// lateTexts is how many passages a search embeds by itself, some 75 ms each, when their
// turn has not come yet: those that the words speak for most.
const lateTexts = 6

// catchUp gives the best lexical hits their cosines when the store does not have their
// vectors yet, so that they are not ranked by other measures than those that it has.
func (l *Library) catchUp(ctx context.Context, m *manifest, lexical lexicalLeg, near vectorLeg) vectorLeg {
	if l.vecs == nil || near.err != nil || l.vecs.missing() == 0 {
		return near
	}
	found := map[string]bool{}
	for _, h := range near.hits {
		found[h.Key] = true
	}
	var late []*Passage
	for _, h := range lexical.hits[:min(len(lexical.hits), 2*lateTexts)] {
		if p := m.passages[h.hash]; p != nil && len(late) < lateTexts && !l.vecs.holds(h.hash) && !found[h.hash] {
			late = append(late, p)
		}
	}
	if more, err := l.vecs.near(ctx, near.query, late); err == nil && len(more) > 0 {
		near.hits = slices.Concat(near.hits, more)
		slices.SortFunc(near.hits, compareScored)
	}
	return near
}

type lexicalLeg struct {
	hits []lexicalHit
	err  error
}

func (l *Library) searchLexical(ctx context.Context, m *manifest, q Query) (leg lexicalLeg) {
	if !l.lexWhole.Load() {
		return lexicalLeg{err: errBroken}
	}
	audiences := q.Audiences
	if !slices.ContainsFunc(m.audiences, func(a string) bool { return !slices.Contains(audiences, a) }) {
		audiences = nil // everything is allowed: no filter is needed
	}
	leg.hits, leg.err = l.lex.search(ctx, l.lex.terms(q), audiences, m.lengths, depth)
	if leg.err != nil && ctx.Err() == nil {
		l.lexWhole.Store(false) // the next scan, which is now, builds it anew
		ring(l.bell)
	}
	return leg
}

type vectorLeg struct {
	query []float32
	hits  []Scored
	err   error
}

func (l *Library) searchVectors(ctx context.Context, m *manifest, q Query) (leg vectorLeg) {
	if l.vecs == nil {
		return leg
	}
	if err := l.vecs.mistrusted(); err != nil {
		return vectorLeg{err: fmt.Errorf("%w: %w", errAway, err)}
	}
	leg.err = guard(func() (err error) {
		if leg.query, err = l.embedQuery(ctx, q); err != nil {
			return err
		}
		leg.hits, err = l.vecs.search(ctx, m, leg.query, q.Audiences, depth)
		return err
	})
	return leg
}

// embedQuery is the question's vector, moved towards those of what was said before by
// their weights.
func (l *Library) embedQuery(ctx context.Context, q Query) ([]float32, error) {
	sum, err := l.cfg.Embedder.EmbedQuery(ctx, q.Text)
	if err != nil || len(q.Context) == 0 {
		return sum, err
	}
	for _, c := range q.Context {
		v, err := l.cfg.Embedder.EmbedQuery(ctx, c.Text)
		if err != nil {
			return nil, err
		}
		for i := range sum {
			sum[i] += float32(c.Weight) * v[i]
		}
	}
	normalise(sum)
	return sum, nil
}

func normalise(v []float32) {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= scale
	}
}

// vectored says whether a passage has a vector that a search could find.
func (l *Library) vectored(hash string) bool { return l.vecs != nil && l.vecs.holds(hash) }

// fusion makes hits of both legs' rankings.
type fusion struct {
	manifest *manifest
	query    Query
	lexical  []lexicalHit
	vectors  []Scored
	vectored func(hash string) bool

	best     float64 // BM25 score of the best that counts
	top, low float64 // cosines of the nearest and the farthest that count
}

// candidate is a passage of either ranking.
type candidate struct {
	passage      *Passage
	score        float64
	bm25, vector Leg
	coverage     float64
	matched      []string
}

func (f *fusion) hits() []Hit {
	ranked := f.candidates()
	slices.SortFunc(ranked, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.passage.ID, b.passage.ID))
	})
	limit := f.query.Limit
	if limit <= 0 {
		limit = 10
	}
	return merge(ranked, limit)
}

// candidates scores every passage of either leg. What the manifest does not hold is of
// another generation and dropped; the audience was part of both queries and is checked
// again. What is dropped has no part in the others' scores.
func (f *fusion) candidates() []*candidate {
	byHash := map[string]*candidate{}
	var out []*candidate
	get := func(hash string) *candidate {
		p := f.manifest.passages[hash]
		if p == nil || !slices.Contains(f.query.Audiences, p.Audience) {
			return nil
		}
		if byHash[hash] == nil {
			byHash[hash] = &candidate{passage: p}
			out = append(out, byHash[hash])
		}
		return byHash[hash]
	}
	f.addLexical(get)
	f.addVectors(get)
	for _, c := range out {
		c.score = f.fuse(c)
	}
	return out
}

func (f *fusion) addLexical(get func(string) *candidate) {
	rank := 0
	for _, h := range f.lexical {
		if c := get(h.hash); c != nil {
			if rank++; rank == 1 {
				f.best = h.score
			}
			c.bm25 = Leg{rank, h.score}
			c.coverage, c.matched = h.coverage, h.matched
		}
	}
}

func (f *fusion) addVectors(get func(string) *candidate) {
	rank := 0
	for _, h := range f.vectors {
		if c := get(h.Key); c != nil {
			if rank++; rank == 1 {
				f.top = h.Score
			}
			f.low = h.Score
			c.vector = Leg{rank, h.Score}
		}
	}
}

// fuse is share·BM25/max + (1−share)·min–max of the cosines. A passage whose vector is
// still to come, or a search without vectors, goes by BM25 alone.
func (f *fusion) fuse(c *candidate) float64 {
	lexical, near := 0.0, 0.0
	if f.best > 0 {
		lexical = c.bm25.Score / f.best
	}
	if len(f.vectors) == 0 || c.vector.Rank == 0 && !f.vectored(c.passage.Hash) {
		return lexical
	}
	if c.vector.Rank > 0 {
		near = 1
		if f.top > f.low {
			near = (c.vector.Score - f.low) / (f.top - f.low)
		}
	}
	return bm25Share*lexical + (1-bm25Share)*near
}

// merge turns ranked passages into at most limit hits: one that stands next to a better
// one in its section joins it. (Letting other documents go before a document's fourth
// hit was tried: it gained 0.002 of nDCG@10 and lost a fifth of techqa's passage@5.)
func merge(ranked []*candidate, limit int) []Hit {
	var hits []*Hit
	at := map[place]*Hit{}
	for _, c := range ranked {
		p := c.passage
		here := place{p.Path, p.Anchor, p.Ordinal}
		if near := here.neighbour(at); near != nil && len(near.Passages) < maxMerged {
			near.join(c)
			at[here] = near
		} else if len(hits) < limit {
			at[here] = &Hit{Passages: []*Passage{p}, Score: c.score, BM25: c.bm25, Vector: c.vector, Coverage: c.coverage, Matched: c.matched}
			hits = append(hits, at[here])
		}
	}
	out := make([]Hit, len(hits))
	for i, h := range hits {
		out[i] = *h
	}
	return out
}

// maxMerged bounds a hit's passages.
const maxMerged = 3

// A place is where a passage stands in its document.
type place struct {
	path, anchor string
	ordinal      int
}

// neighbour is the hit that holds the passage before or after this place.
func (p place) neighbour(at map[place]*Hit) *Hit {
	if h := at[place{p.path, p.anchor, p.ordinal - 1}]; h != nil {
		return h
	}
	return at[place{p.path, p.anchor, p.ordinal + 1}]
}

// join adds a neighbour, before or after.
func (h *Hit) join(c *candidate) {
	if c.passage.Ordinal < h.Passages[0].Ordinal {
		h.Passages = slices.Insert(h.Passages, 0, c.passage)
		h.Best++
		return
	}
	h.Passages = append(h.Passages, c.passage)
}
