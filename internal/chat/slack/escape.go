package slack

import (
	"strings"
	"unicode"

	"citebot/internal/chat/layout"
	"citebot/internal/citations"

	api "github.com/slack-go/slack"
)

// Words that are not ours (documents, questions, names, one day a model's) reach Slack in
// two ways only:
//
//   - as the text of rich_text and plain_text elements, which have no markup: there
//     "*", ":smile:", "@here", "<!channel>" and "https://…" are those characters and
//     nothing else. Answers, questions and the home are set this way.
//   - through escape, where Slack has nothing but its markup, mrkdwn: the lines of
//     sources, which are to be small, and a message's text. mrkdwn has no escape for its
//     formatting characters. Invisible characters between them would be what Clean takes
//     out of documents, so look-alikes stand for those that could format something.
//
// Bare addresses and names stay unlinked in mrkdwn objects because they are verbatim
// (mrkdwn below), and in a message's text because it is sent with parse=none.
// https://docs.slack.dev/messaging/formatting-message-text#automatic-parsing

// escape makes s mrkdwn that shows s and does nothing.
func escape(s string) string {
	runes := []rune(citations.Clean(s))
	var b strings.Builder
	for i, r := range runes {
		switch {
		case formats(runes, i):
			b.WriteRune(lookalikes[r])
		case entities[r] != "":
			b.WriteString(entities[r])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escapeFit is escape for at most limit characters; of a longer text it shows the beginning.
func escapeFit(s string, limit int) string {
	s = citations.Clean(s)
	n, total := 0, 0
	for _, r := range s {
		size := layout.Chars(string(r))
		if total += max(size, len(entities[r])); total > limit {
			return escape(layout.Shorten(s, n))
		}
		n += size
	}
	return escape(s)
}

var entities = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;"}

// lookalikes of what Slack reads as formatting.
// https://docs.slack.dev/messaging/formatting-message-text
var lookalikes = map[rune]rune{
	'*': '\u2217', // asterisk operator
	'_': '\u02cd', // modifier letter low macron
	'~': '\u223c', // tilde operator
	'`': '\u02cb', // modifier letter grave accent
	':': '\u2236', // ratio
	'>': '\u02c3', // modifier letter right arrowhead
}

// formats reports whether the rune at i could be read as formatting. Within a word Slack
// leaves * _ ~ alone: snake_case and 2*3 stay as they are.
func formats(runes []rune, i int) bool {
	switch runes[i] {
	case '`':
		return true
	case '>':
		return startsLine(runes[:i])
	case '*', '_', '~':
		return i == 0 || i+1 == len(runes) || !wordRune(runes[i-1]) || !wordRune(runes[i+1])
	case ':':
		return opensEmoji(runes, i)
	}
	return false
}

func wordRune(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// startsLine reports whether what comes after before begins a line. There ">" quotes,
// written as &gt; too.
func startsLine(before []rune) bool {
	for i := len(before) - 1; i >= 0 && before[i] != '\n'; i-- {
		if !unicode.IsSpace(before[i]) {
			return false
		}
	}
	return true
}

// opensEmoji reports whether the colon at i begins something like :smile:. The times in
// "9:00-17:30" do not.
func opensEmoji(runes []rune, i int) bool {
	letter, end := false, i+1
	for end < len(runes) && runes[end] != ':' && !unicode.IsSpace(runes[end]) {
		letter = letter || unicode.IsLetter(runes[end])
		end++
	}
	if end == i+1 || end == len(runes) || runes[end] != ':' {
		return false
	}
	return letter || i == 0 || !unicode.IsDigit(runes[i-1])
}

// addressChars is the longest address that is linked. Slack would take 3,000; one so long
// would crowd out the answer, since every mark repeats it.
const addressChars = 800

// linkAddress returns the address to link to for a source's URL, safe within <…|…>, or ""
// where it is not one that a browser should open.
func linkAddress(raw string) string {
	safe := layout.Address(raw, " |<>\"`", addressChars)
	if layout.Chars(escapeAddress(safe)) > addressChars {
		return ""
	}
	return safe
}

func escapeAddress(a string) string { return strings.ReplaceAll(a, "&", "&amp;") }

// mrkdwnLink is a label that leads to what linkAddress returned, or the label alone.
func mrkdwnLink(address, label string) string {
	if address == "" || label == "" {
		return escape(label)
	}
	const bar = "\u2223" // looks like "|", which separates the two
	return "<" + escapeAddress(address) + "|" + strings.ReplaceAll(escape(label), "|", bar) + ">"
}

// mrkdwnObject is a text object of escaped text.
func mrkdwnObject(escaped string) *api.TextBlockObject {
	return api.NewTextBlockObject(api.MarkdownType, escaped, false, true)
}

// plainObject is a text object that shows s as it is.
func plainObject(s string) *api.TextBlockObject {
	return api.NewTextBlockObject(api.PlainTextType, s, false, false)
}
