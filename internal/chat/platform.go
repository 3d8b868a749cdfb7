package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citebot/internal/citations"
	"citebot/internal/ledger"
)

// A Place is where on a platform something is said.
type Place = ledger.Place

// Via says how a message reached the bot.
type Via string

// The ways. Handoff and Share are no questions but ask for a post all the same.
const (
	Mention   Via = "mention"   // the bot was named
	Direct    Via = "direct"    // in a direct message
	FollowUp  Via = "followup"  // in a thread where the bot has answered, without naming it
	Overheard Via = "overheard" // in a channel where the bot may speak up: silent unless it is sure
	Command   Via = "command"   // by a command; the reply is for the asker alone
	Ask       Via = "ask"       // by a command; the reply is for everyone
	Shortcut  Via = "shortcut"  // someone pointed at a message
	Handoff   Via = "person"    // someone asks for a person; Text is what they had asked
	Share     Via = "share"     // someone shows the private answer of turn Of to the channel
)

// A Message is what a platform hands to the desk: something that wants a post.
type Message struct {
	Place
	ID       string // the platform's id of the message that asks; "" for a command
	User     string
	Name     string // for Share the user's name as people see it, for Handoff whom to call
	Text     string // without the bot's own mention
	Via      Via
	ReplyURL string    // secret; where the reply to this one goes, "" for a reply in Place
	Outside  bool      // people from outside the organisation read along: public documents only
	Once     bool      // not if the message with its ID has been answered, or is about to be
	Of       int64     // for Share and Handoff: the turn it is about
	Sent     time.Time // when it was said; zero: unknown
	Keys     []string  // each alone makes a later message with the same key a duplicate
}

// A Post is one message of the bot: one page of the reply to one turn.
type Post struct {
	Place
	Key      string // the same for each try, different for every other post; unguessable
	Turn     int64
	Page     int // from 0
	Via      Via
	Message  string // the message that asked; "" for a command
	User     string // who asked
	Name     string
	Question string
	ReplyURL string
	Answer   citations.Answer // empty for Handoff and for a draft
	Draft    bool             // a placeholder: the answer takes longer than people like to wait
	Again    bool             // the question was edited: this replaces an earlier answer
	Asked    time.Time
}

// A Platform shows posts. Its methods are called concurrently, for one thread one after
// the other. None of them waits for a rate limit: it returns [Wait] and is called again.
type Platform interface {
	// Name is the Platform of every Place on it.
	Name() string

	// Audiences are the audiences whose documents everyone who reads a place may see.
	// An error is one of those of Send.
	Audiences(ctx context.Context, p Place, outside bool) ([]string, error)

	// Pages is how many posts it takes to show an answer, at least 1.
	Pages(p Post) int

	// Slot takes the next free moment for a post in its place, and says how far away it is. A
	// draft that cannot be made at once takes none.
	Slot(p Post) time.Duration

	// Send makes a new post and returns its id. Given a draft's id it shows p there instead,
	// which may be repeated.
	//
	// Where the post certainly was not made the error is a [Wait], or another error when
	// trying again makes no sense. Where it may have been made the error wraps
	// [ErrUnknown]. Send itself finds another way to the person when a place refuses it.
	Send(ctx context.Context, p Post, draft string) (id string, err error)

	// Edit shows p where the post with that id is. It may be repeated; errors as for Send.
	Edit(ctx context.Context, p Post, id string) error

	// Find looks for a post whose Send was cut off; "" when it certainly was not made, or when
	// only its asker sees it and it cannot be found: to show it twice to them does less harm
	// than never.
	Find(ctx context.Context, p Post) (id string, err error)

	// Remove takes away a post that there is no more reason for. It may be repeated.
	Remove(ctx context.Context, p Post, id string) error

	// Working shows how far an answer has come, and at stage "" takes back what shows that one
	// is coming. It does its best and says nothing of a failure.
	Working(ctx context.Context, p Post, stage Stage)

	// Tell says something to one person alone. It does its best.
	Tell(ctx context.Context, p Post, text string)
}

// ErrUnknown says that a post may or may not have been made.
var ErrUnknown = errors.New("it is not known whether the post was made")

// Wait says that a post was not made and may be tried again after some time.
type Wait struct {
	For time.Duration
	Err error // why; may be nil
}

func (w *Wait) Error() string { return fmt.Sprintf("to be tried again in %v: %v", w.For, w.Err) }

// Unwrap gives the reason.
func (w *Wait) Unwrap() error { return w.Err }
