package qdrant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/qdrant/qdranttest"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
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

// expire lets a store think that its lease is over.
func expire(s *Store) {
	_ = s.lease.take(context.Background())
	defer s.lease.leave()
	s.lease.until = time.Time{}
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

// never looks for a while whether what must not be is. It leaves time to those that it watches.
func never(t *testing.T, within time.Duration, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-tick.C {
		if is() {
			t.Fatal(what)
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
	never(t, 3*a.times.lasts, "the second took the lease of one that renews it", func() bool { return writesNow(t, b) })
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
	never(t, 2*a.times.lasts, "both write", func() bool { return writesNow(t, a) })
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
	expire(s)
	_ = s.Put(t.Context(), vectors(0, 1)) // whatever becomes of it
	if !writesNow(t, s) {
		t.Error("it does not write any more")
	}
}

// A key that may only read makes a bot that only reads, whoever the lease leaves to write.
func TestReadOnlyKey(t *testing.T) {
	for name, cfg := range map[string]Config{"lease": {}, "lock file": {LeaseFile: filepath.Join(t.TempDir(), "writer")}} {
		server, stores := bots(t, 1, Config{})
		if !writesNow(t, stores[0]) {
			t.Fatal("it does not write")
		}
		stores[0].giveBack(t.Context(), testName)
		cfg.URL, cfg.Holder = server.URL(), "reader"
		reader := opened(t, cfg)
		server.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Upsert, Code: codes.PermissionDenied, Message: "Forbidden: Global manage access is required"})
		if writesNow(t, reader) {
			t.Errorf("%s: it writes", name)
		}
		if keys := keysOf(t, reader); len(keys) != 1 {
			t.Errorf("%s: it reads %q", name, keys)
		}
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

// A lock file that is deleted, by a cleaner or a person, leaves one writer, not two.
func TestLockFileIsDeleted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "writer")
	_, stores := bots(t, 2, Config{LeaseFile: file})
	a, b := stores[0], stores[1]
	if !writesNow(t, a) || writesNow(t, b) {
		t.Fatal("the first does not write, or the second does")
	}
	for _, next := range []*Store{b, a} {
		must(t, os.Remove(file))
		if !writesNow(t, next) || writesNow(t, a) == writesNow(t, b) {
			t.Error("none writes, or both do")
		}
	}
}

// A lease that lost its payload, or some of it, is nobody's, and can be taken.
func TestStrippedLease(t *testing.T) {
	server, stores := bots(t, 2, Config{})
	a, b := stores[0], stores[1]
	a.times.lasts, b.times.lasts = time.Hour, time.Hour
	for i, payload := range []map[string]any{{}, {"holder": ""}, {"beat": 7}, {"holder": "", "beat": 7}, {"holder": a.lease.holder}} {
		if !writesNow(t, a) {
			t.Fatalf("%d: the first does not write", i)
		}
		server.Insert(leaseOf(testName), leaseID, payload, []float32{1})
		taker := b
		if payload["holder"] == a.lease.holder {
			taker = a
		}
		expire(taker)
		if !writesNow(t, taker) {
			t.Errorf("%v: nobody can take it", payload)
		}
		taker.giveBack(t.Context(), testName)
		expire(a)
	}
}

// The lease changes only if it is what the taker saw.
func TestLeaseIsTakenOnCondition(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	s, name := stores[0], leaseOf(testName)
	must(t, s.makeLease(t.Context(), name))
	for _, test := range []struct {
		stored map[string]any
		seen   claim
		takes  bool
	}{
		{map[string]any{"holder": "a", "beat": 3}, claim{"a", 3}, true},
		{map[string]any{"holder": "a", "beat": 4}, claim{"a", 3}, false},
		{map[string]any{"holder": "b", "beat": 3}, claim{"a", 3}, false},
		{map[string]any{"holder": "a", "beat": 3}, claim{}, false},
		{map[string]any{"holder": "", "beat": 4}, claim{"", 4}, true},
		{nil, claim{}, true},
		{nil, claim{"a", 3}, false},
		{map[string]any{"beat": 3}, claim{"a", 3}, false},
		{map[string]any{"holder": "a"}, claim{"a", 3}, false},
	} {
		server.Insert(name, leaseID, test.stored, []float32{1})
		next := claim{"me", 9}
		must(t, s.writeLease(t.Context(), name, test.seen, next))
		if now, err := s.readLease(t.Context(), name); err != nil || (now == next) != test.takes {
			t.Errorf("stored %v, seen %v: %v (%v)", test.stored, test.seen, now, err)
		}
	}
}

// The holder renews between another's look and its write.
func TestHolderRenewsBesideATaker(t *testing.T) {
	server, stores := bots(t, 2, Config{})
	a, b := stores[0], stores[1]
	a.times.ask, b.times.ask = time.Minute, time.Minute
	if !writesNow(t, a) || writesNow(t, b) {
		t.Fatal("the first does not write, or the second does")
	}
	a.times.lasts = time.Hour
	expire(a)
	b.lease.since = time.Now().Add(-time.Hour)
	server.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Upsert, Slow: 2 * time.Second})
	before := server.Calls(qdranttest.Upsert)
	took := make(chan bool, 1)
	go func() {
		ok, _ := b.writes(t.Context(), testName)
		took <- ok
	}()
	must(t, server.Await(t.Context(), func() bool { return server.Calls(qdranttest.Upsert) > before }))
	if ok, err := a.writes(t.Context(), testName); !ok || err != nil {
		t.Errorf("the holder does not keep it: %v", err)
	}
	if <-took {
		t.Error("both have the lease")
	}
}

// A lease lasts from when its renewal was asked for, and longer than one that failed.
func TestRenewal(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	s := stores[0]
	if !writesNow(t, s) {
		t.Fatal("it does not write")
	}
	s.times.lasts = time.Hour
	renew := func() bool {
		s.lease.until = time.Now().Add(s.times.lasts / 2)
		ok, _ := s.writes(t.Context(), testName)
		return ok
	}
	const slow = 150 * time.Millisecond
	server.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Upsert, Slow: slow})
	if !renew() || time.Until(s.lease.until) > s.times.lasts-slow {
		t.Error("it holds longer than others see it who count from the write")
	}
	server.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Get, Code: codes.Internal, Message: "no"})
	if !renew() {
		t.Error("one renewal that fails loses a lease that lasts on")
	}
}

// Who waits for another's renewal gives up when its own time is over.
func TestDeadlineBesideARenewal(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	s := stores[0]
	if !writesNow(t, s) {
		t.Fatal("it does not write")
	}
	s.times.ask = time.Hour
	expire(s)
	server.Freeze()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.writes(ctx, testName) })
	until(t, "the renewal to be under way", func() bool { return len(s.lease.turn) > 0 })
	within, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Put(within, vectors(0, 1)); !isCode(err, codes.DeadlineExceeded) {
		t.Errorf("error: %v", err)
	}
	cancel()
	gaveUp, giveUp := context.WithCancel(t.Context())
	giveUp()
	if err := s.Put(gaveUp, vectors(0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	if len(s.lease.turn) == 0 {
		t.Error("they waited for the renewal")
	}
	stop()
	wg.Wait()
	s.hurry()
	server.Thaw()
}

// A write of many goes on only as long as the lease does.
func TestLongWriteOutlivesTheLease(t *testing.T) {
	_, stores := bots(t, 2, Config{})
	a, b := stores[0], stores[1]
	if !writesNow(t, a) || writesNow(t, b) {
		t.Fatal("the first does not write, or the second does")
	}
	n := 0
	err := write(t.Context(), a, []string{"x", "y", "z"}, 1, func(context.Context, string, []string) error {
		n++
		until(t, "the second to write", func() bool { return writesNow(t, b) })
		return nil
	})
	if n != 1 || !errors.Is(err, kb.ErrNotWriter) {
		t.Errorf("%d chunks written (%v)", n, err)
	}
}

// A clean stop gives the lease back, also where the reply to its last renewal, or to the first,
// was lost.
func TestGiveBackAfterALostReply(t *testing.T) {
	for _, first := range []bool{false, true} {
		server, stores := bots(t, 2, Config{})
		a, b := stores[0], stores[1]
		a.times.lasts, b.times.lasts = time.Hour, time.Hour
		if !first && !writesNow(t, a) {
			t.Fatal("it does not write")
		}
		a.lease.until = a.lease.until.Add(-a.times.lasts / 2)
		server.Misbehave(1, qdranttest.Mischief{Method: qdranttest.Upsert, Hang: true, Done: true})
		if ok, _ := a.writes(t.Context(), testName); ok == first {
			t.Fatalf("it writes: %v", ok)
		}
		a.giveBack(t.Context(), testName)
		if !writesNow(t, b) {
			t.Error("the second has to wait for the end of a lease that was given back")
		}
	}
}

// A stop gives back only what is one's own.
func TestGiveBackOfAnothers(t *testing.T) {
	server, stores := bots(t, 2, Config{})
	a, b := stores[0], stores[1]
	if !writesNow(t, a) || writesNow(t, b) {
		t.Fatal("the first does not write, or the second does")
	}
	before := server.Points(leaseOf(testName))
	b.giveBack(t.Context(), testName)
	if diff := cmp.Diff(before, server.Points(leaseOf(testName))); diff != "" {
		t.Error(diff)
	}
}

// After a kill the next bot writes within 17 s, whenever it looks, and what its calls take.
func TestTakeoverInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for wait := time.Duration(0); wait <= usualTimes.look; wait += 50 * time.Millisecond {
			began, l := time.Now(), lease{holder: "me"}
			l.seen, l.since = claim{"another", 1}, time.Now().Add(-usualTimes.renew)
			time.Sleep(min(wait, l.nap(usualTimes)))
			l.seen, l.since = claim{"another", 2}, time.Now() // the last beat, of when it began
			for !l.mayTake(l.seen, usualTimes.lasts) {
				time.Sleep(l.nap(usualTimes))
			}
			if took := time.Since(began); took > usualTimes.look+usualTimes.lasts {
				t.Errorf("seen after %v, taken after %v", wait, took)
			}
		}
	})
}

// Another program's collection that has the lease's name is refused and left alone.
func TestForeignLeaseCollection(t *testing.T) {
	name := leaseOf(testName)
	for _, test := range []struct {
		what  string
		there func(*qdranttest.Server)
		fits  bool
	}{
		{"theirs", func(s *qdranttest.Server) {
			s.Recreate(name, 1, qdrant.Distance_Dot)
			s.Insert(name, "7", map[string]any{"text": "theirs"}, []float32{1})
		}, false},
		{"empty, for other vectors", func(s *qdranttest.Server) { s.Recreate(name, 3, qdrant.Distance_Dot) }, false},
		{"empty", func(s *qdranttest.Server) { s.Recreate(name, 1, qdrant.Distance_Dot) }, true},
		{"ours, made anew without a mark", func(s *qdranttest.Server) {
			s.Recreate(name, 1, qdrant.Distance_Dot)
			s.Insert(name, leaseID, map[string]any{"holder": "", "beat": 7}, []float32{1})
		}, true},
	} {
		server, s := served(t, qdranttest.Options{Strict: true}, Config{})
		test.there(server)
		before := everything(server)[name]
		err := s.Put(t.Context(), vectors(0, 1))
		if test.fits {
			must(t, err)
			if info := server.Info(name); info.Metadata[metaLease] == nil || len(info.Indexes) != 2 {
				t.Errorf("%s: it is not mended: %+v", test.what, info)
			}
			continue
		}
		const want = "collection citebot_random-1_64_lease, for the writer's lease, is not citebot's; name another than citebot_random-1_64 with QDRANT_COLLECTION"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error: %v", test.what, err)
		}
		if diff := cmp.Diff(before, everything(server)[name]); diff != "" {
			t.Errorf("%s: it was changed:\n%s", test.what, diff)
		}
	}
}

// A lease's collection that is made anew under a running bot is mended, too.
func TestLeaseIsRecreated(t *testing.T) {
	server, stores := bots(t, 1, Config{})
	s := stores[0]
	if !writesNow(t, s) {
		t.Fatal("it does not write")
	}
	server.Recreate(leaseOf(testName), 1, qdrant.Distance_Dot)
	expire(s)
	_ = s.Put(t.Context(), vectors(0, 1)) // whatever becomes of it: filters want an index
	must(t, s.Put(t.Context(), vectors(0, 1)))
}
