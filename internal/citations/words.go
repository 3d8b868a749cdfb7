package citations

import (
	"strings"
	"unicode"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// Words splits text at what is neither letter nor digit and lower-cases the rest. An
// apostrophe inside a word is dropped with what follows, and so is the n of "n't":
// "company's" is "company", "don't" is "do".
func Words(text string) []string {
	var out []string
	for _, field := range strings.Fields(strings.ToLower(text)) {
		for _, w := range strings.FieldsFunc(field, func(r rune) bool { return !inWord(r) }) {
			w, _, _ = strings.Cut(strings.TrimSuffix(strings.ReplaceAll(w, "’", "'"), "n't"), "'")
			if w != "" {
				out = append(out, w)
			}
		}
	}
	return out
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || r == '\'' || r == '’'
}

// Terms are the content words of text in their stemmed form, stop words left out.
// English stemming does little harm to other languages: both sides go through it.
func Terms(text string) []string {
	var out []string
	for _, w := range Words(text) {
		if !stopWords[w] {
			out = append(out, Stem(w))
		}
	}
	return out
}

// Stem is the stem of a lower-case word by Porter's second algorithm for English:
// https://snowballstem.org/algorithms/english/stemmer.html
func Stem(word string) string {
	env := snowballstem.NewEnv(word)
	english.Stem(env)
	return env.Current()
}

// IsStop reports whether a lower-case word carries no content. Negations and conditions
// do: they tell answers apart.
func IsStop(word string) bool { return stopWords[word] }

var stopWords = WordSet(`a about am an and any are as at be been being but by ca can could d did do does doing else
	for from had has have having he her here hers him his how i if in into is it its just let ll m may me
	might must my of on or our ours out re s shall she should so some t than that the their them then
	there these they this those to too up us ve very was we were what when where which while who whom
	whose why will with wo would you your yours`)

// WordSet makes a set of words, written as one string of them.
func WordSet(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}
