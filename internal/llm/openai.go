package llm

import (
	"context"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// openAIURL is what the library has as its default, too.
const openAIURL = "https://api.openai.com/v1"

// openAI speaks chat completions.
type openAI struct {
	chat  openai.ChatCompletionService
	model string
}

// newOpenAI makes the one service of the library that is used. A client of the library would
// read the environment.
func newOpenAI(cfg Config) *openAI {
	options := []option.RequestOption{option.WithBaseURL(openAIURL), option.WithMaxRetries(0)}
	if cfg.BaseURL != "" {
		options = append(options, option.WithBaseURL(cfg.BaseURL))
	}
	if cfg.Key != "" {
		options = append(options, option.WithAPIKey(cfg.Key))
	}
	return &openAI{chat: openai.NewChatCompletionService(options...), model: cfg.Model}
}

func (o *openAI) stream(ctx context.Context, client *http.Client, r Request, w *writing) error {
	stream := o.chat.NewStreaming(ctx, o.params(r), option.WithHTTPClient(client))
	defer stream.Close()
	for stream.Next() {
		if err := o.read(stream.Current(), w); err != nil {
			return err
		}
	}
	return stream.Err()
}

func (o *openAI) params(r Request) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{
		Model:         o.model,
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
		Temperature:   openai.Float(0),
		MaxTokens:     openai.Int(int64(r.MaxTokens)),
	}
	if r.System != "" {
		p.Messages = append(p.Messages, openai.SystemMessage(r.System))
	}
	for _, m := range r.Messages {
		if m.Role == roleAssistant {
			p.Messages = append(p.Messages, openai.AssistantMessage(m.Text))
		} else {
			p.Messages = append(p.Messages, openai.UserMessage(m.Text))
		}
	}
	return p
}

// read takes what a chunk holds. The one with the usage has no choices; some servers count in
// every chunk, so the last counts.
func (o *openAI) read(chunk openai.ChatCompletionChunk, w *writing) error {
	if u := chunk.Usage; u.PromptTokens > 0 || u.CompletionTokens > 0 {
		w.usage = Usage{int(u.PromptTokens), int(u.CompletionTokens)}
	}
	if len(chunk.Choices) == 0 {
		return nil
	}
	choice := chunk.Choices[0]
	switch choice.FinishReason {
	case "":
	case "length":
		w.end = endCut
	case "content_filter":
		w.end = endFiltered
	default:
		w.end = endWhole
	}
	return w.add(choice.Delta.Content)
}
