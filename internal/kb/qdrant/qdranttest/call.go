package qdranttest

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Methods, as [Mischief.Method], [Call.Method] and [Server.Calls] name them.
const (
	HealthCheck           = "Qdrant/HealthCheck"
	CollectionExists      = "Collections/CollectionExists"
	GetCollection         = "Collections/Get"
	ListCollections       = "Collections/List"
	CreateCollection      = "Collections/Create"
	UpdateCollection      = "Collections/Update"
	DeleteCollection      = "Collections/Delete"
	UpdateAliases         = "Collections/UpdateAliases"
	ListAliases           = "Collections/ListAliases"
	ListCollectionAliases = "Collections/ListCollectionAliases"
	CreateFieldIndex      = "Points/CreateFieldIndex"
	Upsert                = "Points/Upsert"
	Delete                = "Points/Delete"
	Get                   = "Points/Get"
	Scroll                = "Points/Scroll"
	Count                 = "Points/Count"
	Query                 = "Points/Query"
	Search                = "Points/Search"
)

// A Call is one that arrived, whatever became of it.
type Call struct {
	Method  string
	Timeout time.Duration // until the client's deadline; 0: it has none
	Request proto.Message
}

// intercept stands before every method: it writes the call down, lets in who may, and does
// what mischief there is.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	message, _ := req.(proto.Message)
	method := short(info.FullMethod)
	s.arrive(ctx, method, message)
	s.ring()
	if err := s.admit(ctx, method); err != nil {
		return nil, err
	}
	if err := s.hold(ctx); err != nil {
		return nil, err
	}
	if err := check(message); err != nil {
		return nil, s.refused(method, err)
	}
	return s.perform(ctx, s.take(method), message, handler)
}

func (s *Server) arrive(ctx context.Context, method string, req proto.Message) {
	c := Call{Method: method, Request: req}
	deadline, ok := ctx.Deadline()
	if ok {
		c.Timeout = time.Until(deadline)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok {
		s.complain("%s: the call has no deadline", method)
	}
	s.counts[method]++
	if !s.options.CountOnly {
		s.calls = append(s.calls, c)
	}
}

func (s *Server) refused(method string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complain("%s: %s", method, status.Convert(err).Message())
	return err
}

// admit wants the key of every call but the health check.
func (s *Server) admit(ctx context.Context, method string) error {
	if s.options.APIKey == "" || method == HealthCheck {
		return nil
	}
	key := presented(ctx)
	if subtle.ConstantTimeCompare([]byte(key), []byte(s.options.APIKey)) == 1 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if key == "" {
		s.complain("%s: the call has no api-key", method)
		return status.Error(codes.Unauthenticated, "Must provide an API key or an Authorization bearer token")
	}
	return status.Error(codes.Unauthenticated, "Invalid API key or JWT")
}

func presented(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if keys := md.Get("api-key"); len(keys) > 0 {
		return keys[0]
	}
	if bearers := md.Get("authorization"); len(bearers) > 0 {
		return strings.TrimPrefix(bearers[0], "Bearer ")
	}
	return ""
}

// Calls is how many calls of a method arrived; "" counts all.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if method != "" {
		return s.counts[method]
	}
	n := 0
	for _, c := range s.counts {
		n += c
	}
	return n
}

// Log is every call that arrived, in order; none with Options.CountOnly.
func (s *Server) Log() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Requests are the requests of one type that arrived, in order, such as
// Requests[*qdrant.UpsertPoints](s). They must not be changed.
func Requests[T proto.Message](s *Server) []T {
	var found []T
	for _, c := range s.Log() {
		if r, ok := c.Request.(T); ok {
			found = append(found, r)
		}
	}
	return found
}

// Complaints are the rules that the client broke, in order, whether refused or not.
func (s *Server) Complaints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.complaints)
}
