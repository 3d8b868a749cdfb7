package kb

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences returns the half-open byte ranges of text's sentences, without the white
// space between them, in order. None is empty, and together they hold every byte that is
// not white space. A newline always ends a sentence. Where a full stop may or may not
// end one the sentences stay together: a quotation that is too long is still true.
//
// It takes time linear in text.
func Sentences(text string) [][2]int {
	var found [][2]int
	for start := 0; start < len(text); {
		end := start + lineLen(text[start:])
		found = sentencesOfLine(found, text[:end], start)
		start = end + 1
	}
	return found
}

func lineLen(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// sentencesOfLine appends the sentences of text[start:].
func sentencesOfLine(found [][2]int, text string, start int) [][2]int {
	start = skip(text, start, unicode.IsSpace)
	for i := start; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !isStop(r) {
			i += size
			continue
		}
		stop := i
		i = afterStop(text, i)
		next := skip(text, i, unicode.IsSpace)
		if next == len(text) {
			break
		}
		if endsSentence(text, start, stop, i, next) {
			found = append(found, [2]int{start, i})
			start = next
		}
		i = next
	}
	if end := start + len(strings.TrimRightFunc(text[start:], unicode.IsSpace)); end > start {
		found = append(found, [2]int{start, end})
	}
	return found
}

func skip(text string, i int, class func(rune) bool) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !class(r) {
			break
		}
		i += size
	}
	return i
}

func isStop(r rune) bool {
	switch r {
	case '.', '?', '!', '…', '؟', '۔', '।':
		return true
	}
	return isWideStop(r)
}

// isWideStop reports the stops of scripts that put no space after them.
func isWideStop(r rune) bool {
	switch r {
	case '。', '！', '？', '．', '｡':
		return true
	}
	return false
}

func isCloser(r rune) bool { return strings.ContainsRune(`"'”’»›)]}」』）】〉》`, r) }

func isOpener(r rune) bool { return strings.ContainsRune(`"'“‘„«‹([{¿¡*_`, r) }

// afterStop returns where the run of stops at i ends, with the quotes and brackets that
// close after it and the citation marks, as in "…within 14 days.[1] [2]".
func afterStop(text string, i int) int {
	i = skip(text, skip(text, i, isStop), isCloser)
	for n := citation(text[i:]); n > 0; n = citation(text[i:]) {
		i += n
	}
	return i
}

// citation returns the length of the mark like " [12]" that s begins with, 0 for none.
func citation(s string) int {
	mark, found := strings.CutPrefix(strings.TrimPrefix(s[:min(len(s), 6)], " "), "[")
	digits := strings.TrimLeft(mark, "0123456789")
	if !found || len(digits) == len(mark) || digits == "" || digits[0] != ']' {
		return 0
	}
	return strings.IndexByte(s, ']') + 1
}

// endsSentence reports whether the stops at text[stop:end] end the sentence that began
// at start, where the text goes on at next.
func endsSentence(text string, start, stop, end, next int) bool {
	first, _ := utf8.DecodeRuneInString(text[stop:])
	if isWideStop(first) {
		return true
	}
	if next == end || goesOn(text[next:]) {
		return false
	}
	if text[stop] != '.' || strings.HasPrefix(text[stop:], "..") {
		return true
	}
	return !abbreviated(text, start, stop, next)
}

// goesOn reports whether rest continues a sentence: it begins in lower case, though not
// as "iPhone" or an item "(b)" does, or with more stops.
func goesOn(rest string) bool {
	if strings.IndexByte("(ivx", rest[0]) >= 0 && item.MatchString(rest[:min(len(rest), 8)]) {
		return false
	}
	r, size := utf8.DecodeRuneInString(rest)
	for isOpener(r) && size < len(rest) {
		rest = rest[size:]
		r, size = utf8.DecodeRuneInString(rest)
	}
	if isStop(r) || strings.ContainsRune(",;:", r) {
		return true
	}
	second, _ := utf8.DecodeRuneInString(rest[size:])
	return unicode.IsLower(r) && !unicode.IsUpper(second)
}

// abbreviated reports whether the full stop at text[stop] belongs to the word before it
// and the sentence goes on at next.
func abbreviated(text string, start, stop, next int) bool {
	word := wordBefore(text[start:stop])
	if start+len(word) == stop && enumerator.MatchString(word) {
		return true // "1. Open the app"
	}
	word = strings.TrimLeftFunc(word, isOpener)
	following := wordAfter(text[next:])
	switch key := lookup(word); {
	case beforeName[key]:
		return true
	case beforeNumber[key]:
		return following != "" && '0' <= following[0] && following[0] <= '9'
	case timeOfDay[key]:
		return afterTime[following]
	case isOrdinal(word) && afterOrdinal[following]:
		return true // "am 1. März"
	}
	return (beforeWord[lookup(word)] || initials.MatchString(word)) && !starters[following]
}

// lookup returns the key of a word in the lists below. Words in capitals keep them: "CA"
// is a state, "ca" is about.
func lookup(word string) string {
	if len(word) > 1 && strings.ToUpper(word) == word {
		return word
	}
	return strings.ToLower(word)
}

// maxWord bounds how much of a word is looked at; no abbreviation is as long.
const maxWord = 24

func wordBefore(s string) string {
	s = s[max(0, len(s)-maxWord):]
	i := strings.LastIndexFunc(s, unicode.IsSpace)
	if i < 0 {
		return s
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return s[i+size:]
}

func wordAfter(s string) string {
	s = strings.TrimLeftFunc(s[:min(len(s), 2*maxWord)], isOpener)
	if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); i >= 0 {
		return s[:i]
	}
	return s
}

func isOrdinal(word string) bool {
	return len(word) > 0 && len(word) <= 2 && strings.Trim(word, "0123456789") == ""
}

var (
	// enumerator is the number of an item that a sentence begins with.
	enumerator = regexp.MustCompile(`^\(?(?:[0-9]{1,3}(?:\.[0-9]{1,3})*|[A-Za-z]|[ivxIVX]{1,5})\)?$`)

	item = regexp.MustCompile(`^(?:\([a-z]{1,3}\)|[ivx]{1,4}[.)])\s`)

	// initials are "J" in "J. Smith" and "U.S" in "U.S. customers".
	initials = regexp.MustCompile(`^(?:\p{Lu}|\p{L}(?:\.\p{L})+)$`)
)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

var (
	// beforeName never ends a sentence: something must follow.
	beforeName = wordSet(`mr mrs ms mx prof rev hon gen capt sgt messrs mme mlle e.g eg i.e ie cf vs viz
		approx ca incl excl resp esp z.b bzw d.h u.a ggf evtl vgl inkl zzgl p.ex tel fax`)

	// beforeNumber abbreviates before a number and is a word elsewhere: "The answer is no."
	beforeNumber = wordSet(`no nos nr NO fig figs sec sect art arts p pp par para paras cl ch chap vol
		ext v ver § abs ziff eq apt ste max min
		jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun`)

	// beforeWord may end a sentence; the word that follows tells.
	beforeWord = wordSet(`dr st inc ltd co corp llc LLC plc PLC gmbh jr sr ave blvd rd dept bldg govt intl al`)

	timeOfDay = wordSet(`a.m p.m A.M P.M am pm`)

	afterTime = wordSet(`Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mon Tue Wed Thu Fri Sat Sun
		January February March April May June July August September October November December
		GMT UTC BST CET CEST EST EDT ET CST CDT CT MST MDT MT PST PDT PT AEST IST JST Eastern Central Mountain Pacific`)

	afterOrdinal = wordSet(`Januar Jänner Februar März April Mai Juni Juli August September Oktober November Dezember
		Quartal Halbjahr Kalendertag Werktag Tag Monat Jahr Stock`)

	// starters begin a sentence far more often than they are part of a name.
	starters = wordSet(`A After All Also An Any Are As At Be Before But By Can Check Contact Do Does Each
		Every For From He Her His How However I If In Is It Its Items Many Most My No Not On Once Only Or Orders
		Other Our Please Refunds Returns See She Since So Some Such That The Their Then There These They This
		Those To Under Unless Until We What When Where Which While Who Why With You Your`)
)
