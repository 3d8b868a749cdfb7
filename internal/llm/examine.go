package llm

import "context"

// A Finding is what an examination found out about one thing.
type Finding struct {
	What   string
	State  string // one of the States
	Detail string // how it is
	Remedy string // what to do; "" where nothing is to be done
}

// The states of a finding.
const (
	StateOK      = "ok"
	StateWarn    = "warn"    // the bot works, but not all is as it should be
	StateProblem = "problem" // the model writes nothing before someone has done what Remedy says
)

// Examine has the model write a word, and tells what is wrong and which setting to change. What
// it finds never holds the key.
func (c *Client) Examine(ctx context.Context) []Finding { return nil }
