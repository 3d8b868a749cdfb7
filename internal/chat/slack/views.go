package slack

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"citebot/internal/chat/layout"

	api "github.com/slack-go/slack"
)

const (
	// https://docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts
	maxPrompts    = 4
	promptChars   = 75   // of a title; ours: it is a button's label
	commentChars  = 1000 // of what was wrong with an answer
	maxDocuments  = 40   // that the home lists
	titleChars    = 150  // of a document there
	audienceChars = 1000
	questionChars = 600 // of an example
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
		richLine(layout.Span{Text: "I answer questions from documents, in their own words, and show where each of them stands."}),
		homeHeader("How to ask"),
		homeList(howToAsk(h.Persons)),
	}
	if examples := homeQuestions(h); len(examples) > 0 {
		blocks = append(blocks, homeHeader("For example"), homeList(examples))
	}
	blocks = append(blocks, homeHeader("What I answer from"))
	if len(h.Documents) == 0 {
		blocks = append(blocks, richLine(layout.Span{Text: "There are no documents yet."}))
	} else {
		blocks = append(blocks, homeList(homeDocuments(h.Documents)))
	}
	if more := len(h.Documents) - maxDocuments; more > 0 {
		blocks = append(blocks, contextLine(fmt.Sprintf("and %d more", more)))
	}
	if audience := layout.OneLine(strings.Join(h.Audience, ", ")); audience != "" {
		blocks = append(blocks, contextLine("These documents are for: "+layout.Shorten(audience, audienceChars)))
	}
	return api.HomeTabViewRequest{Type: api.VTHomeTab, Blocks: api.Blocks{BlockSet: blocks}}
}

func howToAsk(persons bool) []layout.Statement {
	ways := []layout.Statement{
		{Spans: []layout.Span{{Text: "Mention me", Bold: true}, {Text: " in a channel. I answer in the thread, and you can go on asking there."}}},
		{Spans: []layout.Span{{Text: "Write to me", Bold: true}, {Text: " in a direct message."}}},
		{Spans: []layout.Span{{Text: commandAsk, Bold: true}, {Text: " and your question: only you see the answer, and you can share it."}}},
	}
	if persons {
		ways = append(ways, layout.Statement{Spans: []layout.Span{{Text: "Ask a person", Bold: true}, {Text: " beneath an answer calls somebody who can help further."}}})
	}
	return ways
}

// homeQuestions are examples to begin with, those that are any.
func homeQuestions(h Home) []layout.Statement {
	var out []layout.Statement
	for _, p := range prompts(h) {
		out = append(out, layout.Statement{Spans: []layout.Span{{Text: p.Message}}})
	}
	return out
}

func homeDocuments(documents []Document) []layout.Statement {
	var out []layout.Statement
	for _, d := range documents[:min(len(documents), maxDocuments)] {
		title := layout.Shorten(layout.OneLine(d.Title), titleChars)
		spans := []layout.Span{{Text: cmp.Or(title, layout.SayUntitled), URL: linkAddress(d.URL)}}
		if day := layout.Day(d.Updated); day != "" {
			spans = append(spans, layout.Span{Text: " · updated " + day})
		}
		out = append(out, layout.Statement{Spans: spans})
	}
	return out
}

func homeHeader(s string) api.Block { return api.NewHeaderBlock(plainObject(s)) }

func homeList(items []layout.Statement) api.Block { return api.NewRichTextBlock("", bulletList(items)) }

// prompts are questions to begin a conversation with.
func prompts(h Home) []api.AssistantThreadsPrompt {
	var out []api.AssistantThreadsPrompt
	for _, q := range h.Questions {
		if q = layout.Shorten(layout.OneLine(q), questionChars); q != "" && len(out) < maxPrompts {
			out = append(out, api.AssistantThreadsPrompt{Title: layout.Shorten(q, promptChars), Message: q})
		}
	}
	return out
}
