package slacktest

import (
	"fmt"
	"slices"
	"strings"
)

// Kinds of event, as envelopes name them.
const (
	EventsAPI   = "events_api"
	Interactive = "interactive"
	Commands    = "slash_commands"
)

// An Event is one delivery to the bot. A copy can be changed and sent like the original; its
// Payload is shared.
type Event struct {
	Kind    string
	ID      string // event_id; "" for interactions and commands
	Payload map[string]any
	Attempt int    // retry_attempt
	Reason  string // retry_reason
}

// Inner is the event inside an events_api payload.
func (e Event) Inner() map[string]any { return object(e.Payload["event"]) }

// An Act is something a person did, and the events that tell the bot.
type Act struct {
	User        string
	Channel     string
	TS          string // the message said, changed, or acted upon
	Thread      string // the thread in which an answer belongs
	TriggerID   string
	ResponseURL string
	Events      []Event
	Envelopes   []string // of the events, as often as they were sent
}

// A Saying is what is said, and how.
type Saying struct {
	User      string
	Channel   string // "": the direct message with the bot
	Thread    string
	Text      string // in Slack's markup
	Mention   bool   // name the bot before the text
	Broadcast bool   // show a reply in the channel too
	File      string // the name of an attached file
	Subtype   string // any other: "channel_join", "bot_message", …
	BotID     string // of another app
}

// Say puts a message in a channel. Its events are the app_mention where the bot is named
// outside a direct message, then the message; both with the same ts and client_msg_id.
func (s *Server) Say(w Saying) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	m := s.said(w)
	if s.state.channel(m.Channel) == nil {
		s.t.Errorf("slacktest: %s speaks in %s, which is no channel; add it with AddChannel", w.User, m.Channel)
		return &Act{}
	}
	s.show(m)
	act := &Act{User: m.User, Channel: m.Channel, TS: m.TS, Thread: or(m.ThreadTS, m.TS)}
	if s.mentioned(m) {
		s.tell(act, s.mentionEvent(m))
	}
	s.tell(act, s.messageEvent(m, nil))
	return act
}

func (s *Server) said(w Saying) *Message {
	m := &Message{
		Channel: or(w.Channel, DirectOf(w.User)), TS: s.state.stamp(), ThreadTS: w.Thread, User: w.User, Text: w.Text,
		Subtype: w.Subtype, BotID: w.BotID, file: w.File,
	}
	switch {
	case w.Broadcast:
		m.Subtype = "thread_broadcast"
	case w.File != "":
		m.Subtype = "file_share"
	}
	if w.Mention {
		m.Text = "<@" + BotUser + "> " + w.Text
	}
	if w.BotID == "" && w.Subtype == "" {
		s.serial++
		m.ClientMsgID = fmt.Sprintf("%08x-aaaa-4bbb-8ccc-%012x", s.serial, s.serial)
	}
	return m
}

// mentioned tells whether a message makes an app_mention. There is none in direct messages.
func (s *Server) mentioned(m *Message) bool {
	kind := s.state.channel(m.Channel).Type
	return kind != DirectMessage && strings.Contains(m.Text, "<@"+BotUser+">")
}

// Mention says something to the bot in a channel.
func (s *Server) Mention(user, channel, text string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Text: text, Mention: true})
}

// MentionIn says something to the bot in a thread.
func (s *Server) MentionIn(user, channel, thread, text string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Thread: thread, Text: text, Mention: true})
}

// DM says something to the bot in a direct message.
func (s *Server) DM(user, text string) *Act { return s.Say(Saying{User: user, Text: text}) }

// Reply says something in a thread without naming the bot.
func (s *Server) Reply(user, channel, thread, text string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Thread: thread, Text: text})
}

// Upload shares a file with some words to the bot.
func (s *Server) Upload(user, channel, text, file string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Text: text, File: file, Mention: true})
}

// Broadcast says something to the bot in a thread and shows it in the channel too.
func (s *Server) Broadcast(user, channel, thread, text string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Thread: thread, Text: text, Mention: true, Broadcast: true})
}

// OtherBot posts as another app's bot, which names ours.
func (s *Server) OtherBot(channel, thread, text string) *Act {
	return s.Say(Saying{User: "U0OTHERBOT", BotID: "B0OTHERBOT", Channel: channel, Thread: thread, Text: text, Mention: true})
}

// Slackbot posts as Slackbot.
func (s *Server) Slackbot(channel, text string) *Act {
	return s.Say(Saying{User: "USLACKBOT", Channel: channel, Text: text, Mention: true})
}

// Join lets a user join a channel.
func (s *Server) Join(user, channel string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Text: "<@" + user + "> has joined the channel", Subtype: "channel_join"})
}

// OwnEcho is the message event that Slack sends of a post of the bot itself.
func (s *Server) OwnEcho(m Message) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	act := &Act{User: m.User, Channel: m.Channel, TS: m.TS, Thread: or(m.ThreadTS, m.TS)}
	s.tell(act, s.messageEvent(&m, nil))
	return act
}

// on finds the message that an act is about; without it the test is wrong. The lock is held.
func (s *Server) on(what, channel, ts string) (*channel, *Message) {
	m := s.state.find(channel, ts)
	if m == nil {
		s.t.Errorf("slacktest: %s: there is no message %s in %s", what, ts, channel)
		m = &Message{Channel: channel, TS: ts}
	}
	return s.state.channel(channel), m
}

// Edit changes what a person's message says: message_changed with edited, and one more
// app_mention with edited where it names the bot.
func (s *Server) Edit(channel, ts, text string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	_, m := s.on("Edit", channel, ts)
	before := *m
	if s.mentioned(m) && !strings.Contains(text, "<@"+BotUser+">") {
		text = "<@" + BotUser + "> " + text
	}
	s.state.change(m, text, nil)
	act := &Act{User: m.User, Channel: channel, TS: ts, Thread: or(m.ThreadTS, ts)}
	s.tell(act, s.changedEvent(m, &before))
	if s.mentioned(m) {
		s.tell(act, s.mentionEvent(m))
	}
	return act
}

// Unfurl adds a link's preview to a message: message_changed without edited.
func (s *Server) Unfurl(channel, ts string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m := s.on("Unfurl", channel, ts)
	before := *m
	m.preview = true
	act := &Act{User: m.User, Channel: channel, TS: ts, Thread: or(m.ThreadTS, ts)}
	s.tell(act, s.changedEvent(m, &before))
	return act
}

// Delete removes a message: message_deleted, or, for a root with replies, the tombstone in a
// message_changed.
func (s *Server) Delete(channel, ts string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	ch, m := s.on("Delete", channel, ts)
	before := *m
	tombstone := s.state.remove(ch, m)
	act := &Act{User: before.User, Channel: channel, TS: ts, Thread: or(before.ThreadTS, ts)}
	s.tell(act, s.deletedEvent(m, &before, tombstone))
	return act
}

// React adds a person's reaction to a message.
func (s *Server) React(user, channel, ts, name string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	_, m := s.on("React", channel, ts)
	m.Reactions = append(slices.Clip(m.Reactions), name+" "+user)
	act := &Act{User: user, Channel: channel, TS: ts, Thread: or(m.ThreadTS, ts)}
	s.tell(act, map[string]any{
		"type": "reaction_added", "user": user, "reaction": name, "item_user": m.User, "event_ts": s.state.stamp(),
		"item": map[string]any{"type": "message", "channel": channel, "ts": ts},
	})
	return act
}

// OpenHome opens the app's home tab.
func (s *Server) OpenHome(user string) *Act { return s.openApp(user, "home") }

// OpenMessages opens the app's messages tab.
func (s *Server) OpenMessages(user string) *Act { return s.openApp(user, "messages") }

func (s *Server) openApp(user, tab string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	inner := map[string]any{"type": "app_home_opened", "user": user, "channel": DirectOf(user), "tab": tab, "event_ts": s.state.stamp()}
	if home := s.state.homes[user]; home != nil && tab == "home" {
		inner["view"] = home.wire(nil)
	}
	act := &Act{User: user, Channel: DirectOf(user)}
	s.tell(act, inner)
	return act
}

// Stop presses stop while the bot answers in a thread: agent_session_stopped. Streams there
// are halted.
func (s *Server) Stop(user, channel, thread string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	ch := s.state.channel(channel)
	delete(ch.status, thread)
	act := &Act{User: user, Channel: channel, Thread: thread}
	s.tell(act, map[string]any{
		"type": "agent_session_stopped", "channel": channel, "thread_ts": thread, "user": user,
		"streaming_message_ts": s.halt(ch, thread), "event_ts": s.state.stamp(),
	})
	return act
}

// Uninstall removes the app: app_uninstalled. The tokens stay good until Revoke.
func (s *Server) Uninstall() *Act { return s.Inner(map[string]any{"type": "app_uninstalled"}) }

// TokensRevoked tells that the bot's token was revoked. It stays good until Revoke.
func (s *Server) TokensRevoked() *Act {
	return s.Inner(map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []any{}, "bot": []any{BotUser}}})
}

// Inner wraps any inner event in an event_callback, subscribed or not.
func (s *Server) Inner(inner map[string]any) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Act{Channel: text(inner["channel"]), Events: []Event{s.callback(inner)}}
}

// Challenge is the url_verification of an HTTP endpoint.
func (s *Server) Challenge(challenge string) Event {
	return Event{Kind: EventsAPI, Payload: map[string]any{"type": "url_verification", "token": "verification", "challenge": challenge}}
}

// RateLimited is Slack's word that it holds events back.
func (s *Server) RateLimited() Event {
	return Event{Kind: EventsAPI, Payload: map[string]any{
		"type": "app_rate_limited", "token": "verification", "team_id": Team, "api_app_id": App, "minute_rate_limited": s.now().Unix() / 60 * 60,
	}}
}
