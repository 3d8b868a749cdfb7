package llm

import (
	"context"
	"net/http"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// anthropicURL is what the library has as its default, too.
const anthropicURL = "https://api.anthropic.com"

// anthropicAPI speaks messages.
type anthropicAPI struct {
	messages anthropic.MessageService
	model    string
	habits   *habits
}

// newAnthropic makes the one service of the library that is used. A client of the library
// would read the environment, and so would its tracing.
func newAnthropic(cfg Config) *anthropicAPI {
	base := anthropicURL
	if cfg.BaseURL != "" { // to which the library adds v1
		base = strings.TrimSuffix(strings.TrimRight(cfg.BaseURL, "/"), "/v1")
	}
	options := []option.RequestOption{
		option.WithoutEnvironmentDefaults(), option.WithoutOpenTelemetry(), option.WithBaseURL(base), option.WithMaxRetries(0),
	}
	if cfg.Key != "" {
		options = append(options, option.WithAPIKey(cfg.Key))
	}
	return &anthropicAPI{messages: anthropic.NewMessageService(options...), model: cfg.Model, habits: &habits{}}
}

func (a *anthropicAPI) adapt(said said, used habit) bool { return a.habits.adapt(said, used) }

func (a *anthropicAPI) stream(ctx context.Context, client *http.Client, r Request, w *writing) (habit, error) {
	used := a.habits.now()
	stream := a.messages.NewStreaming(ctx, a.params(r, used), option.WithHTTPClient(client))
	defer stream.Close()
	for stream.Next() {
		if err := readAnthropic(stream.Current(), w); err != nil {
			return used, err
		}
	}
	return used, stream.Err()
}

func (a *anthropicAPI) params(r Request, h habit) anthropic.MessageNewParams {
	p := anthropic.MessageNewParams{Model: anthropic.Model(a.model), MaxTokens: int64(r.MaxTokens)}
	if !h.ownTemperature {
		p.Temperature = anthropic.Float(0)
	}
	if r.System != "" {
		p.System = []anthropic.TextBlockParam{{Text: r.System}}
	}
	for _, m := range r.Messages {
		block := anthropic.NewTextBlock(m.Text)
		if m.Role == roleAssistant {
			p.Messages = append(p.Messages, anthropic.NewAssistantMessage(block))
		} else {
			p.Messages = append(p.Messages, anthropic.NewUserMessage(block))
		}
	}
	return p
}

// readAnthropic takes what an event holds. Tokens are told at the start, and at the end in
// sum.
func readAnthropic(event anthropic.MessageStreamEventUnion, w *writing) error {
	switch event.Type {
	case "message_start":
		u := event.Message.Usage
		w.usage = Usage{int(u.InputTokens + u.CacheCreationInputTokens + u.CacheReadInputTokens), int(u.OutputTokens)}
	case "content_block_delta":
		return w.add(event.Delta.Text)
	case "message_delta":
		w.usage.Output = max(w.usage.Output, int(event.Usage.OutputTokens))
		switch event.Delta.StopReason {
		case "":
		case anthropic.StopReasonMaxTokens, anthropic.StopReasonModelContextWindowExceeded:
			w.end = endCut
		case anthropic.StopReasonRefusal:
			w.end = endFiltered
		default:
			w.end = endWhole
		}
	}
	return nil
}
