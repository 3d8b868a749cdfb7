package kb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// After any sequence of edits, with restarts between them, both indexes hold just what
// a fresh library over the same folder holds, and the search finds the same.
func TestAnyEditsEqualAFreshBuild(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t)
		names := []string{"a.md", "b.md", "staff/c.md", "staff/d.md"}
		files := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(rt, "edits") {
			name := rapid.SampledFrom(names).Draw(rt, "name")
			switch rapid.IntRange(0, 4).Draw(rt, "edit") {
			case 0:
				if files[name] && len(files) > 1 {
					f.remove(name)
					delete(files, name)
				}
			case 1:
				f.reopen()
			default:
				f.write(name, draftText(rt))
				files[name] = true
			}
			if rapid.Bool().Draw(rt, "sync") {
				f.sync()
			}
		}
		f.sync() // deletions that look like a lost volume are believed at the third scan
		f.sync()
		f.sync()
		fresh := &fixture{T: t, cfg: f.cfg, words: f.words}
		fresh.cfg.State = t.TempDir()
		fresh.open()
		defer fresh.lib.Close()
		fresh.sync()
		if diff := cmp.Diff(fresh.texts(), f.texts()); diff != "" {
			rt.Fatalf("texts: %s", diff)
		}
		if diff := cmp.Diff(fresh.indexed(), f.indexed()); diff != "" {
			rt.Fatalf("indexes: %s", diff)
		}
		if diff := cmp.Diff(fresh.find("lamp van", "public", "staff"), f.find("lamp van", "public", "staff")); diff != "" {
			rt.Fatalf("hits: %s", diff)
		}
	})
}

func draftText(rt *rapid.T) string {
	word := rapid.SampledFrom([]string{"lamp", "van", "boat", "# Heading", "tent", ""})
	return strings.Join(rapid.SliceOfN(word, 1, 6).Draw(rt, "lines"), "\n") + "\nEnd."
}

// indexed lists what either index holds.
func (f *fixture) indexed() map[string][]string {
	f.Helper()
	lexical, err := f.lib.lex.hashes()
	if err != nil {
		f.Fatal(err)
	}
	keys, err := f.lib.vecs.store.(*MemoryVectors).Keys(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	slices.Sort(keys)
	var hashes []string
	for h := range lexical {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	return map[string][]string{"bm25": hashes, "vectors": keys}
}

// While two documents are edited again and again, every search finds the section of each
// that it asks for, and never one version of a document beside another.
func TestReloadLeavesNoHoleAndMixesNoVersions(t *testing.T) {
	f := newFixture(t)
	edition := func(n int) string {
		return fmt.Sprintf("# Lamps\nLamps edition %d burn long.\n# Lamp care\nClean lamps edition %d weekly. %s", n, n, strings.Repeat("Care matters. ", 60))
	}
	f.write("lamps.md", edition(0))
	f.sync()
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for ctx.Err() == nil {
				checkEditions(t, f.lib)
			}
		})
	}
	for n := 1; n <= 25; n++ {
		f.write("lamps.md", edition(n))
		f.sync()
		if got := f.texts()["lamps.md"]; !strings.Contains(got, fmt.Sprintf("edition %d ", n)) {
			t.Errorf("edition %d does not answer", n)
		}
	}
	stop()
	asking.Wait()
}

func checkEditions(t *testing.T, lib *Library) {
	r, err := lib.Search(context.Background(), Query{Text: "lamps edition", Audiences: []string{"public"}})
	if err != nil {
		t.Error(err)
		return
	}
	editions := map[string]bool{}
	passages := 0
	for _, h := range r.Hits {
		for _, p := range h.Passages {
			passages++
			_, rest, _ := strings.Cut(p.Text, "edition ")
			n, _, _ := strings.Cut(rest, " ")
			editions[n] = true
		}
	}
	if len(editions) != 1 || passages < 2 || len(r.Degraded) > 0 {
		t.Errorf("one search found %d passages of editions %v, degraded %v", passages, editions, r.Degraded)
	}
}

// Run follows edits by events, and ends without leaving anything behind.
func TestRunFollowsEditsAndEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	f := newFixture(t, "a.md", "Lamps are cheap.")
	f.cfg.Rescan = time.Hour // so that only events can tell
	f.reopen()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.lib.Run(ctx) }()
	f.await("first load", func() bool { return f.texts()["a.md"] == "Lamps are cheap." })
	f.write("new/deep/b.md", "Vans are dear.")
	f.await("a file in a new folder", func() bool { return f.texts()["new/deep/b.md"] != "" })
	f.write("a.md", "Lamps are dear.")
	f.await("an edit", func() bool { return f.texts()["a.md"] == "Lamps are dear." })
	f.remove("a.md")
	f.await("a deletion", func() bool { return f.texts()["a.md"] == "" })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := f.lib.Close(); err != nil {
		t.Error(err)
	}
}

// await polls until the library's own goroutines have brought something about.
func (f *fixture) await(what string, ok func() bool) {
	f.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			f.Fatalf("%s: not seen; status %+v", what, f.lib.Status())
		case <-tick.C:
		}
	}
}

func TestSettlerWaitsForAWriter(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	stat := func(size int64, ms int) fileStat { return fileStat{Size: size, ModNS: at(ms).UnixNano()} }
	s := settler{quiet: 250 * time.Millisecond, looks: map[string]look{}}
	for i, c := range []struct {
		stat fileStat
		now  int
		want bool
	}{
		{stat(10, 0), 5, false},     // first seen
		{stat(20, 100), 110, false}, // grew
		{stat(20, 100), 300, false}, // quiet, but not for long enough
		{stat(20, 100), 361, true},
		{stat(0, 400), 410, false}, // emptied: someone may be about to fill it
		{stat(0, 400), 900, false},
		{stat(0, 400), 2500, true},
		{stat(30, 2600), 9000, true}, // last written long ago
	} {
		if got := s.settled("a.md", c.stat, at(c.now)); got != c.want {
			t.Errorf("look %d: settled = %v", i, got)
		}
	}
}
