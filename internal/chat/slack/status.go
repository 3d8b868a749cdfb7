package slack

import (
	"context"
	"log/slog"

	"citebot/internal/chat"

	api "github.com/slack-go/slack"
)

// What Slack shows after the bot's name while it works. The client library splits loading
// messages at commas, so there are none.
const statusLooking = "is looking in the documents…"

// Working implements [chat.Platform]. Slack itself takes a status back when the bot posts
// in the thread, or after two minutes.
// https://docs.slack.dev/reference/methods/assistant.threads.setStatus
func (s *Slack) Working(ctx context.Context, p chat.Post, stage chat.Stage) {
	if p.ReplyURL != "" || p.Thread == "" {
		return
	}
	status := statusLooking
	if stage == "" {
		if _, shown := s.shown.LoadAndDelete(p.Place); !shown {
			return
		}
		status = ""
	}
	s.setStatus(ctx, p.Place, status)
}

func (s *Slack) setStatus(ctx context.Context, p chat.Place, status string) {
	const method = "assistant.threads.setStatus"
	if s.held(method) != nil {
		return
	}
	if status != "" {
		s.shown.Store(p, struct{}{})
	}
	err := s.api.SetAssistantThreadsStatusContext(ctx, api.AssistantThreadsSetStatusParameters{
		ChannelID: p.Channel, ThreadTS: p.Thread, Status: status,
	})
	if err = s.sending(method, err); err != nil {
		s.shown.Delete(p)
		s.cfg.Log.Debug("a status was not shown", slog.Any("error", err))
	}
}

// replaced forgets the status that a post takes back.
func (s *Slack) replaced(p chat.Post) { s.shown.Delete(p.Place) }

func (s *Slack) takeBackStatuses(ctx context.Context) {
	s.shown.Range(func(place, _ any) bool {
		s.setStatus(ctx, place.(chat.Place), "")
		return ctx.Err() == nil
	})
}
