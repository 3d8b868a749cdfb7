package parse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"citebot/internal/kb"
)

func readHTML(ctx context.Context, d *draft, src string) error {
	p := newPage(d, len(src))
	if err := p.feed(ctx, src, 1); err != nil {
		return err
	}
	p.finishPage()
	d.Title = p.title()
	return nil
}

// feed reads HTML whose first line has the number line.
func (p *page) feed(ctx context.Context, src string, line int) error {
	z := html.NewTokenizer(strings.NewReader(src))
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if err := p.check(ctx); err != nil {
				return err
			}
		}
		kind := z.Next()
		raw := z.Raw()
		next := line + bytes.Count(raw, []byte("\n"))
		switch kind {
		case html.ErrorToken:
			return p.endOfInput(z.Err(), raw, line)
		case html.TextToken:
			lines := textLines(raw, line)
			p.write(string(z.Text()), lines)
		case html.StartTagToken, html.SelfClosingTagToken:
			tag, a := p.readTag(z)
			p.start(tag, a, line)
		case html.EndTagToken:
			name, _ := z.TagName()
			p.end(atom.Lookup(name))
		}
		line = next
	}
}

func (p *page) endOfInput(err error, rest []byte, line int) error {
	if !errors.Is(err, io.EOF) {
		return broken(line, "not readable as HTML: %v", err)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		p.warn(line, "a tag that begins here never ends; the text after it was lost")
	}
	return nil
}

// textLines returns the lines of the first and the last character of raw that is no
// white space, where raw begins on line.
func textLines(raw []byte, line int) kb.Lines {
	body := bytes.TrimLeft(raw, " \t\n\f")
	first := line + bytes.Count(raw[:len(raw)-len(body)], []byte("\n"))
	return kb.Lines{first, first + bytes.Count(bytes.TrimRight(body, " \t\n\f"), []byte("\n"))}
}

// readTag returns the tag's name and what is wanted of its attributes, and takes what
// <meta> and <link> say of the document.
func (p *page) readTag(z *html.Tokenizer) (atom.Atom, attrs) {
	name, more := z.TagName()
	tag := atom.Lookup(name)
	var a attrs
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if wanted[string(key)] {
			a = append(a, attr{string(key), string(value)})
		}
	}
	switch tag {
	case atom.Meta:
		p.meta(a)
	case atom.Link:
		if strings.EqualFold(a.get("rel"), "canonical") {
			if href := a.get("href"); p.URL == "" && isWeb(href) {
				p.URL = href
			}
		}
	}
	return tag, a
}

// meta takes <meta name=… content=…>; the link to the published original that staff
// wrote by hand outranks the template's.
func (p *page) meta(a attrs) {
	value := clean(a.get("content"))
	switch strings.ToLower(a.get("name")) {
	case "audience":
		p.Audience = value
	case "owner":
		p.Owner = value
	case "updated":
		p.setUpdated(0, value)
	case "url":
		p.setURL(0, value)
	}
}

// title chooses between <title> and the page's first h1. <title> often carries the
// site's name too ("Returns | Acme"), and the first h1 may be the site's logo: the part
// of <title> that stands as a heading deepest in the page is the page's own name.
func (p *page) title() string {
	head := clean(p.head)
	parts := titleParts(head)
	for _, b := range slices.Backward(p.tops) {
		if slices.ContainsFunc(parts, func(s string) bool { return strings.EqualFold(s, b.Text) }) {
			return b.Text
		}
	}
	i := slices.IndexFunc(p.tops, func(b kb.Block) bool { return b.Level == 1 })
	if i >= 0 && (len(parts) > 1 || generic[strings.ToLower(head)]) {
		return p.tops[i].Text
	}
	if generic[strings.ToLower(head)] {
		return ""
	}
	return head
}

// generic are titles that editors and templates give to pages without one.
var generic = map[string]bool{"": true, "untitled": true, "untitled document": true, "document": true,
	"home": true, "index": true, "new page": true, "page": true}

// titleParts splits a page title at the separators that stand before a site's name.
func titleParts(s string) []string {
	for _, separator := range []string{" | ", " – ", " — ", " - ", " · ", " :: ", " » ", " • "} {
		if strings.Contains(s, separator) {
			return strings.Split(s, separator)
		}
	}
	return []string{s}
}
