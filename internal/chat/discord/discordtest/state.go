package discordtest

import (
	"maps"
	"slices"
	"time"
)

// A Message is one message as it is shown now.
type Message struct {
	ID         string
	Channel    string
	Guild      string
	User       string
	Type       int // 0, 19 for a reply, 20 and 23 for an interaction's response; others are system messages
	Content    string
	Embeds     []map[string]any
	Components []map[string]any
	Flags      int64
	ReplyTo    string // the message it refers to
	Nonce      string
	Webhook    string // of another app, or App for an interaction's response
	For        string // who alone sees it; "": everyone
	Via        string // the route that made it; "" for people
	Answers    string // the interaction it responds to; "" for none
	Deferred   bool   // "is thinking …", nothing else yet
	Edited     bool
	History    []string // what Plain was before each edit

	allowed map[string]any    // allowed_mentions as sent; nil: as default
	replied string            // the author of the message it replies to, where it is the bot's
	thread  string            // begun from it
	names   map[string]string // of whom it mentions, as they were when it was written
	kinds   map[string]any    // more keys on the wire
}

// An Interaction is one that a person made, and what became of it.
type Interaction struct {
	ID, Token string
	Type      int // 2 a command, 3 a component, 4 autocomplete, 5 a modal
	User      string
	Channel   string
	Message   string           // that the component is on
	Callback  int              // type of the callback; 0: none yet
	Latency   time.Duration    // of the callback, from delivery
	Private   bool             // its reply is for the user alone
	Original  string           // message of the reply
	Edited    bool             // the original was edited after the callback
	Followups []string         // messages
	Choices   []map[string]any // of autocomplete
}

// A Modal is a form that is open on a user's screen.
type Modal struct {
	User       string
	CustomID   string
	Title      string
	Components []map[string]any

	channel string
	message *Message // from which it was opened
}

// A Command is one as it was registered.
type Command struct {
	ID   string
	Body map[string]any
}

// Name is what people type, or click.
func (c Command) Name() string { return text(c.Body["name"]) }

// State is what people see, and what the fake counted. It is handed out under a lock: use
// it only inside the function that got it.
type State struct {
	now          func() time.Time
	last         int64 // the newest id
	worlds       map[string]*World
	channels     map[string]*channel
	users        map[string]User
	private      map[string][]*Message // by user: what only they see
	modals       map[string]*Modal
	commands     map[string][]Command // by guild; "" global
	puts         map[string]int       // bulk overwrites, likewise
	interactions map[string]*interaction
	calls        map[string]int
	open, ready  int
	ever         int
	identifies   int
	resumes      int
	answers      map[string]int // by message or interaction that asked
	tally        map[int]int    // of those forgotten
}

// A channel is a Channel and what is in it.
type channel struct {
	Channel
	messages []*Message // in order of id
	byID     map[string]*Message
	typing   time.Time // the bot's
}

// typingLasts is how long the bot seems to type when nothing follows.
// https://discord.com/developers/docs/resources/channel#trigger-typing-indicator
const typingLasts = 10 * time.Second

func newState(now func() time.Time) State {
	return State{
		now: now, worlds: map[string]*World{}, channels: map[string]*channel{}, users: map[string]User{}, private: map[string][]*Message{},
		modals: map[string]*Modal{}, commands: map[string][]Command{}, puts: map[string]int{}, interactions: map[string]*interaction{},
		calls: map[string]int{}, answers: map[string]int{}, tally: map[int]int{},
	}
}

// Messages lists what is shown in a channel or thread, oldest first. What only one person
// sees is not in it.
func (st *State) Messages(channel string) []Message {
	c := st.channels[channel]
	if c == nil {
		return nil
	}
	return copies(c.messages)
}

func copies(shown []*Message) []Message {
	var all []Message
	for _, m := range shown {
		all = append(all, *m)
	}
	return all
}

// Posts are the Messages that are the bot's.
func (st *State) Posts(channel string) []Message {
	return slices.DeleteFunc(st.Messages(channel), func(m Message) bool { return m.User != BotUser })
}

// Message finds what is shown in a channel, be it to one person alone.
func (st *State) Message(channel, id string) (Message, bool) {
	if m := st.find(channel, id); m != nil {
		return *m, true
	}
	return Message{}, false
}

func (st *State) find(channel, id string) *Message {
	if c := st.channels[channel]; c != nil && c.byID[id] != nil {
		return c.byID[id]
	}
	for _, shown := range st.private {
		for _, m := range shown {
			if m.Channel == channel && m.ID == id {
				return m
			}
		}
	}
	return nil
}

// Ephemerals lists what only this user sees, oldest first.
func (st *State) Ephemerals(user string) []Message { return copies(st.private[user]) }

// Modal is the form that is open on the user's screen.
func (st *State) Modal(user string) (Modal, bool) {
	if m := st.modals[user]; m != nil {
		return *m, true
	}
	return Modal{}, false
}

// Typing tells whether the bot seems to type in a channel.
func (st *State) Typing(channel string) bool {
	c := st.channels[channel]
	return c != nil && !c.typing.IsZero() && st.now().Sub(c.typing) < typingLasts
}

// Commands lists what is registered for a guild; "" globally.
func (st *State) Commands(guild string) []Command { return slices.Clone(st.commands[guild]) }

// Overwrites is how often the commands of a guild were overwritten; "" the global ones.
func (st *State) Overwrites(guild string) int { return st.puts[guild] }

// Interaction finds an interaction by its id.
func (st *State) Interaction(id string) (Interaction, bool) {
	if i := st.interactions[id]; i != nil {
		return i.Interaction, true
	}
	return Interaction{}, false
}

// Failed lists the interactions of which people were told that the application did not
// respond: they got no callback in time. Those that are still in time are not among them.
func (st *State) Failed(window time.Duration) []Interaction {
	var all []Interaction
	for _, id := range sortedKeys(st.interactions) {
		if i := st.interactions[id]; i.Callback == 0 && st.now().Sub(i.delivered) > window {
			all = append(all, i.Interaction)
		}
	}
	return all
}

// Replies lists the messages that an interaction's callback and followups made and that are
// still shown; for a message that asked, the bot's posts which refer to it.
func (st *State) Replies(channel, asked string) []Message {
	i := st.interactions[asked]
	if i == nil {
		return slices.DeleteFunc(st.Posts(channel), func(m Message) bool { return m.ReplyTo != asked })
	}
	var all []Message
	for _, m := range append(st.Posts(i.Channel), st.Ephemerals(i.User)...) {
		if m.Answers == asked {
			all = append(all, m)
		}
	}
	return all
}

// Calls is how often a route was requested, with success or without; "" for all routes.
func (st *State) Calls(route string) int {
	if route != "" {
		return st.calls[route]
	}
	sum := 0
	for _, n := range st.calls {
		sum += n
	}
	return sum
}

// Connections is how many gateway connections are open, and how many ever were.
func (st *State) Connections() (now, ever int) { return st.open, st.ever }

// Sessions is how many connections are ready, and how often the bot identified and resumed.
func (st *State) Sessions() (ready, identified, resumed int) {
	return st.ready, st.identifies, st.resumes
}

// Tally says how many questions got how many messages of the bot, by reference or as
// responses, those already forgotten included: {1: 10000} is an answer to each of 10,000. A
// question is a person's message outside a direct message that names or answers the bot, any
// message of a person in a direct message, a forum post, and a command. Replies that were
// deleted do not count.
func (st *State) Tally() map[int]int {
	tally := maps.Clone(st.tally)
	for _, n := range st.answers {
		tally[n]++
	}
	return tally
}
