package slack

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"citebot/internal/chat"
	"citebot/internal/chat/layout"
	"citebot/internal/citations"

	api "github.com/slack-go/slack"
)

// Limits of a message. Where Slack counts a whole, these leave room.
const (
	// https://docs.slack.dev/reference/block-kit/blocks
	maxBlocks = 50
	// https://docs.slack.dev/reference/block-kit/blocks/section-block; rich text has no
	// limit that is told, and keeps to the same in each of its sections.
	sectionChars = 3000
	// https://docs.slack.dev/reference/block-kit/blocks/context-block
	maxContext = 10
	// Slack refuses messages of about 13,000 characters of blocks, and does not say what it
	// counts: some 12,000 of text "with a buffer for block containers"
	// (https://github.com/slackapi/bolt-js/issues/2509), and less than 11,400 in a message
	// of rich text (https://github.com/slackapi/bolt-js/issues/2867). So addresses and
	// elements count here too: see weigh.
	messageWeight = 11000
	// https://docs.slack.dev/reference/methods/chat.update: 4,000.
	textChars = 3500
)

// Our own bounds, of what stands beside an answer.
const (
	quoteChars   = 200 // of a source's quote, where there are few sources
	quotesChars  = 1200
	beside       = 2600 // weight of notice, question, small lines and buttons together
	answerWeight = messageWeight - beside
)

// A message is what one post shows. text is the fallback that notifications and screen
// readers use; it is mrkdwn, escaped, and to be sent with parse=none.
type message struct {
	text   string
	blocks []api.Block
}

// draftMessage is the placeholder of an answer that takes longer.
func draftMessage() message { return message{text: sayLooking} }

// pages sets an answer as messages, nearly always one. person says that there is somebody
// whom "Ask a person" can call from here.
func pages(p chat.Post, person bool) []message {
	if p.Draft {
		return []message{draftMessage()}
	}
	sheets := measure.Paginate(p.Answer)
	out := make([]message, len(sheets))
	for i, s := range sheets {
		out[i].text = fallback(p, s, i)
		out[i].blocks = append(openerBlocks(p, i), sheetBlocks(s)...)
		if i == len(sheets)-1 {
			out[i].blocks = append(out[i].blocks, closingBlocks(p, person)...)
		}
	}
	return out
}

// shareMessage is a private answer shown to the channel, beneath who asked what.
func shareMessage(p chat.Post, person bool) []message {
	p.Via = chat.Share
	return pages(p, person)
}

// plainMessage is a page of an answer without blocks, for when Slack refuses ours. What
// does not fit is left out.
func plainMessage(p chat.Post) message {
	if p.Draft {
		return draftMessage()
	}
	sheets := measure.Paginate(p.Answer)
	i := min(max(p.Page, 0), len(sheets)-1)
	above := escapeFit(strings.Join(openerLines(p, i), "\n"), textChars/2)
	below := ""
	for _, s := range layout.Nearest(p.Answer, linkAddress) {
		below += mrkdwnLink(s.URL, s.Text)
	}
	if len(sheets[i].Statements) > 0 {
		below = sheets[i].Plain(textChars-layout.Chars(above)-1, plainMarkup)
	}
	return message{text: strings.TrimSpace(above + "\n" + below)}
}

// handoffMessage calls a person, a member or a user group. It stands in the thread itself
// (here), or elsewhere and then says who asked and what.
func handoffMessage(p chat.Post, person string, here bool) message {
	call := strings.TrimSpace(mentionOf(person) + " can you help?")
	if here {
		return handoff(call+" Someone in this thread would like to ask a person.", "")
	}
	asker := cmp.Or(mentionOf(p.User), "Someone")
	question := layout.Shorten(strings.TrimSpace(citations.Clean(p.Question)), sectionChars)
	return handoff(call+" "+asker+" would like to ask a person.", question)
}

func handoff(text, question string) message {
	m := message{text: text, blocks: []api.Block{api.NewSectionBlock(mrkdwnObject(text), nil, nil)}}
	if question != "" {
		quote := &api.RichTextQuote{Type: api.RTEQuote, Elements: richElements([]layout.Span{{Text: question}})}
		m.text += "\n" + escapeFit(question, textChars-layout.Chars(text)-1)
		m.blocks = append(m.blocks, api.NewRichTextBlock("", quote))
	}
	return m
}

var memberPattern, groupPattern = regexp.MustCompile(`^[UW][A-Z0-9]+$`), regexp.MustCompile(`^S[A-Z0-9]+$`)

// mentionOf is the only place that writes one.
func mentionOf(id string) string {
	switch {
	case memberPattern.MatchString(id):
		return "<@" + id + ">"
	case groupPattern.MatchString(id):
		return "<!subteam^" + id + ">"
	}
	return ""
}

// openerLines is what stands above a page's part of the answer, as lines.
func openerLines(p chat.Post, page int) []string {
	if page > 0 {
		return []string{layout.SayContinued}
	}
	var lines []string
	if a := askedSpans(p); len(a) > 0 {
		lines = append(lines, a[0].Text+a[1].Text)
	}
	if n := layout.Notice(p.Answer); n != "" {
		lines = append(lines, n)
	}
	return lines
}

// askedSpans says what was asked, where that stands nowhere else: a command leaves no trace.
func askedSpans(p chat.Post) []layout.Span {
	if p.Via != chat.Command && p.Via != chat.Share {
		return nil
	}
	return layout.Asked(p.Question, p.Name, p.Via == chat.Command)
}

// openerBlocks is openerLines as blocks, and what only blocks show.
func openerBlocks(p chat.Post, page int) []api.Block {
	if page > 0 {
		return []api.Block{contextLine(layout.SayContinued)}
	}
	var blocks []api.Block
	if p.Again {
		blocks = append(blocks, contextLine(layout.SayAgain))
	}
	if a := askedSpans(p); len(a) > 0 {
		blocks = append(blocks, richLine(a...))
	}
	if n := layout.Notice(p.Answer); n != "" {
		blocks = append(blocks, richLine(layout.Span{Text: n}))
	}
	if n := layout.Nearest(p.Answer, linkAddress); len(n) > 0 {
		blocks = append(blocks, richLine(n...))
	}
	return blocks
}

// closingBlocks is what stands beneath an answer's last page.
func closingBlocks(p chat.Post, person bool) []api.Block {
	var blocks []api.Block
	if len(p.Answer.Degraded) > 0 {
		blocks = append(blocks, contextLine(layout.SayDegraded))
	}
	turn := strconv.FormatInt(p.Turn, 10)
	if len(p.Answer.Parts) > 0 {
		blocks = append(blocks, feedbackButtons(turn))
	}
	var buttons []api.BlockElement
	if person {
		buttons = append(buttons, personButton(p, turn))
	}
	if p.Via == chat.Command && !direct(p.Channel, "") {
		buttons = append(buttons, api.NewButtonBlockElement(actionShare, turn, plainObject("Share in channel")))
	}
	if len(buttons) > 0 {
		blocks = append(blocks, api.NewActionBlock("", buttons...))
	}
	return blocks
}

// personButton asks back where the question was private: others are about to see it.
func personButton(p chat.Post, turn string) *api.ButtonBlockElement {
	button := api.NewButtonBlockElement(actionPerson, turn, plainObject("Ask a person"))
	if p.Via == chat.Command || direct(p.Channel, "") {
		button.WithConfirm(api.NewConfirmationBlockObject(plainObject("Ask a person?"),
			plainObject("Your question will be shown, with your name, in the channel where people help."),
			plainObject("Ask"), plainObject("Cancel")))
	}
	return button
}

// feedbackButtons is the pair of buttons that judge an answer.
// https://docs.slack.dev/reference/block-kit/block-elements/feedback-buttons-element
func feedbackButtons(turn string) api.Block {
	good := api.NewFeedbackButton(plainObject("Helpful"), valueGood+turn).
		WithAccessibilityLabel("This answer was helpful")
	bad := api.NewFeedbackButton(plainObject("Not right"), valueBad+turn).
		WithAccessibilityLabel("This answer was not right; opens a form to say why")
	return api.NewContextActionsBlock("", api.NewFeedbackButtonsBlockElement(actionFeedback, good, bad))
}

// noteLine is a footnote in one line of mrkdwn, with at most quote characters of its words.
func noteLine(f layout.Footnote, quote int) string {
	line := layout.Mark(f.N) + " " + mrkdwnLink(f.URL, f.Label)
	if quote > 0 && f.Quote != "" {
		line += " “" + escape(layout.Shorten(f.Quote, quote)) + "”"
	}
	if f.Day != "" {
		line += " · updated " + f.Day
	}
	return line
}

// sheetBlocks are what a sheet shows, its sources last.
func sheetBlocks(s layout.Sheet) []api.Block {
	out := richText(s.Statements)
	for some := range slices.Chunk(s.Notes, maxContext) {
		var lines []api.MixedElement
		for _, f := range some {
			lines = append(lines, mrkdwnObject(noteLine(f, s.Quote)))
		}
		out = append(out, api.NewContextBlock("", lines...))
	}
	return out
}

// fallback is a page as text.
func fallback(p chat.Post, s layout.Sheet, page int) string {
	lines := openerLines(p, page)
	if len(s.Statements) > 0 {
		lines = append(lines, s.Reading())
	}
	return escapeFit(strings.Join(lines, "\n"), textChars)
}

// richText sets statements: items as lists, the others as paragraphs, two of which never
// stand in one block.
func richText(all []layout.Statement) []api.Block {
	var out []api.Block
	var block *api.RichTextBlock
	after := layout.Item
	for len(all) > 0 {
		n := together(all)
		if block == nil || after != layout.Item && all[0].Kind != layout.Item {
			block = api.NewRichTextBlock("")
			out = append(out, block)
		}
		if all[0].Kind == layout.Item {
			block.Elements = append(block.Elements, bulletList(all[:n]))
		} else {
			block.Elements = append(block.Elements, richParagraph(all[:n]))
		}
		after, all = all[0].Kind, all[n:]
	}
	return out
}

// together is how many of the first statements make one list or one paragraph.
func together(all []layout.Statement) int {
	item, total := all[0].Kind == layout.Item, 0
	for n, s := range all {
		total += len("\n") + layout.Chars(s.Text())
		if (s.Kind == layout.Item) != item || !item && n > 0 && total > sectionChars {
			return n
		}
	}
	return len(all)
}

func bulletList(items []layout.Statement) api.RichTextElement {
	out := api.NewRichTextList(api.RTEListBullet, 0)
	for _, s := range items {
		out.Elements = append(out.Elements, api.NewRichTextSection(richElements(s.Spans)...))
	}
	return out
}

func richParagraph(some []layout.Statement) api.RichTextElement {
	var spans []layout.Span
	for i, s := range some {
		spans = append(spans, layout.Span{Text: layout.Separator(some[:i], s)})
		spans = append(spans, s.Spans...)
	}
	return api.NewRichTextSection(richElements(spans)...)
}

func contextLine(s string) api.Block { return api.NewContextBlock("", mrkdwnObject(escape(s))) }

func richLine(spans ...layout.Span) api.Block {
	return api.NewRichTextBlock("", api.NewRichTextSection(richElements(spans)...))
}

// richElements are spans as Slack has them, neighbours that look alike as one.
func richElements(spans []layout.Span) []api.RichTextSectionElement {
	var out []api.RichTextSectionElement
	var last *api.RichTextSectionTextElement
	bold := false
	for _, s := range spans {
		switch {
		case s.Text == "":
		case s.URL != "":
			out, last = append(out, api.NewRichTextSectionLinkElement(s.URL, s.Text, nil)), nil
		case last != nil && s.Bold == bold:
			last.Text += s.Text
		default:
			last, bold = api.NewRichTextSectionTextElement(s.Text, textStyle(s)), s.Bold
			out = append(out, last)
		}
	}
	return out
}

func textStyle(s layout.Span) *api.RichTextSectionTextStyle {
	if !s.Bold {
		return nil
	}
	return &api.RichTextSectionTextStyle{Bold: true}
}
