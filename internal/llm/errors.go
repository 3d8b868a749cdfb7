package llm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// The reasons for which a model wrote nothing that is of use.
const (
	ReasonTimeout      = "timeout"       // of the context, or of a server that says nothing
	ReasonUnreachable  = "unreachable"   // no connection, or lost before a reply began
	ReasonRateLimited  = "rate limited"  // too many calls
	ReasonOverloaded   = "overloaded"    // by others
	ReasonKeyRefused   = "key refused"   //
	ReasonNoCredit     = "no credit"     // or a limit that was set at the vendor's is reached
	ReasonUnknownModel = "unknown model" // or nothing at all is at the address
	ReasonBadRequest   = "bad request"   // most often a prompt that is too long
	ReasonGarbage      = "garbage"       // what came is no reply
	ReasonCutOff       = "cut off"       // a reply that was not finished
	ReasonTooLong      = "too long"      // a reply that was given up
	ReasonEmpty        = "empty"         // a reply without text
	ReasonServerError  = "server error"  //
	ReasonBreakerOpen  = "breaker open"  // not called, for the calls before failed
	ReasonBudgetSpent  = "budget spent"  // not called, for the day's budget is spent
)

// Reasons are all of them.
func Reasons() []string {
	return []string{
		ReasonTimeout, ReasonUnreachable, ReasonRateLimited, ReasonOverloaded, ReasonKeyRefused, ReasonNoCredit, ReasonUnknownModel, ReasonBadRequest,
		ReasonGarbage, ReasonCutOff, ReasonTooLong, ReasonEmpty, ReasonServerError, ReasonBreakerOpen, ReasonBudgetSpent,
	}
}

// An Error says why there is no reply, and what to do about it.
type Error struct {
	Model  string // provider/model
	Reason string // one of Reasons
	Status int    // of HTTP; 0: there was none
	Detail string // what came, or how it went: one line of at most 200 characters, without the key
	Remedy string // which setting to change
	Err    error  // the context's, where that is the cause

	again bool          // a repetition may mend it
	after time.Duration // but not before, as the server wants it
}

func (e *Error) Error() string {
	text := e.Model + ": " + e.Reason
	if e.Status != 0 {
		text += fmt.Sprintf(" (%d)", e.Status)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text + "; " + e.Remedy
}

func (e *Error) Unwrap() error { return e.Err }

// Is compares with an *Error by its Reason, so that errors.Is(err, &Error{Reason: …}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason
}

// reasonOf is the reason of an error of Complete, "" of the caller's cancellation.
func reasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// lasts says whether an error stays until somebody changes a setting.
func lasts(err error) bool {
	switch reasonOf(err) {
	case ReasonKeyRefused, ReasonNoCredit, ReasonUnknownModel:
		return true
	}
	return false
}

// failure makes an error of this client.
func (c *Client) failure(reason, format string, args ...any) *Error {
	return &Error{Model: c.name, Reason: reason, Detail: c.clean(fmt.Sprintf(format, args...)), Remedy: c.remedy(reason)}
}

// remedy is what to do where nothing more is known.
func (c *Client) remedy(reason string) string {
	switch reason {
	case ReasonTimeout:
		return "see how busy the model's server is, or set LLM_MODEL to a faster one"
	case ReasonUnreachable:
		return "start the server, or correct LLM_BASE_URL"
	case ReasonRateLimited:
		return "raise the limit at the provider's, or ask less often"
	case ReasonOverloaded:
		return "wait, or set LLM_MODEL to another"
	case ReasonKeyRefused:
		if c.cfg.Key == "" {
			return "set LLM_API_KEY"
		}
		return "set LLM_API_KEY to a key that may use this model, or LLM_PROVIDER and LLM_BASE_URL to where the key is from"
	case ReasonNoCredit:
		return "pay, or raise the spending limit, at the provider's, or set LLM_API_KEY to another account's"
	case ReasonUnknownModel:
		return "set LLM_MODEL to a model that the server has, or correct LLM_BASE_URL" + c.hintV1()
	case ReasonBadRequest:
		return "set LLM_MODEL to one that takes such a request, or see whether LLM_PROVIDER fits the server"
	case ReasonGarbage, ReasonCutOff, ReasonTooLong, ReasonEmpty:
		return "see whether LLM_BASE_URL and LLM_PROVIDER fit the server, and the server's log"
	}
	return "see the server's log, or the provider's status page"
}

// hintV1 tells of the commonest mistake in an address.
func (c *Client) hintV1() string {
	if c.cfg.Provider == OpenAI && c.cfg.BaseURL != "" && !strings.HasSuffix(strings.TrimRight(c.cfg.BaseURL, "/"), "/v1") {
		return ", which ends in /v1 with most servers"
	}
	return ""
}

// explain says in words why an attempt failed. What the server said comes before the context:
// it may have been said at the last moment.
func (c *Client) explain(ctx context.Context, err error, w *writing) error {
	var refused *refusal
	var other *otherBody
	switch {
	case errors.As(err, &refused):
		return c.refused(refused)
	case errors.As(err, &other):
		return c.failure(ReasonGarbage, "%s came, not a stream of events: %s", other.contentType, other.text)
	case errors.Is(err, errTooLong):
		return c.failure(ReasonTooLong, "the reply was given up after %d KB, %d KB of it text", w.wire.read>>10, w.text.Len()>>10)
	case errors.Is(err, errIdle):
		silent := c.times.idle
		if w.wire.read == 0 {
			silent = c.times.first
		}
		return c.failure(ReasonTimeout, "nothing came for %v", silent)
	case errors.Is(ctx.Err(), context.Canceled):
		return c.canceled()
	case ctx.Err() != nil:
		e := c.failure(ReasonTimeout, "the time for the answer was over")
		e.Err = ctx.Err()
		return e
	case w.wire.responded:
		return c.broken(err, w)
	}
	return c.unreachable(err)
}

// canceled is the caller's own doing.
func (c *Client) canceled() error { return fmt.Errorf("%s: %w", c.name, context.Canceled) }

// broken is about a stream that began.
func (c *Client) broken(err error, w *writing) *Error {
	if event, ok := errorEvent(err); ok {
		e := c.refused(event)
		e.Status = 0
		return e
	}
	if errors.Is(err, errNoReply) || isCut(err) {
		e := c.failure(ReasonCutOff, "the stream ended before the reply did")
		e.again = true
		return e
	}
	if w.text.Len() > 0 { // what came is the reply, which is nobody's to log
		return c.failure(ReasonGarbage, "an event in the stream is no JSON")
	}
	return c.failure(ReasonGarbage, "an event in the stream is no JSON: %s", w.wire.head)
}

// unreachable is about a connection that was not made, or lost.
func (c *Client) unreachable(err error) *Error {
	var dns *net.DNSError
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e := c.failure(ReasonUnreachable, "the host's name leads nowhere")
		e.Remedy = "correct LLM_BASE_URL"
		return e
	case errors.As(err, &certificate), errors.As(err, &authority):
		e := c.failure(ReasonUnreachable, "the server's certificate is not trusted")
		e.Remedy = "add its authority to the system's roots, or correct the host in LLM_BASE_URL"
		return e
	case errors.As(err, &plain), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e := c.failure(ReasonUnreachable, "the server speaks no TLS")
		e.Remedy = "write http:// in LLM_BASE_URL"
		return e
	case errors.As(err, &timeout) && timeout.Timeout() && !isDial(err):
		return c.failure(ReasonTimeout, "nothing came for %v", c.times.headers)
	}
	e := c.failure(ReasonUnreachable, "%v", withoutAddress(err))
	e.again = true
	return e
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// statuses are those that say what is wrong; others of 500 and more are the server's errors,
// and the rest bad requests.
var statuses = map[int]struct {
	reason string
	again  bool
}{
	http.StatusUnauthorized:        {ReasonKeyRefused, false},
	http.StatusPaymentRequired:     {ReasonNoCredit, false},
	http.StatusForbidden:           {ReasonKeyRefused, false},
	http.StatusNotFound:            {ReasonUnknownModel, false},
	http.StatusRequestTimeout:      {ReasonTimeout, true},
	http.StatusConflict:            {ReasonServerError, true},
	http.StatusTooManyRequests:     {ReasonRateLimited, true},
	http.StatusInternalServerError: {ReasonServerError, true},
	http.StatusBadGateway:          {ReasonServerError, true},
	http.StatusServiceUnavailable:  {ReasonOverloaded, true},
	http.StatusGatewayTimeout:      {ReasonServerError, true},
	statusOverloaded:               {ReasonOverloaded, true},
}

// https://docs.anthropic.com/en/api/errors
const statusOverloaded = 529

// refused is about a status that is no success, or an error that came as an event.
func (c *Client) refused(r *refusal) *Error {
	said := r.said()
	reason, again := ReasonBadRequest, false
	switch s, ok := statuses[r.status]; {
	case said.isSpendCap():
		reason = ReasonNoCredit
	case said.is("model_not_found"):
		reason = ReasonUnknownModel
	case ok:
		reason, again = s.reason, s.again
	case r.status >= 500:
		reason = ReasonServerError
	case r.status < 400:
		reason = ReasonGarbage
	}
	e := c.failure(reason, "%s", said.text)
	e.Status, e.again = r.status, again
	if again {
		e.after = r.retryAfter(time.Now())
	}
	if r.status/100 == 3 {
		e.Detail = c.clean("it redirects to " + r.redirect())
		e.Remedy = "set LLM_BASE_URL to where the server is"
	}
	if r.status == http.StatusBadRequest && reason == ReasonBadRequest && said.isTooLong() {
		e.Remedy = "give the model a smaller context, or set LLM_MODEL to one that takes more"
	}
	return e
}
