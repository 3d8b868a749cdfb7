package llm

import (
	"context"
	"net/http"
	"net/url"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// openAIURL is what the library has as its default, too.
const openAIURL = "https://api.openai.com/v1"

// openAI speaks chat completions.
type openAI struct {
	chat   openai.ChatCompletionService
	model  string
	habits *habits
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
	o := &openAI{chat: openai.NewChatCompletionService(options...), model: cfg.Model, habits: &habits{}}
	o.habits.habit.completionTokens = isOpenAIs(cfg.BaseURL)
	return o
}

// isOpenAIs says whether a server is OpenAI's own, where max_tokens is the old name. Ollama
// knows only that, and does not refuse the new one but ignores it.
func isOpenAIs(base string) bool {
	u, err := url.Parse(base)
	return base == "" || err == nil && u.Hostname() == "api.openai.com"
}

func (o *openAI) adapt(said said, used habit) bool { return o.habits.adapt(said, used) }

func (o *openAI) stream(ctx context.Context, client *http.Client, r Request, w *writing) (habit, error) {
	used := o.habits.now()
	stream := o.chat.NewStreaming(ctx, o.params(r, used), option.WithHTTPClient(client))
	defer stream.Close()
	for stream.Next() {
		if err := o.read(stream.Current(), w); err != nil {
			return used, err
		}
	}
	return used, stream.Err()
}

func (o *openAI) params(r Request, h habit) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{Model: o.model}
	if !h.noUsage {
		p.StreamOptions.IncludeUsage = openai.Bool(true)
	}
	if !h.ownTemperature {
		p.Temperature = openai.Float(0)
	}
	if h.completionTokens {
		p.MaxCompletionTokens = openai.Int(int64(r.MaxTokens))
	} else {
		p.MaxTokens = openai.Int(int64(r.MaxTokens))
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
