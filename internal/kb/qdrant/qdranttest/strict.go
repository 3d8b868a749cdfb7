package qdranttest

import (
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// StrictMode is the strict mode of collections on a server with Options.Strict, unless they
// are created with their own.
func StrictMode() *qdrant.StrictModeConfig {
	return &qdrant.StrictModeConfig{
		Enabled: proto.Bool(true), UnindexedFilteringRetrieve: proto.Bool(false), UnindexedFilteringUpdate: proto.Bool(false),
		MaxQueryLimit: proto.Uint32(1000), UpsertMaxBatchsize: proto.Uint64(1000),
	}
}

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
