package qdranttest

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Query finds the points nearest to a vector. https://qdrant.tech/documentation/concepts/search/
func (ps points) Query(_ context.Context, r *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	if len(r.Prefetch) > 0 || r.GetUsing() != "" || r.LookupFrom != nil || r.GetQuery().GetNearest().GetDense() == nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: only a query for the nearest to a dense vector")
	}
	q := &search{
		method: Query, collection: r.CollectionName, vector: r.Query.GetNearest().GetDense().GetData(), filter: r.Filter, params: r.Params,
		threshold: r.ScoreThreshold, limit: 10, offset: int(r.GetOffset()), payload: r.WithPayload, vectors: r.WithVectors,
	}
	if r.Limit != nil {
		q.limit = int(*r.Limit)
	}
	found, err := ps.nearest(q)
	return &qdrant.QueryResponse{Result: found}, err
}

// Search is the older Query.
func (ps points) Search(_ context.Context, r *qdrant.SearchPoints) (*qdrant.SearchResponse, error) {
	if r.GetVectorName() != "" || r.SparseIndices != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: only a search for the nearest to a dense vector")
	}
	found, err := ps.nearest(&search{
		method: Search, collection: r.CollectionName, vector: r.Vector, filter: r.Filter, params: r.Params,
		threshold: r.ScoreThreshold, limit: int(r.Limit), offset: int(r.GetOffset()), payload: r.WithPayload, vectors: r.WithVectors,
	})
	return &qdrant.SearchResponse{Result: found}, err
}

// A search is what Query and Search ask for.
type search struct {
	method, collection string
	vector             []float32
	filter             *qdrant.Filter
	params             *qdrant.SearchParams
	threshold          *float32
	limit, offset      int
	payload            *qdrant.WithPayloadSelector
	vectors            *qdrant.WithVectorsSelector
}

func (ps points) nearest(q *search) ([]*qdrant.ScoredPoint, error) {
	s := ps.s
	s.mu.Lock()
	defer s.mu.Unlock()
	c, matches, err := s.read(q.method, q.collection, q.filter)
	if err != nil {
		return nil, err
	}
	if err := s.fits(q.method, c, q.vector); err != nil {
		return nil, err
	}
	if err := atMost(uint64(q.limit), uint64(c.strict().GetMaxQueryLimit()), "limit"); err != nil {
		return nil, err
	}
	if d := c.params.GetDistance(); d != qdrant.Distance_Cosine && d != qdrant.Distance_Dot {
		return nil, status.Errorf(codes.Unimplemented, "qdranttest: the distance %s", d)
	}
	hits := c.matching(matches)
	if s.options.Optimised && c.int8() && !q.params.GetExact() && !q.params.GetQuantization().GetIgnore() {
		hits = c.byBytes(hits, q)
	} else {
		rank(hits, c.normal(q.vector), func(v []float32) []float32 { return v })
	}
	return q.answer(hits), nil
}

type hit struct {
	id    id
	point *point
	score float32
}

func (c *collection) matching(matches test) []hit {
	var hits []hit
	for a, p := range c.points {
		if matches(a, p) {
			hits = append(hits, hit{id: a, point: p})
		}
	}
	return hits
}

// byBytes ranks hits by their bytes alone, as a quantised collection does. With rescore the
// best of them, oversampling times as many as asked for, get the scores of their vectors.
func (c *collection) byBytes(hits []hit, q *search) []hit {
	quantiser, v := c.quantiser(), c.normal(q.vector)
	rank(hits, quantiser.round(v), quantiser.round)
	quantization := q.params.GetQuantization()
	if !quantization.GetRescore() {
		return hits
	}
	n := float64(q.offset+q.limit) * max(1, quantization.GetOversampling())
	hits = hits[:min(len(hits), int(n))]
	rank(hits, v, func(v []float32) []float32 { return v })
	return hits
}

// rank scores hits and sorts them, best first.
func rank(hits []hit, v []float32, stored func([]float32) []float32) {
	for i := range hits {
		hits[i].score = dot(v, stored(hits[i].point.vector))
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id.shuffled(), b.id.shuffled()))
	})
}

// shuffled puts ids of one score in an order that is neither theirs nor that in which they
// came: Qdrant promises none, and has none.
func (a id) shuffled() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(a.String()))
	return h.Sum64()
}

// answer is a page of ranked hits. What scores no number is not found.
func (q *search) answer(hits []hit) []*qdrant.ScoredPoint {
	hits = slices.DeleteFunc(hits, func(h hit) bool {
		return h.score != h.score || q.threshold != nil && h.score < *q.threshold
	})
	hits = hits[min(q.offset, len(hits)):]
	hits = hits[:min(q.limit, len(hits))]
	found := make([]*qdrant.ScoredPoint, len(hits))
	for i, h := range hits {
		found[i] = &qdrant.ScoredPoint{
			Id: h.id.proto(), Score: h.score, Version: h.point.version,
			Payload: selected(h.point.payload, q.payload), Vectors: shown(h.point.vector, q.vectors),
		}
	}
	return found
}
