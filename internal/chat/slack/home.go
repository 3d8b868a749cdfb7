package slack

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"

	api "github.com/slack-go/slack"
)

// publishHome shows someone the app's home, unless it shows just that already. Who opens it
// again and again in the meantime gets it once.
func (s *Slack) publishHome(ctx context.Context, user string) {
	s.publishing.Do(user, func() (any, error) {
		s.publishTo(ctx, user)
		return nil, nil
	})
}

func (s *Slack) publishTo(ctx context.Context, user string) {
	const method = "views.publish"
	view := homeView(s.cfg.Home())
	data, err := json.Marshal(view)
	if err != nil {
		s.cfg.Log.Error("the app's home cannot be set", slog.Any("error", err))
		return
	}
	sum := sha256.Sum256(data)
	if before, ok := s.homes.Get(user); user == "" || ok && before == sum || s.held(method) != nil {
		return
	}
	_, err = s.api.PublishViewContext(ctx, api.PublishViewContextRequest{UserID: user, View: view})
	if err = s.sending(method, err); err != nil {
		s.cfg.Log.Warn("the app's home was not shown", slog.Any("error", err))
		return
	}
	s.homes.Add(user, sum)
}

// suggest puts questions to begin with into an empty conversation. With a thread it is the
// older surface's; in an agent app a thread would make Slack ignore the call.
// https://docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts
func (s *Slack) suggest(ctx context.Context, channel, thread string) {
	const method = "assistant.threads.setSuggestedPrompts"
	questions := prompts(s.cfg.Home())
	if len(questions) == 0 || channel == "" || s.held(method) != nil {
		return
	}
	err := s.api.SetAssistantThreadsSuggestedPromptsContext(ctx, api.AssistantThreadsSetSuggestedPromptsParameters{
		ChannelID: channel, ThreadTS: thread, Prompts: questions,
	})
	if err = s.sending(method, err); err != nil {
		s.cfg.Log.Debug("suggestions were not shown", slog.Any("error", err))
	}
}
