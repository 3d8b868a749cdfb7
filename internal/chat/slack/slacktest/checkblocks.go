package slacktest

import (
	"fmt"
	"unicode/utf8"
)

// A surface is where blocks are shown.
type surface int

const (
	inMessage surface = iota
	inModal
	inHome
)

// Limits of Block Kit. https://docs.slack.dev/reference/block-kit/blocks and
// https://docs.slack.dev/reference/block-kit/block-elements
const (
	maxBlocks       = 50
	maxViewBlocks   = 100
	maxSection      = 3000
	maxFields       = 10
	maxField        = 2000
	maxHeader       = 150
	maxContext      = 10
	maxActions      = 25
	maxContextActs  = 5
	maxButton       = 75
	maxValue        = 2000
	maxID           = 255
	maxURL          = 3000
	maxLabel        = 2000
	maxPlaceholder  = 150
	maxOptions      = 100
	maxOption       = 75
	maxOptionValue  = 150
	maxAlt          = 2000
	maxTitle        = 24
	maxPrivate      = 3000
	maxBlocksText   = 12000 // of all blocks, ours; Slack gives up somewhat later
	slackBlocksText = 13200 // https://github.com/slackapi/bolt-js/issues/2509
)

// code is the error that Slack answers of bad blocks on a surface.
func (sf surface) code() string {
	if sf == inMessage {
		return "invalid_blocks"
	}
	return "invalid_arguments"
}

// blocks checks blocks, their text and their links.
func (k *checker) blocks(blocks []map[string]any, sf surface) {
	limit := maxViewBlocks
	if sf == inMessage {
		limit = maxBlocks
	}
	if len(blocks) > limit {
		k.refuse(sf.code(), "%d blocks, the limit is %d", len(blocks), limit)
	}
	for i, b := range blocks {
		k.block(fmt.Sprintf("blocks[%d]", i), b, sf)
	}
	k.unique(blocks, sf)
	k.pieces(blocks, sf)
}

// pieces checks what the blocks say, and how much it is together.
func (k *checker) pieces(blocks []map[string]any, sf surface) {
	sum := 0
	for _, p := range pieces(blocks) {
		sum += utf8.RuneCountInString(p.text)
		k.piece(p)
	}
	switch {
	case sf != inMessage || sum <= maxBlocksText:
	case sum > slackBlocksText:
		k.refuse("msg_blocks_too_long", "the blocks' text has %d characters, the limit is %d", sum, maxBlocksText)
	default:
		k.say("the blocks' text has %d characters, the limit is %d", sum, maxBlocksText)
	}
}

func (k *checker) unique(blocks []map[string]any, sf surface) {
	ids, actions := map[string]bool{}, map[string]bool{}
	for _, b := range blocks {
		if id := text(b["block_id"]); id != "" && ids[id] {
			k.refuse(sf.code(), "block_id %q is there twice", id)
		}
		ids[text(b["block_id"])] = true
		own := map[string]bool{}
		for _, e := range elements([]map[string]any{b}) {
			switch {
			case own[e.ActionID]:
				k.refuse(sf.code(), "action_id %q is twice in a block", e.ActionID)
			case actions[e.ActionID]:
				k.say("action_id %q is there twice", e.ActionID)
			}
			own[e.ActionID], actions[e.ActionID] = true, true
		}
	}
}

func (k *checker) block(where string, b map[string]any, sf surface) {
	k.most(sf.code(), where+".block_id", text(b["block_id"]), maxID)
	switch kind := text(b["type"]); kind {
	case "section":
		k.section(where, b, sf)
	case "header":
		k.textObject(where+".text", b["text"], maxHeader, "plain_text", sf)
	case "context":
		k.count(where, b, maxContext, sf)
		k.contextElements(where, b, sf)
	case "actions":
		k.count(where, b, maxActions, sf)
		k.elements(where, b, sf)
	case "context_actions":
		k.onlyIn(where, kind, sf, inMessage)
		k.count(where, b, maxContextActs, sf)
		k.elements(where, b, sf)
	case "markdown":
		k.onlyIn(where, kind, sf, inMessage)
		k.most(sf.code(), where+".text", text(b["text"]), maxMarkdown)
		k.filled(where+".text", text(b["text"]), sf)
	case "input":
		k.textObject(where+".label", b["label"], maxLabel, "plain_text", sf)
		k.element(where+".element", object(b["element"]), sf)
	case "alert":
		k.onlyIn(where, kind, sf, inModal)
	case "image":
		k.image(where, b, sf)
	case "rich_text":
		k.richText(where, b, sf)
	case "divider", "table", "video", "file", "task_card", "plan", "card", "carousel", "call", "container":
	default:
		k.refuse(sf.code(), "%s has the unknown type %q", where, kind)
	}
}

func (k *checker) onlyIn(where, kind string, sf, only surface) {
	if sf != only {
		k.refuse(sf.code(), "%s: there is no %s block on this surface", where, kind)
	}
}

func (k *checker) filled(where, value string, sf surface) {
	if value == "" {
		k.refuse(sf.code(), "%s is empty", where)
	}
}

// count checks how many elements a block has.
func (k *checker) count(where string, b map[string]any, limit int, sf surface) {
	n := len(list(b["elements"]))
	if n == 0 || n > limit {
		k.refuse(sf.code(), "%s (%s) has %d elements, there must be 1 to %d", where, text(b["type"]), n, limit)
	}
}

func (k *checker) section(where string, b map[string]any, sf surface) {
	fields := list(b["fields"])
	if b["text"] == nil && len(fields) == 0 {
		k.refuse(sf.code(), "%s has neither text nor fields", where)
	}
	if b["text"] != nil {
		k.textObject(where+".text", b["text"], maxSection, "", sf)
	}
	if len(fields) > maxFields {
		k.refuse(sf.code(), "%s has %d fields, the limit is %d", where, len(fields), maxFields)
	}
	for i, f := range fields {
		k.textObject(fmt.Sprintf("%s.fields[%d]", where, i), f, maxField, "", sf)
	}
	if b["accessory"] != nil {
		k.element(where+".accessory", object(b["accessory"]), sf)
	}
}

// textObject checks a text object; kind "" takes both kinds.
// https://docs.slack.dev/reference/block-kit/composition-objects/text-object
func (k *checker) textObject(where string, v any, limit int, kind string, sf surface) {
	o := object(v)
	is := text(o["type"])
	if is != "plain_text" && is != "mrkdwn" || kind != "" && is != kind {
		k.refuse(sf.code(), "%s has the type %q", where, is)
	}
	k.filled(where, text(o["text"]), sf)
	k.most(sf.code(), where, text(o["text"]), limit)
}

func (k *checker) contextElements(where string, b map[string]any, sf surface) {
	for i, e := range objects(b["elements"]) {
		at := fmt.Sprintf("%s.elements[%d]", where, i)
		if text(e["type"]) == "image" {
			k.image(at, e, sf)
			continue
		}
		k.textObject(at, e, maxSection, "", sf)
	}
}

func (k *checker) image(where string, b map[string]any, sf surface) {
	k.filled(where+".alt_text", text(b["alt_text"]), sf)
	k.most(sf.code(), where+".alt_text", text(b["alt_text"]), maxAlt)
	k.most(sf.code(), where+".image_url", text(b["image_url"]), maxURL)
}

func (k *checker) elements(where string, b map[string]any, sf surface) {
	for i, e := range objects(b["elements"]) {
		k.element(fmt.Sprintf("%s.elements[%d]", where, i), e, sf)
	}
}

// element checks what can be pressed or filled in.
func (k *checker) element(where string, e map[string]any, sf surface) {
	k.most(sf.code(), where+".action_id", text(e["action_id"]), maxID)
	switch kind := text(e["type"]); kind {
	case "button":
		k.button(where, e, sf)
	case "feedback_buttons":
		for _, side := range []string{"positive_button", "negative_button"} {
			k.button(where+"."+side, object(e[side]), sf)
		}
	case "icon_button":
		k.filled(where+".icon", text(e["icon"]), sf)
		k.button(where, e, sf)
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		k.placeholder(where, e, sf)
	case "static_select", "multi_static_select", "radio_buttons", "checkboxes", "overflow":
		k.placeholder(where, e, sf)
		k.options(where, e, sf)
	case "image":
		k.image(where, e, sf)
	case "users_select", "conversations_select", "channels_select", "external_select", "datepicker", "timepicker",
		"datetimepicker", "rich_text_input", "file_input", "workflow_button", "multi_users_select",
		"multi_conversations_select", "multi_channels_select", "multi_external_select":
	default:
		k.refuse(sf.code(), "%s has the unknown type %q", where, kind)
	}
}

func (k *checker) button(where string, e map[string]any, sf surface) {
	k.textObject(where+".text", e["text"], maxButton, "plain_text", sf)
	k.most(sf.code(), where+".value", text(e["value"]), maxValue)
	k.most(sf.code(), where+".url", text(e["url"]), maxURL)
	k.most(sf.code(), where+".accessibility_label", text(e["accessibility_label"]), maxButton)
	if style := text(e["style"]); style != "" && style != "primary" && style != "danger" {
		k.refuse(sf.code(), "%s has the style %q", where, style)
	}
}

func (k *checker) placeholder(where string, e map[string]any, sf surface) {
	if e["placeholder"] != nil {
		k.textObject(where+".placeholder", e["placeholder"], maxPlaceholder, "plain_text", sf)
	}
}

func (k *checker) options(where string, e map[string]any, sf surface) {
	options := objects(e["options"])
	if len(options) > maxOptions {
		k.refuse(sf.code(), "%s has %d options, the limit is %d", where, len(options), maxOptions)
	}
	for i, o := range options {
		at := fmt.Sprintf("%s.options[%d]", where, i)
		k.textObject(at+".text", o["text"], maxOption, "", sf)
		k.most(sf.code(), at+".value", text(o["value"]), maxOptionValue)
	}
}

// richText checks the shape; what it says is checked with the pieces.
// https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
func (k *checker) richText(where string, b map[string]any, sf surface) {
	for i, part := range objects(b["elements"]) {
		switch kind := text(part["type"]); kind {
		case "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted":
		default:
			k.refuse(sf.code(), "%s.elements[%d] has the unknown type %q", where, i, kind)
		}
	}
}

// viewCall checks views.open and views.publish.
func (k *checker) viewCall(c *call) {
	v, err := c.json("view")
	if err != nil {
		k.refuse("invalid_arguments", "%v", err)
		return
	}
	k.view(v)
}

// view checks a modal or a home tab. https://docs.slack.dev/reference/views
func (k *checker) view(v any) {
	o := object(v)
	k.most("invalid_arguments", "private_metadata", text(o["private_metadata"]), maxPrivate)
	k.most("invalid_arguments", "callback_id", text(o["callback_id"]), maxID)
	sf := inHome
	switch kind := text(o["type"]); kind {
	case "home":
	case "modal":
		sf = inModal
		k.modal(o)
	default:
		k.refuse("invalid_arguments", "the view has the type %q", kind)
	}
	k.blocks(objects(o["blocks"]), sf)
}

func (k *checker) modal(o map[string]any) {
	k.textObject("title", o["title"], maxTitle, "plain_text", inModal)
	inputs := false
	for _, b := range objects(o["blocks"]) {
		inputs = inputs || text(b["type"]) == "input"
	}
	if inputs && o["submit"] == nil {
		k.refuse("invalid_arguments", "a modal with inputs needs a submit button")
	}
	for _, name := range []string{"submit", "close"} {
		if o[name] != nil {
			k.textObject(name, o[name], maxTitle, "plain_text", inModal)
		}
	}
}
