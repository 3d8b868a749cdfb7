package layout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"citebot/internal/citations"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// measureOf is a measure that counts characters and nothing else.
func measureOf(section, sheet, notes, above int) Measure {
	return Measure{
		Section: section, Sheet: sheet, Notes: notes, Above: above, Quote: 40, Quotes: 120,
		Size: Chars,
		Span: func(s Span) int { return Chars(s.Text) },
		Note: func(f Footnote, quote int) int { return Chars(f.Label) + min(Chars(f.Quote), quote) },
		Link: func(url string) string { return url },
	}
}

// drawAnswer draws an answer whose parts say their own number.
func drawAnswer(t *rapid.T) citations.Answer {
	var a citations.Answer
	sources := rapid.IntRange(1, 8).Draw(t, "sources")
	for i := range rapid.IntRange(0, 12).Draw(t, "parts") {
		words := strings.Repeat("word ", rapid.IntRange(0, 60).Draw(t, "words"))
		a.Parts = append(a.Parts, citations.Part{
			Text:    fmt.Sprintf("%sno. %d", words, i),
			Kind:    rapid.SampledFrom([]citations.PartKind{citations.Sentence, citations.Item, citations.Row}).Draw(t, "kind"),
			Sources: rapid.SliceOfNDistinct(rapid.IntRange(1, sources), 0, sources, rapid.ID[int]).Draw(t, "cited"),
		})
	}
	for n := 1; n <= sources; n++ {
		a.Sources = append(a.Sources, citations.Source{N: n, Title: "Title", Quote: strings.Repeat("quote ", n), URL: "u"})
	}
	return a
}

// TestSheetsOfAnyAnswer: sheets say all that an answer says, in order, hold what they can
// hold, and show the sources of their marks.
func TestSheetsOfAnyAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := measureOf(100, 300, rapid.SampledFrom([]int{0, 150}).Draw(t, "notes"), rapid.IntRange(0, 120).Draw(t, "above"))
		a := drawAnswer(t)
		var said strings.Builder
		for i, s := range m.Paginate(a) {
			said.WriteString(s.Reading())
			checkSheet(t, m, s, i == 0)
		}
		bare := strings.NewReplacer("•", "", "-", "")
		got, want := lettersOf(bare.Replace(said.String())), lettersOf(bare.Replace(citations.Render(a.Parts)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
	})
}

func checkSheet(t *rapid.T, m Measure, s Sheet, first bool) {
	text, notes := 0, 0
	for _, st := range s.Statements {
		text += m.weigh(st)
		if Chars(st.Text()) > m.Section {
			t.Errorf("%q is longer than %d", st.Text(), m.Section)
		}
		for _, n := range st.Cites {
			if noteAt(s.Notes, n) < 0 {
				t.Errorf("%q is shown without source %d", st.Text(), n)
			}
		}
	}
	for _, f := range s.Notes {
		notes += m.Note(f, s.Quote)
	}
	if first && len(s.Statements) > 0 {
		text += m.Above
	}
	if m.over(text, notes) {
		t.Errorf("a sheet of %d and %d", text, notes)
	}
}

func TestPlain(t *testing.T) {
	m := Markup{
		Escape: func(s string) string { return s },
		Fit:    Shorten,
		Line:   func(f Footnote) string { return Mark(f.N) + " " + f.Label },
	}
	s := measureOf(100, 1000, 0, 0).Paginate(citations.Answer{
		Parts: []citations.Part{
			{Text: "Thirty days.", Sources: []int{1}}, {Text: "In their box.", Kind: citations.Item, Sources: []int{2}},
			{Text: "With the receipt.", Kind: citations.Item, Sources: []int{2}},
		},
		Sources: []citations.Source{{N: 1, Title: "Returns"}, {N: 2, Title: "Boxes"}},
	})[0]
	for limit, want := range map[int]string{
		1000: "Thirty days. [1]\n• In their box. [2]\n• With the receipt. [2]\n\n[1] Returns\n[2] Boxes",
		85:   "Thirty days. [1]\n• In their box. [2]\n\n[1] Returns\n[2] Boxes\n(shortened)",
		55:   "Thirty days. [1]\n\n[1] Returns\n(shortened)",
		25:   "Thirty… [1]\n\n[1] Returns",
	} {
		if diff := cmp.Diff(want, s.Plain(limit, m)); diff != "" {
			t.Errorf("at most %d (-want +got):\n%s", limit, diff)
		}
	}
}

func TestLabel(t *testing.T) {
	for _, c := range []struct{ title, section, path, want string }{
		{"Returns", "Time", "a.md", "Returns › Time"},
		{"Returns", "Returns › Time", "a.md", "Returns › Time"},
		{"Returns", "Returns", "a.md", "Returns"},
		{"Returns", "", "a.md", "Returns"},
		{"", "Time", "a.md", "Time"},
		{"", "", "a.md", "a.md"},
		{" \u200b", "", "", "A document"},
		{"as [1]\nsays", "", "", "as (1) says"},
		{strings.Repeat("word ", 40), "", "", strings.TrimSpace(strings.Repeat("word ", 20)) + "…"},
	} {
		if got := Label(c.title, c.section, c.path); got != c.want {
			t.Errorf("Label(%q, %q, %q) = %q, want %q", c.title, c.section, c.path, got, c.want)
		}
	}
}

func TestAsked(t *testing.T) {
	for _, c := range []struct {
		question, name string
		you            bool
		want           []Span
	}{
		{"how long [1]?", "Robin", true, []Span{{Text: "You asked: "}, {Text: "how long (1)?"}}},
		{"how long?", "Robin", false, []Span{{Text: "Robin asked: ", Bold: true}, {Text: "how long?"}}},
		{"how long?", " ", false, []Span{{Text: "Asked: ", Bold: true}, {Text: "how long?"}}},
		{"\u200b", "Robin", false, nil},
	} {
		if diff := cmp.Diff(c.want, Asked(c.question, c.name, c.you)); diff != "" {
			t.Errorf("Asked(%q, %q, %v) (-want +got):\n%s", c.question, c.name, c.you, diff)
		}
	}
}

func TestNotice(t *testing.T) {
	for _, c := range []struct {
		answer citations.Answer
		want   string
	}{
		{citations.Answer{Notice: "Nothing.", Text: "Nothing."}, "Nothing."},
		{citations.Answer{Text: "Hello."}, "Hello."},
		{citations.Answer{}, SayNothing},
		{citations.Answer{Text: "Yes. [1]", Parts: []citations.Part{{Text: "Yes."}}}, ""},
	} {
		if got := Notice(c.answer); got != c.want {
			t.Errorf("Notice(%+v) = %q, want %q", c.answer, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	a := citations.Answer{Nearest: slices.Repeat([]citations.Nearest{{Title: "Returns", URL: "u"}}, 7)}
	link := func(url string) string { return "link to " + url }
	spans := Nearest(a, link)
	if len(spans) != 2*maxNearest || spans[1] != (Span{Text: "Returns", URL: "link to u"}) {
		t.Errorf("%+v", spans)
	}
	a.Parts = []citations.Part{{Text: "Yes."}}
	if spans := Nearest(a, link); spans != nil {
		t.Errorf("beside an answer: %+v", spans)
	}
}

func TestDay(t *testing.T) {
	for updated, want := range map[string]string{"2026-03-01": "1 Mar 2026", "": "", "2026-13-01": "", "yesterday": ""} {
		if got := Day(updated); got != want {
			t.Errorf("Day(%q) = %q, want %q", updated, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	for raw, want := range map[string]string{
		"https://bot.example/a?b=(c)#d": "https://bot.example/a?b=%28c%29#d",
		"http://[::1]:8080/s":           "http://[::1]:8080/s",
		"https://bot.example/((((((((":  "", // 44 characters when encoded
		"https://u@bot.example/":        "",
		"https://bot.example/\u200b":    "",
		"ftp://bot.example/":            "",
		"//bot.example/":                "",
		"https:x":                       "",
	} {
		if got := Address(raw, "()", 40); got != want {
			t.Errorf("Address(%q) = %q, want %q", raw, got, want)
		}
	}
}
