package citations

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A measure is a unit that others are counted in, and how many of it they are.
type measure struct {
	unit  string
	times float64
}

// units are the spellings of each measure. A working day is no day and a month is no
// thirty days; a dollar may be any country's.
var units = readMeasures(`
second    1      second seconds sec secs
minute    1      minute minutes min mins
minute    60     hour hours hr hrs
minute    1440   day days
minute    10080  week weeks wk wks
minute    20160  fortnight fortnights
night     1      night nights
workday   1      workday workdays weekday weekdays
month     1      month months
month     3      quarter quarters
month     12     year years yr yrs
%         1      % percent pct
%         0.1    ‰
dollar    1      $ dollar dollars
usd       1      usd
cad       1      cad
aud       1      aud
nzd       1      nzd
euro      1      € eur euro euros
pound     1      £ gbp pound pounds
yen       1      ¥ jpy yen
franc     1      chf franc francs
cent      1      cent cents
penny     1      penny pence
kilogram  1      kg kgs kilo kilos kilogram kilograms
kilogram  0.001  gram grams
metre     1      metre metres meter meters
metre     0.01   cm centimetre centimetres centimeter centimeters
metre     1000   km kilometre kilometres kilometer kilometers
mile      1      mile miles
megabyte  1      mb megabyte megabytes
megabyte  1000   gb gigabyte gigabytes
megabyte  1e6    tb terabyte terabytes`)

// rates are one of something in a word.
var rates = readMeasures(`
minute  60     hourly
minute  1440   daily
minute  10080  weekly
minute  20160  fortnightly biweekly
month   1      monthly
month   3      quarterly
month   12     yearly annual annually`)

// readMeasures reads lines of a unit, a factor, and the words for so many of it.
func readMeasures(table string) map[string]measure {
	m := map[string]measure{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		fields := strings.Fields(line)
		times, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			panic(err) // the tables above are all there are
		}
		for _, word := range fields[2:] {
			m[word] = measure{fields[0], times}
		}
	}
	return m
}

// dollars are told apart by a country's letters before the sign.
var dollars = map[string]string{"us": "usd", "a": "aud", "au": "aud", "c": "cad", "ca": "cad", "nz": "nzd"}

var (
	ones     = spelled(0, 1, "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
	tens     = spelled(20, 10, "twenty thirty forty fifty sixty seventy eighty ninety")
	ordinals = spelled(1, 1, "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth")
	big      = map[string]float64{"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1e6}

	// qualifiers stand between a number and its unit and do not change it, but for those of
	// working days.
	qualifiers = WordSet("business working calendar consecutive full whole paid unpaid additional extra further more successive straight single entire other financial school academic")
)

func spelled(from, step float64, list string) map[string]float64 {
	m := map[string]float64{}
	for i, w := range strings.Fields(list) {
		m[w] = from + step*float64(i)
	}
	return m
}

// A token is a numeral, a word, a sign, or another character.
type token struct {
	text    string // in lower case
	at, end int
}

// tokensOf takes text apart. Digits with dots and commas between them are one numeral, letters
// with apostrophes between them one word.
func tokensOf(text string) []token {
	out := make([]token, 0, len(text)/5)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		end := i + size
		switch {
		case unicode.IsSpace(r):
			i = end
			continue
		case r >= '0' && r <= '9':
			end = runEnd(text, end, isDigit, ".,")
		case unicode.IsLetter(r):
			end = runEnd(text, end, isWordPart, "'’")
		}
		out = append(out, token{strings.ToLower(text[i:end]), i, end})
		i = end
	}
	return out
}

// runEnd is where a run of one class ends that goes on at i; single joints may stand inside.
func runEnd(text string, i int, class func(rune) bool, joints string) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !class(r) {
			next, _ := utf8.DecodeRuneInString(text[i+size:])
			if !strings.ContainsRune(joints, r) || !class(next) {
				return i
			}
		}
		i += size
	}
	return i
}

func isDigit(r rune) bool    { return r >= '0' && r <= '9' }
func isWordPart(r rune) bool { return unicode.IsLetter(r) || unicode.Is(unicode.M, r) }

// A counter reads the numbers of a text.
type counter struct {
	*finder
	tokens []token
}

func (f *finder) numbers() {
	c := counter{f, tokensOf(f.rest)}
	first := len(f.found)
	for i := 0; i < len(c.tokens); {
		i = max(i+1, c.number(i))
	}
	c.shareUnits(f.found[first:])
	for _, x := range f.found[first:] {
		f.rest = f.rest[:x.at] + strings.Repeat(" ", len(x.text)) + f.rest[x.at+len(x.text):]
	}
}

func (c *counter) word(i int) string {
	if i < 0 || i >= len(c.tokens) {
		return ""
	}
	return c.tokens[i].text
}

// number adds the number that begins at token i, and returns the token after it; i when
// there is none.
func (c *counter) number(i int) int {
	value, end := c.amount(i)
	soft := false
	switch w := c.word(i); {
	case end > i:
	case w == "half":
		return c.half(i)
	case w == "quarter" && c.word(i+1) == "of" && c.word(i+2) == "an" && c.word(i+3) == "hour":
		c.put(i, i+4, 15, units["minute"], false)
		return i + 4
	case ordinals[w] > 0:
		m, after := c.unit(i + 1)
		if m.unit == "" && c.word(i+1) != "of" {
			return i
		}
		c.put(i, after, ordinals[w], m, false)
		return after
	case rates[w].unit != "":
		c.put(i, i+1, 1, rates[w], true)
		return i + 1
	case w == "a" || w == "an" || w == "per" || w == "each" || w == "every" || w == "past" || w == "last" || w == "previous" || w == "next":
		value, end, soft = 1, i+1, true
	default:
		return i
	}
	if c.word(end) == "and" && c.word(end+1) == "a" && c.word(end+2) == "half" {
		value, end = value+0.5, end+3
	}
	m, after := c.unit(end)
	if before, start := c.currency(i); before.unit != "" && !soft {
		m, i, after = before, start, end
	}
	counts := m.unit != ""
	if soft && !counts || !counts && c.word(i) == "one" && end == i+1 {
		return i // an article, a pronoun
	}
	if c.word(after) == "and" && c.word(after+1) == "a" && c.word(after+2) == "half" {
		value, after = value+0.5, after+3
	}
	c.put(i, after, value, m, soft)
	return after
}

// amount reads a numeral or spelled number at token i; the token after it, i for none.
func (c *counter) amount(i int) (value float64, end int) {
	w := c.word(i)
	if startsDigit(w) {
		value, end = numeral(w), i+1
		if times := big[c.word(end)]; times > 0 {
			return value * times, end + 1
		}
		return value, end
	}
	total, end := 0.0, i
	for {
		w := c.word(end)
		one, isOne := ones[w]
		ten, isTen := tens[w]
		switch {
		case isOne:
			value += one
		case isTen:
			value += ten
		case big[w] > 0 && end > i:
			value *= big[w]
			if big[w] >= 1000 {
				total, value = total+value, 0
			}
		case big[w] > 0 && (c.word(end-1) == "a" || w == "dozen"):
			value = big[w]
		case end > i && (w == "-" || w == "and" && big[c.word(end-1)] > 0) && isSpelled(c.word(end+1)):
		default:
			return total + value, end
		}
		end++
	}
}

func startsDigit(w string) bool { return w != "" && w[0] >= '0' && w[0] <= '9' }

func isSpelled(w string) bool {
	_, one := ones[w]
	_, ten := tens[w]
	return one || ten
}

// numeral reads digits with separators of thousands and decimals, English or continental.
func numeral(s string) float64 {
	switch {
	case continental.MatchString(s):
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	default:
		s = strings.ReplaceAll(s, ",", "")
	}
	v, _ := strconv.ParseFloat(s, 64) // only digits and at most some dots get here: 0 for several
	return v
}

var continental = regexp.MustCompile(`^\d+,\d{1,2}$|^\d{1,3}(\.\d{3})+,\d+$|^\d{1,3}(\.\d{3}){2,}$`)

// unit reads what is counted from token i on; the token after it.
func (c *counter) unit(i int) (measure, int) {
	working, j := false, i
	for n := 0; n < 4 && (qualifiers[c.word(j)] || c.word(j) == "-"); n++ {
		working = working || c.word(j) == "business" || c.word(j) == "working"
		j++
	}
	if c.word(j) == "per" && c.word(j+1) == "cent" {
		return units["%"], j + 2
	}
	m, ok := units[c.word(j)]
	switch {
	case !ok, money[m.unit] && startsDigit(c.word(j+1)): // that is the next one's currency
		return measure{}, i
	case working && c.word(j) != "hour" && c.word(j) != "hours" && m.unit == "minute":
		m = measure{"workday", m.times / units["day"].times}
	}
	return m, j + 1
}

// currency reads a sign or code before the number at token i; the token that it begins at.
func (c *counter) currency(i int) (measure, int) {
	m := units[c.word(i-1)]
	switch {
	case i == 0 || !money[m.unit] || len([]rune(c.word(i-1))) > 3 || c.tokens[i].at-c.tokens[i-1].end > 1:
		return measure{}, i
	case c.word(i-1) == "$" && i > 1 && c.tokens[i-2].end == c.tokens[i-1].at && dollars[c.word(i-2)] != "":
		return measure{dollars[c.word(i-2)], 1}, i - 2
	}
	return m, i - 1
}

var money = WordSet("dollar usd cad aud nzd euro pound yen franc")

// half reads "half an hour" and "half of".
func (c *counter) half(i int) int {
	j := i + 1
	if w := c.word(j); w == "a" || w == "an" || w == "-" {
		j++
	}
	if m, after := c.unit(j); m.unit != "" {
		c.put(i, after, 0.5, m, false)
		return after
	}
	return i
}

// put adds a number that the tokens from i to end say.
func (c *counter) put(i, end int, value float64, m measure, soft bool) {
	at, to := c.tokens[i].at, c.tokens[end-1].end
	counted := ""
	if w := c.word(end); m.unit == "" && hasLetter(w) && !stopWords[w] && !breaks[w] {
		counted = Stem(w)
	}
	c.add(fact{counted: counted,
		kind: numberFact, text: c.text[at:to], at: at, raw: value, unit: m.unit, times: max(m.times, 0), soft: soft,
		bound: boundAt(c.text, at, to),
	})
}

var rangeSigns = WordSet("- – to and or until")

// shareUnits gives the ends of a range one unit: "3 to 5 days", "$5–10".
func (c *counter) shareUnits(found []fact) {
	for i := 1; i < len(found); i++ {
		a, b := &found[i-1], &found[i]
		between := strings.ToLower(strings.TrimSpace(c.text[min(a.at+len(a.text), b.at):b.at]))
		if !rangeSigns[between] {
			continue
		}
		switch {
		case a.unit == "" && b.unit != "":
			a.unit, a.times = b.unit, b.times
		case b.unit == "" && money[a.unit]:
			b.unit, b.times = a.unit, a.times
		}
	}
}

// How far a text is read for a word that says on which side of a number it means.
const boundReach = 40 // bytes

// Longer phrases come first: "no more than" is not "more than".
const (
	reach    = `( (the|a|an|one|only|any|about|first|end of|close of|age of|value of))* ?[$€£¥]? ?$`
	denied   = `\b(no|not|never|cannot|can't|nobody)( \w+){0,4} `
	lessThan = `(less|fewer|shorter|lower|smaller|earlier|younger|sooner) than`
	moreThan = `(more|greater|longer|higher|larger|bigger|older|later) than`
)

var (
	boundsBefore = []struct {
		pattern *regexp.Regexp
		bound   bound
	}{
		{regexp.MustCompile(`(?i)` + denied + lessThan + reach), lower},
		{regexp.MustCompile(`(?i)` + denied + `(` + moreThan + `|exceed(ing)?|over|above|after|beyond)` + reach), upper},
		{regexp.MustCompile(`(?i)\b(up to( a (maximum|max|limit) of)?|at (the )?(most|latest)|within|maximum( of)?|max\.?|under|below|` + lessThan + `|by|until|till|before|prior to|limited to|capped at|through)` + reach), upper},
		{regexp.MustCompile(`(?i)\b(at (the )?(least|earliest)|minimum( of)?|min\.?|over|above|` + moreThan + `|exceed(s|ing)?|after|beyond|starting( at| from| on)?|from|since|as of)` + reach), lower},
	}
	upperAfter = regexp.MustCompile(`(?i)^ ?(or (less|fewer|under|below|younger|earlier|shorter)|at (the )?(most|latest)|maximum|max\b)`)
	lowerAfter = regexp.MustCompile(`(?i)^ ?(or (more|over|above|older|later|longer|greater)|at (the )?(least|earliest)|minimum|and (over|above|older|up)|plus\b|\+)`)
	aheadOf    = regexp.MustCompile(`(?i)^ ?(before|ahead|prior|in advance|beforehand)\b`)
)

// boundAt is which side of the number in text[start:end] is meant. "No later than five days
// before" is at least five.
func boundAt(text string, start, end int) bound {
	before := text[max(0, start-boundReach):start]
	after := text[end:min(len(text), end+boundReach)]
	b := unbound
	for _, p := range boundsBefore {
		if p.pattern.MatchString(before) {
			b = p.bound
			break
		}
	}
	switch {
	case b == upper && aheadOf.MatchString(after):
		return lower
	case b != unbound:
		return b
	case upperAfter.MatchString(after):
		return upper
	case lowerAfter.MatchString(after):
		return lower
	}
	return unbound
}
