// Package ledger remembers what was asked, what was answered, and where the answer was
// posted, in one SQLite file. A question is in it before it is acknowledged; a post is in
// it before it is sent and again when it has arrived. So `kill -9` at any point loses no
// question and repeats no post.
//
// The ledger keeps rows. What an answer says is bytes to it, and what a platform's ids
// mean it does not know.
//
// # Durability
//
// The file is in WAL mode with synchronous FULL: when a method has returned, what it
// wrote survives a power cut. There is one writing connection; methods may be called
// concurrently, reads do not wait for writes. Every method's error leaves the file as it
// was before the call; only where the disk itself fails at the very commit is it decided
// when the file is opened again. A context that ends ends the wait for others' writes and
// no write that has begun.
package ledger

import (
	"errors"
	"time"
)

// A State is how far a turn has come.
type State string

// The states of a turn, in order. In the two -ing states a message may or may not have
// been sent: whoever takes such a turn up looks for it before sending again.
const (
	Received State = "received" // accepted; nothing shown
	Drafting State = "drafting" // a placeholder is being posted; still to be answered
	Answered State = "answered" // Answer is there; nothing shown, or only a placeholder
	Posting  State = "posting"  // page len(Posts) is being posted
	Removing State = "removing" // what is shown is being taken back; Reason says why
	Posted   State = "posted"   // final: all of it is shown
	Dropped  State = "dropped"  // final: Reason says why nothing more is shown
)

// A Place is where something is said, in a platform's own ids.
type Place struct {
	Platform string // "slack"
	Team     string
	Channel  string
	Thread   string // the thread that a reply goes into; "" where there is none
}

// A Turn is one thing that someone said and what became of it.
type Turn struct {
	ID      int64
	Version int64 // counts Updates, from 0; see Update

	Place          // where, and by whom
	Message string // the message that asks; "" for a command
	User    string
	Name    string // what people see as the user's name, where a reply needs it

	Via       string   // how it reached the bot
	Text      string   // what was asked
	Outside   bool     // people from outside the organisation read along
	ReplyURL  string   // secret; erased when the turn becomes final
	Audiences []string // as whom it was answered

	State    State
	Reason   string // why nothing is to be shown any more; "" while it is
	Revision int    // counts edits of the question
	Answer   []byte // nil until Answered
	Verdict  string
	Posts    []string // ids of the messages that show the answer, in order
	Draft    string   // id of the placeholder that the first page will replace

	Accepted time.Time
	Finished time.Time // zero until final
}

// Final reports whether nothing is left to do.
func (t Turn) Final() bool { return t.State == Posted || t.State == Dropped }

// ErrChanged says that a turn is no longer as it was read: read it again and decide anew.
var ErrChanged = errors.New("the turn has changed meanwhile")

// ErrNotFound says that there is no such turn.
var ErrNotFound = errors.New("no such turn in the ledger")

// A Thread is what is remembered of a conversation as a whole.
type Thread struct {
	Answered int  // turns in it that have an answer, shown or about to be
	Quiet    bool // a person was called: the bot speaks only when it is named
}

// Feedback is what one person thinks of one answer.
type Feedback struct {
	Turn    int64
	User    string
	Good    bool
	Comment string
}

// A Gap is a question that the documents did not answer, or answered badly.
type Gap struct {
	Turn     int64
	Text     string
	Verdict  string
	Channel  string
	Platform string
	Bad      int // people who said that the answer was not right
	Asked    time.Time
}

// KeysKept is how long a duplicate is known as one.
const KeysKept = 24 * time.Hour
