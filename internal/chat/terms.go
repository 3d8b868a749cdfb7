package chat

import (
	"strings"
	"unicode"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
)

// words splits text at what is neither letter nor digit and lower-cases the rest. An
// apostrophe inside a word is dropped with what follows, and so is the n of "n't":
// "company's" is "company", "don't" is "do".
func words(text string) []string {
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

// stems are the content words of text in their stemmed form, stop words left out.
// English stemming does little harm to other languages: both sides go through it.
func stems(text string) []string {
	var out []string
	for _, w := range words(text) {
		if !stopWords[w] {
			out = append(out, stem(w))
		}
	}
	return out
}

func stem(word string) string {
	env := snowballstem.NewEnv(word)
	english.Stem(env)
	return env.Current()
}

// contentWords are the words of text that are neither stop words nor a question's usual
// trimmings, each once, as they are spelled but in lower case.
func contentWords(text string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range words(text) {
		if !stopWords[w] && !fillers[w] && !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// set makes a set of words, written as one string of them.
func set(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

var (
	// stopWords carry no content in a question or an answer. Negations and conditions are
	// not here: they tell answers apart.
	stopWords = set(`a about am an and any are as at be been being but by ca can could d did do does doing else
		for from had has have having he her here hers him his how i if in into is it its just let ll m may me
		might must my of on or our ours out re s shall she should so some t than that the their them then
		there these they this those to too up us ve very was we were what when where which while who whom
		whose why will with wo would you your yours`)

	// fillers are words of asking, not of what is asked for.
	fillers = set(`ask asked asking anyone anything different explain find get getting give go going good got
		happen happens hello help hi information kind know like long look looking make many mean much need
		new no ok okay one please possible question questions really say says show someone something still
		sure tell thank thanks thing things think try trying understand use used using want wanted way well
		wondering work works yes`)

	// pronouns stand for something said before.
	pronouns = set(`it its they them their theirs that this those these he she him her his hers there one
		ones same such else either both another other others`)
)
