package parse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// TestHiddenTextProperty compares with x/net/html's tree, which is built as browsers
// build theirs: in any soup of tags, no word that the tree has below a hidden element
// becomes text, and without tables every other word does. <th> is not in the soup since
// x/net 0.62 forgets that it ends a caption.
func TestHiddenTextProperty(t *testing.T) {
	tags := strings.Fields(`<div> </div> <div_hidden> <section> </section> <section_hidden> <p> </p> <p_hidden>
		<ul> </ul> <li> <li_hidden> </li> <dl> </dl> <dt> <dd> <dd_hidden> <h2> </h2> <h3_hidden> </h3>
		<table> </table> <tr> <tr_hidden> </tr> <td> <td_hidden> </td> <thead> <tbody> <tbody_hidden> <caption> </caption>
		<span> </span> <span_hidden> <blockquote> </blockquote> <pre> </pre> <br> <hr> <nav> </nav> <footer> </footer>
		<details> </details> <details_hidden>`)
	rapid.Check(t, func(t *rapid.T) {
		var page strings.Builder
		page.WriteString("<body>shown ")
		for i, tag := range rapid.SliceOfN(rapid.SampledFrom(tags), 1, 40).Draw(t, "tags") {
			fmt.Fprintf(&page, "%s w%d ", strings.ReplaceAll(tag, "_", " "), i)
		}
		covered, seen := treeWords(t, page.String())
		doc, err := Parse(context.Background(), "x.html", []byte(page.String()))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(blockText(doc))
		for _, word := range covered {
			if slices.Contains(got, word) {
				t.Fatalf("%s: hidden %s is shown: %v", page.String(), word, got)
			}
		}
		if strings.Contains(page.String(), "<table>") {
			return // browsers move stray text out of tables, and so out of hidden rows
		}
		for _, word := range seen {
			if !slices.Contains(got, word) {
				t.Fatalf("%s: %s is not shown: %v", page.String(), word, got)
			}
		}
	})
}

// treeWords returns the words of the page that stand below an element that hides them,
// and the others.
func treeWords(t *rapid.T, page string) (covered, seen []string) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.TextNode {
			continue
		}
		under := false
		for a := range n.Ancestors() {
			isHidden := slices.ContainsFunc(a.Attr, func(a html.Attribute) bool { return a.Key == "hidden" })
			under = under || isHidden || a.Data == "nav" || a.Data == "footer"
		}
		if under {
			covered = append(covered, strings.Fields(n.Data)...)
		} else {
			seen = append(seen, strings.Fields(n.Data)...)
		}
	}
	return covered, seen
}
