package parse

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"citebot/internal/kb"
)

const (
	maxBlocks   = 250_000 // 80 bytes of a file of MaxBytes each
	maxWarnings = 100
)

// A draft is a document while its reader fills it.
type draft struct {
	kb.Document
	regions []region // of each block
	full    bool     // there were more than maxBlocks
}

// A region is the part of a page that a block stands in.
type region uint8

const (
	inMain region = 1 << iota
	inArticle
)

func newDraft(path string) *draft {
	return &draft{Document: kb.Document{Path: path}}
}

func (d *draft) add(b kb.Block, r region) {
	switch {
	case b.Text == "":
	case len(d.Blocks) == maxBlocks:
		d.full = true
	default:
		d.Blocks = append(d.Blocks, b)
		d.regions = append(d.regions, r)
	}
}

// check says whether reading is worth going on with.
func (d *draft) check(ctx context.Context) error {
	if d.full {
		return broken(0, "the file has more than %d paragraphs, items and rows: split it", maxBlocks)
	}
	return ctx.Err()
}

func (d *draft) truncate(n int) {
	d.Blocks, d.regions = d.Blocks[:n], d.regions[:n]
}

func (d *draft) warn(line int, format string, args ...any) {
	if len(d.Warnings) < maxWarnings {
		d.Warnings = append(d.Warnings, kb.Warning{Line: line, Text: fmt.Sprintf(format, args...)})
	}
}

// finish checks the draft and completes what needs all of it.
func (d *draft) finish() (kb.Document, error) {
	d.keep(d.mainRegion())
	if len(d.Blocks) == 0 {
		return kb.Document{}, broken(0, "the file holds no text that a reader would see")
	}
	anchors := slugs{}
	for i := range d.Blocks {
		if b := &d.Blocks[i]; b.Kind == kb.Heading {
			b.Anchor = anchors.add(b.Text)
		}
	}
	d.Title = cmp.Or(d.Title, d.firstHeading(), titleFromPath(d.Path))
	slices.SortStableFunc(d.Warnings, func(a, b kb.Warning) int { return cmp.Compare(a.Line, b.Line) })
	return d.Document, nil
}

// mainRegion chooses what of the page is kept. <main> holds the content where a page
// has one; a page may also put everything but a teaser outside of <article>, so that
// counts only when it holds half of the text.
func (d *draft) mainRegion() region {
	var all, main, article int
	for i, b := range d.Blocks {
		all += len(b.Text)
		if d.regions[i]&inMain != 0 {
			main += len(b.Text)
		}
		if d.regions[i]&inArticle != 0 {
			article += len(b.Text)
		}
	}
	switch {
	case main*10 > all:
		return inMain
	case article*2 > all:
		return inArticle
	}
	return 0
}

func (d *draft) keep(r region) {
	if r == 0 {
		return
	}
	kept := d.Blocks[:0]
	for i, b := range d.Blocks {
		if d.regions[i]&r != 0 {
			kept = append(kept, b)
		}
	}
	d.Blocks = kept
}

func (d *draft) firstHeading() string {
	i := slices.IndexFunc(d.Blocks, func(b kb.Block) bool { return b.Kind == kb.Heading })
	if i < 0 {
		return ""
	}
	return d.Blocks[i].Text
}

// titleFromPath makes words of a file's name, or of its folder's when the name says
// nothing: "policies/late-fees.md" and "late-fees/index.md" are both "Late fees".
func titleFromPath(p string) string {
	name := strings.TrimSuffix(path.Base(p), path.Ext(p))
	if lower := strings.ToLower(name); (lower == "index" || lower == "readme") && path.Dir(p) != "." {
		name = path.Base(path.Dir(p))
	}
	words := strings.FieldsFunc(clean(name), func(r rune) bool { return strings.ContainsRune("-_. ", r) })
	if len(words) == 0 {
		return name
	}
	first := []rune(words[0])
	first[0] = unicode.ToUpper(first[0])
	words[0] = string(first)
	return strings.Join(words, " ")
}

// slugs are the anchors given so far, with the number that the next of the same name
// gets.
type slugs map[string]int

// add returns the anchor that GitHub gives a heading of this text; where GitHub has
// none, "section".
func (s slugs) add(heading string) string {
	base := slug(heading)
	n, taken := s[base]
	if !taken {
		s[base] = 1
		return base
	}
	for ; ; n++ {
		anchor := base + "-" + strconv.Itoa(n)
		if _, taken := s[anchor]; !taken {
			s[base], s[anchor] = n+1, 1
			return anchor
		}
	}
}

const maxSlug = 100 // runes

// slug follows https://github.com/gjtorikian/html-pipeline, toc_filter.rb: lower case,
// letters, marks, digits, "_" and "-" stay, a space becomes "-".
func slug(heading string) string {
	var b strings.Builder
	runes := 0
	for _, r := range heading {
		if runes == maxSlug {
			break
		}
		switch {
		case r == ' ':
			r = '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r):
			r = unicode.ToLower(r)
		default:
			continue
		}
		b.WriteRune(r)
		runes++
	}
	return cmp.Or(strings.Trim(b.String(), "-"), "section")
}
