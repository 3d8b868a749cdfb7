package kb

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// A Passage is the piece of a document that is indexed, found and cited.
//
// ID survives edits (path, heading anchor, ordinal in that section). Hash names this
// version: it changes with the text, the title, the heading path and the audience, and
// keys both indexes. A search result is valid only while the manifest holds its Hash.
type Passage struct {
	ID       string   `json:"id"`
	Hash     string   `json:"hash"` // 32 hex digits
	Path     string   `json:"path"`
	Title    string   `json:"title"`
	Headings []string `json:"headings,omitempty"` // from the top-level section down to the passage's own
	Anchor   string   `json:"anchor,omitempty"`   // of the innermost heading; "" before the first
	Ordinal  int      `json:"ordinal"`            // position in the document, from 0
	Text     string   `json:"text"`               // what is quoted: the blocks' texts joined by newlines
	Spans    []Span   `json:"spans"`              // the blocks that Text is made of, in order
	Lines    Lines    `json:"lines"`
	Audience string   `json:"audience"`
	URL      string   `json:"url,omitempty"`     // the document's published original
	Updated  string   `json:"updated,omitempty"` // YYYY-MM-DD
}

// A Span is one block's place in Passage.Text.
type Span struct {
	Kind   Kind   `json:"kind"`
	Start  int    `json:"start"` // byte offsets in Text, half open
	End    int    `json:"end"`
	Header string `json:"header,omitempty"` // rows: their table's header row
	Lines  Lines  `json:"lines"`
}

// Section is the heading path as people read it beside the title, which it does not repeat.
func (p *Passage) Section() string {
	path := p.Headings
	if len(path) > 1 && path[0] == p.Title {
		path = path[1:]
	}
	return strings.Join(path, " › ")
}

// indexText is what the embedding model reads: the passage with what tells it apart
// from one with the same words in another document.
func (p *Passage) indexText() string {
	var b strings.Builder
	b.WriteString(p.Title)
	for _, h := range p.Headings {
		if h != p.Title {
			b.WriteString("\n" + h)
		}
	}
	b.WriteString("\n" + p.Text)
	return b.String()
}

// seal sets the passage's Hash. A NUL cannot occur in the parts, so no two different
// passages have the same input.
func (p *Passage) seal() {
	parts := append([]string{p.ID, p.Audience, p.Title, p.Text}, p.Headings...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	p.Hash = hex.EncodeToString(sum[:16])
}
