package qdranttest

import (
	"cmp"
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Query finds the nearest points to a vector. https://qdrant.tech/documentation/concepts/search/
func (ps points) Query(_ context.Context, r *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	if len(r.Prefetch) > 0 || r.GetUsing() != "" || r.LookupFrom != nil || r.GetQuery().GetNearest().GetDense() == nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: only the nearest of a dense vector")
	}
	limit := uint64(10)
	if r.Limit != nil {
		limit = *r.Limit
	}
	found, err := ps.nearest(&search{
		method: Query, collection: r.CollectionName, vector: r.Query.GetNearest().GetDense().GetData(), filter: r.Filter,
		threshold: r.ScoreThreshold, limit: limit, offset: r.GetOffset(), payload: r.WithPayload, vectors: r.WithVectors,
	})
	return &qdrant.QueryResponse{Result: found}, err
}

// Search is the older Query.
func (ps points) Search(_ context.Context, r *qdrant.SearchPoints) (*qdrant.SearchResponse, error) {
	if r.GetVectorName() != "" || r.SparseIndices != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: only the nearest of a dense vector")
	}
	found, err := ps.nearest(&search{
		method: Search, collection: r.CollectionName, vector: r.Vector, filter: r.Filter,
		threshold: r.ScoreThreshold, limit: r.Limit, offset: r.GetOffset(), payload: r.WithPayload, vectors: r.WithVectors,
	})
	return &qdrant.SearchResponse{Result: found}, err
}

// A search is what Query and Search ask for.
type search struct {
	method, collection string
	vector             []float32
	filter             *qdrant.Filter
	threshold          *float32
	limit, offset      uint64
	payload            *qdrant.WithPayloadSelector
	vectors            *qdrant.WithVectorsSelector
}

func (ps points) nearest(q *search) ([]*qdrant.ScoredPoint, error) {
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	c, matches, err := ps.s.open(q.method, q.collection, q.filter, (*qdrant.StrictModeConfig).GetUnindexedFilteringRetrieve)
	if err != nil {
		return nil, err
	}
	if err := ps.s.check(q.method, c, q.vector); err != nil {
		return nil, err
	}
	if err := atMost(q.limit, uint64(c.strict().GetMaxQueryLimit()), "limit"); err != nil {
		return nil, err
	}
	hits := c.score(c.normal(q.vector), matches, q.threshold)
	hits = hits[min(q.offset, uint64(len(hits))):]
	hits = hits[:min(q.limit, uint64(len(hits)))]
	found := make([]*qdrant.ScoredPoint, len(hits))
	for i, h := range hits {
		found[i] = &qdrant.ScoredPoint{
			Id: h.id.proto(), Score: h.score, Version: h.point.version,
			Payload: selected(h.point.payload, q.payload, false), Vectors: shown(h.point.vector, q.vectors),
		}
	}
	return found, nil
}

type hit struct {
	id    id
	point *point
	score float32
}

// score is every point that matches, best first.
func (c *collection) score(v []float32, matches test, threshold *float32) []hit {
	var hits []hit
	for a, p := range c.points {
		if !matches(a, p) || p.vector == nil {
			continue
		}
		h := hit{a, p, dot(v, p.vector)}
		if threshold == nil || h.score >= *threshold {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), a.id.compare(b.id))
	})
	return hits
}

func dot(a, b []float32) float32 {
	var sum float32
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
