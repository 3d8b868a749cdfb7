package slacktest

import (
	"regexp"
	"strings"
)

// An Element is something in a message or view that can be pressed.
type Element struct {
	Type     string // "button", "feedback_buttons", …
	ActionID string
	BlockID  string
	Text     string
	Value    string
	URL      string
	Positive string // value of the positive feedback button
	Negative string // value of the negative one
}

// Plain is what a person reads: the blocks' text where there are blocks, else the text, with
// entities decoded and links as "label (URL)". Blocks are on lines of their own, buttons in
// brackets.
func (m Message) Plain() string {
	if len(m.Blocks) == 0 {
		return readable(m.Text)
	}
	return plainBlocks(m.Blocks)
}

// Elements lists what can be pressed, in order.
func (m Message) Elements() []Element { return elements(m.Blocks) }

// Element finds what can be pressed by its action_id.
func (m Message) Element(action string) (Element, bool) { return element(m.Blocks, action) }

// Links lists the URLs of all links, in order; of the text only where there are no blocks.
func (m Message) Links() []string {
	if len(m.Blocks) == 0 {
		return mrkdwnLinks(m.Text)
	}
	return linksOf(m.Blocks)
}

// Plain is what a person reads in the view.
func (v View) Plain() string { return plainBlocks(v.Blocks) }

// Elements lists what can be pressed, in order.
func (v View) Elements() []Element { return elements(v.Blocks) }

// Element finds what can be pressed by its action_id.
func (v View) Element(action string) (Element, bool) { return element(v.Blocks, action) }

// Links lists the URLs of all links, in order.
func (v View) Links() []string { return linksOf(v.Blocks) }

func linksOf(blocks []map[string]any) []string {
	var urls []string
	for _, p := range pieces(blocks) {
		urls = append(urls, p.links()...)
	}
	return urls
}

func elements(blocks []map[string]any) []Element {
	var all []Element
	for _, b := range blocks {
		for _, e := range inBlock(b) {
			if _, ok := e["action_id"]; ok {
				all = append(all, newElement(text(b["block_id"]), e))
			}
		}
	}
	return all
}

// inBlock lists the elements that a block holds.
func inBlock(b map[string]any) []map[string]any {
	all := objects(b["elements"])
	for _, key := range []string{"accessory", "element"} {
		if e, ok := b[key].(map[string]any); ok {
			all = append(all, e)
		}
	}
	return all
}

func newElement(block string, e map[string]any) Element {
	return Element{
		Type: text(e["type"]), ActionID: text(e["action_id"]), BlockID: block, Text: textObject(e["text"]),
		Value: text(e["value"]), URL: text(e["url"]),
		Positive: text(object(e["positive_button"])["value"]), Negative: text(object(e["negative_button"])["value"]),
	}
}

func element(blocks []map[string]any, action string) (Element, bool) {
	for _, e := range elements(blocks) {
		if e.ActionID == action {
			return e, true
		}
	}
	return Element{}, false
}

func plainBlocks(blocks []map[string]any) string {
	var lines []string
	for _, b := range blocks {
		if line := strings.TrimRight(plainBlock(b), "\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func plainBlock(b map[string]any) string {
	switch text(b["type"]) {
	case "divider":
		return "---"
	case "rich_text":
		return plainRich(b)
	case "markdown":
		return text(b["text"])
	case "task_card":
		return text(b["title"])
	case "table":
		return plainTable(b)
	case "context":
		return strings.Join(plainElements(b), " ")
	}
	return strings.Join(plainParts(b), "\n")
}

// plainParts are a block's text, fields, title, label and what it holds to press.
func plainParts(b map[string]any) []string {
	var parts []string
	for _, key := range []string{"text", "title", "label"} {
		if t := textObject(b[key]); t != "" {
			parts = append(parts, t)
		}
	}
	for _, field := range objects(b["fields"]) {
		parts = append(parts, textObject(field))
	}
	if pressed := plainElements(b); len(pressed) > 0 {
		parts = append(parts, strings.Join(pressed, " "))
	}
	return parts
}

func plainElements(b map[string]any) []string {
	var all []string
	for _, e := range inBlock(b) {
		switch text(e["type"]) {
		case "mrkdwn", "plain_text":
			all = append(all, textObject(e))
		case "feedback_buttons":
			all = append(all, "["+textObject(object(e["positive_button"])["text"])+"]", "["+textObject(object(e["negative_button"])["text"])+"]")
		case "image":
			all = append(all, "("+text(e["alt_text"])+")")
		default:
			all = append(all, "["+textObject(e["text"])+"]")
		}
	}
	return all
}

func plainTable(b map[string]any) string {
	var rows []string
	for _, row := range list(b["rows"]) {
		var cells []string
		for _, cell := range objects(row) {
			if text(cell["type"]) == "rich_text" {
				cells = append(cells, strings.TrimRight(plainRich(cell), "\n"))
				continue
			}
			cells = append(cells, text(cell["text"]))
		}
		rows = append(rows, strings.Join(cells, " | "))
	}
	return strings.Join(rows, "\n")
}

func plainRich(b map[string]any) string {
	var out strings.Builder
	for _, part := range objects(b["elements"]) {
		prefix := map[string]string{"rich_text_quote": "> ", "rich_text_list": "• "}[text(part["type"])]
		if text(part["type"]) != "rich_text_list" {
			out.WriteString(prefix + plainSpan(part) + "\n")
			continue
		}
		for _, item := range objects(part["elements"]) {
			out.WriteString(prefix + plainSpan(item) + "\n")
		}
	}
	return out.String()
}

func plainSpan(section map[string]any) string {
	var out strings.Builder
	for _, e := range objects(section["elements"]) {
		out.WriteString(plainRun(e))
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func plainRun(e map[string]any) string {
	switch text(e["type"]) {
	case "link", "citation":
		if label := text(e["text"]); label != "" {
			return label + " (" + text(e["url"]) + ")"
		}
		return text(e["url"])
	case "user":
		return "@" + text(e["user_id"])
	case "usergroup":
		return "@" + text(e["usergroup_id"])
	case "broadcast":
		return "@" + text(e["range"])
	case "channel":
		return "#" + text(e["channel_id"])
	case "emoji":
		return ":" + text(e["name"]) + ":"
	}
	return text(e["text"])
}

// textObject is the text of a text object, as a person reads it.
func textObject(v any) string {
	o := object(v)
	if text(o["type"]) == "mrkdwn" {
		return readable(text(o["text"]))
	}
	return text(o["text"])
}

// anglePattern is what Slack's markup has between angle brackets.
// https://docs.slack.dev/messaging/formatting-message-text
var anglePattern = regexp.MustCompile(`<([^<>\n]+)>`)

// readable turns Slack's markup into what a person reads.
func readable(mrkdwn string) string {
	plain := anglePattern.ReplaceAllStringFunc(mrkdwn, func(found string) string {
		target, label, named := strings.Cut(found[1:len(found)-1], "|")
		switch {
		case target == "":
			return found
		case strings.HasPrefix(target, "!subteam^"):
			return "@" + target[len("!subteam^"):]
		case target[0] == '!':
			return "@" + target[1:]
		case target[0] == '@' || target[0] == '#':
			return target
		case named:
			return label + " (" + target + ")"
		}
		return target
	})
	return unescape.Replace(plain)
}

var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

func mrkdwnLinks(mrkdwn string) []string {
	var urls []string
	for _, found := range anglePattern.FindAllStringSubmatch(mrkdwn, -1) {
		target, _, _ := strings.Cut(found[1], "|")
		if target != "" && !strings.ContainsAny(target[:1], "!@#") {
			urls = append(urls, unescape.Replace(target))
		}
	}
	return urls
}
