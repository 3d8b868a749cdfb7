package main

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"citebot/internal/kb/embed"
	"citebot/internal/ledger"
)

type gapsCmd struct {
	Days int  `default:"30" help:"How far to look back (${default})."`
	JSON bool `help:"Print JSON, one group a line."`
}

// Run prints what people asked and the documents did not answer, what was asked most often
// first. It reads the ledger beside a running daemon.
func (c *gapsCmd) Run(ctx context.Context, b *bot) error {
	if c.Days < 1 {
		return misused("--days must be at least 1")
	}
	cfg, err := b.config()
	if err != nil {
		return err
	}
	gaps, err := readGaps(ctx, cfg.State, time.Now().AddDate(0, 0, -c.Days))
	if errors.Is(err, fs.ErrNotExist) {
		b.say.note("nothing recorded yet: there is no ledger in %s; `bot serve` keeps one of what people ask on chat platforms", cfg.State)
		return nil
	}
	if err != nil {
		return err
	}
	groups, err := b.groupGaps(ctx, gaps)
	if err != nil {
		return err
	}
	if !c.JSON {
		b.say.gaps(groups, c.Days)
		return nil
	}
	for _, g := range groups {
		if err := b.say.json(g); err != nil {
			return err
		}
	}
	return nil
}

func readGaps(ctx context.Context, state string, since time.Time) ([]ledger.Gap, error) {
	l, err := ledger.OpenReadOnly(ctx, ledgerFile(state))
	if err != nil {
		return nil, err
	}
	gaps, err := l.Gaps(ctx, since)
	return gaps, errors.Join(err, l.Close())
}

// A gapGroup is one thing that the documents do not say, in the words of those who asked.
type gapGroup struct {
	Question string    `json:"question"` // as it was first asked
	Also     []string  `json:"also"`     // in other words, oldest first
	Asked    int       `json:"asked"`
	NotRight int       `json:"not_right"` // people who said that the answer was not right
	Channels int       `json:"channels"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`

	texts    map[string]bool // as sameWords has them
	channels map[string]bool
}

// groupGaps embeds the questions and groups them. Vectors are made in this process, some
// 15 ms each, while the daemon goes on.
func (b *bot) groupGaps(ctx context.Context, gaps []ledger.Gap) ([]gapGroup, error) {
	if len(gaps) == 0 {
		return nil, nil
	}
	model, err := embed.New()
	if err != nil {
		return nil, err
	}
	texts := distinct(gaps)
	vectors := make(map[string][]float32, len(texts))
	defer b.say.progress.clear()
	const batch = 64
	for some := range slices.Chunk(texts, batch) {
		made, err := model.EmbedPassages(ctx, some)
		if err != nil {
			return nil, err
		}
		for i, text := range some {
			vectors[text] = made[i]
		}
		b.say.progress.show(step{"comparing questions", len(vectors), len(texts)})
	}
	return group(gaps, vectors), nil
}

// distinct are the gaps' texts as sameWords has them, each once.
func distinct(gaps []ledger.Gap) []string {
	var texts []string
	for _, g := range gaps {
		texts = append(texts, sameWords(g.Text))
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// sameWords is a question in the one form that all ways to write its words share.
func sameWords(question string) string {
	return strings.TrimRight(strings.ToLower(strings.Join(strings.Fields(question), " ")), "?!. ") + "?"
}

// sameQuestion is the cosine from which on two questions count as one, as passages of the
// built-in model and as sameWords has them. Of the 20 pairs in gaps_test.go that ask for the
// same in other words it joins 13, of the 21 that are near and ask for something else 1; at
// 0.84 it would be 15 and 4, at 0.86 11 and 1. Without the question mark, or compared as
// queries with the model's prefix, the two kinds of pair lie closer together.
const sameQuestion = 0.85

// group puts each question, oldest first, to the group whose first question is nearest, or
// begins a new one; vectors are by sameWords. The largest group comes first, and among
// equals the one that was asked last.
func group(gaps []ledger.Gap, vectors map[string][]float32) []gapGroup {
	var groups []*gapGroup
	for _, g := range slices.Backward(gaps) {
		nearest := nearestGroup(groups, vectors, vectors[sameWords(g.Text)])
		if nearest == nil {
			nearest = &gapGroup{Question: g.Text, Also: []string{}, First: g.Asked, texts: map[string]bool{}, channels: map[string]bool{}}
			groups = append(groups, nearest)
		}
		nearest.add(g)
	}
	out := make([]gapGroup, len(groups))
	for i, g := range groups {
		out[i] = *g
	}
	slices.SortStableFunc(out, func(a, b gapGroup) int {
		if a.Asked != b.Asked {
			return b.Asked - a.Asked
		}
		return b.Last.Compare(a.Last)
	})
	return out
}

func nearestGroup(groups []*gapGroup, vectors map[string][]float32, v []float32) *gapGroup {
	var nearest *gapGroup
	best := float32(sameQuestion)
	for _, g := range groups {
		if cos := cosine(vectors[sameWords(g.Question)], v); cos >= best {
			nearest, best = g, cos
		}
	}
	return nearest
}

// cosine is that of vectors of unit length.
func cosine(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func (g *gapGroup) add(asked ledger.Gap) {
	g.Asked++
	g.NotRight += asked.Bad
	g.Last = asked.Asked
	g.channels[asked.Platform+" "+asked.Channel] = true
	g.Channels = len(g.channels)
	if words := sameWords(asked.Text); !g.texts[words] {
		if len(g.texts) > 0 {
			g.Also = append(g.Also, asked.Text)
		}
		g.texts[words] = true
	}
}
