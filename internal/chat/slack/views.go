package slack

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/slack-go/slack"
)

const (
	// https://docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts
	maxPrompts   = 4
	promptChars  = 75   // of a title; ours: it is a button's label
	commentChars = 1000 // of what was wrong with an answer
	maxDocuments = 40   // that the home lists
	titleChars   = 150  // of a document there
)

// feedbackView asks what was wrong with an answer. Saying nothing is fine.
// https://docs.slack.dev/reference/views/modal-views
func feedbackView(turn int64) api.ModalViewRequest {
	input := api.NewPlainTextInputBlockElement(nil, blockComment).
		WithMultiline(true).WithMaxLength(commentChars)
	label := api.NewInputBlock(blockComment, plainObject("What was wrong?"), nil, input).WithOptional(true)
	return api.ModalViewRequest{
		Type:            api.VTModal,
		CallbackID:      viewFeedback,
		PrivateMetadata: strconv.FormatInt(turn, 10),
		Title:           plainObject("Your feedback"),
		Submit:          plainObject("Send"),
		Close:           plainObject("Cancel"),
		Blocks:          api.Blocks{BlockSet: []api.Block{label}},
	}
}

// homeView says what the bot knows and how to ask it.
func homeView(h Home) api.HomeTabViewRequest {
	blocks := []api.Block{
		richLine(span{text: "I answer questions from documents, in their own words, and show where each of them stands."}),
		homeHeader("How to ask"),
		homeList(howToAsk(h.Persons)),
	}
	if examples := homeQuestions(h); len(examples) > 0 {
		blocks = append(blocks, homeHeader("For example"), homeList(examples))
	}
	blocks = append(blocks, homeHeader("What I answer from"))
	if len(h.Documents) == 0 {
		blocks = append(blocks, richLine(span{text: "There are no documents yet."}))
	} else {
		blocks = append(blocks, homeList(homeDocuments(h.Documents)))
	}
	if more := len(h.Documents) - maxDocuments; more > 0 {
		blocks = append(blocks, contextLine(fmt.Sprintf("and %d more", more)))
	}
	if audience := oneLine(strings.Join(h.Audience, ", ")); audience != "" {
		blocks = append(blocks, contextLine("These documents are for: "+shorten(audience, noticeChars)))
	}
	return api.HomeTabViewRequest{Type: api.VTHomeTab, Blocks: api.Blocks{BlockSet: blocks}}
}

func howToAsk(persons bool) []statement {
	ways := []statement{
		{spans: []span{{text: "Mention me", bold: true}, {text: " in a channel. I answer in the thread, and you can go on asking there."}}},
		{spans: []span{{text: "Write to me", bold: true}, {text: " in a direct message."}}},
		{spans: []span{{text: commandAsk, bold: true}, {text: " and your question: only you see the answer, and you can share it."}}},
	}
	if persons {
		ways = append(ways, statement{spans: []span{{text: "Ask a person", bold: true}, {text: " beneath an answer calls somebody who can help further."}}})
	}
	return ways
}

// homeQuestions are examples to begin with, those that are any.
func homeQuestions(h Home) []statement {
	var out []statement
	for _, p := range prompts(h) {
		out = append(out, statement{spans: []span{{text: p.Message}}})
	}
	return out
}

func homeDocuments(documents []Document) []statement {
	var out []statement
	for _, d := range documents[:min(len(documents), maxDocuments)] {
		title := shorten(oneLine(d.Title), titleChars)
		spans := []span{{text: cmp.Or(title, sayUntitled), url: linkAddress(d.URL)}}
		if day := dayOf(d.Updated); day != "" {
			spans = append(spans, span{text: " · updated " + day})
		}
		out = append(out, statement{spans: spans})
	}
	return out
}

// dayOf is a date as people write it, "" for what is none.
func dayOf(updated string) string {
	day, err := time.Parse(time.DateOnly, updated)
	if err != nil {
		return ""
	}
	return day.Format("2 Jan 2006")
}

func homeHeader(s string) api.Block { return api.NewHeaderBlock(plainObject(s)) }

func homeList(items []statement) api.Block { return api.NewRichTextBlock("", bulletList(items)) }

// prompts are questions to begin a conversation with.
func prompts(h Home) []api.AssistantThreadsPrompt {
	var out []api.AssistantThreadsPrompt
	for _, q := range h.Questions {
		if q = shorten(oneLine(q), askedChars); q != "" && len(out) < maxPrompts {
			out = append(out, api.AssistantThreadsPrompt{Title: shorten(q, promptChars), Message: q})
		}
	}
	return out
}
