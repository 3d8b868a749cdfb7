package discordtest

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Limits of a message. https://discord.com/developers/docs/resources/message#create-message,
// of its embeds https://discord.com/developers/docs/resources/message#embed-object-embed-limits,
// of components https://discord.com/developers/docs/components/reference
const (
	maxContent          = 2000
	maxNonce            = 25
	maxEmbeds           = 10
	maxEmbedTitle       = 256
	maxEmbedDescription = 4096
	maxFields           = 25
	maxFieldName        = 256
	maxFieldValue       = 1024
	maxFooter           = 2048
	maxAuthor           = 256
	maxEmbedSum         = 6000 // of all embeds
	maxRows             = 5
	maxButtons          = 5
	maxCustomID         = 100
	maxLabel            = 80
)

// A manner is how a message is sent.
type manner struct {
	flags   int64  // that it has or will have
	allowed int64  // that may be set
	is      string // "message", "edit"
}

// message checks what all ways to send or edit a message have in common.
func (k *checker) message(o map[string]any, how manner) {
	k.flags(number(o["flags"]), how.allowed)
	k.most("content", text(o["content"]), maxContent)
	k.embeds(objects(o["embeds"]))
	k.components(objects(o["components"]))
	k.allowedMentions(o)
	if _, given := o["content"]; how.is == "message" || given {
		k.notEmpty(o, how)
	}
	k.written(o, how)
}

func (k *checker) flags(flags, allowed int64) {
	if flags&ComponentsV2 != 0 {
		k.say("flags ask for components V2, which cannot be taken back, beside classic content")
	}
	if wrong := flags &^ allowed &^ ComponentsV2; wrong != 0 {
		k.say("flags %b are not allowed here", wrong)
	}
}

// notEmpty refuses what shows nothing. An edit may leave the content empty where embeds stay.
func (k *checker) notEmpty(o map[string]any, how manner) {
	empty := strings.TrimSpace(text(o["content"])) == "" && len(list(o["embeds"])) == 0 && len(list(o["components"])) == 0
	if !empty || how.is == "edit" {
		return
	}
	k.say("the message is empty")
	if k.refusal.status == 0 {
		k.refusal = no(400, 50006).no
	}
}

func (k *checker) embeds(all []map[string]any) {
	if len(all) > maxEmbeds {
		k.refuse("embeds", "%d of them, the limit is %d", len(all), maxEmbeds)
	}
	sum := 0
	for n, e := range all {
		sum += k.embed(fmt.Sprintf("embeds[%d]", n), e)
	}
	if sum > maxEmbedSum {
		k.refuse("embeds", "%d characters in all, the limit is %d", sum, maxEmbedSum)
	}
}

// embed checks one, and says how many characters count.
func (k *checker) embed(at string, e map[string]any) (sum int) {
	part := func(name, value string, limit int) {
		k.most(at+"."+name, value, limit)
		sum += len(utf16.Encode([]rune(value)))
	}
	part("title", text(e["title"]), maxEmbedTitle)
	part("description", text(e["description"]), maxEmbedDescription)
	part("footer", text(object(e["footer"])["text"]), maxFooter)
	part("author", text(object(e["author"])["name"]), maxAuthor)
	fields := objects(e["fields"])
	if len(fields) > maxFields {
		k.refuse(at+".fields", "%d of them, the limit is %d", len(fields), maxFields)
	}
	for n, f := range fields {
		if text(f["name"]) == "" || text(f["value"]) == "" {
			k.refuse(fmt.Sprintf("%s.fields[%d]", at, n), "has no name or no value")
		}
		part(fmt.Sprintf("fields[%d].name", n), text(f["name"]), maxFieldName)
		part(fmt.Sprintf("fields[%d].value", n), text(f["value"]), maxFieldValue)
	}
	if sum == 0 {
		k.refuse(at, "is empty")
	}
	return sum
}

func (k *checker) components(rows []map[string]any) {
	if len(rows) > maxRows {
		k.refuse("components", "%d rows, the limit is %d", len(rows), maxRows)
	}
	seen := map[string]bool{}
	for n, row := range rows {
		at := fmt.Sprintf("components[%d]", n)
		within := objects(row["components"])
		if number(row["type"]) != 1 {
			k.refuse(at, "type %d where rows are expected", number(row["type"]))
		}
		if len(within) < 1 || len(within) > maxButtons {
			k.refuse(at, "%d components, there must be 1 to %d", len(within), maxButtons)
		}
		for i, b := range within {
			k.pressed(fmt.Sprintf("%s.components[%d]", at, i), b, seen)
		}
	}
}

// The style of a button that is a link.
const linkStyle = 5

func (k *checker) pressed(at string, b map[string]any, seen map[string]bool) {
	id, url, isLink := text(b["custom_id"]), text(b["url"]), number(b["type"]) == 2 && number(b["style"]) == linkStyle
	k.most(at+".custom_id", id, maxCustomID)
	k.most(at+".label", text(b["label"]), maxLabel)
	switch {
	case isLink && (url == "" || id != ""), !isLink && id == "", !isLink && url != "":
		k.refuse(at, "a link has a url and no custom_id, anything else a custom_id and no url")
	case seen[id] && id != "":
		k.refuse(at, "the custom_id %q comes twice", id)
	case number(b["type"]) == 2 && text(b["label"]) == "" && b["emoji"] == nil:
		k.refuse(at, "a button without label and emoji")
	}
	if isLink {
		k.link(at, url)
	}
	seen[id] = true
}

// allowedMentions wants it said that nobody is called but whom the test allows.
// https://discord.com/developers/docs/resources/message#allowed-mentions-object
func (k *checker) allowedMentions(o map[string]any) {
	allowed := object(o["allowed_mentions"])
	if allowed == nil {
		k.say("no allowed_mentions: everybody named in the text would be called")
		return
	}
	parse, given := allowed["parse"].([]any)
	if !given || len(parse) > 0 {
		k.say("allowed_mentions.parse is not the empty list but %s", encode(allowed["parse"]))
	}
	for _, id := range append(texts(allowed["users"]), texts(allowed["roles"])...) {
		if !slices.Contains(k.AllowMention, id) {
			k.say("allowed_mentions lets %s be called", id)
		}
	}
	if truth(allowed["replied_user"]) {
		k.say("allowed_mentions.replied_user calls who is answered")
	}
}

// written checks what the markup of the texts does.
func (k *checker) written(o map[string]any, how manner) {
	m := Message{Content: text(o["content"]), Embeds: objects(o["embeds"])}
	for _, t := range m.texts() {
		for _, f := range t.formats() {
			k.format(t.where, f, how.flags)
		}
	}
	for n, e := range m.Embeds {
		for _, u := range []string{text(e["url"]), text(object(e["author"])["url"])} {
			if u != "" {
				k.link(fmt.Sprintf("embeds[%d]", n), u)
			}
		}
	}
}

func (k *checker) format(where string, f Format, flags int64) {
	switch f.Kind {
	case UserMention, RoleMention, Everyone:
		if !slices.Contains(k.AllowMention, f.Text) {
			k.say("%s mentions %q", where, f.Text)
		}
	case Address:
		k.say("%s has the address %q, which is made a link", where, f.Text)
	case Link, URL:
		k.link(where, f.URL)
		if where == "content" && !f.Quiet && flags&SuppressEmbeds == 0 {
			k.say("%s: the link %q is not in <>, so that it has a preview", where, f.URL)
		}
	}
	if f.Kind == Link && strings.Contains(f.Text, "://") {
		k.say("%s: the link to %q is labelled as another: %q", where, f.URL, f.Text)
	}
}

func (k *checker) link(where, u string) {
	if !slices.ContainsFunc(k.AllowLinks, func(prefix string) bool { return strings.HasPrefix(u, prefix) }) {
		k.say("%s links to %q", where, u)
	}
}
