package citations

import (
	_ "embed"
	"strings"
)

//go:embed lexicon.txt
var lexiconText string

// lexicon is lexicon.txt by stems.
var lexicon = readLexicon(lexiconText)

type thesaurus struct {
	opposites map[string]string         // of a negative word, the positive one
	synonyms  map[string][]int          // numbers of the lines that a word stands in
	plain     map[string]bool           // words that say little
	contrasts map[string]map[int]string // for each line that a word stands in, which of its words it is
}

func readLexicon(text string) thesaurus {
	t := thesaurus{map[string]string{}, map[string][]int{}, map[string]bool{}, map[string]map[int]string{}}
	section := ""
	for line, number := range numberedLines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || line[0] == '#':
		case line[0] == '[':
			section = line
		case section == "[opposites]":
			word := strings.Trim(words[0], `"`)
			if word == words[0] {
				word = Stem(word)
			}
			t.opposites[word] = words[1]
		case section == "[synonyms]":
			for _, w := range words {
				t.synonyms[Stem(w)] = append(t.synonyms[Stem(w)], number)
			}
		case section == "[plain]":
			for _, w := range words {
				t.plain[Stem(w)] = true
			}
		default:
			t.contrast(line, number)
		}
	}
	return t
}

func numberedLines(text string) func(yield func(string, int) bool) {
	return func(yield func(string, int) bool) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			if !yield(strings.TrimSpace(line), number) {
				return
			}
		}
	}
}

func (t thesaurus) contrast(line string, number int) {
	for group := range strings.SplitSeq(line, "|") {
		words := strings.Fields(group)
		for _, w := range words {
			if t.contrasts[Stem(w)] == nil {
				t.contrasts[Stem(w)] = map[int]string{}
			}
			t.contrasts[Stem(w)][number] = words[0]
		}
	}
}

// opposite is the word that a negative one is the opposite of.
func (t thesaurus) opposite(word string) (positive string, ok bool) {
	if positive, ok = t.opposites[word]; !ok {
		positive, ok = t.opposites[Stem(word)]
	}
	return positive, ok
}

// alike reports whether two stems are of one word, or of two that mean the same.
func (t thesaurus) alike(a, b string) bool {
	if a == b || derived(a, b) {
		return true
	}
	for _, n := range t.synonyms[a] {
		for _, m := range t.synonyms[b] {
			if n == m {
				return true
			}
		}
	}
	return false
}

// derived reports whether two stems begin so much alike that one is made of the other, as in
// "reimburs" and "reimbursement".
func derived(a, b string) bool {
	short, long := a, b
	if len(short) > len(long) {
		short, long = long, short
	}
	return len(short) >= 5 && strings.HasPrefix(long, short[:len(short)-1])
}

// meets reports whether some stem of set is alike to the given one.
func (t thesaurus) meets(stem string, set map[string]bool) bool {
	if set[stem] {
		return true
	}
	for other := range set {
		if t.alike(stem, other) {
			return true
		}
	}
	return false
}

// contradicts reports whether set has another word than the stem where they exclude each
// other, and none that means the same.
func (t thesaurus) contradicts(stem string, set map[string]bool) bool {
	for line, group := range t.contrasts[stem] {
		same, other := false, false
		for s := range set {
			if g, ok := t.contrasts[s][line]; ok {
				same, other = same || g == group, other || g != group
			}
		}
		if other && !same {
			return true
		}
	}
	return false
}
