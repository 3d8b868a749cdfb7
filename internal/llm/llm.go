// Package llm has a language model write: one kind of client for all servers that speak
// OpenAI's chat completions (OpenAI, Ollama, vLLM, llama.cpp) and for Anthropic's messages.
//
// What may go wrong with a model is ended here, and told in a fixed vocabulary ([Error]), so
// that a caller only has to do without: nothing is repeated by the vendors' libraries, by
// which alone a request could be sent nine times; one layer here repeats what may be mended
// by that, twice at most and rarely (retry.go); a model that fails again and again is left
// alone for a while (breaker.go); replies that hang, never end or are none are given up
// (wire.go); what was spent in a day has a limit (spend.go).
//
// The time of a whole call is its context's. No error, log or metric holds a key, and none a
// prompt.
package llm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The providers, by the API they speak.
const (
	OpenAI    = "openai"
	Anthropic = "anthropic"
)

// Config says which model of which server is to write, and what that may cost. Nothing else
// decides: the variables that the vendors' libraries know are not read.
type Config struct {
	Provider string // OpenAI or Anthropic
	BaseURL  string // with /v1 for OpenAI's; "": the vendor's
	Key      string // "": none, as local servers want it
	Model    string
	Prices   Prices // for Cost and Budget
	Budget   Budget // zero: none
	Spend    string // file that keeps what was spent today, so that a restart forgets nothing; "": memory alone

	Registry prometheus.Registerer // nil: not counted
	Log      *slog.Logger          // nil: discarded
}

// Prices are money per 1,000,000 tokens, in whatever currency.
type Prices struct{ Input, Output float64 }

// A Budget is what may be spent in a day, which begins at midnight UTC. 0 is no limit.
type Budget struct {
	Tokens int // of input and output together
	Money  float64
}

// Usage is the tokens of a call.
type Usage struct{ Input, Output int }

// A Message is a turn of a conversation.
type Message struct {
	Role string // "user" or "assistant"
	Text string
}

// A Request is what a model is to reply to. The last message is the user's.
type Request struct {
	System    string
	Messages  []Message
	MaxTokens int // of the reply; 0: 1024
}

// A Reply is what a model wrote. Its text is valid UTF-8 and not empty.
type Reply struct {
	Text  string
	Usage Usage // estimated, as four characters a token, where the server does not tell
	Cut   bool  // the model reached MaxTokens
}

const (
	roleUser      = "user"
	roleAssistant = "assistant"

	usualMaxTokens = 1024
)

// A Client has one model write. Its methods may be called concurrently.
type Client struct {
	cfg       Config
	name      string
	vendor    vendor
	transport *http.Transport
	next      http.RoundTripper // transport, but in tests
	times     times
	log       *slog.Logger
	metrics   metrics
	spending  *spending
	retries   retries
	hold      hold
	breakers  [2]*breaker // of outages, and of settings
}

// times are how long things may take that a call's context does not bound.
type times struct {
	connect time.Duration // and as long again for TLS
	headers time.Duration // from the request to the first line of the response
	first   time.Duration // from there to the first byte of a stream
	idle    time.Duration // of a stream, without a byte
}

// The time of an answer is 20 s. A server on a machine of one's own reads the prompt for most
// of it before it says a word; one that stands still after that is given up while something
// else can still be said.
var usualTimes = times{connect: 5 * time.Second, headers: 15 * time.Second, first: 18 * time.Second, idle: 10 * time.Second}

// A vendor speaks one API.
type vendor interface {
	// stream makes one request, worded as used, and adds to w what comes. It may return
	// without an error though the reply is unfinished: w.end tells.
	stream(ctx context.Context, client *http.Client, r Request, w *writing) (used habit, err error)

	// adapt changes how requests are worded to what the server said about one, and says
	// whether to make it again.
	adapt(said said, used habit) bool
}

// New checks cfg. It calls nobody.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, name: cfg.Provider + "/" + cfg.Model, times: usualTimes, log: cfg.Log}
	c.transport = newTransport(c.times)
	c.next = c.transport
	c.vendor = newVendor(cfg)
	c.spending = openSpending(cfg, c.name)
	c.breakers = [2]*breaker{newBreaker(failuresToOpen, outageLasts, isOutage), newBreaker(1, settingLasts, lasts)}
	var err error
	c.metrics, err = newMetrics(c)
	return c, err
}

func newVendor(cfg Config) vendor {
	if cfg.Provider == Anthropic {
		return newAnthropic(cfg)
	}
	return newOpenAI(cfg)
}

// check says which setting is to be changed, by the names people know them by.
func (cfg Config) check() error {
	switch {
	case cfg.Provider != OpenAI && cfg.Provider != Anthropic:
		return fmt.Errorf("LLM_PROVIDER: %q is not known; write %s, which most servers speak, or %s", cfg.Provider, OpenAI, Anthropic)
	case strings.TrimSpace(cfg.Model) == "":
		return errors.New("LLM_MODEL is not set; write the name of a model that the server of LLM_BASE_URL, or the provider, has")
	case cfg.BaseURL == "" && cfg.Key == "":
		return fmt.Errorf("LLM_API_KEY is not set, and %s wants one; set it, or LLM_BASE_URL to a server of your own", cfg.Provider)
	case cfg.Budget.Tokens < 0 || !(cfg.Budget.Money >= 0) || !(cfg.Prices.Input >= 0) || !(cfg.Prices.Output >= 0):
		return errors.New("the prices and the daily budget of the model must not be less than nothing; correct them in bot.yaml")
	case cfg.Budget.Money > 0 && cfg.Prices == Prices{}:
		return errors.New("a daily budget of money needs the model's prices; write them into bot.yaml, or budget tokens")
	case strings.ContainsFunc(cfg.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("LLM_API_KEY holds a space or another character that no key has; copy it again")
	}
	return checkURL(cfg.BaseURL)
}

func checkURL(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("LLM_BASE_URL is not a web address; write one like http://127.0.0.1:11434/v1")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("LLM_BASE_URL holds more than scheme, host and path; write it as http://127.0.0.1:11434/v1, and the key to LLM_API_KEY")
	}
	return nil
}

// Name is provider/model, for logs and tables.
func (c *Client) Name() string { return c.name }

// Cost is what tokens cost by the prices of the Config.
func (c *Client) Cost(u Usage) float64 {
	return (float64(u.Input)*c.cfg.Prices.Input + float64(u.Output)*c.cfg.Prices.Output) / 1e6
}

// Complete has the model reply. more is called with each piece of text as it comes, in the
// caller's goroutine, and may be nil; Complete returns when the reply is whole. What was
// handed to more is not taken back should it fail afterwards, and never repeated. ctx owns the
// whole time. An error is an *[Error], or context.Canceled.
func (c *Client) Complete(ctx context.Context, r Request, more func(text string)) (Reply, error) {
	started := time.Now()
	reply, err := c.complete(ctx, r, more)
	c.metrics.ended(time.Since(started), err)
	return reply, err
}

func (c *Client) complete(ctx context.Context, r Request, more func(string)) (Reply, error) {
	if r.MaxTokens == 0 {
		r.MaxTokens = usualMaxTokens
	}
	if problem := c.spending.spent(); problem != "" {
		c.spending.tell()
		e := c.failure(ReasonBudgetSpent, "%s", problem)
		e.Remedy = raiseBudget
		return Reply{}, e
	}
	c.retries.called(time.Now())
	w := &writing{more: more}
	pauses := newPauses()
	for left := maxRetries; ; left-- {
		err := c.attempt(ctx, r, w)
		if err == nil {
			return Reply{Text: w.text.String(), Usage: w.usage, Cut: w.end == endCut}, nil
		}
		if left > 0 && w.text.Len() == 0 && c.repeat(ctx, err, pauses) {
			continue
		}
		if errors.Is(ctx.Err(), context.Canceled) { // perhaps while it waited
			err = c.canceled()
		}
		return Reply{}, err
	}
}

// attempt makes a request, if it may be made, and a second one if the first was not worded as
// the server wants it.
func (c *Client) attempt(ctx context.Context, r Request, w *writing) error {
	if err := c.held(ctx); err != nil {
		return err
	}
	err := c.guarded(func() error {
		used, err := c.request(ctx, r, w)
		var refused *refusal
		if errors.As(err, &refused) && refused.status == http.StatusBadRequest && c.vendor.adapt(refused.said(), used) {
			_, err = c.request(ctx, r, w)
		}
		if err == nil {
			return c.finished(w)
		}
		err = c.explain(ctx, err, w)
		withoutPrompt(err, r) // before it is logged
		return err
	})
	var e *Error
	if errors.As(err, &e) && e.after > 0 {
		c.hold.set(e.after)
	}
	return err
}

// request makes one request, and counts what it cost.
func (c *Client) request(ctx context.Context, r Request, w *writing) (habit, error) {
	w.usage, w.end = Usage{}, endNone
	w.wire = &wire{next: c.next, first: c.times.first, idle: c.times.idle, limit: max(maxReply, r.MaxTokens*bytesPerToken)}
	used, err := c.vendor.stream(ctx, w.wire.client(), r, w)
	if err == nil && w.end == endNone {
		err = errNoReply
	}
	w.estimate(r)
	c.spending.add(w.usage, c.Cost(w.usage))
	return used, err
}

// finished finds fault with a reply that came to its end.
func (c *Client) finished(w *writing) error {
	switch empty := strings.TrimSpace(w.text.String()) == ""; {
	case w.end == endFiltered:
		e := c.failure(ReasonCutOff, "the provider's filter ended the reply")
		e.Remedy = "set LLM_MODEL to another, should it happen often"
		return e
	case empty && w.end == endCut:
		e := c.failure(ReasonEmpty, "all tokens were used up before the first word")
		e.Remedy = "let it write more tokens, or set LLM_MODEL to one that reasons less"
		return e
	case empty:
		return c.failure(ReasonEmpty, "the reply holds no text")
	}
	return nil
}

// Ready says whether a call would be made now, and if not in one line why, and what to do. It
// calls nobody. When the time of a breaker is over it is true, for the next call decides.
func (c *Client) Ready() (ok bool, problem string) {
	if spent := c.spending.spent(); spent != "" {
		return false, c.name + ": " + ReasonBudgetSpent + ": " + spent + "; " + raiseBudget
	}
	for _, b := range c.breakers {
		if cause, _ := b.open(); cause != nil {
			return false, cause.Error()
		}
	}
	if left := c.hold.left(); left > longHold {
		return false, c.heldFor(left).Error()
	}
	return true, ""
}

// longHold is longer than calls wait for.
const longHold = 20 * time.Second

// Close ends the connections. No call may be under way.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
