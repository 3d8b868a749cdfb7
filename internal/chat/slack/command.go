package slack

import (
	"cmp"
	"context"
	"log/slog"
	"strings"

	"citebot/internal/chat"
)

// A command is what Slack sends for /ask, over the socket as JSON with the names of the form:
// https://docs.slack.dev/interactivity/implementing-slash-commands
type command struct {
	Command     string `json:"command"`
	Text        string `json:"text"`
	TeamID      string `json:"team_id"`
	ChannelID   string `json:"channel_id"`
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name"`
	ResponseURL string `json:"response_url"`
	TriggerID   string `json:"trigger_id"`
}

// ephemeral is an acknowledgement that only the asker sees.
type ephemeral struct {
	Type string `json:"response_type"`
	Text string `json:"text"`
}

func whisper(text string) ephemeral { return ephemeral{"ephemeral", text} }

// command takes a question that is asked with /ask. Its answer goes to the asker alone.
func (s *Slack) command(ctx context.Context, c command) (response any, err error) {
	text := s.plain(c.Text)
	switch {
	case c.Command != commandAsk:
		s.cfg.Log.Debug("a command that is not ours", slog.String("command", c.Command))
		return nil, nil
	case text == "" || strings.EqualFold(text, "help"):
		return whisper(sayUsage), nil
	case !s.mayRespond(c.ResponseURL):
		s.cfg.Log.Warn("a command wants its answer elsewhere than at Slack and was ignored")
		return nil, nil
	}
	receipt, err := s.desk.Accept(ctx, s, chat.Message{
		Place: chat.Place{Platform: s.Name(), Team: c.TeamID, Channel: c.ChannelID},
		User:  c.UserID, Name: c.UserName, Text: text, Via: chat.Command,
		Outside: s.state.isForeign(c.TeamID), ReplyURL: c.ResponseURL, Keys: keyed("command:", c.TriggerID),
	})
	if err != nil {
		return nil, err
	}
	return whisper(cmp.Or(receipt.Notice, sayLooking)), nil
}

// keyed is a key, where there is an id to make it of.
func keyed(prefix, id string) []string {
	if id == "" {
		return nil
	}
	return []string{prefix + id}
}
