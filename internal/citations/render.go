package citations

import (
	"regexp"
	"strconv"
	"strings"
)

// Gap joins the pieces of a quote that are not adjacent in their passage.
const Gap = " … "

// Render writes parts as plain text: sentences run on, items (with a dash unless they are
// numbered), headers and rows stand on lines of their own, and each part ends with the marks of its sources. Every [n] in the
// result is such a mark; where a document's own words hold one, it is written (n).
func Render(parts []Part) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(between(parts[i-1].Kind, p.Kind))
		}
		if p.Kind == Item && !numbered.MatchString(p.Text) {
			b.WriteString("- ")
		}
		b.WriteString(foreignMark.ReplaceAllString(p.Text, "($1)"))
		b.WriteString(marks(p.Sources))
	}
	return b.String()
}

// numbered is an item that brings its own number or letter.
var numbered = regexp.MustCompile(`^(\d+|[a-z])[.)] `)

var foreignMark = regexp.MustCompile(`\[(\d+)\]`)

// between is what separates two parts of these kinds.
func between(before, after PartKind) string {
	if inline(before) && inline(after) {
		return " "
	}
	return "\n"
}

func inline(k PartKind) bool { return k == Sentence || k == "" }

// marks is " [1][2]" for the sources 1 and 2.
func marks(sources []int) string {
	if len(sources) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte(' ')
	for _, n := range sources {
		b.WriteString("[" + strconv.Itoa(n) + "]")
	}
	return b.String()
}
