package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"citebot/internal/chat"
)

// An envelope is an event with what surrounds it:
// https://docs.slack.dev/apis/events-api/#callback-field
type envelope struct {
	Type      string          `json:"type"`
	Challenge string          `json:"challenge"`
	TeamID    string          `json:"team_id"`
	EventID   string          `json:"event_id"`
	ExtShared bool            `json:"is_ext_shared_channel"`
	Event     json.RawMessage `json:"event"`
}

// An event is what the events about messages have in common.
type event struct {
	Type        string    `json:"type"`
	SubType     string    `json:"subtype"`
	User        string    `json:"user"`
	BotID       string    `json:"bot_id"`
	Text        string    `json:"text"`
	TS          string    `json:"ts"`
	ThreadTS    string    `json:"thread_ts"`
	Channel     string    `json:"channel"`
	ChannelType string    `json:"channel_type"`
	ClientMsgID string    `json:"client_msg_id"`
	DeletedTS   string    `json:"deleted_ts"`
	Message     *said     `json:"message"`
	Previous    *said     `json:"previous_message"`
	Edited      *struct{} `json:"edited"`
}

// said is the message inside an event about a change of it.
type said struct {
	SubType  string    `json:"subtype"`
	User     string    `json:"user"`
	BotID    string    `json:"bot_id"`
	Text     string    `json:"text"`
	TS       string    `json:"ts"`
	ThreadTS string    `json:"thread_ts"`
	Edited   *struct{} `json:"edited"`
}

// knownKinds are the events and interactions that the bot listens to.
var knownKinds = []string{"message", "app_mention", "app_home_opened", "assistant_thread_started", "agent_session_stopped",
	"app_uninstalled", "tokens_revoked", "block_actions", "view_submission", "message_action"}

// event deals with one event. Which they are stands in the app's manifest; others are
// ignored.
func (s *Slack) event(ctx context.Context, e envelope) error {
	var kind struct {
		Type string `json:"type"`
	}
	if !s.decode("event", e.Event, &kind) {
		return nil
	}
	s.metrics.Event(kind.Type)
	switch kind.Type {
	case "message", "app_mention":
		var m event
		if !s.decode(kind.Type, e.Event, &m) {
			return nil
		}
		return s.message(ctx, e, m)
	case "app_home_opened":
		return s.opened(ctx, e)
	case "assistant_thread_started":
		return s.assistantStarted(ctx, e)
	case "agent_session_stopped":
		return s.stopped(ctx, e)
	case "app_uninstalled":
		s.state.revoke("the app was removed from the workspace: install it again and start the bot anew")
		s.cfg.Log.Error("the Slack app was removed from its workspace")
	case "tokens_revoked":
		var r struct {
			Tokens struct {
				Bot []string `json:"bot"`
			} `json:"tokens"`
		}
		if !s.decode(kind.Type, e.Event, &r) || len(r.Tokens.Bot) == 0 { // people's tokens are none of ours
			return nil
		}
		s.state.revoke("SLACK_BOT_TOKEN was revoked: install the app again and start the bot with the new token")
		s.cfg.Log.Error("the Slack app's token was revoked")
	}
	return nil
}

// message deals with something that was said, changed or deleted.
func (s *Slack) message(ctx context.Context, e envelope, m event) error {
	place := chat.Place{Platform: s.Name(), Team: e.TeamID, Channel: m.Channel}
	if e.ExtShared {
		s.rooms.Add(m.Channel, room{shared: true, until: time.Now().Add(roomFor)})
	}
	switch {
	case m.SubType == "message_changed" && m.Message != nil && m.Message.SubType == "tombstone":
		return s.desk.Withdraw(ctx, place, m.Message.TS)
	case m.SubType == "message_changed":
		return s.changed(ctx, e, m, place)
	case m.SubType == "message_deleted":
		return s.desk.Withdraw(ctx, place, m.DeletedTS)
	}
	return s.spoken(ctx, e, m)
}

// changed takes a question's new words. Link previews and our own edits are changes, too,
// but no person's: those have other words and a mark that they were edited.
func (s *Slack) changed(ctx context.Context, e envelope, m event, place chat.Place) error {
	now := m.Message
	if now == nil || now.Edited == nil || s.notAPerson(now.User, now.BotID) || m.Previous != nil && m.Previous.Text == now.Text {
		return nil
	}
	if !s.namesUs(now.Text) {
		_, err := s.desk.Edit(ctx, place, now.TS, s.plain(now.Text))
		return err
	}
	m.SubType, m.User, m.Text, m.TS, m.ThreadTS = now.SubType, now.User, now.Text, now.TS, now.ThreadTS
	m.Edited = now.Edited
	return s.spoken(ctx, e, m)
}

// editWithin is how late an edit may make a question of what was none.
const editWithin = 5 * time.Minute

// spoken hands the desk a message if it is for the bot.
func (s *Slack) spoken(ctx context.Context, e envelope, m event) error {
	via, why, err := s.via(ctx, e.TeamID, m)
	if err != nil {
		return err
	}
	if via == "" {
		s.cfg.Log.Debug("a message is not for the bot", slog.String("reason", why))
		return nil
	}
	id := e.TeamID + ":" + m.Channel + ":" + m.TS
	if m.Edited != nil {
		return s.reworded(ctx, e, m, id)
	}
	keys := []string{"message:" + id}
	if e.EventID != "" {
		keys = append(keys, "event:"+e.EventID)
	}
	if m.ClientMsgID != "" {
		keys = append(keys, "client:"+m.ClientMsgID)
	}
	return s.accept(ctx, e, m, via, keys)
}

func (s *Slack) accept(ctx context.Context, e envelope, m event, via chat.Via, keys []string) error {
	_, err := s.desk.Accept(ctx, s, chat.Message{
		Place: s.placeOf(e, m),
		ID:    m.TS, User: m.User, Text: s.plain(m.Text), Via: via,
		Outside: e.ExtShared, Sent: when(m.TS), Keys: keys,
	})
	return err
}

// reworded takes the new words of a message that names the bot. One that did not before
// becomes a question now, once, unless it is old.
func (s *Slack) reworded(ctx context.Context, e envelope, m event, id string) error {
	known, err := s.desk.Edit(ctx, s.placeOf(e, m), m.TS, s.plain(m.Text))
	if err != nil || known || time.Since(when(m.TS)) > editWithin {
		return err
	}
	return s.accept(ctx, e, m, chat.Mention, []string{"named:" + id})
}

func (s *Slack) placeOf(e envelope, m event) chat.Place {
	return chat.Place{Platform: s.Name(), Team: e.TeamID, Channel: m.Channel, Thread: cmp.Or(m.ThreadTS, m.TS)}
}

// Messages of these subtypes are words of a person; others tell of joins, topics, pins.
var spokenSubTypes = []string{"", "file_share", "thread_broadcast", "me_message"}

// via says how a message is for the bot; "" and why when it is not.
func (s *Slack) via(ctx context.Context, team string, m event) (via chat.Via, why string, err error) {
	place := s.placeOf(envelope{TeamID: team}, m)
	switch {
	case !slices.Contains(spokenSubTypes, m.SubType):
		return "", "subtype " + m.SubType, nil
	case s.notAPerson(m.User, m.BotID):
		return "", "not from a person", nil
	case s.namesUs(m.Text) || m.Type == "app_mention":
		return chat.Mention, "", nil
	case direct(m.Channel, m.ChannelType):
		return chat.Direct, "", nil
	case m.ThreadTS != "" && m.ThreadTS != m.TS:
		follows, err := s.desk.Follows(ctx, place)
		if !follows || namesSomeone.MatchString(m.Text) {
			return "", "in a thread, and not to the bot", err
		}
		return chat.FollowUp, "", err
	case !s.cfg.Rules.Channels[m.Channel].AutoAnswer:
		return "", "not named", nil
	case namesSomeone.MatchString(m.Text) || !chat.LooksLikeQuestion(s.plain(m.Text)):
		return "", "not a question to everybody", nil
	}
	return chat.Overheard, "", nil
}

// notAPerson is true of ourselves, other bots, and Slackbot.
func (s *Slack) notAPerson(user, bot string) bool {
	return user == "" || bot != "" || user == "USLACKBOT" || s.state.isSelf(user)
}

// direct reports whether a channel is a conversation of the bot with one person.
func direct(channel, kind string) bool {
	return kind == "im" || kind == "" && strings.HasPrefix(channel, "D")
}

var (
	namesSomeone = regexp.MustCompile(`<[@!][^>]+>`)
	reference    = regexp.MustCompile(`<([^<>]*)>`)
)

func (s *Slack) namesUs(text string) bool {
	self := s.state.self()
	return self != "" && (strings.Contains(text, "<@"+self+">") || strings.Contains(text, "<@"+self+"|"))
}

// plain is what a person wrote, without Slack's markup for references: links become their
// label, channels their name; mentions, our own above all, are left out.
// https://docs.slack.dev/messaging/formatting-message-text
func (s *Slack) plain(text string) string {
	text = reference.ReplaceAllStringFunc(text, func(ref string) string {
		target, label, _ := strings.Cut(ref[1:len(ref)-1], "|")
		switch {
		case strings.HasPrefix(target, "@") || strings.HasPrefix(target, "!"):
			return " "
		case strings.HasPrefix(target, "#"):
			return "#" + cmp.Or(label, target[1:])
		}
		return cmp.Or(label, target)
	})
	text = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text)
	return strings.TrimSpace(text)
}

// when is the time in a message's id; zero if it holds none.
func when(ts string) time.Time {
	seconds, _, _ := strings.Cut(ts, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0).Add(time.Second - 1) // ids are cut to the second
}

// opened shows the app's home, or puts suggestions into an empty conversation.
func (s *Slack) opened(ctx context.Context, e envelope) error {
	var o struct {
		User    string `json:"user"`
		Channel string `json:"channel"`
		Tab     string `json:"tab"`
	}
	if !s.decode("app_home_opened", e.Event, &o) {
		return nil
	}
	switch o.Tab {
	case "home":
		s.asides.Go(ctx, func(ctx context.Context) { s.publishHome(ctx, o.User) })
	case "messages":
		s.asides.Go(ctx, func(ctx context.Context) { s.suggest(ctx, o.Channel, "") })
	}
	return nil
}

// assistantStarted is the older surface's beginning of a conversation.
func (s *Slack) assistantStarted(ctx context.Context, e envelope) error {
	var a struct {
		Thread struct {
			Channel string `json:"channel_id"`
			TS      string `json:"thread_ts"`
		} `json:"assistant_thread"`
	}
	if s.decode("assistant_thread_started", e.Event, &a) {
		s.asides.Go(ctx, func(ctx context.Context) { s.suggest(ctx, a.Thread.Channel, a.Thread.TS) })
	}
	return nil
}

// stopped ends what goes on in a conversation.
func (s *Slack) stopped(ctx context.Context, e envelope) error {
	var o struct {
		Channel string `json:"channel"`
		Thread  string `json:"thread_ts"`
	}
	if !s.decode("agent_session_stopped", e.Event, &o) {
		return nil
	}
	return s.desk.Stop(ctx, chat.Place{Platform: s.Name(), Team: e.TeamID, Channel: o.Channel, Thread: o.Thread})
}
