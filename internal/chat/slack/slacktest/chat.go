package slacktest

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// This file is the chat methods. Everything in it runs under the server's lock.

// place finds the conversation that a call writes to. A user's id stands for the direct
// message with them.
func (s *Server) place(c *call) (*channel, answer) {
	id := c.channel()
	if _, ok := s.state.users[id]; ok {
		id = DirectOf(id)
	}
	ch := s.state.channel(id)
	switch {
	case ch == nil || ch.NotMember && ch.Type != PublicChannel:
		return nil, fail("channel_not_found")
	case ch.NotMember:
		return nil, fail("not_in_channel")
	case ch.Archived:
		return nil, fail("is_archived")
	}
	return ch, nil
}

// Slack cuts what is longer. https://docs.slack.dev/reference/methods/chat.postMessage
const maxText = 40000

// newPost makes the bot's message of a call's arguments.
func (s *Server) newPost(c *call, ch *channel) *Message {
	m := &Message{
		Channel: ch.ID, TS: s.state.stamp(), User: BotUser, BotID: Bot, Via: c.Method,
		Text: cut(c.String("text"), maxText), Blocks: c.Blocks(), Metadata: metadata(c.JSON("metadata")), ClientMsgID: c.String("client_msg_id"),
	}
	m.ThreadTS = s.join(c, ch)
	return m
}

// join is the thread that a post lands in.
func (s *Server) join(c *call, ch *channel) string {
	thread := c.String("thread_ts")
	root := ch.rootOf(thread)
	switch {
	case thread == "" || ch.roots[thread]: // the latter was there once: nobody could know
	case root == "":
		s.violate("%s: thread_ts %s names no message of %s: the post is shown at the top level", c.Method, thread, ch.ID)
	case root != thread:
		s.violate("%s: thread_ts %s is a reply; name its root %s", c.Method, thread, root)
	}
	return root
}

func cut(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	return string([]rune(s)[:runes])
}

func metadata(v any) *Metadata {
	o := object(v)
	if text(o["event_type"]) == "" {
		return nil
	}
	return &Metadata{text(o["event_type"]), object(o["event_payload"])}
}

func (s *Server) postMessage(c *call) answer {
	ch, refused := s.place(c)
	if refused != nil {
		return refused
	}
	m := s.newPost(c, ch)
	if c.String("markdown_text") != "" {
		m.Blocks = []map[string]any{{"type": "markdown", "text": c.String("markdown_text")}}
	}
	s.show(m)
	s.echo(s.messageEvent(m, nil))
	return answer{"channel": ch.ID, "ts": m.TS, "message": s.wire(m, true)}
}

func (s *Server) postEphemeral(c *call) answer {
	ch, refused := s.place(c)
	if refused != nil {
		return refused
	}
	if _, ok := s.state.users[c.String("user")]; !ok {
		return fail("user_not_in_channel")
	}
	m := s.newPost(c, ch)
	m.For, m.Metadata = c.String("user"), nil
	// "Ephemeral messages in threads are only shown if there is already an active thread."
	// https://docs.slack.dev/reference/methods/chat.postEphemeral
	if c.String("thread_ts") != "" && len(ch.replies[m.ThreadTS]) == 0 {
		s.violate("chat.postEphemeral: nobody sees it: the thread %s has no replies yet", c.String("thread_ts"))
	} else {
		s.show(m)
	}
	return answer{"message_ts": m.TS}
}

// own finds a message that the bot may change.
func (s *Server) own(c *call, otherwise string) (*channel, *Message, answer) {
	ch, refused := s.place(c)
	if refused != nil {
		return nil, nil, refused
	}
	m := ch.byTS[c.String("ts")]
	switch {
	case m == nil || m.Subtype == "tombstone":
		return nil, nil, fail("message_not_found")
	case m.BotID != Bot:
		return nil, nil, fail(otherwise)
	}
	return ch, m, nil
}

// update follows the documentation: text without blocks removes the blocks; metadata stays
// unless it is given. https://docs.slack.dev/reference/methods/chat.update
func (s *Server) update(c *call) answer {
	ch, m, refused := s.own(c, "cant_update_message")
	if refused != nil {
		return refused
	}
	if m.Streaming {
		return fail("streaming_state_conflict")
	}
	before := *m
	s.state.change(m, c.String("text"), s.updatedBlocks(c, m))
	if _, given := c.Args["metadata"]; given {
		m.Metadata = metadata(c.JSON("metadata"))
	}
	s.echo(s.changedEvent(m, &before))
	return answer{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": s.wire(m, true)}
}

func (s *Server) updatedBlocks(c *call, m *Message) []map[string]any {
	_, given := c.Args["blocks"]
	switch {
	case given:
		return c.Blocks()
	case c.String("markdown_text") != "":
		return []map[string]any{{"type": "markdown", "text": c.String("markdown_text")}}
	case c.String("text") == "":
		return m.Blocks
	}
	return nil
}

func (s *Server) delete(c *call) answer {
	ch, m, refused := s.own(c, "cant_delete_message")
	if refused != nil {
		return refused
	}
	before := *m
	tombstone := s.state.remove(ch, m)
	s.echo(s.deletedEvent(m, &before, tombstone))
	return answer{"channel": ch.ID, "ts": before.TS}
}

func (s *Server) setStatus(c *call) answer {
	ch, refused := s.place(c)
	if refused != nil {
		return refused
	}
	root := ch.rootOf(c.String("thread_ts"))
	if root == "" {
		return fail("invalid_thread_ts")
	}
	ch.status[root] = status{c.String("status"), s.now()}
	return answer{}
}

// setPrompts does nothing, and says nothing, when an agent names a thread.
// https://docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts
func (s *Server) setPrompts(c *call) answer {
	ch, refused := s.place(c)
	if refused != nil {
		return refused
	}
	if c.String("thread_ts") != "" {
		return answer{}
	}
	var prompts []Prompt
	for _, p := range objects(c.JSON("prompts")) {
		prompts = append(prompts, Prompt{text(p["title"]), text(p["message"])})
	}
	s.state.prompts[ch.ID] = prompts
	return answer{}
}

func (s *Server) addReaction(c *call) answer {
	m, refused := s.reactable(c)
	if refused != nil {
		return refused
	}
	mark := c.String("name") + " " + BotUser
	if slices.Contains(m.Reactions, mark) {
		return fail("already_reacted")
	}
	m.Reactions = append(slices.Clip(m.Reactions), mark)
	return answer{}
}

func (s *Server) removeReaction(c *call) answer {
	m, refused := s.reactable(c)
	if refused != nil {
		return refused
	}
	mark := c.String("name") + " " + BotUser
	if !slices.Contains(m.Reactions, mark) {
		return fail("no_reaction")
	}
	m.Reactions = slices.DeleteFunc(slices.Clone(m.Reactions), func(r string) bool { return r == mark })
	return answer{}
}

func (s *Server) reactable(c *call) (*Message, answer) {
	ch, refused := s.place(c)
	if refused != nil {
		return nil, refused
	}
	if c.String("name") == "" || strings.ContainsAny(c.String("name"), ": ") {
		return nil, fail("invalid_name")
	}
	m := ch.byTS[c.String("timestamp")]
	if m == nil {
		return nil, fail("message_not_found")
	}
	return m, nil
}
