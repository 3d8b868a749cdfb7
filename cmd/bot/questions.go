package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"citebot/internal/kb"
)

// Bounds of example questions. Slack shows four, and cuts long ones off.
const (
	maxSuggestions = 4
	maxSuggestion  = 75 // characters
)

// suggestions are up to four questions that the documents answer, for people who do not
// know yet what to ask, each of another document. Best are questions that a document asks
// itself, in words that also stand in its title: those make sense on their own. Next come
// questions made of headings, which is done in English alone, and then a document's others.
// Documents with many questions of their own come first, then those that were updated
// last; a question that is much like one before it comes last.
func suggestions(docs []kb.Outline, language string) []string {
	docs = slices.Clone(docs)
	slices.SortStableFunc(docs, func(a, b kb.Outline) int {
		return cmp.Or(cmp.Compare(len(b.Questions), len(a.Questions)), cmp.Compare(b.Updated, a.Updated))
	})
	names := namesIn(docs)
	var best, made, rest []string
	for _, d := range docs {
		own, other := ownQuestions(d)
		again := slices.ContainsFunc(best, func(q string) bool { return sharesWord(q, own) })
		switch {
		case own != "" && !again:
			best = append(best, own)
		case language == "en" && madeOf(d, names) != "":
			made = append(made, madeOf(d, names))
		case own != "" || other != "":
			rest = append(rest, cmp.Or(own, other))
		}
	}
	all := slices.Concat(best, made, rest)
	return all[:min(len(all), maxSuggestions)]
}

// ownQuestions are the first question of a document that has a word of its title, and the
// first of the others.
func ownQuestions(d kb.Outline) (own, other string) {
	for _, q := range d.Questions {
		switch words := len(strings.Fields(q)); {
		case words < 3 || utf8.RuneCountInString(q) > maxSuggestion:
		case own == "" && sharesWord(q, d.Title):
			own = q
		case other == "":
			other = q
		}
	}
	return own, other
}

// sharesWord reports whether two texts have words that begin alike, as "return" and
// "Returns" do.
func sharesWord(a, b string) bool {
	const alike = 5 // letters; shorter words say too little
	begins := func(word string) string {
		letters := []rune(strings.ToLower(strings.TrimFunc(word, unicode.IsPunct)))
		return string(letters[:min(len(letters), alike)])
	}
	of := map[string]bool{}
	for _, w := range strings.Fields(b) {
		of[begins(w)] = utf8.RuneCountInString(begins(w)) == alike
	}
	return slices.ContainsFunc(strings.Fields(a), func(w string) bool { return of[begins(w)] })
}

// madeOf asks for what the first heading that says something is about.
func madeOf(d kb.Outline, names map[string]bool) string {
	for _, s := range d.Sections {
		h := s.Heading
		if isGeneric(h) || strings.ContainsAny(h, "?:0123456789“”\"") || !strings.ContainsFunc(h, unicode.IsLower) {
			continue
		}
		if q := fmt.Sprintf("What does “%s” say about %s?", d.Title, inSentence(h, names)); utf8.RuneCountInString(q) <= maxSuggestion {
			return q
		}
	}
	return ""
}

// isGeneric reports whether a heading could stand in any document.
func isGeneric(heading string) bool {
	switch strings.ToLower(heading) {
	case "questions", "questions and answers", "frequently asked questions", "common questions", "faq", "faqs",
		"introduction", "overview", "summary", "the short version", "in short", "purpose", "scope", "background",
		"contact", "contact us", "contents", "table of contents", "changes", "change log", "history", "see also", "more":
		return true
	}
	return false
}

// inSentence is a heading as it stands in the middle of a sentence: its first letter is
// small, unless the word is a name or an abbreviation.
func inSentence(heading string, names map[string]bool) string {
	first, _, _ := strings.Cut(heading, " ")
	letter, n := utf8.DecodeRuneInString(first)
	if names[first] || strings.ContainsFunc(first[n:], unicode.IsUpper) {
		return heading
	}
	return string(unicode.ToLower(letter)) + heading[n:]
}

// namesIn are the words that are written with a capital also where no heading begins.
func namesIn(docs []kb.Outline) map[string]bool {
	names := map[string]bool{}
	note := func(text string) {
		for i, word := range strings.Fields(text) {
			letter, _ := utf8.DecodeRuneInString(word)
			names[word] = names[word] || i > 0 && unicode.IsUpper(letter)
		}
	}
	for _, d := range docs {
		note(d.Title)
		for _, s := range d.Sections {
			note(s.Heading)
		}
	}
	return names
}
