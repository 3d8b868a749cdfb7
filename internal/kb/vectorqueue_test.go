package kb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// queueFixture is a queue by itself, in a bubble whose time passes at will.
func queueFixture(t *testing.T, store *elsewhere) *vectorQueue {
	words := &wordEmbedder{}
	c, _, err := openVectorCache(filepath.Join(t.TempDir(), "vectors.cache"), words.ID(), words.Dim())
	must(t, err)
	t.Cleanup(func() { must(t, c.close()) })
	q := newVectorQueue(words, store, c, slogDiscard())
	q.away = newAway(30 * time.Second)
	return q
}

func passageOf(text string) *Passage {
	p := &Passage{ID: text, Path: "a.md", Title: "a", Text: text, Audience: "public"}
	p.seal()
	return p
}

// A reload waits two seconds for a store that hangs, once; the next does not wait at all.
func TestReloadDoesNotWaitForAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		q := queueFixture(t, store)
		must(t, q.check(t.Context()))
		store.set(func() { store.hangs = true })
		var waits []time.Duration
		for i := range 3 {
			began := time.Now()
			q.prepare(t.Context(), []*Passage{passageOf(fmt.Sprint("text ", i))})
			waits = append(waits, time.Since(began))
		}
		if diff := cmp.Diff([]time.Duration{inlineWithin, 0, 0}, waits); diff != "" {
			t.Error(diff)
		}
		store.set(func() { store.hangs = false })
		must(t, q.check(t.Context()))
		for more := true; more; {
			var err error
			more, err = q.step(t.Context(), 0)
			must(t, err)
		}
		if q.missing() > 0 {
			t.Errorf("%d vectors are missing", q.missing())
		}
	})
}

// What a reload could not put because the store was being written is put next.
func TestReloadBesideAWrite(t *testing.T) {
	q := queueFixture(t, newElsewhere())
	must(t, q.check(t.Context()))
	q.writing.Lock()
	q.prepare(t.Context(), []*Passage{passageOf("text")})
	q.writing.Unlock()
	select {
	case <-q.wake:
	default:
		t.Error("nobody is told that something waits")
	}
	_, err := q.step(t.Context(), 0)
	must(t, err)
	if q.missing() > 0 {
		t.Error("it was not put")
	}
}

// Tries of a store that is down are ever further apart, ten seconds or so at most; one that
// is well is checked each half minute.
func TestChecksAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		store.down = errDown
		q := queueFixture(t, store)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); q.run(ctx) }()
		time.Sleep(10 * time.Minute)
		if n := store.count("keys"); n < 40 || n > 120 {
			t.Errorf("%d tries in ten minutes", n)
		}
		store.set(func() { store.down = nil })
		time.Sleep(16 * time.Second)
		if q.unreachable() != nil {
			t.Error("it is back for 16 s and not used")
		}
		before := store.count("keys")
		time.Sleep(10 * time.Minute)
		if n := store.count("keys") - before; n < 18 || n > 21 {
			t.Errorf("%d checks in ten minutes, want 20", n)
		}
		stop()
		<-ended
	})
}

// want is a reload that leaves everything to the background.
func (v *vectorQueue) want(ps ...*Passage) {
	v.mu.Lock()
	for _, p := range ps {
		v.wanted[p.Hash] = p
	}
	v.mu.Unlock()
	v.enqueue(ps)
}

func some(n int) (ps []*Passage) {
	for i := range n {
		ps = append(ps, passageOf(fmt.Sprintf("text %05d", i)))
	}
	return ps
}

// inProcess is a queue whose store is in this process.
func inProcess(t *testing.T, store VectorStore) *vectorQueue {
	q := queueFixture(t, newElsewhere())
	q.away, q.store = nil, store
	return q
}

// going runs a queue until stop.
func going(t *testing.T, q *vectorQueue) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); q.run(ctx) }()
	return func() { cancel(); <-ended }
}

func drain(t *testing.T, q *vectorQueue) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = q.step(t.Context(), 0)
		must(t, err)
	}
}

func (e *elsewhere) has(key string) bool {
	keys, _ := e.MemoryVectors.Keys(context.Background())
	return slices.Contains(keys, key)
}

// logged makes a queue write its log there.
func (v *vectorQueue) logged() *bytes.Buffer {
	var log bytes.Buffer
	v.log = slog.New(slog.NewTextHandler(&log, nil))
	return &log
}

// readOnly makes a queue's cache one that cannot be written.
func readOnly(t *testing.T, q *vectorQueue) {
	t.Helper()
	f, err := os.Open(q.cache.path)
	must(t, err)
	must(t, q.cache.file.Close())
	q.cache.file = f
}

func taken(q *vectorQueue) int { return len(q.embedder.(*wordEmbedder).taken()) }

// A store that takes nothing is searched all the same, tried now and then, and told of once.
func TestWritesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		store.putErr = errors.New("no space left on device")
		q := queueFixture(t, store)
		log := q.logged()
		q.want(some(1)...)
		stop := going(t, q)
		for range 600 {
			time.Sleep(time.Second)
			if err := q.mistrusted(); err != nil {
				t.Fatalf("not searched because of %v", err)
			}
		}
		stop()
		if n := store.count("keys"); n > 120 {
			t.Errorf("%d checks in ten minutes", n)
		}
		if n := strings.Count(log.String(), "\n"); n > 5 {
			t.Errorf("%d log lines:\n%s", n, log)
		}
		if q.problem() != store.putErr.Error() {
			t.Errorf("the problem is %q", q.problem())
		}
	})
}

// Searches that fail while checks go well are tried ever more seldom.
func TestSearchesFailAndChecksDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		store.searchErr, store.slowSearch = errDown, time.Second
		q := queueFixture(t, store)
		stop := going(t, q)
		defer stop()
		time.Sleep(time.Second)
		waited := 0
		for range 100 {
			if q.mistrusted() == nil {
				waited++
				_, _ = q.search(t.Context(), newManifest(0, nil), wordVector("a"), []string{"public"}, 10)
			}
			time.Sleep(2 * time.Second)
		}
		if waited > 15 {
			t.Errorf("%d of 100 searches waited for a store that answers none", waited)
		}
		if n := store.count("keys"); n > 40 {
			t.Errorf("%d checks", n)
		}
		store.searchErr, store.slowSearch = nil, 0
		time.Sleep(time.Minute)
		for range 3 {
			if err := q.mistrusted(); err != nil {
				t.Fatalf("well again, and not searched because of %v", err)
			}
			_, err := q.search(t.Context(), newManifest(0, nil), wordVector("a"), []string{"public"}, 10)
			must(t, err)
		}
	})
}

func TestSyncDoesNotWaitForAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		q := queueFixture(t, store)
		must(t, q.check(t.Context()))
		q.want(some(3)...)
		store.set(func() { store.hangs = true })
		began := time.Now()
		must(t, q.sync(t.Context(), func() {}))
		if d := time.Since(began); d > syncWithin {
			t.Errorf("waited %v", d)
		}
	})
}

// While the store is away texts become vectors all the same.
func TestEmbedsWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		store.down = errDown
		q := queueFixture(t, store)
		q.want(some(40)...)
		stop := going(t, q)
		time.Sleep(time.Minute)
		if n := taken(q); n != 40 {
			t.Errorf("%d of 40 texts embedded", n)
		}
		store.set(func() { store.down = nil })
		time.Sleep(time.Minute)
		stop()
		if q.missing() > 0 || taken(q) > 0 {
			t.Errorf("%d are missing, or some were embedded again", q.missing())
		}
	})
}

// In process, a reload puts what is known even while the background writes.
func TestReloadBesideAWriteInProcess(t *testing.T) {
	q := inProcess(t, newElsewhere())
	p := passageOf("known already")
	_, err := q.embed(t.Context(), []*Passage{p})
	must(t, err)
	q.writing.Lock()
	done := make(chan struct{})
	go func() { defer close(done); q.prepare(t.Context(), []*Passage{p}) }()
	select {
	case <-done:
		t.Error("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	q.writing.Unlock()
	<-done
	if !q.holds(p.Hash) {
		t.Error("published without a vector that is known")
	}
}

// In process, what is dropped is gone, lest it crowd out what there is.
func TestDroppedInProcess(t *testing.T) {
	store := newElsewhere()
	q := inProcess(t, store)
	ps := some(400)
	var hashes []string
	for _, p := range ps[1:] {
		hashes = append(hashes, p.Hash)
	}
	q.want(ps...)
	drain(t, q)
	must(t, q.drop(t.Context(), hashes))
	if keys, _ := store.Keys(t.Context()); len(keys) != 1 {
		t.Errorf("%d vectors are left", len(keys))
	}
}

// Nobody checks a store in this process, so all that is dropped has to go, however much it is.
func TestMuchIsDroppedInProcess(t *testing.T) {
	store := newElsewhere()
	q := inProcess(t, store)
	var hashes []string
	var vectors []Vector
	for i := range maxDoomed + 5 {
		hashes = append(hashes, fmt.Sprint(i))
		vectors = append(vectors, Vector{Key: hashes[i], Audience: "public", Values: make([]float32, 64)})
	}
	must(t, store.Put(t.Context(), vectors))
	must(t, q.drop(t.Context(), hashes))
	if keys, _ := store.Keys(t.Context()); len(keys) > 0 {
		t.Errorf("%d vectors are left", len(keys))
	}
}

// The end of the program during a check is no trouble of the store.
func TestShutdownDuringACheck(t *testing.T) {
	store := newElsewhere()
	q := queueFixture(t, store)
	must(t, q.check(t.Context()))
	log := q.logged()
	store.set(func() { store.down = context.Canceled })
	_ = q.check(t.Context())
	if q.unreachable() != nil || log.Len() > 0 {
		t.Errorf("away because of %v, logged %s", q.unreachable(), log)
	}
}

// A reason whose numbers alone differ is logged once.
func TestReasonsThatDiffer(t *testing.T) {
	store := newElsewhere()
	q := queueFixture(t, store)
	log := q.logged()
	for i := range 5 {
		store.set(func() { store.down = fmt.Errorf("wants no calls for another %d s", 30-i) })
		_ = q.check(t.Context())
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// What was made and has to wait is not made again when the cache cannot be written, and not
// kept twice when it can.
func TestMadeOnce(t *testing.T) {
	store := newElsewhere()
	q := queueFixture(t, store)
	must(t, q.check(t.Context()))
	store.set(func() { store.writer = true })
	q.want(some(40)...)
	for range 4 {
		_, _ = q.step(t.Context(), 0)
	}
	if slices.ContainsFunc(q.ready, func(e embedded) bool { return e.values != nil }) {
		t.Error("values are kept that the cache has")
	}
	if taken(q) != 40 {
		t.Error("not embedded")
	}
	readOnly(t, q)
	q.prepare(t.Context(), []*Passage{passageOf("a"), passageOf("b")})
	q.want(passageOf("c"))
	for range 3 {
		_, _ = q.step(t.Context(), 0)
	}
	if n := taken(q); n != 3 {
		t.Errorf("embedded %d, want 3", n)
	}
	store.set(func() { store.writer = false })
	drain(t, q)
	if q.missing() > 0 {
		t.Errorf("%d are missing", q.missing())
	}
}

// A bot that reads tells of a writer that does nothing, and not of one that is slow.
func TestReaderOfALongLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		store.writer = true
		q := queueFixture(t, store)
		ps := some(12)
		q.want(ps...)
		stop := going(t, q)
		defer stop()
		for i, p := range ps[1:] {
			must(t, store.MemoryVectors.Put(t.Context(), []Vector{{Key: p.Hash, Audience: "public", Values: wordVector(p.indexText())}}))
			time.Sleep(20 * time.Second)
			if text := q.problem(); text != "" {
				t.Fatalf("after %d: %s", i, text)
			}
		}
		time.Sleep(2 * time.Minute)
		if !strings.Contains(q.problem(), "another bot writes the vectors, and has put none of those of 1 passages") {
			t.Errorf("problem %q", q.problem())
		}
		must(t, store.MemoryVectors.Put(t.Context(), []Vector{{Key: ps[0].Hash, Audience: "public", Values: wordVector("a")}}))
		time.Sleep(time.Minute)
		if text := q.problem(); text != "" {
			t.Errorf("all is there, and yet: %s", text)
		}
	})
}

// What comes and goes while the store is away does not pile up.
func TestBacklogWhileAway(t *testing.T) {
	store := newElsewhere()
	store.down = errDown
	q := queueFixture(t, store)
	for i := range maxDoomed + 100 {
		p := passageOf(fmt.Sprint("one that comes and goes ", i%7))
		q.prepare(t.Context(), []*Passage{p})
		must(t, q.drop(t.Context(), []string{p.Hash}))
	}
	if len(q.ready)+len(q.queue) > 0 || len(q.doomed) > maxDoomed {
		t.Errorf("%d ready, %d queued, %d doomed", len(q.ready), len(q.queue), len(q.doomed))
	}
}

// What a store in this process does not take is told, and not tried without a pause.
func TestTroubleInProcess(t *testing.T) {
	store := newElsewhere()
	q := inProcess(t, store)
	store.putErr = errors.New("vectors of another length")
	q.want(some(3)...)
	if err := q.sync(t.Context(), func() {}); err == nil || q.failing() == nil {
		t.Errorf("error %v, told: %v", err, q.failing())
	}
	store.putErr = nil
	drain(t, q)
	if q.missing() > 0 {
		t.Error("forgotten after an error")
	}
}

// A vector that the cache has lost is made anew.
func TestDamagedCache(t *testing.T) {
	store := newElsewhere()
	q := inProcess(t, store)
	p := passageOf("b")
	_, err := q.embed(t.Context(), []*Passage{p})
	must(t, err)
	_, err = q.cache.file.WriteAt([]byte{1, 2, 3}, q.cache.offsets[textKey(p.indexText())]+40)
	must(t, err)
	q.want(p)
	drain(t, q)
	if !q.holds(p.Hash) {
		t.Error("it is not there")
	}
}

// What is put while keys are listed is there, though the list lacks it; and a bot that reads
// has each passage in its lists once, however often it checks.
func TestChecksBesideReloads(t *testing.T) {
	store := newElsewhere()
	store.writer = true
	q := queueFixture(t, store)
	q.want(some(20)...)
	for range 5 {
		must(t, q.check(t.Context()))
		_, _ = q.step(t.Context(), 0)
	}
	if n := len(q.queue) + len(q.ready); n != 20 {
		t.Errorf("%d entries for 20 passages", n)
	}
	store.set(func() { store.writer = false })
	drain(t, q)
	p := passageOf("put while keys are listed")
	store.inKeys = func() { q.prepare(t.Context(), []*Passage{p}) }
	must(t, q.check(t.Context()))
	if !q.holds(p.Hash) {
		t.Error("what was put during a check counts as lost")
	}
}

// What comes back before it is deleted stays, and what goes before it is put is not left.
func TestComesAndGoes(t *testing.T) {
	store := newElsewhere()
	q := queueFixture(t, store)
	must(t, q.check(t.Context()))
	p := passageOf("a")
	q.want(p)
	store.inPut = func() { must(t, q.drop(t.Context(), []string{p.Hash})) }
	drain(t, q)
	if store.has(p.Hash) {
		t.Error("what was dropped while it was put stays")
	}
	q.want(p)
	drain(t, q)
	must(t, q.drop(t.Context(), []string{p.Hash}))
	q.prepare(t.Context(), []*Passage{p})
	drain(t, q)
	if !store.has(p.Hash) || !q.holds(p.Hash) {
		t.Error("what is wanted again is deleted")
	}
	must(t, q.drop(t.Context(), []string{p.Hash}))
	drain(t, q)
	q.want(p)
	q.cached()
	must(t, q.drop(t.Context(), []string{p.Hash}))
	puts := store.count("put")
	drain(t, q)
	if store.count("put") > puts {
		t.Error("what was dropped is put")
	}
}

// A reload leaves much to the background.
func TestReloadOfMuch(t *testing.T) {
	store := newElsewhere()
	q := queueFixture(t, store)
	must(t, q.check(t.Context()))
	ps := some(inlineVectors + 1)
	_, err := q.embed(t.Context(), ps)
	must(t, err)
	q.prepare(t.Context(), ps)
	if n := store.count("put"); n > 0 {
		t.Error("a reload puts many")
	}
	drain(t, q)
	if q.missing() > 0 {
		t.Errorf("%d are missing", q.missing())
	}
}

// A check that takes long is not made often.
func TestLongChecksAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newElsewhere()
		q := queueFixture(t, store)
		store.inKeys = func() { time.Sleep(10 * time.Second) }
		must(t, q.check(t.Context()))
		if d := q.away.untilCheck(); d < 200*time.Second {
			t.Errorf("a check that takes 10 s is repeated after %v", d)
		}
	})
}
