package slacktest

import (
	"fmt"
	"slices"
	"time"
)

// This file writes the events that Slack sends. Everything in it runs under the server's lock.
// https://docs.slack.dev/reference/events

// tell adds an event to an act, if the app subscribes to it.
func (s *Server) tell(a *Act, inner map[string]any) {
	if s.subscribed(inner) {
		a.Events = append(a.Events, s.callback(inner))
	}
}

// echo sends the bot what it did itself.
func (s *Server) echo(inner map[string]any) {
	if s.Echo && s.subscribed(inner) {
		e := s.callback(inner)
		s.background(func() { s.SendEvents(e) })
	}
}

// The names of the subscriptions to messages.
var messageKinds = map[string]string{
	string(PublicChannel): "message.channels", string(PrivateChannel): "message.groups",
	string(DirectMessage): "message.im", string(GroupMessage): "message.mpim",
}

func (s *Server) subscribed(inner map[string]any) bool {
	name := text(inner["type"])
	if name == "message" {
		name = messageKinds[text(inner["channel_type"])]
	}
	return s.Events == nil || slices.Contains(s.Events, name)
}

// callback wraps an inner event.
func (s *Server) callback(inner map[string]any) Event {
	s.serial++
	id := fmt.Sprintf("Ev%09X", s.serial)
	shared := false
	if ch := s.state.channels[text(inner["channel"])]; ch != nil {
		shared = ch.ExtShared
	}
	return Event{Kind: EventsAPI, ID: id, Payload: map[string]any{
		"token": "verification", "team_id": Team, "context_team_id": Team, "context_enterprise_id": nil, "api_app_id": App,
		"event": inner, "type": "event_callback", "event_id": id, "event_time": s.now().Unix(), "is_ext_shared_channel": shared,
		"authorizations": []any{map[string]any{
			"enterprise_id": nil, "team_id": Team, "user_id": BotUser, "is_bot": true, "is_enterprise_install": false,
		}},
		"event_context": fmt.Sprintf("4-%x", s.serial),
	}}
}

func (s *Server) mentionEvent(m *Message) map[string]any {
	inner := s.wire(m, false)
	inner["type"] = "app_mention"
	for _, key := range []string{"reply_count", "latest_reply"} {
		delete(inner, key)
	}
	return s.located(inner, m)
}

// messageEvent is the message itself, with other fields on top.
func (s *Server) messageEvent(m *Message, more map[string]any) map[string]any {
	inner := s.wire(m, false)
	if m.Subtype == "thread_broadcast" {
		if root := s.state.find(m.Channel, m.ThreadTS); root != nil {
			inner["root"] = s.wire(root, false)
		}
	}
	for key, value := range more {
		inner[key] = value
	}
	inner["channel_type"] = string(s.state.channel(m.Channel).Type)
	return s.located(inner, m)
}

// located adds where it was said, and what is added where others take part.
func (s *Server) located(inner map[string]any, m *Message) map[string]any {
	inner["channel"] = m.Channel
	if inner["event_ts"] == nil {
		inner["event_ts"] = m.TS
	}
	if team := s.state.users[m.User].Team; team != "" {
		inner["user_team"], inner["source_team"] = team, team
	}
	return inner
}

// A change is an event of its own, about a message.
func (s *Server) change(m *Message, subtype string, about map[string]any) map[string]any {
	ts := s.state.stamp()
	about["type"], about["subtype"], about["hidden"] = "message", subtype, true
	about["channel"], about["channel_type"] = m.Channel, string(s.state.channel(m.Channel).Type)
	about["ts"], about["event_ts"] = ts, ts
	return about
}

func (s *Server) changedEvent(m, before *Message) map[string]any {
	return s.change(m, "message_changed", map[string]any{"message": s.wire(m, false), "previous_message": s.wire(before, false)})
}

func (s *Server) deletedEvent(m, before *Message, tombstone bool) map[string]any {
	if tombstone {
		return s.changedEvent(m, before)
	}
	return s.change(m, "message_deleted", map[string]any{"previous_message": s.wire(before, false), "deleted_ts": before.TS})
}

// who is a user as interactions name them.
func (s *Server) who(user string) map[string]any {
	u := s.state.users[user]
	return map[string]any{"id": user, "username": u.Name, "name": u.Name, "team_id": or(u.Team, Team)}
}

// where is a channel as interactions and commands name it.
func (s *Server) where(channel string) map[string]any {
	return map[string]any{"id": channel, "name": s.nameOf(channel)}
}

func (s *Server) nameOf(channel string) string {
	ch := s.state.channel(channel)
	switch {
	case ch == nil:
		return "unknown"
	case ch.Type == DirectMessage:
		return "directmessage"
	case ch.Type == PrivateChannel:
		return "privategroup"
	}
	return ch.Name
}

// interaction is what all of them say. https://docs.slack.dev/reference/interaction-payloads
func (s *Server) interaction(kind, user string, more map[string]any) Event {
	payload := map[string]any{
		"type": kind, "token": "verification", "api_app_id": App, "team": map[string]any{"id": Team, "domain": "citebot"}, "user": s.who(user),
		"enterprise": nil, "is_enterprise_install": false,
	}
	for key, value := range more {
		payload[key] = value
	}
	return Event{Kind: Interactive, Payload: payload}
}

// actionTS is when something was pressed.
func actionTS(at time.Time) string { return fmt.Sprintf("%d.%06d", at.Unix(), at.Nanosecond()/1000) }
