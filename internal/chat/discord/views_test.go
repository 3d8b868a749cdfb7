package discord

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"citebot/internal/chat/layout"
)

var aDocument = Document{
	Path: "returns.md", Title: "Returns & *refunds*", Updated: "2026-03-01", URL: "https://bot.example/d/1",
	Sections: []Section{
		{Title: "Time", Level: 1, URL: "https://bot.example/d/1#a"},
		{Title: "Boots", Level: 2, URL: "https://bot.example/d/1#b"},
		{Title: "Left ones", Level: 5},
		{Title: "1. [Money] :wave:", Level: 1, URL: "javascript:alert(1)"},
	},
}

var aStatus = Status{
	Documents: 12, Passages: 340, Pending: 1, Others: 1, Loading: true,
	Degraded: []string{"vectors", "llm"},
	Problems: []Problem{{Path: "new/a_b.pdf", Reason: "no text in it;\nscan it with OCR"}, {Path: "<@1>.md", Reason: "line 3: **"}},
}

// TestViews compares what is no answer with testdata/views.txtar.
func TestViews(t *testing.T) {
	compareLooks(t, "testdata/views.txtar", func(*txtar.Archive) map[string]string {
		return map[string]string{
			"outline":  shownAs([]message{outlineMessage(aDocument)}),
			"sections": outlineMessage(aDocument).embeds[0].Description + "\n",
			"untitled": shownAs([]message{outlineMessage(Document{Path: "a.md"})}),
			"status":   shownAs([]message{statusMessage(aStatus)}),
			"well":     shownAs([]message{statusMessage(Status{Documents: 1, Passages: 2})}),
			"others":   shownAs([]message{statusMessage(Status{Documents: 2, Passages: 1, Others: 3})}),
			"reveal":   shownAs([]message{revealMessage(42)}),
			"why":      whyOf(t),
		}
	})
}

func whyOf(t *testing.T) string {
	title, id, rows := whyModal(42)
	data, err := json.MarshalIndent(map[string]any{"title": title, "custom_id": id, "components": rows}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// TestViewsOfAnything: whatever documents are called, what is said of them fits and has no
// markup but its own.
func TestViewsOfAnything(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			d := Document{Path: s, Title: s, Updated: s, URL: "https://bot.example/d"}
			status := Status{Degraded: []string{s, s}, Others: 1}
			for i := range 200 {
				d.Sections = append(d.Sections, Section{Title: s, Level: i % 9, URL: fmt.Sprintf("https://bot.example/%d", i)})
				status.Problems = append(status.Problems, Problem{Path: s, Reason: s})
			}
			for _, m := range []message{outlineMessage(d), statusMessage(status)} {
				checkLimits(t, m)
				checkOwn(t, m.content)
				for _, e := range m.embeds {
					checkOwn(t, e.Description)
				}
				if all := fmt.Sprint(m.content, m.embeds); len(m.embeds) == 0 && !strings.Contains(all, "more files") {
					t.Errorf("does not say that there are more: %q", all)
				}
			}
			if o := outlineMessage(d).embeds[0].Description; !strings.Contains(o, "more sections") {
				t.Errorf("does not say that there are more: %q", o)
			}
		})
	}
}

func checkOwn(t *testing.T, s string) {
	t.Helper()
	for _, e := range read(s).effects {
		switch {
		case e.what == "list", e.what == "small" && (strings.HasPrefix(e.text, "and ") || strings.HasPrefix(e.text, "Others ")):
		case e.what == "bold" && strings.HasPrefix(s, e.text):
		case e.what == "link" && strings.HasPrefix(e.url, "https://bot.example/"):
		default:
			t.Errorf("%+v has an effect in %.500q", e, s)
		}
	}
	if aPing.MatchString(s) || anInvite.MatchString(s) {
		t.Errorf("not quiet: %.500q", s)
	}
}

func TestChoices(t *testing.T) {
	docs := []Document{
		{Path: "a/returns.md", Title: "Returns", Updated: "2026-01-02"},
		{Path: "b/returns.md", Title: "Returns", Updated: "2026-01-03"},
		{Path: "gifts.md", Title: "Gift cards", Updated: "2026-02-01"},
		{Path: "c/many.md", Title: "About many returns", Updated: "2026-03-01"},
		{Path: "none.md", Updated: ""},
	}
	for typed, want := range map[string]string{
		"":             "About many returns=c/many.md, Gift cards=gifts.md, Returns – b/returns.md=b/returns.md, Returns – a/returns.md=a/returns.md, none.md=none.md",
		"RET":          "Returns – b/returns.md=b/returns.md, Returns – a/returns.md=a/returns.md, About many returns=c/many.md",
		"returns many": "About many returns=c/many.md",
		"cards gift":   "Gift cards=gifts.md",
		"a/ret":        "Returns=a/returns.md",
		"one":          "none.md=none.md",
		" \u200b":      "About many returns=c/many.md, Gift cards=gifts.md, Returns – b/returns.md=b/returns.md, Returns – a/returns.md=a/returns.md, none.md=none.md",
		"nothing":      "",
	} {
		var got []string
		for _, c := range choices(docs, typed) {
			got = append(got, fmt.Sprintf("%s=%s", c.Name, c.Value))
		}
		if diff := cmp.Diff(want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("choices(%q) (-want +got):\n%s", typed, diff)
		}
	}
}

func TestChoicesOfAnything(t *testing.T) {
	for name, s := range hostile {
		var docs []Document
		for i := range 40 {
			docs = append(docs, Document{Path: fmt.Sprint(s, i), Title: s})
		}
		for _, typed := range []string{"", s} {
			got := choices(docs, typed)
			if got == nil || len(got) > 25 || len(got) == 0 && typed == "" { // null is no list of choices
				t.Errorf("%s: %d choices", name, len(got))
			}
			for _, c := range got {
				value, _ := c.Value.(string)
				if c.Name == "" || layout.Chars(c.Name) > 100 || value == "" || layout.Chars(value) > 100 {
					t.Errorf("%s: %q, %q", name, c.Name, value)
				}
			}
		}
	}
}

func TestDocumentValue(t *testing.T) {
	if got := documentValue("a/b c.md"); got != "a/b c.md" {
		t.Errorf("a path is %q", got)
	}
	long := strings.Repeat("é", 101)
	if a, b := documentValue(long), documentValue(long+"x"); a == b || a != documentValue(long) || len(a) > 100 {
		t.Errorf("%q, %q", a, b)
	}
}
