package parse

import (
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"

	"citebot/internal/kb"
)

// A page turns tags and text into blocks the way a browser turns them into boxes, in one
// pass and without a tree: a stack of the open elements says what text means where it
// stands. x/net/html's tree has no positions and is refused above 512 open elements
// (CVE-2025-47911); this has lines, and depth costs it nothing.
//
// Every step is constant in the depth: an element knows the next outer one of its tag
// and the boundary of its scope, so no search walks the stack.
type page struct {
	*draft
	open   []element         // open[0] stands for the document
	inner  map[atom.Atom]int // index of the innermost open element of a tag; 0: none
	lists  []list
	tables []*table
	spare  int // bytes of cells that may still be repeated for rowspan

	run   []byte   // text since the last block boundary
	lines kb.Lines // of run
	seam  seam     // what stood between run and the text to come
	mark  string   // the number of the item that has no text yet

	deep       int // elements open below maxOpen
	warnedDeep bool

	head string     // the text of <title>
	tops []kb.Block // the first headings, wherever they stand
	left [struck + 1]omission
}

// An element is one that is open: a block, or what hides an inline run.
type element struct {
	tag     atom.Atom
	next    int // index of the next outer open element of the same tag; 0: none
	scope   int // index of the innermost boundary around it, or its own
	wall    int // index of the innermost element that the start of an item does not look beyond
	inlines int // inline elements open directly inside
	begin   int // <header>: how many blocks there were before it
	hasNav  bool
	place
}

// A place says what text directly inside an element is.
type place struct {
	kind   kb.Kind
	level  int // headings
	depth  int // items
	region region
	cover  cover
	by     atom.Atom // the tag of the outermost element that covers it
}

// inTitle is the kind of text in <title>, which is no block.
const inTitle kb.Kind = "title"

type list struct {
	ordered bool
	next    int
	style   string
}

// An omission counts the text that one kind of cover kept out.
type omission struct {
	line  int // of the first
	bytes int
}

func newPage(d *draft, size int) *page {
	return &page{
		draft: d,
		open:  []element{{place: place{kind: kb.Paragraph}}},
		inner: map[atom.Atom]int{},
		spare: size + 1<<16,
	}
}

func (p *page) top() *element { return &p.open[len(p.open)-1] }

// start is a start tag.
func (p *page) start(tag atom.Atom, a attrs, line int) {
	switch t := traitsOf[tag]; {
	case tag == atom.Br:
		p.lineBreak()
	case tag == atom.Hr:
		p.flush()
		p.close(atom.P)
	case tag == atom.Img:
		p.image(a, line)
	case t&void != 0:
	case t&part != 0 && p.inner[atom.Table] == 0:
		p.flush()
	case t&block != 0:
		p.flush()
		p.imply(tag, t)
		p.push(tag, a, line)
	default:
		p.inline(tag, a, line)
	}
}

// inline opens an element inside a run of text. Only those that cover text are
// remembered, and those of the same tag inside, whose end tags would end the cover; the
// others are counted.
func (p *page) inline(tag atom.Atom, a attrs, line int) {
	top := p.top()
	if top.cover == shown && coverOf(tag, a) != shown || top.cover != shown && top.by == tag {
		p.push(tag, a, line)
		return
	}
	top.inlines++
	switch tag {
	case atom.Sup:
		p.seam = seamRaised
	case atom.Q:
		p.write("“", kb.Lines{line, line})
	}
}

// end is an end tag. One that closes nothing open is ignored.
func (p *page) end(tag atom.Atom) {
	if traitsOf[tag]&block == 0 {
		p.endInline(tag)
		return
	}
	p.flush()
	if p.deep > 0 {
		p.deep--
	} else if i := p.closable(tag); i > 0 {
		p.closeTo(i)
	}
}

func (p *page) endInline(tag atom.Atom) {
	top := p.top()
	switch {
	case top.tag == tag && p.deep > 0:
		p.deep--
		return
	case top.tag == tag && len(p.open) > 1:
		p.pop()
		return
	}
	top.inlines = max(top.inlines-1, 0)
	switch {
	case tag == atom.Span, tag == atom.A, tag == atom.Label:
		p.seam = max(p.seam, seamTag)
	case tag == atom.Q && len(p.run) > 0:
		p.write("”", p.lines)
	}
}

// closable returns the index of the element that an end tag closes, 0 for none.
func (p *page) closable(tag atom.Atom) int {
	bound := p.top().scope
	i := p.inner[tag]
	switch tag {
	case atom.Li:
		bound = max(bound, p.inner[atom.Ul], p.inner[atom.Ol])
	case atom.Dt, atom.Dd:
		bound = max(bound, p.inner[atom.Dl])
	case atom.Td, atom.Th, atom.Tr, atom.Thead, atom.Tbody, atom.Tfoot, atom.Caption:
		bound = p.inner[atom.Table]
	case atom.Table, atom.Template, atom.Object, atom.Svg:
		bound = 0
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		for _, h := range headings {
			i = max(i, p.inner[h])
		}
	}
	if i <= bound {
		return 0
	}
	return i
}

// imply closes what the start tag of a block closes without an end tag.
func (p *page) imply(tag atom.Atom, t traits) {
	if t&keepsP == 0 {
		p.close(atom.P)
	}
	switch tag {
	case atom.Li, atom.Dt, atom.Dd:
		if wall := p.top().wall; isSibling(p.open[wall].tag, tag) {
			p.closeTo(wall)
		}
	case atom.Table:
		if i := p.inner[atom.Table]; i > 0 && p.top().scope == i { // it stands in no cell
			p.closeTo(i)
		}
	case atom.Caption, atom.Thead, atom.Tbody, atom.Tfoot:
		p.closeTo(p.inner[atom.Table] + 1)
	case atom.Tr:
		p.closeTo(p.tableBody() + 1)
	case atom.Td, atom.Th:
		if p.inner[atom.Tr] < p.inner[atom.Table] {
			p.closeTo(p.tableBody() + 1)
			p.push(atom.Tr, nil, 0)
		}
		p.closeTo(p.inner[atom.Tr] + 1)
	case atom.Option, atom.Optgroup:
		p.close(atom.Option)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		if top := p.top(); headingLevel(top.tag) > 0 && top.inlines == 0 {
			p.pop()
		}
	}
}

// tableBody returns the index of the element that the open table's rows stand in.
func (p *page) tableBody() int {
	return max(p.inner[atom.Table], p.inner[atom.Thead], p.inner[atom.Tbody], p.inner[atom.Tfoot])
}

// isSibling reports whether the start tag of an item ends an open one.
func isSibling(open, tag atom.Atom) bool {
	return open == tag || open == atom.Dt && tag == atom.Dd || open == atom.Dd && tag == atom.Dt
}

func (p *page) close(tags ...atom.Atom) {
	for _, tag := range tags {
		if i := p.closable(tag); i > 0 {
			p.closeTo(i)
		}
	}
}

func (p *page) closeTo(i int) {
	for len(p.open) > i {
		p.pop()
	}
}

// maxOpen is far beyond what browsers nest, which is 512.
const maxOpen = 2000

// push opens an element. At maxOpen those that follow are only counted, but for one that
// covers what is in it: covered text must not show because it stands deep.
func (p *page) push(tag atom.Atom, a attrs, line int) {
	outer := p.top()
	e := element{tag: tag, next: p.inner[tag], scope: outer.scope, wall: outer.wall, place: outer.place}
	isTitle := tag == atom.Button && e.kind == kb.Heading // an accordion's
	if c := coverOf(tag, a); e.cover == shown && c != shown && !isTitle {
		e.cover, e.by = c, tag
	} else if len(p.open) >= maxOpen {
		p.tooDeep(line)
		return
	}
	i := len(p.open)
	if traitsOf[tag]&boundary != 0 {
		e.scope = i
	}
	if traitsOf[tag]&block != 0 && tag != atom.Address && tag != atom.Div && tag != atom.P {
		e.wall = i
	}
	p.enter(&e, a)
	p.inner[tag] = i
	p.open = append(p.open, e)
}

func (p *page) tooDeep(line int) {
	p.deep++
	if !p.warnedDeep {
		p.warnedDeep = true
		p.warn(line, "elements are nested more than %d deep; lists and tables are not told apart there", maxOpen)
	}
}

func (p *page) pop() {
	e := *p.top()
	if traitsOf[e.tag]&block != 0 {
		p.flush()
	}
	p.open = p.open[:len(p.open)-1]
	p.inner[e.tag] = e.next
	p.leave(&e)
}

// enter gives a new element its meaning.
func (p *page) enter(e *element, a attrs) {
	switch tag := e.tag; tag {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		e.kind, e.level = kb.Heading, headingLevel(tag)
	case atom.Ul, atom.Ol, atom.Dir, atom.Menu:
		p.lists = append(p.lists, list{ordered: tag == atom.Ol, next: a.number("start", 1), style: a.get("type")})
		e.depth++
	case atom.Li:
		e.kind, e.depth = kb.Item, max(e.depth, 1)
		p.mark = p.number(a)
	case atom.Dl:
		e.depth++
	case atom.Dt:
		e.kind, e.depth = kb.Item, max(e.depth, 1)
	case atom.Dd:
		e.kind, e.depth = kb.Item, e.depth+1
	case atom.Pre, atom.Listing, atom.Xmp, atom.Plaintext:
		e.kind = kb.Code
	case atom.Title:
		if e.kind = inTitle; p.head != "" && e.cover == shown {
			e.cover = chrome
		}
	case atom.Main:
		e.region |= inMain
	case atom.Article:
		e.region |= inArticle
	case atom.Header:
		e.begin = len(p.Blocks)
	case atom.Nav:
		p.open[p.inner[atom.Header]].hasNav = true
	case atom.Caption:
		e.kind = kb.Paragraph
	case atom.Table:
		p.openTable()
	case atom.Tr, atom.Td, atom.Th:
		p.openPart(e, a)
	}
}

// leave undoes what enter did to the page.
func (p *page) leave(e *element) {
	switch e.tag {
	case atom.Ul, atom.Ol, atom.Dir, atom.Menu:
		p.lists = p.lists[:len(p.lists)-1]
	case atom.Li:
		p.mark = ""
	case atom.Header:
		if e.hasNav && e.region == 0 { // the site's, with its logo and search box
			p.truncate(e.begin)
		}
	case atom.Table:
		p.tables = p.tables[:len(p.tables)-1]
	case atom.Tr:
		p.endRow(e)
	}
}

// number returns the mark of the next item of the innermost list: "3. " where the list
// is ordered, since people refer to steps by number.
func (p *page) number(a attrs) string {
	if len(p.lists) == 0 {
		return ""
	}
	l := &p.lists[len(p.lists)-1]
	if !l.ordered {
		return ""
	}
	n := a.number("value", l.next)
	l.next = n + 1
	return ordinal(n, l.style) + ". "
}

// ordinal writes n as <ol type> asks.
func ordinal(n int, style string) string {
	switch style {
	case "a", "A":
		if 1 <= n && n <= 26 {
			return string(rune(style[0] + byte(n-1)))
		}
	case "i":
		return strings.ToLower(roman(n))
	case "I":
		return roman(n)
	}
	return strconv.Itoa(n)
}

func roman(n int) string {
	if n < 1 || n > 399 {
		return strconv.Itoa(n)
	}
	var b strings.Builder
	for _, d := range []struct {
		value int
		text  string
	}{{100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= d.value; n -= d.value {
			b.WriteString(d.text)
		}
	}
	return b.String()
}
