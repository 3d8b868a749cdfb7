package kb

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
)

// MemoryVectors is the VectorStore without a server: an exact scan over one contiguous
// matrix of int8 values with a scale a row. A Library fills it from its vector cache at
// start, so it needs no file of its own.
type MemoryVectors struct {
	dim int

	mu        sync.RWMutex
	rows      map[string]int // by key
	keys      []string       // by row
	values    []int8         // row-major, dim a row
	scales    []float32      // by row: value = int8 × scale
	audience  []uint16       // by row: index into audiences
	audiences []string
}

// NewMemoryVectors returns an empty store for vectors of dim values, at most 2,064.
func NewMemoryVectors(dim int) *MemoryVectors {
	return &MemoryVectors{dim: dim, rows: map[string]int{}}
}

// Put implements VectorStore.
func (m *MemoryVectors) Put(_ context.Context, vectors []Vector) error {
	for _, v := range vectors {
		if len(v.Values) != m.dim {
			return fmt.Errorf("vector %s has %d values, the store holds vectors of %d", v.Key, len(v.Values), m.dim)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range vectors {
		m.put(v)
	}
	return nil
}

func (m *MemoryVectors) put(v Vector) {
	row, ok := m.rows[v.Key]
	if !ok {
		row = len(m.keys)
		m.rows[v.Key] = row
		m.keys = append(m.keys, v.Key)
		m.values = append(m.values, make([]int8, m.dim)...)
		m.scales = append(m.scales, 0)
		m.audience = append(m.audience, 0)
	}
	m.scales[row] = quantise(m.values[row*m.dim:][:m.dim], v.Values)
	m.audience[row] = m.audienceID(v.Audience)
}

func (m *MemoryVectors) audienceID(name string) uint16 {
	i := slices.Index(m.audiences, name)
	if i < 0 {
		i = len(m.audiences)
		m.audiences = append(m.audiences, name)
	}
	return uint16(i)
}

// Delete implements VectorStore: the last row takes the place of the deleted one.
func (m *MemoryVectors) Delete(_ context.Context, keys []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		row, ok := m.rows[key]
		if !ok {
			continue
		}
		last := len(m.keys) - 1
		copy(m.values[row*m.dim:][:m.dim], m.values[last*m.dim:])
		m.keys[row], m.scales[row], m.audience[row] = m.keys[last], m.scales[last], m.audience[last]
		m.rows[m.keys[row]] = row
		delete(m.rows, key)
		m.keys, m.scales, m.audience = m.keys[:last], m.scales[:last], m.audience[:last]
		m.values = m.values[:last*m.dim]
	}
	return nil
}

// Keys implements VectorStore.
func (m *MemoryVectors) Keys(context.Context) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.keys), nil
}

// scanRows is how many rows one kernel call covers: enough to hide the call, few enough
// for their products to stay in the first-level cache.
const scanRows = 256

// Search implements VectorStore. It reads the matrix once.
func (m *MemoryVectors) Search(ctx context.Context, vector []float32, audiences []string, k int) ([]Scored, error) {
	if len(vector) != m.dim {
		return nil, fmt.Errorf("the query has %d values, the store holds vectors of %d", len(vector), m.dim)
	}
	query, scale := quantiseQuery(vector)
	m.mu.RLock()
	defer m.mu.RUnlock()
	allowed := make([]bool, len(m.audiences))
	for i, a := range m.audiences {
		allowed[i] = slices.Contains(audiences, a)
	}
	best := topK{k: k}
	var products [scanRows]int32
	for from := 0; from < len(m.keys); from += scanRows {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out := products[:min(scanRows, len(m.keys)-from)]
		dotRows(out, m.values[from*m.dim:], query)
		for i, p := range out {
			if row := from + i; allowed[m.audience[row]] {
				best.offer(row, float64(p)*float64(m.scales[row]))
			}
		}
	}
	return m.scored(best.heap, float64(scale)), nil
}

func (m *MemoryVectors) scored(best []ranked, scale float64) []Scored {
	out := make([]Scored, len(best))
	for i, b := range best {
		out[i] = Scored{m.keys[b.row], b.score * scale}
	}
	slices.SortFunc(out, compareScored)
	return out
}

// quantise writes v as int8 to out, symmetric about zero, and returns the scale.
func quantise(out []int8, v []float32) float32 {
	scale := maxAbs(v) / math.MaxInt8
	if scale == 0 {
		clear(out)
		return 0
	}
	for i, x := range v {
		out[i] = int8(math.RoundToEven(float64(x / scale)))
	}
	return scale
}

// quantiseQuery returns v as int16 with its scale, so that a row's inner product with it
// stays within an int32: dim × 127 × limit < 2³¹.
func quantiseQuery(v []float32) ([]int16, float32) {
	limit := float32(min(8191, math.MaxInt32/(127*len(v))))
	out := make([]int16, len(v))
	scale := maxAbs(v) / limit
	if scale == 0 {
		return out, 0
	}
	for i, x := range v {
		out[i] = int16(math.RoundToEven(float64(x / scale)))
	}
	return out, scale
}

func maxAbs(v []float32) float32 {
	var m float32
	for _, x := range v {
		m = max(m, x, -x)
	}
	return m
}

// topK keeps the k best of the rows it is offered, in a heap with the worst on top.
type topK struct {
	k    int
	heap []ranked
}

type ranked struct {
	row   int
	score float64
}

func (t *topK) offer(row int, score float64) {
	if len(t.heap) < t.k {
		t.heap = append(t.heap, ranked{row, score})
		for i := len(t.heap) - 1; i > 0 && t.heap[i].score < t.heap[(i-1)/2].score; i = (i - 1) / 2 {
			t.heap[i], t.heap[(i-1)/2] = t.heap[(i-1)/2], t.heap[i]
		}
		return
	}
	if t.k == 0 || score <= t.heap[0].score {
		return
	}
	t.heap[0] = ranked{row, score}
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(t.heap); c++ {
			if t.heap[c].score < t.heap[least].score {
				least = c
			}
		}
		if least == i {
			return
		}
		t.heap[i], t.heap[least] = t.heap[least], t.heap[i]
		i = least
	}
}

// sorted empties the heap, best first; equal scores by row.
func (t *topK) sorted() []ranked {
	slices.SortFunc(t.heap, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row))
	})
	return t.heap
}
