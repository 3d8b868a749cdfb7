package kb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A vectorQueue brings passages to the vector store: from the cache at once, a few new
// ones while the reload waits, many in the background, newest first.
type vectorQueue struct {
	embedder Embedder
	store    VectorStore
	cache    *vectorCache
	wake     chan struct{} // one slot: there is something to embed

	mu      sync.Mutex
	wanted  map[string]bool // hashes that the manifest holds or is about to hold
	held    map[string]bool // hashes whose vector is in the store
	queue   []*Passage      // without a vector; the last is the next
	trouble error           // why vectors are behind or not searched
}

func newVectorQueue(e Embedder, s VectorStore, c *vectorCache) *vectorQueue {
	return &vectorQueue{embedder: e, store: s, cache: c, wake: make(chan struct{}, 1),
		wanted: map[string]bool{}, held: map[string]bool{}}
}

// restore makes the store hold what m holds, as far as the cache knows it, and queues
// the rest.
func (v *vectorQueue) restore(ctx context.Context, m *manifest) error {
	keys, err := v.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("vector store: %w", err)
	}
	var extra []string
	v.mu.Lock()
	for _, key := range keys {
		if m.passages[key] != nil {
			v.held[key] = true
		} else {
			extra = append(extra, key)
		}
	}
	v.mu.Unlock()
	if err := v.store.Delete(ctx, extra); err != nil {
		return fmt.Errorf("vector store: %w", err)
	}
	all := make([]string, 0, len(m.passages))
	for hash := range m.passages {
		all = append(all, hash)
	}
	v.enqueue(v.fromCache(ctx, m.pick(all)))
	return nil
}

// inlineTexts is how many new texts a reload embeds before it is published. Up to here
// the wait, some 75 ms a text, costs less than an answer that lacks half its evidence.
const inlineTexts = 4

// prepare gives passages that are about to be published their vectors, or queues them.
// Trouble is kept for later: lexical search does not wait for it.
func (v *vectorQueue) prepare(ctx context.Context, fresh []*Passage) {
	missing := v.fromCache(ctx, fresh)
	if len(missing) <= inlineTexts && v.failing() == nil && v.idle() {
		if v.fill(ctx, missing) == nil {
			return
		}
	}
	v.enqueue(missing)
}

func (v *vectorQueue) idle() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.queue) == 0
}

// fromCache stores the vectors that the cache has and returns the passages it lacks.
func (v *vectorQueue) fromCache(ctx context.Context, passages []*Passage) []*Passage {
	var found []*Passage
	var vectors [][]float32
	var missing []*Passage
	v.mu.Lock()
	for _, p := range passages {
		v.wanted[p.Hash] = true
	}
	v.mu.Unlock()
	for _, p := range passages {
		if v.holds(p.Hash) {
			continue
		}
		if values := v.cache.get(textKey(p.indexText())); values != nil {
			found, vectors = append(found, p), append(vectors, values)
		} else {
			missing = append(missing, p)
		}
	}
	if err := v.put(ctx, found, vectors); err != nil {
		missing = append(missing, found...)
	}
	return missing
}

func (v *vectorQueue) holds(hash string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held[hash]
}

// put writes vectors to the store and takes back those that are no longer wanted.
func (v *vectorQueue) put(ctx context.Context, passages []*Passage, values [][]float32) error {
	if len(passages) == 0 {
		return nil
	}
	vectors := make([]Vector, len(passages))
	for i, p := range passages {
		vectors[i] = Vector{Key: p.Hash, Audience: p.Audience, Values: values[i]}
	}
	err := v.store.Put(ctx, vectors)
	v.fail(err)
	if err != nil {
		return err
	}
	var stale []string
	v.mu.Lock()
	for _, p := range passages {
		if v.wanted[p.Hash] {
			v.held[p.Hash] = true
		} else {
			stale = append(stale, p.Hash)
		}
	}
	v.mu.Unlock()
	return v.store.Delete(ctx, stale)
}

// fill embeds passages, remembers their vectors and stores them. Vectors that were made
// before an error are kept.
func (v *vectorQueue) fill(ctx context.Context, passages []*Passage) error {
	if len(passages) == 0 {
		return nil
	}
	texts, keys := make([]string, len(passages)), make([]cacheKey, len(passages))
	for i, p := range passages {
		texts[i] = p.indexText()
		keys[i] = textKey(texts[i])
	}
	values, err := v.embedder.EmbedPassages(ctx, texts)
	if err != nil && ctx.Err() == nil {
		v.fail(err)
	}
	if len(values) != len(texts) {
		return errors.Join(err, fmt.Errorf("the embedder returned %d vectors for %d texts", len(values), len(texts)))
	}
	var done []*Passage
	var vectors [][]float32
	for i, p := range passages {
		if values[i] != nil {
			done, vectors = append(done, p), append(vectors, values[i])
		}
	}
	return errors.Join(err, v.cache.put(keys, values), v.put(context.WithoutCancel(ctx), done, vectors))
}

// drop forgets passages that are no longer published.
func (v *vectorQueue) drop(ctx context.Context, hashes []string) error {
	v.mu.Lock()
	for _, h := range hashes {
		delete(v.wanted, h)
		delete(v.held, h)
	}
	v.queue = slices.DeleteFunc(v.queue, func(p *Passage) bool { return !v.wanted[p.Hash] })
	v.mu.Unlock()
	return v.store.Delete(ctx, hashes)
}

func (v *vectorQueue) enqueue(passages []*Passage) {
	if len(passages) == 0 {
		return
	}
	v.mu.Lock()
	reversed := slices.Clone(passages)
	slices.Reverse(reversed)
	v.queue = append(v.queue, reversed...)
	v.mu.Unlock()
	ring(v.wake)
}

// stepTexts is how many passages one step embeds: enough to keep the workers busy, few
// enough that an edit made meanwhile is next.
const stepTexts = 16

// step embeds some of the queue and says whether there is more.
func (v *vectorQueue) step(ctx context.Context) (more bool, err error) {
	v.mu.Lock()
	cut := max(0, len(v.queue)-stepTexts)
	batch := slices.Clone(v.queue[cut:])
	v.queue = v.queue[:cut]
	v.mu.Unlock()
	missing := v.fromCache(ctx, batch)
	err = v.fill(ctx, missing)
	if err != nil {
		missing = slices.DeleteFunc(missing, func(p *Passage) bool { return v.holds(p.Hash) })
		v.enqueue(missing)
	}
	return !v.idle(), err
}

// run empties the queue, again and again, until ctx ends.
func (v *vectorQueue) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := time.Duration(0)
		if more, err := v.step(ctx); err != nil {
			pause = retryVectors
		} else if more {
			continue
		}
		if !v.sleep(ctx, pause) {
			return
		}
	}
}

// retryVectors is how long the queue rests after trouble.
const retryVectors = 5 * time.Second

// sleep waits for work, or for the pause if there is one, and says whether to go on.
func (v *vectorQueue) sleep(ctx context.Context, pause time.Duration) bool {
	if pause > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
			return true
		}
	}
	select {
	case <-ctx.Done():
		return false
	case <-v.wake:
		return true
	}
}

// fail notes the outcome of the last call to the embedder or the store.
func (v *vectorQueue) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trouble = err
}

func (v *vectorQueue) failing() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.trouble
}

// missing is how many published passages have no vector yet.
func (v *vectorQueue) missing() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return max(0, len(v.wanted)-len(v.held))
}

// behind says whether more than a tenth of the passages have no vector yet, and more than
// a reload embeds by itself.
func (v *vectorQueue) behind() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	missing := len(v.wanted) - len(v.held)
	return missing > inlineTexts && 10*missing > len(v.wanted)
}

func (v *vectorQueue) holdsAll(passages []*Passage) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range passages {
		if !v.held[p.Hash] {
			return false
		}
	}
	return true
}

// keysOf lists the cache's keys of the passages of m.
func (v *vectorQueue) keysOf(m *manifest) map[cacheKey]bool {
	keys := make(map[cacheKey]bool, len(m.passages))
	for _, p := range m.passages {
		keys[textKey(p.indexText())] = true
	}
	return keys
}
