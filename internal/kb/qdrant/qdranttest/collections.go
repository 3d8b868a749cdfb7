package qdranttest

import (
	"context"
	"maps"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// collections is the service of that name.
type collections struct {
	qdrant.UnimplementedCollectionsServer
	s *Server
}

func (cs collections) CollectionExists(_ context.Context, r *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	_, err := cs.s.find(r.CollectionName)
	return &qdrant.CollectionExistsResponse{Result: &qdrant.CollectionExists{Exists: err == nil}}, nil
}

func (cs collections) Get(_ context.Context, r *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	c, err := cs.s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	return &qdrant.GetCollectionInfoResponse{Result: c.info()}, nil
}

func (cs collections) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	list := &qdrant.ListCollectionsResponse{}
	for _, name := range cs.s.Collections() {
		list.Collections = append(list.Collections, &qdrant.CollectionDescription{Name: name})
	}
	return list, nil
}

func (cs collections) Create(_ context.Context, r *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	if r.GetVectorsConfig().GetParams() == nil || r.SparseVectorsConfig != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: only collections of one unnamed vector")
	}
	s := cs.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.collections[r.CollectionName] != nil {
		return nil, taken(r.CollectionName)
	}
	if _, ok := s.aliases[r.CollectionName]; ok {
		return nil, status.Errorf(codes.InvalidArgument, "Wrong input: Can't create collection with name %s. Alias with the same name already exists", r.CollectionName)
	}
	s.collections[r.CollectionName] = s.newCollection(r)
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

// Delete takes the name of a collection, not an alias. There need not be one.
func (cs collections) Delete(_ context.Context, r *qdrant.DeleteCollection) (*qdrant.CollectionOperationResponse, error) {
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	_, ok := cs.s.collections[r.CollectionName]
	cs.s.drop(r.CollectionName)
	return &qdrant.CollectionOperationResponse{Result: ok}, nil
}

// drop removes a collection and the aliases that lead to it.
func (s *Server) drop(name string) {
	delete(s.collections, name)
	maps.DeleteFunc(s.aliases, func(_, target string) bool { return target == name })
}

func (cs collections) Update(_ context.Context, r *qdrant.UpdateCollection) (*qdrant.CollectionOperationResponse, error) {
	if r.VectorsConfig != nil || r.SparseVectorsConfig != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: an update of vectors_config")
	}
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	c, err := cs.s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	return &qdrant.CollectionOperationResponse{Result: true}, c.update(proto.CloneOf(r))
}

// update changes what a request names and leaves the rest as it is.
func (c *collection) update(r *qdrant.UpdateCollection) error {
	config := c.config
	switch q := r.GetQuantizationConfig().GetQuantization().(type) {
	case nil:
	case *qdrant.QuantizationConfigDiff_Scalar:
		config.QuantizationConfig = qdrant.NewQuantizationScalar(q.Scalar)
	case *qdrant.QuantizationConfigDiff_Disabled:
		config.QuantizationConfig = nil
	default:
		return status.Errorf(codes.Unimplemented, "qdranttest: a quantization of type %T", q)
	}
	config.HnswConfig = merged(config.HnswConfig, r.HnswConfig)
	config.OptimizerConfig = merged(config.OptimizerConfig, r.OptimizersConfig)
	config.StrictModeConfig = merged(config.StrictModeConfig, r.StrictModeConfig)
	config.Metadata = annotated(config.Metadata, r.Metadata)
	return nil
}

// merged is a configuration with a difference.
func merged[T proto.Message](config, diff T) T {
	switch {
	case !diff.ProtoReflect().IsValid():
		return config
	case !config.ProtoReflect().IsValid():
		return diff
	}
	proto.Merge(config, diff)
	return config
}

// annotated merges metadata key by key; null removes a key, and stays where there was no
// metadata at all. https://github.com/qdrant/qdrant/pull/9907
func annotated(metadata, diff map[string]*qdrant.Value) map[string]*qdrant.Value {
	if len(metadata) == 0 {
		return diff
	}
	for key, v := range diff {
		if isNull(v) {
			delete(metadata, key)
		} else {
			metadata[key] = v
		}
	}
	return metadata
}
