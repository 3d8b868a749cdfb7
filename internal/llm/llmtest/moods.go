package llmtest

import (
	"net"
	"net/http"
	"strings"
	"time"
)

// A Mood is a way in which a server fails.
type Mood string

// The moods. With those that begin to write, half of the answer comes before the trouble.
const (
	Well          Mood = ""
	Hang          Mood = "hang"             // nothing is said at all
	SlowHeaders   Mood = "slow headers"     // a status line, and a header each second
	Stall         Mood = "stall"            // silence in the middle of a stream
	Drip          Mood = "drip"             // a byte a second
	Cut           Mood = "cut"              // the stream ends in the middle, in order
	Torn          Mood = "torn"             // the connection is lost in the middle
	Reset         Mood = "reset"            // the connection is reset before anything is said
	HTML          Mood = "html"             // a page, with status 200
	GarbageJSON   Mood = "garbage json"     // no JSON, though it says so, with status 200
	GarbageStream Mood = "garbage stream"   // a stream of events that hold no JSON
	InvalidUTF8   Mood = "invalid utf-8"    // bytes that are no text, in the answer
	Huge          Mood = "5 MB"             // text without end
	HugeLine      Mood = "5 MB line"        // one event of that size
	Empty         Mood = "empty"            // a reply of no text
	Blank         Mood = "blank"            // no reply, with status 200
	TooLong       Mood = "length"           // MaxTokens reached
	Filtered      Mood = "filter"           // ended by the vendor's filter
	NoUsage       Mood = "no usage"         // well, but tokens are not counted
	ErrorEvent    Mood = "error event"      // an overloaded error as first event of a stream
	LateError     Mood = "late error event" // the same after half of the answer
	BadRequest    Mood = "400"              // a prompt that is too long
	KeyRefused    Mood = "401"              // with the key in what is said
	NoCredit      Mood = "402"              //
	Forbidden     Mood = "403"              //
	NoModel       Mood = "404"              //
	RateLimited   Mood = "429"              // without Retry-After; see [Mood.After]
	SpendCap      Mood = "429 spend cap"    // which no retry can mend
	ServerError   Mood = "500"              //
	BadGateway    Mood = "502"              // with a page, as proxies send it
	Unavailable   Mood = "503"              //
	Overloaded    Mood = "529"              //
	Redirect      Mood = "redirect"         // to another host
	NoTemperature Mood = "400 temperature"  // refused whenever the request has a temperature
	NoMaxTokens   Mood = "400 max_tokens"   // refused whenever it has max_tokens, or a temperature
)

// After adds a Retry-After header to a refusal. A wait of the form "250ms" becomes
// retry-after-ms.
func (m Mood) After(wait string) Mood { return m + " after " + Mood(wait) }

// Moods are all that spoil a reply to every request.
func Moods() []Mood {
	return []Mood{
		Hang, SlowHeaders, Stall, Drip, Cut, Torn, Reset, HTML, GarbageJSON, GarbageStream, InvalidUTF8, Huge, HugeLine, Empty, Blank,
		Filtered, ErrorEvent, LateError, BadRequest, KeyRefused, NoCredit, Forbidden, NoModel, RateLimited, RateLimited.After("1"),
		RateLimited.After("3600"), SpendCap, ServerError, BadGateway, Unavailable, Overloaded, Redirect,
	}
}

// reply writes a response in a mood.
func (s *Server) reply(r *response, m Mood, text string) {
	name, wait, _ := strings.Cut(string(m), " after ")
	m = Mood(name)
	if wait != "" {
		r.retryAfter(wait)
	}
	if refuse, ok := refusals[m]; ok {
		refuse(r)
		return
	}
	switch m {
	case Hang:
		r.hang()
	case SlowHeaders:
		r.slowHeaders()
	case Reset:
		r.reset()
	case Redirect:
		to := "http://elsewhere.invalid"
		if s.elsewhere != nil {
			to = s.elsewhere.URL
		}
		http.Redirect(r.w, r.r, to+r.r.URL.Path, http.StatusTemporaryRedirect)
	case HTML:
		r.plain(http.StatusOK, "text/html; charset=utf-8", page)
	case GarbageJSON:
		r.plain(http.StatusOK, "application/json", `{"choices": [{"message": nonsense`)
	case Blank:
		r.plain(http.StatusOK, "text/event-stream", "")
	case GarbageStream:
		r.plain(http.StatusOK, "text/event-stream", "event: message_start\ndata: {nonsense\n\ndata: [DONE]\n\n")
	case NoTemperature, NoMaxTokens:
		r.picky(m, text)
	default:
		r.stream(m, text)
	}
}

const page = "<!DOCTYPE html><html><head><title>Sign in</title><style>body{}</style></head><body><h1>Sign in to the network</h1></body></html>"

// refusals are replies of a status other than 200.
// https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors
var refusals = map[Mood]func(*response){
	BadRequest: func(r *response) {
		r.refuse(400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 8192 tokens.")
	},
	KeyRefused: func(r *response) {
		r.refuse(401, "authentication_error", "invalid_api_key", "Incorrect API key provided: "+r.call.Key+".")
	},
	NoCredit: func(r *response) {
		r.refuse(402, "billing_error", "billing_error", "Payment is required.")
	},
	Forbidden: func(r *response) {
		r.refuse(403, "permission_error", "forbidden", "Your key may not use this.")
	},
	NoModel: func(r *response) {
		r.refuse(404, "not_found_error", "model_not_found", "The model "+r.call.Model+" does not exist.")
	},
	RateLimited: func(r *response) {
		r.refuse(429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached. You can raise it at https://example.com/account/billing.")
	},
	SpendCap: func(r *response) {
		code := "insufficient_quota"
		if r.call.Provider == "anthropic" {
			code = "enforced_spend_limit_reached"
		}
		r.refuse(429, code, code, "You exceeded your current quota.")
	},
	ServerError: func(r *response) { r.refuse(500, "api_error", "server_error", "The server had an error.") },
	BadGateway:  func(r *response) { r.plain(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>") },
	Unavailable: func(r *response) { r.refuse(503, "api_error", "unavailable", "Loading model") },
	Overloaded:  func(r *response) { r.refuse(529, "overloaded_error", "overloaded", "Overloaded") },
}

// picky refuses parameters as OpenAI's models that reason do.
func (r *response) picky(m Mood, text string) {
	_, temperature := r.call.Body["temperature"]
	_, maxTokens := r.call.Body["max_tokens"]
	switch {
	case m == NoMaxTokens && maxTokens && r.call.Provider == "openai":
		r.refuse(400, "invalid_request_error", "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
	case temperature:
		r.refuse(400, "invalid_request_error", "unsupported_value", "Unsupported value: 'temperature' does not support 0 with this model.")
	default:
		r.stream(Well, text)
	}
}

// hang waits until the client is gone, or the server ends.
func (r *response) hang() {
	select {
	case <-r.r.Context().Done():
	case <-r.closing:
	}
}

// pause waits, and says whether there is still somebody to write to.
func (r *response) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.r.Context().Done():
	case <-r.closing:
	}
	return false
}

// hijack takes the connection, for what a handler may not do.
func (r *response) hijack() net.Conn {
	conn, _, err := http.NewResponseController(r.w).Hijack()
	if err != nil { // HTTP/2, which is not spoken here
		panic(err)
	}
	return conn
}

func (r *response) reset() {
	conn := r.hijack()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is only closed
	}
	_ = conn.Close()
}

func (r *response) slowHeaders() {
	conn := r.hijack()
	defer conn.Close()
	line := "HTTP/1.1 200 OK\r\n"
	for {
		if _, err := conn.Write([]byte(line)); err != nil {
			return
		}
		line = "X-Slow: 1\r\n"
		timer := time.NewTimer(time.Second)
		select {
		case <-timer.C:
		case <-r.closing:
			timer.Stop()
			return
		}
	}
}
