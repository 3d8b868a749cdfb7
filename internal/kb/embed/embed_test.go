package embed

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestReference compares with the float32 model under onnxruntime. Of the distance from 1,
// nearly all is the rounding of the weights: the float32 model with these int8 weights has
// mean 0.99977 and minimum 0.99930.
func TestReference(t *testing.T) {
	if fastest() == &plain && testing.Short() {
		t.Skip("takes minutes without AVX2")
	}
	m := newTestModel(t, fastest())
	texts := readTexts(t, "testdata/texts.jsonl")
	reference := readVectors(t, len(texts))
	got, err := m.EmbedPassages(t.Context(), passages(texts))
	if err != nil {
		t.Fatal(err)
	}
	sum, least := 0.0, 1.0
	for i := range got {
		cosine := dot(got[i], reference[i][:])
		sum, least = sum+cosine, min(least, cosine)
		if cosine < 0.9992 {
			t.Errorf("cosine %.5f for %.60q", cosine, texts[i].Text)
		}
	}
	mean := sum / float64(len(got))
	t.Logf("%d texts: cosine mean %.6f, minimum %.6f", len(got), mean, least)
	if len(got) < 80 || mean < 0.9997 {
		t.Errorf("mean cosine %.6f over %d texts, want 0.9997 over 80", mean, len(got))
	}
}

func passages(texts []testText) []string {
	p := make([]string, len(texts))
	for i, text := range texts {
		p[i] = text.Text
	}
	return p
}

// someTexts fill partial and whole tiles, one block and more than one.
var someTexts = []string{
	"",
	"refund",
	"Can I bring my dog to the office on Fridays?",
	"返品は何日以内ですか? 🎉 naïve café",
	strings.Repeat("Items may be returned within 30 days of delivery. ", 5),
	strings.Repeat("Receipts are required for every expense. ", 7),
}

func TestSameBitsOnEveryPath(t *testing.T) {
	want, err := newTestModel(t, &plain).EmbedPassages(t.Context(), someTexts)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kernelSets()[1:] {
		got, err := newTestModel(t, k).EmbedPassages(t.Context(), someTexts)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-plain +%s):\n%s", k.name, diff)
		}
	}
}

// TestVectorsAreThoseOfID fails when vectors change, on whatever machine. If that was
// intended, give id a new revision, then put the sum from the message here.
func TestVectorsAreThoseOfID(t *testing.T) {
	const wantID, wantSum = "bge-small-en-v1.5/int8-a16/1", "875a14f8cba2d34f"
	m := newTestModel(t, fastest())
	vectors, err := m.EmbedPassages(t.Context(), someTexts)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, v := range vectors {
		if err := binary.Write(h, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	if sum := fmt.Sprintf("%x", h.Sum(nil)[:8]); m.ID() != wantID || sum != wantSum {
		t.Errorf("ID %s with vectors %s, want %s with %s", m.ID(), sum, wantID, wantSum)
	}
}

// A vector depends on nothing but its text: not on its neighbours, not on what the buffers
// held before.
func TestBatchDoesNotMatter(t *testing.T) {
	m := newTestModel(t, fastest())
	together, err := m.EmbedPassages(t.Context(), someTexts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range slices.Backward(someTexts) {
		alone, err := m.EmbedPassages(t.Context(), someTexts[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alone[0], together[i]); diff != "" {
			t.Errorf("%.40q (-alone +together):\n%s", someTexts[i], diff)
		}
	}
}

func TestQueryHasPrefix(t *testing.T) {
	m := newTestModel(t, fastest())
	const question = "Who approves expenses over $5,000?"
	query, err := m.EmbedQuery(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	both, err := m.EmbedPassages(t.Context(), []string{question, queryPrefix + question})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(both[1], query); diff != "" {
		t.Errorf("(-passage with prefix +query):\n%s", diff)
	}
	if cmp.Equal(both[0], query) {
		t.Error("the prefix changes nothing")
	}
}

func TestRanking(t *testing.T) {
	m := newTestModel(t, fastest())
	docs := []string{
		"Hotel costs are reimbursed up to $220 per night.",
		"Dogs are welcome on the second floor on Fridays.",
		"Passwords must contain at least 14 characters.",
	}
	vectors, err := m.EmbedPassages(t.Context(), docs)
	if err != nil {
		t.Fatal(err)
	}
	for want, question := range []string{"how much may I spend on lodging?", "may I bring my pet to work?", "login security rules"} {
		q, err := m.EmbedQuery(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range vectors {
			if i != want && dot(q, v) >= dot(q, vectors[want]) {
				t.Errorf("%q is nearer to %q than to %q", question, docs[i], docs[want])
			}
		}
	}
}

func TestVectorsHaveUnitLength(t *testing.T) {
	m := newTestModel(t, fastest())
	vectors, err := m.EmbedPassages(t.Context(), someTexts)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vectors {
		if len(v) != m.Dim() || math.Abs(dot(v, v)-1) > 1e-6 {
			t.Errorf("%.40q: %d values, squared length %g", someTexts[i], len(v), dot(v, v))
		}
	}
}

func TestNoTexts(t *testing.T) {
	vectors, err := newTestModel(t, fastest()).EmbedPassages(t.Context(), nil)
	if len(vectors) != 0 || err != nil {
		t.Errorf("%d vectors, error %v", len(vectors), err)
	}
}

// A countdown is a context that ends at its n-th look, so that a test can cut an
// embedding at any layer without waiting.
type countdown struct {
	context.Context
	left atomic.Int64
}

func newCountdown(ctx context.Context, n int64) *countdown {
	c := &countdown{Context: ctx}
	c.left.Store(n)
	return c
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestCancelKeepsWhatIsFinished(t *testing.T) {
	m := newTestModel(t, fastest())
	all, err := m.EmbedPassages(t.Context(), someTexts)
	if err != nil {
		t.Fatal(err)
	}
	const looks = layers + 1 // of one text
	for _, n := range []int64{0, 1, looks, 3*looks + 5, int64(len(someTexts)) * looks} {
		got, err := m.EmbedPassages(newCountdown(t.Context(), n), someTexts)
		finished := 0
		for i, v := range got {
			if v == nil {
				continue
			}
			finished++
			if diff := cmp.Diff(all[i], v); diff != "" {
				t.Errorf("after %d looks, text %d (-whole +cut):\n%s", n, i, diff)
			}
		}
		complete := finished == len(someTexts)
		if complete && err != nil || !complete && !errors.Is(err, context.Canceled) {
			t.Errorf("after %d looks, %d of %d finished: error %v", n, finished, len(someTexts), err)
		}
		if len(got) != len(someTexts) || int64(finished) > n/looks {
			t.Errorf("after %d looks, %d of %d finished", n, finished, len(got))
		}
	}
}

func TestCancelledQuery(t *testing.T) {
	m := newTestModel(t, fastest())
	for _, n := range []int64{0, 1, layers} {
		if v, err := m.EmbedQuery(newCountdown(t.Context(), n), "refund"); v != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("after %d looks: vector of %d, error %v", n, len(v), err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	m := newTestModel(t, fastest())
	want, err := m.EmbedPassages(t.Context(), someTexts)
	if err != nil {
		t.Fatal(err)
	}
	wantQuery, err := m.EmbedQuery(t.Context(), someTexts[2])
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			got, err := m.EmbedPassages(t.Context(), someTexts)
			if err != nil || !cmp.Equal(want, got) {
				t.Errorf("passages differ under load, or error %v", err)
			}
		})
		callers.Go(func() {
			got, err := m.EmbedQuery(t.Context(), someTexts[2])
			if err != nil || !cmp.Equal(wantQuery, got) {
				t.Errorf("query differs under load, or error %v", err)
			}
		})
	}
	callers.Wait()
}

// In a steady state an embedding allocates its result and the few words the tokenizer holds.
func TestAllocations(t *testing.T) {
	m := newTestModel(t, fastest())
	e := m.encoder()
	for _, text := range []string{someTexts[2], someTexts[4]} {
		allocs := testing.AllocsPerRun(5, func() {
			if _, err := m.embed(t.Context(), e, "", text); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 16 {
			t.Errorf("%.0f allocations for %.40q", allocs, text)
		}
	}
}
