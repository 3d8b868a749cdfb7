package kb

import (
	"context"
	"errors"
	"fmt"
)

// A Document is one file as its parser understood it: what it says about itself
// and its text as blocks in reading order.
type Document struct {
	Path     string            `json:"path"`               // slash-separated, relative to the documents folder
	Title    string            `json:"title"`              // front matter, else first heading, else file name
	URL      string            `json:"url,omitempty"`      // where the published original lives
	Audience string            `json:"audience,omitempty"` // front matter only; folder rules apply later
	Owner    string            `json:"owner,omitempty"`
	Updated  string            `json:"updated,omitempty"` // YYYY-MM-DD
	Meta     map[string]string `json:"meta,omitempty"`    // front matter keys the product has no use for
	Blocks   []Block           `json:"blocks"`
	Warnings []Warning         `json:"warnings,omitempty"` // what a reader of `bot check` should mend
}

// A Warning is something odd in a file that did not stop it from being read.
type Warning struct {
	Line int    `json:"line,omitempty"` // 1-based; 0: the file as a whole
	Text string `json:"text"`
}

// Kind says what a block was in its file.
type Kind string

// The kinds of a block.
const (
	Heading   Kind = "heading"
	Paragraph Kind = "paragraph"
	Item      Kind = "item"   // a list item; nested items are blocks of their own
	Header    Kind = "header" // a table's header row
	Row       Kind = "row"    // a table's body row
	Code      Kind = "code"
)

// A Block is the smallest piece of a document with lines of its own.
//
// Text is plain (no markup), valid UTF-8 in NFC without control, zero-width or
// bidirectional formatting characters; runs of white space are one space, except in
// Code, where newlines stay. A table row's cells are joined by " | ".
type Block struct {
	Kind   Kind   `json:"kind"`
	Level  int    `json:"level,omitempty"` // headings 1–6; items: nesting depth from 1
	Text   string `json:"text"`
	Anchor string `json:"anchor,omitempty"` // headings: a slug, unique in the document
	Header string `json:"header,omitempty"` // rows: the text of the table's header row, if it has one
	Lines  Lines  `json:"lines"`
}

// Lines is a range of lines in a file, first and last inclusive, from 1.
type Lines [2]int

// Join returns the range that covers both.
func (l Lines) Join(m Lines) Lines {
	return Lines{min(l[0], m[0]), max(l[1], m[1])}
}

// A Parser turns one file's bytes into a Document. path is relative to the documents
// folder and chooses the format. It must return within seconds for any input; an error
// that knows its line is a *ParseError.
type Parser func(ctx context.Context, path string, data []byte) (Document, error)

// A ParseError says why a file could not be read, and where.
type ParseError struct {
	Line   int // 1-based; 0 when the reason concerns the whole file
	Reason string
}

func (e *ParseError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return e.Reason
}

// ErrBusy says that a search could not be served yet because nothing is loaded.
var ErrBusy = errors.New("the documents are still being read; try again in a moment")
