package llm

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// A writing is a reply as it comes.
type writing struct {
	more  func(string)
	text  strings.Builder
	usage Usage
	end   end
	wire  *wire // of the attempt that writes
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

// estimate counts what the server did not: four characters a token. That it began to write
// tells that it has read the prompt.
func (w *writing) estimate(r Request) {
	w.usage = Usage{min(max(0, w.usage.Input), maxUsage), min(max(0, w.usage.Output), maxUsage)}
	if w.text.Len() == 0 {
		return
	}
	if w.usage.Input == 0 {
		w.usage.Input = tokens(r.all())
	}
	if w.usage.Output == 0 {
		w.usage.Output = tokens(w.text.String())
	}
}

// maxUsage bounds what a server may say that a call took, so that sums of it are right.
const maxUsage = 100_000_000

func tokens(text string) int { return (utf8.RuneCountInString(text) + 3) / 4 }

// all is the whole prompt.
func (r Request) all() string {
	texts := []string{r.System}
	for _, m := range r.Messages {
		texts = append(texts, m.Text)
	}
	return strings.Join(texts, "\n")
}
