package citations

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Excerpt is a piece of a passage that can hold a statement: a sentence, an item, a row.
type Excerpt struct {
	Text   string // in Normal form
	Lead   string // what the text goes on with: of an item the line that announces the list, of a reply the question
	Header string // of a row: its table's header row, cells between " | " as in Text
	Above  string // what else readers see over it, such as title and headings
}

// said is what the excerpt states by itself.
func (e Excerpt) said() string {
	if e.Lead == "" {
		return e.Text
	}
	return strings.TrimSuffix(e.Lead, ":") + " " + e.Text
}

// A Reason says why a statement is refused; metrics count by it.
type Reason string

// The reasons.
const (
	NoMark      Reason = "no mark"
	UnknownMark Reason = "unknown mark"   // names no passage that was found
	WrongNumber Reason = "number"         // amounts, percentages and durations, too
	WrongDate   Reason = "date"           // and times of day
	WrongName   Reason = "name"           // names in capitals, and codes of letters and digits
	WrongLink   Reason = "link"           // also e-mail addresses
	WrongWord   Reason = "word"           // one that excludes the passage's own
	Negated     Reason = "negation"       // says the opposite
	Stitched    Reason = "stitched"       // joins what the passage says of different things
	Unsupported Reason = "not in passage" // too little of it is there
	Markup      Reason = "markup"         // holds links, mentions or HTML
	TooLong     Reason = "too long"
	OffQuestion Reason = "off the question" // held, and no answer
)

// Reasons are all of them.
var Reasons = []Reason{NoMark, UnknownMark, WrongNumber, WrongDate, WrongName, WrongLink, WrongWord, Negated, Stitched, Unsupported, Markup, TooLong, OffQuestion}

// A Refusal says why a statement is not held.
type Refusal struct {
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"` // the words that it is about, "" for all of it
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return fmt.Sprintf("%s: %q", r.Reason, r.Detail)
}

// How much of a statement must be there. Measured on testdata/pairs.jsonl.
const (
	maxHolders   = 3    // excerpts that one statement may rest on
	enoughWords  = 0.99 // share of content words that suffices by itself
	someWords    = 0.5  // share that is needed in any case
	enoughCosine = 0.88 // cosine that suffices with some of the words
)

// particle is what an answer to a yes-or-no question may begin with. What it says is what
// follows it.
var particle = regexp.MustCompile(`(?i)^(yes|no), `)

// Prove finds the excerpts that hold a statement between them, in their order, or says why
// they do not.
//
// A statement is held when what it says is said there: each number, date, time, name, code
// and link, by an excerpt that says it of the same thing; no word that excludes the
// passage's own; as many negations; and enough of its content words, or of its meaning.
func (e Evidence) Prove(statement string, language Language) (held []int, refused *Refusal) {
	p := e.proof(particle.ReplaceAllString(statement, ""))
	p.Language = language
	p.choose()
	p.project()
	for _, check := range []func() *Refusal{p.markup, p.factsHeld, p.wordsHeld, p.rightRow, p.fromOne, p.boundTogether, p.sameSense} {
		if refused = check(); refused != nil {
			return nil, refused
		}
	}
	slices.Sort(p.held)
	if refused = p.enough(); refused != nil {
		return nil, refused
	}
	return p.held, nil
}

// A Language is what an embedding model knows of words, which a proof asks where its own
// lists leave a doubt. Each may be nil: then the doubt remains.
type Language struct {
	// Meaning is the cosine of the statement with the excerpts of these numbers, read as one.
	Meaning func(held []int) float64
	// Common reports whether a lower-case word is an ordinary one. What is not may be a name,
	// and has to stand in the passage.
	Common func(word string) bool
}

// A proof is a statement laid beside excerpts of the passages that it cites.
type proof struct {
	Language
	text     string
	denies   bool // it says "not"
	facts    []fact
	terms    []string           // stems of the content words that no fact is made of, each once
	rarity   map[string]float64 // how much each term tells one excerpt from the others, 1 on average
	excerpts []reading
	held     []int // excerpts that hold it, best first
}

func (e Evidence) proof(statement string) *proof {
	p := &proof{excerpts: slices.Clone(e.readings), text: statement, denies: Denies(statement)}
	var rest string
	p.facts, rest = facts(statement)
	for t := range newClause(plainly(rest), nil).terms {
		p.terms = append(p.terms, t)
	}
	slices.Sort(p.terms)
	p.weigh()
	return p
}

// weigh gives each term its inverse document frequency among the excerpts, words that say
// little a quarter of that.
func (p *proof) weigh() {
	p.rarity = map[string]float64{}
	n := float64(len(p.excerpts))
	for _, t := range p.terms {
		df := 0.0
		for i := range p.excerpts {
			if lexicon.meets(t, p.excerpts[i].terms) {
				df++
			}
		}
		p.rarity[t] = weight(t) * math.Log((n+1)/(df+0.5)) / math.Log((n+1)/1.5)
	}
}

// Evidence is excerpts taken apart, against which statements are proven. It is not changed
// by that, and may be used concurrently.
type Evidence struct{ readings []reading }

// Read takes excerpts apart.
func Read(excerpts []Excerpt) (e Evidence) {
	for _, x := range excerpts {
		e.readings = append(e.readings, read(x))
	}
	return e
}

// Join is the evidence of several passages, one after the other.
func Join(all ...Evidence) (e Evidence) {
	for _, one := range all {
		e.readings = append(e.readings, one.readings...)
	}
	return e
}

// A reading is an excerpt taken apart.
type reading struct {
	Excerpt
	table  string          // its header, whole
	facts  []fact          // of what it says, then of what stands over it
	own    int             // how many of them it says
	denies bool            // it says "not"
	words  map[string]bool // of both, in lower case
	terms  map[string]bool // their stems, and what negative ones are the opposite of
}

func read(e Excerpt) reading {
	r := reading{Excerpt: e, table: e.Header, denies: Denies(e.said()), words: map[string]bool{}, terms: map[string]bool{}}
	for _, text := range []string{e.said(), e.Header, e.Above} {
		found, _ := facts(text)
		r.facts = append(r.facts, found...)
		if text == e.said() {
			r.own = len(found)
		}
		for _, w := range Words(plainly(text)) {
			r.words[w] = true
			r.terms[Stem(w)] = true
			if positive, ok := lexicon.opposite(w); ok {
				r.terms[Stem(positive)] = true
			}
		}
	}
	return r
}

// asDenying is what it counts for an excerpt that it says "not" where the statement does, or
// neither does: enough to decide between equals.
const asDenying = 0.1

// choose picks up to maxHolders excerpts, each for what the ones before do not say.
func (p *proof) choose() {
	terms, told := map[string]bool{}, map[int]bool{}
	for len(p.held) < min(maxHolders, len(p.excerpts)) {
		best, most := -1, 0.0
		for i := range p.excerpts {
			if slices.Contains(p.held, i) || strings.HasSuffix(p.excerpts[i].Text, "?") { // a question states nothing
				continue
			}
			gain := p.gain(i, terms, told)
			if gain > 0 && len(p.held) == 0 && p.excerpts[i].denies == p.denies {
				gain += asDenying
			}
			if gain > most {
				best, most = i, gain
			}
		}
		if best < 0 || len(p.held) > 0 && most < 0.9 {
			return
		}
		p.held = append(p.held, best)
		p.gain(best, terms, told)
		for _, t := range p.terms {
			terms[t] = terms[t] || lexicon.meets(t, p.excerpts[best].terms)
		}
		for i, f := range p.facts {
			told[i] = told[i] || p.says(best, f)
		}
	}
}

// gain is how much excerpt i says of what is not said yet. A fact counts twice.
func (p *proof) gain(i int, terms map[string]bool, told map[int]bool) float64 {
	n := 0.0
	for _, t := range p.terms {
		if !terms[t] && lexicon.meets(t, p.excerpts[i].terms) {
			n += p.rarity[t]
		}
	}
	for k, f := range p.facts {
		if !told[k] && p.says(i, f) {
			n += 2
		}
	}
	return n
}

// says reports whether excerpt i holds a fact.
func (p *proof) says(i int, f fact) bool {
	r := &p.excerpts[i]
	switch f.kind {
	case nameFact:
		return r.words[f.value] || r.terms[Stem(f.value)] || r.names(f.value)
	case linkFact:
		return strings.Contains(strings.ToLower(r.said()+"\n"+r.Header), f.value)
	}
	return holds(f, r.facts, r.words)
}

// names reports whether each part of a name with hyphens is there, or all that it is the
// initials of.
func (r *reading) names(value string) bool {
	for part := range strings.FieldsFuncSeq(value, func(c rune) bool { return !inWord(c) }) {
		if !r.words[part] && !r.words[strings.TrimSuffix(part, "s")] {
			return r.initials(value) || r.shortened(value)
		}
	}
	return true
}

// initials reports whether words in a row begin with the letters of an acronym.
func (r *reading) initials(acronym string) bool {
	if len(acronym) < 2 || len(acronym) > 6 {
		return false
	}
	for _, text := range []string{r.said(), r.Header, r.Above} {
		var letters strings.Builder
		for _, w := range Words(text) {
			first, _ := utf8.DecodeRuneInString(w)
			letters.WriteRune(first)
		}
		if strings.Contains(letters.String(), acronym) {
			return true
		}
	}
	return false
}

// shortened reports whether a word begins with an acronym, as does identification with ID.
func (r *reading) shortened(acronym string) bool {
	for w := range r.words {
		if len(acronym) >= 2 && len(acronym) <= 4 && len(w) > len(acronym)+3 && strings.HasPrefix(w, acronym) {
			return true
		}
	}
	return false
}

// factsHeld checks that each fact is in what holds the statement.
func (p *proof) factsHeld() *Refusal {
	for _, f := range p.facts {
		if slices.ContainsFunc(p.held, func(i int) bool { return p.says(i, f) }) || f.soft && !p.rivalled(f) {
			continue
		}
		return &Refusal{reasonOf(f.kind), f.text}
	}
	return nil
}

func reasonOf(k factKind) Reason {
	switch k {
	case numberFact:
		return WrongNumber
	case dateFact, clockFact:
		return WrongDate
	case linkFact:
		return WrongLink
	}
	return WrongName
}

// rivalled reports whether what holds the statement says another thing of the sort: to "a
// year", any other length of time.
func (p *proof) rivalled(f fact) bool {
	return slices.ContainsFunc(p.held, func(i int) bool {
		return slices.ContainsFunc(p.excerpts[i].facts, func(e fact) bool {
			return !e.soft && e.unit != "" && rival(f, e) || e.kind == numberFact && periods[e.unit] && periods[f.unit] && !same(f, e)
		})
	})
}

// periods are the units of time.
var periods = WordSet("second minute night workday month")

// wordsHeld checks that no word of the statement is one that excludes those there.
func (p *proof) wordsHeld() *Refusal {
	all := p.heldTerms()
	for _, w := range Words(plainly(withoutBounds(p.text))) {
		if lexicon.contradicts(Stem(w), all) {
			return &Refusal{WrongWord, w}
		}
	}
	if !dayAfter.MatchString(p.text) && theDay.MatchString(p.text) && slices.ContainsFunc(p.held, func(i int) bool { return dayAfter.MatchString(p.excerpts[i].said()) }) {
		return &Refusal{WrongWord, "day"}
	}
	return nil
}

// A rule that counts from the day after something is often told as counting from that day.
var (
	theDay   = regexp.MustCompile(`(?i)\bthe day\b`)
	dayAfter = regexp.MustCompile(`(?i)\bday (after|before|following)\b`)
)

func (p *proof) heldTerms() map[string]bool {
	all := map[string]bool{}
	for _, i := range p.held {
		for t := range p.excerpts[i].terms {
			all[t] = true
		}
	}
	return all
}

// wordOf is the statement's word that a stem is of.
func (p *proof) wordOf(stem string) string {
	for _, w := range Words(p.text) {
		if Stem(w) == stem {
			return w
		}
	}
	return stem
}

// enough checks how many of the statement's words are there, or how much of its meaning.
func (p *proof) enough() *Refusal {
	all, n, of := p.heldTerms(), 0, 0
	var missing []string
	for _, t := range p.terms {
		held := lexicon.meets(t, all)
		switch {
		case held:
			n++
		case lexicon.plain[t]:
			continue
		case p.Common != nil && slices.Contains(Words(p.text), p.wordOf(t)) && !p.Common(p.wordOf(t)):
			return &Refusal{WrongName, p.wordOf(t)}
		default:
			missing = append(missing, p.wordOf(t))
		}
		of++
	}
	share := float64(n) / float64(max(1, of))
	if of == 0 && len(p.facts) > 0 {
		share = 1
	}
	switch {
	case len(p.held) == 0: // "a day" counts nothing that has to be there
	case share >= enoughWords:
		return nil
	case share >= someWords && p.Meaning != nil && p.Meaning(p.held) >= enoughCosine:
		return nil
	}
	return &Refusal{Unsupported, strings.Join(missing, " ")}
}

// stands checks again, of a statement that was proven, what no further text can make untrue:
// that excerpts with all that it rests on hold its facts and some of its words.
func stands(statement string, rests []Excerpt) *Refusal {
	p := Read(rests).proof(particle.ReplaceAllString(statement, ""))
	for i := range rests {
		p.held = append(p.held, i)
	}
	for _, check := range []func() *Refusal{p.markup, p.factsHeld} {
		if refused := check(); refused != nil {
			return refused
		}
	}
	p.Meaning = func([]int) float64 { return enoughCosine } // that has been looked at
	return p.enough()
}

// markup refuses what is no plain sentence, before anything looks whether it is held.
func (p *proof) markup() *Refusal {
	if m := marksUp.FindString(p.text); m != "" {
		return &Refusal{Markup, m}
	}
	return nil
}

// marksUp is what some surface may take for a link, a mention or HTML, however it is escaped.
var marksUp = regexp.MustCompile(`(?i)\]\s*[(\[:]|!\[|<[\p{L}!/@#?:]|&#?\w+;|@(everyone|here|channel|group)\b|<\||\|>` + "|```|``")
