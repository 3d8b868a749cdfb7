package qdranttest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// check refuses what Qdrant refuses before it looks at its data. The bounds are those of the
// attributes in https://github.com/qdrant/qdrant/blob/v1.18.0/lib/api/build.rs.
func check(req proto.Message) error {
	if r, ok := req.(interface{ GetCollectionName() string }); ok {
		if n := utf8.RuneCountInString(r.GetCollectionName()); n < 1 || n > 255 {
			return invalid("collection_name: value invalid, must be from 1 to 255 characters")
		}
	}
	switch r := req.(type) {
	case *qdrant.CreateCollection:
		return checkCreate(r)
	case *qdrant.UpdateCollection:
		return first(checkHNSW(r.HnswConfig), checkScalar(r.GetQuantizationConfig().GetScalar()), positive("timeout", r.Timeout))
	case *qdrant.DeleteCollection:
		return positive("timeout", r.Timeout)
	case *qdrant.ChangeAliases:
		return positive("timeout", r.Timeout)
	case *qdrant.CreateFieldIndexCollection:
		if r.FieldName == "" {
			return invalid("field_name: value \"\" invalid, must be at least 1 character")
		}
	case *qdrant.ScrollPoints:
		return positive("limit", r.Limit)
	case *qdrant.QueryPoints:
		return first(positive("limit", r.Limit), positive("timeout", r.Timeout), checkParams(r.Params))
	case *qdrant.SearchPoints:
		return first(positive("limit", &r.Limit), positive("timeout", r.Timeout), checkParams(r.Params))
	}
	return nil
}

// notInNames are the characters that a new collection's name may not have.
const notInNames = "<>:\"/\\|?*\x00\x1f"

func checkCreate(r *qdrant.CreateCollection) error {
	if i := strings.IndexAny(r.CollectionName, notInNames); i >= 0 {
		return invalid("collection_name: collection name cannot contain \"%c\" char", r.CollectionName[i])
	}
	v := r.GetVectorsConfig().GetParams()
	if v != nil && (v.Size < 1 || v.Size > 65536) {
		return invalid("vectors_config.config.params.size: value %d invalid, must be from 1 to 65536", v.Size)
	}
	if v != nil && (v.Distance <= qdrant.Distance_UnknownDistance || v.Distance > qdrant.Distance_Manhattan) {
		return status.Error(codes.InvalidArgument, "Unknown distance")
	}
	return first(checkHNSW(r.HnswConfig), checkHNSW(v.GetHnswConfig()), checkScalar(r.GetQuantizationConfig().GetScalar()),
		checkScalar(v.GetQuantizationConfig().GetScalar()), positive("shard_number", r.ShardNumber),
		positive("replication_factor", r.ReplicationFactor), positive("write_consistency_factor", r.WriteConsistencyFactor))
}

func checkHNSW(c *qdrant.HnswConfigDiff) error {
	if c != nil && c.EfConstruct != nil && *c.EfConstruct < 4 {
		return invalid("hnsw_config.ef_construct: value %d invalid, must be 4 or larger", *c.EfConstruct)
	}
	return nil
}

func checkScalar(q *qdrant.ScalarQuantization) error {
	if q == nil {
		return nil
	}
	if q.Type != qdrant.QuantizationType_Int8 {
		return status.Error(codes.InvalidArgument, "Unknown quantization type")
	}
	if q.Quantile != nil && (*q.Quantile < 0.5 || *q.Quantile > 1) {
		return invalid("quantization_config.quantization.scalar.quantile: value %v invalid, must be from 0.5 to 1.0", *q.Quantile)
	}
	return nil
}

func checkParams(p *qdrant.SearchParams) error {
	q := p.GetQuantization()
	if q != nil && q.Oversampling != nil && *q.Oversampling < 1 {
		return invalid("params.quantization.oversampling: value %v invalid, must be 1.0 or larger", *q.Oversampling)
	}
	return nil
}

// positive refuses 0 where there is a value.
func positive[T uint32 | uint64](field string, n *T) error {
	if n != nil && *n == 0 {
		return invalid("%s: value 0 invalid, must be 1 or larger", field)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return status.Error(codes.InvalidArgument, "Validation error in body: ["+fmt.Sprintf(format, args...)+"]")
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
