package chat

import (
	"context"
	"errors"
	"strings"
	"testing"

	"citebot/internal/citations"
)

// A script is a model that writes what it is told to, one draft a call, the last one for
// ever. It remembers what it was asked.
type script struct {
	drafts  []string
	err     error // in place of a draft
	prompts []Prompt
}

func (s *script) Complete(_ context.Context, p Prompt, more func(string)) (Draft, error) {
	s.prompts = append(s.prompts, p)
	d := Draft{Usage: citations.Usage{Input: 100, Output: 10}}
	if s.err != nil {
		return d, s.err
	}
	d.Text = s.drafts[min(len(s.prompts), len(s.drafts))-1]
	for piece := range strings.SplitAfterSeq(d.Text, " ") {
		more(piece)
	}
	return d, nil
}

// fourLetters counts a token for each four bytes.
func fourLetters(text string) int { return (len(text) + 3) / 4 }

func newWriter(t testing.TB, m Model) *Writer {
	t.Helper()
	w, err := NewWriter(m, fourLetters, 4000, "")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var errNoModel = errors.New("the model is away")
