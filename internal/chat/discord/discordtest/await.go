package discordtest

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
func (s *Server) Messages(channel string) []Message {
	return see(s, func(st *State) []Message { return st.Messages(channel) })
}

// Posts is [State.Posts] now.
func (s *Server) Posts(channel string) []Message {
	return see(s, func(st *State) []Message { return st.Posts(channel) })
}

// Message is [State.Message] now.
func (s *Server) Message(channel, id string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Message(channel, id)
}

// Ephemerals is [State.Ephemerals] now.
func (s *Server) Ephemerals(user string) []Message {
	return see(s, func(st *State) []Message { return st.Ephemerals(user) })
}

// Replies is [State.Replies] of an act now.
func (s *Server) Replies(a *Act) []Message {
	return see(s, func(st *State) []Message { return st.Replies(a.Channel, a.asked()) })
}

// Modal is [State.Modal] now.
func (s *Server) Modal(user string) (Modal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Modal(user)
}

// Typing is [State.Typing] now.
func (s *Server) Typing(channel string) bool {
	return see(s, func(st *State) bool { return st.Typing(channel) })
}

// Commands is [State.Commands] now.
func (s *Server) Commands(guild string) []Command {
	return see(s, func(st *State) []Command { return st.Commands(guild) })
}

// Interaction is [State.Interaction] now.
func (s *Server) Interaction(id string) (Interaction, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Interaction(id)
}

// Calls is [State.Calls] now.
func (s *Server) Calls(route string) int {
	return see(s, func(st *State) int { return st.Calls(route) })
}

// Connections is [State.Connections] now.
func (s *Server) Connections() (now, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Connections()
}

// Sessions is [State.Sessions] now.
func (s *Server) Sessions() (ready, identified, resumed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Sessions()
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
			return fmt.Errorf("discordtest: waited in vain: %w; shown is:\n%s", context.Cause(ctx), see(s, (*State).shown))
		}
	}
}

// bell wakes those who Await; the lock is held.
func (s *Server) bell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// AwaitPost waits for a post of the bot in a channel or thread that is more than a deferral
// and satisfies f; nil takes any.
func (s *Server) AwaitPost(ctx context.Context, channel string, f func(Message) bool) (Message, error) {
	return s.awaitMessage(ctx, f, func(st *State) []Message { return st.Posts(channel) })
}

// AwaitEphemeral waits for something that only this user sees, that is more than a deferral
// and satisfies f; nil takes any.
func (s *Server) AwaitEphemeral(ctx context.Context, user string, f func(Message) bool) (Message, error) {
	return s.awaitMessage(ctx, f, func(st *State) []Message { return st.Ephemerals(user) })
}

// AwaitReply waits for an answer to what a person did, as [State.Replies] finds them, that
// satisfies f; nil takes any.
func (s *Server) AwaitReply(ctx context.Context, a *Act, f func(Message) bool) (Message, error) {
	return s.awaitMessage(ctx, f, func(st *State) []Message { return st.Replies(a.Channel, a.asked()) })
}

func (s *Server) awaitMessage(ctx context.Context, f func(Message) bool, among func(*State) []Message) (found Message, err error) {
	err = s.Await(ctx, func(st *State) bool {
		for _, m := range among(st) {
			if !m.Deferred && (f == nil || f(m)) {
				found = m
				return true
			}
		}
		return false
	})
	return found, err
}

// AwaitReady waits until n connections are ready: they have identified or resumed.
func (s *Server) AwaitReady(ctx context.Context, n int) error {
	return s.Await(ctx, func(st *State) bool { return st.ready == n })
}

// AwaitCallback waits for the callback of an interaction.
func (s *Server) AwaitCallback(ctx context.Context, a *Act) (Interaction, error) {
	var found Interaction
	err := s.Await(ctx, func(st *State) bool {
		i, ok := st.Interaction(a.Interaction)
		found = i
		return ok && i.Callback != 0
	})
	return found, err
}

// AddChannel adds a channel or thread, or replaces one of the same id and keeps its messages.
// The bot is not told: before it connects, that is as if it always was so.
func (s *Server) AddChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.add(c)
}

// Alter changes what a channel allows, whatever the bot remembers of it, and tells the bot.
func (s *Server) Alter(channel string, f func(*Channel)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.state.channel(channel)
	if c == nil {
		s.t.Errorf("discordtest: Alter: there is no channel %s", channel)
		return
	}
	f(&c.Channel)
	if c.Guild == "" {
		return
	}
	kind := "CHANNEL_UPDATE"
	if c.isThread() {
		kind = "THREAD_UPDATE"
	}
	s.dispatch(Event{Type: kind, Guild: c.Guild, Data: s.channelObject(&c.Channel)})
}

// RemoveChannel deletes a channel with its messages: CHANNEL_DELETE or THREAD_DELETE.
func (s *Server) RemoveChannel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.state.channels[id]
	if c == nil {
		s.t.Errorf("discordtest: RemoveChannel: there is no channel %s", id)
		return
	}
	delete(s.state.channels, id)
	kind := "CHANNEL_DELETE"
	if c.isThread() {
		kind = "THREAD_DELETE"
	}
	s.dispatch(Event{Type: kind, Guild: c.Guild, Data: s.channelObject(&c.Channel)})
}

// AddUser adds a person, or replaces one.
func (s *Server) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.users[u.ID] = u
}

// AddWorld adds a server, or replaces one: before the bot connects, as it is not told.
func (s *Server) AddWorld(w World) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.worlds[w.ID] = &w
}

// AlterWorld changes a server, such as who is in it. The bot is not told.
func (s *Server) AlterWorld(id string, f func(*World)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.state.worlds[id]; w != nil {
		f(w)
		return
	}
	s.t.Errorf("discordtest: AlterWorld: there is no server %s", id)
}
