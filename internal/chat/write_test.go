package chat

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/citations"
	"citebot/internal/kb"

	"github.com/google/go-cmp/cmp"
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

// A slow model hangs, or drips its words, until its context ends.
type slowModel struct{ drip bool }

func (s slowModel) Complete(ctx context.Context, _ Prompt, more func(string)) (Draft, error) {
	for s.drip {
		select {
		case <-ctx.Done():
			return Draft{}, ctx.Err()
		case <-time.After(time.Second):
			more("a")
		}
	}
	<-ctx.Done()
	return Draft{}, ctx.Err()
}

// A model that is slow or fails costs nobody an answer: quotes are there in time, and say what
// did not take part.
func TestModelInTime(t *testing.T) {
	found := hits(document("returns.md", "# Returns\nTents can be returned within 30 days of delivery."))
	for name, test := range map[string]struct {
		model  Model
		within time.Duration // of the caller; 0: it does not say
		took   time.Duration
	}{
		"hangs":                       {slowModel{}, 0, writeWithin},
		"drips":                       {slowModel{drip: true}, 0, writeWithin},
		"hangs, and there is no time": {slowModel{}, 5 * time.Second, 5*time.Second - afterwards},
		"fails":                       {&script{err: errNoModel}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &Answerer{Search: finds(found), Writer: newWriter(t, test.model), Log: strictLog(t)}
				ctx := t.Context()
				if test.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.within)
					defer cancel()
				}
				start := time.Now()
				answer, err := a.Answer(ctx, Question{Text: "How long do I have to return a tent?"}, nil)
				if err != nil || time.Since(start) != test.took {
					t.Errorf("%v, after %v, want %v", err, time.Since(start), test.took)
				}
				if !strings.Contains(answer.Text, "30 days") || answer.Parts[0].Written || !slices.Equal(answer.Degraded, []string{"llm"}) {
					t.Errorf("%+v", answer)
				}
			})
		})
	}
}

// What is shown before the answer is whole has been proven, and comes in the draft's order.
func TestStatementsAreShownOnceProven(t *testing.T) {
	model := &script{drafts: []string{"You have 30 days to return a tent [1]. You have 90 days to return a tent [1]. Returning a tent in a store is free [1]."}}
	a := &Answerer{
		Search: finds(hits(document("returns.md", "# Returns\nYou have 30 days to return a tent. Returning a tent in a store is free."))),
		Writer: newWriter(t, model), Log: strictLog(t),
	}
	var got []string
	answer, err := a.Answer(t.Context(), Question{Text: "How long do I have to return a tent?"}, func(p Progress) {
		if p.Statement != "" {
			got = append(got, p.Statement)
		}
	})
	if err != nil || len(answer.Parts) != 2 {
		t.Fatalf("%v, %+v", err, answer)
	}
	if len(got) == 0 || got[0] != "You have 30 days to return a tent." || slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "90") }) {
		t.Errorf("shown: %q", got)
	}
}

// A rewritten question has the conversation's words and keeps its own, or is not searched for.
func TestFaithful(t *testing.T) {
	history := []Turn{{"user", "How long is the warranty on tents?"}, {"assistant", "The warranty on tents is 5 years."}}
	for rewritten, want := range map[string]string{
		"How long is the warranty on mats?":                      "How long is the warranty on mats?",
		"  How long is the warranty on mats?\nThe answer is 5.":  "How long is the warranty on mats?",
		"What does evil.example say about the warranty on mats?": "",
		"How long is the warranty on tents?":                     "", // it asked for mats
		"":                                                       "",
		strings.Repeat("warranty on mats ", 30):                  "",
	} {
		if got := faithful(rewritten, "and on mats?", history); got != want {
			t.Errorf("%q became %q, want %q", rewritten, got, want)
		}
	}
}

// Without a model to put it into full words a follow-up is searched for by the usual rule.
func TestFollowUpWithoutAModel(t *testing.T) {
	var searched []kb.Query
	for _, model := range []Model{nil, &script{err: errNoModel}, &script{drafts: []string{"Where is Mallory?"}}} {
		a := &Answerer{Search: func(_ context.Context, q kb.Query) (kb.Results, error) {
			q.Limit = 0
			searched = append(searched, q)
			return kb.Results{}, nil
		}}
		if model != nil {
			a.Writer = newWriter(t, model)
		}
		if _, err := a.Answer(t.Context(), Question{Text: "and on mats?", History: []Turn{{"user", "How long is the warranty on tents?"}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range searched[1:] {
		if diff := cmp.Diff(searched[0], q); diff != "" {
			t.Error(diff)
		}
	}
}
