package parse

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/atom"

	"citebot/internal/kb"
)

// A seam is what stood between two pieces of text besides white space.
type seam uint8

const (
	seamNone   seam = iota
	seamTag         // an end tag after which a page may show a gap that only its style knows
	seamRaised      // <sup>
	seamBreak       // <br>
)

// write adds text to the run. lines are those of its first and last visible characters.
func (p *page) write(s string, lines kb.Lines) {
	top := p.top()
	switch {
	case top.cover != shown:
		p.omit(top.cover, s, lines[0])
		return
	case top.kind == inTitle:
		p.head += s
		return
	case blank(s) && top.kind != kb.Code:
		if len(p.run) > 0 {
			p.run = append(p.run, ' ')
		}
		return
	}
	if len(p.run) == 0 {
		p.lines = lines
	} else if top.kind != kb.Code {
		s = p.bridge(s)
	}
	p.seam = seamNone
	p.lines = p.lines.Join(lines)
	p.run = append(p.run, s...)
}

// bridge settles what stands between the run and s, and returns what s adds.
func (p *page) bridge(s string) string {
	last, _ := utf8.DecodeLastRune(p.run)
	first, _ := utf8.DecodeRuneInString(s)
	switch {
	case p.seam == seamBreak, p.seam == seamTag && gap(last, first):
		return " " + s
	case p.seam == seamRaised && unicode.IsDigit(last) && unicode.IsDigit(first):
		return "^" + s // "£5" with footnote 2 must not become £52
	}
	if mark := strings.TrimLeft(s, " \t\n"); strings.Contains(s[:len(s)-len(mark)], "\n") && stopsAlone(mark) {
		p.run = bytes.TrimRight(p.run, " \t\n")
		return mark
	}
	return s
}

// gap reports whether two characters that only an end tag separates, as in
// <span>Opening hours</span><span>9 to 5</span>, were hardly meant as one word.
func gap(last, first rune) bool {
	return (unicode.IsUpper(first) || unicode.IsDigit(first)) && (unicode.IsLower(last) || strings.ContainsRune(".?!:;", last))
}

// stopsAlone reports whether s begins with punctuation on its own, as it does in
// pretty-printed HTML after an element: the space before it is the printer's.
func stopsAlone(s string) bool {
	return s != "" && strings.Contains(".,;:!?)", s[:1]) && (len(s) == 1 || s[1] == ' ' || s[1] == '\n')
}

// lineBreak is <br>: a space, and between blocks where there are two.
func (p *page) lineBreak() {
	switch {
	case len(p.run) == 0:
	case p.top().kind == kb.Code:
		p.run = append(p.run, '\n')
	case p.seam == seamBreak:
		p.flush()
	default:
		p.seam = seamBreak
	}
}

// image is an image: its alternative text.
func (p *page) image(a attrs, line int) {
	if alt := a.get("alt"); coverOf(atom.Img, a) == shown && !blank(alt) {
		p.write(" "+strings.ReplaceAll(alt, "\n", " ")+" ", kb.Lines{line, line})
	}
}

// omit notes text that is not part of the document because it is covered.
func (p *page) omit(c cover, s string, line int) {
	if c == chrome || blank(s) {
		return
	}
	if p.left[c].line == 0 {
		p.left[c].line = line
	}
	p.left[c].bytes += len(s)
}

// flush ends the run: its text becomes a block of the kind that its place asks for.
func (p *page) flush() {
	p.seam = seamNone
	if len(p.run) == 0 {
		return
	}
	c := p.top().place
	b := kb.Block{Kind: c.kind, Lines: p.lines}
	switch c.kind {
	case kb.Heading:
		b.Level = c.level
		b.Text = strings.TrimSuffix(strings.TrimRight(clean(string(p.run)), "¶🔗 "), " #") // links to the heading itself
	case kb.Item:
		b.Level = c.depth
		b.Text = p.mark + clean(string(p.run))
	case kb.Code:
		b.Text = cleanCode(string(p.run))
	default:
		b.Text = clean(string(p.run))
	}
	p.run = p.run[:0]
	if b.Text == "" || b.Text == p.mark {
		return
	}
	if c.kind == kb.Item {
		p.mark = ""
	}
	p.emit(b, c.region)
}

const maxTops = 16

func (p *page) emit(b kb.Block, r region) {
	if b.Kind == kb.Heading && len(p.tops) < maxTops {
		p.tops = append(p.tops, b)
	}
	if t := p.cellOf(); t != nil {
		t.put(b)
		if b.Kind == kb.Heading || t.size > maxCell {
			p.spill(t, r)
		}
		return
	}
	p.add(b, r)
}

// finishPage ends what is open and reports what was left out.
func (p *page) finishPage() {
	p.flush()
	p.closeTo(1)
	if o := p.left[hidden]; o.bytes >= minOmission {
		p.warn(o.line, "hidden text was left out (%d bytes, the first on this line)", o.bytes)
	}
	if o := p.left[struck]; o.bytes > 0 {
		p.warn(o.line, "struck-out text was left out (%d bytes, the first on this line)", o.bytes)
	}
}

// minOmission is how much hidden text is worth a warning; icons hide a few bytes.
const minOmission = 16
