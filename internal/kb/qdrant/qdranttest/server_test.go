package qdranttest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

func TestHealth(t *testing.T) {
	for _, version := range []string{"", "1.9.0"} {
		s := New(t, Options{Version: version, APIKey: "a key that a health check needs not"})
		reply, err := dial(t, s.URL(), "", nil).HealthCheck(within(t))
		if want := map[bool]string{true: "1.18.2", false: version}[version == ""]; err != nil || reply.GetVersion() != want {
			t.Errorf("%v, %v; want version %s", reply, err, want)
		}
	}
}

func TestKey(t *testing.T) {
	s := New(t, Options{APIKey: "right", TLS: true})
	for key, want := range map[string]string{
		"right": "",
		"wrong": "Invalid API key or JWT",
		"":      "Must provide an API key or an Authorization bearer token",
	} {
		_, err := dial(t, s.URL(), key, s.CA()).ListCollections(within(t))
		if want == "" && err != nil || want != "" && (code(err) != codes.Unauthenticated || !contains(err.Error(), want)) {
			t.Errorf("key %q: %v, want %q", key, err, want)
		}
	}
}

func TestUntrusted(t *testing.T) {
	s := New(t, Options{TLS: true})
	other := New(t, Options{TLS: true})
	for name, c := range map[string]*qdrant.Client{
		"another authority": dial(t, s.URL(), "", other.CA()),
		"no TLS":            dial(t, "http://"+s.Addr(), "", nil),
	} {
		if _, err := c.ListCollections(within(t)); code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongPort(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	for address, want := range map[string]codes.Code{NewREST(t): codes.Unavailable, NewSilent(t): codes.DeadlineExceeded} {
		deadline := ctx
		if want == codes.Unavailable {
			deadline = within(t)
		}
		_, err := dial(t, address, "", nil).HealthCheck(deadline)
		t.Log(err)
		if code(err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func TestComplaints(t *testing.T) {
	s, c := begin(t, Options{})
	if got := s.Complaints(); len(got) > 0 {
		t.Errorf("of a good client: %q", got)
	}
	_, _ = c.Count(context.Background(), &qdrant.CountPoints{CollectionName: "c", Filter: must(qdrant.NewMatchKeyword("doc", "a"))})
	_, _ = c.Upsert(within(t), &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{numbered(1, nil)}})
	_, _ = c.Delete(within(t), &qdrant.DeletePoints{CollectionName: "d", Wait: qdrant.PtrOf(true)})
	_, _ = c.Query(within(t), &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDense([]float32{1})})
	_, _ = c.Scroll(within(t), &qdrant.ScrollPoints{CollectionName: "c", Limit: qdrant.PtrOf(uint32(0))})
	want := []string{
		"Points/Count: the call has no deadline",
		"Points/Count: a filter on doc, which has no index of type keyword",
		"Points/Upsert: wait is not set",
		"Points/Delete: there is no collection d",
		"Points/Query: a vector of 1 numbers, where the collection has 2",
		"Points/Scroll: Validation error in body: [limit: value 0 invalid, must be 1 or larger]",
	}
	if diff := cmp.Diff(want, s.Complaints()); diff != "" {
		t.Error(diff)
	}
}

// Not over the network, which takes seconds under the race detector.
func TestLargeRequest(t *testing.T) {
	s, _ := begin(t, Options{})
	large := upsert(numbered(1, map[string]any{"text": string(make([]byte, largest))}))
	if _, err := (points{s: s}).Upsert(within(t), large); err != nil {
		t.Error(err)
	}
	if got := s.Complaints(); len(got) != 1 || !contains(got[0], "Points/Upsert: a request of 335") {
		t.Errorf("complaints: %q", got)
	}
}

func TestRequests(t *testing.T) {
	s, c := begin(t, Options{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if _, err := c.Upsert(ctx, upsert(numbered(1, nil))); err != nil {
		t.Fatal(err)
	}
	sent := Requests[*qdrant.UpsertPoints](s)
	if len(sent) != 1 || sent[0].Points[0].Id.GetUuid() != uuid(1) {
		t.Errorf("upserts that arrived: %v", sent)
	}
	log := s.Log()
	if log[0].Method != CreateCollection || log[1].Method != Upsert || log[1].Timeout < 50*time.Minute || s.Calls("") != 2 {
		t.Errorf("calls that arrived: %v", log)
	}
}

func knock(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
