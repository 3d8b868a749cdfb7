package qdranttest

import (
	"maps"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// StrictMode is the strict mode of collections on a server with Options.Strict, unless they
// are created with their own: filters need indexes, pages and batches have 1000 points.
// https://qdrant.tech/documentation/guides/administration/#strict-mode
func StrictMode() *qdrant.StrictModeConfig {
	return &qdrant.StrictModeConfig{
		Enabled: proto.Bool(true), UnindexedFilteringRetrieve: proto.Bool(false), UnindexedFilteringUpdate: proto.Bool(false),
		MaxQueryLimit: proto.Uint32(1000), UpsertMaxBatchsize: proto.Uint64(1000),
	}
}

// strict is the strict mode in force; nil: none.
func (c *collection) strict() *qdrant.StrictModeConfig {
	if m := c.config.GetStrictModeConfig(); m.GetEnabled() {
		return m
	}
	return nil
}

// atMost refuses what is above a limit of strict mode; 0: there is none.
func atMost(n, limit uint64, what string) error {
	if limit == 0 || n <= limit {
		return nil
	}
	return status.Errorf(codes.InvalidArgument, "Bad request: Limit exceeded %d > %d for \"%s\". Help: Reduce the \"%s\" parameter to or below %d.", n, limit, what, what, limit)
}

// indexed holds the keys of a filter against the indexes. One without is complained of, and
// refused where strict mode forbids it.
func (s *Server) indexed(method string, c *collection, f *qdrant.Filter, allowed *bool) error {
	for _, need := range needs(f) {
		kind, ok := c.indexes[need.key]
		if ok && slices.Contains(need.kinds, kind) {
			continue
		}
		kinds := names(need.kinds)
		s.complain("%s: a filter on %s, which has no index of type %s", method, need.key, kinds)
		if allowed != nil && !*allowed {
			return status.Errorf(codes.InvalidArgument, "Bad request: Index required but not found for \"%s\" of one of the following types: [%s]. Help: Create an index for this key or use a different filter.", need.key, kinds)
		}
	}
	return nil
}

// A need is an index that a condition wants, of one of these kinds.
type need struct {
	key   string
	kinds []qdrant.PayloadSchemaType
}

func needs(f *qdrant.Filter) []need {
	var found []need
	for _, c := range slices.Concat(f.GetMust(), f.GetShould(), f.GetMustNot(), f.GetMinShould().GetConditions()) {
		switch v := c.GetConditionOneOf().(type) {
		case *qdrant.Condition_Filter:
			found = append(found, needs(v.Filter)...)
		case *qdrant.Condition_Field:
			found = append(found, need{v.Field.GetKey(), kinds(v.Field)})
		case *qdrant.Condition_IsEmpty:
			found = append(found, need{v.IsEmpty.GetKey(), anyKind()})
		case *qdrant.Condition_IsNull:
			found = append(found, need{v.IsNull.GetKey(), anyKind()})
		}
	}
	return slices.DeleteFunc(found, func(n need) bool { return len(n.kinds) == 0 })
}

func anyKind() []qdrant.PayloadSchemaType {
	var all []qdrant.PayloadSchemaType
	for _, n := range slices.Sorted(maps.Keys(qdrant.PayloadSchemaType_name))[1:] {
		all = append(all, qdrant.PayloadSchemaType(n))
	}
	return all
}

// kinds are the indexes that serve a condition. To match none of nothing needs no index.
func kinds(f *qdrant.FieldCondition) []qdrant.PayloadSchemaType {
	switch {
	case f.Range != nil:
		return []qdrant.PayloadSchemaType{qdrant.PayloadSchemaType_Float, qdrant.PayloadSchemaType_Integer}
	case f.Match == nil:
		return anyKind()
	}
	switch v := f.Match.GetMatchValue().(type) {
	case *qdrant.Match_Integer, *qdrant.Match_Integers, *qdrant.Match_ExceptIntegers:
		return []qdrant.PayloadSchemaType{qdrant.PayloadSchemaType_Integer}
	case *qdrant.Match_Boolean:
		return []qdrant.PayloadSchemaType{qdrant.PayloadSchemaType_Bool}
	case *qdrant.Match_Keywords:
		if len(v.Keywords.GetStrings()) == 0 {
			return nil
		}
	case *qdrant.Match_ExceptKeywords:
		if len(v.ExceptKeywords.GetStrings()) == 0 {
			return nil
		}
	}
	return []qdrant.PayloadSchemaType{qdrant.PayloadSchemaType_Keyword}
}

func names(kinds []qdrant.PayloadSchemaType) string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = strings.ToLower(k.String())
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
