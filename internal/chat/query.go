package chat

import (
	"regexp"
	"slices"
	"strings"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// How much earlier turns count beside the question's own 1. A question that leans on the
// conversation takes the first figure of a pair, one that stands alone the second; what
// lies between is mixed. Known from measurement: the turn that names the subject can be
// worth more than everything else (nDCG 0.21 → 0.86), and is noise to a question that
// names its own (0.81 → 0.75).
const (
	userLeaning, userAlone           = 0.60, 0.15 // the last user turn before
	assistantLeaning, assistantAlone = 0.30, 0.00 // the assistant's last turn
	turnDecay                        = 0.5        // from each user turn to the one before it
	minClue                          = 0.05       // a lighter clue is left out

	maxTurns    = 6    // how many turns back are read
	maxTurnText = 1500 // bytes of each; an assistant's turn begins with its point
)

// An inquiry is a question made ready: what is searched for, and what units are held
// against.
type inquiry struct {
	kb.Query
	spoken string // the question as one text for the embedding model
}

// Query is the search that answering a question begins with; false for what is no
// question.
func Query(q Question) (kb.Query, bool) {
	text, refused := guard(q.Text)
	if refused != nil {
		return kb.Query{}, false
	}
	return inquire(text, q).Query, true
}

// inquire makes a question ready. text is its cleaned text. A question that leans on what
// was said is spoken after the user turn before it.
func inquire(text string, q Question) inquiry {
	in := inquiry{
		Query:  kb.Query{Text: text, Context: clues(text, q.History), Audiences: q.Audiences},
		spoken: text,
	}
	if leaning(text) >= 0.5 {
		in.spoken = strings.TrimSpace(lastUserTurn(q.History) + " " + text)
	}
	return in
}

// lastUserTurn is the text of the newest turn that is not the assistant's; "" for none.
func lastUserTurn(history []Turn) string {
	for _, t := range slices.Backward(history) {
		if t.Role != "assistant" {
			return turnText(t)
		}
	}
	return ""
}

// clues weighs the turns before a question, oldest first: user turns from the newest
// back, each half as much, and of the assistant's only the last.
func clues(text string, history []Turn) []kb.Clue {
	lean := leaning(text)
	user := mix(lean, userLeaning, userAlone)
	assistant := mix(lean, assistantLeaning, assistantAlone)
	var newestFirst []kb.Clue
	for i := len(history) - 1; i >= max(0, len(history)-maxTurns); i-- {
		weight := &user
		if history[i].Role == "assistant" {
			weight = &assistant
		}
		if said := turnText(history[i]); said != "" && *weight >= minClue {
			newestFirst = append(newestFirst, kb.Clue{Text: said, Weight: *weight})
		}
		if weight == &assistant {
			assistant = 0
		} else {
			user *= turnDecay
		}
	}
	slices.Reverse(newestFirst)
	return newestFirst
}

func mix(share, a, b float64) float64 { return share*a + (1-share)*b }

// turnText is a turn's text as a clue: clean, and not longer than maxTurnText.
func turnText(t Turn) string {
	text := t.Text
	if len(text) > maxTurnText {
		text = text[:maxTurnText]
	}
	return citations.Normal(text)
}

// leaning says how far a question leans on what was said before it, from 0 to 1: wholly
// when it has hardly a content word or opens like the middle of a talk, partly when it is
// short or points back with a pronoun.
func leaning(text string) float64 {
	content := len(contentWords(text))
	lean := 0.0
	switch {
	case opensMidTalk.MatchString(text) && content <= 6, content <= 1:
		return 1
	case content == 2:
		lean = 0.6
	case content == 3:
		lean = 0.3
	}
	if pointsBack(text) {
		lean += 0.4
	}
	return min(lean, 1)
}

var opensMidTalk = regexp.MustCompile(`(?i)^(and|but|or|so|then|also|what about|how about|what if|and for|same|yes|no|yeah|nope|ok|okay|why)\b`)

func pointsBack(text string) bool {
	for _, w := range citations.Words(text) {
		if pronouns[w] {
			return true
		}
	}
	return false
}
