package chat

import (
	"regexp"
	"strings"
)

// An expectation pairs what a question asks for with what an answer to it looks like.
type expectation struct {
	question, answer *regexp.Regexp
}

const (
	number = `(\d[\d.,:/]*|half|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|sixty|ninety)`
	months = `(january|february|march|april|may \d|june|july|august|september|october|november|december)`
	days   = `(monday|tuesday|wednesday|thursday|friday|saturday|sunday)`
	period = `(second|minute|hour|day|night|week|month|quarter|year|business|working|calendar|consecutive)`
)

// The expectations add up: "how many days" asks for a time and an amount, and a unit that
// has both is better than one with either.
var expectations = []expectation{
	{pattern(`how (long|soon|often|early|late|quick|quickly|fast|many (days|weeks|months|years|hours))|when|what (time|date|day|hours)|deadline|due|expir|until|by when|time ?frame|notice period`),
		pattern(number + `[- ]` + period + `|` + months + `|` + days + `|\d{1,2}:\d\d|\d ?[ap]\.?m\b|\d{4}-\d\d-\d\d|immediately|daily|weekly|monthly|quarterly|annual|yearly|at any time|once a|per (day|week|month|year)`)},
	{pattern(`how (much|many|big|large|far|high|old|tall)|cost|price|fee|rate|percent|amount|limit|maximum|minimum|allowance|budget|charge|pay\b|paid|reimburs`),
		pattern(`[$€£¥]|\d ?%|percent|` + number + ` |\bfree\b|no (charge|fee|cost|limit)|up to|at least|unlimited|usd|eur|gbp`)},
	{pattern(`\bwho(m|se)?\b|which (person|team|department|role)|contact|approv|sign off|responsible`),
		pattern(`manager|team|officer|department|director|supervisor|\bhr\b|human resources|lead\b|head of|administrator|committee|owner|support|desk|@|employees?|customers?|members?|contact|approv`)},
	{pattern(`\bwhere\b|which (address|site|page|email|number)|e-?mail|phone|address|link|\burl\b|website`),
		pattern(`@|https?:|www\.|\.(com|org|net)\b|\+?\d[\d -]{7,}|address|portal|page|office|menu|settings|room|online`)},
	{pattern(`^why|reason|how come`),
		pattern(`because|since|so that|in order to|due to|reason|to (protect|avoid|ensure|prevent)`)},
}

// pattern is for lower-cased text: folding case is what makes a regexp slow.
func pattern(s string) *regexp.Regexp { return regexp.MustCompile(s) }

// expected returns what answers to the question look like.
func expected(question string) []*regexp.Regexp {
	question = strings.ToLower(question)
	var out []*regexp.Regexp
	for _, e := range expectations {
		if e.question.MatchString(question) {
			out = append(out, e.answer)
		}
	}
	return out
}

// fits is the share of the patterns that text matches, 0 when nothing is asked for.
func fits(answers []*regexp.Regexp, text string) float64 {
	text = strings.ToLower(text)
	n := 0
	for _, a := range answers {
		if a.MatchString(text) {
			n++
		}
	}
	return float64(n) / float64(max(1, len(answers)))
}
