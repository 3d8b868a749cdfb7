package llm

import (
	"errors"
	"strings"
)

// A writing is a reply as it comes.
type writing struct {
	more  func(string)
	text  strings.Builder
	usage Usage
	end   end
}

// An end is how a model says that its reply ended.
type end int

const (
	endNone end = iota // it has not
	endWhole
	endCut      // at MaxTokens, or where the model's context was full
	endFiltered // by the vendor
)

// maxText is a multiple of what fits a message on any surface.
const maxText = 64 << 10 // bytes

var errTooLong = errors.New("too much text")

// add appends a piece of text and hands it on. Bytes that are no UTF-8 are replaced.
func (w *writing) add(piece string) error {
	piece = strings.ToValidUTF8(piece, "\uFFFD")
	if piece == "" {
		return nil
	}
	if w.text.Len()+len(piece) > maxText {
		return errTooLong
	}
	w.text.WriteString(piece)
	if w.more != nil {
		w.more(piece)
	}
	return nil
}
