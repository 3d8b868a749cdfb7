package chat

import (
	"cmp"
	"slices"
	"strings"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// An extract is what a model is given under one number: passages in a row of one document.
type extract struct {
	N        int
	passages []*kb.Passage // in reading order, none left out between them
}

// pack chooses of what was found as much as fits into so many tokens, the most useful first:
// a smaller budget loses the last of the ranking. Passages that say the same words as a
// better one are left out, neighbours come together, and numbers follow the ranking.
func pack(hits []kb.Hit, budget int, tokens func(text string) int) []extract {
	var kept []*kb.Passage // by rank
	seen := map[string]bool{}
	for _, p := range byUse(hits) {
		text := citations.Normal(p.Text)
		if seen[text] {
			continue
		}
		cost := tokens(p.Text) + tokens(head(p))
		if budget < cost {
			break
		}
		budget -= cost
		seen[text] = true
		kept = append(kept, p)
	}
	return numbered(joined(kept))
}

// byUse is every passage that was found once: of each hit first the one that its rank
// belongs to.
func byUse(hits []kb.Hit) []*kb.Passage {
	var out []*kb.Passage
	seen := map[string]bool{}
	add := func(p *kb.Passage) {
		if !seen[p.Hash] {
			seen[p.Hash] = true
			out = append(out, p)
		}
	}
	for _, h := range hits {
		add(h.Passages[h.Best])
		for _, p := range h.Passages {
			add(p)
		}
	}
	return out
}

// joined puts passages that follow each other in a document together, in the place of the
// better one.
func joined(ranked []*kb.Passage) []extract {
	var out []extract
	for _, p := range ranked {
		i := slices.IndexFunc(out, func(e extract) bool {
			return slices.ContainsFunc(e.passages, func(q *kb.Passage) bool { return besides(p, q) })
		})
		if i < 0 {
			out = append(out, extract{passages: []*kb.Passage{p}})
			continue
		}
		out[i].passages = append(out[i].passages, p)
		// p may be what stood between this extract and a later one.
		for j := len(out) - 1; j > i; j-- {
			if slices.ContainsFunc(out[j].passages, func(q *kb.Passage) bool { return besides(p, q) }) {
				out[i].passages = append(out[i].passages, out[j].passages...)
				out = slices.Delete(out, j, j+1)
			}
		}
	}
	return out
}

func besides(p, q *kb.Passage) bool {
	return p.Path == q.Path && (p.Ordinal-q.Ordinal == 1 || q.Ordinal-p.Ordinal == 1)
}

func numbered(extracts []extract) []extract {
	for i := range extracts {
		extracts[i].N = i + 1
		slices.SortFunc(extracts[i].passages, func(p, q *kb.Passage) int { return cmp.Compare(p.Ordinal, q.Ordinal) })
	}
	return extracts
}

// Head is what a model reads above an extract.
func (e extract) Head() string { return head(e.passages[0]) }

// names reports whether a text is nothing but a name of the extract, which states nothing.
func (e extract) names(text string) bool {
	return slices.ContainsFunc(e.passages, func(p *kb.Passage) bool {
		return text == head(p) || text == citations.Normal(p.Title) || text == citations.Normal(p.Section()) ||
			slices.ContainsFunc(p.Headings, func(h string) bool { return text == citations.Normal(h) })
	})
}

// head is a passage's document, section and date on one line.
func head(p *kb.Passage) string {
	line := citations.Normal(p.Title)
	if section := citations.Normal(p.Section()); section != "" && section != line {
		line += " › " + section
	}
	if p.Updated != "" {
		line += " (" + citations.Normal(p.Updated) + ")"
	}
	return unmarked(line)
}

// Text is the extract as a model reads it: every line is marked as data, and nothing in it
// looks like a mark.
func (e extract) Text() string {
	var b strings.Builder
	for i, p := range e.passages {
		if i > 0 && p.Section() != e.passages[i-1].Section() {
			b.WriteString("| " + unmarked(citations.Normal(p.Section())) + "\n")
		}
		for line := range strings.Lines(citations.Clean(p.Text)) {
			b.WriteString("| " + unmarked(strings.TrimRight(line, "\n")) + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// unmarked writes what could be taken for a mark as citations.Render does.
func unmarked(s string) string { return mark.ReplaceAllString(s, " ($1)") }
