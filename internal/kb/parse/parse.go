// Package parse turns one file's bytes into a kb.Document.
//
// Bytes are decoded to text (decode.go), the format's reader finds the blocks
// (markdown.go, html.go, text.go), and the draft they fill (draft.go) gives headings
// their anchors and the document its title. Markdown and HTML share one page (page.go,
// table.go): Markdown's nodes are fed to it as the tags they stand for, so lists, tables,
// raw HTML and hidden text mean the same in both.
//
// Files come from strangers. Every reader is linear in the size of the file or guards
// the library it uses so that the whole is (guard.go); what a browser would not show
// does not become text; and what was left out, guessed or read as something simpler is
// a Warning with its line.
package parse

import (
	"context"
	"fmt"
	"path"
	"strings"

	"citebot/internal/kb"
)

// MaxBytes is the largest file that is read. A policy of this size would be ten thousand
// printed pages; every limit on time and memory in this package was measured at it.
const MaxBytes = 20 << 20

// A reader finds the blocks of one format's text.
type reader func(ctx context.Context, d *draft, src string) error

func readerOf(name string) reader {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown":
		return readMarkdown
	case ".txt", ".text":
		return readText
	case ".html", ".htm":
		return readHTML
	}
	return nil
}

// Accepts reports whether Parse knows the kind of file that path names.
func Accepts(path string) bool { return readerOf(path) != nil }

// Parse is a kb.Parser for Markdown, plain text and HTML. Its errors are *kb.ParseError,
// or ctx's own.
func Parse(ctx context.Context, path string, data []byte) (doc kb.Document, err error) {
	defer recovered(&err)
	read := readerOf(path)
	if read == nil {
		return kb.Document{}, broken(0, "files of this kind are not read; use .md, .txt or .html")
	}
	if len(data) > MaxBytes {
		return kb.Document{}, broken(0, "the file has %d MB; files over %d MB are not read: split it", len(data)>>20, MaxBytes>>20)
	}
	d := newDraft(path)
	src, err := decode(d, data)
	if err != nil {
		return kb.Document{}, err
	}
	if err := read(ctx, d, src); err != nil {
		return kb.Document{}, err
	}
	if err := d.check(ctx); err != nil {
		return kb.Document{}, err
	}
	return d.finish()
}

// recovered turns a panic, which would be a bug of a library or of this package, into an
// error about the file.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = broken(0, "the file could not be read: its reader failed (%v)", r)
	}
}

func broken(line int, format string, args ...any) error {
	return &kb.ParseError{Line: line, Reason: fmt.Sprintf(format, args...)}
}
