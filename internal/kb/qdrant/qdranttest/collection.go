package qdranttest

import (
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A collection is what the server holds under one name. The server's lock guards it.
type collection struct {
	config  *qdrant.CollectionConfig
	params  *qdrant.VectorParams // those in config
	indexes map[string]qdrant.PayloadSchemaType
	points  map[id]*point
	sorted  []id // the keys of points in order; nil: to be sorted
}

// A point is never changed, only replaced.
type point struct {
	payload map[string]*qdrant.Value
	vector  []float32 // as stored
	version uint64
}

func (s *Server) newCollection(r *qdrant.CreateCollection) *collection {
	r = proto.CloneOf(r)
	if r.StrictModeConfig == nil && s.options.Strict {
		r.StrictModeConfig = StrictMode()
	}
	return &collection{
		params: r.VectorsConfig.GetParams(), indexes: map[string]qdrant.PayloadSchemaType{}, points: map[id]*point{},
		config: &qdrant.CollectionConfig{
			Params: &qdrant.CollectionParams{
				ShardNumber: max(1, r.GetShardNumber()), OnDiskPayload: r.OnDiskPayload == nil || *r.OnDiskPayload, VectorsConfig: r.VectorsConfig,
				ReplicationFactor:      proto.Uint32(max(1, r.GetReplicationFactor())),
				WriteConsistencyFactor: proto.Uint32(max(1, r.GetWriteConsistencyFactor())),
			},
			HnswConfig: merged(hnsw(), r.HnswConfig), OptimizerConfig: r.OptimizersConfig, WalConfig: r.WalConfig,
			QuantizationConfig: r.QuantizationConfig, StrictModeConfig: r.StrictModeConfig, Metadata: r.Metadata,
		},
	}
}

// hnsw is what a request leaves out. https://qdrant.tech/documentation/guides/configuration/
func hnsw() *qdrant.HnswConfigDiff {
	return &qdrant.HnswConfigDiff{
		M: proto.Uint64(16), EfConstruct: proto.Uint64(100), FullScanThreshold: proto.Uint64(10000),
		MaxIndexingThreads: proto.Uint64(0), OnDisk: proto.Bool(false),
	}
}

// int8 says whether vectors are also kept as bytes.
func (c *collection) int8() bool {
	return c.config.GetQuantizationConfig().GetScalar() != nil || c.params.GetQuantizationConfig().GetScalar() != nil
}

func (c *collection) info() *qdrant.CollectionInfo {
	return &qdrant.CollectionInfo{
		Status: qdrant.CollectionStatus_Green, OptimizerStatus: &qdrant.OptimizerStatus{Ok: true}, SegmentsCount: 2,
		Config: proto.CloneOf(c.config), PayloadSchema: c.schema(),
		PointsCount: proto.Uint64(uint64(len(c.points))), IndexedVectorsCount: proto.Uint64(0),
	}
}

func (c *collection) schema() map[string]*qdrant.PayloadSchemaInfo {
	schema := map[string]*qdrant.PayloadSchemaInfo{}
	for key, kind := range c.indexes {
		n := uint64(0)
		for _, p := range c.points {
			if !empty(p, key) {
				n++
			}
		}
		schema[key] = &qdrant.PayloadSchemaInfo{DataType: kind, Points: &n}
	}
	return schema
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

func taken(name string) error {
	return status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", name)
}
