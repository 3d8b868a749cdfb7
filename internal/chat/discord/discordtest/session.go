package discordtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Intents. https://discord.com/developers/docs/topics/gateway#list-of-intents
const (
	IntentGuilds         int64 = 1 << 0
	IntentMembers        int64 = 1 << 1
	IntentPresences      int64 = 1 << 8
	IntentMessages       int64 = 1 << 9
	IntentReactions      int64 = 1 << 10
	IntentTyping         int64 = 1 << 11
	IntentDirectMessages int64 = 1 << 12
	IntentDirectTyping   int64 = 1 << 14
	IntentContent        int64 = 1 << 15
	allIntents           int64 = 1<<17 - 1 | 1<<20 | 1<<21 | 1<<24 | 1<<25
)

// A session is what a bot identified, and can resume.
type session struct {
	id      string
	intents int64
	shard   [2]int
	seq     int64
	log     []event // what was dispatched, for a resume
	conn    *Conn   // nil: not connected
	dead    bool
}

type event struct {
	seq   int64
	frame []byte
}

const keptEvents = 2000

func (s *Server) identify(c *Conn, d map[string]any) {
	s.state.identifies++
	s.keepIdentifyPace(d)
	if c.session != nil {
		c.shut(AlreadyAuthenticated, "Already authenticated.")
		return
	}
	c.Intents, c.Shard = number(d["intents"]), shardIn(d)
	if code, why := s.denied(c, d); code != 0 {
		c.shut(code, why)
		return
	}
	if s.misbehave(c) {
		return
	}
	for _, old := range s.sessions {
		if old.conn == nil && old.shard == c.Shard {
			old.dead = true // Discord forgets it in a few minutes
		}
	}
	s.serial++
	c.session = &session{id: fmt.Sprintf("%08x%024d", s.serial*2654435761&0xffffffff, s.serial), intents: c.Intents, shard: c.Shard}
	s.begin(c, func() { s.welcome(c) })
}

func shardIn(d map[string]any) [2]int {
	shard := list(d["shard"])
	if len(shard) != 2 {
		return [2]int{0, 1}
	}
	return [2]int{int(number(shard[0])), int(number(shard[1]))}
}

// denied says why an identify is not taken.
func (s *Server) denied(c *Conn, d map[string]any) (int, string) {
	if len(object(d["properties"])) == 0 {
		s.violate("gateway: identify without properties")
		return DecodeError, "Error while decoding payload."
	}
	switch token := strings.TrimPrefix(text(d["token"]), "Bot "); {
	case token != s.Token || s.revoked:
		return AuthenticationFailed, "Authentication failed."
	case c.Shard[1] < 1 || c.Shard[0] < 0 || c.Shard[0] >= c.Shard[1]:
		return InvalidShard, "Invalid shard."
	case d["intents"] == nil || c.Intents&^allIntents != 0:
		return InvalidIntents, "Invalid intent(s)."
	case c.Intents&(IntentMembers|IntentPresences) != 0 || c.Intents&IntentContent != 0 && !s.PrivilegedContent:
		return DisallowedIntents, "Disallowed intent(s)."
	}
	return 0, ""
}

// begin makes a session live on a connection, after the delay that its mischief asks for.
func (s *Server) begin(c *Conn, welcome func()) {
	c.session.conn = c
	delay := c.mischief.SlowReady
	if delay <= 0 || s.closed {
		s.live(c, welcome)
		return
	}
	s.wg.Go(func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.left:
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.session != nil && c.session.conn == c {
			s.live(c, welcome)
		}
	})
}

func (s *Server) live(c *Conn, welcome func()) {
	if old := s.sessions[c.session.id]; old == nil {
		s.sessions[c.session.id] = c.session
		s.sessionIDs = append(s.sessionIDs, c.session.id)
		s.forgetSessions()
	}
	c.ready, c.since = true, s.now()
	s.state.ready++
	welcome()
	s.bell()
}

// forgetSessions drops those that ended, once there are many.
func (s *Server) forgetSessions() {
	if len(s.sessionIDs) < 64 {
		return
	}
	s.sessionIDs = slices.DeleteFunc(s.sessionIDs, func(id string) bool {
		gone := s.sessions[id].dead
		if gone {
			delete(s.sessions, id)
		}
		return gone
	})
}

// welcome sends READY and the servers of the shard. The sequence begins with READY.
func (s *Server) welcome(c *Conn) {
	var guilds []any
	var creates []Event
	for _, id := range sortedKeys(s.state.worlds) {
		w := s.state.worlds[id]
		if w.WithoutBot || shardOf(id, c.Shard[1]) != c.Shard[0] {
			continue
		}
		guilds = append(guilds, map[string]any{"id": id, "unavailable": true})
		if !w.Unavail {
			creates = append(creates, Event{Type: "GUILD_CREATE", Guild: id, Data: s.guildCreate(w)})
		}
	}
	s.deliver(c.session, Event{Type: "READY", Data: map[string]any{
		"v": 9, "user": s.me(), "session_id": c.session.id, "session_type": "normal", "resume_gateway_url": s.gatewayURL(resumePath),
		"guilds": nonNil(guilds), "shard": []int{c.Shard[0], c.Shard[1]}, "private_channels": []any{}, "relationships": []any{}, "presences": []any{},
		"application": map[string]any{"id": App, "flags": s.appFlags()}, "user_settings": map[string]any{}, "_trace": []string{"discordtest"},
	}})
	for _, e := range creates {
		if s.wants(c.session, e) {
			s.deliver(c.session, e)
		}
	}
}

func nonNil(all []any) []any {
	if all == nil {
		return []any{}
	}
	return all
}

// resume goes on with a session: first what the bot missed, then RESUMED.
// https://discord.com/developers/docs/topics/gateway#resuming
func (s *Server) resume(c *Conn, d map[string]any) {
	if c.session != nil {
		c.shut(AlreadyAuthenticated, "Already authenticated.")
		return
	}
	if strings.TrimPrefix(text(d["token"]), "Bot ") != s.Token || s.revoked {
		c.shut(AuthenticationFailed, "Authentication failed.")
		return
	}
	if s.misbehave(c) {
		return
	}
	old, seq := s.sessions[text(d["session_id"])], number(d["seq"])
	switch {
	case old == nil || old.dead:
		c.send(opInvalidSession, false)
		return
	case seq > old.seq:
		old.dead = true
		c.shut(InvalidSeq, "Invalid sequence.")
		return
	}
	s.state.resumes++
	if old.conn != nil {
		old.conn.session = nil
		old.conn.shut(UnknownError, "resumed elsewhere")
	}
	c.session, c.Resumed, c.Intents, c.Shard = old, true, old.intents, old.shard
	s.begin(c, func() { s.replay(c, seq) })
}

func (s *Server) replay(c *Conn, seq int64) {
	for _, e := range c.session.log {
		if e.seq > seq {
			c.push(outgoing{frame: e.frame})
		}
	}
	s.deliver(c.session, Event{Type: "RESUMED", Data: map[string]any{"_trace": []string{"discordtest"}}})
}

// dispatch delivers an event to the sessions that want it, and says to how many; the lock is
// held.
func (s *Server) dispatch(e Event) int {
	n := 0
	for _, id := range s.sessionIDs {
		if q := s.sessions[id]; !q.dead && s.wants(q, e) {
			s.deliver(q, e)
			n++
		}
	}
	return n
}

// deliver appends an event to a session, and sends it where there is a connection.
func (s *Server) deliver(q *session, e Event) {
	q.seq++
	data := e.Data
	if q.intents&IntentContent == 0 && (e.Type == "MESSAGE_CREATE" || e.Type == "MESSAGE_UPDATE") {
		data = blanked(data, e.Guild)
	}
	frame := encode(map[string]any{"op": opDispatch, "t": e.Type, "s": q.seq, "d": data})
	q.log = append(q.log, event{q.seq, frame})
	if len(q.log) > 2*keptEvents {
		q.log = slices.Clone(q.log[keptEvents:])
	}
	if q.conn != nil && q.conn.ready && !q.conn.deaf {
		q.conn.push(outgoing{frame: frame})
	}
}

// wants tells whether an event is one for a session's shard and intents.
func (s *Server) wants(q *session, e Event) bool {
	if shardOf(e.Guild, q.shard[1]) != q.shard[0] {
		return false
	}
	if strings.HasPrefix(e.Type, "MESSAGE_") && e.Guild != "" {
		if c := s.state.channels[text(e.Data["channel_id"])]; c != nil && s.botMay(&c.Channel)&ViewChannel == 0 {
			return false
		}
	}
	need := intentOf(e)
	return need == 0 || q.intents&need != 0
}

func intentOf(e Event) int64 {
	direct := e.Guild == ""
	switch kind, _, _ := strings.Cut(e.Type, "_"); {
	case strings.HasPrefix(e.Type, "MESSAGE_REACTION"):
		return either(direct, 1<<13, IntentReactions)
	case kind == "MESSAGE":
		return either(direct, IntentDirectMessages, IntentMessages)
	case kind == "TYPING":
		return either(direct, IntentDirectTyping, IntentTyping)
	case (kind == "GUILD" || kind == "CHANNEL" || kind == "THREAD") && !direct:
		return IntentGuilds
	}
	return 0
}

func either(yes bool, one, other int64) int64 {
	if yes {
		return one
	}
	return other
}

// blanked is a message without what needs the intent for content. Direct messages, the bot's
// own and those that name it keep it.
// https://discord.com/developers/docs/topics/gateway#message-content-intent
func blanked(m map[string]any, guild string) map[string]any {
	if m == nil || guild == "" {
		return m
	}
	shown := maps.Clone(m)
	if to := object(m["referenced_message"]); to != nil {
		shown["referenced_message"] = blanked(to, guild)
	}
	named := slices.ContainsFunc(objects(m["mentions"]), func(u map[string]any) bool { return text(u["id"]) == BotUser })
	if named || text(object(m["author"])["id"]) == BotUser {
		return shown
	}
	for _, key := range []string{"embeds", "attachments", "components"} {
		if _, ok := m[key]; ok {
			shown[key] = []any{}
		}
	}
	if _, ok := m["content"]; ok {
		shown["content"] = ""
	}
	return shown
}
