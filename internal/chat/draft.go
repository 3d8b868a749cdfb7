package chat

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// A claim is one sentence or list item of a model's draft, and the numbers of the extracts
// that it cites.
type claim struct {
	text  string // in Normal form, without marks and markup
	lead  string // of an item: the line that announces its list and needs no marks of its own
	kind  citations.PartKind
	marks []int // each once
}

// whole is what the claim says.
func (c claim) whole() string { return strings.TrimSpace(c.lead + " " + c.text) }

// maxClaims is how many sentences of a draft are looked at. An answer has a few.
const maxClaims = 24

// maxDraft is how much of a draft is read, in bytes: as many statements as are looked at.
const maxDraft = 16 << 10

// whole is what can be used of a draft that was cut off: up to its last mark or line. The
// sentence that was cut says something else.
func whole(draft string) string {
	i := strings.LastIndexAny(draft, "]】\n")
	if i < 0 {
		return ""
	}
	_, size := utf8.DecodeRuneInString(draft[i:])
	return draft[:i+size]
}

// claims takes a draft apart. A mark belongs to the sentence that it stands in or right
// after; what stands between two sentences' marks without one is a claim without marks.
func claims(draft string) []claim {
	var out []claim
	lead := claim{} // may turn out to announce a list
	for line := range strings.Lines(citations.Clean(draft)) {
		for _, c := range claimsOfLine(line) {
			if c.kind == citations.Item {
				c.lead = lead.text
			} else if lead = (claim{}); strings.HasSuffix(c.text, ":") && len(c.marks) == 0 {
				lead = c
			}
			if n := len(out); n > 0 && c.lead != "" && out[n-1].text == c.lead {
				out = out[:n-1] // it is part of each item
			}
			if len(out) == maxClaims {
				return out
			}
			out = append(out, c)
		}
	}
	return out
}

var (
	mark     = regexp.MustCompile(`(?i)\s*[\[【]\s*\^?(?:(?:passages?|sources?|extracts?)\s*:?\s*)?(\d{1,3}(?:\s*[,;&]\s*\d{1,3})*)\s*[\]】]`)
	bullet   = regexp.MustCompile(`^\s*(?:[-*•–]|\d{1,2}[.)])\s+`)
	emphasis = regexp.MustCompile("\\*\\*|__|`")
	digits   = regexp.MustCompile(`\d+`)
)

func claimsOfLine(line string) []claim {
	kind := citations.Sentence
	if b := bullet.FindString(line); b != "" {
		kind, line = citations.Item, line[len(b):]
	}
	text, marks := withoutMarks(emphasis.ReplaceAllString(line, ""))
	sentences := kb.Sentences(text)
	if kind == citations.Item && len(sentences) > 1 && oneMark(marks, len(strings.TrimSpace(text))) {
		sentences = [][2]int{{0, len(text)}}
	}
	var out []claim
	for i, r := range sentences {
		c := claim{text: citations.Normal(text[r[0]:r[1]]), kind: kind}
		for _, m := range marks {
			if within := m.at > r[0] && m.at <= r[1]; (within || i == 0 && m.at <= r[0]) && !slices.Contains(c.marks, m.n) {
				c.marks = append(c.marks, m.n)
			}
		}
		if c.text != "" {
			out = append(out, c)
		}
	}
	return out
}

// oneMark reports whether all marks stand at the end.
func oneMark(marks []placedMark, end int) bool {
	return len(marks) > 0 && marks[0].at >= end
}

// A placedMark is a number and where it stood in the text that is left without marks.
type placedMark struct{ n, at int }

func withoutMarks(line string) (string, []placedMark) {
	var b strings.Builder
	var marks []placedMark
	last := 0
	for _, loc := range mark.FindAllStringSubmatchIndex(line, -1) {
		b.WriteString(line[last:loc[0]])
		for _, n := range digits.FindAllString(line[loc[2]:loc[3]], -1) {
			number, _ := strconv.Atoi(n) // three digits at most
			marks = append(marks, placedMark{number, b.Len()})
		}
		last = loc[1]
	}
	b.WriteString(line[last:])
	return b.String(), marks
}

// declines reports whether a draft says that the documents hold no answer.
func declines(draft string) bool {
	return refusesToAnswer.MatchString(strings.TrimSpace(draft)) || !mark.MatchString(draft) && saysNotThere.MatchString(draft)
}

var (
	refusesToAnswer = regexp.MustCompile(`(?i)^\W*no[ _-]?answer\b`)
	saysNotThere    = regexp.MustCompile(`(?i)\b(not|n't|no)\b.{0,60}\b(passages?|documents?|information|context)\b|\b(passages?|documents?|context)\b.{0,40}\b(not|n't|no)\b`)
)
