package qdrant

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/qdrant/qdranttest"

	"github.com/qdrant/go-client/qdrant"
)

// The benchmarks have vectors of the built-in model's length, and a server that keeps them in
// a map and compares each: they measure what is on the way, not Qdrant.
const (
	benchDim = 384
	benchK   = 100 // as many as a search of package kb asks for
)

// benchVectors are n vectors of random directions, in batches as package kb puts them.
func benchVectors(n int) [][]kb.Vector {
	rng := rand.New(rand.NewPCG(1, 2))
	all := make([]kb.Vector, n)
	for i := range all {
		all[i] = kb.Vector{Key: fmt.Sprintf("%032x", i), Path: fmt.Sprintf("policies/doc%d.md", i/20), Audience: "public", Values: make([]float32, benchDim)}
		for j := range all[i].Values {
			all[i].Values[j] = float32(rng.NormFloat64()) / 20 // the length is about 1
		}
	}
	return slices.Collect(slices.Chunk(all, batchPoints))
}

// bench is a store on a server that does not write down what it is asked.
func bench(b *testing.B) (*qdranttest.Server, *Store) {
	server := qdranttest.New(b, qdranttest.Options{CountOnly: true})
	return server, opened(b, Config{URL: server.URL(), Model: "bench/1", Dim: benchDim})
}

func putAll(b *testing.B, s kb.VectorStore, batches [][]kb.Vector) {
	for _, batch := range batches {
		if err := s.Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPut puts 10,000 vectors again and again, in Qdrant and in this process.
func BenchmarkPut(b *testing.B) {
	batches := benchVectors(10_000)
	_, far := bench(b)
	for _, store := range []struct {
		name string
		kb.VectorStore
	}{{"Qdrant", far}, {"memory", kb.NewMemoryVectors(benchDim)}} {
		b.Run(store.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				putAll(b, store, batches)
				n += 10_000
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "points/s")
		})
	}
}

// BenchmarkSearch compares a search with the client's bare call of the same query, and reports
// both medians and their difference. The exact search of 100,000 in this process is beside it.
func BenchmarkSearch(b *testing.B) {
	b.Run("Qdrant", func(b *testing.B) {
		server, s := bench(b)
		batches := benchVectors(2 * benchK) // the fewer, the more of the time is ours
		putAll(b, s, batches)
		query := batches[0][0].Values
		bare := bareQuery(b, server, query)
		var ours, theirs []time.Duration
		for b.Loop() {
			theirs = append(theirs, timed(b, bare))
			ours = append(ours, timed(b, func() (int, error) {
				hits, err := s.Search(b.Context(), query, []string{"public"}, benchK)
				return len(hits), err
			}))
		}
		b.ReportMetric(millis(ours), "search-ms")
		b.ReportMetric(millis(theirs), "bare-ms")
		b.ReportMetric(millis(ours)-millis(theirs), "overhead-ms")
	})
	b.Run("memory", func(b *testing.B) {
		m := kb.NewMemoryVectors(benchDim)
		batches := benchVectors(100_000)
		putAll(b, m, batches)
		var took []time.Duration
		for b.Loop() {
			took = append(took, timed(b, func() (int, error) {
				hits, err := m.Search(b.Context(), batches[0][0].Values, []string{"public"}, benchK)
				return len(hits), err
			}))
		}
		b.ReportMetric(millis(took), "search-ms")
	})
}

// bareQuery is the query of a search, through a client of the library's own making.
func bareQuery(b *testing.B, server *qdranttest.Server, vector []float32) func() (int, error) {
	host, port, _, err := splitURL(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	client, err := qdrant.NewClient(&qdrant.Config{Host: host, Port: port, SkipCompatibilityCheck: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	request := &qdrant.QueryPoints{
		CollectionName: CollectionName("bench/1", benchDim),
		Query:          qdrant.NewQueryDense(vector),
		Filter:         &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeywords(fieldAudience, "public")}},
		Limit:          qdrant.PtrOf(uint64(benchK)),
		WithPayload:    qdrant.NewWithPayloadInclude(fieldHash),
	}
	return func() (int, error) {
		hits, err := client.Query(b.Context(), request)
		return len(hits), err
	}
}

// timed is how long a search took, which must find as many as it may.
func timed(b *testing.B, search func() (int, error)) time.Duration {
	begun := time.Now()
	n, err := search()
	took := time.Since(begun)
	if err != nil || n != benchK {
		b.Fatalf("found %d: %v", n, err)
	}
	return took
}

// millis is the median.
func millis(took []time.Duration) float64 {
	slices.Sort(took)
	return float64(took[len(took)/2].Microseconds()) / 1000
}
