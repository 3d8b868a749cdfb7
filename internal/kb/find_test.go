package kb

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The index must score as BM25F is written down, here worked out by hand-counted words.
func TestBM25F(t *testing.T) {
	texts := map[string]string{
		"a.md": "lamp lamp lamp oil",
		"b.md": "lamp oil oil wick",
		"c.md": "van van van van van van van van",
		"d.md": "oil",
	}
	f := newFixture(t)
	var total float64
	for name, text := range texts {
		f.write(name, text)
		total += float64(len(strings.Fields(text)))
	}
	f.sync()
	avg, n := total/4, 4.0
	score := func(text string, terms ...string) float64 {
		words := strings.Fields(text)
		sum := 0.0
		for _, term := range terms {
			df, tf := 0.0, float64(strings.Count(text, term))
			for _, other := range texts {
				if strings.Contains(other, term) {
					df++
				}
			}
			w := tf / (1 - 0.75 + 0.75*float64(len(words))/avg)
			sum += math.Log(1+(n-df+0.5)/(df+0.5)) * w * 2.2 / (w + 1.2)
		}
		return sum
	}
	want := map[string]float64{}
	for _, name := range []string{"a.md", "b.md", "d.md"} {
		want[name] = score(texts[name], "lamp", "oil")
	}
	got := map[string]float64{}
	for _, h := range f.search("lamp oil").Hits {
		if h.BM25.Rank > 0 {
			got[h.Passages[0].Path] = h.BM25.Score
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Error(diff)
	}
}

func TestCoverageAndMatchedWords(t *testing.T) {
	f := newFixture(t, "a.md", "The lamps burn oil.", "b.md", "Vans are dear.")
	f.sync()
	h := f.search("Do lamps burn kerosene?").Hits[0]
	if diff := cmp.Diff([]string{"lamps", "burn"}, h.Matched); diff != "" {
		t.Error(diff)
	}
	if h.Coverage <= 0.4 || h.Coverage >= 0.7 {
		t.Errorf("two of three words cover %.2f", h.Coverage)
	}
}

func TestCluesCountLessThanTheQuestion(t *testing.T) {
	f := newFixture(t, "lamps.md", "Lamps cost nine pounds.", "vans.md", "Vans cost nine pounds.")
	f.sync()
	for clue, want := range map[string]string{"lamps": "lamps.md", "vans": "vans.md"} {
		r, err := f.lib.Search(t.Context(), Query{Text: "what does it cost", Context: []Clue{{"tell me about " + clue, 0.5}}, Audiences: []string{"public"}})
		must(t, err)
		if got := r.Hits[0].Passages[0].Path; got != want {
			t.Errorf("after talk of %s: %s first", clue, got)
		}
	}
	r, err := f.lib.Search(t.Context(), Query{Text: "what do vans cost", Context: []Clue{{"tell me about lamps", 0.5}}, Audiences: []string{"public"}})
	must(t, err)
	if got := r.Hits[0].Passages[0].Path; got != "vans.md" {
		t.Errorf("the clue outweighs the question: %s first", got)
	}
}

// fused shows candidates as "path score", best first.
func fused(lexical []lexicalHit, vectors []Scored, vectored map[string]bool) []string {
	m := &manifest{passages: map[string]*Passage{}}
	for _, hash := range []string{"a", "b", "c", "d"} {
		m.passages[hash] = &Passage{ID: hash, Path: hash, Hash: hash, Audience: "public"}
	}
	m.passages["secret"] = &Passage{ID: "secret", Path: "secret", Hash: "secret", Audience: "staff"}
	f := fusion{manifest: m, query: Query{Audiences: []string{"public"}}, lexical: lexical, vectors: vectors,
		vectored: func(hash string) bool { return vectored[hash] }}
	var out []string
	for _, h := range f.hits() {
		out = append(out, fmt.Sprintf("%s %.2f", h.Passages[0].Path, h.Score))
	}
	return out
}

func TestFusion(t *testing.T) {
	all := map[string]bool{"a": true, "b": true, "c": true, "d": true}
	lexical := []lexicalHit{{hash: "gone", score: 9}, {hash: "a", score: 8}, {hash: "secret", score: 7}, {hash: "b", score: 4}}
	for _, c := range []struct {
		name     string
		lexical  []lexicalHit
		vectors  []Scored
		vectored map[string]bool
		want     []string
	}{
		{"words alone", lexical[1:], nil, nil, []string{"a 1.00", "b 0.50"}},
		{"vectors alone", nil, []Scored{{"b", 0.9}, {"c", 0.7}, {"d", 0.5}}, all, []string{"b 0.50", "c 0.25", "d 0.00"}},
		{"both", lexical[1:], []Scored{{"b", 0.9}, {"a", 0.7}, {"d", 0.5}}, all, []string{"a 0.75", "b 0.75", "d 0.00"}},
		{"one without a vector yet goes by its words", lexical[1:], []Scored{{"b", 0.9}, {"d", 0.5}},
			map[string]bool{"b": true, "d": true}, []string{"a 1.00", "b 0.75", "d 0.00"}},
		{"another generation's and another audience's", lexical, []Scored{{"secret", 0.9}, {"a", 0.5}}, all, []string{"a 1.00", "b 0.25"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, fused(c.lexical, c.vectors, c.vectored)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNeighboursBecomeOneHit(t *testing.T) {
	f := newFixture(t, "a.md", "# Lamps\n"+prose(150)+" lamps\n"+prose(150)+" lamps\n# Vans\nVans and lamps.")
	f.sync()
	r := f.search("lamps")
	if len(r.Hits) != 2 || len(r.Hits[0].Passages)+len(r.Hits[1].Passages) != 3 {
		t.Fatalf("%d hits", len(r.Hits))
	}
	for _, h := range r.Hits {
		for i, p := range h.Passages[1:] {
			if p.Ordinal != h.Passages[i].Ordinal+1 || p.Anchor != h.Passages[i].Anchor {
				t.Errorf("%s follows %s", p.ID, h.Passages[i].ID)
			}
		}
	}
}

// Trouble with the embedding model costs the vectors of what is new, nothing else.
func TestSearchWithoutAnEmbedderThatWorks(t *testing.T) {
	f := newFixture(t, "a.md", "Lamps are cheap.")
	f.words.err = errors.New("out of order")
	if err := f.lib.Sync(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Fatalf("Sync: %v", err)
	}
	r := f.search("lamps")
	if len(r.Hits) != 1 {
		t.Errorf("%d hits by words", len(r.Hits))
	}
	if d := f.lib.Status().Degraded; len(d) != 1 || d[0] != "vectors" {
		t.Errorf("degraded %v", d)
	}
	if s := f.lib.Documents()[0].State; s != Pending {
		t.Errorf("the document is %s", s)
	}
	f.words.err = nil
	f.sync()
	if s := f.lib.Documents()[0].State; s != Live {
		t.Errorf("after the repair the document is %s", s)
	}
}

// While most vectors are still to come, a search makes those of its best lexical hits, and
// says that vectors hardly take part.
func TestASearchDuringALoadCatchesUp(t *testing.T) {
	f := newFixture(t)
	for i := range 40 {
		f.write(fmt.Sprintf("%d.md", i), fmt.Sprintf("Van number %d is dear.", i))
	}
	f.write("lamps.md", "Lamps are cheap.")
	_, _, err := f.lib.scan(t.Context(), false)
	for err == nil && !f.lib.ready.Load() {
		_, _, err = f.lib.scan(t.Context(), false)
	}
	must(t, err)
	r := f.search("lamps")
	if h := r.Hits[0]; h.Passages[0].Path != "lamps.md" || h.Vector.Rank != 1 {
		t.Errorf("first hit %s, vector rank %d", h.Passages[0].Path, h.Vector.Rank)
	}
	if diff := cmp.Diff([]string{"vectors"}, r.Degraded); diff != "" {
		t.Error(diff)
	}
	f.sync()
	if r = f.search("lamps"); len(r.Degraded) > 0 {
		t.Errorf("after the load: degraded %v", r.Degraded)
	}
	if n := len(f.words.taken()); n != 41 {
		t.Errorf("41 passages took %d embeddings", n)
	}
}

// A lexical index whose reads fail or panic is built anew without anything being edited.
func TestALexiconThatCannotBeReadIsRebuilt(t *testing.T) {
	f := newFixture(t, "a.md", "Lamps are cheap.")
	f.sync()
	must(t, f.lib.lex.idx.Close()) // from now on the handle fails, as it does after a full disk
	if r := f.search("lamps"); len(r.Degraded) != 1 || len(r.Hits) != 1 {
		t.Errorf("while it fails: %d hits, degraded %v", len(r.Hits), r.Degraded)
	}
	select {
	case <-f.lib.bell:
	default:
		t.Error("no scan was asked for")
	}
	f.sync()
	if r := f.search("lamps"); len(r.Degraded) != 0 || r.Hits[0].BM25.Rank != 1 {
		t.Errorf("after the next scan: degraded %v", r.Degraded)
	}
}

// A lexical index that fails in the middle of a reload is built anew, and nothing is
// missing afterwards.
func TestABrokenLexiconIsRebuilt(t *testing.T) {
	f := newFixture(t, "a.md", "Lamps are cheap.")
	f.sync()
	_ = f.lib.lex.fail(errors.New("disk full"))
	r := f.search("lamps")
	if len(r.Degraded) != 1 || r.Degraded[0] != "bm25" || len(r.Hits) != 1 {
		t.Errorf("while broken: %d hits, degraded %v", len(r.Hits), r.Degraded)
	}
	f.write("b.md", "Lamps are dear, too.")
	f.sync()
	if r = f.search("lamps"); len(r.Hits) != 2 || len(r.Degraded) > 0 {
		t.Errorf("after the reload: %d hits, degraded %v", len(r.Hits), r.Degraded)
	}
	for _, h := range r.Hits {
		if h.BM25.Rank == 0 {
			t.Errorf("%s is not in the lexical index", h.Passages[0].Path)
		}
	}
}
