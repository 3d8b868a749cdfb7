package llm

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

// A refusal is a response that is no success, as an error on the way through a library.
type refusal struct {
	status int
	header http.Header
	body   string // as far as it was read
}

func (r *refusal) Error() string { return "status " + strconv.Itoa(r.status) }

// An otherBody is a success that is no stream of events.
type otherBody struct{ contentType, text string }

func (o *otherBody) Error() string { return "not a stream of events" }

// said is what a server says is wrong.
type said struct {
	text  string
	codes []string // its words for programs
}

// said reads what servers send: {"error": {"message": …, "type": …, "code": …}}, an error
// that is a text, as Ollama's, or a page.
func (r *refusal) said() said {
	var body struct {
		Error   json.RawMessage
		Message string
	}
	if json.Unmarshal([]byte(r.body), &body) != nil {
		return said{text: r.body}
	}
	s := said{text: body.Message}
	var inner struct {
		Message string
		Type    string
		Code    any // a number at llama.cpp's
		Param   any
	}
	if json.Unmarshal(body.Error, &s.text) != nil && json.Unmarshal(body.Error, &inner) == nil {
		s.text, s.codes = inner.Message, []string{inner.Type}
		for _, word := range []any{inner.Code, inner.Param} {
			if word, ok := word.(string); ok {
				s.codes = append(s.codes, word)
			}
		}
	}
	if s.text == "" {
		s.text = r.body
	}
	return s
}

func (s said) is(code string) bool {
	for _, c := range s.codes {
		if c == code {
			return true
		}
	}
	return false
}

// spendCaps are the words for an account that may spend no more. A message about a mere rate
// limit tells of billing, too, so that only words for programs count.
// https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors
var spendCaps = regexp.MustCompile(`^(insufficient_quota|enforced_spend_limit_reached|billing_\w+)$`)

func (s said) isSpendCap() bool {
	for _, c := range s.codes {
		if spendCaps.MatchString(c) {
			return true
		}
	}
	return strings.Contains(s.text, "enforced_spend_limit_reached") || strings.Contains(s.text, "credit balance is too low")
}

func (s said) isTooLong() bool {
	return s.is("context_length_exceeded") || strings.Contains(s.text, "context") || strings.Contains(s.text, "prompt is too long")
}

// names says whether the complaint is about a parameter.
func (s said) names(parameter string) bool {
	return s.is(parameter) || strings.Contains(s.text, parameter)
}

// redirect is the host that a redirect leads to. The rest of it may hold secrets.
func (r *refusal) redirect() string {
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || to.Host == "" {
		return "another address of its own"
	}
	return to.Scheme + "://" + to.Host
}

// retryAfter is how long the server wants to be left alone; 0 where it does not say.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func (r *refusal) retryAfter(now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(r.header.Get("Retry-After-Ms"), 64); err == nil {
		return waitOf(ms / 1000)
	}
	text := r.header.Get("Retry-After")
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		return waitOf(s)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxWait))
	}
	return 0
}

// maxWait bounds what a server may want: a header can be wrong.
const maxWait = 10 * time.Minute

func waitOf(seconds float64) time.Duration {
	if !(seconds > 0) { // NaN, too
		return 0
	}
	return time.Duration(min(seconds, maxWait.Seconds()) * float64(time.Second))
}

// errorEvent finds an error that came as an event of a stream, as the status that it would
// have had.
func errorEvent(err error) (*refusal, bool) {
	var body string
	var theirs *ssestream.StreamError
	var other *anthropic.Error
	switch {
	case errors.As(err, &theirs):
		body = string(theirs.Event.Data)
	case errors.As(err, &other):
		body = other.RawJSON()
	default:
		return nil, false
	}
	r := &refusal{status: http.StatusInternalServerError, body: body}
	for _, code := range r.said().codes {
		if status, ok := eventStatuses[code]; ok {
			r.status = status
		}
	}
	return r, true
}

// https://docs.anthropic.com/en/api/errors#error-event-types
var eventStatuses = map[string]int{
	"overloaded_error":      statusOverloaded,
	"rate_limit_error":      http.StatusTooManyRequests,
	"rate_limit_exceeded":   http.StatusTooManyRequests,
	"authentication_error":  http.StatusUnauthorized,
	"permission_error":      http.StatusForbidden,
	"not_found_error":       http.StatusNotFound,
	"invalid_request_error": http.StatusBadRequest,
}

// isCut says whether a stream ended because its connection did.
func isCut(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.ErrClosedPipe) || errors.As(err, new(*net.OpError))
}

// withoutAddress takes the method and the URL out of an error.
func withoutAddress(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// maxDetail is what fits a line.
const maxDetail = 200 // characters

var (
	notText = regexp.MustCompile(`(?s)<(style|script)\b.*?</(style|script)>|<[^>]*>`)
	keys    = regexp.MustCompile(`\b(sk|gsk|xai|key)-[\w*.-]+`)
	noise   = regexp.MustCompile(`[\s\pC]+`)
)

// clean makes one line of what a server said, without the key and what looks like one.
func (c *Client) clean(text string) string {
	text = c.withoutKey(text) // before it is cut, which could leave most of the key
	text = strings.ToValidUTF8(text[:min(len(text), 4000)], "\uFFFD")
	text = noise.ReplaceAllString(notText.ReplaceAllString(text, " "), " ")
	text = strings.Trim(keys.ReplaceAllString(c.withoutKey(text), "…"), " .")
	text = strings.ReplaceAll(text, "; ", ", ") // behind one stands the remedy
	if runes := []rune(text); len(runes) > maxDetail {
		text = string(runes[:maxDetail-1]) + "…"
	}
	return text
}

func (c *Client) withoutKey(text string) string {
	if c.cfg.Key == "" {
		return text
	}
	return strings.ReplaceAll(text, c.cfg.Key, "…")
}

// echoed is the length from which words of a prompt are found in what a server says.
const echoed = 24 // characters

// withoutPrompt empties the detail of an error in which the server repeats the prompt, which
// is not to be logged.
func withoutPrompt(err error, r Request) {
	var e *Error
	if !errors.As(err, &e) {
		return
	}
	prompt := noise.ReplaceAllString(r.all(), " ")
	detail := []rune(e.Detail)
	for i := 0; i+echoed <= len(detail); i++ {
		if strings.Contains(prompt, string(detail[i:i+echoed])) {
			e.Detail = "the server repeats the prompt"
			return
		}
	}
}
