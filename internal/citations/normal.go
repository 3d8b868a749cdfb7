package citations

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Normal is the one normalisation under which texts are compared: invalid UTF-8 and runes
// that may not be shown are dropped, the rest is brought to NFC, and every run of white
// space becomes one space, none at either end. A part's text is in this form.
func Normal(s string) string {
	return strings.Join(strings.Fields(Clean(s)), " ")
}

// Clean drops what may not be shown from s and brings it to NFC. Line breaks and tabs
// stay, other white space becomes a plain space. On text that is clean already it changes
// nothing, so a quote is its passage's bytes.
func Clean(s string) string {
	s = strings.Map(shown, strings.ToValidUTF8(s, ""))
	return norm.NFC.String(s)
}

// shown maps a rune to what may reach a reader, -1 for nothing.
func shown(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case unicode.IsSpace(r):
		return ' '
	case hidden(r):
		return -1
	}
	return r
}

// hidden reports whether r is a control, zero-width, bidirectional formatting, tag,
// private-use or unassigned-for-good character: what a reader cannot see can reorder,
// hide or smuggle text. Arabic's visible number signs are format characters too, and stay.
func hidden(r rune) bool {
	if unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.Noncharacter_Code_Point)
}
