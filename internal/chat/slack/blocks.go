package slack

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"citebot/internal/chat"
	"citebot/internal/citations"

	api "github.com/slack-go/slack"
)

// What messages say in our own words, beside the notices of package chat.
const (
	sayContinued = "(continued)"
	sayShortened = "(shortened)"
	sayAgain     = "Answered again after your edit."
	sayDegraded  = "For the moment this was found by its words alone, not by its meaning."
	sayNothing   = "There is nothing to show."
	sayNearest   = "Nearest: "
	sayUntitled  = "A document"
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
	// elements count here too: see span.weight.
	messageWeight = 11000
	// https://docs.slack.dev/reference/methods/chat.update: 4,000.
	textChars = 3500
)

// Our own bounds, of what stands beside an answer.
const (
	noticeChars  = 1000
	askedChars   = 600
	nameChars    = 80
	labelChars   = 100
	maxNearest   = 5
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
	sheets := paginate(p.Answer)
	out := make([]message, len(sheets))
	for i, s := range sheets {
		out[i].text = s.fallback(p, i)
		out[i].blocks = append(openerBlocks(p, i), s.blocks()...)
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
	sheets := paginate(p.Answer)
	i := min(max(p.Page, 0), len(sheets)-1)
	above := escapeFit(strings.Join(openerLines(p, i), "\n"), textChars/2)
	below := ""
	for _, s := range nearestSpans(p.Answer) {
		below += mrkdwnLink(s.url, s.text)
	}
	if len(sheets[i].statements) > 0 {
		below = sheets[i].plain(textChars - chars(above) - 1)
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
	question := shorten(strings.TrimSpace(citations.Clean(p.Question)), sectionChars)
	return handoff(call+" "+asker+" would like to ask a person.", question)
}

func handoff(text, question string) message {
	m := message{text: text, blocks: []api.Block{api.NewSectionBlock(mrkdwnObject(text), nil, nil)}}
	if question != "" {
		quote := &api.RichTextQuote{Type: api.RTEQuote, Elements: richElements([]span{{text: question}})}
		m.text += "\n" + escapeFit(question, textChars-chars(text)-1)
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
		return []string{sayContinued}
	}
	var lines []string
	if a := askedSpans(p); len(a) > 0 {
		lines = append(lines, a[0].text+a[1].text)
	}
	if n := noticeText(p.Answer); n != "" {
		lines = append(lines, n)
	}
	return lines
}

// askedSpans says what was asked, where that stands nowhere else: a command leaves no trace.
func askedSpans(p chat.Post) []span {
	question := shorten(unmarked(p.Question), askedChars)
	name := shorten(unmarked(p.Name), nameChars)
	switch {
	case question == "":
		return nil
	case p.Via == chat.Command:
		return []span{{text: "You asked: "}, {text: question}}
	case p.Via == chat.Share && name != "":
		return []span{{text: name + " asked: ", bold: true}, {text: question}}
	case p.Via == chat.Share:
		return []span{{text: "Asked: ", bold: true}, {text: question}}
	}
	return nil
}

// noticeText is what goes before an answer's parts, or stands for them.
func noticeText(a citations.Answer) string {
	said := unmarked(a.Notice)
	if len(a.Parts) == 0 {
		said = cmp.Or(said, unmarked(a.Text), sayNothing)
	}
	return shorten(said, noticeChars)
}

// openerBlocks is openerLines as blocks, and what only blocks show.
func openerBlocks(p chat.Post, page int) []api.Block {
	if page > 0 {
		return []api.Block{contextLine(sayContinued)}
	}
	var blocks []api.Block
	if p.Again {
		blocks = append(blocks, contextLine(sayAgain))
	}
	if a := askedSpans(p); len(a) > 0 {
		blocks = append(blocks, richLine(a...))
	}
	if n := noticeText(p.Answer); n != "" {
		blocks = append(blocks, richLine(span{text: n}))
	}
	if n := nearestSpans(p.Answer); len(n) > 0 {
		blocks = append(blocks, richLine(n...))
	}
	return blocks
}

// closingBlocks is what stands beneath an answer's last page.
func closingBlocks(p chat.Post, person bool) []api.Block {
	var blocks []api.Block
	if len(p.Answer.Degraded) > 0 {
		blocks = append(blocks, contextLine(sayDegraded))
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

// nearestSpans leads to the documents that come closest to a question without an answer.
func nearestSpans(a citations.Answer) []span {
	if len(a.Parts) > 0 || len(a.Nearest) == 0 {
		return nil
	}
	spans := []span{{text: sayNearest}}
	for i, n := range a.Nearest[:min(len(a.Nearest), maxNearest)] {
		if i > 0 {
			spans = append(spans, span{text: ", "})
		}
		spans = append(spans, span{text: sourceLabel(n.Title, "", n.Path), url: linkAddress(n.URL)})
	}
	return spans
}

// sourceLabel names a document and the section in it.
func sourceLabel(title, section, path string) string {
	title, section = unmarked(title), unmarked(section)
	_, inside := strings.CutPrefix(section, title+" › ")
	switch {
	case title == "" || inside:
		title = cmp.Or(section, unmarked(path), sayUntitled)
	case section != "" && section != title:
		title += " › " + section
	}
	return shorten(title, labelChars)
}

// A footnote is a source as it is shown.
type footnote struct {
	n     int
	url   string // "" where it cannot be opened
	label string
	quote string // its first quoteChars
	day   string // when it was updated, or ""
}

func footnotesOf(sources []citations.Source) []footnote {
	var out []footnote
	for _, s := range sources {
		out = append(out, footnote{
			n: s.N, url: linkAddress(s.URL), label: sourceLabel(s.Title, s.Section, s.Path),
			quote: shorten(unmarked(s.Quote), quoteChars), day: dayOf(s.Updated),
		})
	}
	return out
}

// line is a footnote in one line of mrkdwn, with at most quote characters of its words.
func (f footnote) line(quote int) string {
	line := markText(f.n) + " " + mrkdwnLink(f.url, f.label)
	if quote > 0 && f.quote != "" {
		line += " “" + escape(shorten(f.quote, quote)) + "”"
	}
	if f.day != "" {
		line += " · updated " + f.day
	}
	return line
}

func markText(n int) string { return "[" + strconv.Itoa(n) + "]" }

// blocks are what a sheet shows, its sources last.
func (s sheet) blocks() []api.Block {
	out := richText(s.statements)
	for some := range slices.Chunk(s.notes, maxContext) {
		var lines []api.MixedElement
		for _, f := range some {
			lines = append(lines, mrkdwnObject(f.line(s.quote)))
		}
		out = append(out, api.NewContextBlock("", lines...))
	}
	return out
}

// fallback is a page as text.
func (s sheet) fallback(p chat.Post, page int) string {
	lines := openerLines(p, page)
	if len(s.statements) > 0 {
		lines = append(lines, s.reading())
	}
	return escapeFit(strings.Join(lines, "\n"), textChars)
}

// richText sets statements: items as lists, the others as paragraphs, two of which never
// stand in one block.
func richText(all []statement) []api.Block {
	var out []api.Block
	var block *api.RichTextBlock
	after := layoutItem
	for len(all) > 0 {
		n := together(all)
		if block == nil || after != layoutItem && all[0].layout != layoutItem {
			block = api.NewRichTextBlock("")
			out = append(out, block)
		}
		if all[0].layout == layoutItem {
			block.Elements = append(block.Elements, bulletList(all[:n]))
		} else {
			block.Elements = append(block.Elements, richParagraph(all[:n]))
		}
		after, all = all[0].layout, all[n:]
	}
	return out
}

// together is how many of the first statements make one list or one paragraph.
func together(all []statement) int {
	item, total := all[0].layout == layoutItem, 0
	for n, s := range all {
		total += len("\n") + chars(s.text())
		if (s.layout == layoutItem) != item || !item && n > 0 && total > sectionChars {
			return n
		}
	}
	return len(all)
}

func bulletList(items []statement) api.RichTextElement {
	out := api.NewRichTextList(api.RTEListBullet, 0)
	for _, s := range items {
		out.Elements = append(out.Elements, api.NewRichTextSection(richElements(s.spans)...))
	}
	return out
}

func richParagraph(some []statement) api.RichTextElement {
	var spans []span
	for i, s := range some {
		spans = append(spans, span{text: separator(some[:i], s)})
		spans = append(spans, s.spans...)
	}
	return api.NewRichTextSection(richElements(spans)...)
}

// separator is what stands between a statement and those before it.
func separator(before []statement, s statement) string {
	switch n := len(before); {
	case n == 0:
		return ""
	case s.layout == layoutRun && before[n-1].layout == layoutRun:
		return " "
	}
	return "\n"
}

func contextLine(s string) api.Block { return api.NewContextBlock("", mrkdwnObject(escape(s))) }

func richLine(spans ...span) api.Block {
	return api.NewRichTextBlock("", api.NewRichTextSection(richElements(spans)...))
}

// richElements are spans as Slack has them, neighbours that look alike as one.
func richElements(spans []span) []api.RichTextSectionElement {
	var out []api.RichTextSectionElement
	var last *api.RichTextSectionTextElement
	bold := false
	for _, s := range spans {
		switch {
		case s.text == "":
		case s.url != "":
			out, last = append(out, api.NewRichTextSectionLinkElement(s.url, s.text, nil)), nil
		case last != nil && s.bold == bold:
			last.Text += s.text
		default:
			last, bold = api.NewRichTextSectionTextElement(s.text, textStyle(s)), s.bold
			out = append(out, last)
		}
	}
	return out
}

func textStyle(s span) *api.RichTextSectionTextStyle {
	if !s.bold {
		return nil
	}
	return &api.RichTextSectionTextStyle{Bold: true}
}
