package qdranttest

import (
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A collection is what the server holds under one name.
type collection struct {
	config  *qdrant.CollectionConfig
	params  *qdrant.VectorParams
	indexes map[string]qdrant.PayloadSchemaType
	points  map[id]*point
	sorted  []id // the keys of points in order; nil: to be sorted
}

type point struct {
	payload map[string]*qdrant.Value // never changed, only replaced
	vector  []float32                // as stored; nil: none
	version uint64
}

// order is the ids in the order in which a scroll meets them.
func (c *collection) order() []id {
	if c.sorted == nil {
		c.sorted = slices.SortedFunc(maps.Keys(c.points), id.compare)
	}
	return c.sorted
}

func (c *collection) put(a id, p *point) {
	if _, ok := c.points[a]; !ok {
		c.sorted = nil
	}
	c.points[a] = p
}

func (c *collection) remove(a id) {
	if _, ok := c.points[a]; ok {
		c.sorted = nil
		delete(c.points, a)
	}
}

// find is the collection of a name or alias; the lock is held.
func (s *Server) find(name string) (*collection, error) {
	if target, ok := s.aliases[name]; ok {
		name = target
	}
	c := s.collections[name]
	if c == nil {
		return nil, missing(name)
	}
	return c, nil
}

func missing(name string) error {
	return status.Errorf(codes.NotFound, "Not found: Collection `%s` doesn't exist!", name)
}
