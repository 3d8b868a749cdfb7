package kb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func block(kind Kind, line int, text string) Block {
	return Block{Kind: kind, Text: text, Lines: Lines{line, line}}
}

func heading(level, line int, text string) Block {
	return Block{Kind: Heading, Level: level, Text: text, Anchor: strings.ToLower(text), Lines: Lines{line, line}}
}

func prose(words int) string {
	var b strings.Builder
	for i := range words {
		fmt.Fprintf(&b, "Word%d", i)
		b.WriteString([]string{" ", ". "}[min(1, i%10/9)])
	}
	return strings.TrimSpace(b.String())
}

// outline shows passages as "headings: first words [lines]".
func outline(passages []Passage) []string {
	var out []string
	for _, p := range passages {
		out = append(out, fmt.Sprintf("%s: %d words %v", p.Section(), countWords(p.Text), p.Lines))
	}
	return out
}

func TestSplit(t *testing.T) {
	row := func(line int, text string) Block {
		return Block{Kind: Row, Text: text, Header: "Zone | Days", Lines: Lines{line, line}}
	}
	var table []Block
	for i := range 130 {
		table = append(table, row(i+3, fmt.Sprintf("Zone %d | two", i)))
	}
	for _, c := range []struct {
		name   string
		blocks []Block
		want   []string
	}{
		{"sections apart", []Block{
			heading(1, 1, "Policy"), heading(2, 2, "Returns"), block(Paragraph, 3, prose(60)), heading(2, 4, "Refunds"), block(Paragraph, 5, prose(60)),
		}, []string{"Policy › Returns: 60 words [3 3]", "Policy › Refunds: 60 words [5 5]"}},
		{"a short top-level section stays alone", []Block{
			heading(1, 1, "A"), block(Paragraph, 2, "Short."), heading(1, 3, "B"), block(Paragraph, 4, "Too."),
		}, []string{"A: 1 words [2 2]", "B: 1 words [4 4]"}},
		{"short sub-sections join", []Block{
			heading(1, 1, "A"), heading(2, 2, "A1"), block(Paragraph, 3, "Short."), heading(2, 4, "A2"), block(Paragraph, 5, "Too."), heading(1, 6, "B"), block(Paragraph, 7, "Other."),
		}, []string{"A › A1: 3 words [3 5]", "B: 1 words [7 7]"}},
		{"a long paragraph at its sentences", []Block{block(Paragraph, 1, prose(330))},
			[]string{": 160 words [1 1]", ": 170 words [1 1]"}},
		{"an announcement moves on with what it announces", []Block{
			block(Paragraph, 1, prose(150)), block(Paragraph, 2, "You need:"), block(Item, 3, prose(60)),
		}, []string{": 150 words [1 1]", ": 62 words [2 3]"}},
		{"a table cut in two repeats its header", append([]Block{block(Header, 2, "Zone | Days")}, table...),
			[]string{": 199 words [2 51]", ": 199 words [52 100]", ": 131 words [101 132]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Split(Document{Path: "p.md", Title: "P", Blocks: c.blocks}, "")
			if diff := cmp.Diff(c.want, outline(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSplitAudience(t *testing.T) {
	doc := Document{Blocks: []Block{block(Paragraph, 1, "Text.")}}
	for _, c := range []struct{ front, rule, want string }{
		{"", "", "public"}, {"", "staff", "staff"}, {"board", "staff", "board"},
	} {
		doc.Audience = c.front
		if got := Split(doc, c.rule)[0].Audience; got != c.want {
			t.Errorf("front matter %q, rule %q: %q", c.front, c.rule, got)
		}
	}
}

// Whatever the blocks, passages are in order with unique IDs and hashes, hold every
// block's words in order, and their spans tile their text.
func TestSplitKeepsEverything(t *testing.T) {
	kinds := []Kind{Heading, Paragraph, Item, Header, Row, Code}
	rapid.Check(t, func(t *rapid.T) {
		var doc Document
		var want []string
		for i := range rapid.IntRange(1, 25).Draw(t, "blocks") {
			b := Block{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Level: rapid.IntRange(1, 4).Draw(t, "level"), Lines: Lines{i + 1, i + 1}}
			b.Text = strings.TrimSpace(prose(rapid.SampledFrom([]int{1, 7, 40, 130, 450}).Draw(t, "words")))
			if b.Kind == Heading {
				b.Text, b.Anchor = fmt.Sprint("Heading ", i), fmt.Sprint("h", i)
			} else {
				want = append(want, strings.Fields(b.Text)...)
			}
			doc.Blocks = append(doc.Blocks, b)
		}
		var got []string
		seen := map[string]bool{}
		for i, p := range Split(doc, "") {
			if p.Ordinal != i || seen[p.ID] || seen[p.Hash] {
				t.Fatalf("passage %d: ordinal %d, id %s or hash not its own", i, p.Ordinal, p.ID)
			}
			seen[p.ID], seen[p.Hash] = true, true
			got = append(got, spanWords(t, p)...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func spanWords(t *rapid.T, p Passage) []string {
	var out []string
	end := -1
	for _, s := range p.Spans {
		if s.Start != end+1 || s.End < s.Start {
			t.Fatalf("%s: span %v does not follow byte %d", p.ID, s, end)
		}
		end = s.End
		if s.Kind != Heading {
			out = append(out, strings.Fields(p.Text[s.Start:s.End])...)
		}
	}
	if end != len(p.Text) {
		t.Fatalf("%s: spans end at %d of %d", p.ID, end, len(p.Text))
	}
	return out
}

func FuzzCountWords(f *testing.F) {
	for _, s := range []string{"", " ", "a b", "退货政策适用于所有商品", strings.Repeat("x", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := countWords(s)
		if n > len(s) || !strings.ContainsAny(s, " \n") && n < len(s)/(2*maxWordBytes) {
			t.Errorf("%d words in %d bytes", n, len(s))
		}
		for _, r := range sentencesUpTo(s, 5) {
			if countWords(s[r[0]:r[1]]) > 5 {
				t.Errorf("piece %q has more than 5 words", s[r[0]:r[1]])
			}
		}
	})
}
