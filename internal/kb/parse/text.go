package parse

import (
	"context"
	"iter"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"citebot/internal/kb"
)

func readText(ctx context.Context, d *draft, src string) error {
	return readLines(ctx, d, src, 0)
}

// readLines reads plain text whose first line comes after so many of the file.
func readLines(ctx context.Context, d *draft, src string, before int) error {
	t := &plain{draft: d, number: before}
	for src = strings.TrimRight(src, "\n"); src != ""; {
		if t.number%4096 == 0 {
			if err := d.check(ctx); err != nil {
				return err
			}
		}
		src = t.line(src)
	}
	t.number++
	t.flush()
	return nil
}

// plain finds the blocks of plain text. It believes little: a heading must stand out in
// more than one way, since a sentence that becomes a heading is never quoted.
type plain struct {
	*draft

	number              int    // of the line at hand
	before, text, after string // the line at hand and its neighbours, without outer space
	column              int    // where text begins

	kind  kb.Kind // of the open block
	run   []byte  // its text
	first int     // its first line
	lone  bool    // it follows a blank line
	items []int   // the columns of the open items, outermost first
	wide  bool    // the lines up to the next blank one are not wrapped
	begun bool    // the document has begun before the line at hand
}

// line reads the first line of src and returns the rest.
func (t *plain) line(src string) string {
	line, rest, _ := strings.Cut(src, "\n")
	next, _, _ := strings.Cut(rest, "\n")
	t.number++
	t.before, t.text, t.after = t.text, strings.TrimSpace(line), strings.TrimSpace(next)
	t.column = indent(line)
	if t.text == "" {
		t.flush()
		return rest
	}
	if t.before == "" {
		t.wide = isUnwrapped(untilBlank(src))
	}
	switch {
	case isRule(t.text):
		t.underline()
	case rest != "" && t.heading():
	default:
		t.prose()
	}
	t.begun = true
	return rest
}

// untilBlank yields the lines of src before the first blank one.
func untilBlank(src string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(src, "\n") {
			if strings.TrimSpace(line) == "" || !yield(line) {
				return
			}
		}
	}
}

// prose is a line of a paragraph or of an item.
func (t *plain) prose() {
	if text, ok := t.item(); ok {
		t.flush()
		t.dedent()
		t.items = append(t.items, t.column)
		t.open(kb.Item, text)
		return
	}
	if len(t.run) > 0 && !t.startsBlock() {
		t.run = append(append(t.run, ' '), t.text...)
		return
	}
	t.flush()
	if t.dedent(); len(t.items) > 0 {
		t.open(kb.Item, t.text)
	} else {
		t.open(kb.Paragraph, t.text)
	}
}

// dedent closes the items that the line at hand is not inside of. Two columns make a
// level: numbers are often aligned at the right.
func (t *plain) dedent() {
	for len(t.items) > 0 && t.column < t.items[len(t.items)-1]+2 {
		t.items = t.items[:len(t.items)-1]
	}
}

func (t *plain) open(kind kb.Kind, text string) {
	t.kind, t.first, t.lone = kind, t.number, t.before == ""
	t.run = append(t.run[:0], text...)
}

// flush ends the open block on the line before the one at hand.
func (t *plain) flush() {
	if len(t.run) == 0 {
		return
	}
	kind, level := t.kind, 0
	switch {
	case kind == kb.Item:
		level = len(t.items)
	case len(t.Blocks) == 0 && len(t.run) <= maxTitle && strings.HasPrefix(string(t.run), titleKey):
		kind, level = kb.Heading, 1
	}
	t.put(kind, level, string(t.run), kb.Lines{t.first, max(t.first, t.number-1)})
}

func (t *plain) put(kind kb.Kind, level int, text string, lines kb.Lines) {
	if kind == kb.Heading && len(t.Blocks) == 0 {
		text = strings.TrimPrefix(text, titleKey)
	}
	t.add(kb.Block{Kind: kind, Level: level, Text: clean(text), Lines: lines}, 0)
	t.run = t.run[:0]
}

// startsBlock reports whether the line at hand begins something new without a blank line
// before it.
func (t *plain) startsBlock() bool {
	return t.wide && startsNew(t.before, t.text) || keyed.MatchString(head(t.before)) && keyed.MatchString(head(t.text))
}

// keyed are lines like "Monday: 9 to 5", which come one to an entry.
var keyed = regexp.MustCompile(`^\p{Lu}[\pL\pN ()/&'’-]{0,40}:[ \t]+\S`)

// head is as much of a line as decides what it is; a line may have 20 MB.
func head(s string) string { return s[:min(len(s), 200)] }

var bulletMark = regexp.MustCompile(`^(?:([-*•–◦▪‣·●○])|(\(?(?:[0-9]{1,3}|[a-z]|[ivx]{1,5})\)|[0-9]{1,3}\.))[ \t]+\S`)

// item returns the text of the item that the line at hand begins. A number other than
// the first begins none within a paragraph: it is the end of a wrapped sentence.
func (t *plain) item() (string, bool) {
	m := bulletMark.FindStringSubmatch(head(t.text))
	if m == nil {
		return "", false
	}
	if len(t.run) > 0 && t.kind == kb.Paragraph && m[2] != "" && !strings.Contains("(1) 1. (a) (i)", m[2]) {
		return "", false
	}
	return strings.TrimSpace(strings.TrimPrefix(t.text, m[1])), true
}

// indent returns the column of the first character, with tabs every four.
func indent(s string) (column int) {
	for i := range len(s) {
		switch s[i] {
		case ' ':
			column++
		case '\t':
			column += 4 - column%4
		default:
			return column
		}
	}
	return column
}

// isRule reports whether s is a line of one sign: an underline, a rule, the frame of a
// box, a bullet without text.
func isRule(s string) bool {
	return s == "•" || s != "" && strings.Contains("=-_*~#", s[:1]) && strings.Trim(s, s[:1]+" ") == ""
}

// underline makes a heading of the single line above, if that is what the line at hand
// underlines.
func (t *plain) underline() {
	level := 1 + strings.IndexByte("=-", t.text[0])
	if level == 0 || len(t.text) < 3 || len(t.run) == 0 || t.kind != kb.Paragraph || t.first != t.number-1 || !t.lone {
		t.flush()
		return
	}
	t.items = t.items[:0]
	t.put(kb.Heading, level, string(t.run), kb.Lines{t.first, t.number})
}

// titleKey begins the first line of exported documents.
const titleKey = "Title: "

const (
	maxHeading = 80
	maxTitle   = 400
)

// heading takes the line at hand as a heading if it is one.
func (t *plain) heading() bool {
	if t.before != "" || len(t.text) > maxTitle || isRule(t.after) {
		return false
	}
	level := t.level()
	if level == 0 {
		return false
	}
	t.items = t.items[:0]
	t.put(kb.Heading, level, t.text, kb.Lines{t.number, t.number})
	return true
}

var (
	sectionHeading = regexp.MustCompile(`^(?i:section|part|chapter|article|appendix|annex|schedule)[ ]+(?:[0-9]+|[A-Z]|[IVX]+)\b`)
	numberedStart  = regexp.MustCompile(`^[0-9]{1,2}(?:(?:\.[0-9]{1,2})+\.?|[.)])?[ \t]+`)
	decimalHeading = regexp.MustCompile(`^[0-9]{1,2}((?:\.[0-9]{1,2})+)\.?[ \t]+\p{Lu}`)
)

// level returns the level of the heading that a line after a blank one is, 0 for none.
func (t *plain) level() int {
	alone := t.after == ""
	unnumbered := numberedStart.ReplaceAllString(t.text, "")
	switch {
	case endsWith(t.text, ".,;:"), len(t.text) > maxHeading && t.begun:
		return 0
	case !t.begun && alone && !bulletMark.MatchString(t.text):
		return 1
	case isCaps(unnumbered) && (alone || unnumbered == t.text && !isCaps(t.after)):
		return 2
	case !alone:
		return 0
	case sectionHeading.MatchString(t.text):
		return 2
	}
	if m := decimalHeading.FindStringSubmatch(t.text); m != nil {
		return min(1+strings.Count(m[1], "."), 6)
	}
	return 0
}

// isCaps reports whether s is a few words in capitals.
func isCaps(s string) bool {
	if len(s) > maxHeading {
		return false
	}
	letters, others := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			letters++
		case unicode.IsLetter(r):
			return false
		case r != ' ':
			others++
		}
	}
	return letters >= 3 && letters > 2*others
}

func endsWith(s, any string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(any, r)
}

// longLine is more than anyone wraps at. Below it a line break may be the width of a
// window; in a paragraph with a longer line it is the author's.
const longLine = 160

func isUnwrapped(lines iter.Seq[string]) bool {
	for line := range lines {
		if len(line) > longLine {
			return true
		}
	}
	return false
}

// startsNew reports whether, in text that is not wrapped, next begins a new thought after
// the line prev: after a stop, or below a short line that stands like a heading or an entry.
func startsNew(prev, next string) bool {
	first, _ := utf8.DecodeRuneInString(next)
	return !unicode.IsLower(first) && (endsWith(prev, ".?!:") || len(prev) <= maxHeading && !endsWith(prev, ",;-–(&/"))
}
