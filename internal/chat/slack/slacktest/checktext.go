package slacktest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	gmtext "github.com/yuin/goldmark/text"
)

// A piece is one text in blocks, and what Slack takes it for.
type piece struct {
	kind string // "mrkdwn", "markdown", "link" (text is the label), "mention" (text is the id), "plain"
	text string
	url  string // of a link
}

// links lists the URLs that a piece links to.
func (p piece) links() []string {
	switch p.kind {
	case "mrkdwn":
		return mrkdwnLinks(p.text)
	case "markdown":
		return markdownLinks(p.text)
	case "link":
		return []string{p.url}
	}
	return nil
}

// pieces takes blocks apart, in order.
func pieces(v any) []piece {
	switch v := v.(type) {
	case []map[string]any:
		return collect(v)
	case []any:
		return collect(v)
	case map[string]any:
		return objectPieces(v)
	}
	return nil
}

func collect[T any](values []T) []piece {
	var all []piece
	for _, e := range values {
		all = append(all, pieces(e)...)
	}
	return all
}

func objectPieces(o map[string]any) []piece {
	switch kind := text(o["type"]); kind {
	case "mrkdwn", "markdown":
		return []piece{{kind: kind, text: text(o["text"])}}
	case "link", "citation":
		return []piece{{kind: "link", text: text(o["text"]), url: text(o["url"])}}
	case "user":
		return []piece{{kind: "mention", text: text(o["user_id"])}}
	case "usergroup":
		return []piece{{kind: "mention", text: text(o["usergroup_id"])}}
	case "broadcast":
		return []piece{{kind: "mention", text: "!" + text(o["range"])}}
	case "text", "plain_text", "raw_text":
		return []piece{{kind: "plain", text: text(o["text"])}}
	}
	var all []piece
	if u := text(o["url"]); u != "" && text(o["type"]) == "button" {
		all = append(all, piece{kind: "link", url: u})
	}
	for _, key := range sortedKeys(o) {
		all = append(all, pieces(o[key])...)
	}
	return all
}

func (k *checker) piece(p piece) {
	switch p.kind {
	case "mrkdwn":
		k.mrkdwn("a block's text", p.text)
	case "markdown":
		k.markdown("a markdown block", p.text)
	case "link":
		k.link("a block", p.url)
	case "mention":
		k.mention("a block", p.text)
	}
}

// mrkdwn checks what Slack's markup makes of a text.
// https://docs.slack.dev/messaging/formatting-message-text
func (k *checker) mrkdwn(where, written string) {
	for _, found := range anglePattern.FindAllStringSubmatch(written, -1) {
		target, _, _ := strings.Cut(found[1], "|")
		switch {
		case strings.HasPrefix(target, "!date^") || strings.HasPrefix(target, "#"):
		case strings.HasPrefix(target, "!subteam^"):
			k.mention(where, target[len("!subteam^"):])
		case strings.HasPrefix(target, "@"):
			k.mention(where, target[1:])
		case strings.HasPrefix(target, "!"):
			k.mention(where, target)
		case strings.Contains(target, ":"):
			k.link(where, unescape.Replace(target))
		default:
			k.say("%s has < and > that are not escaped: %q", where, found[0])
		}
	}
}

// rawMention is what in Markdown still calls people, unless its < is escaped.
var rawMention = regexp.MustCompile(`(\\*)<(@|!)([^<>\s|]+)(\|[^<>]*)?>`)

// markdown checks what Slack makes of standard Markdown.
// https://docs.slack.dev/reference/block-kit/blocks/markdown-block
func (k *checker) markdown(where, written string) {
	for _, found := range rawMention.FindAllStringSubmatch(written, -1) {
		if len(found[1])%2 == 1 {
			continue
		}
		id := strings.TrimPrefix(found[3], "subteam^")
		if found[2] == "!" && id == found[3] {
			id = "!" + id
		}
		k.mention(where, id)
	}
	for _, u := range markdownLinks(written) {
		k.link(where, u)
	}
}

// mention allows ids that the test named. Whom "!channel" and the like call is never allowed.
func (k *checker) mention(where, id string) {
	if !slices.Contains(k.AllowMention, id) {
		k.say("%s mentions %q", where, id)
	}
}

func (k *checker) link(where, u string) {
	if !slices.ContainsFunc(k.AllowLinks, func(prefix string) bool { return strings.HasPrefix(u, prefix) }) {
		k.say("%s links to %q", where, u)
	}
}

// markdownLinks lists what Markdown links to: links and images, not what is in code.
func markdownLinks(written string) []string {
	source := []byte(written)
	root := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(gmtext.NewReader(source))
	var urls []string
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the function has no errors
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			urls = append(urls, string(n.Destination))
		case *ast.Image:
			urls = append(urls, string(n.Destination))
		case *ast.AutoLink:
			if u := string(n.URL(source)); !strings.HasPrefix(u, "!") && !strings.HasPrefix(u, "@") {
				urls = append(urls, u)
			}
		}
		return ast.WalkContinue, nil
	})
	return urls
}
