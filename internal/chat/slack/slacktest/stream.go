package slacktest

import (
	"slices"
)

// This file is streamed messages. Everything in it runs under the server's lock.
// https://docs.slack.dev/reference/methods/chat.startStream

// A stream is what a streamed message is made of.
type stream struct {
	mode   string // "markdown_text" or "chunks", once known: they do not mix
	text   string
	tasks  []map[string]any // by id, the newest state
	blocks []map[string]any // of chunks
	last   []map[string]any // of chat.stopStream
	halted bool             // by the user
}

func (s *Server) startStream(c *call) answer {
	ch, refused := s.place(c)
	if refused != nil {
		return refused
	}
	if ch.Type != DirectMessage && c.String("recipient_team_id") == "" {
		return fail("missing_recipient_team_id")
	}
	if ch.Type != DirectMessage && c.String("recipient_user_id") == "" {
		return fail("missing_recipient_user_id")
	}
	m := s.newPost(c, ch)
	m.Streaming, m.stream = true, &stream{}
	if refused := m.feed(c); refused != nil {
		return refused
	}
	s.show(m)
	return answer{"channel": ch.ID, "ts": m.TS}
}

func (s *Server) appendStream(c *call) answer {
	_, m, refused := s.streaming(c)
	if refused != nil {
		return refused
	}
	if c.String("markdown_text") == "" && c.JSON("chunks") == nil {
		return fail("markdown_text_or_chunks_required")
	}
	if refused := m.feed(c); refused != nil {
		return refused
	}
	return answer{"channel": m.Channel, "ts": m.TS}
}

func (s *Server) stopStream(c *call) answer {
	ch, m, refused := s.streaming(c)
	if refused != nil {
		return refused
	}
	if refused := m.feed(c); refused != nil {
		return refused
	}
	m.stream.last = c.Blocks()
	m.Blocks = m.stream.shown()
	m.Streaming = false
	if _, given := c.Args["metadata"]; given {
		m.Metadata = metadata(c.JSON("metadata"))
	}
	s.echo(s.messageEvent(m, nil))
	return answer{"channel": ch.ID, "ts": m.TS, "message": s.wire(m, true)}
}

func (s *Server) streaming(c *call) (*channel, *Message, answer) {
	ch, m, refused := s.own(c, "message_not_owned_by_app")
	switch {
	case refused != nil:
		return nil, nil, refused
	case m.stream != nil && m.stream.halted:
		return nil, nil, fail("stopped_by_user")
	case !m.Streaming:
		return nil, nil, fail("message_not_in_streaming_state")
	}
	return ch, m, nil
}

// feed adds what a call brings to the message.
func (m *Message) feed(c *call) answer {
	chunks := objects(c.JSON("chunks"))
	written := c.String("markdown_text")
	mode := ""
	switch {
	case len(chunks) > 0 && written != "":
		return fail("cannot_provide_both_markdown_text_and_chunks")
	case len(chunks) > 0:
		mode = "chunks"
	case written != "":
		mode = "markdown_text"
	default:
		return nil
	}
	if m.stream.mode != "" && m.stream.mode != mode {
		return fail("streaming_mode_mismatch")
	}
	m.stream.mode = mode
	m.stream.text += written
	for _, chunk := range chunks {
		m.stream.add(chunk)
	}
	m.Text, m.Blocks = m.stream.text, m.stream.shown()
	return nil
}

func (st *stream) add(chunk map[string]any) {
	switch text(chunk["type"]) {
	case "markdown_text":
		st.text += text(chunk["text"])
	case "blocks":
		st.blocks = append(st.blocks, objects(chunk["blocks"])...)
	case "task_update":
		i := slices.IndexFunc(st.tasks, func(t map[string]any) bool { return t["id"] == chunk["id"] })
		if i < 0 {
			st.tasks = append(st.tasks, chunk)
			return
		}
		st.tasks[i] = chunk
	}
}

// shown are the blocks of the one message that people see.
func (st *stream) shown() []map[string]any {
	var all []map[string]any
	for _, task := range st.tasks {
		all = append(all, map[string]any{"type": "task_card", "title": task["title"], "status": task["status"]})
	}
	if st.text != "" {
		all = append(all, map[string]any{"type": "markdown", "text": st.text})
	}
	return withIDs(slices.Concat(all, st.blocks, st.last))
}

// halt stops the streams of a thread as the user does, and returns their ts.
func (s *Server) halt(ch *channel, thread string) []string {
	var halted []string
	for _, m := range ch.thread(thread) {
		if m.Streaming {
			m.Streaming, m.stream.halted = false, true
			halted = append(halted, m.TS)
		}
	}
	return halted
}
