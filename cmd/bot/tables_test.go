package main

import (
	"strings"
	"testing"

	"citebot/internal/citations"

	"github.com/google/go-cmp/cmp"
)

func TestAnswerLines(t *testing.T) {
	parts := []citations.Part{
		{Text: "Delivery costs:", Kind: citations.Sentence, Sources: []int{1}},
		{Text: "Zone | Up to 2 kg | Over", Kind: citations.Header, Sources: []int{1}},
		{Text: "Ireland | €6.95 | €9.95", Kind: citations.Row, Sources: []int{1}},
		{Text: "Spain and Italy | €8.95 | €12.95", Kind: citations.Row, Sources: []int{1, 2}},
		{Text: "Bulky items cost more.", Kind: citations.Sentence, Sources: []int{2}},
	}
	for width, want := range map[int]string{
		60: `Delivery costs: [1]
Zone             Up to 2 kg  Over
Ireland          €6.95       €9.95 [1]
Spain and Italy  €8.95       €12.95 [1][2]
Bulky items cost more. [2]`,
		24: `Delivery costs: [1]
Ireland [1]
    Up to 2 kg: €6.95
    Over: €9.95
Spain and Italy [1][2]
    Up to 2 kg: €8.95
    Over: €12.95
Bulky items cost more.
[2]`,
	} {
		if diff := cmp.Diff(want, strings.Join(answerLines(parts, width), "\n")); diff != "" {
			t.Errorf("%d columns: %s", width, diff)
		}
	}
}
