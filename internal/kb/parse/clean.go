package parse

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

// clean makes s a kb.Block's text: NFC, white space runs as one space, nothing invisible.
func clean(s string) string {
	if plainASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	gap, marks := false, 0
	for _, r := range s {
		switch {
		case isSpace(r):
			gap, marks = true, 0
		case !visible(r, &marks):
		default:
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// cleanCode is clean for kb.Code: newlines and indentation stay, tabs are four spaces,
// blank lines around are dropped.
func cleanCode(s string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\n") {
		b.WriteString(norm.NFC.String(strings.TrimRight(strings.Map(codeRune(), strings.ReplaceAll(line, "\t", "    ")), " ")))
		b.WriteByte('\n')
	}
	return strings.TrimRight(strings.TrimLeft(b.String(), "\n"), "\n")
}

func codeRune() func(rune) rune {
	marks := 0
	return func(r rune) rune {
		switch {
		case isSpace(r):
			marks = 0
			return ' '
		case visible(r, &marks):
			return r
		}
		return -1
	}
}

// plainASCII reports whether s is printable ASCII without outer or double spaces, as
// nearly all text is.
func plainASCII(s string) bool {
	last := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == ' ' && last == ' ' {
			return false
		}
		last = c
	}
	return s == "" || last != ' '
}

func isSpace(r rune) bool {
	return r == ' ' || r < ' ' && '\t' <= r && r <= '\r' || r > '~' && unicode.IsSpace(r)
}

// maxMarks bounds the combining marks on one letter. Real text has up to 4; norm puts a
// U+034F, which is invisible, between more than 30.
const maxMarks = 16

// visible reports whether a reader can see r, which is no white space, given the number
// of marks before it on the same letter. What cannot be seen can smuggle text past them.
func visible(r rune, marks *int) bool {
	if r < utf8.RuneSelf {
		*marks = 0
		return r >= ' ' && r != 0x7f
	}
	if unicode.Is(invisible, r) {
		return unicode.Is(unicode.Prepended_Concatenation_Mark, r)
	}
	if !unicode.Is(unicode.M, r) {
		*marks = 0
		return true
	}
	*marks++
	return *marks <= maxMarks
}

// invisible are format characters (zero width, bidirectional, tags), other default
// ignorables, variation selectors, controls, private use and noncharacters. Of the format
// characters, the Arabic and Syriac signs that go before numbers are seen.
var invisible = rangetable.Merge(unicode.Cf, unicode.Co, unicode.Cc, unicode.Variation_Selector,
	unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)

// blank reports whether s holds nothing that clean would keep.
func blank(s string) bool {
	marks := 0
	for _, r := range s {
		if !isSpace(r) && visible(r, &marks) {
			return false
		}
	}
	return true
}
