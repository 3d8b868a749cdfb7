package web

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// show sets quoted words in brackets.
func show(pieces []Piece) string {
	var text strings.Builder
	for _, p := range pieces {
		if p.Quoted {
			p.Text = "[" + p.Text + "]"
		}
		text.WriteString(p.Text)
	}
	return text.String()
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("Many words stand here. ", 20)
	for _, c := range []struct{ name, passage, quote, want string }{
		{"all of it", "Goods come back.", "Goods come back.", "[Goods come back.]"},
		{"in the middle", "One. Two. Three.", "Two.", "One. [Two.] Three."},
		{"with a gap", "One. Two. Three.", "One. … Three.", "[One.] Two. [Three.]"},
		{"across lines", "One:\ntwo", "One: two", "[One:\ntwo]"},
		{"the same words twice", "No. Yes. No.", "Yes. … No.", "No. [Yes.] [No.]"},
		{"not there", "One. Two.", "Three.", ""},
		{"half there", "One. Two.", "One. … Three.", ""},
		{"no quote", "One.", " … ", ""},
		{"much around it", long + "Here. " + long, "Here.",
			"… " + strings.Repeat("Many words stand here. ", 6) + "[Here.] " + strings.TrimSpace(strings.Repeat("Many words stand here. ", 6)) + " …"},
		{"much between", "One. " + long + "Two.", "One. … Two.",
			"[One.] " + strings.TrimSpace(strings.Repeat("Many words stand here. ", 6)) + " … " + strings.Repeat("Many words stand here. ", 6) + "[Two.]"},
	} {
		if got := show(excerpt(c.passage, c.quote)); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// Whatever the texts, every quoted piece stands in the passage and nothing is cut inside a
// character.
func FuzzExcerpt(f *testing.F) {
	f.Add("One. Two. Three.", "One. … Three.")
	f.Add(strings.Repeat("ü", 400)+"x"+strings.Repeat("界", 400), "x")
	f.Add(" … ", "…")
	f.Fuzz(func(t *testing.T, passage, quote string) {
		if !utf8.ValidString(passage) || !utf8.ValidString(quote) {
			t.Skip("texts are valid UTF-8 by contract")
		}
		for _, p := range excerpt(passage, quote) {
			if !utf8.ValidString(p.Text) {
				t.Errorf("%q is cut inside a character", p.Text)
			}
			if p.Quoted && !strings.Contains(passage, p.Text) {
				t.Errorf("%q is quoted and not in the passage", p.Text)
			}
		}
	})
}

func TestCutKeepsTheText(t *testing.T) {
	text := "Standard | £3.95 | 3–5 days"
	cited, quoted := []stretch{{0, 17}}, []stretch{{11, 17}}
	var cells []string
	for _, p := range cut(text, 0, len(text), cited, quoted) {
		cells = append(cells, p.Text)
	}
	if diff := cmp.Diff([]string{"Standard | ", "£3.95", " | 3–5 days"}, cells); diff != "" {
		t.Error(diff)
	}
}

// A passage may begin in the middle of one block and end in the middle of another, and the
// same words may stand elsewhere.
func TestLocate(t *testing.T) {
	src := Source{
		Blocks: []Block{
			{Kind: "paragraph", Text: "Refunds take 14 days.", Lines: [2]int{1, 1}},
			{Kind: "paragraph", Text: "By card. Refunds take 14 days.", Lines: [2]int{3, 4}},
			{Kind: "item", Text: "Gift cards, never.", Lines: [2]int{5, 5}},
		},
		Spans: []Span{{"Refunds take 14 days.", [2]int{3, 4}}, {"Gift cards", [2]int{5, 5}}},
	}
	want := map[int]marks{
		1: {cited: []stretch{{9, 30}}, quoted: []stretch{{17, 30}}},
		2: {cited: []stretch{{0, 10}}, quoted: []stretch{{0, 4}}},
	}
	got := src.locate("take 14 days. Gift")
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(marks{}, stretch{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
