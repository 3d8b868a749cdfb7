package kb

import (
	"context"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
)

// keptSentences is how many sentences' vectors are kept for the next question about the
// same passages: 1.5 kB each with 384 values, and some 10 ms to make.
const keptSentences = 8192

// A similarity compares a question with sentences.
type similarity struct {
	embedder Embedder
	vectors  *lru.Cache[string, []float32]
}

func newSimilarity(e Embedder) (*similarity, error) {
	vectors, err := lru.New[string, []float32](keptSentences)
	return &similarity{e, vectors}, err
}

// Similarity returns the cosine of text, as a question, with each of others, as
// passages. Without an embedder it returns nil and no error.
func (l *Library) Similarity(ctx context.Context, text string, others []string) ([]float64, error) {
	if l.alike == nil || len(others) == 0 {
		return nil, nil
	}
	query, err := l.cfg.Embedder.EmbedQuery(ctx, text)
	if err != nil {
		return nil, err
	}
	vectors, err := l.alike.embed(ctx, others)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(others))
	for i, v := range vectors {
		for j := range v {
			out[i] += float64(v[j]) * float64(query[j])
		}
	}
	return out, nil
}

// embed returns the vectors of texts, made or kept.
func (s *similarity) embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	var missing []string
	var at []int
	for i, text := range texts {
		v, ok := s.vectors.Get(text)
		if out[i] = v; !ok {
			missing, at = append(missing, text), append(at, i)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	made, err := s.embedder.EmbedPassages(ctx, missing)
	if err == nil && len(made) != len(missing) {
		err = fmt.Errorf("the embedder returned %d vectors for %d texts", len(made), len(missing))
	}
	if err != nil {
		return nil, err
	}
	for i, v := range made {
		out[at[i]] = v
		s.vectors.Add(missing[i], v)
	}
	return out, nil
}
