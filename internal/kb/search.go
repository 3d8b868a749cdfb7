package kb

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// A Query asks for passages.
type Query struct {
	Text      string   // the question as it stands now; it dominates
	Context   []Clue   // what was said before, oldest first
	Audiences []string // a passage is found only if its audience is one of these
	Limit     int      // number of hits; 0 means 10
}

// A Clue is earlier text of the conversation and how much it counts beside the
// question's own 1.
type Clue struct {
	Text   string
	Weight float64
}

// A Leg is a hit's place in one of the two rankings; Rank 0 means it is not there.
type Leg struct {
	Rank  int     `json:"rank"`
	Score float64 `json:"score"`
}

// A Hit is one or more neighbouring passages of one section.
type Hit struct {
	Passages []*Passage // in reading order, never empty
	Best     int        // index of the passage that the ranks belong to
	Score    float64    // fused, 0 to 1
	BM25     Leg
	Vector   Leg      // Score is a cosine
	Coverage float64  // idf-weighted share of the question's terms that the hit contains, 0 to 1
	Matched  []string // those terms as the question spells them
}

// Results is what a search found.
type Results struct {
	Hits     []Hit
	Degraded []string // parts that did not take part, for example "vectors"
	Took     time.Duration
}

// An Embedder turns text into vectors of unit length.
type Embedder interface {
	// ID names model and mode; vectors of different IDs must never be compared.
	ID() string
	// Dim is the length of every vector.
	Dim() int
	// EmbedPassages returns one vector per text, in order. With an error, vectors that
	// were finished before it are present and the others are nil.
	EmbedPassages(ctx context.Context, texts []string) ([][]float32, error)
	// EmbedQuery embeds a question, at once, whatever EmbedPassages is busy with.
	EmbedQuery(ctx context.Context, text string) ([]float32, error)
}

// A VectorStore finds the nearest of many vectors, each with a key and an audience.
// Its methods may be called concurrently; a Search sees each vector whole or not at all.
// Package kbtest tests what is promised here.
//
// A store may be shared: other programs read it, and one writes it. To the others Put and
// Delete return [ErrNotWriter].
type VectorStore interface {
	// Put adds vectors or replaces those with the same key. After an error some may be
	// stored and others not; to put all of them again is right.
	Put(ctx context.Context, vectors []Vector) error
	// Delete forgets the keys; unknown ones are no error.
	Delete(ctx context.Context, keys []string) error
	// Search returns at most k keys of the given audiences by falling cosine, equal ones
	// by key. Which of several equals come last within k is not defined. What cannot be a
	// vector that was put may be among them.
	Search(ctx context.Context, vector []float32, audiences []string, k int) ([]Scored, error)
	// Keys lists what is stored, so that it can be compared with the manifest. What cannot
	// be a vector that was put has a key that no vector has; Delete takes that, too.
	Keys(ctx context.Context) ([]string, error)
}

// ErrNotWriter says that a vector store is written by another program.
var ErrNotWriter = errors.New("another bot writes the vectors")

// A Vector is one entry of a VectorStore.
type Vector struct {
	Key      string // a Passage.Hash
	Path     string // of the document
	Audience string
	Values   []float32 // unit length
}

// A Scored is a key with its score in one ranking.
type Scored struct {
	Key   string
	Score float64
}

func compareScored(a, b Scored) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Key, b.Key))
}
