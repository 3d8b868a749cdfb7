package discordtest

import (
	"slices"
	"strings"
)

// An Event is one delivery to the bot. A copy can be changed and sent like the original; its
// Data is shared.
type Event struct {
	Type  string // "MESSAGE_CREATE"
	Guild string // decides the shard; "" for direct messages
	Data  map[string]any
}

// An Act is something a person did, and the events that tell the bot.
type Act struct {
	User        string
	Channel     string
	Message     string // the message said, changed, or acted upon; "" for a command
	Thread      string // the thread begun
	Interaction string // its id; "" for a message
	Events      []Event
	Sessions    int // that got its events, by the latest Send
}

// asked is what an answer refers to.
func (a *Act) asked() string { return or(a.Interaction, a.Message) }

// A Saying is what is said, and how.
type Saying struct {
	User    string
	Channel string // "": the direct message with the bot
	Text    string // in Discord's markup
	Mention bool   // name the bot before the text
	ReplyTo string
	Quiet   bool           // a reply that calls nobody
	Type    int            // a system message: MemberJoined, PinAdded, …
	Webhook string         // the id of a webhook that speaks
	More    map[string]any // keys of the message object instead of, or besides, those it has
}

// Say puts a message in a channel.
func (s *Server) Say(w Saying) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	ch := s.channelFor(w.User, w.Channel)
	if ch == nil {
		return &Act{}
	}
	m := s.said(w, ch)
	s.show(m)
	if s.isQuestion(m) {
		s.state.asked(m.ID)
	}
	return &Act{User: w.User, Channel: ch.ID, Message: m.ID, Events: []Event{s.created(m)}}
}

func (s *Server) channelFor(user, id string) *channel {
	ch := s.state.channel(or(id, DirectOf(user)))
	if ch == nil {
		s.t.Errorf("discordtest: %s in %s, which is no channel; add it with AddChannel", user, id)
	}
	return ch
}

func (s *Server) said(w Saying, ch *channel) *Message {
	m := &Message{
		ID: s.state.stamp(), Channel: ch.ID, Guild: ch.Guild, User: w.User, Type: w.Type, Content: w.Text, Webhook: w.Webhook, kinds: w.More,
	}
	if w.Mention {
		m.Content = "<@" + BotUser + "> " + w.Text
	}
	if w.ReplyTo != "" {
		m.Type, m.ReplyTo, m.allowed = Reply, w.ReplyTo, map[string]any{"parse": []any{"users"}, "replied_user": !w.Quiet}
	}
	return m
}

// isQuestion tells whether a message is one that Tally counts.
func (s *Server) isQuestion(m *Message) bool {
	if s.state.users[m.User].Bot || m.Webhook != "" || m.Type != Default && m.Type != Reply {
		return false
	}
	return m.Guild == "" || slices.Contains(s.mentioned(m), BotUser)
}

// Mention says something to the bot in a channel or thread.
func (s *Server) Mention(user, channel, text string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Text: text, Mention: true})
}

// DM says something to the bot in a direct message.
func (s *Server) DM(user, text string) *Act { return s.Say(Saying{User: user, Text: text}) }

// Chat says something in a channel without naming the bot.
func (s *Server) Chat(user, channel, text string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Text: text})
}

// Reply answers a message. With ping its author is called, which names the bot where it is
// the bot's.
func (s *Server) Reply(user, channel, message, text string, ping bool) *Act {
	return s.Say(Saying{User: user, Channel: channel, Text: text, ReplyTo: message, Quiet: !ping})
}

// OtherBot posts as another app's bot, which names ours.
func (s *Server) OtherBot(channel, text string) *Act {
	const id = "1302000000000000399"
	s.AddUser(User{ID: id, Name: "Otherbot", Bot: true})
	return s.Say(Saying{User: id, Channel: channel, Text: text, Mention: true})
}

// WebhookSays posts as a webhook, which names the bot.
func (s *Server) WebhookSays(channel, text string) *Act {
	const id = "1302000000000000398"
	return s.Say(Saying{User: id, Webhook: id, Channel: channel, Text: text, Mention: true})
}

// Join is the system message of someone who joins a server.
func (s *Server) Join(user, channel string) *Act {
	return s.Say(Saying{User: user, Channel: channel, Type: MemberJoined})
}

// OwnEcho is the event that Discord sends of a post of the bot itself, once more.
func (s *Server) OwnEcho(m Message) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Act{User: m.User, Channel: m.Channel, Message: m.ID, Events: []Event{s.created(&m)}}
}

// on finds the message that an act is about; without it the test is wrong. The lock is held.
func (s *Server) on(what, channel, id string) *Message {
	m := s.state.find(channel, id)
	if m == nil {
		s.t.Errorf("discordtest: %s: there is no message %s in %s", what, id, channel)
		m = &Message{Channel: channel, ID: id}
		if ch := s.state.channel(channel); ch != nil {
			m.Guild = ch.Guild
		}
	}
	return m
}

// Edit changes what a person's message says.
func (s *Server) Edit(channel, id, text string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	m := s.on("Edit", channel, id)
	bot := "<@" + BotUser + ">"
	if strings.Contains(m.Content, bot) && !strings.Contains(text, bot) {
		text = bot + " " + text
	}
	m.keep()
	m.Content, m.Edited = text, true
	s.name(m)
	return &Act{User: m.User, Channel: channel, Message: id, Events: []Event{s.updated(m)}}
}

// Unfurl adds a link's preview to a message: MESSAGE_UPDATE without an edit.
func (s *Server) Unfurl(channel, id string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.on("Unfurl", channel, id)
	m.Embeds = append(slices.Clip(m.Embeds), map[string]any{"type": "link", "url": "https://example.org/", "title": "Example"})
	return &Act{User: m.User, Channel: channel, Message: id, Events: []Event{s.updated(m)}}
}

// Delete removes a message, as its author or a moderator does.
func (s *Server) Delete(channel, id string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	m := s.on("Delete", channel, id)
	e := s.deleted(m)
	if s.state.channels[channel] != nil {
		s.remove(m)
	}
	return &Act{User: m.User, Channel: channel, Message: id, Events: []Event{e}}
}

// StartThread begins a thread from a message; the thread's id is the message's.
func (s *Server) StartThread(user, channel, message, name string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	m := s.on("StartThread", channel, message)
	th := s.thread(&s.state.channel(channel).Channel, m, user, name)
	return &Act{User: user, Channel: th.ID, Message: message, Thread: th.ID, Events: []Event{s.threadCreated(th), s.updated(m)}}
}

func (s *Server) threadCreated(th *channel) Event {
	o := s.channelObject(&th.Channel)
	o["newly_created"] = true
	return Event{Type: "THREAD_CREATE", Guild: th.Guild, Data: o}
}

// ForumPost begins a thread in a forum. Its first message has the thread's id.
func (s *Server) ForumPost(user, forum, title, text string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	in := s.channelFor(user, forum)
	if in == nil {
		return &Act{}
	}
	th := s.thread(&in.Channel, nil, user, title)
	m := &Message{ID: th.ID, Channel: th.ID, Guild: th.Guild, User: user, Content: text}
	s.show(m)
	s.state.asked(m.ID)
	return &Act{User: user, Channel: th.ID, Message: m.ID, Thread: th.ID, Events: []Event{s.threadCreated(th), s.created(m)}}
}

// Inner is any event, as it is.
func (s *Server) Inner(kind, guild string, data map[string]any) *Act {
	return &Act{Channel: text(data["channel_id"]), Events: []Event{{Type: kind, Guild: guild, Data: data}}}
}

// Leave takes the bot out of a server: GUILD_DELETE.
func (s *Server) Leave(guild string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.state.worlds[guild]; w != nil {
		w.WithoutBot = true
	}
	return &Act{Events: []Event{{Type: "GUILD_DELETE", Guild: guild, Data: map[string]any{"id": guild}}}}
}
