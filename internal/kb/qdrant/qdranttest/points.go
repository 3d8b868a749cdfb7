package qdranttest

import (
	"context"
	"math"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

type points struct {
	qdrant.UnimplementedPointsServer
	s *Server
}

// largest is the size above which the documentation asks for smaller batches.
const largest = 32 << 20

func (ps points) Upsert(_ context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	s := ps.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.review(Upsert, r.GetWait())
	if n := proto.Size(r); n > largest {
		s.complain("%s: a request of %d bytes", Upsert, n)
	}
	c, may, err := s.open(Upsert, r.CollectionName, r.UpdateFilter, (*qdrant.StrictModeConfig).GetUnindexedFilteringUpdate)
	if err != nil {
		return nil, err
	}
	if err := atMost(uint64(len(r.Points)), c.strict().GetUpsertMaxBatchsize(), "upsert limit"); err != nil {
		return nil, err
	}
	ids, stored, err := s.readPoints(c, r.Points)
	if err != nil {
		return nil, err
	}
	for i, a := range ids {
		if c.takes(r, may, a) {
			c.put(a, stored[i])
		}
	}
	return s.wrote(r.GetWait()), nil
}

// takes says whether a point is written: the filter is about the stored point, and guards
// nothing where there is none.
func (c *collection) takes(r *qdrant.UpsertPoints, may test, a id) bool {
	old, exists := c.points[a]
	if !exists {
		return r.GetUpdateMode() != qdrant.UpdateMode_UpdateOnly
	}
	return r.GetUpdateMode() != qdrant.UpdateMode_InsertOnly && may(a, old)
}

// wrote is the reply to a write. Without wait it says only that the write was heard, though
// here it is done already.
func (s *Server) wrote(wait bool) *qdrant.PointsOperationResponse {
	s.operations++
	n := s.operations
	told := qdrant.UpdateStatus_Completed
	if !wait {
		told = qdrant.UpdateStatus_Acknowledged
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{OperationId: &n, Status: told}}
}

func (s *Server) review(method string, wait bool) {
	if !wait {
		s.complain("%s: wait is not set", method)
	}
}

// open finds a collection for a call and compiles its filter. A key without index is
// complained of always, and refused where strict mode does not allow it.
func (s *Server) open(method, name string, f *qdrant.Filter, allows func(*qdrant.StrictModeConfig) bool) (*collection, test, error) {
	c, err := s.find(name)
	if err != nil {
		s.complain("%s: there is no collection %s", method, name)
		return nil, nil, err
	}
	for _, key := range keys(f) {
		if _, ok := c.indexes[key]; ok {
			continue
		}
		s.complain("%s: a filter on %s, which has no index", method, key)
		if m := c.strict(); m != nil && !allows(m) {
			return nil, nil, status.Errorf(codes.InvalidArgument, "Bad request: Index required but not found for \"%s\" of one of the following types: [keyword]. Help: Create an index for this key or use a different filter.", key)
		}
	}
	t, err := compile(f)
	return c, t, err
}

func (s *Server) readPoints(c *collection, list []*qdrant.PointStruct) ([]id, []*point, error) {
	ids, stored := make([]id, len(list)), make([]*point, len(list))
	for i, p := range list {
		var err error
		if ids[i], err = readID(p.GetId()); err != nil {
			return nil, nil, err
		}
		v, err := s.readVector(c, p.GetVectors().GetVector())
		if err != nil {
			return nil, nil, err
		}
		stored[i] = &point{payload: p.GetPayload(), vector: c.normal(v), version: s.operations + 1}
	}
	return ids, stored, nil
}

func (s *Server) readVector(c *collection, v *qdrant.Vector) ([]float32, error) {
	data := v.GetDense().GetData()
	if data == nil {
		data = v.GetData()
	}
	return data, s.check(Upsert, c, data)
}

// check holds a vector against its collection.
func (s *Server) check(method string, c *collection, v []float32) error {
	if slices.ContainsFunc(v, func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }) {
		s.complain("%s: a vector that is not finite", method)
	}
	if want := c.params.GetSize(); uint64(len(v)) != want {
		s.complain("%s: a vector of %d numbers, where the collection has %d", method, len(v), want)
		return status.Errorf(codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: %d, got %d", want, len(v))
	}
	return nil
}

// normal is a vector as a collection stores it.
func (c *collection) normal(v []float32) []float32 {
	if c.params.GetDistance() != qdrant.Distance_Cosine {
		return v
	}
	return normalised(v)
}

// normalised is v with length 1. One that has it already, or is nothing, stays as it is.
func normalised(v []float32) []float32 {
	length := math.Sqrt(float64(dot(v, v)))
	if length < 1.2e-7 || math.Abs(length-1) <= 1e-6 {
		return v
	}
	unit := make([]float32, len(v))
	for i, x := range v {
		unit[i] = x / float32(length)
	}
	return unit
}

func (ps points) Delete(_ context.Context, r *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	s := ps.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.review(Delete, r.GetWait())
	c, matches, err := s.open(Delete, r.CollectionName, r.GetPoints().GetFilter(), (*qdrant.StrictModeConfig).GetUnindexedFilteringUpdate)
	if err != nil {
		return nil, err
	}
	switch sel := r.GetPoints().GetPointsSelectorOneOf().(type) {
	case *qdrant.PointsSelector_Points:
		ids, err := readIDs(sel.Points.GetIds())
		if err != nil {
			return nil, err
		}
		for _, a := range ids {
			c.remove(a)
		}
	case *qdrant.PointsSelector_Filter:
		for a, p := range c.points {
			if matches(a, p) {
				c.remove(a)
			}
		}
	default:
		return nil, status.Error(codes.InvalidArgument, "PointSelector is missing")
	}
	return s.wrote(r.GetWait()), nil
}

func (ps points) Get(_ context.Context, r *qdrant.GetPoints) (*qdrant.GetResponse, error) {
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	c, _, err := ps.s.open(Get, r.CollectionName, nil, nil)
	if err != nil {
		return nil, err
	}
	ids, err := readIDs(r.Ids)
	if err != nil {
		return nil, err
	}
	reply := &qdrant.GetResponse{}
	for _, a := range ids {
		if p := c.points[a]; p != nil {
			reply.Result = append(reply.Result, retrieved(a, p, r.WithPayload, r.WithVectors))
		}
	}
	return reply, nil
}

func (ps points) Count(_ context.Context, r *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	c, matches, err := ps.s.open(Count, r.CollectionName, r.Filter, (*qdrant.StrictModeConfig).GetUnindexedFilteringRetrieve)
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

// Scroll goes through the points by id. https://qdrant.tech/documentation/concepts/points/#scroll-points
func (ps points) Scroll(_ context.Context, r *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	if r.OrderBy != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: scroll in an order of one's own")
	}
	c, matches, err := ps.s.open(Scroll, r.CollectionName, r.Filter, (*qdrant.StrictModeConfig).GetUnindexedFilteringRetrieve)
	if err != nil {
		return nil, err
	}
	limit := 10
	if r.Limit != nil {
		limit = int(*r.Limit)
	}
	if limit == 0 {
		return nil, status.Error(codes.InvalidArgument, "Wrong input: Limit cannot be 0")
	}
	if err := atMost(uint64(limit), uint64(c.strict().GetMaxQueryLimit()), "limit"); err != nil {
		return nil, err
	}
	order := c.order()
	if r.Offset != nil {
		from, err := readID(r.Offset)
		if err != nil {
			return nil, err
		}
		i, _ := slices.BinarySearchFunc(order, from, id.compare)
		order = order[i:]
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
		reply.Result = append(reply.Result, retrieved(a, p, r.WithPayload, r.WithVectors))
	}
	return reply, nil
}

func retrieved(a id, p *point, payload *qdrant.WithPayloadSelector, vectors *qdrant.WithVectorsSelector) *qdrant.RetrievedPoint {
	return &qdrant.RetrievedPoint{Id: a.proto(), Payload: selected(p.payload, payload, false), Vectors: shown(p.vector, vectors)}
}

// selected is what a selector leaves of a payload.
func selected(payload map[string]*qdrant.Value, sel *qdrant.WithPayloadSelector, otherwise bool) map[string]*qdrant.Value {
	left := map[string]*qdrant.Value{}
	for key, v := range payload {
		if wanted(key, sel, otherwise) {
			left[key] = v
		}
	}
	return left
}

func wanted(key string, sel *qdrant.WithPayloadSelector, otherwise bool) bool {
	switch v := sel.GetSelectorOptions().(type) {
	case *qdrant.WithPayloadSelector_Enable:
		return v.Enable
	case *qdrant.WithPayloadSelector_Include:
		return slices.Contains(v.Include.GetFields(), key)
	case *qdrant.WithPayloadSelector_Exclude:
		return !slices.Contains(v.Exclude.GetFields(), key)
	}
	return otherwise
}

func shown(v []float32, sel *qdrant.WithVectorsSelector) *qdrant.VectorsOutput {
	if !sel.GetEnable() || v == nil {
		return nil
	}
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{Vector: &qdrant.VectorOutput{
		Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: v}},
	}}}
}

// CreateFieldIndex indexes a key. https://qdrant.tech/documentation/concepts/indexing/#payload-index
func (ps points) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	ps.s.mu.Lock()
	defer ps.s.mu.Unlock()
	c, _, err := ps.s.open(CreateFieldIndex, r.CollectionName, nil, nil)
	if err != nil {
		return nil, err
	}
	ps.s.review(CreateFieldIndex, r.GetWait())
	switch r.GetFieldType() {
	case qdrant.FieldType_FieldTypeKeyword:
		c.indexes[r.FieldName] = qdrant.PayloadSchemaType_Keyword
	case qdrant.FieldType_FieldTypeInteger:
		c.indexes[r.FieldName] = qdrant.PayloadSchemaType_Integer
	default:
		return nil, status.Errorf(codes.Unimplemented, "qdranttest: an index of type %s", r.GetFieldType())
	}
	return ps.s.wrote(r.GetWait()), nil
}
