package embed

import (
	"strings"
	"testing"
)

// A text has as many tokens as are embedded, without the two around them; what is too long
// to embed has all of its own.
func TestTokens(t *testing.T) {
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range readTexts(t, "testdata/tokens.jsonl") {
		if want := len(c.IDs) - 2; want < maxTokens-2 && m.Tokens(c.Text) != want {
			t.Errorf("%.60q: %d tokens, want %d", c.Text, m.Tokens(c.Text), want)
		}
	}
	if got := m.Tokens(strings.Repeat("day ", 5000)); got != 5000 {
		t.Errorf("a long text has %d tokens, want 5000", got)
	}
}
