package chat

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// drawText draws text of which documents are made: words that trigger every rule, marks
// and gaps of the document's own, and characters that may not be shown.
func drawText(t *rapid.T, label string) string {
	words := []string{
		"returns", "return", "30", "days", "shoes", "However,", "Except", "This", "It", "See", "not", "€5",
		"[1]", "…", "a", "b", "why?", "items:", ".", "Dr.", "e\u0301", "\u202e", "\uf0b7", "\u00ad", "日本。", "|", "-",
	}
	n := rapid.IntRange(1, 30).Draw(t, label)
	out := make([]string, n)
	for i := range out {
		out[i] = rapid.SampledFrom(words).Draw(t, label)
	}
	return strings.Join(out, " ") + rapid.SampledFrom([]string{".", "?", ":", "", "!"}).Draw(t, label)
}

func drawDocument(t *rapid.T, path string) kb.Document {
	doc := kb.Document{Path: path, Title: drawText(t, "title")}
	header := ""
	for i := range rapid.IntRange(1, 12).Draw(t, "blocks") {
		b := kb.Block{
			Kind:  rapid.SampledFrom([]kb.Kind{kb.Heading, kb.Paragraph, kb.Item, kb.Header, kb.Row, kb.Code}).Draw(t, "kind"),
			Level: rapid.IntRange(1, 3).Draw(t, "level"), Text: drawText(t, "text"), Lines: kb.Lines{i + 1, i + 1},
		}
		switch b.Kind {
		case kb.Heading:
			b.Anchor = fmt.Sprint("h", i)
		case kb.Header:
			header = b.Text
		case kb.Row:
			b.Header = header
		}
		doc.Blocks = append(doc.Blocks, b)
	}
	return doc
}

// drawHits draws what a search may return, in falling order of score, neighbouring
// passages sometimes joined in one hit.
func drawHits(t *rapid.T) []kb.Hit {
	var out []kb.Hit
	for d := range rapid.IntRange(0, 4).Draw(t, "documents") {
		passages := kb.Split(drawDocument(t, fmt.Sprintf("%d.md", d)), "")
		for i := 0; i < len(passages); i++ {
			h := kb.Hit{
				Passages: []*kb.Passage{&passages[i]}, Score: math.Pow(0.8, float64(len(out))),
				Coverage: rapid.Float64Range(0, 1).Draw(t, "coverage"),
				Vector:   kb.Leg{Rank: 1, Score: rapid.Float64Range(0, 1).Draw(t, "cosine")},
			}
			if i+1 < len(passages) && rapid.Bool().Draw(t, "join") {
				i++
				h.Passages = append(h.Passages, &passages[i])
			}
			out = append(out, h)
		}
	}
	return out
}

func drawSimilarity(t *rapid.T) similarity {
	cosines := rapid.SliceOfN(rapid.Float64Range(-1, 1), maxCompared, maxCompared).Draw(t, "cosines")
	return func(_ context.Context, _ string, others []string) ([]float64, error) {
		return cosines[:len(others)], nil
	}
}

// TestEveryAnswerHolds: whatever the documents, the hits and the model's opinion of them,
// an answer passes its check, keeps its limits and follows its documents' order.
func TestEveryAnswerHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		found := drawHits(t)
		a := &Answerer{Search: finds(found), Similarity: drawSimilarity(t), Log: strictLog(t)}
		answer, err := a.Answer(t.Context(), Question{Text: "q " + drawText(t, "question")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Parts) > maxParts {
			t.Fatalf("%d parts", len(answer.Parts))
		}
		checkQuotes(t, answer, found)
	})
}

// checkQuotes checks that quotes are their passages' bytes, as far as those may be shown,
// and that parts follow the order of the text.
func checkQuotes(t *rapid.T, a citations.Answer, found []kb.Hit) {
	texts := map[string]string{}
	for _, h := range found {
		for _, p := range h.Passages {
			texts[p.Hash] = citations.Clean(p.Text)
		}
	}
	for _, s := range a.Sources {
		rest := texts[s.Hash]
		for _, piece := range strings.Split(s.Quote, citations.Gap) {
			_, after, ok := strings.Cut(rest, strings.TrimSpace(piece))
			if !ok {
				t.Fatalf("quote %q is not in %q", s.Quote, texts[s.Hash])
			}
			rest = after
		}
	}
	rest := map[int]string{}
	for _, p := range a.Parts {
		n := p.Sources[0]
		if rest[n] == "" {
			rest[n] = citations.Normal(a.Sources[n-1].Quote)
		}
		_, after, ok := strings.Cut(rest[n], p.Text)
		if !ok {
			t.Fatalf("part %q is out of order in %q", p.Text, a.Sources[n-1].Quote)
		}
		rest[n] = after + " "
	}
}

// FuzzAnswer answers questions from arbitrary documents.
func FuzzAnswer(f *testing.F) {
	f.Add("How long?", "# Returns\nReturns take 30 days. However, shoes take 14.\n\n- one\n- two\n| a | b\n| c | d")
	f.Add("See?", "See: below:\n- [1] … x\n```\ncode\n```\nWhy? Because.")
	f.Fuzz(func(t *testing.T, question, text string) {
		doc := document("a.md", citations.Clean(text))
		a := &Answerer{Search: finds(hits(doc)), Log: strictLog(t)}
		if _, err := a.Answer(t.Context(), Question{Text: question}, nil); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	var docs []kb.Document
	for i := range 6 {
		sentence := fmt.Sprintf("Goods of kind %d may be returned within 30 days of delivery. ", i)
		docs = append(docs, document(fmt.Sprint(i, ".md"), strings.Repeat(sentence+"\n- an item of the list\n", 8)))
	}
	a := &Answerer{Search: finds(hits(docs...))}
	b.ReportAllocs()
	for b.Loop() {
		if answer := ask(b, a, "How many days do I have to return goods of kind 3?"); len(answer.Parts) == 0 {
			b.Fatal("no answer")
		}
	}
}
