// Package kbtest tests what package kb demands of those who fill its ports.
package kbtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"citebot/internal/kb"

	gocmp "github.com/google/go-cmp/cmp"
)

// Dim is the length of the vectors that the tests put.
const Dim = 64

// Tolerance is by how much a store's cosine may differ from the exact one: eight bits a
// value are enough.
const Tolerance = 0.01

// A Fresh makes an empty store and returns what opens it, again and again; with each
// opening, what is there is kept.
type Fresh func(t *testing.T) (open func() kb.VectorStore)

// VectorStore tests that a store does what [kb.VectorStore] promises.
func VectorStore(t *testing.T, fresh Fresh) {
	for _, test := range []struct {
		name string
		run  func(*fixture)
	}{
		{"empty", (*fixture).empty},
		{"nearest", (*fixture).nearest},
		{"replace", (*fixture).replace},
		{"filter", (*fixture).filter},
		{"delete", (*fixture).delete},
		{"ties", (*fixture).ties},
		{"wrong length", (*fixture).wrongLength},
		{"put again", (*fixture).putAgain},
		{"many", (*fixture).many},
		{"open again", (*fixture).openAgain},
		{"any sequence", (*fixture).anySequence},
		{"concurrent use", (*fixture).concurrent},
		{"cancelled", (*fixture).cancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			open := fresh(t)
			test.run(&fixture{T: t, open: open, store: open(), model: map[string]kb.Vector{}, rng: rand.New(rand.NewPCG(1, 2))})
		})
	}
}

// A fixture is a store with a model of what it should hold.
type fixture struct {
	*testing.T
	open  func() kb.VectorStore
	store kb.VectorStore
	model map[string]kb.Vector
	rng   *rand.Rand
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// Key is the key of the nth vector: 32 hexadecimal digits, as a passage's hash is.
func Key(n int) string { return fmt.Sprintf("%032x", n) }

// Random is a vector in a random direction.
func Random(rng *rand.Rand, key, audience string) kb.Vector {
	v := kb.Vector{Key: key, Path: "returns.md", Audience: audience, Values: make([]float32, Dim)}
	var sum float64
	for i := range v.Values {
		v.Values[i] = float32(rng.NormFloat64())
		sum += float64(v.Values[i]) * float64(v.Values[i])
	}
	for i := range v.Values {
		v.Values[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func (f *fixture) random(n int, audience string) kb.Vector { return Random(f.rng, Key(n), audience) }

func (f *fixture) put(vectors ...kb.Vector) {
	f.Helper()
	f.must(f.store.Put(f.Context(), vectors))
	for _, v := range vectors {
		f.model[v.Key] = v
	}
}

func (f *fixture) remove(keys ...string) {
	f.Helper()
	f.must(f.store.Delete(f.Context(), keys))
	for _, key := range keys {
		delete(f.model, key)
	}
}

// same checks that the store holds what the model holds, and finds it.
func (f *fixture) same() {
	f.Helper()
	keys, err := f.store.Keys(f.Context())
	f.must(err)
	slices.Sort(keys)
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(f.model)), append([]string(nil), keys...)); diff != "" {
		f.Fatalf("keys (-want +got):\n%s", diff)
	}
	for range 3 {
		f.finds(f.random(0, "").Values, 10, "public", "staff")
	}
}

// finds checks a search against exact arithmetic.
func (f *fixture) finds(query []float32, k int, audiences ...string) {
	f.Helper()
	got, err := f.store.Search(f.Context(), query, audiences, k)
	f.must(err)
	want := f.exact(query, k, audiences)
	if len(got) != len(want) {
		f.Fatalf("found %d, want %d", len(got), len(want))
	}
	if !slices.IsSortedFunc(got, inOrder) {
		f.Errorf("not by falling score and then key: %v", got)
	}
	for i, hit := range got {
		v, ok := f.model[hit.Key]
		switch {
		case !ok || !slices.Contains(audiences, v.Audience):
			f.Errorf("place %d: %s of %q, asked for %q", i, hit.Key, v.Audience, audiences)
		case math.Abs(hit.Score-dot(query, v.Values)) > Tolerance:
			f.Errorf("place %d: the score is %v, exactly %v", i, hit.Score, dot(query, v.Values))
		case math.Abs(hit.Score-want[i].Score) > Tolerance:
			f.Errorf("place %d: %v, want %v", i, hit, want[i])
		}
	}
}

func inOrder(a, b kb.Scored) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Key, b.Key))
}

func (f *fixture) exact(query []float32, k int, audiences []string) (all []kb.Scored) {
	for _, v := range f.model {
		if slices.Contains(audiences, v.Audience) {
			all = append(all, kb.Scored{Key: v.Key, Score: dot(query, v.Values)})
		}
	}
	slices.SortFunc(all, inOrder)
	return all[:min(k, len(all))]
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func (f *fixture) empty() {
	f.put()
	f.remove()
	f.remove(Key(1))
	f.same()
}

func (f *fixture) nearest() {
	f.put(f.random(1, "public"), f.random(2, "public"), f.random(3, "public"))
	f.same()
	got, err := f.store.Search(f.Context(), f.model[Key(2)].Values, []string{"public"}, 1)
	f.must(err)
	if len(got) != 1 || got[0].Key != Key(2) || math.Abs(got[0].Score-1) > Tolerance {
		f.Errorf("a vector's own search found %v", got)
	}
}

func (f *fixture) replace() {
	f.put(f.random(1, "public"), f.random(2, "public"))
	f.put(f.random(1, "staff"))
	f.same()
	f.finds(f.model[Key(1)].Values, 10, "staff")
	f.finds(f.model[Key(1)].Values, 10, "public")
}

func (f *fixture) filter() {
	for n := range 60 {
		f.put(f.random(n, []string{"public", "staff", "board room"}[n%3]))
	}
	for _, audiences := range [][]string{{"public"}, {"staff"}, {"public", "board room"}, {"nobody"}, {}, nil, {""}} {
		f.finds(f.random(0, "").Values, 25, audiences...)
	}
}

func (f *fixture) delete() {
	for n := range 20 {
		f.put(f.random(n, "public"))
	}
	f.remove(Key(3), Key(19), Key(77))
	f.same()
	f.remove(slices.Collect(maps.Keys(f.model))...)
	f.same()
}

// Vectors that are alike are told apart by their keys, however they came in.
func (f *fixture) ties() {
	v := f.random(0, "public")
	for _, n := range f.rng.Perm(12) {
		v.Key = Key(n)
		f.put(v)
	}
	f.remove(Key(5))
	got, err := f.store.Search(f.Context(), v.Values, []string{"public"}, 20)
	f.must(err)
	var keys []string
	for _, hit := range got {
		keys = append(keys, hit.Key)
	}
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(f.model)), keys); diff != "" {
		f.Errorf("order of ties (-want +got):\n%s", diff)
	}
}

// A vector of another length belongs to another model: it is refused, and a search for one
// finds nothing rather than anything.
func (f *fixture) wrongLength() {
	f.put(f.random(1, "public"))
	short := f.random(2, "public")
	short.Values = short.Values[:Dim-1]
	if err := f.store.Put(f.Context(), []kb.Vector{short}); err == nil {
		f.Error("a vector of another length was stored")
	}
	if hits, err := f.store.Search(f.Context(), short.Values, []string{"public"}, 1); err == nil {
		f.Errorf("a query of another length found %v", hits)
	}
	f.same()
}

// After an error one puts all of it again.
func (f *fixture) putAgain() {
	good, bad := f.random(1, "public"), f.random(2, "public")
	bad.Values = nil
	if err := f.store.Put(f.Context(), []kb.Vector{good, bad}); err == nil {
		f.Error("a vector without values was stored")
	}
	f.put(good, f.random(2, "public"))
	f.put(good, f.model[Key(2)])
	f.same()
}

func (f *fixture) many() {
	var vectors []kb.Vector
	for n := range 1500 {
		vectors = append(vectors, f.random(n, []string{"public", "staff"}[n%2]))
	}
	f.put(vectors...)
	f.same()
	f.finds(vectors[7].Values, 100, "staff")
	var keys []string
	for n := range 1200 {
		keys = append(keys, Key(n))
	}
	f.remove(keys...)
	f.same()
}

func (f *fixture) openAgain() {
	for n := range 30 {
		f.put(f.random(n, "public"))
	}
	f.store = f.open()
	f.same()
	f.remove(Key(4))
	f.put(f.random(30, "staff"))
	f.store = f.open()
	f.same()
}

// Whatever was put, replaced and deleted before, the store equals the model.
func (f *fixture) anySequence() {
	for range 120 {
		n := f.rng.IntN(40)
		switch f.rng.IntN(4) {
		case 0:
			f.remove(Key(n), Key(n+1))
		case 1:
			f.put(f.random(n, "staff"), f.random(n+50, "public"))
		default:
			f.put(f.random(n, "public"))
		}
	}
	f.same()
}

// Searches see whole vectors while others come and go.
func (f *fixture) concurrent() {
	fixed := f.random(1000, "public")
	f.put(fixed)
	var wg sync.WaitGroup
	for w := range 4 {
		rng := rand.New(rand.NewPCG(uint64(w), 9))
		wg.Go(func() {
			for i := range 25 {
				f.comeAndGo(Random(rng, Key(100*w+i), "public"), fixed)
			}
		})
	}
	wg.Wait()
	f.same()
}

func (f *fixture) comeAndGo(v, fixed kb.Vector) {
	if err := f.store.Put(f.Context(), []kb.Vector{v}); err != nil {
		f.Error(err)
	}
	got, err := f.store.Search(f.Context(), fixed.Values, []string{"public"}, 1)
	if err != nil || len(got) != 1 || got[0].Key != fixed.Key {
		f.Errorf("found %v (%v)", got, err)
	}
	if err := f.store.Delete(f.Context(), []string{v.Key}); err != nil {
		f.Error(err)
	}
}

// What was called off says so, and later calls work.
func (f *fixture) cancelled() {
	f.put(f.random(1, "public"))
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	if _, err := f.store.Search(ctx, f.random(0, "").Values, []string{"public"}, 1); err == nil {
		f.Error("a search that was called off ended well")
	}
	f.same()
}

// Agree tests that two stores, both empty, find the same on the same data.
func Agree(t *testing.T, a, b kb.VectorStore) {
	rng := rand.New(rand.NewPCG(3, 4))
	var vectors []kb.Vector
	for n := range 800 {
		vectors = append(vectors, Random(rng, Key(n), []string{"public", "staff"}[n%2]))
	}
	for _, store := range []kb.VectorStore{a, b} {
		if err := store.Put(t.Context(), vectors); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 40 {
		query := Random(rng, "", "").Values
		audiences := [][]string{{"public"}, {"staff"}, {"public", "staff"}}[n%3]
		left, err := a.Search(t.Context(), query, audiences, 20)
		if err != nil {
			t.Fatal(err)
		}
		right, err := b.Search(t.Context(), query, audiences, 20)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, left, right)
	}
}

// agree allows what tolerance allows: places change hands, and the last ones fall out.
func agree(t *testing.T, left, right []kb.Scored) {
	t.Helper()
	if len(left) != len(right) {
		t.Fatalf("one finds %d, the other %d", len(left), len(right))
	}
	scores := map[string]float64{}
	for _, hit := range right {
		scores[hit.Key] = hit.Score
	}
	for i, hit := range left {
		score, ok := scores[hit.Key]
		if !ok {
			score = right[len(right)-1].Score // it fell out, so it was no better than the last
		}
		if math.Abs(hit.Score-score) > 2*Tolerance || math.Abs(hit.Score-right[i].Score) > 2*Tolerance {
			t.Errorf("place %d: %v against %v, where %s has %v", i, hit, right[i], hit.Key, score)
		}
	}
}
