package slacktest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A ChannelType is what kind of conversation a channel is, as events name it.
type ChannelType string

// The kinds of conversation.
const (
	PublicChannel  ChannelType = "channel"
	PrivateChannel ChannelType = "group"
	DirectMessage  ChannelType = "im"
	GroupMessage   ChannelType = "mpim"
)

// A Channel is a conversation. Direct messages need not be added: each user has one.
type Channel struct {
	ID        string
	Name      string
	Type      ChannelType
	User      string // the other side of a direct message
	ExtShared bool   // with another organisation
	Archived  bool
	NotMember bool // the bot is not in it
}

// A User is a member.
type User struct {
	ID     string
	Name   string // as people see it
	Locale string // "": en-US
	Team   string // "": Team
	Bot    bool
}

// A Metadata is what an app attached to a message.
type Metadata struct {
	EventType    string         `json:"event_type"`
	EventPayload map[string]any `json:"event_payload"`
}

// A Message is one message as it is shown now.
type Message struct {
	Channel     string
	TS          string
	ThreadTS    string // the root it replies to; "" at the top level
	User        string
	BotID       string
	Subtype     string
	Text        string           // in Slack's markup; with blocks only the fallback
	Blocks      []map[string]any // each with a block_id, as Slack gives one
	Metadata    *Metadata
	ClientMsgID string
	For         string   // who alone sees it; "": everyone
	Via         string   // the method that posted it, or ResponseURL, or "ack"; "" for people
	Edited      string   // ts of the last edit; "" for none
	Streaming   bool     // begun and not stopped yet
	Reactions   []string // as "eyes U0CITEBOT1"
	History     []string // what Plain was before each edit

	stream  *stream
	preview bool // a link in it was unfurled
	file    string
}

// A View is a modal or a home tab.
type View struct {
	ID              string
	Hash            string
	Type            string // "modal", "home"
	User            string
	CallbackID      string
	PrivateMetadata string
	Title           string
	Submit          string
	Close           string
	NotifyOnClose   bool
	Blocks          []map[string]any
	Errors          map[string]string // by block_id: what the bot said of the last submission
	Published       int               // how often, for a home
}

// A Prompt is a suggested question.
type Prompt struct {
	Title   string `json:"title"`
	Message string `json:"message"`
}

// State is what people see, and what the fake counted. It is handed out under a lock: use
// it only inside the function that got it.
type State struct {
	now      func() time.Time
	last     int64 // of the newest ts, in microseconds
	channels map[string]*channel
	users    map[string]User
	private  map[string][]*Message // by user: what only they see
	homes    map[string]*View
	modals   map[string]*View
	prompts  map[string][]Prompt // by channel
	calls    map[string]int
	acked    map[string]bool
	open     int
	ever     int
	tally    map[int]int // of threads that were forgotten
}

// A channel is a Channel and what is in it.
type channel struct {
	Channel
	byTS    map[string]*Message
	top     []*Message
	replies map[string][]*Message // by the root's ts
	status  map[string]status     // by the root's ts
	roots   map[string]bool       // ts of roots that are gone
}

type status struct {
	text string
	at   time.Time
}

// A status goes by itself when no message follows.
// https://docs.slack.dev/reference/methods/assistant.threads.setStatus
const statusLasts = 2 * time.Minute

func newState(now func() time.Time) State {
	return State{
		now: now, channels: map[string]*channel{}, users: map[string]User{}, private: map[string][]*Message{},
		homes: map[string]*View{}, modals: map[string]*View{}, prompts: map[string][]Prompt{},
		calls: map[string]int{}, acked: map[string]bool{}, tally: map[int]int{},
	}
}

// Messages lists what is shown in a channel, oldest first: with a thread its root and all
// replies, without one what is at the top level. What only one person sees is not in it.
func (st *State) Messages(channel, thread string) []Message {
	c := st.channels[channel]
	if c == nil {
		return nil
	}
	if thread == "" {
		return copies(c.top)
	}
	return copies(c.thread(thread))
}

// thread is a root and its replies.
func (c *channel) thread(root string) []*Message {
	var all []*Message
	if m := c.byTS[root]; m != nil {
		all = append(all, m)
	}
	return append(all, c.replies[root]...)
}

func copies(shown []*Message) []Message {
	var all []Message
	for _, m := range shown {
		all = append(all, *m)
	}
	return all
}

// Posts are the Messages that are the bot's.
func (st *State) Posts(channel, thread string) []Message {
	return slices.DeleteFunc(st.Messages(channel, thread), func(m Message) bool { return m.BotID != Bot })
}

// Message finds what is shown in a channel, be it to one person alone.
func (st *State) Message(channel, ts string) (Message, bool) {
	if m := st.find(channel, ts); m != nil {
		return *m, true
	}
	return Message{}, false
}

func (st *State) find(channel, ts string) *Message {
	if c := st.channels[channel]; c != nil && c.byTS[ts] != nil {
		return c.byTS[ts]
	}
	for _, shown := range st.private {
		for _, m := range shown {
			if m.Channel == channel && m.TS == ts {
				return m
			}
		}
	}
	return nil
}

// Ephemerals lists what only this user sees, oldest first.
func (st *State) Ephemerals(user string) []Message { return copies(st.private[user]) }

// Status is what the bot says it is doing in a thread; "" when nothing is shown.
func (st *State) Status(channel, thread string) string {
	c := st.channels[channel]
	if c == nil || st.now().Sub(c.status[thread].at) > statusLasts {
		return ""
	}
	return c.status[thread].text
}

// Home is the user's home tab.
func (st *State) Home(user string) (View, bool) { return viewOf(st.homes, user) }

// Modal is the view that is open on the user's screen.
func (st *State) Modal(user string) (View, bool) { return viewOf(st.modals, user) }

func viewOf(views map[string]*View, user string) (View, bool) {
	if v := views[user]; v != nil {
		return *v, true
	}
	return View{}, false
}

// Prompts are those suggested in the direct message of a user.
func (st *State) Prompts(user string) []Prompt { return slices.Clone(st.prompts[DirectOf(user)]) }

// Calls is how often a method was called, with success or without; "" for all methods.
func (st *State) Calls(method string) int {
	if method != "" {
		return st.calls[method]
	}
	sum := 0
	for _, n := range st.calls {
		sum += n
	}
	return sum
}

// Acked reports whether all these envelopes were acknowledged.
func (st *State) Acked(envelopes ...string) bool {
	return !slices.ContainsFunc(envelopes, func(id string) bool { return !st.acked[id] })
}

// Connections is how many sockets are open, and how many ever were.
func (st *State) Connections() (now, ever int) { return st.open, st.ever }

// Tally says how many threads that a person began got how many posts of the bot, those
// already forgotten included: {1: 10000} is an answer to each of 10,000 questions.
func (st *State) Tally() map[int]int {
	tally := maps.Clone(st.tally)
	for _, c := range st.channels {
		for _, root := range c.top {
			if root.BotID == "" && root.Subtype == "" {
				tally[c.answers(root.TS)]++
			}
		}
	}
	return tally
}

// answers is how many posts of the bot a thread has.
func (c *channel) answers(root string) int {
	n := 0
	for _, m := range c.replies[root] {
		if m.BotID == Bot {
			n++
		}
	}
	return n
}

// DirectOf is the id of the direct message between the bot and a user.
func DirectOf(user string) string { return "D" + strings.TrimPrefix(user, "U") }
