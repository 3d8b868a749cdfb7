package kb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// An away is how a store in another process is: it can be unreachable, and be other than it
// was left. So what it holds is compared with what it should hold at the start, after each
// failure, and now and then.
type away struct {
	every time.Duration // between checks of a store that is well
	again time.Duration // before the next check while another bot has to write what is missing

	mu      sync.Mutex
	why     error         // the store is not used because of this; nil: it is
	refused error         // why it does not take what it is given, though it can be read
	due     time.Time     // the next check of a store that is used
	next    time.Time     // no earlier try of one that is not
	took    time.Duration // the last check
	tries   *backoff.ExponentialBackOff
	logged  string // the last reason that was logged

	missed int       // searches in a row that failed
	until  time.Time // no search before

	reads   bool      // another bot writes
	other   int       // strangers at the last check
	lacks   int       // that another bot has to write
	follows time.Time // since when it has written none of these; zero: nothing waits for one
}

// errUnchecked is why a store is not used before the first check.
var errUnchecked = errors.New("the vector store was not reached yet")

func newAway(every time.Duration) *away {
	tries := backoff.NewExponentialBackOff()
	tries.InitialInterval, tries.MaxInterval = 500*time.Millisecond, 10*time.Second
	return &away{every: min(every, 30*time.Second), again: 2 * time.Second, why: errUnchecked, tries: tries}
}

// patience is how long a command that ends after one answer waits for a write; 0: for one
// in this process as long as it takes.
func (a *away) patience() time.Duration {
	if a == nil {
		return 0
	}
	return syncWithin
}

// refusal says why the store does not take what it is given.
func (a *away) refusal() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

// retry is how long to wait before the next try of a store that refused something. It is
// compared first, for who knows what it has taken.
func (a *away) retry() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = time.Time{}
	return max(a.tries.NextBackOff(), 20*a.took)
}

// stepped notes what came of a step: whether all went well, and how much another bot has to
// write.
func (a *away) stepped(err error, missing int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.why == nil {
		a.refused = nil
		a.tries.Reset()
	}
	a.reads = errors.Is(err, ErrNotWriter) || a.reads && err != nil
	switch {
	case !a.reads || missing == 0:
		a.follows = time.Time{}
	case a.follows.IsZero() || missing < a.lacks:
		a.follows = time.Now()
	}
	a.lacks = missing
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
	defer v.away.mu.Unlock()
	switch since := v.away.follows; {
	case v.away.refused != nil:
		return v.away.refused.Error()
	case !since.IsZero() && time.Since(since) >= followPatience:
		return fmt.Sprintf("another bot writes the vectors, and has put none of those of %d passages since %s; do both read copies of one folder?",
			v.away.lacks, since.UTC().Format("15:04 MST"))
	}
	return ""
}

// untilCheck is how long it is until the next check; 0: there is none.
func (a *away) untilCheck() time.Duration {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.why != nil {
		return max(time.Until(a.next), time.Nanosecond)
	}
	return max(time.Until(a.due), time.Nanosecond)
}

// unreachable says why the store is not to be searched or written now.
func (v *vectorQueue) unreachable() error {
	if v.away == nil {
		return nil
	}
	v.away.mu.Lock()
	defer v.away.mu.Unlock()
	return v.away.why
}

// mistrusted says why the store is not to be searched now, though it answers checks.
func (v *vectorQueue) mistrusted() error {
	if v.away == nil {
		return nil
	}
	v.away.mu.Lock()
	defer v.away.mu.Unlock()
	if v.away.why == nil && time.Now().Before(v.away.until) {
		return errors.New("searches in the vector store fail, and the next is tried in a while")
	}
	return v.away.why
}

// searched notes what came of a search, and returns its error. One failure is enough not to
// search again, so that no question waits for a store that hangs: the check that follows at
// once may well find that nothing is wrong. If then the next search fails, the one after it
// has to wait, up to a minute.
func (v *vectorQueue) searched(err error) error {
	if v.away == nil || errors.Is(err, context.Canceled) {
		return err
	}
	a := v.away
	a.mu.Lock()
	if err == nil {
		a.missed = 0
		a.mu.Unlock()
		return nil
	}
	if a.missed++; a.missed > 1 {
		a.until = time.Now().Add(min(time.Second<<min(a.missed, 6), time.Minute))
	}
	first := a.why == nil
	a.why, a.next = err, time.Time{}
	log := a.worthSaying(err)
	a.mu.Unlock()
	if log {
		v.log.Warn("vectors are not available, answers rest on words alone", "reason", err)
	}
	if first {
		ring(v.wake)
	}
	return err
}

// wrote notes what came of a write, and returns its error. What cannot be written may still
// be searched.
func (v *vectorQueue) wrote(err error) error {
	if v.away == nil {
		if err != nil {
			v.troubled(err)
		}
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	a := v.away
	a.mu.Lock()
	a.refused = err
	if errors.Is(err, ErrNotWriter) {
		a.refused = nil
	}
	log := a.refused != nil && a.worthSaying(err)
	a.mu.Unlock()
	if log {
		v.log.Warn("the vector store does not take what is new, it is tried again", "reason", err)
	}
	return err
}

var digits = regexp.MustCompile(`[0-9]+`)

// worthSaying says whether a reason is another than the last that was logged, but for
// numbers: ports and seconds differ each time. a.mu is held.
func (a *away) worthSaying(err error) bool {
	text := digits.ReplaceAllString(err.Error(), "")
	was := a.logged
	a.logged = text
	return text != was
}

// checkIfDue compares a store that is away, or was left alone for a while, with what it
// should hold.
func (v *vectorQueue) checkIfDue(ctx context.Context) {
	if v.away == nil {
		return
	}
	v.away.mu.Lock()
	at := v.away.due
	if v.away.why != nil {
		at = v.away.next
	}
	v.away.mu.Unlock()
	if !time.Now().Before(at) {
		_ = v.check(ctx) // it is noted, and tried again
	}
}

// check asks the store what it holds, notes what it lacks, and dooms what it need not hold.
// A store that answers is used again.
func (v *vectorQueue) check(ctx context.Context) error {
	started := time.Now()
	v.mu.Lock()
	v.put = map[string]bool{}
	v.mu.Unlock()
	keys, err := v.store.Keys(ctx)
	if err != nil {
		return v.unchecked(err)
	}
	lost, strangers := v.compare(keys)
	v.back(time.Since(started), len(keys), lost, strangers)
	return nil
}

// unchecked notes that a check failed.
func (v *vectorQueue) unchecked(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	a := v.away
	a.mu.Lock()
	a.why, a.next = err, time.Now().Add(a.tries.NextBackOff())
	log := a.worthSaying(err)
	a.mu.Unlock()
	if log {
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
	quiet := time.Now().Before(a.until) || a.refused != nil
	if !quiet {
		a.logged = ""
	}
	a.mu.Unlock()
	switch {
	case quiet:
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
	v.spare, strangers = stored, len(stored)
	if v.seen++; strangers <= len(v.wanted) {
		v.seen = 0
	}
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
	if ctx.Err() == nil {
		err = v.searched(err)
	}
	unknown := countUnknown(m, hits)
	if err != nil || len(hits) < k || unknown == 0 {
		return hits, err
	}
	if more, err := v.store.Search(ctx, query, audiences, k+min(2*unknown, 10*k)); err == nil {
		return more, nil
	}
	return hits, nil
}

func countUnknown(m *manifest, hits []Scored) (n int) {
	for _, h := range hits {
		if m.passages[h.Key] == nil {
			n++
		}
	}
	return n
}
