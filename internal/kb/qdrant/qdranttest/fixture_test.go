package qdranttest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dial is a client of an address with one connection; keys are those of calls, pem trusts.
func dial(t testing.TB, address, key string, pem []byte) *qdrant.Client {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	config := &qdrant.Config{
		Host: u.Hostname(), Port: port, APIKey: key, UseTLS: u.Scheme == "https", SkipCompatibilityCheck: true, PoolSize: 1,
	}
	if pem != nil {
		config.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
		config.TLSConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	c, err := qdrant.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// within is a context with a deadline that a loaded machine does not reach.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// begin is a server with a collection "c" of two dimensions, and a client.
func begin(t testing.TB, options Options) (*Server, *qdrant.Client) {
	t.Helper()
	s := New(t, options)
	c := dial(t, s.URL(), options.APIKey, s.CA())
	create(t, c, "c", 2)
	return s, c
}

func create(t testing.TB, c *qdrant.Client, name string, dim uint64) {
	t.Helper()
	err := c.CreateCollection(within(t), &qdrant.CreateCollection{
		CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dim, Distance: qdrant.Distance_Cosine}),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// uuid is the id of point n.
func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

func numbered(n int, payload map[string]any) *qdrant.PointStruct {
	return &qdrant.PointStruct{Id: qdrant.NewIDUUID(uuid(n)), Vectors: qdrant.NewVectorsDense([]float32{1, 0}), Payload: qdrant.NewValueMap(payload)}
}

func upsert(list ...*qdrant.PointStruct) *qdrant.UpsertPoints {
	return &qdrant.UpsertPoints{CollectionName: "c", Wait: qdrant.PtrOf(true), Points: list}
}

func put(t testing.TB, c *qdrant.Client, list ...*qdrant.PointStruct) {
	t.Helper()
	if _, err := c.Upsert(within(t), upsert(list...)); err != nil {
		t.Fatal(err)
	}
}

func must(conditions ...*qdrant.Condition) *qdrant.Filter { return &qdrant.Filter{Must: conditions} }

func code(err error) codes.Code { return status.Code(rootOf(err)) }

// rootOf is the status below the client's wrapping.
func rootOf(err error) error {
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	return err
}
