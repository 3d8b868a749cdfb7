package web

import (
	"fmt"
	"strings"
	"time"
)

// The states of a document, as kb names them.
const (
	docLive    = "live"
	docPending = "pending"
	docFailed  = "failed"
)

// A Document is one line of /api/documents.
type Document struct {
	Path     string    `json:"path"`
	State    string    `json:"state"` // live, pending (its vectors are not all there yet) or failed
	Passages int       `json:"passages"`
	Hash     string    `json:"hash"`
	Updated  time.Time `json:"updated"`
	Problem  string    `json:"problem,omitempty"`
	Title    string    `json:"title,omitempty"`
	Audience string    `json:"audience,omitempty"`
}

// The states of a part of the program.
const (
	StateOK       = "ok"
	StateLoading  = "loading"
	StateDegraded = "degraded" // it serves, with less than it should
	StateOff      = "off"      // not configured
	StateFailed   = "failed"
)

// Readiness is the body of /readyz.
type Readiness struct {
	Ready bool            `json:"ready"`
	Parts map[string]Part `json:"parts"`
}

// A Part is how one part of the program is: library, vectors, llm, slack, discord, …
type Part struct {
	State    string    `json:"state"`
	Problem  string    `json:"problem,omitempty"` // what is wrong and what mends it, without secrets
	Progress *Progress `json:"progress,omitempty"`
}

// Progress says how far a load has come.
type Progress struct {
	Documents      int `json:"documents"`
	DocumentsTotal int `json:"documents_total"`
	Vectors        int `json:"vectors"`
	VectorsTotal   int `json:"vectors_total"`
}

// summary is the line that the ask page shows about r: "" when all is well.
func (r Readiness) summary() string {
	switch lib := r.Parts["library"]; lib.State {
	case StateFailed:
		return "The documents cannot be read right now. The people who run this bot can see why."
	case StateLoading:
		if p := lib.Progress; p != nil && p.DocumentsTotal > 0 {
			return fmt.Sprintf("Reading the documents: %d of %d", p.Documents, p.DocumentsTotal)
		}
		return "Reading the documents…"
	}
	vectors := r.Parts["vectors"]
	if vectors.State == StateDegraded {
		return "Search by meaning is not fully available right now; answers may be less complete."
	}
	if p := vectors.Progress; p != nil && p.Vectors < p.VectorsTotal {
		return fmt.Sprintf("Preparing search by meaning: %d of %d passages", p.Vectors, p.VectorsTotal)
	}
	return "" // trouble with a chat platform is none of this page's
}

// The states of a source, compared with the documents as they are today.
const (
	SourceCurrent = "current"
	SourceChanged = "changed" // the document no longer says this in these words
	SourceRemoved = "removed" // the document is gone
)

// A Source is one passage version in the document version it was cited from.
type Source struct {
	Path    string  `json:"path"`
	Title   string  `json:"title"`
	Section string  `json:"section,omitempty"` // heading path, joined by " › "
	Updated string  `json:"updated,omitempty"` // YYYY-MM-DD
	Owner   string  `json:"owner,omitempty"`
	URL     string  `json:"url,omitempty"` // the published original; shown when it is http(s)
	State   string  `json:"state"`
	Now     string  `json:"now,omitempty"` // hash of the passage in its place today, if the same people may read it
	Lines   [2]int  `json:"lines"`         // of the passage
	Spans   []Span  `json:"-"`             // what the passage is made of, in order
	Blocks  []Block `json:"-"`             // the whole document, in order
}

// A Span is one piece of a passage: a block of the document or a stretch of one.
type Span struct {
	Text  string
	Lines [2]int
}

// A Block is the smallest piece of a document with lines of its own.
type Block struct {
	Kind   string // heading, paragraph, item, header, row or code
	Level  int    // headings 1–6; items: nesting depth from 1
	Text   string // plain; a table row's cells are joined by " | "
	Anchor string // headings
	Header string // rows: the text of their table's header row
	Lines  [2]int
}

// passage is the cited text, its spans joined by newlines.
func (s *Source) passage() string {
	texts := make([]string, len(s.Spans))
	for i, span := range s.Spans {
		texts[i] = span.Text
	}
	return strings.Join(texts, "\n")
}
