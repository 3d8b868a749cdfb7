package discordtest

import (
	"regexp"
	"strings"
)

// This file reads the markup that has an end: emphasis and masked links.

// paired reads emphasis. Of those that match the longest counts.
func paired(source string) (span, int) {
	kind, best, width := "", 0, 0
	for _, p := range []struct {
		kind  string
		width int
		ends  func(string) int
	}{
		{Bold, 2, func(s string) int { return closing(s, "**") }},
		{Underline, 2, func(s string) int { return closing(s, "__") }},
		{Italic, 1, italic},
		{Strike, 2, func(s string) int { return twin(s, "~~") }},
		{Spoiler, 2, func(s string) int { return twin(s, "||") }},
	} {
		if n := p.ends(source); n > best {
			kind, best, width = p.kind, n, p.width
		}
	}
	if best == 0 {
		return span{}, 0
	}
	return span{Format: Format{Kind: kind}, inner: spansOf(source[width:best-width], false)}, best
}

// closing finds the end of what begins with a double mark and ends with one that no third
// follows; escaped characters are passed over.
func closing(source, mark string) int {
	if !strings.HasPrefix(source, mark) {
		return 0
	}
	for i := 2; i < len(source); i++ {
		switch {
		case source[i] == '\\':
			i++
		case i > 2 && strings.HasPrefix(source[i:], mark) && (i+2 == len(source) || source[i+2] != mark[0]):
			return i + 2
		}
	}
	return 0
}

// twin finds the end of what begins and ends with the same mark; nothing escapes it.
func twin(source, mark string) int {
	if !strings.HasPrefix(source, mark) || len(source) < 5 {
		return 0
	}
	if end := strings.Index(source[3:], mark); end >= 0 {
		return 3 + end + len(mark)
	}
	return 0
}

// italic finds the end of _text_ or *text*.
func italic(source string) int {
	mark := source[0]
	if mark != '*' && mark != '_' || len(source) < 3 || mark == '*' && isSpace(source[1]) {
		return 0
	}
	for i := 1; i < len(source); i++ {
		switch {
		case source[i] == '\\':
			i++
		case source[i] != mark:
		case i > 1 && endsItalic(source, i):
			return i + 1
		case i+1 < len(source) && source[i+1] == mark:
			i++
		default:
			return 0
		}
	}
	return 0
}

func endsItalic(source string, i int) bool {
	after := byte(' ')
	if i+1 < len(source) {
		after = source[i+1]
	}
	if source[i] == '*' {
		return after != '*' && !isSpace(source[i-1])
	}
	return after != '_' && !('a' <= after|0x20 && after|0x20 <= 'z' || '0' <= after && after <= '9')
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// link reads a masked link: [label](url), [label](<url>), with a title or not.
func link(source string) (span, int) {
	for _, end := range labelEnds(source) {
		target := targetPattern.FindStringSubmatch(source[end+1:])
		if target == nil || !httpPattern.MatchString(target[2]) {
			continue
		}
		label := source[1:end]
		if strings.TrimSpace(label) == "" {
			continue
		}
		f := Format{Kind: Link, URL: unescaped(target[2]), Quiet: target[1] == "<"}
		return span{Format: f, inner: spansOf(label, false)}, end + 1 + len(target[0])
	}
	return span{}, 0
}

var (
	targetPattern = regexp.MustCompile(`^\(\s*(<?)((?:\([^)]*\)|[^\s\\]|\\.)*?)>?(?:\s+['"][\s\S]*?['"])?\s*\)`)
	httpPattern   = regexp.MustCompile(`(?i)^(?:https?|discord)://`)
	escapePattern = regexp.MustCompile(`\\([^0-9A-Za-z\s])`)
)

func unescaped(target string) string { return escapePattern.ReplaceAllString(target, "$1") }

// labelEnds lists where a label that source begins with can end, the latest first. Within it
// brackets come in pairs, but for a ] that another ] follows before any [; a backslash makes
// no difference.
// https://github.com/Khan/simple-markdown, LINK_INSIDE
func labelEnds(source string) []int {
	reached := make([]bool, len(source)+1)
	reached[1] = true
	var ends []int
	for i := 1; i < len(source); i++ {
		if !reached[i] {
			continue
		}
		switch source[i] {
		case '[':
			if n := strings.IndexByte(source[i:], ']'); n > 0 {
				reached[i+n+1] = true
			}
		case ']':
			if strings.HasPrefix(source[i+1:], "(") {
				ends = append([]int{i}, ends...)
			}
			if at := strings.IndexAny(source[i+1:], "[]"); at >= 0 && source[i+1+at] == ']' {
				reached[i+1] = true
			}
		default:
			reached[i+1] = true
		}
	}
	return ends
}
