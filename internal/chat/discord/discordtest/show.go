package discordtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// This file changes what is shown. Everything in it runs under the server's lock.

// What Forget keeps.
const (
	keptMessages     = 1024 // in a channel
	keptEphemerals   = 256  // of a user
	keptInteractions = 4096
	keptNonces       = 1024
)

// channel finds a channel; the direct message with a known user is made on the way.
func (st *State) channel(id string) *channel {
	if c := st.channels[id]; c != nil {
		return c
	}
	for user := range st.users {
		if DirectOf(user) == id {
			return st.add(Channel{ID: id, Type: DirectMessage, User: user})
		}
	}
	return nil
}

func (st *State) add(c Channel) *channel {
	if old := st.channels[c.ID]; old != nil {
		old.Channel = c
		return old
	}
	made := &channel{Channel: c, byID: map[string]*Message{}}
	st.channels[c.ID] = made
	return made
}

// show puts a message into its channel, or before the one person it is for. A post of the
// bot ends its typing.
func (s *Server) show(m *Message) {
	s.name(m)
	if m.For != "" {
		s.showTo(m)
		return
	}
	c := s.state.channels[m.Channel]
	c.byID[m.ID] = m
	c.messages = append(c.messages, m)
	if m.User == BotUser {
		c.typing = time.Time{}
	}
	s.forget(c)
}

// name notes the names of those whom a message mentions, so that it can be read without the
// server's lock.
func (s *Server) name(m *Message) {
	m.names = map[string]string{}
	for _, t := range m.texts() {
		for _, id := range idPattern.FindAllString(t.text, -1) {
			m.names[id] = s.state.nameOf(id)
		}
	}
}

func (s *Server) showTo(m *Message) {
	shown := append(s.state.private[m.For], m)
	if s.Forget && len(shown) > keptEphemerals {
		shown = slices.Clone(shown[len(shown)-keptEphemerals:])
	}
	s.state.private[m.For] = shown
}

// forget drops the oldest messages once there are many.
func (s *Server) forget(c *channel) {
	if !s.Forget || len(c.messages) < 2*keptMessages {
		return
	}
	for _, m := range c.messages[:keptMessages] {
		delete(c.byID, m.ID)
		if n, ok := s.state.answers[m.ID]; ok && n > 0 {
			s.state.tally[n]++
			delete(s.state.answers, m.ID)
		}
	}
	c.messages = slices.Clone(c.messages[keptMessages:])
}

// remove takes a message away.
func (s *Server) remove(m *Message) {
	is := func(x *Message) bool { return x == m }
	s.count(m, -1)
	if m.For != "" {
		s.state.private[m.For] = slices.DeleteFunc(s.state.private[m.For], is)
		return
	}
	c := s.state.channels[m.Channel]
	delete(c.byID, m.ID)
	c.messages = slices.DeleteFunc(c.messages, is)
}

// asked begins the count of answers to a message or interaction.
func (st *State) asked(id string) {
	if _, ok := st.answers[id]; !ok {
		st.answers[id] = 0
	}
}

// count counts a message of the bot as an answer to what it refers to.
func (s *Server) count(m *Message, n int) {
	if m.User != BotUser {
		return
	}
	for _, asked := range []string{m.Answers, m.ReplyTo} {
		if _, ok := s.state.answers[asked]; ok && asked != "" {
			s.state.answers[asked] += n
			return
		}
	}
}

// keep notes what a message showed, before it changes.
func (m *Message) keep() {
	if !m.Deferred {
		m.History = append(slices.Clip(m.History), m.Plain())
	}
}

// fill puts what a request says into a message: on an edit only what it names.
func (m *Message) fill(o map[string]any) {
	if v, ok := o["content"]; ok {
		m.Content = strings.TrimSpace(text(v)) // as Discord does
	}
	if v, ok := o["embeds"]; ok {
		m.Embeds = objects(v)
	}
	if v, ok := o["components"]; ok {
		m.Components = objects(v)
	}
	if v, ok := o["allowed_mentions"]; ok {
		m.allowed = object(v)
	}
}

var (
	userMention = regexp.MustCompile(`<@!?(\d+)>`)
	idPattern   = regexp.MustCompile(`\d{15,20}`)
	callPattern = regexp.MustCompile(`@everyone|@here|<@[!&]?\d+>`)
)

// mentioned lists the users that a message names, its replied user included where it pings.
func (s *Server) mentioned(m *Message) []string {
	var ids []string
	for _, found := range userMention.FindAllStringSubmatch(m.Content, -1) {
		ids = append(ids, found[1])
	}
	if to := s.state.find(m.Channel, m.ReplyTo); to != nil && m.pingsReplied() {
		ids = append(ids, to.User)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// pingsReplied tells whether a reply calls who it replies to: yes unless it says no.
func (m *Message) pingsReplied() bool {
	if m.allowed == nil {
		return true
	}
	return truth(m.allowed["replied_user"])
}

func (st *State) nameOf(id string) string {
	if u, ok := st.users[id]; ok {
		return u.Name
	}
	if c := st.channels[id]; c != nil {
		return c.Name
	}
	for _, w := range st.worlds {
		for _, r := range w.Roles {
			if r.ID == id {
				return r.Name
			}
		}
	}
	return "unknown"
}

// shown prints what people see, for the error of an Await that was in vain.
func (st *State) shown() string {
	var b strings.Builder
	for _, id := range sortedKeys(st.channels) {
		for _, m := range st.channels[id].messages {
			st.print(&b, *m)
		}
	}
	for _, user := range sortedKeys(st.private) {
		for _, m := range st.private[user] {
			fmt.Fprintf(&b, "only %s: ", st.nameOf(user))
			st.print(&b, *m)
		}
	}
	for _, user := range sortedKeys(st.modals) {
		fmt.Fprintf(&b, "before %s: the form %q\n", st.nameOf(user), st.modals[user].Title)
	}
	return tail(b.String(), 4000)
}

func (st *State) print(b *strings.Builder, m Message) {
	note := ""
	switch {
	case m.Deferred:
		note = " (deferred)"
	case m.ReplyTo != "":
		note = " (to " + m.ReplyTo + ")"
	}
	fmt.Fprintf(b, "%s %s %s%s: %q\n", st.nameOf(m.Channel), m.ID, st.nameOf(m.User), note, m.Plain())
}

// tail is the end of a long text.
func tail(long string, n int) string {
	if len(long) <= n {
		return long
	}
	return "…" + strings.ToValidUTF8(long[len(long)-n:], "")
}
