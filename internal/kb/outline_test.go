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
	want := Outline{Path: "returns.md", Title: view.Document.Title, Audience: "public", First: got.First,
		Headings:  []string{"Returns", "Can I return a gift?", "Returns"},
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

// Headings above a passage and inside it count once each, and the title never.
func TestOutlineHeadings(t *testing.T) {
	text := "Thirty days.\nIn the EU\nFourteen days more."
	joined := []Span{{Kind: Paragraph, End: 12}, {Kind: Heading, Start: 13, End: 22}, {Kind: Paragraph, Start: 23, End: len(text)}}
	e := entry{title: "Returns policy"}
	for _, p := range []Passage{
		{Headings: []string{"Returns policy"}},
		{Headings: []string{"Returns policy", "How long", "Holidays"}},
		{Headings: []string{"Returns policy", "How long", "Holidays"}, Text: text, Spans: joined},
		{Headings: []string{"Returns policy", "How long", "In the EU"}},
		{Headings: []string{"Returns policy", "Gifts"}},
	} {
		e.passages = append(e.passages, &p)
	}
	if diff := cmp.Diff([]string{"How long", "Holidays", "In the EU", "Gifts"}, e.outline().Headings); diff != "" {
		t.Error(diff)
	}
}
