package kb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// An away is how a store in another process is: it can be unreachable, and be other than
// it was left. So what it holds is compared with what it should hold at the start, after
// each failure, and now and then.
type away struct {
	every time.Duration // between checks of a store that is well
	again time.Duration // before the next check while another bot has to write what is missing

	mu      sync.Mutex
	why     error // the store is not used because of this; nil: it is
	due     time.Time
	took    time.Duration // the last check
	backoff *backoff.ExponentialBackOff
	reads   bool      // another bot writes
	other   int       // strangers at the last check
	follows time.Time // since when another bot has to write what is missing; zero: nothing waits for one
}

// errUnchecked is why a store is not used before the first check.
var errUnchecked = errors.New("the vector store was not reached yet")

func newAway(every time.Duration) *away {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 500*time.Millisecond, 10*time.Second
	return &away{every: every, again: 2 * time.Second, why: errUnchecked, backoff: b}
}

// pause is how long to wait before the next check of a store that was not there.
func (a *away) pause() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.backoff.NextBackOff()
}

// untilWritten is how long to rest before a look at whether another bot has written what
// is missing. One that has not for a while will hardly do so now.
func (a *away) untilWritten() pause {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.follows.IsZero() || time.Since(a.follows) > followPatience {
		return pause{most: max(time.Until(a.due), time.Nanosecond)}
	}
	a.due = time.Time{}
	return pause{least: max(a.again, 20*a.took)}
}

// follow notes whether another bot writes, and whether something waits for it.
func (a *away) follow(reads, waits bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reads = reads
	if !waits {
		a.follows = time.Time{}
	} else if a.follows.IsZero() {
		a.follows = time.Now()
	}
}

// followPatience is how long the bot that writes may take for what this one has, too.
const followPatience = time.Minute

// problem is what someone should look at: why vectors are behind or not searched.
func (v *vectorQueue) problem() string {
	if err := v.failing(); err != nil {
		return err.Error()
	}
	if v.away == nil {
		return ""
	}
	v.away.mu.Lock()
	since := v.away.follows
	v.away.mu.Unlock()
	if since.IsZero() || time.Since(since) < followPatience {
		return ""
	}
	return fmt.Sprintf("another bot writes the vectors, and has not put those of %d passages since %s; do both read copies of one folder?",
		v.missing(), since.UTC().Format("15:04 MST"))
}

// untilCheck is how long it is until the next check; 0: there is none.
func (a *away) untilCheck() time.Duration {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(time.Until(a.due), time.Nanosecond)
}

// unreachable says why the store is not to be called now.
func (v *vectorQueue) unreachable() error {
	if v.away == nil {
		return nil
	}
	v.away.mu.Lock()
	defer v.away.mu.Unlock()
	return v.away.why
}

// outcome notes what came of a call to the store, and returns it. One failure is enough
// not to call again, so that no search waits for a store that hangs: the check that
// follows at once may well find that nothing is wrong.
func (v *vectorQueue) outcome(err error) error {
	if v.away == nil || err == nil || errors.Is(err, ErrNotWriter) || errors.Is(err, context.Canceled) {
		return err
	}
	v.away.mu.Lock()
	first := v.away.why == nil
	v.away.why = err
	v.away.mu.Unlock()
	if first {
		v.log.Warn("vectors are not available, answers rest on words alone", "reason", err)
		ring(v.wake)
	}
	return err
}

// checkIfDue compares a store that is away, or was left alone for a while, with what it
// should hold.
func (v *vectorQueue) checkIfDue(ctx context.Context) error {
	if v.away == nil {
		return nil
	}
	v.away.mu.Lock()
	due := v.away.why != nil || !time.Now().Before(v.away.due)
	v.away.mu.Unlock()
	if !due {
		return nil
	}
	return v.check(ctx)
}

// check asks the store what it holds, notes what it lacks, and deletes what it need not
// hold. A store that answers is used again.
func (v *vectorQueue) check(ctx context.Context) error {
	started := time.Now()
	v.mu.Lock()
	v.put = map[string]bool{}
	v.mu.Unlock()
	keys, err := v.store.Keys(ctx)
	if err != nil {
		return v.missed(err)
	}
	lost, strangers := v.compare(keys)
	v.back(time.Since(started), len(keys), lost, strangers)
	return nil
}

// missed notes that a check failed, and says so when the reason is another than before.
func (v *vectorQueue) missed(err error) error {
	v.away.mu.Lock()
	was := v.away.why
	v.away.why = err
	v.away.mu.Unlock()
	if was == nil || was.Error() != err.Error() {
		v.log.Warn("the vector store cannot be used, answers rest on words alone until it can", "reason", err)
	}
	return err
}

// back notes that the store is there. Checks take at most a twentieth of the time.
func (v *vectorQueue) back(took time.Duration, stored, lost, strangers int) {
	a := v.away
	a.mu.Lock()
	was, other, reads := a.why, a.other, a.reads
	a.why, a.took, a.other = nil, took, strangers
	a.due = time.Now().Add(max(a.every, 20*took))
	a.backoff.Reset()
	a.mu.Unlock()
	switch {
	case was != nil:
		v.log.Info("vectors are available", "stored", stored, "missing", v.missing(), "strangers", strangers)
	case !reads && (lost > 0 || strangers > other):
		v.log.Warn("the vector store was not as it was left, mending it", "lost", lost, "strangers", strangers)
	}
}

// compare makes held what the store holds of what is wanted, queues the rest, and returns
// how much the store has lost and how much it holds that nobody wants. What was put while
// the keys were listed is there, in the list or not.
func (v *vectorQueue) compare(keys []string) (lost, strangers int) {
	stored := make(map[string]bool, len(keys))
	for _, key := range keys {
		stored[key] = true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for hash := range v.wanted {
		switch {
		case v.put[hash]:
		case stored[hash]:
			v.held[hash] = true
		case v.held[hash]:
			delete(v.held, hash)
			lost++
		}
	}
	v.put = nil
	v.requeue()
	maps.DeleteFunc(stored, func(key string, _ bool) bool { return v.wanted[key] != nil })
	v.spare = stored
	strangers = len(stored)
	if v.whole {
		v.discard()
	}
	return lost, strangers
}

// requeue makes the queue whole: each wanted passage that the store lacks is in it or
// ready, newer ones where they were. v.mu is held.
func (v *vectorQueue) requeue() {
	lacks := func(hash string) bool { return v.wanted[hash] != nil && !v.held[hash] }
	v.queue = slices.DeleteFunc(v.queue, func(p *Passage) bool { return !lacks(p.Hash) })
	v.ready = slices.DeleteFunc(v.ready, func(e embedded) bool { return !lacks(e.Hash) })
	rest := maps.Clone(v.wanted)
	maps.DeleteFunc(rest, func(hash string, _ *Passage) bool { return v.held[hash] })
	for _, p := range v.queue {
		delete(rest, p.Hash)
	}
	for _, e := range v.ready {
		delete(rest, e.Hash)
	}
	older := slices.SortedFunc(maps.Values(rest), func(a, b *Passage) int { return strings.Compare(b.ID, a.ID) })
	v.queue = append(older, v.queue...)
}

// near returns the cosines of passages that the store lacks with a query, in the order of
// a search. Those without a vector get one.
func (v *vectorQueue) near(ctx context.Context, query []float32, passages []*Passage) ([]Scored, error) {
	cached, missing := v.known(passages)
	made, err := v.embed(ctx, missing)
	if err != nil {
		return nil, err
	}
	var out []Scored
	for _, e := range append(cached, made...) {
		values := v.vector(e)
		if len(values) != len(query) {
			continue
		}
		var dot float64
		for i, x := range values {
			dot += float64(x) * float64(query[i])
		}
		out = append(out, Scored{e.Hash, dot})
	}
	slices.SortFunc(out, compareScored)
	return out, nil
}

// errAway says that a search goes without vectors because the store is known to be away.
var errAway = errors.New("the vector store is away")

// search asks the store for the k nearest that m holds. Where much of what it found is of
// another generation, or of another bot's documents, it asks for more, once.
func (v *vectorQueue) search(ctx context.Context, m *manifest, query []float32, audiences []string, k int) ([]Scored, error) {
	hits, err := v.store.Search(ctx, query, audiences, k)
	if unknown := countUnknown(m, hits); err == nil && len(hits) == k && unknown > 0 {
		hits, err = v.store.Search(ctx, query, audiences, k+min(2*unknown, 10*k))
	}
	if err != nil && ctx.Err() == nil {
		_ = v.outcome(err)
	}
	return hits, err
}

func countUnknown(m *manifest, hits []Scored) (n int) {
	for _, h := range hits {
		if m.passages[h.Key] == nil {
			n++
		}
	}
	return n
}
