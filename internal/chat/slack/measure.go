package slack

import "citebot/internal/chat/layout"

// measure is what one message has room for.
var measure = layout.Measure{
	Section: sectionChars,
	Sheet:   answerWeight,
	Quote:   quoteChars,
	Quotes:  quotesChars,
	Size:    layout.Chars,
	Span:    weigh,
	Note: func(f layout.Footnote, quote int) int {
		return weigh(layout.Span{Text: noteLine(f, quote)})
	},
	Link: linkAddress,
}

// weigh is what a span may count against messageWeight.
func weigh(s layout.Span) int {
	const element = 30 // of its names and braces
	return layout.Chars(s.Text) + layout.Chars(s.URL) + element
}

// plainMarkup writes an answer as mrkdwn, without blocks.
var plainMarkup = layout.Markup{
	Escape: escape,
	Fit:    escapeFit,
	Line:   func(f layout.Footnote) string { return noteLine(f, 0) },
}
