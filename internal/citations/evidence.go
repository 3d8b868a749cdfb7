package citations

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// holds reports whether one of the facts of some evidence says what claimed says. words are
// all words of the evidence: a table says a unit once, in its header.
func holds(claimed fact, evidence []fact, words map[string]bool) bool {
	return slices.ContainsFunc(evidence, func(e fact) bool {
		return same(claimed, e) && !opposed(claimed.bound, e.bound) ||
			inYear(claimed, e) || atHour(claimed, e) || spelledUnit(claimed, e, words)
	})
}

// same reports whether two facts are of one kind and value; what a claim leaves open is not
// compared.
func same(claimed, e fact) bool {
	switch {
	case claimed.kind != e.kind:
		return false
	case claimed.kind == numberFact && claimed.unit == "":
		return equal(claimed.raw, e.raw) && (claimed.counted == "" || e.unit == "")
	case claimed.kind == numberFact:
		return (claimed.unit == e.unit || claimed.unit == "dollar" && isDollar(e.unit)) &&
			equal(claimed.raw*claimed.times, e.raw*e.times)
	case claimed.kind == dateFact:
		return sameDate(claimed.date, e.date)
	}
	return claimed.value == e.value
}

// equal allows for what decimal fractions lose in binary.
func equal(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

func isDollar(unit string) bool {
	return unit == "usd" || unit == "aud" || unit == "cad" || unit == "nzd"
}

// sameDate compares what both dates say; a claim may say less, not more, but for the year.
func sameDate(claimed, e [3]int) bool {
	return (claimed[0] == 0 || claimed[0] == e[0]) && claimed[1] == e[1] &&
		(claimed[2] == 0 || e[2] == 0 || claimed[2] == e[2])
}

// inYear takes "in 2026" to be held by a date of that year.
func inYear(claimed, e fact) bool {
	return claimed.kind == numberFact && claimed.unit == "" && e.kind == dateFact && e.date[2] > 0 && claimed.raw == float64(e.date[2])
}

// atHour takes "from 8 to 10 in the morning" to be held by 8 a.m.
func atHour(claimed, e fact) bool {
	return claimed.kind == numberFact && claimed.unit == "" && e.kind == clockFact && e.value == strconv.Itoa(int(claimed.raw)*60)
}

// spelledUnit takes "30 days" to be held by a 30 where a header above says days.
func spelledUnit(claimed, e fact, words map[string]bool) bool {
	if claimed.kind != numberFact || e.kind != numberFact || claimed.unit == "" || e.unit != "" || !equal(claimed.raw, e.raw) {
		return false
	}
	for w, m := range units {
		if m.unit == claimed.unit && m.times == claimed.times && words[w] {
			return true
		}
	}
	return claimed.unit == "workday" && words["days"] && (words["working"] || words["business"])
}

func opposed(a, b bound) bool { return a != unbound && b != unbound && a != b }

// rival reports whether e is a fact of the same sort that says another thing.
func rival(claimed, e fact) bool {
	if claimed.kind == nameFact {
		return e.kind == nameFact && claimed.value != e.value
	}
	return claimed.kind == e.kind && !same(claimed, e) && (claimed.kind != numberFact || claimed.unit == e.unit &&
		(claimed.unit != "" || claimed.counted == "" || e.counted == "" || lexicon.alike(claimed.counted, e.counted)) ||
		claimed.kind == numberFact && e.unit == "" && e.counted == "" && claimed.unit != "" && !money[claimed.unit])
}

// A clause is the smallest part of a text that is said to be so or not to be so.
type clause struct {
	text     string
	terms    map[string]bool // stems of content words, without negations
	subject  map[string]bool // those before its first verb
	verb     bool            // it has an auxiliary verb
	negative int             // how many negations
	inherits bool            // they are those of the clause before
	excepts  bool            // it tells an exception, or says that there is no other
}

var (
	// breaks end a clause, beside punctuation.
	breaks = WordSet("but unless except although though whereas if because so then otherwise instead provided until")

	// conjunctions do where there is a verb on both sides.
	conjunctions = WordSet("and or nor")

	auxiliaries = WordSet("is are was were be been am has have had do does did can could may might must shall should will would cannot need needs")

	// negations turn a clause round, each of them.
	negations = WordSet("not no non never none neither nor without cannot nothing nobody unless except excluding hardly otherwise")

	// exceptions do, too, or say that the rest is otherwise.
	exceptions = WordSet("unless except excluding only otherwise until exclusively solely")

	// bounds are spelled with negations and are none: "no later than".
	// relative is what goes on with a sentence after a comma.
	relative = regexp.MustCompile(`^ (which|who|whose|where|that)\b`)

	// notAfterComma contrasts: "standard delivery only, not express".
	notAfterComma = regexp.MustCompile(`(?i)^, (but )?not\b`)

	// determiners begin something of its own.
	determiners = WordSet("the a an this that these those your our my his her its their you we they he she it i")

	// forFree are the ways to say free, most of which are negative.
	forFree = regexp.MustCompile(`(?i)\b(free of charge|(at|with|for) no (extra |additional |further )?(cost|charge|fee)|no (\w+ )?(cost|charge|fee)s?\b( is charged)?|costs? nothing|without (extra |additional |any )?(charge|cost|fee)s?|included in the price|(is|are|gets?|will be) waived|(do|does|need|will)( not|n't) (have to |need to )?pay|pays? nothing|never pays?|without paying)\b`)

	bounds = regexp.MustCompile(`(?i)\b(no|not) (more|less|fewer|later|earlier|longer|greater|higher|sooner|shorter|larger|smaller|older|younger) than\b|\b(not|cannot|never) exceed|\bnot only\b`)
)

// plainly says free where a text says that nothing has to be paid.
func plainly(text string) string {
	for _, hint := range []string{"charge", "cost", "fee", "pay", "waived", "in the price"} {
		if strings.Contains(text, hint) {
			return forFree.ReplaceAllString(text, "free")
		}
	}
	return text
}

// withoutBounds is text without the negations of bounds.
func withoutBounds(text string) string {
	if !strings.Contains(text, "than") && !strings.Contains(text, "exceed") && !strings.Contains(text, "only") {
		return text
	}
	return bounds.ReplaceAllString(text, " ")
}

// Denies reports whether a text says "not".
func Denies(text string) bool { return negative(clauses(text, nil)) > 0 }

// clauses takes text apart. Prefixes as in "unpaid" are taken off where one of the known
// words is left, which are the other text's, too: there both say the same of one word.
func clauses(text string, known map[string]bool) []clause {
	text = withoutBounds(plainly(text))
	if strings.Contains(text, " | ") {
		return []clause{newClause(text, known)} // a row's cells are about one thing
	}
	var out []clause
	start, verb := 0, false
	cut := func(end int) {
		if c := newClause(text[start:end], known); len(c.terms) > 0 || c.negative > 0 {
			out = add(out, c)
		}
		start, verb = end, false
	}
	for i, t := range tokensOf(text) {
		switch {
		case pauses(text[t.at:]), breaks[t.text] && i > 0:
			cut(t.at)
		case (conjunctions[t.text] || t.text == "," && !relative.MatchString(text[t.end:])) && verb: // else it joins words: "eating and drinking are …"
			cut(t.at)
		}
		verb = verb || isVerb(t.text)
	}
	cut(len(text))
	return untilJoined(out)
}

// add appends a clause and gives it what it leaves out since the one before has said it: the
// subject of "and cannot be sold", the negation of "or refunded".
func add(all []clause, c clause) []clause {
	if len(all) == 0 {
		return append(all, c)
	}
	last := all[len(all)-1]
	if len(last.terms) == 0 && len(c.terms) > 0 { // "if not": of what follows
		c.negative += last.negative
		c.excepts = c.excepts || last.excepts
		return append(all[:len(all)-1], c)
	}
	first := tokensOf(c.text)
	if len(first) == 0 || !conjunctions[first[0].text] && first[0].text != "," {
		return append(all, c)
	}
	own := len(first) > 1 && determiners[first[1].text] && first[0].text != "or" && first[0].text != "nor"
	if !c.verb && c.negative == 0 && !own {
		c.negative, c.inherits = last.negative, true
	}
	if !c.verb || len(c.subject) == 0 {
		maps.Copy(c.terms, last.subject)
		c.subject = last.subject
	}
	return append(all, c)
}

// isVerb reports whether a word is one of the auxiliaries, which most statements of rules
// have.
func isVerb(w string) bool {
	return auxiliaries[w] || strings.HasSuffix(w, "n't") || strings.HasSuffix(w, "n’t")
}

// pauses reports whether text begins with punctuation that ends a clause.
func pauses(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return strings.ContainsRune(";.—–", r) || notAfterComma.MatchString(text)
}

// untilJoined makes one clause of "nobody … until …", which denies nothing: it is "only
// after".
func untilJoined(all []clause) []clause {
	for i := len(all) - 1; i > 0; i-- {
		first := tokensOf(all[i].text)
		if len(first) == 0 || first[0].text != "until" || all[i-1].negative%2 == 0 {
			continue
		}
		all[i-1].negative += all[i].negative + 1
		all[i-1].excepts = true
		maps.Copy(all[i-1].terms, all[i].terms)
		all = slices.Delete(all, i, i+1)
	}
	return all
}

func newClause(text string, known map[string]bool) clause {
	c := clause{text: text, terms: map[string]bool{}, subject: map[string]bool{}}
	switches := switched.MatchString(text)
	for _, t := range tokensOf(text) {
		w := strings.ReplaceAll(t.text, "’", "'")
		c.excepts = c.excepts || exceptions[w]
		c.verb = c.verb || isVerb(w)
		if negations[w] || strings.HasSuffix(w, "n't") || switches && w == "off" {
			c.negative++
			continue
		}
		w, _, _ = strings.Cut(w, "'")
		if isNumeral(w) || stopWords[w] || exceptions[w] || !hasLetter(w) {
			continue
		}
		word, turned := affirm(w, known)
		if turned {
			c.negative++
		}
		c.terms[Stem(word)] = true
		if !c.verb {
			c.subject[Stem(word)] = true
		}
	}
	return c
}

// switched is what can be off.
var switched = regexp.MustCompile(`(?i)\b(switch|turn)(s|ed|es|ing)?\b`)

func isNumeral(w string) bool {
	_, err := strconv.ParseFloat(strings.ReplaceAll(w, ",", ""), 64)
	return err == nil || isSpelled(w)
}

func hasLetter(w string) bool {
	return strings.ContainsFunc(w, func(r rune) bool { return r > '9' && inWord(r) })
}

// affirm is the word that a negative one is the opposite of, and whether it is one.
func affirm(w string, known map[string]bool) (word string, turned bool) {
	if positive, ok := lexicon.opposite(w); ok {
		return positive, true
	}
	for _, prefix := range []string{"un", "in", "im", "ir", "non", "dis"} {
		if rest, ok := strings.CutPrefix(w, prefix); ok && len(rest) > 3 && known[Stem(rest)] {
			return rest, true
		}
	}
	return w, false
}
