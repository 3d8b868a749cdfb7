package kb

import (
	"fmt"
	"strings"
)

// Sizes of a passage in words. Measured on the question sets of the evaluation: see
// the golden figures; smaller passages lose context, larger ones blur the vector.
const (
	targetWords = 120 // a passage is closed once it has as many
	maxWords    = 200 // and takes no further block that would exceed this
	tinyWords   = 50  // a section shorter than this is joined by its next sibling
	tailWords   = 40  // a shorter rest of a section goes to the passage before it
)

// Split cuts a document into passages at its structure: headings first, then blocks,
// then, within a paragraph that is too long for one passage, sentences. A passage never
// crosses a top-level section. audience is the folder rule's word for the document; its
// own front matter goes before it, and without either it is "public".
func Split(doc Document, audience string) []Passage {
	s := splitter{doc: doc, top: topLevel(doc.Blocks), ordinals: map[string]int{}}
	s.audience = firstOf(doc.Audience, audience, "public")
	for _, b := range doc.Blocks {
		if b.Kind == Heading {
			s.heading(b)
			continue
		}
		for _, piece := range pieces(b) {
			s.add(piece)
		}
	}
	s.flush()
	return s.out
}

// splitter walks a document's blocks and closes a passage where one should end.
type splitter struct {
	doc      Document
	audience string
	top      int            // level of the headings that no passage crosses
	path     []Block        // the headings above the next block
	ordinals map[string]int // passages so far, by anchor
	out      []Passage

	blocks []Block // of the passage being filled
	under  []Block // headings above its first block
	words  int
}

// heading opens a section: what is being filled ends here, unless it is so short that
// it would make a poor passage on its own.
func (s *splitter) heading(b Block) {
	if b.Level <= s.top || s.words >= tinyWords || b.Level < s.level() {
		s.flush()
	}
	for len(s.path) > 0 && s.path[len(s.path)-1].Level >= b.Level {
		s.path = s.path[:len(s.path)-1]
	}
	s.path = append(s.path[:len(s.path):len(s.path)], b)
	if len(s.blocks) > 0 {
		s.blocks = append(s.blocks, b)
	}
}

// level is that of the innermost heading above what is being filled.
func (s *splitter) level() int {
	if len(s.under) == 0 {
		return 0
	}
	return s.under[len(s.under)-1].Level
}

func (s *splitter) add(b Block) {
	n := countWords(b.Text)
	if s.words > 0 && (s.words+n > maxWords || s.words >= targetWords && !continues(b)) {
		s.cut(b)
	}
	if len(s.blocks) == 0 {
		s.under = s.path
	}
	s.blocks = append(s.blocks, b)
	s.words += n
}

// continues says whether a block belongs to what stands before it more than to what
// follows: a table's rows and a list's items are kept together as far as possible.
func continues(b Block) bool { return b.Kind == Row || b.Kind == Item }

// cut closes the passage before next. A line that only announces what follows ("You
// need:") or a heading at the end moves on with it, and a table cut in two repeats its
// header.
func (s *splitter) cut(next Block) {
	keep := len(s.blocks)
	for keep > 1 && announces(s.blocks[keep-1]) {
		keep--
	}
	moved := s.blocks[keep:]
	s.blocks = s.blocks[:keep]
	s.flush()
	if next.Kind == Row && next.Header != "" && len(moved) == 0 {
		moved = []Block{{Kind: Header, Text: next.Header, Lines: next.Lines}}
	}
	for len(moved) > 0 && moved[0].Kind == Heading {
		moved = moved[1:] // it is in s.path already
	}
	for _, b := range moved {
		s.under = s.path
		s.blocks = append(s.blocks, b)
		s.words += countWords(b.Text)
	}
}

func announces(b Block) bool {
	return b.Kind == Heading || b.Kind == Header || strings.HasSuffix(b.Text, ":")
}

// flush closes the passage being filled. A short rest joins the passage before it when
// both are of one section.
func (s *splitter) flush() {
	for len(s.blocks) > 0 && s.blocks[len(s.blocks)-1].Kind == Heading {
		s.blocks = s.blocks[:len(s.blocks)-1]
	}
	if len(s.blocks) == 0 {
		return
	}
	if last := len(s.out) - 1; last >= 0 && s.words < tailWords && s.follows(&s.out[last]) {
		s.out[last].append(s.blocks)
		s.out[last].seal()
	} else {
		s.out = append(s.out, s.passage())
	}
	s.blocks, s.under, s.words = nil, nil, 0
}

// follows says whether what is being filled goes on in the section of p.
func (s *splitter) follows(p *Passage) bool {
	return anchorOf(s.under) == p.Anchor && countWords(p.Text)+s.words <= maxWords+tailWords
}

func (s *splitter) passage() Passage {
	p := Passage{
		Path: s.doc.Path, Title: s.doc.Title, Anchor: anchorOf(s.under), Ordinal: len(s.out),
		Audience: s.audience, URL: s.doc.URL, Updated: s.doc.Updated,
	}
	for _, h := range s.under {
		p.Headings = append(p.Headings, h.Text)
	}
	p.ID = fmt.Sprintf("%s#%s/%d", p.Path, p.Anchor, s.ordinals[p.Anchor])
	s.ordinals[p.Anchor]++
	p.append(s.blocks)
	p.seal()
	return p
}

// append adds blocks to the passage's text, one to a line.
func (p *Passage) append(blocks []Block) {
	var b strings.Builder
	b.WriteString(p.Text)
	for _, block := range blocks {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		start := b.Len()
		b.WriteString(block.Text)
		p.Spans = append(p.Spans, Span{block.Kind, start, b.Len(), block.Header, block.Lines})
		if p.Lines == (Lines{}) {
			p.Lines = block.Lines
		}
		p.Lines = p.Lines.Join(block.Lines)
	}
	p.Text = b.String()
}

// topLevel is the level of the headings that part a document: the highest that occurs
// more than once, so that a lone title above the sections does not count.
func topLevel(blocks []Block) int {
	var count [7]int
	for _, b := range blocks {
		if b.Kind == Heading {
			count[min(max(b.Level, 1), 6)]++
		}
	}
	for level := 1; level <= 6; level++ {
		if count[level] > 1 {
			return level
		}
	}
	return 6
}

// pieces cuts a block that is too long for one passage at its sentences, and a sentence
// that is too long even so at its words. Other blocks stay whole.
func pieces(b Block) []Block {
	if countWords(b.Text) <= maxWords {
		return []Block{b}
	}
	var out []Block
	var start, end, n int
	emit := func() {
		if end > start {
			piece := b
			piece.Text = b.Text[start:end]
			out = append(out, piece)
		}
	}
	for _, r := range sentencesUpTo(b.Text, maxWords) {
		w := countWords(b.Text[r[0]:r[1]])
		if n > 0 && n+w > (targetWords+maxWords)/2 {
			emit()
			start, n = r[0], 0
		}
		end, n = r[1], n+w
	}
	emit()
	return out
}

// sentencesUpTo is Sentences with those of more than limit words cut at a word.
func sentencesUpTo(text string, limit int) [][2]int {
	var out [][2]int
	for _, r := range Sentences(text) {
		for r[0] < r[1] {
			end := r[0] + wordEnd(text[r[0]:r[1]], limit)
			cut := r[0] + len(strings.TrimRight(text[r[0]:end], " \n"))
			out = append(out, [2]int{r[0], cut})
			r[0] = end
		}
	}
	return out
}

// countWords counts what stands between blanks, and every maxWordBytes of a longer run as
// one more, so that neither CJK text nor one endless word counts as short.
func countWords(text string) int {
	n := 0
	for len(text) > 0 {
		text = text[wordEnd(text, 1):]
		n++
	}
	return n
}

const maxWordBytes = 24

// wordEnd is the offset at which the word after text's first n begins.
func wordEnd(text string, n int) int {
	run, blank := 0, false
	for i, r := range text {
		isBlank := r == ' ' || r == '\n'
		if !isBlank && (blank || run >= maxWordBytes) {
			if n--; n == 0 {
				return i
			}
			run = 0
		}
		run++
		if r > 0x7f {
			run += 2
		}
		blank = isBlank
	}
	return len(text)
}

func anchorOf(headings []Block) string {
	if len(headings) == 0 {
		return ""
	}
	return headings[len(headings)-1].Anchor
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
