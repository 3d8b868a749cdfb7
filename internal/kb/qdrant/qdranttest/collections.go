package qdranttest

import (
	"context"
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

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

func (c *collection) info() *qdrant.CollectionInfo {
	n := uint64(len(c.points))
	return &qdrant.CollectionInfo{
		Status: qdrant.CollectionStatus_Green, OptimizerStatus: &qdrant.OptimizerStatus{Ok: true}, SegmentsCount: 2,
		Config: proto.CloneOf(c.config), PayloadSchema: c.schema(), PointsCount: &n, IndexedVectorsCount: proto.Uint64(0),
	}
}

func (c *collection) schema() map[string]*qdrant.PayloadSchemaInfo {
	schema := map[string]*qdrant.PayloadSchemaInfo{}
	for key, kind := range c.indexes {
		n := uint64(0)
		for _, p := range c.points {
			if len(values(p.payload, key)) > 0 {
				n++
			}
		}
		schema[key] = &qdrant.PayloadSchemaInfo{DataType: kind, Points: &n}
	}
	return schema
}

func (cs collections) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	list := &qdrant.ListCollectionsResponse{}
	for _, name := range cs.s.Collections() {
		list.Collections = append(list.Collections, &qdrant.CollectionDescription{Name: name})
	}
	return list, nil
}

func (cs collections) Create(_ context.Context, r *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	params := r.GetVectorsConfig().GetParams()
	if params.GetSize() == 0 {
		return nil, status.Error(codes.Unimplemented, "qdranttest: only collections of one unnamed vector")
	}
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	if cs.s.taken(r.CollectionName) {
		return nil, status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", r.CollectionName)
	}
	cs.s.collections[r.CollectionName] = cs.s.newCollection(r)
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

func (s *Server) taken(name string) bool {
	_, alias := s.aliases[name]
	return alias || s.collections[name] != nil
}

func (s *Server) newCollection(r *qdrant.CreateCollection) *collection {
	r = proto.CloneOf(r)
	strict := r.StrictModeConfig
	if strict == nil && s.options.Strict {
		strict = StrictMode()
	}
	return &collection{
		params: r.VectorsConfig.GetParams(), indexes: map[string]qdrant.PayloadSchemaType{}, points: map[id]*point{},
		config: &qdrant.CollectionConfig{
			Params: &qdrant.CollectionParams{
				ShardNumber: 1, OnDiskPayload: r.GetOnDiskPayload(), VectorsConfig: r.VectorsConfig,
				ReplicationFactor: proto.Uint32(1), WriteConsistencyFactor: proto.Uint32(1),
			},
			HnswConfig: hnsw(r.HnswConfig), OptimizerConfig: r.OptimizersConfig, WalConfig: r.WalConfig,
			QuantizationConfig: r.QuantizationConfig, StrictModeConfig: strict, Metadata: r.Metadata,
		},
	}
}

// hnsw fills in what the request left out, with the defaults of the server's configuration.
// https://qdrant.tech/documentation/guides/configuration/
func hnsw(asked *qdrant.HnswConfigDiff) *qdrant.HnswConfigDiff {
	c := &qdrant.HnswConfigDiff{
		M: proto.Uint64(16), EfConstruct: proto.Uint64(100), FullScanThreshold: proto.Uint64(10000),
		MaxIndexingThreads: proto.Uint64(0), OnDisk: proto.Bool(false),
	}
	proto.Merge(c, asked)
	return c
}

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
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	c, err := cs.s.find(r.CollectionName)
	if err != nil {
		return nil, err
	}
	if c.config.Metadata == nil {
		c.config.Metadata = map[string]*qdrant.Value{}
	}
	maps.Copy(c.config.Metadata, proto.CloneOf(r).Metadata)
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

// UpdateAliases does all actions or none.
func (cs collections) UpdateAliases(_ context.Context, r *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	before := maps.Clone(cs.s.aliases)
	for _, a := range r.Actions {
		if err := cs.s.alias(a); err != nil {
			cs.s.aliases = before
			return nil, err
		}
	}
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

func (s *Server) alias(a *qdrant.AliasOperations) error {
	switch v := a.GetAction().(type) {
	case *qdrant.AliasOperations_CreateAlias:
		return s.createAlias(v.CreateAlias.AliasName, v.CreateAlias.CollectionName)
	case *qdrant.AliasOperations_DeleteAlias:
		delete(s.aliases, v.DeleteAlias.AliasName)
	case *qdrant.AliasOperations_RenameAlias:
		target, ok := s.aliases[v.RenameAlias.OldAliasName]
		if !ok {
			return status.Errorf(codes.NotFound, "Not found: Alias %s does not exists!", v.RenameAlias.OldAliasName)
		}
		delete(s.aliases, v.RenameAlias.OldAliasName)
		s.aliases[v.RenameAlias.NewAliasName] = target
	default:
		return status.Error(codes.InvalidArgument, "Malformed AliasOperation type")
	}
	return nil
}

func (s *Server) createAlias(alias, name string) error {
	if s.collections[name] == nil {
		return missing(name)
	}
	if s.collections[alias] != nil {
		return status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", alias)
	}
	s.aliases[alias] = name
	return nil
}

func (cs collections) ListAliases(context.Context, *qdrant.ListAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	return cs.s.listAliases(""), nil
}

func (cs collections) ListCollectionAliases(_ context.Context, r *qdrant.ListCollectionAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	if cs.s.collections[r.CollectionName] == nil {
		return nil, missing(r.CollectionName)
	}
	return cs.s.listAliases(r.CollectionName), nil
}

// listAliases lists those of a collection; "" all.
func (s *Server) listAliases(name string) *qdrant.ListAliasesResponse {
	list := &qdrant.ListAliasesResponse{}
	for _, alias := range slices.Sorted(maps.Keys(s.aliases)) {
		if target := s.aliases[alias]; name == "" || name == target {
			list.Aliases = append(list.Aliases, &qdrant.AliasDescription{AliasName: alias, CollectionName: target})
		}
	}
	return list
}
