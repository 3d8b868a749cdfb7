package kb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// elsewhere is a store in another process: it can be down, hang, be written by another bot,
// and be changed behind one's back.
type elsewhere struct {
	*MemoryVectors

	mu     sync.Mutex
	down   error
	hangs  bool
	writer bool // another bot is the writer
	calls  map[string]int

	putErr, searchErr   error         // of calls that do something
	slowPut, slowSearch time.Duration // likewise
	inPut, inKeys       func()        // called once in the middle of the next
}

func newElsewhere() *elsewhere {
	return &elsewhere{MemoryVectors: NewMemoryVectors(64), calls: map[string]int{}}
}

func (e *elsewhere) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

func (e *elsewhere) count(call string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls[call]
}

// begin is what befalls each call.
func (e *elsewhere) begin(ctx context.Context, call string, write bool) error {
	e.mu.Lock()
	down, hangs, writer := e.down, e.hangs, e.writer
	e.calls[call]++
	e.mu.Unlock()
	switch {
	case hangs:
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		<-ctx.Done()
		return fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	case down != nil:
		return down
	case write && writer:
		return ErrNotWriter
	}
	return nil
}

func (e *elsewhere) Put(ctx context.Context, vectors []Vector) error {
	err := e.begin(ctx, "put", true)
	if err != nil {
		return err
	}
	time.Sleep(e.slowPut)
	once(&e.inPut)
	if e.putErr != nil {
		return e.putErr
	}
	return e.MemoryVectors.Put(ctx, vectors)
}

func once(f *func()) {
	if now := *f; now != nil {
		*f = nil
		now()
	}
}

func (e *elsewhere) Delete(ctx context.Context, keys []string) error {
	err := e.begin(ctx, "delete", true)
	if err != nil {
		return err
	}
	return e.MemoryVectors.Delete(ctx, keys)
}

func (e *elsewhere) Search(ctx context.Context, vector []float32, audiences []string, k int) ([]Scored, error) {
	if err := e.begin(ctx, "search", false); err != nil {
		return nil, err
	}
	time.Sleep(e.slowSearch)
	if e.searchErr != nil {
		return nil, e.searchErr
	}
	return e.MemoryVectors.Search(ctx, vector, audiences, k)
}

func (e *elsewhere) Keys(ctx context.Context) ([]string, error) {
	if err := e.begin(ctx, "keys", false); err != nil {
		return nil, err
	}
	keys, err := e.MemoryVectors.Keys(ctx)
	once(&e.inKeys)
	return keys, err
}

var errDown = errors.New("nobody is there: start it")

// farFixture is a library whose vectors are elsewhere.
func farFixture(t *testing.T, store *elsewhere, files ...string) *fixture {
	t.Helper()
	f := newFixture(t)
	must(t, f.lib.Close())
	for i := 0; i < len(files); i += 2 {
		f.write(files[i], files[i+1])
	}
	f.cfg.Vectors, f.cfg.Rescan = store, 20*time.Millisecond
	f.open()
	return f
}

// running follows the folder while do runs.
func (f *fixture) running(do func()) {
	f.Helper()
	ctx, stop := context.WithCancel(f.Context())
	done := make(chan error, 1)
	f.lib.vecs.away.tries.InitialInterval = 5 * time.Millisecond
	f.lib.vecs.away.again = 5 * time.Millisecond
	go func() { done <- f.lib.Run(ctx) }()
	defer func() {
		stop()
		must(f.T, <-done)
	}()
	do()
}

func (f *fixture) until(what string, holds func() bool) {
	f.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			f.Fatalf("not in 30 s: %s", what)
		}
	}
}

// reflects says whether the store holds what the manifest holds, and the library knows.
func (f *fixture) reflects(store *elsewhere) bool {
	keys, _ := store.MemoryVectors.Keys(context.Background())
	slices.Sort(keys)
	m := f.lib.manifest()
	return slices.Equal(keys, slices.Sorted(maps.Keys(m.passages))) && f.lib.vecs.missing() == 0 && f.lib.ready.Load()
}

func TestStoreThatIsDown(t *testing.T) {
	store := newElsewhere()
	store.down = errDown
	f := farFixture(t, store, "a.md", "refund within thirty days", "b.md", "warranty of five years")
	f.sync()
	r := f.search("refund")
	if len(r.Hits) == 0 || !slices.Equal(r.Degraded, []string{"vectors"}) {
		t.Fatalf("found %d, degraded %q", len(r.Hits), r.Degraded)
	}
	if s := f.lib.Status(); !slices.Equal(s.Degraded, []string{"vectors"}) || s.VectorTrouble != errDown.Error() {
		t.Errorf("status %q %q", s.Degraded, s.VectorTrouble)
	}
	if n := store.count("search"); n > 0 {
		t.Errorf("%d searches waited for a store that is away", n)
	}
	f.running(func() {
		f.until("readiness", func() bool { return f.lib.Status().Ready })
		f.write("c.md", "gift vouchers")
		f.until("the reload", func() bool { return len(f.find("vouchers")) > 0 })
		store.set(func() { store.down = nil })
		f.until("the vectors", func() bool { return f.reflects(store) })
		if r := f.search("refund"); len(r.Degraded) > 0 || r.Hits[0].Vector.Rank != 1 {
			t.Errorf("degraded %q, vector leg %v", r.Degraded, r.Hits[0].Vector)
		}
	})
}

// A failed search takes the store out of use until a check finds it well. Reloads go on.
func TestStoreThatGoesAway(t *testing.T) {
	store := newElsewhere()
	f := farFixture(t, store, "a.md", "refund within thirty days", "b.md", "warranty of five years")
	f.running(func() {
		f.until("the vectors", func() bool { return f.reflects(store) })
		store.set(func() { store.down = errDown })
		f.until("it shows", func() bool { return len(f.search("refund").Degraded) > 0 })
		searches := store.count("search")
		for range 20 {
			f.search("refund")
		}
		if n := store.count("search") - searches; n > 0 {
			t.Errorf("%d searches waited for it", n)
		}
		f.write("a.md", "refund within sixty days")
		f.until("the reload", func() bool { return strings.Contains(f.texts()["a.md"], "sixty") })
		f.remove("b.md")
		f.until("the deletion", func() bool { return f.texts()["b.md"] == "" })
		store.set(func() { store.down = nil })
		f.until("the vectors", func() bool { return f.reflects(store) })
	})
	if texts := f.words.taken(); len(texts) != 3 {
		t.Errorf("embedded %q", texts)
	}
}

// What is changed behind the library's back is mended from the cache.
func TestStoreIsMended(t *testing.T) {
	store := newElsewhere()
	f := farFixture(t, store, "a.md", "refund within thirty days", "b.md", "warranty of five years", "c.md", "gift vouchers")
	f.running(func() {
		f.until("the vectors", func() bool { return f.reflects(store) })
		f.words.taken()
		lost := slices.Collect(maps.Keys(f.lib.manifest().passages))[:2]
		must(t, store.MemoryVectors.Delete(t.Context(), lost))
		must(t, store.MemoryVectors.Put(t.Context(), []Vector{{Key: "stranger", Audience: "public", Values: wordVector("refund")}}))
		f.until("it is mended", func() bool { return f.reflects(store) })
		if texts := f.words.taken(); len(texts) > 0 {
			t.Errorf("embedded again: %q", texts)
		}
	})
}

// A bot that another writes for reads, makes up for what is missing, and writes once it may.
func TestStoreThatAnotherWrites(t *testing.T) {
	store := newElsewhere()
	store.writer = true
	f := farFixture(t, store, "a.md", "refund within thirty days", "b.md", "warranty of five years")
	f.running(func() {
		f.until("the check", func() bool { return f.lib.vecs.unreachable() == nil && f.lib.Status().Ready })
		r := f.search("refund within thirty days")
		if len(r.Degraded) > 0 || r.Hits[0].Vector.Rank != 1 {
			t.Errorf("degraded %q, vector leg %v", r.Degraded, r.Hits[0].Vector)
		}
		var theirs []Vector
		for hash, p := range f.lib.manifest().passages {
			theirs = append(theirs, Vector{Key: hash, Audience: p.Audience, Values: wordVector(p.indexText())})
		}
		must(t, store.MemoryVectors.Put(t.Context(), theirs[:1]))
		f.until("what the other put is seen", func() bool { return f.lib.vecs.holds(theirs[0].Key) })
		store.set(func() { store.writer = false })
		f.until("the rest is put", func() bool { return f.reflects(store) })
	})
}

// The state folder is lost, or a new bot starts, and the documents are not there: what the
// store holds goes when further checks have found the same, as documents do.
func TestEmptyFolderAtStart(t *testing.T) {
	store := newElsewhere()
	f := farFixture(t, store, "a.md", "refund within thirty days", "b.md", "warranty", "c.md", "vouchers")
	f.sync()
	must(t, f.lib.Close())
	f.cfg.State = t.TempDir()
	for _, name := range []string{"a.md", "b.md", "c.md"} {
		f.remove(name)
	}
	f.open()
	for range releaseAfter {
		f.sync()
		f.lib.vecs.away.due = time.Time{}
		if keys, _ := store.MemoryVectors.Keys(t.Context()); len(keys) != 3 {
			t.Fatalf("%d points are left", len(keys))
		}
	}
	f.sync()
	if keys, _ := store.MemoryVectors.Keys(t.Context()); len(keys) > 0 {
		t.Errorf("%d points are left", len(keys))
	}
}

// Strangers, such as another bot's documents, do not crowd out what is ours.
func TestStrangersDoNotCrowdOut(t *testing.T) {
	store := newElsewhere()
	f := farFixture(t, store, "a.md", "refund within thirty days")
	f.sync()
	store.set(func() { store.writer = true })
	for i := range depth + 20 {
		must(t, store.MemoryVectors.Put(t.Context(), []Vector{{Key: fmt.Sprint("s", i), Audience: "public", Values: wordVector("money back")}}))
	}
	if r := f.search("money back"); len(r.Hits) != 1 || r.Hits[0].Vector.Rank != 1 {
		t.Errorf("hits %v", r.Hits)
	}
}

// Whatever happens to the store and to the folder, searches are answered, and when all is
// quiet the store equals the manifest, and that the folder.
func TestStoreFollowsAnySequence(t *testing.T) {
	store := newElsewhere()
	f := farFixture(t, store)
	rng := rand.New(rand.NewPCG(5, 8))
	last := map[string]string{}
	f.running(func() {
		f.until("readiness", func() bool { return f.lib.Status().Ready })
		for i := range 60 {
			name := fmt.Sprintf("%d.md", rng.IntN(6))
			switch rng.IntN(7) {
			case 0:
				store.set(func() { store.down = errDown })
			case 1, 2:
				store.set(func() { store.down, store.writer = nil, false })
			case 3:
				store.set(func() { store.writer = true })
			case 4:
				keys, _ := store.MemoryVectors.Keys(t.Context())
				must(t, store.MemoryVectors.Delete(t.Context(), keys[:len(keys)/3]))
			default:
				last[name] = fmt.Sprint("refund number ", i)
				f.write(name, last[name]+"\n# of\nmany")
			}
			f.search("refund")
		}
		store.set(func() { store.down, store.writer = nil, false })
		f.until("all is quiet", func() bool {
			texts := f.texts()
			for name, text := range last {
				if texts[name] != text+"many" {
					return false
				}
			}
			return f.reflects(store)
		})
	})
}
