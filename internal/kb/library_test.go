package kb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSearchFollowsTheFolder(t *testing.T) {
	f := newFixture(t, "returns.md", "# Returns\nYou have 30 days to send a jacket back.", "pay.md", "# Paying\nWe take cards and vouchers.")
	f.sync()
	if got := f.search("send jacket back").Hits[0].Passages[0].Text; got != "You have 30 days to send a jacket back." {
		t.Fatalf("first hit %q", got)
	}
	f.write("returns.md", "# Returns\nYou have 45 days to send a jacket back.")
	f.sync()
	if got := f.search("send jacket back").Hits[0].Passages[0].Text; got != "You have 45 days to send a jacket back." {
		t.Fatalf("after the edit, first hit %q", got)
	}
	f.remove("returns.md")
	f.sync()
	if got := f.find("send jacket back"); len(got) > 1 || len(got) == 1 && got[0] != "pay.md" {
		t.Fatalf("after the deletion, hits in %v", got)
	}
}

func TestRestartEmbedsNothingAndFindsTheSame(t *testing.T) {
	f := newFixture(t, "a.md", "# A\nLamps are repaired.", "staff/b.md", "# B\nOnly staff read of lamps.")
	f.sync()
	before := f.search("lamps", "public", "staff")
	if n := len(f.words.taken()); n != 2 {
		t.Fatalf("first load embedded %d texts", n)
	}
	f.reopen()
	if _, err := f.lib.Search(t.Context(), Query{Text: "lamps"}); !errors.Is(err, ErrBusy) {
		t.Fatalf("before a scan: %v", err)
	}
	f.sync()
	after := f.search("lamps", "public", "staff")
	if diff := cmp.Diff(before.Hits, after.Hits); diff != "" {
		t.Error(diff)
	}
	if texts := f.words.taken(); len(texts) > 0 {
		t.Errorf("restart embedded %q", texts)
	}
}

func TestOnlyChangedTextIsEmbedded(t *testing.T) {
	long := strings.Repeat("Every word of this section is about lamps and how long they burn. ", 15)
	f := newFixture(t, "a.md", "# One\n"+long+"\n# Two\nThe shop opens at nine.")
	f.sync()
	f.words.taken()
	f.write("a.md", "# One\n"+long+"\n# Two\nThe shop opens at ten.")
	f.sync()
	if texts := f.words.taken(); len(texts) != 1 || !strings.Contains(texts[0], "ten") {
		t.Errorf("embedded %q", texts)
	}
}

func TestAudienceIsPartOfBothQueries(t *testing.T) {
	f := newFixture(t, "a.md", "Secret lamps exist.", "staff/b.md", "Secret lamps cost 40.", "c.md", "audience: board\nSecret lamps are sold in May.")
	f.sync()
	for _, c := range []struct {
		audiences, want []string
	}{
		{[]string{"public"}, []string{"a.md"}},
		{[]string{"staff"}, []string{"staff/b.md"}},
		{[]string{"board", "public"}, []string{"a.md", "c.md"}},
		{[]string{"nobody"}, nil},
	} {
		got := f.find("secret lamps", c.audiences...)
		if diff := cmp.Diff(asSet(c.want), asSet(got)); diff != "" {
			t.Errorf("%v: %s", c.audiences, diff)
		}
	}
	hits, err := f.lib.lex.search(t.Context(), f.lib.lex.terms(Query{Text: "secret lamps"}), []string{"staff"}, fieldLengths{1, 1, 1}, 10)
	if err != nil || len(hits) != 1 {
		t.Errorf("the lexical leg alone finds %d hits for staff (%v)", len(hits), err)
	}
	scored, err := f.lib.vecs.store.Search(t.Context(), wordVector("secret lamps"), []string{"staff"}, 10)
	if err != nil || len(scored) != 1 {
		t.Errorf("the vector leg alone finds %d hits for staff (%v)", len(scored), err)
	}
}

func asSet(s []string) map[string]bool {
	out := map[string]bool{}
	for _, v := range s {
		out[v] = true
	}
	return out
}

func TestAFolderRuleThatChangesAppliesToUnchangedFiles(t *testing.T) {
	f := newFixture(t, "a.md", "Lamps are cheap.")
	f.sync()
	f.cfg.Audience = func(string) string { return "staff" }
	f.reopen()
	f.sync()
	if got := f.find("lamps"); len(got) > 0 {
		t.Errorf("public still finds %v", got)
	}
	if got := f.find("lamps", "staff"); len(got) != 1 {
		t.Errorf("staff finds %v", got)
	}
}

func TestAFailedFileKeepsItsLastGoodVersion(t *testing.T) {
	f := newFixture(t, "a.md", "Lamps are cheap.", "b.md", "Vans are dear.", "bad.md", "fine\n!oops", "boom.md", "panic")
	f.sync()
	f.write("a.md", "Lamps are\n!broken")
	f.write("b.md", "")
	if err := os.Chtimes(filepath.Join(f.cfg.Docs, "b.md"), longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	f.sync()
	if got := f.texts(); got["a.md"] != "Lamps are cheap." || got["b.md"] != "Vans are dear." {
		t.Errorf("answers from %v", got)
	}
	states := map[string]string{}
	for _, d := range f.lib.Documents() {
		states[d.Path] = fmt.Sprint(d.State, " ", d.Passages, " ", strings.SplitN(d.Problem, ";", 2)[0])
	}
	want := map[string]string{
		"a.md":    "failed 1 line 2: syntax error",
		"b.md":    "failed 1 the file is empty",
		"bad.md":  "failed 0 line 2: syntax error",
		"boom.md": "failed 0 panic: parser",
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error(diff)
	}
	f.write("a.md", "Lamps are dear now.")
	f.sync()
	if got := f.texts()["a.md"]; got != "Lamps are dear now." {
		t.Errorf("mended file answers %q", got)
	}
}

func TestMassDeletionIsHeldBackForTwoRescans(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		f.write(fmt.Sprintf("%d.md", i), fmt.Sprintf("Lamp number %d.", i))
	}
	f.sync()
	for _, name := range []string{"0.md", "1.md", "2.md"} {
		f.remove(name)
	}
	for rescan := range 2 {
		f.sync()
		if n := len(f.texts()); n != 5 {
			t.Fatalf("rescan %d: %d documents answer", rescan, n)
		}
		if p := f.lib.Status().Problems; len(p) != 1 || !strings.Contains(p[0], "3 of 5 documents vanished") {
			t.Fatalf("rescan %d: problems %q", rescan, p)
		}
		f.reopen() // the count survives a restart
	}
	f.sync()
	if n := len(f.texts()); n != 2 {
		t.Errorf("%d documents answer after the third scan", n)
	}
	if p := f.lib.Status().Problems; len(p) != 0 {
		t.Errorf("problems %q", p)
	}
}

// Files that were gone when the program started are gone: a second look soon after must
// not forget that, nor the count of a mass deletion with it.
func TestAMassDeletionFoundAtStartIsCountedOn(t *testing.T) {
	f := newFixture(t, "0.md", "Lamp.", "1.md", "Van.", "2.md", "Boat.")
	f.sync()
	f.remove("0.md")
	f.remove("1.md")
	f.reopen()
	root, err := os.OpenRoot(f.cfg.Docs)
	must(t, err)
	defer root.Close()
	found, err := walk(root, f.cfg.Accepts)
	must(t, err)
	now := time.Now()
	for scan := 1; scan <= 2; scan++ {
		f.lib.diff(found, now, true)
		f.lib.scanner.first = false
		if held := f.lib.scanner.held; held != scan {
			t.Errorf("after scan %d the count is %d", scan, held)
		}
	}
	if d := f.lib.diff(found, now, true); len(d.removed) != 2 {
		t.Errorf("the third scan removes %v", d.removed)
	}
}

func TestARenamedFolderIsNoMassDeletion(t *testing.T) {
	f := newFixture(t, "old/a.md", "Lamps.", "old/b.md", "Vans.", "old/c.md", "Boats.")
	f.sync()
	if err := os.Rename(filepath.Join(f.cfg.Docs, "old"), filepath.Join(f.cfg.Docs, "new")); err != nil {
		t.Fatal(err)
	}
	f.sync()
	if diff := cmp.Diff(map[string]string{"new/a.md": "Lamps.", "new/b.md": "Vans.", "new/c.md": "Boats."}, f.texts()); diff != "" {
		t.Error(diff)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	f := newFixture(t)
	if _, err := Open(t.Context(), f.cfg); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v", err)
	}
}

func TestMissingFolder(t *testing.T) {
	cfg := Config{Docs: filepath.Join(t.TempDir(), "none"), State: t.TempDir()}
	_, err := Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), cfg.Docs) || !strings.Contains(err.Error(), "BOT_DOCS") {
		t.Fatalf("got %v", err)
	}
}

func TestLinksOutOfTheFolderAreReportedAndNotRead(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.md")
	if err := os.WriteFile(outside, []byte("The vault code is 1234."), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, "a.md", "Lamps.", "deep/b.md", "Vans.")
	for link, target := range map[string]string{"out.md": outside, "outdir": filepath.Dir(outside), "in.md": "deep/b.md", "ring": ".", "up.md": "../" + filepath.Base(outside)} {
		if err := os.Symlink(target, filepath.Join(f.cfg.Docs, link)); err != nil {
			t.Fatal(err)
		}
	}
	f.sync()
	if diff := cmp.Diff(map[string]string{"a.md": "Lamps.", "deep/b.md": "Vans.", "in.md": "Vans."}, f.texts()); diff != "" {
		t.Error(diff)
	}
	for _, d := range f.lib.Documents() {
		if wantFailed := d.Path == "out.md" || d.Path == "up.md"; wantFailed != (d.State == Failed) {
			t.Errorf("%s is %s: %s", d.Path, d.State, d.Problem)
		}
	}
}

func TestViewShowsASourceAsItWasCited(t *testing.T) {
	f := newFixture(t, "a.md", "# Lamps\nLamps burn for 10 hours.", "b.md", "# Vans\nVans are dear.")
	f.sync()
	lamp, van := f.search("lamps burn").Hits[0].Passages[0].Hash, f.search("vans dear").Hits[0].Passages[0].Hash
	if v, ok := f.lib.View(lamp); !ok || !v.Current || v.Passage.Hash != lamp {
		t.Fatalf("today's passage: %v %+v", ok, v)
	}
	f.write("a.md", "# Lamps\nLamps burn for 20 hours.")
	f.remove("b.md")
	f.sync()
	f.reopen()
	v, ok := f.lib.View(lamp)
	if !ok || v.Current || v.Removed || v.Passage.Text != "Lamps burn for 10 hours." || v.Now == nil || v.Now.Text != "Lamps burn for 20 hours." {
		t.Errorf("changed passage: %v %+v", ok, v)
	}
	if v, ok := f.lib.View(van); !ok || !v.Removed || v.Now != nil || len(v.Document.Blocks) != 2 {
		t.Errorf("removed passage: %v %+v", ok, v)
	}
	if _, ok := f.lib.View("nonsense"); ok {
		t.Error("found a source that never was")
	}
}

// Passages are indexed by one language's rules; a question must not be held against them
// by another's.
func TestAnotherLanguageRebuildsTheIndex(t *testing.T) {
	f := newFixture(t, "a.md", "Two lamps burn.")
	f.sync()
	if h := f.search("lamp").Hits[0]; h.BM25.Rank != 1 {
		t.Fatal("English does not find the plural")
	}
	f.cfg.Language = "xx" // no stemming: only the very word is found
	f.reopen()
	f.sync()
	if h := f.search("lamp").Hits[0]; h.BM25.Rank != 0 {
		t.Error("the English index still answers")
	}
	if h := f.search("lamps").Hits[0]; h.BM25.Rank != 1 {
		t.Error("the word itself is not found")
	}
}
