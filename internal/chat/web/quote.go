package web

import "strings"

// A Piece is a stretch of text that is set in one way.
type Piece struct {
	Text   string `json:"text"`
	Cited  bool   `json:"cited,omitempty"`  // it belongs to the passage
	Quoted bool   `json:"quoted,omitempty"` // the answer rests on just these words
}

// stretch is a range of byte offsets, half open.
type stretch struct{ start, end int }

// find returns where the parts of quote, which " … " separates, stand in text, in order.
// Line ends count as spaces. nil when one of them is not there: half a quote would mislead.
func find(text, quote string) []stretch {
	flat := flatten(text)
	var found []stretch
	from := 0
	for part := range strings.SplitSeq(flatten(quote), " … ") {
		part = strings.Trim(part, " …")
		if part == "" {
			continue
		}
		at := strings.Index(flat[from:], part)
		if at < 0 {
			return nil
		}
		found = append(found, stretch{from + at, from + at + len(part)})
		from += at + len(part)
	}
	return found
}

// flatten turns line ends and tabs into spaces and keeps every offset.
func flatten(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return r
	}, text)
}

// How much of a passage a source card shows around the quote, and of what stands between
// two parts of it, in bytes.
const (
	around  = 160
	between = 2 * around
)

// excerpt is the quote with some of the passage around it; nil when the passage does not
// hold the quote.
func excerpt(passage, quote string) []Piece {
	found := find(passage, quote)
	if found == nil {
		return nil
	}
	pieces := appendPiece(nil, Piece{Text: keepEnd(passage[:found[0].start], around)})
	for i, at := range found {
		pieces = appendPiece(pieces, Piece{Text: passage[at.start:at.end], Cited: true, Quoted: true})
		if i+1 < len(found) {
			pieces = appendPiece(pieces, Piece{Text: keepMiddle(passage[at.end:found[i+1].start])})
		}
	}
	return appendPiece(pieces, Piece{Text: keepStart(passage[found[len(found)-1].end:], around)})
}

func appendPiece(pieces []Piece, p Piece) []Piece {
	if p.Text == "" {
		return pieces
	}
	return append(pieces, p)
}

// keepStart cuts text to about n bytes: after a line or sentence if one ends in the second
// half, else between words.
func keepStart(text string, n int) string {
	if len(text) <= n {
		return text
	}
	head := text[:n]
	if end := max(strings.LastIndexByte(head, '\n'), strings.LastIndex(head, ". ")+1); end > n/2 {
		return head[:end] + " …"
	}
	if end := strings.LastIndexAny(head, " \n"); end > 0 {
		return head[:end] + " …"
	}
	return strings.ToValidUTF8(head, "") + "…"
}

// keepEnd cuts text to about its last n bytes: before a line or sentence if one begins in
// the first half of them, else between words.
func keepEnd(text string, n int) string {
	if len(text) <= n {
		return text
	}
	tail := text[len(text)-n:]
	for _, gap := range []string{"\n", ". ", " "} {
		if at := strings.Index(tail, gap); at >= 0 && (at < n/2 || gap == " ") {
			return "… " + tail[at+len(gap):]
		}
	}
	return "…" + strings.ToValidUTF8(tail, "")
}

func keepMiddle(text string) string {
	if len(text) <= between {
		return text
	}
	return keepStart(text, around) + strings.TrimPrefix(keepEnd(text, around), "…")
}

// cut splits text[from:to] into pieces by what is cited and quoted in text.
func cut(text string, from, to int, cited, quoted []stretch) []Piece {
	var pieces []Piece
	for at := from; at < to; {
		end := min(nextEdge(at, to, cited), nextEdge(at, to, quoted))
		pieces = append(pieces, Piece{text[at:end], within(at, cited), within(at, quoted)})
		at = end
	}
	return pieces
}

// nextEdge is the first start or end after at, or to.
func nextEdge(at, to int, stretches []stretch) int {
	for _, s := range stretches {
		if s.start > at {
			to = min(to, s.start)
		}
		if s.end > at {
			to = min(to, s.end)
		}
	}
	return to
}

func within(at int, stretches []stretch) bool {
	for _, s := range stretches {
		if s.start <= at && at < s.end {
			return true
		}
	}
	return false
}
