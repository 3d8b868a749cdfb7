package qdranttest

import (
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// A Point is one that is stored.
type Point struct {
	ID      string
	Payload map[string]any // strings, int64, float64, bool, nil, []any, map[string]any
	Vector  []float32      // as stored: of length 1 where the distance is cosine
}

// Collections are the names of the collections, sorted, without aliases.
func (s *Server) Collections() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.collections))
}

// Aliases are the aliases, each with its collection.
func (s *Server) Aliases() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.aliases)
}

// Points are those of a collection or alias, in the order of their ids; nil where there is no
// such collection.
func (s *Server) Points(name string) []Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(name)
	if err != nil {
		return nil
	}
	var list []Point
	for _, a := range c.order() {
		p := c.points[a]
		list = append(list, Point{ID: a.String(), Payload: plainMap(p.payload), Vector: slices.Clone(p.vector)})
	}
	return list
}

func plainMap(fields map[string]*qdrant.Value) map[string]any {
	m := make(map[string]any, len(fields))
	for key, v := range fields {
		m[key] = plain(v)
	}
	return m
}

func plain(v *qdrant.Value) any {
	switch k := v.GetKind().(type) {
	case *qdrant.Value_StringValue:
		return k.StringValue
	case *qdrant.Value_IntegerValue:
		return k.IntegerValue
	case *qdrant.Value_DoubleValue:
		return k.DoubleValue
	case *qdrant.Value_BoolValue:
		return k.BoolValue
	case *qdrant.Value_StructValue:
		return plainMap(k.StructValue.GetFields())
	case *qdrant.Value_ListValue:
		list := []any{}
		for _, e := range k.ListValue.GetValues() {
			list = append(list, plain(e))
		}
		return list
	}
	return nil
}

// An Info is what a collection is like.
type Info struct {
	Dim      int
	Distance qdrant.Distance
	Int8     bool // scalar quantisation
	OnDisk   bool // the vectors
	HNSW     *qdrant.HnswConfigDiff
	Indexes  map[string]qdrant.PayloadSchemaType
	Metadata map[string]any
	Points   int
}

// Info tells of a collection or alias; the zero Info where there is none.
func (s *Server) Info(name string) Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(name)
	if err != nil {
		return Info{}
	}
	return Info{
		Dim: int(c.params.GetSize()), Distance: c.params.GetDistance(), Int8: c.int8(), OnDisk: c.params.GetOnDisk(),
		HNSW: proto.CloneOf(c.config.HnswConfig), Indexes: maps.Clone(c.indexes), Metadata: plainMap(c.config.Metadata), Points: len(c.points),
	}
}

// behind does something to a collection that no call asked for.
func (s *Server) behind(name string, f func(*collection)) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(name)
	if err != nil {
		s.t.Errorf("qdranttest: there is no collection %s", name)
		return
	}
	f(c)
}

// Forget loses n points of a collection, spread over it.
func (s *Server) Forget(name string, n int) {
	s.t.Helper()
	s.behind(name, func(c *collection) {
		for _, a := range c.some(n) {
			c.remove(a)
		}
	})
}

// Strip loses the payload of n points, spread over the collection.
func (s *Server) Strip(name string, n int) {
	s.t.Helper()
	s.behind(name, func(c *collection) {
		for _, a := range c.some(n) {
			p := *c.points[a]
			p.payload = nil
			c.points[a] = &p
		}
	})
}

// some is n ids at equal distances.
func (c *collection) some(n int) []id {
	order := c.order()
	n = min(n, len(order))
	ids := make([]id, n)
	for i := range ids {
		ids[i] = order[i*len(order)/n]
	}
	return ids
}

// Insert stores a point, or replaces it. Its id is a UUID or a number.
func (s *Server) Insert(name, pointID string, payload map[string]any, vector []float32) {
	s.t.Helper()
	a, err := parseID(pointID)
	if err != nil {
		s.t.Errorf("qdranttest: %v", err)
		return
	}
	fields, err := qdrant.TryValueMap(payload)
	if err != nil {
		s.t.Errorf("qdranttest: %v", err)
		return
	}
	s.behind(name, func(c *collection) {
		if want := int(c.params.GetSize()); len(vector) != want {
			s.t.Errorf("qdranttest: a vector of %d numbers, where %s has %d", len(vector), name, want)
			return
		}
		c.put(a, &point{payload: fields, vector: c.normal(slices.Clone(vector))})
	})
}

// Drop removes a collection with its aliases.
func (s *Server) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(name)
}

// Recreate replaces a collection by an empty one that has no indexes and no metadata; aliases
// lead to the new one.
func (s *Server) Recreate(name string, dim int, distance qdrant.Distance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if target, ok := s.aliases[name]; ok {
		name = target
	}
	s.collections[name] = s.newCollection(&qdrant.CreateCollection{
		CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: uint64(dim), Distance: distance}),
	})
}
