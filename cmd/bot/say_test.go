package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"citebot/internal/citations"
	"citebot/internal/kb"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
)

// screen is a terminal whose output is kept.
func screen() (*terminal, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return newTerminal(streams{strings.NewReader(""), &out, &err}, environment()), &out, &err
}

func TestAnswerAsText(t *testing.T) {
	say, out, problems := screen()
	say.answer(citations.Answer{
		Verdict: citations.Unsure,
		Notice:  "The documents do not say this outright. The nearest they say:",
		Text:    "You can return most things within 30 days of delivery, and gifts within sixty days of it. [1]\n- Sale items: 14 days [2]",
		Sources: []citations.Source{
			{N: 1, Path: "returns.md", Title: "Returns", Section: "Returns › Time", Quote: "within 30 days", Lines: [2]int{3, 9},
				Updated: "2025-02-01", URL: "http://127.0.0.1:8080/s/1"},
			{N: 2, Path: "sale.pdf", Title: "Sale", Section: "Rules", Quote: "14 days", Lines: [2]int{4, 4}},
		},
		Nearest:  []citations.Nearest{{Path: "a.md", Title: "A", URL: "http://127.0.0.1:8080/s/3"}},
		Degraded: []string{"vectors"},
	})
	want := `The documents do not say this outright. The nearest they say:
You can return most things within 30 days of delivery, and gifts within sixty
days of it. [1]
- Sale items: 14 days [2]

Sources
[1] Returns › Time (returns.md:3-9, 2025-02-01)
    “within 30 days”
    http://127.0.0.1:8080/s/1
[2] Sale › Rules (sale.pdf:4)
    “14 days”

Nearest documents
-   A (a.md)
    http://127.0.0.1:8080/s/3
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if want := "note: without search by meaning for now; answers may be less complete\n"; problems.String() != want {
		t.Errorf("stderr %q, want %q", problems, want)
	}
}

func TestResultsAsText(t *testing.T) {
	say, out, _ := screen()
	p := &kb.Passage{Path: "returns.md", Title: "Returns", Headings: []string{"Time"}, Text: "one\ntwo\nthree\nfour", Lines: kb.Lines{3, 9}}
	say.results(kb.Results{Hits: []kb.Hit{{
		Passages: []*kb.Passage{p}, Score: 0.75, BM25: kb.Leg{Rank: 2, Score: 3.5}, Matched: []string{"how", "long"},
	}}})
	want := ` 1. Returns › Time (returns.md:3-9)
    score 0.750; BM25 #2 (3.500); vectors –; words: how, long
    one
    two
    three
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// What comes from outside must not act on a terminal, whichever way it is printed.
func TestNothingFromOutsideActsOnATerminal(t *testing.T) {
	const evil = "\x1b[2Ja\u202eb\u0007\u009b31m\r\u200b"
	say, out, problems := screen()
	say.answer(citations.Answer{
		Text: evil, Notice: evil + "!", Nearest: []citations.Nearest{{Path: evil, Title: evil, URL: evil}}, Degraded: []string{evil},
		Sources: []citations.Source{{Path: evil, Title: evil, Section: evil, Quote: evil, Updated: evil, URL: evil}},
	})
	say.results(kb.Results{Hits: []kb.Hit{{
		Passages: []*kb.Passage{{Path: evil, Title: evil, Headings: []string{evil}, Text: evil}}, Matched: []string{evil},
	}}})
	say.line("%s", evil)
	say.note("%s", evil)
	say.problem(errors.New(evil))
	say.table([][]string{{evil, evil}})
	if text := out.String() + problems.String(); strings.ContainsAny(text, "\x1b\u202e\u0007\u009b\r\u200b") {
		t.Errorf("printed %q", text)
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, nil},
		{"a b c", 3, []string{"a b", "c"}},
		{"a verylongword b", 6, []string{"a", "verylongword", "b"}},
		{"one\n\ntwo", 10, []string{"one", "", "two"}},
		{"日本 語 ab", 5, []string{"日本", "語 ab"}}, // two columns each
	} {
		if diff := cmp.Diff(test.want, wrap(test.text, test.width)); diff != "" {
			t.Errorf("%q at %d: %s", test.text, test.width, diff)
		}
	}
}

func TestTableAligns(t *testing.T) {
	say, out, _ := screen()
	say.table([][]string{{"", "all"}, {"日本語", "1"}, {"hit@1", "0.500"}})
	for line := range strings.Lines(strings.TrimRight(out.String(), "\n")) {
		if w := runewidth.StringWidth(strings.TrimRight(line, "\n")); w != len("日本語")-3+2+5 {
			t.Errorf("line %q is %d columns wide", line, w)
		}
	}
}

func TestUnjoin(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	wrapped := fmt.Errorf("wrapped: %w", errors.Join(b, c))
	var got []string
	for _, err := range unjoin(errors.Join(a, errors.Join(b, wrapped), c)) {
		got = append(got, err.Error())
	}
	if diff := cmp.Diff([]string{"a", "b", "wrapped: b\nc", "c"}, got); diff != "" {
		t.Error(diff)
	}
	if got := unjoin(nil); got != nil {
		t.Errorf("nothing unjoins to %v", got)
	}
}
