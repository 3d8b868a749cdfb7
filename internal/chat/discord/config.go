package discord

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says which Discord app this is, and where it may say what.
type Config struct {
	Token     string // of the bot, without "Bot "
	PublicKey string // hex; interactions come over HTTP; "": over the gateway
	APIURL    string // as http://127.0.0.1:9001, without /api; "": Discord's own
	Shards    int    // gateway connections; 0: 1

	Rules   Rules
	Library Library // what the commands tell of the documents; required

	Client   *http.Client          // nil: one with sensible time limits
	Registry prometheus.Registerer // nil: metrics are not kept
	Log      *slog.Logger          // nil: discarded
}

// Rules say where the bot speaks, from which documents, and who helps where it cannot.
type Rules struct {
	Audience []string           // of servers and channels that have no rule; empty: public
	Direct   []string           // of direct messages; empty: public
	Person   Person             // who helps, where a server or channel names nobody
	Guilds   map[string]Guild   // by server id
	Channels map[string]Channel // by channel id; threads and forum posts follow their parent
}

// A Guild is what one server wants otherwise.
type Guild struct {
	Audience []string // empty: Rules.Audience
	Person   Person   // zero: Rules.Person
}

// A Channel is what one channel wants otherwise.
type Channel struct {
	Audience   []string // empty: its server's
	AutoAnswer bool     // answer what looks like a question, or in a forum each new post, unasked, when it is sure
	Person     Person   // zero: its server's
}

// A Person is who "Ask a person" calls.
type Person struct {
	ID      string // of a role or a member; "": there is no such button
	Role    bool
	Channel string // where to call for questions from direct messages and private ones; "": no button there
}

// A Library tells about the documents, as far as some audiences may know.
type Library struct {
	Documents func(audiences []string) []Document
	Status    func(audiences []string) Status
}

// A Document is one that answers come from.
type Document struct {
	Path     string
	Title    string
	Updated  string // YYYY-MM-DD or ""
	URL      string // "" where it cannot be opened
	Sections []Section
}

// A Section is a heading of a document.
type Section struct {
	Title string
	Level int    // 1 beneath the title
	URL   string // "" where it cannot be opened
}

// Status is how the documents are.
type Status struct {
	Documents int
	Passages  int
	Pending   int       // passages that wait for their vectors
	Problems  []Problem // that the audiences may know of
	Others    int       // problems that they may not
	Degraded  []string  // parts of the program that do not work
	Loading   bool
}

// A Problem is a file that does not answer.
type Problem struct{ Path, Reason string }
