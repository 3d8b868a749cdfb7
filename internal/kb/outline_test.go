package kb

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOutlines(t *testing.T) {
	f := newFixture(t,
		"returns.md", "# Returns\nThirty days.\n# Can I return a gift?\nYes.\n# Returns\nCan I post it? Yes, with the label. Is it free? No.",
		"staff/leave.md", "# Leave\nTwenty-five days.",
		"empty.md", "")
	f.sync()
	outlines := f.lib.Outlines([]string{"public"})
	if len(outlines) != 1 {
		t.Fatalf("outlines %+v", outlines)
	}
	got := outlines[0]
	view, ok := f.lib.View(got.First)
	if !ok || view.Passage.Ordinal != 0 || view.Passage.Path != "returns.md" {
		t.Errorf("First leads to %+v", view.Passage)
	}
	hash := func(ordinal int) string { return f.lib.manifest().entries["returns.md"].passages[ordinal].Hash }
	want := Outline{Path: "returns.md", Title: view.Document.Title, Audience: "public", First: got.First,
		Sections:  []Section{{"Returns", 1, hash(0)}, {"Can I return a gift?", 1, hash(1)}, {"Returns", 1, hash(2)}},
		Questions: []string{"Can I return a gift?", "Can I post it?"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := f.lib.Outlines([]string{"public", "staff"}); len(got) != 2 || got[1].Path != "staff/leave.md" {
		t.Errorf("for both audiences %+v", got)
	}
	if got := f.lib.Outlines(nil); got != nil {
		t.Errorf("for nobody %+v", got)
	}
	f.remove("returns.md")
	f.sync()
	if got := f.lib.Outlines([]string{"public"}); got != nil {
		t.Errorf("after the deletion %+v", got)
	}
}

// Headings above a passage and inside it count once each, and the title never. Each leads
// to the passage that it begins in.
func TestOutlineSections(t *testing.T) {
	text := "Thirty days.\nIn the EU\nFourteen days more.\nFrom afar\nNone."
	joined := []Span{
		{Kind: Paragraph, End: 12}, {Kind: Heading, Start: 13, End: 22}, {Kind: Paragraph, Start: 23, End: 42},
		{Kind: Heading, Start: 43, End: 52}, {Kind: Paragraph, Start: 53, End: len(text)},
	}
	e := entry{title: "Returns policy"}
	for _, p := range []Passage{
		{Hash: "a", Headings: []string{"Returns policy"}},
		{Hash: "b", Headings: []string{"Returns policy", "How long", "Holidays"}},
		{Hash: "c", Headings: []string{"Returns policy", "How long", "Holidays"}, Text: text, Spans: joined},
		{Hash: "d", Headings: []string{"Returns policy", "How long", "Holidays", "From afar"}},
		{Hash: "e", Headings: []string{"Returns policy", "Gifts"}},
	} {
		e.passages = append(e.passages, &p)
	}
	want := []Section{{"How long", 1, "b"}, {"Holidays", 2, "b"}, {"In the EU", 2, "c"}, {"From afar", 3, "c"}, {"Gifts", 1, "e"}}
	if diff := cmp.Diff(want, e.outline().Sections); diff != "" {
		t.Error(diff)
	}
}

// The first heading is of level 1 also where the title is none of the headings, or where
// the text begins before it.
func TestOutlineLevels(t *testing.T) {
	text := "Hello.\nReturns\nThirty days."
	e := entry{title: "Policies", passages: []*Passage{
		{Hash: "a", Text: text, Spans: []Span{{Kind: Paragraph, End: 6}, {Kind: Heading, Start: 7, End: 14}, {Kind: Paragraph, Start: 15, End: len(text)}}},
		{Hash: "b", Headings: []string{"Gifts", "Vouchers"}},
	}}
	want := []Section{{"Returns", 1, "a"}, {"Gifts", 1, "b"}, {"Vouchers", 2, "b"}}
	if diff := cmp.Diff(want, e.outline().Sections); diff != "" {
		t.Error(diff)
	}
}
