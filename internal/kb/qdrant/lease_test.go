package qdrant

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/qdrant/qdranttest"

	"google.golang.org/grpc/codes"
)

// bots are stores on one server, each with its own name.
func bots(t *testing.T, n int, cfg Config) (server *qdranttest.Server, stores []*Store) {
	t.Helper()
	server = qdranttest.New(t, qdranttest.Options{Strict: true})
	for i := range n {
		cfg.URL, cfg.Holder = server.URL(), fmt.Sprint("bot-", i)
		s := opened(t, cfg)
		s.hurry()
		stores = append(stores, s)
	}
	return server, stores
}

// ticking runs a store until the test ends.
func ticking(t *testing.T, s *Store) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

func writesNow(t *testing.T, s *Store) bool {
	t.Helper()
	err := s.Put(t.Context(), vectors(0, 1))
	if err != nil && !errors.Is(err, kb.ErrNotWriter) {
		t.Fatal(err)
	}
	return err == nil
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}

// One writes, and goes on to, as long as it renews; the others read what it wrote.
func TestOneWrites(t *testing.T) {
	server, stores := bots(t, 2, Config{})
	a, b := stores[0], stores[1]
	if !writesNow(t, a) || writesNow(t, b) {
		t.Fatal("the first does not write, or the second does")
	}
	if err := b.Delete(t.Context(), []string{"x"}); !errors.Is(err, kb.ErrNotWriter) {
		t.Errorf("the reader deletes: %v", err)
	}
	if keys := keysOf(t, b); len(keys) != 1 {
		t.Errorf("the reader sees %q", keys)
	}
	ticking(t, a)
	for deadline := time.Now().Add(3 * a.times.lasts); time.Now().Before(deadline); {
		if writesNow(t, b) {
			t.Fatal("the second took the lease of one that renews it")
		}
	}
	if wrong := server.Complaints(); len(wrong) > 0 {
		t.Errorf("rules broken: %q", wrong)
	}
}

// Who stops gives the lease back; whose process ends otherwise loses it after a while.
func TestTheNextWrites(t *testing.T) {
	_, stores := bots(t, 3, Config{})
	a, b, c := stores[0], stores[1], stores[2]
	if !writesNow(t, a) {
		t.Fatal("the first does not write")
	}
	name, _ := a.known()
	a.giveBack(t.Context(), name)
	if !writesNow(t, b) {
		t.Fatal("the second does not write what was given back")
	}
	if writesNow(t, c) {
		t.Fatal("the third writes at once")
	}
	began := time.Now()
	until(t, "the third to write", func() bool { return writesNow(t, c) })
	if took := time.Since(began); took < c.times.lasts/2 {
		t.Errorf("it took over after %v", took)
	}
	until(t, "the second to know", func() bool { return !writesNow(t, b) })
}

// A bot that starts again goes on at once.
func TestRestartKeepsTheLease(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	if !writesNow(t, stores[0]) {
		t.Fatal("it does not write")
	}
	again := opened(t, Config{URL: server.URL(), Holder: "bot-0"})
	if !writesNow(t, again) {
		t.Error("it does not write after a restart")
	}
}

// Two bots of one name, as after a state folder was copied, are two all the same.
func TestTwoOfOneName(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	a := stores[0]
	if !writesNow(t, a) {
		t.Fatal("it does not write")
	}
	copied := opened(t, Config{URL: server.URL(), Holder: "bot-0"})
	copied.hurry()
	if !writesNow(t, copied) {
		t.Fatal("a restart would have to wait")
	}
	ticking(t, copied)
	until(t, "the first to know", func() bool { return !writesNow(t, a) })
	for deadline := time.Now().Add(2 * a.times.lasts); time.Now().Before(deadline); {
		if writesNow(t, a) {
			t.Fatal("both write")
		}
	}
}

// Of many that want a lease nobody holds, one gets it.
func TestManyTakers(t *testing.T) {
	_, stores := bots(t, 6, Config{})
	for _, s := range stores {
		if _, err := s.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	writers := make([]bool, len(stores))
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() { writers[i] = writesNow(t, s) })
	}
	wg.Wait()
	n := 0
	for _, w := range writers {
		if w {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d write", n)
	}
}

// A reply that is lost loses no lease.
func TestLostReply(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	s := stores[0]
	if !writesNow(t, s) {
		t.Fatal("it does not write")
	}
	server.Misbehave(2, qdranttest.Mischief{Method: qdranttest.Upsert, DieAfter: true})
	s.lease.mu.Lock()
	s.lease.until = time.Time{}
	s.lease.mu.Unlock()
	_ = s.Put(t.Context(), vectors(0, 1)) // whatever becomes of it
	if !writesNow(t, s) {
		t.Error("it does not write any more")
	}
}

// A key that may only read makes a bot that only reads.
func TestReadOnlyKey(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	s := stores[0]
	if !writesNow(t, s) {
		t.Fatal("it does not write")
	}
	reader := opened(t, Config{URL: server.URL(), Holder: "reader"})
	s.giveBack(t.Context(), testName)
	server.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Upsert, Code: codes.PermissionDenied, Message: "Forbidden: Global manage access is required"})
	if writesNow(t, reader) {
		t.Error("it writes")
	}
	if keys := keysOf(t, reader); len(keys) != 1 {
		t.Errorf("it reads %q", keys)
	}
}

func TestLockFileInPlaceOfTheLease(t *testing.T) {
	server, stores := bots(t, 2, Config{LeaseFile: filepath.Join(t.TempDir(), "writer")})
	a, b := stores[0], stores[1]
	if !writesNow(t, a) || writesNow(t, b) {
		t.Fatal("the first does not write, or the second does")
	}
	if got := server.Collections(); len(got) != 1 {
		t.Errorf("collections %q", got)
	}
	if err := a.lease.close(); err != nil {
		t.Fatal(err)
	}
	if !writesNow(t, b) {
		t.Error("the second does not write")
	}
}
