package citations

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A factKind is a sort of thing that a statement must not get wrong.
type factKind int

const (
	numberFact factKind = iota
	dateFact
	clockFact
	linkFact // also an e-mail address or anything that could be taken for a host
	codeFact // letters and digits in one: A4, v2.3, COVID-19
	nameFact // a word in capitals where a sentence does not want them
)

func (k factKind) String() string {
	return [...]string{"number", "date", "time", "link", "code", "name"}[k]
}

// A fact is one such thing in a text, in a form that does not depend on how it was spelled.
type fact struct {
	kind    factKind
	text    string // as it stands in the text
	at      int    // byte offset of it there
	value   string // of links, codes and names: in lower case; of times: minutes since midnight
	raw     float64
	unit    string  // what raw counts; "": nothing known
	times   float64 // how many of the unit one of raw is
	counted string  // stem of the noun after a number without a unit; "": none
	date    [3]int  // day, month, year; 0: not said
	bound   bound
	soft    bool // a word that may be a number and need not: "a week"
}

// A bound is which side of a number is meant.
type bound int

const (
	unbound bound = iota
	upper         // up to, within, before
	lower         // at least, over, after
)

// facts finds what text states that can be compared, and what is left of it, byte for byte
// in its place. text is in Normal form.
func facts(text string) (found []fact, rest string) {
	f := finder{text: text, rest: text}
	if strings.ContainsAny(text, ".:@．。｡") {
		f.links()
	}
	if strings.ContainsFunc(text, unicode.IsNumber) { // most sentences have none, and patterns are slow
		f.dates()
		f.clocks()
		f.codes()
	}
	f.monthsAlone()
	f.dayPoints()
	f.numbers()
	f.names()
	slices.SortStableFunc(f.found, func(a, b fact) int { return a.at - b.at })
	return f.found, f.rest
}

// A finder blanks out in rest what it has understood, byte for byte, so that no part of a
// date is read again as a number.
type finder struct {
	text, rest string
	found      []fact
}

// each calls take with the submatches of every match, and takes it out of the rest if that
// is true.
func (f *finder) each(pattern *regexp.Regexp, take func(at int, m []string) bool) {
	for _, loc := range pattern.FindAllStringSubmatchIndex(f.rest, -1) {
		groups := make([]string, len(loc)/2)
		for i := range groups {
			if loc[2*i] >= 0 {
				groups[i] = f.rest[loc[2*i]:loc[2*i+1]]
			}
		}
		if take(loc[0], groups) {
			f.rest = f.rest[:loc[0]] + strings.Repeat(" ", loc[1]-loc[0]) + f.rest[loc[1]:]
		}
	}
}

func (f *finder) add(x fact) { f.found = append(f.found, x) }

// linkLike is whatever a reader or a program might take for an address, generously: a
// scheme, an e-mail address, or a name with a dot and two letters after it.
var linkLike = regexp.MustCompile(`(?i)(?:\b[a-z][a-z0-9+.-]{1,20}:(?://)?[^\s|]*[^\s|.,;:!?)\]'"]|[\w.+%-]+@[\w-]+(?:\.[\w-]+)*|(?:[\p{L}\p{N}_-]+[.．。｡])+\p{L}{2,}(?:[/?#:][^\s|]*[^\s|.,;:!?)\]'"])?)`)

// links takes "note: this" for none: a scheme is followed by no space.
func (f *finder) links() {
	f.each(linkLike, func(at int, m []string) bool {
		f.add(fact{kind: linkFact, text: m[0], at: at, value: strings.ToLower(m[0])})
		return true
	})
}

const monthNames = `(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)`

// How dates are written; the groups are day, month, year in the order of each.
var (
	isoDate    = regexp.MustCompile(`\b(\d{4})-(\d\d)-(\d\d)\b`)
	slashDate  = regexp.MustCompile(`\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b`)
	dayMonth   = regexp.MustCompile(`(?i)\b(\d{1,2})(?:st|nd|rd|th)?(?: of)? ` + monthNames + `\b\.?(?:,? (\d{4})\b)?`)
	monthDay   = regexp.MustCompile(`(?i)\b` + monthNames + `\b\.? (\d{1,2})(?:st|nd|rd|th)?\b(?:,? (\d{4})\b)?`)
	monthYear  = regexp.MustCompile(`(?i)\b` + monthNames + `\b\.?,? (\d{4})\b`)
	monthAlone = regexp.MustCompile(`\b(?:[Ii]n|of|between|by|until|from|since|during|every|each|next|last|to|and|before|after|through) (January|February|March|April|May|June|July|August|September|October|November|December)\b`)
	monthStart = [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
)

func monthOf(name string) int {
	for i, start := range monthStart {
		if strings.HasPrefix(strings.ToLower(name), start) {
			return i + 1
		}
	}
	return 0
}

func (f *finder) dates() {
	date := func(pattern *regexp.Regexp, read func(m []string) (day, month, year string)) {
		f.each(pattern, func(at int, m []string) bool {
			day, month, year := read(m)
			d := [3]int{atoi(day), atoi(month), atoi(year)}
			if d[1] == 0 {
				d[1] = monthOf(month)
			}
			if d[0] > 31 || d[1] < 1 || d[1] > 12 || month == "may" { // that is a verb
				return false
			}
			f.add(fact{kind: dateFact, text: strings.TrimSpace(m[0]), at: at, date: d, bound: boundAt(f.text, at, at+len(m[0]))})
			f.daysBefore(at, d)
			return true
		})
	}
	date(isoDate, func(m []string) (string, string, string) { return m[3], m[2], m[1] })
	date(slashDate, func(m []string) (string, string, string) { return m[1], m[2], m[3] })
	date(dayMonth, func(m []string) (string, string, string) { return m[1], m[2], m[3] })
	date(monthDay, func(m []string) (string, string, string) { return m[2], m[1], m[3] })
	date(monthYear, func(m []string) (string, string, string) { return "", m[1], m[2] })
}

func (f *finder) monthsAlone() {
	f.each(monthAlone, func(at int, m []string) bool {
		f.add(fact{kind: dateFact, text: m[0], at: at, date: [3]int{0, monthOf(m[1])}})
		return true
	})
}

var dayBefore = regexp.MustCompile(`(?i)\b(\d{1,2})(?:st|nd|rd|th)? ?(?:-|–|to|and|until) ?$`)

// daysBefore reads the first day of "4 to 22 November".
func (f *finder) daysBefore(at int, d [3]int) {
	loc := dayBefore.FindStringSubmatchIndex(f.rest[:at])
	if loc == nil || d[0] == 0 {
		return
	}
	day := f.rest[loc[2]:loc[3]]
	f.add(fact{kind: dateFact, text: day, at: loc[2], date: [3]int{atoi(day), d[1], d[2]}})
	f.rest = f.rest[:loc[2]] + strings.Repeat(" ", loc[3]-loc[2]) + f.rest[loc[3]:]
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // what is no number is 0, which no part of a date is
	return n
}

var (
	clockTime = regexp.MustCompile(`(?i)\b(\d{1,2})(?:[:.](\d\d))? ?([ap])\.?m\b\.?`)
	hourTime  = regexp.MustCompile(`\b(\d{1,2}):(\d\d)\b()`)
	hourRange = regexp.MustCompile(`(?i)\b(\d{1,2})(?:[:.](\d\d))?( ?(?:-|–|to|and) ?\d{1,2}(?:[:.]\d\d)? ?[ap]\.?m\b)`)
	dayPoint  = regexp.MustCompile(`\b(noon|midday|midnight)\b`)
)

// clocks reads times of day as minutes since midnight.
func (f *finder) clocks() {
	add := f.addClock
	// "9 to 5 pm" begins in the morning, "1 to 5 pm" in the afternoon.
	for _, loc := range hourRange.FindAllStringSubmatchIndex(f.rest, -1) {
		tail := clockTime.FindStringSubmatch(f.rest[loc[6]:loc[7]])
		hour := atoi(f.rest[loc[2]:loc[3]])
		if tail != nil && hour <= 12 {
			minutes := 0
			if loc[4] >= 0 {
				minutes = atoi(f.rest[loc[4]:loc[5]])
			}
			if strings.EqualFold(tail[3], "p") && hour < atoi(tail[1])%12 {
				hour += 12
			}
			add(loc[2], f.rest[loc[2]:loc[6]], hour*60+minutes)
			f.rest = f.rest[:loc[2]] + strings.Repeat(" ", loc[6]-loc[2]) + f.rest[loc[6]:]
		}
	}
	f.each(clockTime, func(at int, m []string) bool {
		hour := atoi(m[1])
		if hour > 12 {
			return false
		}
		hour %= 12
		if strings.EqualFold(m[3], "p") {
			hour += 12
		}
		add(at, m[0], hour*60+atoi(m[2]))
		return true
	})
	f.each(hourTime, func(at int, m []string) bool {
		if atoi(m[1]) > 24 || atoi(m[2]) > 59 {
			return false
		}
		add(at, m[0], atoi(m[1])*60+atoi(m[2]))
		return true
	})
}

func (f *finder) addClock(at int, text string, minutes int) {
	f.add(fact{kind: clockFact, text: text, at: at, value: strconv.Itoa(minutes % (24 * 60)), bound: boundAt(f.text, at, at+len(text))})
}

func (f *finder) dayPoints() {
	if !strings.Contains(f.text, "noon") && !strings.Contains(f.text, "mid") {
		return
	}
	f.each(dayPoint, func(at int, m []string) bool {
		minutes := 12 * 60
		if m[0] == "midnight" {
			minutes = 0
		}
		f.addClock(at, m[0], minutes)
		return true
	})
}

var (
	code     = regexp.MustCompile(`(?:\b|[#§])\p{L}+[-./]?\d[\p{L}\d]*(?:[-./]\p{L}*\d[\p{L}\d]*)*\b|\b\d+/\d+\b|\b\d+(?:\.\d+){2,}\b`)
	glued    = regexp.MustCompile(`\b\d[\d.,]*(\p{L}+)\b`)
	foreign  = regexp.MustCompile(`[^\P{N}0-9]+`) // digits of other scripts, fractions, superscripts
	phone    = regexp.MustCompile(`(?:\+|\b0)\d(?:[ ()/-]{0,2}\d){6,14}\b|\(\d{3}\) ?\d{3}-\d{4}\b|\b\d{3}-\d{3}-\d{4}\b`)
	currency = regexp.MustCompile(`^(?i)(?:usd|eur|gbp|aud|cad|nzd|chf|jpy|a|us|c|nz|au|ca)$`)
)

// codes are compared as they stand, without hyphens and spaces. So are numbers in other digits
// than 0 to 9, or with letters that are no unit: what is not understood must be there as it is.
func (f *finder) codes() {
	f.each(phone, func(at int, m []string) bool {
		f.add(fact{kind: codeFact, text: m[0], at: at, value: digits(m[0])})
		return true
	})
	f.each(glued, func(at int, m []string) bool {
		unit := strings.ToLower(m[1])
		if _, known := units[unit]; known || ordinalEnd[unit] || currency.MatchString(unit) {
			return false
		}
		f.add(fact{kind: codeFact, text: m[0], at: at, value: strings.ToLower(m[0])})
		return true
	})
	f.each(foreign, func(at int, m []string) bool {
		f.add(fact{kind: codeFact, text: m[0], at: at, value: m[0]})
		return true
	})
	f.each(code, func(at int, m []string) bool {
		letters := strings.TrimRightFunc(m[0], func(r rune) bool { return !unicode.IsLetter(r) })
		if currency.MatchString(letters) {
			return false
		}
		f.add(fact{kind: codeFact, text: m[0], at: at, value: strings.ToLower(m[0])})
		return true
	})
}

// ordinalEnd is what makes numerals ordinals.
var ordinalEnd = WordSet("st nd rd th")

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

var capitalised = regexp.MustCompile(`[\p{L}\p{M}][\p{L}\p{M}'’-]*`)

// names finds words that are written with capitals for what they are: not the first word of
// a sentence, a cell or a quotation, unless the capital stands inside of it.
func (f *finder) names() {
	for _, loc := range capitalised.FindAllStringIndex(f.rest, -1) {
		word := f.rest[loc[0]:loc[1]]
		if !namelike(word) || opensText(f.text[:loc[0]]) && !strings.ContainsFunc(word[firstLen(word):], unicode.IsUpper) {
			continue
		}
		f.add(fact{kind: nameFact, text: word, at: loc[0], value: plainName(word)})
	}
}

func firstLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// namelike reports whether a word has a capital, and is none that English gives one anyway.
func namelike(word string) bool {
	lower := strings.ToLower(word)
	if lower == word || monthOf(lower) > 0 && len(lower) <= len("September") && time.Month(monthOf(lower)).String() == word {
		return false
	}
	first, _, _ := strings.Cut(strings.ReplaceAll(lower, "’", "'"), "'")
	return first != "i" && first != "ok"
}

// plainName is a name without a genitive.
func plainName(word string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "’", "'")
	return strings.Trim(strings.TrimSuffix(word, "'s"), "'-")
}

// opensText reports whether what stands before a word ends a sentence or opens something.
func opensText(before string) bool {
	before = strings.TrimRight(before, " ")
	if before == "" {
		return true
	}
	last, _ := utf8.DecodeLastRuneInString(before)
	return strings.ContainsRune(".!?:|“\"(–—•-…>", last)
}
