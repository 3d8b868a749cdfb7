package web

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var hashPattern = regexp.MustCompile(`^[0-9a-f]{8,128}$`)

func isHash(text string) bool { return hashPattern.MatchString(text) }

// showSource opens a document with one passage version marked. With ?quote=… the words
// an answer rests on stand out within it; as JSON they come with a little text around them.
func (s *Server) showSource(w http.ResponseWriter, r *http.Request) {
	src, ok := s.cfg.Source(r.PathValue("hash"))
	if !ok {
		s.fail(w, r, refusal{http.StatusNotFound, "This source is not kept any more. The document may have been removed, or the link is old or incomplete."})
		return
	}
	if !isWeb(src.URL) {
		src.URL = ""
	}
	quote := r.URL.Query().Get("quote")
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, struct {
			Source
			Passage string  `json:"passage"`
			Excerpt []Piece `json:"excerpt,omitempty"`
		}{src, src.passage(), excerpt(src.passage(), quote)})
		return
	}
	s.render(w, http.StatusOK, "source", s.sourcePage(r, src, quote))
}

type sourcePage struct {
	Root   string
	Source Source
	Nodes  []*node
	Now    string // address of the passage today, below the root
}

func (s *Server) sourcePage(r *http.Request, src Source, quote string) sourcePage {
	page := sourcePage{Root: root(r), Source: src, Nodes: layOut(src, quote)}
	if src.Now != "" {
		page.Now = s.links.path(src.Now) + "#cited"
	}
	return page
}

// A node is what one HTML element shows: a heading, paragraph or code block with its
// text, a list or table with its lines.
type node struct {
	Kind  string // heading, paragraph, code, list or table
	Level int    // headings: 2–6, below the page's own title
	ID    string
	Text  []Piece
	Lines []line
}

// A line is a list item, with one cell, or a table row.
type line struct {
	Header bool
	ID     string
	Level  int
	Cells  [][]Piece
}

// layOut turns a document's blocks into nodes: items into lists, rows into tables. The
// block to scroll to gets the ID "cited".
func layOut(src Source, quote string) []*node {
	marked := src.locate(quote)
	var nodes []*node
	target := targetOf(marked)
	for i, block := range src.Blocks {
		m := marked[i]
		if i == 0 && block.Kind == "heading" && block.Text == src.Title && m.cited == nil {
			continue // the page's own title says it already
		}
		id := ""
		if i == target {
			id = "cited"
		}
		if i == 0 || !sameGroup(src.Blocks[i-1], block) || len(nodes) == 0 {
			nodes = append(nodes, newNode(block, id, m))
		}
		if last := nodes[len(nodes)-1]; last.Kind == "list" || last.Kind == "table" {
			last.Lines = append(last.Lines, newLine(block, id, m))
		}
	}
	return nodes
}

// targetOf is the first block with quoted words, else the first of the passage; -1 when
// there is neither.
func targetOf(marked map[int]marks) int {
	blocks := slices.Sorted(maps.Keys(marked))
	if i := slices.IndexFunc(blocks, func(b int) bool { return marked[b].quoted != nil }); i >= 0 {
		return blocks[i]
	}
	if len(blocks) > 0 {
		return blocks[0]
	}
	return -1
}

// sameGroup reports whether two neighbours stand in one list or one table.
func sameGroup(a, b Block) bool {
	switch b.Kind {
	case "item":
		return a.Kind == "item"
	case "row":
		return a.Kind == "header" && a.Text == b.Header || a.Kind == "row" && a.Header == b.Header
	}
	return false
}

func newNode(b Block, id string, m marks) *node {
	switch b.Kind {
	case "item":
		return &node{Kind: "list"}
	case "header", "row":
		return &node{Kind: "table"}
	}
	n := &node{Kind: b.Kind, ID: id, Text: cut(b.Text, 0, len(b.Text), m.cited, m.quoted)}
	if b.Kind == "heading" {
		n.Level = min(max(b.Level, 1)+1, 6)
		if id == "" && b.Anchor != "" {
			n.ID = "at-" + b.Anchor // apart from our own IDs
		}
	}
	return n
}

func newLine(b Block, id string, m marks) line {
	l := line{ID: id, Level: max(b.Level, 1), Header: b.Kind == "header"}
	if b.Kind == "item" {
		l.Cells = [][]Piece{cut(b.Text, 0, len(b.Text), m.cited, m.quoted)}
		return l
	}
	at := 0
	for cell := range strings.SplitSeq(b.Text, " | ") {
		l.Cells = append(l.Cells, cut(b.Text, at, at+len(cell), m.cited, m.quoted))
		at += len(cell) + len(" | ")
	}
	return l
}

// marks are the stretches of a block that belong to the passage, and those of them that
// the quote holds.
type marks struct{ cited, quoted []stretch }

// locate finds the passage's spans among the blocks, and quote within the passage. The
// key is the block's index.
func (s *Source) locate(quote string) map[int]marks {
	quoted := find(s.passage(), quote)
	found := make(map[int]marks)
	offset := 0 // of the span in the passage
	for _, span := range s.Spans {
		if i, at := s.blockOf(span); i >= 0 {
			m := found[i]
			m.cited = append(m.cited, stretch{at, at + len(span.Text)})
			for _, q := range quoted {
				q = stretch{max(q.start-offset, 0), min(q.end-offset, len(span.Text))}
				if q.start < q.end {
					m.quoted = append(m.quoted, stretch{at + q.start, at + q.end})
				}
			}
			found[i] = m
		}
		offset += len(span.Text) + len("\n")
	}
	return found
}

// blockOf finds the block that holds a span, and where in it; -1 when none does. Lines
// tell apart blocks that say the same.
func (s *Source) blockOf(span Span) (block, at int) {
	for i, b := range s.Blocks {
		if b.Lines[0] <= span.Lines[1] && span.Lines[0] <= b.Lines[1] {
			if at := strings.Index(b.Text, span.Text); at >= 0 {
				return i, at
			}
		}
	}
	return -1, 0
}
