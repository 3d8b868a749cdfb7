package qdranttest

import (
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// points is the service of that name.
type points struct {
	qdrant.UnimplementedPointsServer
	s *Server
}

// open finds a collection for a call.
func (s *Server) open(method, name string) (*collection, error) {
	c, err := s.find(name)
	if err != nil {
		s.complain("%s: there is no collection %s", method, name)
	}
	return c, err
}

// read finds a collection for a call that reads, and makes a test of its filter.
func (s *Server) read(method, name string, f *qdrant.Filter) (*collection, test, error) {
	c, err := s.open(method, name)
	if err != nil {
		return nil, nil, err
	}
	var allowed *bool
	if m := c.strict(); m != nil {
		allowed = m.UnindexedFilteringRetrieve
	}
	if err := s.indexed(method, c, f, allowed); err != nil {
		return nil, nil, err
	}
	t, err := compile(f)
	return c, t, err
}

// Get gives the points there are of those asked for, in that order, each once.
func (ps points) Get(_ context.Context, r *qdrant.GetPoints) (*qdrant.GetResponse, error) {
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	c, err := ps.s.open(Get, r.CollectionName)
	if err != nil {
		return nil, err
	}
	ids, err := readIDs(r.Ids)
	if err != nil {
		return nil, err
	}
	reply := &qdrant.GetResponse{}
	for i, a := range ids {
		if p := c.points[a]; p != nil && !slices.Contains(ids[:i], a) {
			reply.Result = append(reply.Result, retrieved(a, p, r.WithPayload, r.WithVectors))
		}
	}
	return reply, nil
}

func (ps points) Count(_ context.Context, r *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	c, matches, err := ps.s.read(Count, r.CollectionName, r.Filter)
	if err != nil {
		return nil, err
	}
	n := uint64(0)
	for a, p := range c.points {
		if matches(a, p) {
			n++
		}
	}
	return &qdrant.CountResponse{Result: &qdrant.CountResult{Count: n}}, nil
}

// Scroll goes through the points by id, from offset on.
// https://qdrant.tech/documentation/concepts/points/#scroll-points
func (ps points) Scroll(_ context.Context, r *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	if r.OrderBy != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: a scroll by another order than that of ids")
	}
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	c, matches, err := ps.s.read(Scroll, r.CollectionName, r.Filter)
	if err != nil {
		return nil, err
	}
	limit := uint64(10)
	if r.Limit != nil {
		limit = uint64(*r.Limit)
	}
	if err := atMost(limit, uint64(c.strict().GetMaxQueryLimit()), "limit"); err != nil {
		return nil, err
	}
	order, err := c.from(r.Offset)
	if err != nil {
		return nil, err
	}
	return c.page(order, matches, int(limit), r), nil
}

// from is the ids in order that are not below an offset.
func (c *collection) from(offset *qdrant.PointId) ([]id, error) {
	if offset == nil {
		return c.order(), nil
	}
	least, err := readID(offset)
	if err != nil {
		return nil, err
	}
	i, _ := slices.BinarySearchFunc(c.order(), least, id.compare)
	return c.order()[i:], nil
}

// page is the first points that match, and the id of the next one. Payloads are in it unless
// the request says otherwise.
func (c *collection) page(order []id, matches test, limit int, r *qdrant.ScrollPoints) *qdrant.ScrollResponse {
	payload := r.WithPayload
	if payload == nil {
		payload = qdrant.NewWithPayload(true)
	}
	reply := &qdrant.ScrollResponse{}
	for _, a := range order {
		p := c.points[a]
		if !matches(a, p) {
			continue
		}
		if len(reply.Result) == limit {
			reply.NextPageOffset = a.proto()
			break
		}
		reply.Result = append(reply.Result, retrieved(a, p, payload, r.WithVectors))
	}
	return reply
}

func retrieved(a id, p *point, payload *qdrant.WithPayloadSelector, vectors *qdrant.WithVectorsSelector) *qdrant.RetrievedPoint {
	return &qdrant.RetrievedPoint{Id: a.proto(), Payload: selected(p.payload, payload), Vectors: shown(p.vector, vectors)}
}

// selected is what a selector leaves of a payload; nothing, without one. It knows whole keys
// only, not paths into them.
func selected(payload map[string]*qdrant.Value, sel *qdrant.WithPayloadSelector) map[string]*qdrant.Value {
	left := map[string]*qdrant.Value{}
	for key, v := range payload {
		if wanted(key, sel) {
			left[key] = v
		}
	}
	return left
}

func wanted(key string, sel *qdrant.WithPayloadSelector) bool {
	switch v := sel.GetSelectorOptions().(type) {
	case *qdrant.WithPayloadSelector_Enable:
		return v.Enable
	case *qdrant.WithPayloadSelector_Include:
		return slices.Contains(v.Include.GetFields(), key)
	case *qdrant.WithPayloadSelector_Exclude:
		return !slices.Contains(v.Exclude.GetFields(), key)
	}
	return false
}

func shown(v []float32, sel *qdrant.WithVectorsSelector) *qdrant.VectorsOutput {
	if !sel.GetEnable() {
		return nil
	}
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{Vector: &qdrant.VectorOutput{
		Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: v}},
	}}}
}
