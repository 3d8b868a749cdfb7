package parse

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// goldmark 1.8.7 is quadratic in places: 200 KB of "[a](" took it 18.8 s, of "*a_ "
// 15 s, a list 2,000 deep 16 s, and a table's rows are padded to the width of its head.
// It cannot be interrupted, so each of these is kept from happening, where it would
// happen: the paragraph, the level or the table at hand is read as plain text.
const (
	// maxNodes bounds the syntax tree, which takes some 1,200 bytes for each line or mark
	// that could make a node: 475,000 items took 586 MB. Prose has one in 50 bytes.
	maxNodes = 250_000

	// maxLine bounds a line, which goldmark looks at many times.
	maxLine = 1 << 20

	// maxWork bounds the sum over paragraphs, headings and cells of their bytes times
	// their inline marks.
	maxWork = 200_000_000

	maxNesting = 64 // lists count twice

	// maxDefinitions bounds the same product for link definitions.
	maxDefinitions = 200_000_000
)

// inlineMarks are the bytes at which goldmark looks for more than text.
const inlineMarks = "[]*_~`<!"

// tooDense says why src would make too large a tree, and on which line it does.
func tooDense(src string) (line int, reason string) {
	nodes, start := 0, 0
	for i := range len(src) {
		switch src[i] {
		case '\n':
			line++
			nodes++
			start = i + 1
		case '|', '[', ']', '*', '_', '~', '`', '<', '!', '>':
			nodes++
		}
		switch {
		case nodes > maxNodes:
			return line + 1, fmt.Sprintf("more than %d lines and marks", maxNodes)
		case i-start > maxLine:
			return line + 1, "a line of more than a megabyte"
		}
	}
	return 0, ""
}

// parser returns a CommonMark parser with tables and strikethrough that m watches over.
func (m *markdown) parser() parser.Parser {
	blockParsers := parser.DefaultBlockParsers()
	for i, v := range blockParsers {
		switch bp := v.Value.(parser.BlockParser); bp {
		case parser.NewListParser(), parser.NewBlockquoteParser():
			blockParsers[i].Value = &shallow{BlockParser: bp, m: m}
		}
	}
	return parser.NewParser(
		parser.WithBlockParsers(blockParsers...),
		parser.WithInlineParsers(append(parser.DefaultInlineParsers(),
			util.Prioritized(&guard{m: m}, 0),
			util.Prioritized(extension.NewStrikethroughParser(), 500))...),
		parser.WithParagraphTransformers(
			util.Prioritized(&fewDefinitions{m: m}, 100),
			util.Prioritized(narrowTables{m}, 200)),
	)
}

// shallow is a parser of containers that opens none below maxNesting.
type shallow struct {
	parser.BlockParser
	m      *markdown
	warned bool
}

// Open implements parser.BlockParser.
func (s *shallow) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, pos := reader.Position()
	node, state := s.BlockParser.Open(parent, reader, pc)
	if node == nil || depth(parent) < maxNesting {
		return node, state
	}
	if !s.warned {
		s.warned = true
		s.m.warn(s.m.line(pos.Start), "nested more than %d deep: read as plain text from here", maxNesting)
	}
	reader.SetPosition(line, pos)
	return nil, parser.NoChildren
}

func depth(n ast.Node) (levels int) {
	for ; n != nil; n = n.Parent() {
		levels++
	}
	return levels
}

// guard is the inline parser that is asked first. At the first mark of a paragraph,
// heading or cell it takes all of it as text if it could cost too much.
type guard struct {
	m     *markdown
	seen  ast.Node
	spent int
}

// Trigger implements parser.InlineParser.
func (g *guard) Trigger() []byte { return []byte(inlineMarks) }

// Parse implements parser.InlineParser.
func (g *guard) Parse(parent ast.Node, block text.Reader, _ parser.Context) ast.Node {
	if parent == g.seen {
		return nil
	}
	g.seen = parent
	cost := work(parent.Lines(), g.m.src)
	if g.spent+cost <= maxWork {
		g.spent += cost
		return nil
	}
	_, pos := block.Position()
	g.m.warn(g.m.line(pos.Start), "too many brackets, stars or other marks in one paragraph: its marks were read as text")
	return takeAll(parent, block)
}

// takeAll appends the rest of block to parent as raw text, but for the last line's,
// which it returns.
func takeAll(parent ast.Node, block text.Reader) ast.Node {
	var last *ast.Text
	for {
		line, segment := block.PeekLine()
		if line == nil {
			return last
		}
		if last != nil {
			parent.AppendChild(parent, last)
		}
		last = ast.NewRawTextSegment(segment)
		last.SetSoftLineBreak(true)
		block.AdvanceLine()
	}
}

func work(lines *text.Segments, src []byte) int {
	marks, size := 0, 0
	for _, s := range lines.Sliced(0, lines.Len()) {
		size += s.Len()
		for _, c := range src[s.Start:s.Stop] {
			if strings.IndexByte(inlineMarks, c) >= 0 {
				marks++
			}
		}
	}
	return marks * size
}

// fewDefinitions is the parser of link definitions, kept from paragraphs with so many
// that looking for the ends of their titles would take too long.
type fewDefinitions struct {
	m     *markdown
	spent int
}

// Transform implements parser.ParagraphTransformer.
func (f *fewDefinitions) Transform(n *ast.Paragraph, reader text.Reader, pc parser.Context) {
	brackets, size := 0, 0
	for _, s := range n.Lines().Sliced(0, n.Lines().Len()) {
		size += s.Len()
		if bytes.HasPrefix(bytes.TrimLeft(s.Value(f.m.src), " "), []byte("[")) {
			brackets++
		}
	}
	if brackets == 0 {
		return
	}
	if f.spent+brackets*size > maxDefinitions {
		f.m.warn(f.m.line(n.Lines().At(0).Start), "too many link definitions in one paragraph: they were read as text")
		return
	}
	f.spent += brackets * size
	parser.LinkReferenceParagraphTransformer.Transform(n, reader, pc)
}

// narrowTables is the parser of tables, kept from those that rows padded to the width of
// the head would make larger than the file.
type narrowTables struct{ m *markdown }

// Transform implements parser.ParagraphTransformer.
func (t narrowTables) Transform(n *ast.Paragraph, reader text.Reader, pc parser.Context) {
	columns, size := 0, 0
	for _, s := range n.Lines().Sliced(0, n.Lines().Len()) {
		line := s.Value(t.m.src)
		size += len(line)
		if len(bytes.Trim(line, "-|: \t\n")) == 0 {
			columns = max(columns, bytes.Count(line, []byte("|"))+1)
		}
	}
	if columns*n.Lines().Len() > 2*size+1000 {
		t.m.warn(t.m.line(n.Lines().At(0).Start), "a table of %d columns with mostly empty rows was read as text", columns)
		return
	}
	extension.NewTableParagraphTransformer().Transform(n, reader, pc)
}
