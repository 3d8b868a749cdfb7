package slacktest

import (
	"context"
	"fmt"
)

// See calls f with what is shown now; f must not call methods of the Server.
func (s *Server) See(f func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.state)
}

// see is See for one value.
func see[T any](s *Server, f func(*State) T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(&s.state)
}

// Messages is [State.Messages] now.
func (s *Server) Messages(channel, thread string) []Message {
	return see(s, func(st *State) []Message { return st.Messages(channel, thread) })
}

// Posts is [State.Posts] now.
func (s *Server) Posts(channel, thread string) []Message {
	return see(s, func(st *State) []Message { return st.Posts(channel, thread) })
}

// Message is [State.Message] now.
func (s *Server) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Message(channel, ts)
}

// Ephemerals is [State.Ephemerals] now.
func (s *Server) Ephemerals(user string) []Message {
	return see(s, func(st *State) []Message { return st.Ephemerals(user) })
}

// Status is [State.Status] now.
func (s *Server) Status(channel, thread string) string {
	return see(s, func(st *State) string { return st.Status(channel, thread) })
}

// Prompts is [State.Prompts] now.
func (s *Server) Prompts(user string) []Prompt {
	return see(s, func(st *State) []Prompt { return st.Prompts(user) })
}

// Home is [State.Home] now.
func (s *Server) Home(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Home(user)
}

// Modal is [State.Modal] now.
func (s *Server) Modal(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Modal(user)
}

// Calls is [State.Calls] now.
func (s *Server) Calls(method string) int {
	return see(s, func(st *State) int { return st.Calls(method) })
}

// Connections is [State.Connections] now.
func (s *Server) Connections() (now, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Connections()
}

// Tally is [State.Tally] now.
func (s *Server) Tally() map[int]int {
	return see(s, func(st *State) map[int]int { return st.Tally() })
}

// Await waits until f holds. It is called each time something changed, and must not call
// methods of the Server. The error says what was shown when ctx ended.
func (s *Server) Await(ctx context.Context, f func(*State) bool) error {
	for {
		s.mu.Lock()
		holds, changed := f(&s.state), s.changed
		s.mu.Unlock()
		if holds {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("slacktest: waited in vain: %w; shown is:\n%s", context.Cause(ctx), see(s, (*State).shown))
		}
	}
}

// bell wakes those who Await; the lock is held.
func (s *Server) bell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// AwaitPost waits for a post of the bot in a thread that no longer streams and satisfies f;
// nil takes any.
func (s *Server) AwaitPost(ctx context.Context, channel, thread string, f func(Message) bool) (Message, error) {
	return s.awaitMessage(ctx, f, func(st *State) []Message { return st.Posts(channel, thread) })
}

// AwaitEphemeral waits for something that only this user sees and that satisfies f; nil
// takes any.
func (s *Server) AwaitEphemeral(ctx context.Context, user string, f func(Message) bool) (Message, error) {
	return s.awaitMessage(ctx, f, func(st *State) []Message { return st.Ephemerals(user) })
}

func (s *Server) awaitMessage(ctx context.Context, f func(Message) bool, among func(*State) []Message) (found Message, err error) {
	err = s.Await(ctx, func(st *State) bool {
		for _, m := range among(st) {
			if !m.Streaming && (f == nil || f(m)) {
				found = m
				return true
			}
		}
		return false
	})
	return found, err
}

// AwaitConnections waits until n sockets are open.
func (s *Server) AwaitConnections(ctx context.Context, n int) error {
	return s.Await(ctx, func(st *State) bool { return st.open == n })
}

// AwaitAcks waits until all these envelopes are acknowledged.
func (s *Server) AwaitAcks(ctx context.Context, envelopes ...string) error {
	return s.Await(ctx, func(st *State) bool { return st.Acked(envelopes...) })
}

// AddChannel adds a conversation, or replaces one of the same id and keeps its messages.
func (s *Server) AddChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.add(c)
}

// AddUser adds a member, or replaces one.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.users[u.ID] = u
}
