package kb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// A vectorQueue brings passages to the vector store: from the cache at once, a few new
// ones while the reload waits, many in the background, newest first. What the store
// should hold and what it does hold is compared in vectorcheck.go.
type vectorQueue struct {
	embedder Embedder
	store    VectorStore
	cache    *vectorCache
	away     *away // nil for the store in this process, which is never away
	log      *slog.Logger
	wake     chan struct{} // one slot: there is something to do

	writing sync.Mutex // held while the store is written

	mu      sync.Mutex
	wanted  map[string]*Passage // by hash: what the manifest holds or is about to hold
	held    map[string]bool     // hashes of these whose vector is in the store
	queue   []*Passage          // without a vector; the last is the next
	ready   []embedded          // with a vector that the store lacks
	doomed  []string            // hashes that the store need not hold any longer
	spare   map[string]bool     // hashes that the store holds and nobody wants, or not yet
	seen    int                 // checks in a row that found more of it spare than wanted
	whole   bool                // all of the folder is in wanted: what is spare can go
	put     map[string]bool     // hashes put since the check under way began; nil: none is
	trouble error               // why texts do not become vectors
}

// An embedded passage has a vector: the values, or the cache's when those are nil. Values
// are those that the model made; the cache has rounded them.
type embedded struct {
	*Passage
	values []float32
}

func newVectorQueue(e Embedder, s VectorStore, c *vectorCache, log *slog.Logger) *vectorQueue {
	return &vectorQueue{embedder: e, store: s, cache: c, log: log, wake: make(chan struct{}, 1),
		wanted: map[string]*Passage{}, held: map[string]bool{}}
}

// restore wants what m holds. What the cache knows is put into a store of this process at
// once.
func (v *vectorQueue) restore(ctx context.Context, m *manifest) error {
	v.mu.Lock()
	maps.Copy(v.wanted, m.passages)
	v.mu.Unlock()
	v.enqueue(m.pick(slices.Collect(maps.Keys(m.passages))))
	var missing []*Passage
	for v.away == nil && !v.idle() {
		missing = append(missing, v.cached()...)
		if err := v.flush(ctx); err != nil {
			return err
		}
	}
	v.enqueue(missing)
	return nil
}

const (
	// inlineTexts is how many new texts a reload embeds before it is published. Up to here
	// the wait, some 75 ms a text, costs less than an answer that lacks half its evidence.
	inlineTexts = 4

	// inlineVectors is how many vectors a reload puts into a store elsewhere before it is
	// published, and inlineWithin how long it waits for that.
	inlineVectors = 64
	inlineWithin  = 2 * time.Second

	// stepTexts is how many passages one step embeds: enough to keep the workers busy, few
	// enough that an edit made meanwhile is next.
	stepTexts = 16

	// stepVectors is how many vectors one call puts.
	stepVectors = 256
)

// prepare gives passages that are about to be published their vectors, or queues them.
// Trouble is kept for later: lexical search does not wait for it.
func (v *vectorQueue) prepare(ctx context.Context, fresh []*Passage) {
	idle := v.idle()
	v.mu.Lock()
	for _, p := range fresh {
		v.wanted[p.Hash] = p
		if v.spare[p.Hash] {
			v.held[p.Hash] = true
			delete(v.spare, p.Hash)
		}
	}
	v.mu.Unlock()
	now, missing := v.known(fresh)
	if idle && len(missing) <= inlineTexts && v.failing() == nil {
		made, _ := v.embed(ctx, missing) // it is known to whom it concerns, and tried again
		now, missing = append(now, made...), without(missing, made)
	}
	v.arrive(now)
	if v.away == nil || len(now) <= inlineVectors {
		v.flushNow(ctx)
	}
	v.enqueue(missing)
	if v.waiting() > 0 {
		ring(v.wake)
	}
}

// flushNow puts what is ready, into a store elsewhere unless that is being written or away:
// a reload does not wait for one. What is not put now will be, in the background.
func (v *vectorQueue) flushNow(ctx context.Context) {
	if v.away == nil {
		_ = v.flush(ctx) // it is known to whom it concerns, and tried again
		return
	}
	if v.unreachable() == nil && v.away.refusal() == nil && v.writing.TryLock() {
		defer v.writing.Unlock()
		ctx, cancel := context.WithTimeout(ctx, inlineWithin)
		defer cancel()
		_ = v.putReady(ctx)
	}
}

// idle says whether everything is embedded.
func (v *vectorQueue) idle() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.queue) == 0
}

// known parts the passages that the store lacks into those whose vector is in the cache
// and the others.
func (v *vectorQueue) known(passages []*Passage) (cached []embedded, missing []*Passage) {
	for _, p := range passages {
		switch {
		case v.holds(p.Hash):
		case v.cache.has(textKey(p.indexText())):
			cached = append(cached, embedded{p, nil})
		default:
			missing = append(missing, p)
		}
	}
	return cached, missing
}

func (v *vectorQueue) holds(hash string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.held[hash]
}

// embed makes the vectors of passages. Those made before an error are kept, in the cache
// and in what is returned.
func (v *vectorQueue) embed(ctx context.Context, passages []*Passage) ([]embedded, error) {
	if len(passages) == 0 {
		return nil, nil
	}
	texts, keys := make([]string, len(passages)), make([]cacheKey, len(passages))
	for i, p := range passages {
		texts[i] = p.indexText()
		keys[i] = textKey(texts[i])
	}
	values, err := v.embedder.EmbedPassages(ctx, texts)
	if err == nil && len(values) != len(texts) {
		err = fmt.Errorf("the embedder returned %d vectors for %d texts", len(values), len(texts))
	}
	if ctx.Err() == nil {
		v.troubled(err)
	}
	var made []embedded
	for i, p := range passages[:min(len(passages), len(values))] {
		if values[i] != nil {
			made = append(made, embedded{p, values[i]})
		}
	}
	if len(values) != len(texts) {
		return made, err
	}
	return made, errors.Join(err, v.cache.put(keys, values))
}

// without lists the passages that were not made.
func without(passages []*Passage, made []embedded) []*Passage {
	has := map[*Passage]bool{}
	for _, e := range made {
		has[e.Passage] = true
	}
	return slices.DeleteFunc(passages, func(p *Passage) bool { return has[p] })
}

// vector is an embedded passage's vector, nil if the cache has lost it.
func (v *vectorQueue) vector(e embedded) []float32 {
	if e.values != nil {
		return e.values
	}
	return v.cache.get(textKey(e.indexText()))
}

// arrive makes passages ready to be put.
func (v *vectorQueue) arrive(passages []embedded) {
	if v.unreachable() != nil {
		v.lighten(passages)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ready = append(v.ready, passages...)
}

// lighten drops the values that the cache has, of passages that have to wait: they may be
// many.
func (v *vectorQueue) lighten(passages []embedded) {
	for i, e := range passages {
		if v.cache.has(textKey(e.indexText())) {
			passages[i].values = nil
		}
	}
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

// maxDoomed bounds what is remembered of what a store that is away need not hold any longer;
// beyond it the next check finds out.
const maxDoomed = 10000

// drop forgets passages that are no longer published. They leave a store of this process at
// once, lest they crowd out what there is, and another in the background.
func (v *vectorQueue) drop(ctx context.Context, hashes []string) error {
	v.mu.Lock()
	for _, h := range hashes {
		delete(v.wanted, h)
		delete(v.held, h)
	}
	v.doomed = append(v.doomed, hashes...)
	if v.away != nil {
		v.doomed = v.doomed[max(0, len(v.doomed)-maxDoomed):]
	}
	v.queue = slices.DeleteFunc(v.queue, func(p *Passage) bool { return v.wanted[p.Hash] == nil })
	v.ready = slices.DeleteFunc(v.ready, func(e embedded) bool { return v.wanted[e.Hash] == nil })
	v.mu.Unlock()
	if v.away == nil {
		return v.purge(ctx)
	}
	ring(v.wake)
	return nil
}

// reading says that a change of the folder is about to be read, and settle that all of it
// was: in between, what the store holds may be wanted in a moment. After the loss of the
// state folder that is all of it.
func (v *vectorQueue) reading() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.whole = false
}

func (v *vectorQueue) settle() {
	v.mu.Lock()
	v.whole = true
	n := v.discard()
	v.mu.Unlock()
	if n > 0 {
		ring(v.wake)
	}
}

// discard dooms what is spare, unless that is more than all that is wanted: then documents
// may only be elsewhere for the moment, and further checks have to find the same first. v.mu
// is held.
func (v *vectorQueue) discard() int {
	n := len(v.spare)
	if n > max(1, len(v.wanted)) && v.seen <= releaseAfter {
		return 0
	}
	v.doomed = append(v.doomed, slices.Sorted(maps.Keys(v.spare))...)
	v.spare = nil
	return n
}

// cached takes passages from the queue until there is enough to put, or to embed, and
// returns what is to be embedded.
func (v *vectorQueue) cached() (missing []*Passage) {
	var found []embedded
	for len(found) < stepVectors && len(missing) < stepTexts {
		p := v.next()
		if p == nil {
			break
		}
		c, m := v.known([]*Passage{p})
		found, missing = append(found, c...), append(missing, m...)
	}
	v.arrive(found)
	return missing
}

// next takes one passage from the queue.
func (v *vectorQueue) next() *Passage {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := len(v.queue) - 1
	if last < 0 {
		return nil
	}
	p := v.queue[last]
	v.queue = v.queue[:last]
	return p
}

// step embeds some of the queue, brings the store nearer to what it should hold, and says
// whether there is more to do now. A write takes within at most; 0: as long as the store
// allows.
func (v *vectorQueue) step(ctx context.Context, within time.Duration) (more bool, err error) {
	missing := v.cached()
	made, err := v.embed(ctx, missing)
	v.arrive(made)
	if err != nil {
		v.enqueue(without(missing, made))
	}
	if v.unreachable() != nil { // what was made is in the cache, and waits
		return !v.idle(), err
	}
	if within > 0 {
		limited, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		ctx = limited
	}
	// What is put may take the place of what is deleted, so that goes first.
	wrote := v.purge(ctx)
	if wrote == nil || errors.Is(wrote, ErrNotWriter) {
		wrote = errors.Join(wrote, v.flush(ctx))
	}
	err = errors.Join(err, wrote)
	return !v.idle() || err == nil && v.waiting() > 0, err
}

// flush puts what is ready.
func (v *vectorQueue) flush(ctx context.Context) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	return v.putReady(ctx)
}

// putReady puts what is ready, in calls of bounded size. What the store does not take
// stays ready.
func (v *vectorQueue) putReady(ctx context.Context) error {
	for {
		batch := v.takeReady(stepVectors)
		if len(batch) == 0 {
			return nil
		}
		vectors := make([]Vector, 0, len(batch))
		for _, e := range batch {
			if values := v.vector(e); values != nil {
				vectors = append(vectors, Vector{Key: e.Hash, Path: e.Path, Audience: e.Audience, Values: values})
			} else {
				v.enqueue([]*Passage{e.Passage}) // the cache has lost it: it is embedded again
			}
		}
		if err := v.wrote(v.store.Put(ctx, vectors)); err != nil {
			v.lighten(batch)
			v.arrive(batch)
			return err
		}
		v.stored(vectors)
	}
}

// takeReady takes what is ready, still wanted and not in the store.
func (v *vectorQueue) takeReady(n int) (batch []embedded) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, e := range v.ready {
		if v.wanted[e.Hash] != nil && !v.held[e.Hash] {
			batch = append(batch, e)
		}
		if len(batch) == n || i == len(v.ready)-1 {
			v.ready = slices.Delete(v.ready, 0, i+1)
			break
		}
	}
	return batch
}

// stored notes what the store holds now, and dooms what nobody wants any more.
func (v *vectorQueue) stored(vectors []Vector) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, x := range vectors {
		if v.wanted[x.Key] == nil {
			v.doomed = append(v.doomed, x.Key)
			continue
		}
		v.held[x.Key] = true
		if v.put != nil {
			v.put[x.Key] = true
		}
	}
}

// purge deletes what is doomed.
func (v *vectorQueue) purge(ctx context.Context) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	v.mu.Lock()
	doomed := slices.DeleteFunc(v.doomed, func(hash string) bool { return v.wanted[hash] != nil })
	v.doomed = nil
	v.mu.Unlock()
	if len(doomed) == 0 {
		return nil
	}
	err := v.wrote(v.store.Delete(ctx, doomed))
	if err != nil && v.away == nil { // in a store elsewhere, the next check finds it
		v.mu.Lock()
		v.doomed = append(v.doomed, doomed...)
		v.mu.Unlock()
	}
	return err
}

// waiting is how many vectors wait to be put or deleted.
func (v *vectorQueue) waiting() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.ready) + len(v.doomed)
}

// retryVectors is how long the queue rests after trouble.
const retryVectors = 5 * time.Second

// run empties the queue, again and again, until ctx ends.
func (v *vectorQueue) run(ctx context.Context) {
	for ctx.Err() == nil {
		v.rest(ctx, v.turn(ctx))
	}
}

// A pause is how long to do nothing.
type pause struct {
	least time.Duration // whatever comes
	most  time.Duration // unless something comes; 0: for ever
}

// turn does a step, after a check of the store where one is due, and says how long to
// rest.
func (v *vectorQueue) turn(ctx context.Context) pause {
	v.checkIfDue(ctx)
	more, err := v.step(ctx, 0)
	if v.away != nil {
		v.away.stepped(err, v.missing())
	}
	switch {
	case errors.Is(err, ErrNotWriter):
		return v.away.untilWritten()
	case err != nil && v.away != nil && v.away.refusal() != nil:
		return pause{least: v.away.retry()}
	case err != nil:
		return pause{least: retryVectors}
	case more:
		return pause{least: time.Nanosecond}
	}
	return pause{most: v.away.untilCheck()}
}

func (v *vectorQueue) rest(ctx context.Context, p pause) {
	wake, after := v.wake, p.least
	if p.least > 0 {
		wake = nil
	} else {
		after = p.most
	}
	var timer <-chan time.Time
	if after > 0 {
		timer = time.After(after)
	}
	select {
	case <-ctx.Done():
	case <-timer:
	case <-wake:
	}
}

// syncWithin is how long a command that ends after one answer waits for a store elsewhere.
const syncWithin = 4 * time.Second

// sync empties the queue once. A store that is away, refuses what it is given or is written
// by another bot is no error: searches do without it, or make up for it.
func (v *vectorQueue) sync(ctx context.Context, report func()) error {
	within, cancel := context.WithTimeout(ctx, syncWithin)
	defer cancel()
	v.checkIfDue(within)
	for v.unreachable() == nil {
		more, err := v.step(ctx, v.away.patience())
		report()
		if errors.Is(err, ErrNotWriter) || v.away != nil && v.away.refusal() != nil {
			return ctx.Err()
		}
		if err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// troubled notes the outcome of the last call to the embedder.
func (v *vectorQueue) troubled(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trouble = err
}

// failing says why vectors are behind or not searched; nil: they are fine.
func (v *vectorQueue) failing() error {
	v.mu.Lock()
	trouble := v.trouble
	v.mu.Unlock()
	return cmp.Or(trouble, v.mistrusted())
}

// missing is how many published passages have no vector yet.
func (v *vectorQueue) missing() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.wanted) - len(v.held)
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
