package embed

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxTokens    = 512     // positions the model was trained with, [CLS] and [SEP] included
	maxWordRunes = 100     // a longer word is one [UNK]
	maxTextBytes = 1 << 16 // what follows is not read: 128 bytes a token is far beyond any real text
)

// A tokenizer is the uncased BERT tokenizer: it cleans, lower-cases and strips accents,
// splits at white space, punctuation and ideographs, and cuts each word greedily into the
// longest pieces of the vocabulary (Devlin et al., github.com/google-research/bert,
// tokenization.py). It is immutable.
//
// It differs from the reference in three ways that matter only to odd text: the spelled-out
// names of special tokens ("[SEP]") are ordinary text, since documents must not steer the
// model; text after maxTextBytes is ignored, so the cost of any input is bounded; and
// combining marks that survive accent stripping are not put in canonical order.
type tokenizer struct {
	first         map[string]int32 // pieces that start a word
	rest          map[string]int32 // pieces that continue one, without their "##"
	longest       int              // bytes of the longest piece
	cls, sep, unk int32
}

// newTokenizer reads a vocabulary: one piece a line, the line number is the ID.
func newTokenizer(vocab string) (*tokenizer, error) {
	n := strings.Count(vocab, "\n")
	t := &tokenizer{first: make(map[string]int32, n), rest: make(map[string]int32, n/4)}
	id := int32(0)
	for line := range strings.Lines(vocab) {
		t.add(strings.TrimSuffix(line, "\n"), id)
		id++
	}
	var err error
	special := func(piece string) int32 {
		id, ok := t.first[piece]
		if !ok {
			err = fmt.Errorf("vocabulary has no %s", piece)
		}
		return id
	}
	t.cls, t.sep, t.unk = special("[CLS]"), special("[SEP]"), special("[UNK]")
	return t, err
}

func (t *tokenizer) add(piece string, id int32) {
	pieces := t.first
	if s, ok := strings.CutPrefix(piece, "##"); ok {
		piece, pieces = s, t.rest
	}
	pieces[piece] = id
	t.longest = max(t.longest, len(piece))
}

// encode appends the IDs of prefix+text to ids[:0], from [CLS] to [SEP], at most maxTokens
// of them. It reads no further than it must: hostile text costs what maxTextBytes of it do.
func (t *tokenizer) encode(ids []int32, prefix, text string) []int32 {
	ids = append(ids[:0], t.cls)
	ids = t.appendText(ids, prefix)
	ids = t.appendText(ids, text)
	return append(ids, t.sep)
}

// appendText appends text's IDs until there are maxTokens-1.
func (t *tokenizer) appendText(ids []int32, text string) []int32 {
	for word := range words(text[:min(len(text), maxTextBytes)]) {
		ids = t.appendWord(ids, word)
		if len(ids) >= maxTokens-1 {
			return ids[:maxTokens-1]
		}
	}
	return ids
}

// appendWord appends the longest-match pieces of a word, or one [UNK] if they do not
// cover it.
func (t *tokenizer) appendWord(ids []int32, word []byte) []int32 {
	if utf8.RuneCount(word) > maxWordRunes {
		return append(ids, t.unk)
	}
	whole, pieces := ids, t.first
	for len(word) > 0 {
		id, n := t.longestPiece(pieces, word)
		if n == 0 {
			return append(whole, t.unk)
		}
		ids = append(ids, id)
		word, pieces = word[n:], t.rest
	}
	return ids
}

// longestPiece finds the longest prefix of word among pieces; its length is 0 if there is
// none. A prefix that ends inside a rune is in no vocabulary, so bytes will do.
func (t *tokenizer) longestPiece(pieces map[string]int32, word []byte) (id int32, n int) {
	for n := min(len(word), t.longest); n > 0; n-- {
		if id, ok := pieces[string(word[:n])]; ok {
			return id, n
		}
	}
	return 0, 0
}

// words yields the normalised words of text in order; each is valid until the next. Of a
// word longer than maxWordRunes it yields just enough to show that it is too long.
func words(text string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		w := splitter{word: make([]byte, 0, (maxWordRunes+1)*utf8.UTFMax), yield: yield}
		for _, r := range text {
			if !w.take(r) {
				return
			}
		}
		w.flush()
	}
}

// A splitter gathers runes into words. Its methods return false when the consumer has
// had enough.
type splitter struct {
	word  []byte
	runes int // in word
	yield func([]byte) bool

	raw [utf8.UTFMax]byte // scratch for one rune
	nfd []byte            // and for its decomposition
}

// take takes one rune of the original text.
func (w *splitter) take(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return isControl(r) || w.normal(r)
	case isControl(r):
		return true
	case isIdeograph(r):
		return w.flush() && w.decomposed(r) && w.flush()
	}
	return w.decomposed(r)
}

// decomposed takes the canonical decomposition (NFD) of r without its accents.
func (w *splitter) decomposed(r rune) bool {
	w.nfd = norm.NFD.Append(w.nfd[:0], utf8.AppendRune(w.raw[:0], r)...)
	for _, d := range string(w.nfd) {
		if !unicode.Is(unicode.Mn, d) && !w.normal(d) {
			return false
		}
	}
	return true
}

// normal takes one cleaned rune: white space ends a word, punctuation is one.
func (w *splitter) normal(r rune) bool {
	switch {
	case unicode.IsSpace(r):
		return w.flush()
	case isPunctuation(r):
		return w.flush() && w.letter(r) && w.flush()
	}
	return w.letter(unicode.ToLower(r))
}

func (w *splitter) letter(r rune) bool {
	if w.runes <= maxWordRunes {
		w.word = utf8.AppendRune(w.word, r)
		w.runes++
	}
	return true
}

func (w *splitter) flush() bool {
	word := w.word
	w.word, w.runes = w.word[:0], 0
	return len(word) == 0 || w.yield(word)
}

// isControl reports whether the tokenizer drops r: controls, formats, private use, and
// what stands for invalid UTF-8.
func isControl(r rune) bool {
	switch r {
	case '\t', '\n', '\r':
		return false
	case utf8.RuneError:
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// isPunctuation reports Unicode punctuation and every ASCII symbol.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	return unicode.IsPunct(r)
}

// isIdeograph reports the CJK blocks that BERT splits into single characters; kana and
// hangul are not among them.
func isIdeograph(r rune) bool {
	return unicode.Is(ideographs, r)
}

var ideographs = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x3400, Hi: 0x4DBF, Stride: 1},
		{Lo: 0x4E00, Hi: 0x9FFF, Stride: 1},
		{Lo: 0xF900, Hi: 0xFAFF, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x20000, Hi: 0x2A6DF, Stride: 1},
		{Lo: 0x2A700, Hi: 0x2B73F, Stride: 1},
		{Lo: 0x2B740, Hi: 0x2B81F, Stride: 1},
		{Lo: 0x2B820, Hi: 0x2CEAF, Stride: 1},
		{Lo: 0x2F800, Hi: 0x2FA1F, Stride: 1},
	},
}
