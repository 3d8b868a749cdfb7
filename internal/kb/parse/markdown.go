package parse

import (
	"bytes"
	"context"
	"html"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html/atom"

	"citebot/internal/kb"
)

func readMarkdown(ctx context.Context, d *draft, src string) error {
	body, before, err := readFrontMatter(d, src)
	if err != nil {
		return err
	}
	if line, reason := tooDense(body); reason != "" {
		d.warn(before+line, "read as plain text: %s", reason)
		return readLines(ctx, d, body, before)
	}
	m := &markdown{page: newPage(d, len(body)), src: []byte(body), starts: lineStarts(body), before: before}
	root := m.parser().Parse(text.NewReader(m.src))
	if err := m.blocks(ctx, root); err != nil {
		return err
	}
	m.finishPage()
	return nil
}

// markdown feeds a page with the tags that Markdown stands for.
type markdown struct {
	*page
	src     []byte
	starts  []int           // offsets of the lines of src
	before  int             // lines of the file before src
	endTags map[string]bool // names of the file's end tags; nil: not looked for yet
	breaks  map[int]bool    // lines of the open paragraph after which a new block begins
}

func lineStarts(s string) []int {
	starts := []int{0}
	for i := range len(s) {
		if s[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// line returns the file's line that holds the byte of src.
func (m *markdown) line(offset int) int {
	return m.before + sort.Search(len(m.starts), func(i int) bool { return m.starts[i] > offset })
}

func (m *markdown) blocks(ctx context.Context, parent ast.Node) error {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if err := m.check(ctx); err != nil {
			return err
		}
		if err := m.block(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (m *markdown) block(ctx context.Context, n ast.Node) error {
	switch n := n.(type) {
	case *ast.Heading:
		return m.leaf(ctx, headings[n.Level-1], n)
	case *ast.Paragraph, *ast.TextBlock:
		m.breaks = m.unwrapped(n.Lines())
		err := m.leaf(ctx, atom.P, n)
		m.breaks = nil
		return err
	case *ast.List:
		if n.IsOrdered() {
			return m.container(ctx, atom.Ol, attrs{{"start", strconv.Itoa(n.Start)}}, n)
		}
		return m.container(ctx, atom.Ul, nil, n)
	case *ast.ListItem:
		return m.container(ctx, atom.Li, nil, n)
	case *ast.Blockquote:
		return m.container(ctx, atom.Blockquote, nil, n)
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		m.code(n)
	case *ast.HTMLBlock:
		return m.html(ctx, n)
	case *extast.Table:
		return m.container(ctx, atom.Table, nil, n)
	case *extast.TableHeader:
		return m.row(ctx, atom.Th, n)
	case *extast.TableRow:
		return m.row(ctx, atom.Td, n)
	}
	return nil
}

func (m *markdown) container(ctx context.Context, tag atom.Atom, a attrs, n ast.Node) error {
	m.start(tag, a, 0)
	err := m.blocks(ctx, n)
	m.end(tag)
	return err
}

func (m *markdown) leaf(ctx context.Context, tag atom.Atom, n ast.Node) error {
	m.start(tag, nil, 0)
	err := m.inlines(ctx, n)
	m.end(tag)
	return err
}

func (m *markdown) row(ctx context.Context, cell atom.Atom, n ast.Node) error {
	m.start(atom.Tr, nil, 0)
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if err := m.leaf(ctx, cell, c); err != nil {
			return err
		}
	}
	m.end(atom.Tr)
	return nil
}

func (m *markdown) code(n ast.Node) {
	m.start(atom.Pre, nil, 0)
	for _, s := range n.Lines().Sliced(0, n.Lines().Len()) {
		m.segment(s, string(s.Value(m.src)))
	}
	m.end(atom.Pre)
}

func (m *markdown) html(ctx context.Context, n *ast.HTMLBlock) error {
	lines := n.Lines()
	if lines.Len() == 0 {
		return nil
	}
	raw := lines.Value(m.src)
	if n.HasClosure() {
		raw = append(raw, n.ClosureLine.Value(m.src)...)
	}
	return m.feed(ctx, string(raw), m.line(lines.At(0).Start))
}

func (m *markdown) inlines(ctx context.Context, parent ast.Node) error {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if err := m.inlineNode(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (m *markdown) inlineNode(ctx context.Context, n ast.Node) error {
	switch n := n.(type) {
	case *ast.Text:
		m.text(n)
	case *ast.CodeSpan:
		m.codeSpan(n)
	case *ast.AutoLink:
		line := m.line(n.Pos())
		m.write(string(n.Label(m.src)), kb.Lines{line, line})
	case *ast.RawHTML:
		return m.rawHTML(ctx, n)
	case *extast.Strikethrough:
		return m.strikethrough(ctx, n)
	default: // links, images and emphasis are their text
		return m.inlines(ctx, n)
	}
	return nil
}

// rawHTML feeds a tag or comment. What only looks like a tag, as the blank to fill in
// "mail <your name>@example.com", is text.
func (m *markdown) rawHTML(ctx context.Context, n *ast.RawHTML) error {
	if n.Segments.Len() == 0 {
		return nil
	}
	raw := n.Segments.Value(m.src)
	if name := startTag.FindSubmatch(raw); name != nil && atom.Lookup(bytes.ToLower(name[1])) == 0 && !m.closes(string(name[1])) {
		m.segment(n.Segments.At(0), string(raw))
		return nil
	}
	return m.feed(ctx, string(raw), m.line(n.Segments.At(0).Start))
}

var (
	startTag = regexp.MustCompile(`^<([A-Za-z][\w-]*)`)
	endTag   = regexp.MustCompile(`</([A-Za-z][\w-]*)`)
)

// closes reports whether the file has an end tag of this name.
func (m *markdown) closes(name string) bool {
	if m.endTags == nil {
		m.endTags = map[string]bool{}
		for _, match := range endTag.FindAllSubmatch(m.src, -1) {
			m.endTags[string(match[1])] = true
		}
	}
	return m.endTags[name]
}

func (m *markdown) segment(s text.Segment, value string) {
	line := m.line(s.Start)
	m.write(value, kb.Lines{line, line})
}

func (m *markdown) text(n *ast.Text) {
	value := string(n.Segment.Value(m.src))
	if !n.IsRaw() {
		value = unescape(value)
	}
	m.segment(n.Segment, value)
	if !n.SoftLineBreak() && !n.HardLineBreak() {
		return
	}
	if m.breaks[m.line(n.Segment.Start)] {
		m.flush()
		return
	}
	m.write("\n", m.lines)
}

// codeSpan writes code as it stands; in a table's cell, where it could not hold a "|"
// otherwise, "\|" is one.
func (m *markdown) codeSpan(n *ast.CodeSpan) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		t, ok := c.(*ast.Text)
		if !ok {
			continue
		}
		value := strings.ReplaceAll(string(t.Segment.Value(m.src)), "\n", " ")
		if m.cellOf() != nil {
			value = strings.ReplaceAll(value, `\|`, "|")
		}
		m.segment(t.Segment, value)
	}
}

// strikethrough leaves out what is struck out: a withdrawn rule must not be quoted as one.
// GitHub strikes between single tildes too, but "10~20 or 30~40" must not lose its words.
func (m *markdown) strikethrough(ctx context.Context, n *extast.Strikethrough) error {
	first := firstText(n)
	if first == nil || m.tildes(first) > 1 {
		m.start(atom.Del, nil, 0)
		err := m.inlines(ctx, n)
		m.end(atom.Del)
		return err
	}
	m.segment(first.Segment, "~")
	err := m.inlines(ctx, n)
	m.segment(first.Segment, "~")
	return err
}

func firstText(n ast.Node) *ast.Text {
	for ; n != nil; n = n.FirstChild() {
		if t, ok := n.(*ast.Text); ok {
			return t
		}
	}
	return nil
}

// tildes counts the tildes before the text that begins a strikethrough.
func (m *markdown) tildes(t *ast.Text) int {
	before := bytes.TrimRight(m.src[:t.Segment.Start], "*_[!`")
	return len(before) - len(bytes.TrimRight(before, "~"))
}

// unescape resolves backslash escapes and entities.
func unescape(s string) string {
	if !strings.ContainsAny(s, `\&`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 1
		switch entity := entity(s[i:]); {
		case s[i] == '\\' && i+1 < len(s) && isPunct(s[i+1]):
			b.WriteByte(s[i+1])
			n = 2
		case entity != "":
			b.WriteString(html.UnescapeString(entity))
			n = len(entity)
		default:
			b.WriteByte(s[i])
		}
		i += n
	}
	return b.String()
}

const maxEntity = 40 // the longest name is CounterClockwiseContourIntegral

// entity returns the entity that s begins with.
func entity(s string) string {
	if s[0] != '&' {
		return ""
	}
	s = s[:min(len(s), maxEntity)]
	end := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("&#", r) && !isAlphanumeric(r) })
	if end < 0 || s[end] != ';' {
		return ""
	}
	return s[:end+1]
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isPunct(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}

// unwrapped finds the lines of a paragraph after which its author, who does not wrap
// lines, began something new: a question above its answer, an entry of a list. CommonMark
// would join them.
func (m *markdown) unwrapped(lines *text.Segments) map[int]bool {
	var texts []string
	for _, s := range lines.Sliced(0, lines.Len()) {
		texts = append(texts, strings.TrimSpace(string(s.Value(m.src))))
	}
	if !isUnwrapped(slices.Values(texts)) {
		return nil
	}
	breaks := map[int]bool{}
	for i := range texts[:len(texts)-1] {
		if startsNew(texts[i], texts[i+1]) {
			breaks[m.line(lines.At(i).Start)] = true
		}
	}
	return breaks
}
