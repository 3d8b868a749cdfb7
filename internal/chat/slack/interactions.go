package slack

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"strings"

	"citebot/internal/chat"
)

// An interaction is a click, a sent modal or a message shortcut:
// https://docs.slack.dev/reference/interaction-payloads
type interaction struct {
	Type        string `json:"type"`
	CallbackID  string `json:"callback_id"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	ExtShared   bool   `json:"is_ext_shared_channel"`

	Team    struct{ ID string } `json:"team"`
	Channel struct{ ID string } `json:"channel"`
	User    struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
		TeamID   string `json:"team_id"`
	} `json:"user"`
	Message   said `json:"message"`
	Container struct {
		IsEphemeral bool   `json:"is_ephemeral"`
		ThreadTS    string `json:"thread_ts"`
	} `json:"container"`
	Actions []action `json:"actions"`
	View    struct {
		ID              string `json:"id"`
		CallbackID      string `json:"callback_id"`
		PrivateMetadata string `json:"private_metadata"`
		State           struct {
			Values map[string]map[string]struct {
				Value string `json:"value"`
			} `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

type action struct {
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
	ActionTS string `json:"action_ts"`
}

func (s *Slack) interact(ctx context.Context, i interaction) error {
	s.metrics.Event(i.Type)
	switch i.Type {
	case "block_actions":
		for _, a := range i.Actions {
			if err := s.click(ctx, i, a); err != nil {
				return err
			}
		}
	case "view_submission":
		return s.submitted(ctx, i)
	case "message_action":
		return s.pointed(ctx, i)
	}
	return nil
}

// click deals with one of our buttons. What it is about is a turn's number, which our own
// message carried; that the person may see that message is Slack's to know.
func (s *Slack) click(ctx context.Context, i interaction, a action) error {
	number, good := strings.CutPrefix(a.Value, valueGood)
	turn, err := strconv.ParseInt(strings.TrimPrefix(number, valueBad), 10, 64)
	if err != nil {
		return nil // a link's click, or an older version's button
	}
	m, ok, err := s.desk.Asked(ctx, s.Name(), turn)
	if err != nil || !ok {
		return err
	}
	switch a.ActionID {
	case actionFeedback:
		return s.judged(ctx, i, a, chat.Feedback{Turn: turn, Good: good})
	case actionPerson:
		return s.callPerson(ctx, i, m, turn)
	case actionShare:
		return s.share(ctx, i, m, turn)
	}
	return nil
}

// judged stores what someone thinks of an answer; who did not like it is asked why.
func (s *Slack) judged(ctx context.Context, i interaction, a action, f chat.Feedback) error {
	f.Platform, f.User, f.Keys = s.Name(), i.User.ID, keyed("click:"+i.User.ID+":", a.ActionTS)
	fresh, err := s.desk.Feedback(ctx, f)
	if err != nil || !fresh {
		return err
	}
	s.asides.Go(ctx, func(ctx context.Context) {
		if f.Good {
			s.tell(ctx, i, sayThanks)
			return
		}
		if _, err := s.api.OpenViewContext(ctx, i.TriggerID, feedbackView(f.Turn)); err != nil {
			s.cfg.Log.Warn("the question what was wrong could not be asked", slog.Any("error", safe(err)))
			s.tell(ctx, i, sayThanks)
		}
	})
	return nil
}

// submitted stores what someone wrote about an answer.
func (s *Slack) submitted(ctx context.Context, i interaction) error {
	turn, err := strconv.ParseInt(i.View.PrivateMetadata, 10, 64)
	if err != nil || i.View.CallbackID != viewFeedback {
		return nil
	}
	if _, ok, err := s.desk.Asked(ctx, s.Name(), turn); err != nil || !ok {
		return err
	}
	comment := i.View.State.Values[blockComment][blockComment].Value
	_, err = s.desk.Feedback(ctx, chat.Feedback{
		Platform: s.Name(), Turn: turn, User: i.User.ID, Comment: strings.TrimSpace(comment), Keys: keyed("view:", i.View.ID),
	})
	return err
}

// callPerson calls someone to a thread, once. Where the question was asked in private they
// are called in the channel that the configuration names, with the question.
func (s *Slack) callPerson(ctx context.Context, i interaction, asked chat.Message, turn int64) error {
	place, key := asked.Place, "person:"+asked.Team+":"+asked.Channel+":"+asked.Thread
	if s.isPrivate(asked) {
		place.Channel, place.Thread = s.person(asked.Channel).Channel, ""
		key = "person:" + strconv.FormatInt(turn, 10)
	}
	if s.person(asked.Channel).ID == "" || place.Channel == "" {
		return nil
	}
	receipt, err := s.desk.Accept(ctx, s, chat.Message{
		Place: place, User: i.User.ID, Name: s.person(asked.Channel).ID, Via: chat.Handoff, Of: turn, Keys: []string{key},
	})
	if err != nil {
		return err
	}
	switch {
	case !receipt.Fresh:
		s.asides.Go(ctx, func(ctx context.Context) { s.tell(ctx, i, sayCalledAlready) })
	case s.isPrivate(asked):
		s.asides.Go(ctx, func(ctx context.Context) { s.tell(ctx, i, sayCalled) })
	}
	return nil
}

// isPrivate reports whether only the asker and the bot see a question.
func (s *Slack) isPrivate(m chat.Message) bool {
	return m.Via == chat.Command || direct(m.Channel, "")
}

// share shows a private answer to the channel it was asked in. Only its asker may.
func (s *Slack) share(ctx context.Context, i interaction, asked chat.Message, turn int64) error {
	if asked.User != i.User.ID || asked.Via != chat.Command {
		return nil
	}
	place := asked.Place
	place.Thread = ""
	receipt, err := s.desk.Accept(ctx, s, chat.Message{
		Place: place, ID: "share of " + strconv.FormatInt(turn, 10), User: i.User.ID, Name: cmp.Or(asked.Name, name(i)),
		Via: chat.Share, Of: turn, Once: true, Keys: keyed("share:", i.TriggerID),
	})
	if receipt.Before {
		s.asides.Go(ctx, func(ctx context.Context) { s.tell(ctx, i, saySharedAlready) })
	}
	return err
}

func name(i interaction) string { return cmp.Or(i.User.Name, i.User.Username, "Someone") }

// pointed answers a message that someone pointed at, in its thread. What was answered
// there before is not answered again.
func (s *Slack) pointed(ctx context.Context, i interaction) error {
	if i.CallbackID != callbackAnswer {
		return nil
	}
	place := chat.Place{
		Platform: s.Name(), Team: i.Team.ID, Channel: i.Channel.ID, Thread: cmp.Or(i.Message.ThreadTS, i.Message.TS),
	}
	text := s.plain(i.Message.Text)
	if text == "" || s.state.isSelf(i.Message.User) || s.state.isSelf(i.Message.BotID) {
		s.asides.Go(ctx, func(ctx context.Context) { s.tell(ctx, i, sayNothingToAnswer) })
		return nil
	}
	receipt, err := s.desk.Accept(ctx, s, chat.Message{
		Place: place, ID: i.Message.TS, User: i.User.ID, Text: text, Via: chat.Shortcut, Once: true,
		Outside: i.ExtShared || s.state.isForeign(i.User.TeamID) || direct(place.Channel, ""), // whoever reads that conversation
		Keys:    keyed("shortcut:", i.TriggerID),
	})
	if receipt.Before {
		s.asides.Go(ctx, func(ctx context.Context) { s.tell(ctx, i, sayAnsweredAlready) })
	}
	return err
}

// tell says something to the person behind an interaction, where they are.
func (s *Slack) tell(ctx context.Context, i interaction, text string) {
	place := chat.Place{
		Platform: s.Name(), Team: i.Team.ID, Channel: i.Channel.ID, Thread: cmp.Or(i.Message.ThreadTS, i.Container.ThreadTS),
	}
	if i.Container.IsEphemeral || !s.whisperIn(ctx, place, i.User.ID, text) {
		s.respondText(ctx, i.ResponseURL, text)
	}
}
