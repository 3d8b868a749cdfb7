package discordtest

import (
	"slices"
	"strings"
)

// Plain is what a person reads: the content without markup, masked links as their label,
// then the embeds' words, line by line. List marks stay.
func (m Message) Plain() string {
	var lines []string
	for _, t := range m.texts() {
		lines = append(lines, t.plain(m.nameOf))
	}
	return strings.Join(lines, "\n")
}

// nameOf is how a mention is shown.
func (m Message) nameOf(id string) string { return or(m.names[id], id) }

// A written is one text of a message; raw ones have no markup.
type written struct {
	where string // "content", "embed 1 description", …
	text  string
	raw   bool
}

func (w written) plain(names func(string) string) string {
	if w.raw {
		return w.text
	}
	return plain(read(w.text), names)
}

func (w written) formats() []Format {
	if w.raw {
		return nil
	}
	return formats(w.text)
}

// texts are what a message says, in the order in which it is read.
func (m Message) texts() []written {
	var all []written
	add := func(where, text string, raw bool) {
		if text != "" {
			all = append(all, written{where, text, raw})
		}
	}
	add("content", m.Content, false)
	for n, e := range m.Embeds {
		at := "embed " + string(rune('1'+n)) + " "
		add(at+"author", text(object(e["author"])["name"]), true)
		add(at+"title", text(e["title"]), false)
		add(at+"description", text(e["description"]), false)
		for _, f := range objects(e["fields"]) {
			add(at+"field name", text(f["name"]), false)
			add(at+"field value", text(f["value"]), false)
		}
		add(at+"footer", text(object(e["footer"])["text"]), true)
	}
	return all
}

// Formats lists the markup that takes effect in the content and the embeds: what a renderer
// did not mean must not be among it.
func (m Message) Formats() []Format {
	var all []Format
	for _, t := range m.texts() {
		all = append(all, t.formats()...)
	}
	return all
}

// Links lists where a message leads: links of the content, of the embeds, and of buttons.
func (m Message) Links() []string {
	var all []string
	for _, f := range m.Formats() {
		if f.URL != "" {
			all = append(all, f.URL)
		}
	}
	for _, e := range m.Embeds {
		for _, u := range []string{text(e["url"]), text(object(e["author"])["url"])} {
			if u != "" {
				all = append(all, u)
			}
		}
	}
	for _, b := range m.Buttons() {
		if b.URL != "" {
			all = append(all, b.URL)
		}
	}
	return all
}

// Pinged lists whom the content calls, as far as allowed_mentions lets it: "@everyone",
// "@here", "<@id>", "<@&id>". Discord's servers look for mentions without reading Markdown, so
// a backslash does not stop them. Without allowed_mentions everything calls.
// https://discord.com/developers/docs/resources/message#allowed-mentions-object
func (m Message) Pinged() []string {
	var all []string
	if m.replied != "" && m.pingsReplied() {
		all = append(all, "<@"+m.replied+">")
	}
	for _, found := range callPattern.FindAllString(m.Content, -1) {
		found = strings.Replace(found, "<@!", "<@", 1)
		if m.calls(found) && !slices.Contains(all, found) {
			all = append(all, found)
		}
	}
	return all
}

func (m Message) calls(who string) bool {
	if m.allowed == nil {
		return true
	}
	id, parse := strings.Trim(who, "<@&>"), texts(m.allowed["parse"])
	switch {
	case !strings.HasPrefix(who, "<"):
		return slices.Contains(parse, "everyone")
	case strings.HasPrefix(who, "<@&"):
		return slices.Contains(parse, "roles") || slices.Contains(texts(m.allowed["roles"]), id)
	}
	return slices.Contains(parse, "users") || slices.Contains(texts(m.allowed["users"]), id)
}
