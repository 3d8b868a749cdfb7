package discordtest

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file reads Discord's Markdown about as Discord's client does, which is Khan Academy's
// simple-markdown with rules of its own. Where they leave doubt a text counts as markup: what
// this reader leaves inert is inert.
// https://discord.com/developers/docs/reference#message-formatting and
// https://support.discord.com/hc/en-us/articles/210298617-Markdown-Text-101

// Kinds of format.
const (
	Bold           = "bold"
	Italic         = "italic"
	Underline      = "underline"
	Strike         = "strikethrough"
	Spoiler        = "spoiler"
	Code           = "code"
	CodeBlock      = "code block"
	Header         = "header"
	Small          = "small text"
	Quote          = "quote"
	List           = "list"
	Link           = "link"     // a masked one; Text is its label
	URL            = "url"      // a bare one
	Address        = "address"  // of e-mail, or a telephone number
	UserMention    = "user"     // a mention
	RoleMention    = "role"     // likewise
	Everyone       = "everyone" // likewise; Text is "@everyone" or "@here"
	ChannelMention = "channel"  // likewise
	SlashMention   = "command"  // likewise
	GuideMention   = "guide"    // a mention of a server's pages
	Emoji          = "emoji"
	Timestamp      = "timestamp"
)

// A Format is a piece of markup that takes effect.
type Format struct {
	Kind  string
	Text  string // what is shown formatted; the id of a mention
	URL   string // of a link
	Quiet bool   // of a link: in <>, so that it has no preview
}

// A span is a piece of read text.
type span struct {
	Format        // Kind "" is text
	inner  []span // of formats around other text
	mark   string // what is shown before: a list's bullet
}

// formats lists the formats of a text, outer before inner.
func formats(source string) []Format { return collect(read(source), nil) }

func collect(spans []span, all []Format) []Format {
	for _, s := range spans {
		if s.Kind != "" {
			f := s.Format
			if s.inner != nil {
				f.Text = plain(s.inner, nil)
			}
			all = append(all, f)
		}
		all = collect(s.inner, all)
	}
	return all
}

// plain is what a person reads; names says how a mention is shown.
func plain(spans []span, names func(string) string) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.mark)
		if s.inner != nil {
			b.WriteString(plain(s.inner, names))
			continue
		}
		b.WriteString(shownAs(s.Format, names))
	}
	return b.String()
}

func shownAs(f Format, names func(string) string) string {
	name := f.Text
	if names != nil {
		name = names(f.Text)
	}
	switch f.Kind {
	case UserMention, RoleMention:
		return "@" + name
	case ChannelMention:
		return "#" + name
	case SlashMention:
		return "/" + f.Text
	}
	return f.Text
}

// read takes a text apart.
func read(source string) []span { return spansOf(source, true) }

// spansOf reads a text; begins says whether it begins a line.
func spansOf(source string, begins bool) []span {
	var all []span
	var words strings.Builder
	add := func(s span) {
		if words.Len() > 0 {
			all = append(all, span{Format: Format{Text: words.String()}})
			words.Reset()
		}
		all = append(all, s)
	}
	for source != "" {
		if s, n := markup(source, begins); n > 0 {
			add(s)
			begins = s.Kind == List || s.Kind == Quote // a header can follow
			source = source[n:]
			continue
		}
		text, n := literal(source)
		words.WriteString(text)
		begins = text == "\n" && n == 1
		source = source[n:]
	}
	if words.Len() > 0 {
		all = append(all, span{Format: Format{Text: words.String()}})
	}
	return all
}

// literal is the next character as text: what a backslash escapes stands for itself.
func literal(source string) (string, int) {
	r, n := utf8.DecodeRuneInString(source)
	if r == '\\' && n < len(source) {
		escaped, m := utf8.DecodeRuneInString(source[n:])
		if escapes(escaped) {
			return source[n : n+m], n + m
		}
	}
	return source[:n], n
}

// escapes tells whether a backslash before a character goes away.
func escapes(r rune) bool {
	return !(r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || unicode.IsSpace(r))
}

// markup reads the markup that a text begins with; n is 0 where there is none.
func markup(source string, begins bool) (s span, n int) {
	if begins {
		if s, n := block(source); n > 0 {
			return s, n
		}
	}
	switch source[0] {
	case '`':
		return code(source)
	case '<':
		return angle(source)
	case '@':
		return loud(source)
	case '[':
		return link(source)
	case 'h':
		return bare(source)
	case ':':
		return shortcode(source)
	case '*', '_', '~', '|':
		return paired(source)
	}
	return span{}, 0
}

var (
	headerPattern = regexp.MustCompile(`^ *#{1,3}\s+\S`)
	smallPattern  = regexp.MustCompile(`^ *-#\s+\S`)
	quotePattern  = regexp.MustCompile(`^ *(?:>>>|>)[ ]+`)
	listPattern   = regexp.MustCompile(`^( *)([*-]|\d+\.)[ ]+`)
)

// block reads what only a line's beginning can be.
func block(source string) (span, int) {
	line, _, _ := strings.Cut(source, "\n")
	switch {
	case headerPattern.MatchString(line):
		return whole(Header, line, strings.IndexByte(line, '#'), "#")
	case smallPattern.MatchString(line):
		return whole(Small, line, strings.IndexByte(line, '-'), "-#")
	case listPattern.MatchString(line):
		found := listPattern.FindStringSubmatch(line)
		return span{Format: Format{Kind: List}, mark: found[1] + found[2] + " "}, len(found[0])
	}
	if found := quotePattern.FindString(line); found != "" {
		return span{Format: Format{Kind: Quote}}, len(found)
	}
	return span{}, 0
}

// whole is a line whose marker is taken off.
func whole(kind, line string, at int, marker string) (span, int) {
	rest := strings.TrimSpace(strings.TrimLeft(line[at:], marker))
	return span{Format: Format{Kind: kind}, inner: spansOf(rest, false)}, len(line)
}

// code reads code, in a line or a block, which ends with as many backticks.
func code(source string) (span, int) {
	ticks := len(source) - len(strings.TrimLeft(source, "`"))
	if ticks >= 3 {
		if end := strings.Index(source[3:], "```"); end > 0 && strings.TrimSpace(source[3:3+end]) != "" {
			return span{Format: Format{Kind: CodeBlock, Text: strings.TrimSpace(source[3 : 3+end])}}, end + 6
		}
	}
	for from := ticks; from < len(source); {
		at := strings.IndexByte(source[from:], '`')
		if at < 0 {
			return span{}, 0
		}
		at += from
		run := len(source[at:]) - len(strings.TrimLeft(source[at:], "`"))
		if run == ticks && at > ticks {
			return span{Format: Format{Kind: Code, Text: source[ticks:at]}}, at + run
		}
		from = at + run
	}
	return span{}, 0
}

// What stands in angle brackets.
var anglePatterns = []struct {
	kind    string
	pattern *regexp.Regexp
}{
	{UserMention, regexp.MustCompile(`^<@!?(\d+)>`)},
	{RoleMention, regexp.MustCompile(`^<@&(\d+)>`)},
	{ChannelMention, regexp.MustCompile(`^<#(\d+)>`)},
	{SlashMention, regexp.MustCompile(`^</([-_'\p{L}\p{N} ]+):\d+>`)},
	{Timestamp, regexp.MustCompile(`^<t:(-?\d{1,17})(?::[tTdDfFR])?>`)},
	{Emoji, regexp.MustCompile(`^<a?(:\w+:)\d+>`)},
	{GuideMention, regexp.MustCompile(`^<id:(customize|browse|guide|home|linked-roles)(?::\d+)?>`)},
	{URL, regexp.MustCompile(`^<([A-Za-z][A-Za-z0-9+.-]*:/[^ >]+)>`)},
	{Address, regexp.MustCompile(`^<((?:mailto:|tel:)[^\s<>]+|\+[\d ()-]+|[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+)>`)},
}

func angle(source string) (span, int) {
	for _, a := range anglePatterns {
		found := a.pattern.FindStringSubmatch(source)
		if found == nil {
			continue
		}
		f := Format{Kind: a.kind, Text: found[1]}
		if a.kind == URL {
			f.URL, f.Quiet = found[1], true
		}
		return span{Format: f}, len(found[0])
	}
	return span{}, 0
}

func loud(source string) (span, int) {
	for _, who := range []string{"@everyone", "@here"} {
		if strings.HasPrefix(source, who) {
			return span{Format: Format{Kind: Everyone, Text: who}}, len(who)
		}
	}
	return span{}, 0
}

var barePattern = regexp.MustCompile(`^https?://[^\s<]+[^<.,:;"'\])\s]`)

func bare(source string) (span, int) {
	found := barePattern.FindString(source)
	return span{Format: Format{Kind: URL, Text: found, URL: found}}, len(found)
}

// shortcodes are some of the names that clients show as an emoji; the list is long.
var shortcodes = regexp.MustCompile(`^:(smile|grin|joy|tada|warning|heart|fire|skull|eyes|x|100|\+1|thumbsup|white_check_mark|rotating_light):`)

func shortcode(source string) (span, int) {
	found := shortcodes.FindString(source)
	return span{Format: Format{Kind: Emoji, Text: found}}, len(found)
}
