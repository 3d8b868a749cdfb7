package discordtest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// Messages over REST. All runs under the server's lock.

// Types of message. https://discord.com/developers/docs/resources/message#message-object-message-types
const (
	Default        = 0
	PinAdded       = 6
	MemberJoined   = 7
	ThreadCreated  = 18
	Reply          = 19
	CommandReply   = 20
	ThreadStarter  = 21
	ContextCommand = 23
)

// Flags of a message. https://discord.com/developers/docs/resources/message#message-object-message-flags
const (
	SuppressEmbeds  int64 = 1 << 2
	EphemeralFlag   int64 = 1 << 6
	Loading         int64 = 1 << 7
	SuppressNotices int64 = 1 << 12
	ComponentsV2    int64 = 1 << 15
)

func (s *Server) getMessages(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	all := []any{}
	if s.botMay(&ch.Channel)&ReadHistory == 0 && ch.Guild != "" {
		return done(all) // Discord shows an empty channel
	}
	for _, m := range slices.Backward(between(ch.messages, c)) {
		all = append(all, s.seen(m))
	}
	return done(all)
}

// between are the messages that a query asks for, oldest first.
// https://discord.com/developers/docs/resources/message#get-channel-messages
func between(all []*Message, c *call) []*Message {
	limit, _ := strconv.Atoi(c.query.Get("limit"))
	if limit <= 0 || limit > 100 {
		limit = 50
	}
	first := func(id string) int { // index of the first message after id
		n := slices.IndexFunc(all, func(m *Message) bool { return later(m.ID, id) })
		if n < 0 {
			return len(all)
		}
		return n
	}
	from, to := max(0, len(all)-limit), len(all)
	switch {
	case c.query.Get("after") != "":
		from = first(c.query.Get("after"))
		to = min(len(all), from+limit)
	case c.query.Get("before") != "":
		to = first(plus(c.query.Get("before"), -1))
		from = max(0, to-limit)
	case c.query.Get("around") != "":
		at := first(plus(c.query.Get("around"), -1))
		from, to = max(0, at-limit/2), min(len(all), at+limit/2)
	}
	return all[from:to]
}

// later compares ids as numbers.
func later(a, b string) bool {
	x, _ := strconv.ParseInt(a, 10, 64)
	y, _ := strconv.ParseInt(b, 10, 64)
	return x > y
}

func (s *Server) getMessage(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	m := ch.byID[c.Message]
	if m == nil {
		return no(http.StatusNotFound, 10008)
	}
	return done(s.seen(m))
}

// sendable says why the bot cannot write in a channel.
func (s *Server) sendable(ch *channel) (answer, bool) {
	may := s.botMay(&ch.Channel)
	switch {
	case ch.Type == DirectMessage && ch.Refuses:
		return no(http.StatusForbidden, 50007), false
	case ch.Type == ForumChannel:
		return no(http.StatusBadRequest, 50008), false
	case ch.isThread() && ch.Locked:
		return no(http.StatusBadRequest, 160005), false
	case ch.isThread() && may&SendInThreads == 0, !ch.isThread() && ch.Guild != "" && may&SendMessages == 0:
		return no(http.StatusForbidden, 50013), false
	}
	return answer{}, true
}

func (s *Server) createMessage(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	if a, ok := s.sendable(ch); !ok {
		return a
	}
	nonce := nonceOf(c.Body)
	if old := s.nonces[ch.ID+" "+nonce]; nonce != "" && truth(c.Body["enforce_nonce"]) && old != nil {
		return done(s.seen(old))
	}
	m := &Message{ID: s.state.stamp(), Channel: ch.ID, Guild: ch.Guild, User: BotUser, Flags: number(c.Body["flags"]), Nonce: nonce, Via: c.Route}
	if a, ok := s.refer(ch, m, object(c.Body["message_reference"])); !ok {
		return a
	}
	m.fill(c.Body)
	if ch.Guild != "" && s.botMay(&ch.Channel)&EmbedLinks == 0 {
		m.Embeds = nil
	}
	if m.empty() {
		return no(http.StatusBadRequest, 50006)
	}
	ch.Archived = false // a message wakes a thread
	s.keepNonce(ch.ID+" "+nonce, m)
	s.post(m)
	return done(s.seen(m))
}

// nonceOf reads a nonce, which may be a number.
func nonceOf(o map[string]any) string {
	if n := number(o["nonce"]); n != 0 {
		return strconv.FormatInt(n, 10)
	}
	return text(o["nonce"])
}

// keepNonce remembers a nonce for the few minutes in which Discord does.
func (s *Server) keepNonce(key string, m *Message) {
	if m.Nonce == "" {
		return
	}
	s.nonces[key] = m
	if s.nonceOrder = append(s.nonceOrder, key); len(s.nonceOrder) > keptNonces {
		delete(s.nonces, s.nonceOrder[0])
		s.nonceOrder = s.nonceOrder[1:]
	}
}

// ForgetNonces makes nonces new again, as some minutes do.
func (s *Server) ForgetNonces() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.nonces)
	s.nonceOrder = nil
}

// refer makes a message a reply. To a message that is gone it becomes a plain message, or
// nothing where it must not.
// https://discord.com/developers/docs/resources/message#message-reference-structure
func (s *Server) refer(ch *channel, m *Message, ref map[string]any) (answer, bool) {
	id := text(ref["message_id"])
	if id == "" {
		return answer{}, true
	}
	must := ref["fail_if_not_exists"] == nil || truth(ref["fail_if_not_exists"])
	switch {
	case ch.Guild != "" && s.botMay(&ch.Channel)&ReadHistory == 0:
		return no(http.StatusBadRequest, 160002), false
	case ch.byID[id] != nil:
		m.Type, m.ReplyTo, m.replied = Reply, id, ch.byID[id].User
	case must:
		return answer{no: refusal{
			status: http.StatusBadRequest, code: 50035, message: codeNames[50035], errors: []string{"message_reference: Unknown message"},
		}}, false
	}
	return answer{}, true
}

func (m *Message) empty() bool {
	return m.Content == "" && len(m.Embeds) == 0 && len(m.Components) == 0
}

// post shows a message of the bot, and tells the gateway as of any other.
func (s *Server) post(m *Message) {
	s.show(m)
	s.count(m, 1)
	if m.For == "" {
		s.dispatch(s.created(m))
	}
}

func (s *Server) created(m *Message) Event {
	return Event{Type: "MESSAGE_CREATE", Guild: m.Guild, Data: s.message(m, true)}
}

func (s *Server) updated(m *Message) Event {
	return Event{Type: "MESSAGE_UPDATE", Guild: m.Guild, Data: s.message(m, true)}
}

func (s *Server) deleted(m *Message) Event {
	data := map[string]any{"id": m.ID, "channel_id": m.Channel}
	if m.Guild != "" {
		data["guild_id"] = m.Guild
	}
	return Event{Type: "MESSAGE_DELETE", Guild: m.Guild, Data: data}
}

// change edits a message of the bot.
func (s *Server) change(m *Message, o map[string]any) answer {
	before := *m
	m.keep()
	m.fill(o)
	s.name(m)
	if v, ok := o["flags"]; ok {
		m.Flags = m.Flags&^SuppressEmbeds | number(v)&SuppressEmbeds
	}
	if m.empty() {
		*m = before
		return no(http.StatusBadRequest, 50006)
	}
	m.Edited = !m.Deferred
	m.Deferred = false
	m.Flags &^= Loading
	if m.For == "" {
		s.dispatch(s.updated(m))
	}
	return done(s.message(m, false))
}

func (s *Server) editMessage(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	m := ch.byID[c.Message]
	switch {
	case m == nil:
		return no(http.StatusNotFound, 10008)
	case m.User != BotUser:
		return no(http.StatusForbidden, 50005)
	case ch.isThread() && ch.Archived:
		return no(http.StatusBadRequest, 50083)
	}
	if ch.Guild != "" && s.botMay(&ch.Channel)&EmbedLinks == 0 {
		body := maps.Clone(c.Body)
		delete(body, "embeds")
		return s.change(m, body)
	}
	return s.change(m, c.Body)
}

func (s *Server) deleteMessage(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	m := ch.byID[c.Message]
	switch {
	case m == nil:
		return no(http.StatusNotFound, 10008)
	case m.User != BotUser && s.botMay(&ch.Channel)&ManageMessages == 0:
		return no(http.StatusForbidden, 50013)
	}
	s.remove(m)
	s.dispatch(s.deleted(m))
	return answer{}
}

func (s *Server) triggerTyping(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	if a, ok := s.sendable(ch); !ok {
		return a
	}
	ch.typing = s.now()
	return answer{}
}

// startThread begins a thread, from a message where the path names one.
// https://discord.com/developers/docs/resources/channel#start-thread-from-message
func (s *Server) startThread(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	from := ch.byID[c.Message]
	switch {
	case s.botMay(&ch.Channel)&StartThreads == 0:
		return no(http.StatusForbidden, 50013)
	case c.Message != "" && from == nil:
		return no(http.StatusNotFound, 10008)
	case from != nil && from.thread != "":
		return no(http.StatusBadRequest, 160004)
	}
	th := s.thread(&ch.Channel, from, BotUser, text(c.Body["name"]))
	return answer{status: http.StatusCreated, body: s.channelObject(&th.Channel)}
}

// thread makes a thread; one from a message has its id.
func (s *Server) thread(in *Channel, from *Message, owner, name string) *channel {
	th := Channel{Name: name, Guild: in.Guild, Type: PublicThread, Parent: in.ID, Owner: owner}
	if from != nil {
		th.ID, from.thread = from.ID, from.ID
	} else {
		th.ID = s.state.stamp()
	}
	return s.state.add(th)
}
