package qdranttest

import (
	"context"
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// UpdateAliases does its actions in order, and nobody sees what is between them. It is no
// transaction: where one is refused, those before it stay done.
// https://github.com/qdrant/qdrant/blob/v1.18.0/lib/storage/src/content_manager/toc/collection_meta_ops.rs
func (cs collections) UpdateAliases(_ context.Context, r *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	cs.s.mu.Lock()
	defer cs.s.mu.Unlock()
	for _, a := range r.Actions {
		if err := cs.s.alias(a); err != nil {
			return nil, err
		}
	}
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

func (s *Server) alias(a *qdrant.AliasOperations) error {
	switch v := a.GetAction().(type) {
	case *qdrant.AliasOperations_CreateAlias:
		return s.createAlias(v.CreateAlias.GetAliasName(), v.CreateAlias.GetCollectionName())
	case *qdrant.AliasOperations_DeleteAlias:
		delete(s.aliases, v.DeleteAlias.GetAliasName())
		return nil
	case *qdrant.AliasOperations_RenameAlias:
		return s.renameAlias(v.RenameAlias.GetOldAliasName(), v.RenameAlias.GetNewAliasName())
	}
	return status.Error(codes.InvalidArgument, "Malformed AliasOperation type")
}

// createAlias also turns an alias to another collection.
func (s *Server) createAlias(alias, name string) error {
	if s.collections[name] == nil {
		return missing(name)
	}
	if s.collections[alias] != nil {
		return taken(alias)
	}
	s.aliases[alias] = name
	return nil
}

func (s *Server) renameAlias(from, to string) error {
	target, ok := s.aliases[from]
	if !ok {
		return status.Errorf(codes.NotFound, "Not found: Alias %s does not exists!", from)
	}
	delete(s.aliases, from)
	s.aliases[to] = target
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
