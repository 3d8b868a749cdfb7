package slacktest

import (
	"fmt"
	"slices"
	"strings"
)

// This file changes what is shown. Everything in it runs under the server's lock.

// What Forget keeps.
const (
	keptThreads    = 1024 // answered threads in a channel
	keptEphemerals = 256  // of a user
	keptRoots      = 4096 // ts of roots that are gone, in a channel
)

// stamp makes the next ts: later than all before and near the clock.
func (st *State) stamp() string {
	st.last = max(st.last+100, st.now().UnixMicro()/100*100)
	return fmt.Sprintf("%d.%06d", st.last/1e6, st.last%1e6)
}

// channel finds a conversation; the direct message with a known user is made on the way.
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
	made := &channel{
		Channel: c, byTS: map[string]*Message{}, replies: map[string][]*Message{}, status: map[string]status{},
		roots: map[string]bool{},
	}
	st.channels[c.ID] = made
	return made
}

// rootOf is the thread that a message with this thread_ts joins: the root of the message
// that it names, and "" when there is none, as Slack then posts at the top level.
func (c *channel) rootOf(thread string) string {
	m := c.byTS[thread]
	switch {
	case m != nil && m.ThreadTS != "":
		return m.ThreadTS
	case m != nil || len(c.replies[thread]) > 0:
		return thread
	}
	return ""
}

// show puts a message into its channel, or before the one person it is for. A post of the
// bot ends its status in the thread.
func (s *Server) show(m *Message) {
	m.Blocks = withIDs(m.Blocks)
	if m.For != "" {
		s.showTo(m)
		return
	}
	c := s.state.channels[m.Channel]
	c.byTS[m.TS] = m
	if m.ThreadTS == "" || m.Subtype == "thread_broadcast" {
		c.top = append(c.top, m)
	}
	if m.ThreadTS != "" {
		c.replies[m.ThreadTS] = append(c.replies[m.ThreadTS], m)
	}
	if m.BotID == Bot {
		delete(c.status, m.ThreadTS)
	}
	s.forget(c)
}

func (s *Server) showTo(m *Message) {
	shown := append(s.state.private[m.For], m)
	if s.Forget && len(shown) > keptEphemerals {
		shown = slices.Clone(shown[len(shown)-keptEphemerals:])
	}
	s.state.private[m.For] = shown
}

// forget drops the oldest threads that have an answer once there are many.
func (s *Server) forget(c *channel) {
	if !s.Forget || len(c.top) <= keptThreads {
		return
	}
	for i, root := range c.top {
		if root.BotID == Bot || c.answers(root.TS) > 0 {
			c.top = slices.Delete(c.top, i, i+1)
			s.forgetThread(c, root)
			return
		}
	}
}

func (s *Server) forgetThread(c *channel, root *Message) {
	if root.BotID == "" && root.Subtype == "" {
		s.state.tally[c.answers(root.TS)]++
	}
	for _, m := range c.thread(root.TS) {
		delete(c.byTS, m.TS)
	}
	delete(c.replies, root.TS)
	delete(c.status, root.TS)
	c.gone(root.TS)
}

// gone remembers that there was a thread.
func (c *channel) gone(root string) {
	if len(c.roots) >= keptRoots {
		clear(c.roots)
	}
	c.roots[root] = true
}

// remove takes a message away. A root with replies stays as a tombstone, which is reported.
func (st *State) remove(c *channel, m *Message) (tombstone bool) {
	if len(c.replies[m.TS]) > 0 {
		*m = Message{Channel: m.Channel, TS: m.TS, User: "USLACKBOT", Subtype: "tombstone", Text: "This message was deleted."}
		return true
	}
	is := func(x *Message) bool { return x == m }
	delete(c.byTS, m.TS)
	c.top = slices.DeleteFunc(c.top, is)
	if m.ThreadTS != "" {
		c.replies[m.ThreadTS] = slices.DeleteFunc(c.replies[m.ThreadTS], is)
		return false
	}
	c.gone(m.TS)
	return false
}

// removePrivate takes away what one person saw.
func (st *State) removePrivate(m *Message) {
	st.private[m.For] = slices.DeleteFunc(st.private[m.For], func(x *Message) bool { return x == m })
}

// change replaces what a message says, and keeps what it said.
func (st *State) change(m *Message, text string, blocks []map[string]any) {
	m.History = append(slices.Clip(m.History), m.Plain())
	m.Text, m.Blocks = text, withIDs(blocks)
	m.Edited = st.stamp()
}

// withIDs gives each block an id, as Slack does, without touching the caller's maps.
func withIDs(blocks []map[string]any) []map[string]any {
	var all []map[string]any
	for i, b := range blocks {
		named := map[string]any{"block_id": fmt.Sprintf("b%04d", i)}
		for key, value := range b {
			if key != "block_id" || text(value) != "" {
				named[key] = value
			}
		}
		all = append(all, named)
	}
	return all
}

// shown prints what people see, for the error of an Await that was in vain.
func (st *State) shown() string {
	var b strings.Builder
	for _, id := range sortedKeys(st.channels) {
		c := st.channels[id]
		for _, root := range c.top {
			printMessage(&b, c, *root)
			for _, m := range c.replies[root.TS] {
				b.WriteString("  ")
				printMessage(&b, c, *m)
			}
		}
	}
	for _, user := range sortedKeys(st.private) {
		for _, m := range st.private[user] {
			fmt.Fprintf(&b, "only %s: ", user)
			printMessage(&b, st.channels[m.Channel], *m)
		}
	}
	return tail(b.String(), 4000)
}

func printMessage(b *strings.Builder, c *channel, m Message) {
	note := ""
	if m.Streaming {
		note = " (streaming)"
	}
	fmt.Fprintf(b, "%s %s %s%s: %q\n", c.ID, m.TS, m.User, note, m.Plain())
}

// tail is the end of a long text.
func tail(long string, n int) string {
	if len(long) <= n {
		return long
	}
	return "…" + strings.ToValidUTF8(long[len(long)-n:], "")
}
