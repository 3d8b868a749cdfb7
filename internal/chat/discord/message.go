package discord

import (
	"regexp"
	"strconv"
	"strings"

	"citebot/internal/chat"
	"citebot/internal/chat/layout"
	"citebot/internal/citations"

	api "github.com/bwmarrin/discordgo"
)

// Limits of a message. Discord counts what is sent: backslashes and addresses too.
const (
	// https://discord.com/developers/docs/resources/message#create-message-jsonform-params
	maxContent = 2000
	// https://discord.com/developers/docs/resources/message#embed-object-embed-limits: of a
	// description, and 6,000 of all embeds together. There is one.
	maxDescription = 4096
)

// Our own bounds.
const (
	contentChars = maxContent - 100    // leaves room for why a message is where it is
	notesChars   = maxDescription - 96 // of the sources beneath a page
	beside       = 100                 // of small lines above and beneath a page's statements
	answerChars  = contentChars - beside
	sectionChars = 900 // of a statement, so that two fit on a page
	noticeChars  = 500
	askedChars   = 400
	nearestChars = 120 // of a document's name that is no link
	quoteChars   = 200 // of a source's quote, where there are few sources
	quotesChars  = 1600
	addressChars = 800 // of an address that is linked
	plainChars   = 300 // of one that is linked where sources stand in the content
	aboveChars   = 600 // of what stands above an answer there
)

// A message is what one post shows.
type message struct {
	content      string
	embeds       []*api.MessageEmbed
	components   []api.MessageComponent
	users, roles []string // whom it may ping; nearly always nobody
}

// A look is how a reply is shown, beyond what its Post says.
type look struct {
	private bool // only the asker sees it: it can be shared
	person  bool // there is somebody to call from here
}

// measure is what one message has room for. Marks count without their links: a page has as
// many of those as there is room left for.
var measure = layout.Measure{
	Section: sectionChars,
	Sheet:   answerChars,
	Notes:   notesChars,
	Quote:   quoteChars,
	Quotes:  quotesChars,
	Size:    escapedSize,
	Span:    weigh,
	Note: func(f layout.Footnote, quote int) int {
		return layout.Chars(noteLine(f, quote)) + len("\n")
	},
	Link: linkAddress,
}

func weigh(s layout.Span) int { return layout.Chars(inline(s, false)) + len("\n- ") }

// pages sets an answer as messages, nearly always one.
func pages(p chat.Post, l look) []message {
	if p.Draft {
		return []message{draftMessage()}
	}
	above, below := opener(p), closer(p)
	m := measure
	m.Above = layout.Chars(above)
	sheets := m.Paginate(p.Answer)
	out := make([]message, len(sheets))
	for i, s := range sheets {
		last := i == len(sheets)-1
		if i > 0 {
			above = small(layout.SayContinued)
		}
		out[i] = page(s, above, onlyIf(last, below))
		if last {
			out[i].components = buttons(p, l)
		}
	}
	return out
}

func onlyIf(b bool, s string) string {
	if b {
		return s
	}
	return ""
}

// page is what one message shows of an answer, between what stands above and below it.
func page(s layout.Sheet, above, below string) message {
	room := contentChars - layout.Chars(above) - layout.Chars(below) - len("\n\n")
	m := message{content: lines(above, statementLines(s, linked(s, room)), below)}
	if len(s.Notes) > 0 {
		m.embeds = []*api.MessageEmbed{{Title: saySources, Description: noteLines(s)}}
	}
	return m
}

// lines joins what is not empty.
func lines(some ...string) string {
	var out []string
	for _, s := range some {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n")
}

// small is our own words in small letters.
func small(s string) string { return "-# " + s }

// opener is what stands above an answer's first page.
func opener(p chat.Post) string {
	again := ""
	if p.Again {
		again = small(layout.SayAgain)
	}
	above := lines(again, askedLine(p), escapeFit(layout.Notice(p.Answer), noticeChars))
	room := answerChars - layout.Chars(above)
	return lines(above, nearestLine(layout.Nearest(p.Answer, linkAddress), room))
}

// askedLine says what was asked, where that stands nowhere else: of a command Discord shows who
// used it, of “Answer this” not even which message it was used on.
func askedLine(p chat.Post) string {
	name := p.Name
	switch p.Via {
	case chat.Command, chat.Ask, chat.Share:
	case chat.Shortcut:
		name = "" // of who used it; who asked is another
	default:
		return ""
	}
	spans := layout.Asked(p.Question, name, p.Via == chat.Command)
	if len(spans) == 0 {
		return ""
	}
	return "> " + inline(spans[0], false) + escapeFit(spans[1].Text, askedChars)
}

// nearestLine names documents, as links while there is room.
func nearestLine(spans []layout.Span, room int) string {
	var names []string
	for _, s := range spans {
		names = append(names, escapeFit(s.Text, nearestChars))
	}
	text := strings.Join(names, "")
	for i, s := range spans {
		linked := link(s.Text, s.URL)
		more := layout.Chars(linked) - layout.Chars(names[i])
		if s.URL != "" && layout.Chars(text)+more <= room {
			names[i] = linked
			text = strings.Join(names, "")
		}
	}
	return text
}

// closer is what stands beneath an answer's last page.
func closer(p chat.Post) string {
	if len(p.Answer.Degraded) == 0 {
		return ""
	}
	return small(layout.SayDegraded)
}

// statementLines sets a sheet's statements, with these marks as links.
func statementLines(s layout.Sheet, links map[spot]bool) string {
	var b strings.Builder
	for i, st := range s.Statements {
		b.WriteString(layout.Separator(s.Statements[:i], st))
		if st.Kind == layout.Item {
			b.WriteString("- ")
		}
		for j, span := range st.Spans {
			b.WriteString(inline(span, links[spot{i, j}]))
		}
	}
	return b.String()
}

// A spot is where on a sheet a span is: its statement's index, and its own in that.
type spot [2]int

// linked says which marks are links, as far as a sheet in at most room characters has room for
// them: the first of each source before all others. Beneath the page all sources are links
// anyway.
func linked(s layout.Sheet, room int) map[spot]bool {
	out := map[spot]bool{}
	room -= layout.Chars(statementLines(s, nil))
	for _, at := range marksIn(s) {
		span := s.Statements[at[0]].Spans[at[1]]
		more := layout.Chars(inline(span, true)) - layout.Chars(inline(span, false))
		if more <= room {
			out[at] = true
			room -= more
		}
	}
	return out
}

// marksIn are the places of marks, the first of each source before all others.
func marksIn(s layout.Sheet) []spot {
	var first, again []spot
	seen := map[int]bool{}
	for i, st := range s.Statements {
		for j, span := range st.Spans {
			switch {
			case !span.IsMark():
			case seen[span.Mark]:
				again = append(again, spot{i, j})
			default:
				first = append(first, spot{i, j})
				seen[span.Mark] = true
			}
		}
	}
	return append(first, again...)
}

// inline is a span as markdown.
func inline(s layout.Span, links bool) string {
	switch {
	case s.IsMark() && links:
		return mark(s.Mark, s.URL)
	case s.IsMark():
		return mark(s.Mark, "")
	case s.Bold && strings.TrimSpace(s.Text) != "":
		text := strings.TrimRight(s.Text, " ")
		return "**" + escape(text) + "**" + s.Text[len(text):]
	}
	return escape(s.Text)
}

// noteLines are a sheet's sources, one a line.
func noteLines(s layout.Sheet) string {
	var out []string
	for _, f := range s.Notes {
		out = append(out, noteLine(f, s.Quote))
	}
	return strings.Join(out, "\n")
}

// noteLine is a source in one line, with at most quote characters of its words.
func noteLine(f layout.Footnote, quote int) string {
	line := mark(f.N, "") + " " + link(f.Label, f.URL)
	if quote > 0 && f.Quote != "" {
		line += " “" + escape(layout.Shorten(f.Quote, quote)) + "”"
	}
	if f.Day != "" {
		line += " · updated " + f.Day
	}
	return line
}

// plainMarkup writes an answer as content alone.
var plainMarkup = layout.Markup{
	Escape: escape,
	Fit:    escapeFit,
	Line: func(f layout.Footnote) string {
		if layout.Chars(f.URL) > plainChars {
			f.URL = ""
		}
		return noteLine(f, 0)
	},
}

// plainMessage is a page of an answer as content alone, for when Discord refuses embeds or
// components. What does not fit is left out.
func plainMessage(p chat.Post) message {
	if p.Draft {
		return draftMessage()
	}
	m := measure
	m.Above = layout.Chars(opener(p))
	sheets := m.Paginate(p.Answer)
	i := min(max(p.Page, 0), len(sheets)-1)
	if len(sheets[i].Statements) == 0 {
		return message{content: opener(p)}
	}
	above := small(layout.SayContinued)
	if i == 0 {
		above = lines(askedLine(p), escapeFit(layout.Notice(p.Answer), aboveChars-askedChars))
	}
	return message{content: lines(above, sheets[i].Plain(contentChars-layout.Chars(above)-1, plainMarkup))}
}

// draftMessage is the placeholder of an answer that takes longer.
func draftMessage() message { return message{content: sayLooking} }

// noteMessage says something in our own fixed words.
func noteMessage(text string) message { return message{content: text} }

// lateMessage is m beneath why it is no reply to the command.
func lateMessage(m message) message {
	m.content = lines(sayLate, m.content)
	return m
}

// elsewhereMessage is m beneath why it is not where the question is.
func elsewhereMessage(m message) message {
	m.content = lines(sayElsewhere, m.content)
	return m
}

// handoffMessage calls a person, a member or a role, and pings nobody else. It stands in the
// thread itself (here), or elsewhere and then says who asked and what.
func handoffMessage(p chat.Post, person Person, here bool) message {
	m := message{content: strings.TrimSpace(mentionOf(person.ID, person.Role) + " can you help?")}
	switch {
	case !snowflake.MatchString(person.ID):
	case person.Role:
		m.roles = []string{person.ID}
	default:
		m.users = []string{person.ID}
	}
	if here {
		m.content += " Someone here would like to ask a person."
		return m
	}
	asker := mentionOf(p.User, false)
	if asker == "" {
		asker = "Someone"
	}
	m.content += " " + asker + " would like to ask a person."
	m.content = lines(m.content, quote(p.Question, contentChars-layout.Chars(m.content)-1))
	return m
}

// quote is a text as a quotation of at most limit characters.
func quote(text string, limit int) string {
	text = strings.TrimSpace(citations.Clean(text))
	text = layout.ShortenBy(text, limit-len("> "), func(s string) int {
		return escapedSize(s) + strings.Count(s, "\n")*len("> ")
	})
	if text == "" {
		return ""
	}
	return "> " + strings.ReplaceAll(escape(text), "\n", "\n> ")
}

// https://discord.com/developers/docs/reference#snowflakes
var snowflake = regexp.MustCompile(`^[0-9]{1,20}$`)

// mentionOf is the only place that writes one.
func mentionOf(id string, role bool) string {
	switch {
	case !snowflake.MatchString(id):
		return ""
	case role:
		return "<@&" + id + ">"
	}
	return "<@" + id + ">"
}

// revealMessage asks back before a private question is shown to people who help.
func revealMessage(turn int64) message {
	return message{content: sayReveal, components: row(buttonFor("Ask a person", "", idCall, turn))}
}

// buttons are what can be done with an answer.
func buttons(p chat.Post, l look) []api.MessageComponent {
	direct := p.Team == ""
	var all []api.MessageComponent
	if len(p.Answer.Parts) > 0 {
		all = append(all, buttonFor("Helpful", "👍", idGood, p.Turn), buttonFor("Not right", "👎", idBad, p.Turn))
	}
	if l.person && (l.private || direct) {
		all = append(all, buttonFor("Ask a person", "", idReveal, p.Turn))
	} else if l.person {
		all = append(all, buttonFor("Ask a person", "", idPerson, p.Turn))
	}
	if l.private && !direct {
		all = append(all, buttonFor("Share in channel", "", idShare, p.Turn))
	}
	return row(all...)
}

// row is a row of components, nothing for none: Discord refuses an empty one, and one of
// more than 5 buttons. https://discord.com/developers/docs/components/reference#action-row
func row(all ...api.MessageComponent) []api.MessageComponent {
	if len(all) == 0 {
		return nil
	}
	return []api.MessageComponent{api.ActionsRow{Components: all}}
}

// https://discord.com/developers/docs/components/reference#button
func buttonFor(label, emoji, id string, turn int64) api.Button {
	b := api.Button{Label: label, Style: api.SecondaryButton, CustomID: id + strconv.FormatInt(turn, 10)}
	if emoji != "" {
		b.Emoji = &api.ComponentEmoji{Name: emoji}
	}
	return b
}
