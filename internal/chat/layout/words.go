package layout

import (
	"cmp"
	"strings"
	"time"

	"citebot/internal/citations"
)

// What every surface says in the bot's own words beside an answer.
const (
	SayContinued = "(continued)"
	SayShortened = "(shortened)"
	SayAgain     = "Answered again after your edit."
	SayDegraded  = "For the moment this was found by its words alone, not by its meaning."
	SayNothing   = "There is nothing to show."
	SayNearest   = "Nearest: "
	SayUntitled  = "A document"
)

// Bounds, in characters, of what stands beside an answer.
const (
	noticeChars = 1000
	askedChars  = 600
	nameChars   = 80
	labelChars  = 100
	maxNearest  = 5
)

// Asked says what was asked, where that stands nowhere else: you, or somebody by their name,
// which may be "". It is nothing when there is no question.
func Asked(question, name string, you bool) []Span {
	question = Shorten(Unmarked(question), askedChars)
	name = Shorten(Unmarked(name), nameChars)
	switch {
	case question == "":
		return nil
	case you:
		return []Span{{Text: "You asked: "}, {Text: question}}
	case name != "":
		return []Span{{Text: name + " asked: ", Bold: true}, {Text: question}}
	}
	return []Span{{Text: "Asked: ", Bold: true}, {Text: question}}
}

// Notice is what goes before an answer's parts, or stands for them.
func Notice(a citations.Answer) string {
	said := Unmarked(a.Notice)
	if len(a.Parts) == 0 {
		said = cmp.Or(said, Unmarked(a.Text), SayNothing)
	}
	return Shorten(said, noticeChars)
}

// Nearest leads to the documents that come closest to a question without an answer. link is
// as in [Measure].
func Nearest(a citations.Answer, link func(string) string) []Span {
	if len(a.Parts) > 0 || len(a.Nearest) == 0 {
		return nil
	}
	spans := []Span{{Text: SayNearest}}
	for i, n := range a.Nearest[:min(len(a.Nearest), maxNearest)] {
		if i > 0 {
			spans = append(spans, Span{Text: ", "})
		}
		spans = append(spans, Span{Text: Label(n.Title, "", n.Path), URL: link(n.URL)})
	}
	return spans
}

// Label names a document and the section in it.
func Label(title, section, path string) string {
	title, section = Unmarked(title), Unmarked(section)
	_, inside := strings.CutPrefix(section, title+" › ")
	switch {
	case title == "" || inside:
		title = cmp.Or(section, Unmarked(path), SayUntitled)
	case section != "" && section != title:
		title += " › " + section
	}
	return Shorten(title, labelChars)
}

// Day is a date as people write it, "" for what is none.
func Day(updated string) string {
	day, err := time.Parse(time.DateOnly, updated)
	if err != nil {
		return ""
	}
	return day.Format("2 Jan 2006")
}
