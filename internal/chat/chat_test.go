package chat

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// document reads a few forms of Markdown, enough to write a document in a test: headings,
// items, tables, code between lines of ```, and a paragraph on each other line.
func document(path, text string) kb.Document {
	doc := kb.Document{Path: path, Title: path}
	code, header := false, ""
	for i, line := range strings.Split(text, "\n") {
		b := kb.Block{Kind: kb.Paragraph, Text: line, Lines: kb.Lines{i + 1, i + 1}}
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
			continue
		case strings.TrimSpace(line) == "":
			header = ""
			continue
		case code:
			b.Kind = kb.Code
		case strings.HasPrefix(line, "#"):
			b.Text = strings.TrimLeft(line, "# ")
			b.Kind, b.Level, b.Anchor = kb.Heading, strings.Count(line, "#"), fmt.Sprint("h", i)
		case strings.HasPrefix(line, "- "):
			b.Kind, b.Level, b.Text = kb.Item, 1, line[2:]
		case strings.HasPrefix(line, "| "):
			b.Text = strings.Trim(line, "| ")
			if b.Kind, b.Header = kb.Row, header; header == "" {
				b.Kind, header = kb.Header, b.Text
			}
		}
		doc.Blocks = append(doc.Blocks, b)
	}
	if len(doc.Blocks) > 0 && doc.Blocks[0].Kind == kb.Heading {
		doc.Title = doc.Blocks[0].Text
	}
	return doc
}

// hits makes one hit of each passage of the documents, as sure as a search can be.
func hits(docs ...kb.Document) []kb.Hit {
	var out []kb.Hit
	for _, doc := range docs {
		passages := kb.Split(doc, "")
		for j := range passages {
			score := math.Pow(0.9, float64(len(out)))
			out = append(out, kb.Hit{
				Passages: []*kb.Passage{&passages[j]}, Score: score, Coverage: 1,
				BM25: kb.Leg{Rank: len(out) + 1, Score: 9}, Vector: kb.Leg{Rank: len(out) + 1, Score: 0.9},
			})
		}
	}
	return out
}

// finds is a search that finds the hits, whatever is asked.
func finds(hits []kb.Hit) func(context.Context, kb.Query) (kb.Results, error) {
	return func(context.Context, kb.Query) (kb.Results, error) { return kb.Results{Hits: hits}, nil }
}

// alike is a similarity that one can see through: the more of the question's words a text
// has, the closer it is.
func alike(_ context.Context, text string, others []string) ([]float64, error) {
	var cosines []float64
	for _, other := range others {
		cosines = append(cosines, 0.5+0.4*share(stemSet(text), stemSet(other)))
	}
	return cosines, nil
}

// strict fails the test when anything is logged as an error.
type strict struct {
	slog.Handler
	t interface{ Errorf(string, ...any) }
}

func (s strict) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (s strict) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { s.t.Errorf("logged: %s: %s", r.Message, a); return true })
	return nil
}

func strictLog(t interface{ Errorf(string, ...any) }) *slog.Logger {
	return slog.New(strict{slog.DiscardHandler, t})
}

// show writes an answer as the test cases do.
func show(a citations.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", a.Verdict)
	if a.Notice != "" {
		fmt.Fprintf(&b, "notice: %s\n", a.Notice)
	}
	if len(a.Parts) > 0 {
		fmt.Fprintf(&b, "%s\n", a.Text)
	}
	for _, s := range a.Sources {
		fmt.Fprintf(&b, "\n[%d] %s, %s, lines %d-%d\n%s\n", s.N, s.Path, s.Section, s.Lines[0], s.Lines[1], s.Quote)
	}
	for _, r := range a.Refused {
		fmt.Fprintf(&b, "\nrefused: %s\n%v\n", r.Text, &r.Refusal)
	}
	return b.String()
}

func ask(t testing.TB, a *Answerer, question string) citations.Answer {
	t.Helper()
	answer, err := a.Answer(t.Context(), Question{Text: question, Explain: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
