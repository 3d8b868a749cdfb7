package kb

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDotRowsEqualsPlainGo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{1, 7, 16, 32, 33, 64, 384, 1024} {
		for _, n := range []int{0, 1, 3, scanRows} {
			rows, query := make([]int8, n*dim), make([]int16, dim)
			for i := range rows {
				rows[i] = int8(rng.IntN(256) - 128)
			}
			for i := range query {
				query[i] = int16(rng.IntN(2*8191) - 8191)
			}
			want, got := make([]int32, n), make([]int32, n)
			dotRowsGo(want, rows, query)
			dotRows(got, rows, query)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("dim %d, %d rows: %s", dim, n, diff)
			}
		}
	}
}

// The quantised scan must rank as exact arithmetic does, up to what eight bits can tell
// apart, whatever was put, replaced and deleted before.
func TestMemoryVectorsFindTheNearest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := NewMemoryVectors(64)
	live := map[string]Vector{}
	for i := range 2000 {
		key := string(rune('a' + rng.IntN(26)))
		key += string(rune('a' + rng.IntN(26)))
		if i%5 == 4 {
			must(t, m.Delete(t.Context(), []string{key}))
			delete(live, key)
			continue
		}
		live[key] = Vector{Key: key, Audience: []string{"public", "staff"}[rng.IntN(2)], Values: randomUnit(rng, 64)}
		must(t, m.Put(t.Context(), []Vector{live[key]}))
	}
	keys, _ := m.Keys(t.Context())
	if len(keys) != len(live) {
		t.Fatalf("%d keys, want %d", len(keys), len(live))
	}
	for range 20 {
		query := randomUnit(rng, 64)
		got, err := m.Search(t.Context(), query, []string{"staff"}, 10)
		must(t, err)
		want := nearest(live, query, "staff", 10)
		for i := range want {
			if math.Abs(got[i].Score-want[i].Score) > 0.01 || live[got[i].Key].Audience != "staff" {
				t.Fatalf("place %d: got %v, want %v", i, got[i], want[i])
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func randomUnit(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	normalise(v)
	return v
}

func nearest(live map[string]Vector, query []float32, audience string, k int) []Scored {
	var all []Scored
	for _, v := range live {
		if v.Audience != audience {
			continue
		}
		var dot float64
		for i := range query {
			dot += float64(query[i]) * float64(v.Values[i])
		}
		all = append(all, Scored{v.Key, dot})
	}
	slices.SortFunc(all, func(a, b Scored) int { return int(math.Copysign(1, b.Score-a.Score)) })
	return all[:min(k, len(all))]
}

func TestMemoryVectorsUnderConcurrentUpdate(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	m := NewMemoryVectors(32)
	fixed := randomUnit(rng, 32)
	must(t, m.Put(t.Context(), []Vector{{Key: "fixed", Audience: "public", Values: fixed}}))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				key := string(rune('a'+w)) + string(rune('a'+i%20))
				_ = m.Put(t.Context(), []Vector{{Key: key, Audience: "public", Values: make([]float32, 32)}})
				_ = m.Delete(t.Context(), []string{key})
				if got, err := m.Search(t.Context(), fixed, []string{"public"}, 1); err != nil || len(got) != 1 || got[0].Key != "fixed" {
					t.Errorf("search found %v (%v)", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestVectorCacheSurvivesReopenAndDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	path := filepath.Join(t.TempDir(), "vectors.cache")
	open := func(model string) (*vectorCache, error) {
		c, why, err := openVectorCache(path, model, 32)
		must(t, err)
		return c, why
	}
	c, _ := open("m")
	keys := []cacheKey{textKey("a"), textKey("b"), textKey("c")}
	vectors := [][]float32{randomUnit(rng, 32), randomUnit(rng, 32), nil}
	must(t, c.put(keys, vectors))
	must(t, c.close())

	c, why := open("m")
	if why != nil || c.get(keys[2]) != nil {
		t.Fatalf("reopened: %v, or a vector that was never put", why)
	}
	for i := range 2 {
		for j, x := range c.get(keys[i]) {
			if math.Abs(float64(x-vectors[i][j])) > 1e-4 {
				t.Fatalf("vector %d differs at %d: %v, want %v", i, j, x, vectors[i][j])
			}
		}
	}
	must(t, c.close())

	data, err := os.ReadFile(path)
	must(t, err)
	data[cacheHeader+40] ^= 1                                             // damage the first record
	must(t, os.WriteFile(path, data[:len(data)-3], 0o600))                // tear the second
	if c, _ = open("m"); c.get(keys[0]) != nil || c.get(keys[1]) != nil { // both are simply not there
		t.Error("a damaged record was believed")
	}
	must(t, c.put(keys[:1], vectors[:1]))
	must(t, c.close())
	if c, _ = open("m"); c.get(keys[0]) == nil {
		t.Error("a record put after a torn one is lost")
	}
	must(t, c.close())
	if c, why = open("other"); why == nil || c.get(keys[0]) != nil {
		t.Error("another model's vectors were believed")
	}
	must(t, c.close())
}

func TestVectorCacheCompacts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vectors.cache")
	c, _, err := openVectorCache(path, "m", 8)
	must(t, err)
	defer c.close()
	wanted := map[cacheKey]bool{}
	for i := range 2000 {
		key := textKey(string(rune(i)))
		if i < 10 {
			wanted[key] = true
		}
		must(t, c.put([]cacheKey{key}, [][]float32{{float32(i + 1), 0, 0, 0, 0, 0, 0, 0}}))
	}
	must(t, c.compact(wanted))
	if info, err := os.Stat(path); err != nil || info.Size() != cacheHeader+10*c.recordSize() {
		t.Fatalf("compacted to %v (%v)", info.Size(), err)
	}
	for i := range 10 {
		if v := c.get(textKey(string(rune(i)))); v == nil || math.Abs(float64(v[0])-float64(i+1)) > 1e-3 {
			t.Errorf("vector %d is %v", i, v)
		}
	}
}
