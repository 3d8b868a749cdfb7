package chat

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"citebot/internal/citations"
)

// leansFrom is how far a question must lean on the conversation to be put into full words.
const leansFrom = 0.3

// standalone has the model put a question that leans on the conversation into full words,
// for the search; "" where that is not called for or what it wrote is not to be trusted.
// Clues from the conversation are searched for beside it either way.
func (m *manuscript) standalone(ctx context.Context) (string, error) {
	history := lastTurns(m.history)
	if len(history) == 0 || leaning(m.asked) < leansFrom {
		return "", nil
	}
	ctx, cancel := context.WithDeadline(ctx, earlier(m.until, time.Now().Add(standaloneWithin)))
	defer cancel()
	data := promptData{History: history, Question: m.asked}
	draft, err := m.Model.Complete(ctx, Prompt{
		System:    m.text("standalone", data),
		Turns:     []Turn{{Role: "user", Text: m.text("conversation", data)}},
		MaxTokens: standaloneTokens,
	}, func(string) {})
	m.usage.Input += draft.Usage.Input
	m.usage.Output += draft.Usage.Output
	if err != nil || draft.Cut {
		return "", err
	}
	return faithful(draft.Text, m.asked, m.history), nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// maxStandalone is in characters.
const maxStandalone = 300

// faithful returns a rewritten question if each of its content words was said before and it
// keeps what the question itself named; else "". So nothing that a document or a person
// makes a model write can send the search elsewhere.
func faithful(rewritten, question string, history []Turn) string {
	rewritten, _, _ = strings.Cut(strings.TrimSpace(rewritten), "\n")
	rewritten = citations.Normal(rewritten)
	said := citations.Terms(question)
	for _, t := range history[max(0, len(history)-maxTurns):] {
		said = append(said, citations.Terms(turnText(t))...)
	}
	written := contentWords(rewritten)
	if len(written) == 0 || utf8.RuneCountInString(rewritten) > maxStandalone {
		return ""
	}
	for _, w := range written {
		if !slices.Contains(said, citations.Stem(w)) {
			return ""
		}
	}
	kept := citations.Terms(rewritten)
	for _, w := range contentWords(question) {
		if !slices.Contains(kept, citations.Stem(w)) {
			return ""
		}
	}
	return rewritten
}
