package qdranttest

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// largest is the size from which a request is complained of: that of a REST request. gRPC has
// no limit of its own. https://qdrant.tech/documentation/guides/configuration/
const largest = 32 << 20

// write finds a collection for a call that writes, and makes a test of its filter.
func (s *Server) write(method, name string, f *qdrant.Filter) (*collection, test, error) {
	c, err := s.open(method, name)
	if err != nil {
		return nil, nil, err
	}
	var allowed *bool
	if m := c.strict(); m != nil {
		allowed = m.UnindexedFilteringUpdate
	}
	if err := s.indexed(method, c, f, allowed); err != nil {
		return nil, nil, err
	}
	t, err := compile(f)
	return c, t, err
}

// awaited complains of a write that does not wait for its effect.
func (s *Server) awaited(method string, wait *bool) {
	if wait == nil || !*wait {
		s.complain("%s: wait is not set", method)
	}
}

// wrote is the reply to a write. Without wait it says only that the write was heard, though
// here it is done already.
func (s *Server) wrote(wait *bool) *qdrant.PointsOperationResponse {
	s.operations++
	told := qdrant.UpdateStatus_Acknowledged
	if wait != nil && *wait {
		told = qdrant.UpdateStatus_Completed
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{OperationId: proto.Uint64(s.operations), Status: told}}
}

// Upsert writes all points of a request or, where one is refused, none.
// https://qdrant.tech/documentation/concepts/points/#upload-points
func (ps points) Upsert(_ context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	s := ps.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited(Upsert, r.Wait)
	if n := proto.Size(r); n > largest {
		s.complain("%s: a request of %d bytes", Upsert, n)
	}
	c, may, err := s.write(Upsert, r.CollectionName, r.UpdateFilter)
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
	c.putAll(ids, stored, func(a id) bool { return c.takes(r.GetUpdateMode(), may, a) })
	return s.wrote(r.Wait), nil
}

func (s *Server) readPoints(c *collection, list []*qdrant.PointStruct) ([]id, []*point, error) {
	ids, stored := make([]id, len(list)), make([]*point, len(list))
	for i, p := range list {
		if p.Id == nil {
			return nil, nil, status.Error(codes.InvalidArgument, "Empty ID is not allowed")
		}
		var err error
		if ids[i], err = readID(p.Id); err != nil {
			return nil, nil, err
		}
		if p.Vectors == nil {
			return nil, nil, status.Error(codes.InvalidArgument, "Expected some vectors")
		}
		v := p.Vectors.GetVector().GetDense().GetData()
		if err := s.fits(Upsert, c, v); err != nil {
			return nil, nil, err
		}
		stored[i] = &point{payload: p.GetPayload(), vector: c.normal(v), version: s.operations + 1}
	}
	return ids, stored, nil
}

// putAll stores the points that pass. All are asked for before the first is stored; of two
// with one id the later one stays.
func (c *collection) putAll(ids []id, stored []*point, passes func(id) bool) {
	pass := make([]bool, len(ids))
	for i, a := range ids {
		pass[i] = passes(a)
	}
	for i, a := range ids {
		if pass[i] {
			c.put(a, stored[i])
		}
	}
}

// takes says whether a point may be written. The test is about the stored point; where there
// is none, it forbids nothing.
func (c *collection) takes(mode qdrant.UpdateMode, may test, a id) bool {
	old, exists := c.points[a]
	if !exists {
		return mode != qdrant.UpdateMode_UpdateOnly
	}
	return mode != qdrant.UpdateMode_InsertOnly && may(a, old)
}

// Delete removes points. There need not be any.
func (ps points) Delete(_ context.Context, r *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	s := ps.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited(Delete, r.Wait)
	c, matches, err := s.write(Delete, r.CollectionName, r.GetPoints().GetFilter())
	if err != nil {
		return nil, err
	}
	doomed, err := c.doomed(r.Points, matches)
	if err != nil {
		return nil, err
	}
	for _, a := range doomed {
		c.remove(a)
	}
	return s.wrote(r.Wait), nil
}

// doomed are the ids that a selector means.
func (c *collection) doomed(sel *qdrant.PointsSelector, matches test) ([]id, error) {
	switch v := sel.GetPointsSelectorOneOf().(type) {
	case *qdrant.PointsSelector_Points:
		return readIDs(v.Points.GetIds())
	case *qdrant.PointsSelector_Filter:
		var ids []id
		for a, p := range c.points {
			if matches(a, p) {
				ids = append(ids, a)
			}
		}
		return ids, nil
	}
	return nil, status.Error(codes.InvalidArgument, "PointSelector is missing")
}

// CreateFieldIndex indexes a key, also one that is indexed already.
// https://qdrant.tech/documentation/concepts/indexing/#payload-index
func (ps points) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	s := ps.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited(CreateFieldIndex, r.Wait)
	c, err := s.open(CreateFieldIndex, r.CollectionName)
	if err != nil {
		return nil, err
	}
	if r.FieldType == nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: an index of no type")
	}
	switch *r.FieldType {
	case qdrant.FieldType_FieldTypeKeyword:
		c.indexes[r.FieldName] = qdrant.PayloadSchemaType_Keyword
	case qdrant.FieldType_FieldTypeInteger:
		c.indexes[r.FieldName] = qdrant.PayloadSchemaType_Integer
	default:
		return nil, status.Errorf(codes.Unimplemented, "qdranttest: an index of type %s", r.FieldType)
	}
	return s.wrote(r.Wait), nil
}
