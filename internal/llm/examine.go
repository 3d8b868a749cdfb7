package llm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

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

// What the findings are about.
const (
	whatServer = "LLM server"
	whatKey    = "LLM key"
	whatModel  = "LLM model"
	whatBudget = "LLM budget"
)

// examineTokens lets a model that reasons come to its first word, mostly.
const examineTokens = 256

// Examine has the model write a word, and tells what is wrong and which setting to change. What
// it finds never holds the key.
func (c *Client) Examine(ctx context.Context) []Finding {
	var found []Finding
	if f, ok := c.secrecy(); ok {
		found = append(found, f)
	}
	started := time.Now()
	reply, err := c.Complete(ctx, Request{
		System:    "You check whether a connection works.",
		Messages:  []Message{{roleUser, "Write only the word: works"}},
		MaxTokens: examineTokens,
	}, nil)
	var e *Error
	switch {
	case errors.As(err, &e):
		found = append(found, c.problem(e))
	case err != nil:
		found = append(found, Finding{whatServer, StateProblem, "the examination was stopped", "begin it anew"})
	default:
		found = append(found, Finding{whatModel, StateOK, fmt.Sprintf("%s wrote %d tokens within %v", c.name, reply.Usage.Output, time.Since(started).Round(time.Millisecond)), ""})
	}
	return append(found, c.budget()...)
}

// secrecy tells of a key that everyone on the way can read.
func (c *Client) secrecy() (Finding, bool) {
	u, err := url.Parse(c.cfg.BaseURL)
	if err != nil || c.cfg.Key == "" || u.Scheme != "http" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback() {
		return Finding{}, false
	}
	return Finding{whatKey, StateWarn, "LLM_API_KEY and all questions go unencrypted over the network to " + u.Hostname(),
		"write https:// in LLM_BASE_URL, or keep both in one private network"}, true
}

// problem sorts an error by what it is about.
func (c *Client) problem(e *Error) Finding {
	f := Finding{What: whatServer, State: StateProblem, Remedy: e.Remedy}
	switch e.Reason {
	case ReasonKeyRefused, ReasonNoCredit:
		f.What = whatKey
	case ReasonUnknownModel, ReasonBadRequest:
		f.What = whatModel
	case ReasonBudgetSpent:
		f.What, f.State = whatBudget, StateWarn
	case ReasonEmpty, ReasonRateLimited, ReasonOverloaded:
		f.What, f.State = whatModel, StateWarn
	}
	where := c.cfg.BaseURL
	if where == "" {
		where = "the provider"
	}
	f.Detail = fmt.Sprintf("%s at %s: %s", c.name, where, e.Reason)
	if e.Status != 0 {
		f.Detail += fmt.Sprintf(" (%d)", e.Status)
	}
	if e.Detail != "" {
		f.Detail += ": " + e.Detail
	}
	return f
}

// budget tells how much of it is left.
func (c *Client) budget() []Finding {
	d := c.spending.today()
	switch b := c.cfg.Budget; {
	case c.spending.spent() != "": // which the call has told
		return nil
	case b.Money > 0:
		return []Finding{{whatBudget, StateOK, fmt.Sprintf("%.2f of %.2f are spent today (UTC)", d.Money, b.Money), ""}}
	case b.Tokens > 0:
		return []Finding{{whatBudget, StateOK, fmt.Sprintf("%d of %d tokens are spent today (UTC)", d.Tokens, b.Tokens), ""}}
	}
	return nil
}
