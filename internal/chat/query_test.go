package chat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"citebot/internal/kb"
)

func TestLeaning(t *testing.T) {
	whole := []string{
		"And for contractors?", "What about shoes?", "why?", "How long?", "What are they?",
		"Is there one?", "But if it is opened?", "No. How much?",
	}
	for _, text := range whole {
		if got := leaning(text); got < 0.8 {
			t.Errorf("leaning(%q) = %v, want at least 0.8", text, got)
		}
	}
	alone := []string{
		"How long do I have to return shoes bought in the outlet shop?",
		"Which documents does the customs office need for a parcel from Norway?",
		"Who approves travel expenses above 500 euros?",
	}
	for _, text := range alone {
		if got := leaning(text); got > 0.2 {
			t.Errorf("leaning(%q) = %v, want at most 0.2", text, got)
		}
	}
}

func TestClues(t *testing.T) {
	history := []Turn{
		{"user", "one"}, {"assistant", "two"}, {"user", "three"}, {"assistant", "four"}, {"user", "  "},
	}
	tests := []struct {
		question string
		want     []kb.Clue
	}{
		{"And for contractors?", []kb.Clue{
			{Text: "one", Weight: userLeaning * turnDecay * turnDecay},
			{Text: "three", Weight: userLeaning * turnDecay}, {Text: "four", Weight: assistantLeaning},
		}},
		{"Who approves travel expenses above 500 euros?", []kb.Clue{{Text: "three", Weight: userAlone * turnDecay}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, clues(tt.question, history)); diff != "" {
			t.Errorf("clues for %q (-want +got):\n%s", tt.question, diff)
		}
	}
}

// TestCluesStayBehind: whatever was said before, no turn of it counts as much as the
// question.
func TestCluesStayBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		turn := rapid.Custom(func(t *rapid.T) Turn {
			return Turn{rapid.SampledFrom([]string{"user", "assistant", ""}).Draw(t, "role"), rapid.String().Draw(t, "said")}
		})
		got := clues(rapid.String().Draw(t, "question"), rapid.SliceOfN(turn, 0, 12).Draw(t, "history"))
		if len(got) > maxTurns {
			t.Fatalf("%d clues", len(got))
		}
		for _, c := range got {
			if c.Weight < minClue || c.Weight > userLeaning || c.Text == "" {
				t.Fatalf("clue %+v", c)
			}
		}
	})
}

func TestInquire(t *testing.T) {
	history := []Turn{{"user", "Can I return shoes?"}, {"assistant", "Shoes, yes."}}
	leans := inquire("And for boots?", Question{History: history})
	if want := "Can I return shoes? And for boots?"; leans.spoken != want {
		t.Errorf("spoken %q, want %q", leans.spoken, want)
	}
	text := "Who approves travel expenses above 500 euros?"
	if alone := inquire(text, Question{History: history}); alone.spoken != text {
		t.Errorf("spoken %q, want the question alone", alone.spoken)
	}
}
