package slack

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says which Slack app this is, and where it may say what.
type Config struct {
	BotToken      string // xoxb-…
	AppToken      string // xapp-…, for Socket Mode; "": events come over HTTP
	SigningSecret string // for events over HTTP
	APIURL        string // ends in "/"; "": Slack's own

	Rules Rules
	Home  func() Home // what the app's home shows; required

	Client   *http.Client          // nil: one with sensible time limits
	Registry prometheus.Registerer // nil: metrics are not kept
	Log      *slog.Logger          // nil: discarded
}

// Rules say where the bot speaks, from which documents, and who helps where it cannot.
type Rules struct {
	Audience []string           // of channels that Channels does not name; empty: public
	Direct   []string           // of direct messages; empty: public
	Person   Person             // who helps, where a channel names nobody
	Channels map[string]Channel // by channel id
}

// A Channel is what one channel wants otherwise.
type Channel struct {
	Audience   []string // empty: Rules.Audience
	AutoAnswer bool     // answer what looks like a question, unasked, when it is sure
	Person     Person   // zero: Rules.Person
}

// A Person is who "Ask a person" calls.
type Person struct {
	ID      string // a user group (S…) or a member (U…, W…); "": there is no such button
	Channel string // where to call for questions from direct messages and /ask; "": no button there
}

// Home is what the app tells about itself.
type Home struct {
	Documents []Document // newest first
	Questions []string   // to begin with; at most four are shown
	Audience  []string   // whom the documents above are for
	Persons   bool       // there is a person to ask
}

// A Document is one that answers come from.
type Document struct {
	Title   string
	Updated string // YYYY-MM-DD or ""
	URL     string // "" where it cannot be opened
}
