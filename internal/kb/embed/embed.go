package embed

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// id names the model, its arithmetic and a revision. Stored vectors are keyed by it, so it
// must change whenever any text's vector changes by a bit; TestVectorsAreThoseOfID says when.
const id = "bge-small-en-v1.5/int8-a16/1"

// queryPrefix is what the model's authors put before questions, and only those.
const queryPrefix = "Represent this sentence for searching relevant passages: "

// A Model embeds text. It may be used concurrently.
type Model struct {
	tokenizer *tokenizer
	weights   *weights
	kernels   *kernels
	encoders  sync.Pool // of *encoder
}

// New checks the embedded weights and prepares the model, in some 10 ms. An error means
// that the binary is damaged.
func New() (*Model, error) {
	return newModel(fastest())
}

func newModel(k *kernels) (*Model, error) {
	w, err := loadWeights(weightsFile, vocabFile)
	if err != nil {
		return nil, err
	}
	t, err := newTokenizer(vocabFile)
	if err != nil {
		return nil, err
	}
	return &Model{tokenizer: t, weights: w, kernels: k}, nil
}

// ID names the model and how it computes. Vectors of the same ID and text are equal to the
// bit, on every machine; vectors of different IDs must not be compared.
func (m *Model) ID() string { return id }

// Dim is the length of every vector: 384.
func (m *Model) Dim() int { return width }

// EmbedPassages returns one vector of unit length per text, in order; text after the 510th
// token does not count. With an error, which is that of ctx, the vectors finished before it
// are present and the others are nil.
//
// It leaves one processor for EmbedQuery, if there is more than one.
func (m *Model) EmbedPassages(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	order := longestFirst(texts)
	var next atomic.Int64
	var workers errgroup.Group
	for range min(len(texts), max(1, runtime.GOMAXPROCS(0)-1)) {
		workers.Go(func() error {
			e := m.encoder()
			defer m.encoders.Put(e)
			for i := next.Add(1) - 1; i < int64(len(order)); i = next.Add(1) - 1 {
				var err error
				if vectors[order[i]], err = m.embed(ctx, e, "", texts[order[i]]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return vectors, workers.Wait()
}

// longestFirst returns the indexes of texts in the order in which to embed them: what takes
// longest first, so that the workers end together and buffers grow once.
func longestFirst(texts []string) []int {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(texts[b]), len(texts[a])) })
	return order
}

// EmbedQuery returns the vector of a question, of unit length. It computes in the caller,
// whatever EmbedPassages is busy with. The error is that of ctx.
func (m *Model) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	e := m.encoder()
	defer m.encoders.Put(e)
	return m.embed(ctx, e, queryPrefix, text)
}

func (m *Model) embed(ctx context.Context, e *encoder, prefix, text string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.ids = m.tokenizer.encode(e.ids, prefix, text)
	return e.encode(ctx)
}

func (m *Model) encoder() *encoder {
	if e, ok := m.encoders.Get().(*encoder); ok {
		return e
	}
	return &encoder{kernels: m.kernels, weights: m.weights}
}
