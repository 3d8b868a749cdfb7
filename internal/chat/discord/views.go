package discord

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"citebot/internal/chat/layout"

	api "github.com/bwmarrin/discordgo"
)

const (
	// https://discord.com/developers/docs/components/reference#text-input: 4,000; ours.
	commentChars = 1000
	// https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-choice-structure
	choiceChars = 100 // of a name, and of a value that is a string
	maxChoices  = 25
	maxDepth    = 5 // of a list in an outline

	reasonChars  = 200 // of why a file does not answer
	pathChars    = 100
	maxProblems  = 20
	moreChars    = 40 // of how many there are beside those shown
	outlineChars = notesChars - moreChars
)

// whyModal asks what was wrong with an answer. Saying nothing is fine.
// https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object-modal
func whyModal(turn int64) (title, customID string, rows []api.MessageComponent) {
	input := api.TextInput{
		CustomID: inputComment, Label: "What was wrong?", Style: api.TextInputParagraph,
		Required: false, MaxLength: commentChars,
	}
	return "Your feedback", idWhy + strconv.FormatInt(turn, 10), row(input)
}

// outlineMessage shows what a document is called, when it was updated and its sections.
func outlineMessage(d Document) message {
	title := "**" + link(layout.Label(d.Title, "", d.Path), linkAddress(d.URL)) + "**"
	if day := layout.Day(d.Updated); day != "" {
		title += " · updated " + day
	}
	m := message{content: title}
	if len(d.Sections) > 0 {
		m.embeds = []*api.MessageEmbed{{Title: "Sections", Description: outline(d.Sections)}}
	}
	return m
}

// outline is as many sections as fit, as a nested list.
func outline(sections []Section) string {
	var b strings.Builder
	size, depth := 0, 0
	for i, s := range sections {
		depth = min(max(s.Level, 1), depth+1, maxDepth)
		line := strings.Repeat("  ", depth-1) + "- " + link(layout.Label(s.Title, "", ""), linkAddress(s.URL)) + "\n"
		if size += layout.Chars(line); size > outlineChars {
			b.WriteString(more(len(sections)-i, "section"))
			break
		}
		b.WriteString(line)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// more says how many others there are.
func more(n int, what string) string { return small("and " + count(n, "more "+what)) }

// count is a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// statusMessage says how the documents are.
func statusMessage(s Status) message {
	head := lines(
		fmt.Sprintf("**%s**, %s.", count(s.Documents, "document"), count(s.Passages, "passage")),
		onlyIf(s.Loading, "The documents are being read at the moment."),
		onlyIf(s.Pending > 0, "Found by their words alone so far, not by their meaning: "+count(s.Pending, "passage")+"."),
		degradedLine(s.Degraded),
	)
	if len(s.Problems) == 0 && s.Others == 0 {
		return message{content: lines(head, onlyIf(!s.Loading && len(s.Degraded) == 0, "All of them answer."))}
	}
	return message{content: lines(head, problemLines(s, contentChars-layout.Chars(head)-1))}
}

func degradedLine(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return "Not working at the moment: " + escapeFit(layout.OneLine(strings.Join(parts, ", ")), noticeChars) + "."
}

// problemLines lists the files that do not answer, in at most room characters.
func problemLines(s Status, room int) string {
	text := "Files that do not answer as they are:"
	if len(s.Problems) == 0 {
		text = ""
	}
	for i, p := range s.Problems {
		line := "- " + escapeFit(layout.OneLine(p.Path), pathChars) + ": " + escapeFit(layout.OneLine(p.Reason), reasonChars)
		if i == maxProblems || layout.Chars(text)+layout.Chars(line) > room-3*moreChars {
			text = lines(text, more(len(s.Problems)-i, "file"))
			break
		}
		text = lines(text, line)
	}
	if s.Others == 0 {
		return text
	}
	return lines(text, small("Others that not everyone here may see: "+count(s.Others, "file")+"."))
}

// choices are the documents to offer to somebody who has typed something: those in whose title
// or path all the words stand, the best first; the newest when there are no words. It runs
// with each key that is pressed, over all documents.
func choices(docs []Document, typed string) []*api.ApplicationCommandOptionChoice {
	words := strings.Fields(strings.ToLower(layout.OneLine(typed)))
	var found []offer
	titles := map[string]int{}
	for _, d := range docs {
		if far := distance(d, words); far < tooFar {
			found = append(found, offer{d, far})
			titles[d.Title]++
		}
	}
	slices.SortFunc(found, offer.compare)
	out := []*api.ApplicationCommandOptionChoice{}
	for _, o := range found[:min(len(found), maxChoices)] {
		out = append(out, &api.ApplicationCommandOptionChoice{
			Name: choiceName(o.Document, titles[o.Title] > 1), Value: documentValue(o.Path),
		})
	}
	return out
}

// An offer is a document that somebody may have meant.
type offer struct {
	Document
	far int
}

func (o offer) compare(other offer) int {
	return cmp.Or(cmp.Compare(o.far, other.far), cmp.Compare(other.Updated, o.Updated),
		cmp.Compare(o.Title, other.Title), cmp.Compare(o.Path, other.Path))
}

// choiceName is a document's title, with its path where others have the same.
func choiceName(d Document, shared bool) string {
	name := layout.Label(d.Title, "", d.Path)
	if path := layout.OneLine(d.Path); shared && path != "" {
		name = layout.Shorten(name, choiceChars/2) + " – " + path
	}
	return layout.Shorten(name, choiceChars)
}

// tooFar is the distance of a document that words do not mean.
const tooFar = 3

// distance is how far a document is from what words in small letters mean: 0 when its title
// begins with them.
func distance(d Document, words []string) int {
	title := strings.ToLower(d.Title)
	text := title + " " + strings.ToLower(d.Path)
	switch {
	case strings.HasPrefix(title, strings.Join(words, " ")):
		return 0
	case everyWord(words, func(w string) bool { return strings.Contains(" "+title, " "+w) }):
		return 1
	case everyWord(words, func(w string) bool { return strings.Contains(text, w) }):
		return 2
	}
	return tooFar
}

func everyWord(words []string, is func(string) bool) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !is(w) })
}

// documentValue stands for a document in a choice: its path, or a hash of one that is too long.
func documentValue(path string) string {
	if layout.Chars(path) <= choiceChars && utf8.ValidString(path) && path != "" {
		return path
	}
	sum := sha256.Sum256([]byte(path))
	return "sha256:" + hex.EncodeToString(sum[:])
}
