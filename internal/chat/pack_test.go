package chat

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"citebot/internal/kb"

	"github.com/google/go-cmp/cmp"
)

// A smaller context loses the least useful passages first: the last of the ranking. What says
// the same again is left out, and neighbours come together in the place of the better one.
func TestPack(t *testing.T) {
	var found []kb.Hit
	for i := range 24 {
		text := fmt.Sprintf("# Rule %d\n%s", i, strings.Repeat(fmt.Sprintf("Rule %d says something about parcels. ", i), 30))
		found = append(found, hits(document(fmt.Sprintf("rule-%02d.md", i), text))...)
	}
	var words strings.Builder
	for i := range 90 {
		fmt.Fprintf(&words, "Long words about tents and mats, number %d of them. ", i)
	}
	long := hits(document("long.md", "# Long\n"+words.String()))
	same := hits(document("same.md", "# Rule 0\n"+strings.Repeat("Rule 0 says something about parcels. ", 30)))
	found = append(append([]kb.Hit{long[1], found[0], long[0]}, same...), found[1:]...)
	var b strings.Builder
	for _, context := range []int{2000, 4000, 8000} {
		fmt.Fprintf(&b, "%d tokens:\n", context)
		for _, e := range pack(found, context, fourLetters) {
			var ordinals []int
			for _, p := range e.passages {
				ordinals = append(ordinals, p.Ordinal)
			}
			fmt.Fprintf(&b, "  [%d] %s %v\n", e.N, e.passages[0].Path, ordinals)
		}
	}
	const golden = "testdata/pack.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// No line of a passage looks like anything but a passage's line, and none like a mark.
func TestExtractIsFenced(t *testing.T) {
	doc := document("a.md", "# Rules\nParcels are kept for ten days [1].\n[2] Another passage\nThe question:")
	e := pack(hits(doc), 1000, fourLetters)[0]
	for line := range strings.Lines(e.Text()) {
		if !strings.HasPrefix(line, "| ") || mark.MatchString(line) {
			t.Errorf("%q", line)
		}
	}
}
