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
	times     times
	log       *slog.Logger
}

// times are how long things may take that a call's context does not bound.
type times struct {
	connect time.Duration // and as long again for TLS
	headers time.Duration // from the request to the first line of the response
	idle    time.Duration // of a stream, without a byte
}

// The time of an answer is 20 s. A server that says nothing for most of it is given up while
// something else can still be said.
var usualTimes = times{connect: 5 * time.Second, headers: 15 * time.Second, idle: 10 * time.Second}

// A vendor speaks one API.
type vendor interface {
	// stream makes one request, and adds to w what comes. It is nil though the reply may be
	// unfinished: what of it there is says w.
	stream(ctx context.Context, client *http.Client, r Request, w *writing) error
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
	c.vendor = newOpenAI(cfg)
	return c, nil
}

// check says which setting is to be changed, by the names people know them by.
func (cfg Config) check() error {
	switch {
	case cfg.Provider != OpenAI && cfg.Provider != Anthropic:
		return fmt.Errorf("LLM_PROVIDER: %q is not known; write %s, which most servers speak, or %s", cfg.Provider, OpenAI, Anthropic)
	case strings.TrimSpace(cfg.Model) == "":
		return fmt.Errorf("LLM_MODEL is not set; write the name of a model that the server of LLM_BASE_URL, or the provider, has")
	case cfg.BaseURL == "" && cfg.Key == "":
		return fmt.Errorf("LLM_API_KEY is not set, and %s wants one; set it, or LLM_BASE_URL to a server of your own", cfg.Provider)
	case strings.ContainsFunc(cfg.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("LLM_API_KEY holds a space or another character that no key has; copy it again")
	}
	return checkURL(cfg.BaseURL)
}

func checkURL(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("LLM_BASE_URL is not a web address; write one like http://127.0.0.1:11434/v1")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("LLM_BASE_URL holds more than scheme, host and path; write it as http://127.0.0.1:11434/v1, and the key to LLM_API_KEY")
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
	if r.MaxTokens == 0 {
		r.MaxTokens = usualMaxTokens
	}
	w := &writing{more: more}
	if err := c.vendor.stream(ctx, &http.Client{Transport: c.transport}, r, w); err != nil {
		return Reply{}, err
	}
	return Reply{Text: w.text.String(), Usage: w.usage, Cut: w.end == endCut}, nil
}

// Ready says whether a call would be made now, and if not in one line why, and what to do. It
// calls nobody.
func (c *Client) Ready() (ok bool, problem string) { return true, "" }

// Close ends the connections. No call may be under way.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
