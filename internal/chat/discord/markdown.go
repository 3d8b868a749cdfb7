package discord

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"citebot/internal/chat/layout"
	"citebot/internal/citations"
)

// Words that are not ours (documents, questions, names, one day a model's) reach Discord's
// markdown in two ways only:
//
//   - through escape. A backslash before a character that is no letter, digit or space makes
//     it that character and is not shown, in content and in embeds; so the words stay as they
//     are for whoever reads or copies them off the screen. Backslashes stand only where a
//     character could do something.
//   - through label, in the label of a link. There Discord shows backslashes
//     (https://github.com/discord/discord-api-docs/issues/6185) and gives the whole link up
//     when it finds an address, a mention or an emoji in the label, so that nobody can fake
//     another (https://github.com/discord/discord-api-docs/issues/7721 and …/issues/6810). So
//     look-alikes stand for what could format something, and the rest is taken apart.
//
// Mentions do nothing when escaped, and are allowed none besides: see allowed_mentions where
// posts are sent.
// https://discord.com/developers/docs/reference#message-formatting and
// https://support.discord.com/hc/en-us/articles/210298617

// escape makes s markdown that shows s and does nothing, wherever it stands: its beginning
// may be the beginning of a line.
func escape(s string) string {
	runes := []rune(citations.Clean(s))
	var b strings.Builder
	for i, r := range runes {
		if formats(runes, i) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// escapeFit is escape for at most limit characters; of a longer text it shows the beginning.
func escapeFit(s string, limit int) string {
	return escape(layout.ShortenBy(citations.Clean(s), max(limit, 1), escapedSize))
}

// mayFormat are the characters that escape escapes, some of them only in places.
const mayFormat = "\\*_~|`[]<(@#>-+.:/"

// escapedSize is how long s is at most when it is escaped.
func escapedSize(s string) int {
	n := layout.Chars(s)
	for i := range len(s) {
		if strings.IndexByte(mayFormat, s[i]) >= 0 {
			n++
		}
	}
	return n
}

// formats reports whether the rune at i could be read as markup.
func formats(runes []rune, i int) bool {
	before, after := runes[:i], runes[i+1:]
	switch runes[i] {
	case '\\', '*', '_', '~', '|', '`', '[', ']', '<':
		return true
	case '(': // a link of ours may stand before, and Discord's labels go on to the last "]("
		return i > 0 && before[i-1] == ']'
	case '@': // what pings is looked for in the text as it was sent
		return i > 0 && before[i-1] == '<' || begins(after, "everyone") || begins(after, "here")
	case '#', '>', '-', '+':
		return startsLine(before)
	case '.':
		return i > 0 && unicode.IsDigit(before[i-1]) && startsLine(trimDigits(before))
	case ':':
		return begins(after, "//") || opensEmoji(after)
	case '/':
		return invites(before)
	}
	return false
}

func begins(s []rune, word string) bool {
	return len(s) >= len(word) && strings.EqualFold(string(s[:len(word)]), word)
}

func startsLine(before []rune) bool {
	for _, r := range slices.Backward(before) {
		if r == '\n' || !unicode.IsSpace(r) {
			return r == '\n'
		}
	}
	return true
}

func trimDigits(s []rune) []rune {
	for len(s) > 0 && unicode.IsDigit(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// digitEmoji are the emoji whose names have no letter; so the times in 10:30:45 are none.
var digitEmoji = []string{"100", "1234", "+1", "-1"}

// opensEmoji reports whether what comes after a colon is the rest of something like :smile:.
func opensEmoji(after []rune) bool {
	letter := false
	for i, r := range after {
		switch {
		case r == ':':
			return i > 0 && (letter || slices.Contains(digitEmoji, string(after[:i])))
		case unicode.IsLetter(r) || r == '_':
			letter = true
		case !unicode.IsDigit(r) && !strings.ContainsRune("+-~", r):
			return false
		}
	}
	return false
}

// A slash after one of these makes an invitation that Discord shows as a card, even without
// https:// before it.
var inviteHost = regexp.MustCompile(`(?i)discord[a-z]*\.[a-z]+(/invite)?$`)

func invites(before []rune) bool {
	const longest = len("discordapp.template/invite")
	return inviteHost.MatchString(string(before[max(0, len(before)-longest):]))
}

// link is a label that leads to what linkAddress returned, or the label alone. Its address is
// not previewed.
func link(text, address string) string {
	if address == "" || text == "" {
		return escape(text)
	}
	return "[" + label(text) + "](<" + address + ">)"
}

// mark is the mark of a source, a link where there is an address.
func mark(n int, address string) string {
	if address == "" {
		return escape(layout.Mark(n))
	}
	return "[" + layout.Mark(n) + "](<" + address + ">)"
}

// label makes s text for a label. Discord sees through some look-alikes there, those of a
// colon and a slash among them, so these are parted or left out.
func label(s string) string {
	runes := disguised([]rune(layout.OneLine(strings.Map(noEmoji, s))))
	var b strings.Builder
	for i, r := range runes {
		switch {
		case r == ':' && opensEmoji(runes[i+1:]):
			b.WriteByte(' ')
		case r == '/' && (invites(runes[:i]) || i > 0 && runes[i-1] == '/'):
			b.WriteString(" /")
		default:
			b.WriteRune(r)
		}
	}
	return cmp.Or(layout.OneLine(b.String()), layout.SayUntitled)
}

// disguised is text with look-alikes.
func disguised(runes []rune) []rune {
	out := slices.Clone(runes)
	for i, r := range runes {
		if alike := lookalikes[r]; alike != 0 && !(r == '_' && inWord(runes, i)) {
			out[i] = alike
		}
	}
	return out
}

// lookalikes of what formats, mentions or ends a label.
var lookalikes = map[rune]rune{
	'*': '\u2217', // asterisk operator
	'_': '\u02cd', // modifier letter low macron
	'~': '\u223c', // tilde operator
	'`': '\u02cb', // modifier letter grave accent
	'|': '\u2223', // divides
	'[': '(',
	']': ')',
	'<': '\u2039', // single left-pointing angle quotation mark
	'>': '\u203a',
	'@': '\uff20', // fullwidth commercial at
}

func inWord(runes []rune, i int) bool {
	return i > 0 && i+1 < len(runes) && wordRune(runes[i-1]) && wordRune(runes[i+1])
}

func wordRune(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// noEmoji leaves out what Discord may show as an emoji.
func noEmoji(r rune) rune {
	switch {
	case strings.ContainsRune("©®™", r):
		return r
	case unicode.Is(unicode.So, r), unicode.Is(unicode.Sk, r) && r > 0xffff,
		strings.ContainsRune("\u20e3‼⁉ℹ〰〽↔◽◾", r), 0x2190 <= r && r < 0x2200, 0x2934 <= r && r <= 0x2935:
		return -1
	}
	return r
}

// linkAddress returns the address to link to for a source's URL, safe within (<…>), or ""
// where it is not one that a browser should open. One that is longer than addressChars would
// crowd out the answer.
func linkAddress(raw string) string { return layout.Address(raw, " <>()\\\"`|", addressChars) }

var (
	// https://discord.com/developers/docs/reference#message-formatting-formats
	mentionMarkup = regexp.MustCompile(`<(@[!&]?|#|a?:\w{1,64}:|id:\w+|t:)(-?\d*)(:[tTdDfFsSR])?>`)
	slashMention  = regexp.MustCompile(`<(/[^<>:\n]{1,100}):\d+>`)
	quietLink     = regexp.MustCompile(`<(https?://[^<>\s]+)>`)
)

// plain is what a person wrote, without Discord's markup for references: links and slash
// commands are themselves, moments become their date; mentions, our own above all, channels
// and a server's own emoji are left out.
func plain(text string) string {
	text = mentionMarkup.ReplaceAllStringFunc(text, func(ref string) string {
		seconds, ok := strings.CutPrefix(ref, "<t:")
		if !ok {
			return " "
		}
		seconds, _, _ = strings.Cut(strings.TrimSuffix(seconds, ">"), ":")
		return dayAt(seconds)
	})
	text = slashMention.ReplaceAllString(text, "$1")
	text = quietLink.ReplaceAllString(text, "$1")
	return strings.TrimSpace(text)
}

// dayAt is the day of a moment in seconds, in UTC, or "" where it is beyond the years that
// people write.
func dayAt(seconds string) string {
	const year9999 = 253402300800
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n < 0 || n >= year9999 {
		return ""
	}
	return time.Unix(n, 0).UTC().Format("2 Jan 2006")
}
