package parse

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"
)

// attrs are the attributes of a tag that mean something here, in source order.
type attrs []attr

type attr struct{ key, value string }

func (a attrs) has(key string) bool {
	_, ok := a.find(key)
	return ok
}

func (a attrs) get(key string) string {
	value, _ := a.find(key)
	return value
}

func (a attrs) find(key string) (string, bool) {
	for _, kv := range a {
		if kv.key == key {
			return kv.value, true
		}
	}
	return "", false
}

// number returns the attribute's integer, or otherwise where it has none.
func (a attrs) number(key string, otherwise int) int {
	n, err := strconv.Atoi(strings.TrimSpace(a.get(key)))
	if err != nil || n < 0 || n > 1_000_000 {
		return otherwise
	}
	return n
}

// wanted are the attributes that are kept.
var wanted = map[string]bool{"hidden": true, "aria-hidden": true, "style": true, "role": true, "open": true,
	"alt": true, "name": true, "content": true, "rel": true, "href": true,
	"start": true, "value": true, "type": true, "colspan": true, "rowspan": true,
	"aria-expanded": true, "aria-controls": true}

// traits say how an element's tags are treated.
type traits uint8

const (
	void     traits = 1 << iota // no content and no end tag
	block                       // its tags end a run of text
	boundary                    // https://html.spec.whatwg.org/multipage/parsing.html#has-an-element-in-scope
	keepsP                      // its start tag leaves an open <p> open
	part                        // of a table: means nothing elsewhere
	dropped                     // holds no text of the document
)

// traitsOf lists the elements that have any.
var traitsOf = tagTable(map[traits]string{
	void: `area base br col embed hr img input link meta param source track wbr`,
	block: `address article aside blockquote body caption center dd details dialog dir div
		dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup html
		legend li listing main menu nav ol optgroup option p plaintext pre section select
		summary table tbody td template tfoot th thead title tr ul xmp
		script style noscript svg iframe object canvas audio video button textarea`,
	boundary: `caption html object table td template th svg`,
	keepsP: `body button canvas caption frameset html iframe noscript object optgroup option
		script style svg table tbody td template textarea tfoot th thead title tr audio video select`,
	part: `caption thead tbody tfoot tr td th`,
	dropped: `script style noscript template nav footer svg iframe noframes noembed canvas
		audio video button select textarea datalist progress meter rp`,
})

func tagTable(lists map[traits]string) map[atom.Atom]traits {
	table := map[atom.Atom]traits{}
	for t, names := range lists {
		for name := range strings.FieldsSeq(names) {
			table[atom.Lookup([]byte(name))] |= t
		}
	}
	return table
}

// headingLevel returns 1 to 6 for h1 to h6, else 0.
func headingLevel(tag atom.Atom) int { return 1 + slices.Index(headings, tag) }

var headings = []atom.Atom{atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6}

// A cover says why an element's text is not part of the document.
type cover uint8

const (
	shown  cover = iota
	chrome       // navigation, scripts, controls
	hidden       // a browser would not show it
	struck       // struck out: no longer valid
)

func coverOf(tag atom.Atom, a attrs) cover {
	switch {
	case tag == atom.Button && (a.has("aria-expanded") || a.has("aria-controls")): // the question of an accordion
	case traitsOf[tag]&dropped != 0, a.get("role") == "navigation", a.get("role") == "search":
		return chrome
	case a.has("hidden"), strings.EqualFold(strings.TrimSpace(a.get("aria-hidden")), "true"),
		tag == atom.Dialog && !a.has("open"):
		return hidden
	case tag == atom.Del, tag == atom.S, tag == atom.Strike:
		return struck
	}
	return styleCover(a.get("style"))
}

var cssZero = regexp.MustCompile(`^[+]?0*(?:\.0*)?(?:%|[a-z]+)?$`)

// styleCover reads a style attribute. Rules in style sheets are not seen.
func styleCover(style string) cover {
	if style == "" {
		return shown
	}
	for declaration := range strings.SplitSeq(strings.ToLower(withoutComments(style)), ";") {
		property, value, _ := strings.Cut(declaration, ":")
		value, _, _ = strings.Cut(value, "!")
		if c := declarationCover(strings.TrimSpace(property), strings.TrimSpace(value)); c != shown {
			return c
		}
	}
	return shown
}

func withoutComments(css string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(css, "/*")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, css, _ = strings.Cut(rest, "*/")
	}
}

func declarationCover(property, value string) cover {
	switch property {
	case "display":
		if value == "none" {
			return hidden
		}
	case "visibility":
		if value == "hidden" || value == "collapse" {
			return hidden
		}
	case "opacity", "font-size":
		if value != "" && cssZero.MatchString(value) {
			return hidden
		}
	case "mso-hide": // Word's hidden text, saved as a web page
		if value == "all" {
			return hidden
		}
	case "text-decoration", "text-decoration-line":
		if strings.Contains(value, "line-through") {
			return struck
		}
	}
	return shown
}
