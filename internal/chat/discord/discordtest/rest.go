package discordtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The routes there are, by which requests are recorded, blocked and made to fail.
const (
	GetGateway       = "GET /gateway"
	GetGatewayBot    = "GET /gateway/bot"
	GetMe            = "GET /users/@me"
	GetMyGuilds      = "GET /users/@me/guilds"
	OpenDM           = "POST /users/@me/channels"
	GetApplication   = "GET /applications/@me"
	GetOAuthApp      = "GET /oauth2/applications/@me"
	GetGuild         = "GET /guilds/{guild}"
	GetRoles         = "GET /guilds/{guild}/roles"
	GetChannels      = "GET /guilds/{guild}/channels"
	GetMember        = "GET /guilds/{guild}/members/{user}"
	GetChannel       = "GET /channels/{channel}"
	GetMessages      = "GET /channels/{channel}/messages"
	CreateMessage    = "POST /channels/{channel}/messages"
	GetMessage       = "GET /channels/{channel}/messages/{message}"
	EditMessage      = "PATCH /channels/{channel}/messages/{message}"
	DeleteMessage    = "DELETE /channels/{channel}/messages/{message}"
	TriggerTyping    = "POST /channels/{channel}/typing"
	StartFrom        = "POST /channels/{channel}/messages/{message}/threads"
	StartIn          = "POST /channels/{channel}/threads"
	GetCommands      = "GET /applications/{app}/commands"
	PutCommands      = "PUT /applications/{app}/commands"
	GetGuildCommands = "GET /applications/{app}/guilds/{guild}/commands"
	PutGuildCommands = "PUT /applications/{app}/guilds/{guild}/commands"
	Callback         = "POST /interactions/{interaction}/{token}/callback"
	CreateFollowup   = "POST /webhooks/{app}/{token}"
	GetFollowup      = "GET /webhooks/{app}/{token}/messages/{message}"
	EditFollowup     = "PATCH /webhooks/{app}/{token}/messages/{message}" // of another message than the original
	DeleteFollowup   = "DELETE /webhooks/{app}/{token}/messages/{message}"
	GetOriginal      = "GET /webhooks/{app}/{token}/messages/@original"
	EditOriginal     = "PATCH /webhooks/{app}/{token}/messages/@original"
	DeleteOriginal   = "DELETE /webhooks/{app}/{token}/messages/@original"

	Connect = "websocket" // the opening of a gateway connection; it is counted, not recorded
)

// routes are the functions behind them; they run under the server's lock.
func (s *Server) routes() map[string]func(*call) answer {
	return map[string]func(*call) answer{
		GetGateway: s.getGateway, GetGatewayBot: s.getGatewayBot, GetMe: s.getMe, GetMyGuilds: s.getMyGuilds, OpenDM: s.openDM,
		GetApplication: s.getApplication, GetOAuthApp: s.getApplication,
		GetGuild: s.getGuild, GetRoles: s.getRoles, GetChannels: s.getChannels, GetMember: s.getMember,
		GetChannel: s.getChannel, GetMessages: s.getMessages, CreateMessage: s.createMessage, GetMessage: s.getMessage,
		EditMessage: s.editMessage, DeleteMessage: s.deleteMessage, TriggerTyping: s.triggerTyping, StartFrom: s.startThread, StartIn: s.startThread,
		GetCommands: s.getCommands, PutCommands: s.putCommands, GetGuildCommands: s.getCommands, PutGuildCommands: s.putCommands,
		Callback: s.callback, CreateFollowup: s.createFollowup,
		GetFollowup: s.getFollowup, EditFollowup: s.editFollowup, DeleteFollowup: s.deleteFollowup,
		GetOriginal: s.getFollowup, EditOriginal: s.editFollowup, DeleteOriginal: s.deleteFollowup,
	}
}

// known tells whether there is such a route.
func known(route string) bool {
	_, ok := (*Server)(nil).routes()[route]
	return ok || route == Connect
}

// A call is a request on its way.
type call struct {
	*Request
	bearer  string // of the Authorization
	version string
	path    string
	query   url.Values
	params  map[string]string
	broken  []string // what could not be read
	refusal refusal  // what Discord would say of its body
}

// A refusal is what Discord answers when it says no.
// https://discord.com/developers/docs/reference#error-messages
type refusal struct {
	status  int
	code    int
	message string
	errors  []string // of 50035: "content: Must be 2000 or fewer in length."
}

func (r refusal) body() map[string]any {
	body := map[string]any{"message": r.message, "code": r.code}
	if len(r.errors) == 0 {
		return body
	}
	errors := map[string]any{}
	for _, e := range r.errors {
		field, what, _ := strings.Cut(e, ": ")
		errors[field] = map[string]any{"_errors": []any{map[string]any{"code": "BASE_TYPE_BAD", "message": what}}}
	}
	body["errors"] = errors
	return body
}

// An answer is what a route answers.
type answer struct {
	status int // 0: 200, or 204 without a body
	body   any
	no     refusal // where its code or status is set, the request had no effect
}

func done(body any) answer { return answer{body: body} }

func no(status, code int) answer {
	return answer{no: refusal{status: status, code: code, message: nameOf(code, status)}}
}

func (a answer) refused() bool { return a.no.status != 0 }

func (a answer) code() int {
	switch {
	case a.refused():
		return a.no.status
	case a.status != 0:
		return a.status
	case a.body == nil:
		return http.StatusNoContent
	}
	return http.StatusOK
}

// Codes of errors. https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes
var codeNames = map[int]string{
	10003: "Unknown Channel", 10004: "Unknown Guild", 10007: "Unknown Member", 10008: "Unknown Message", 10013: "Unknown User",
	10015: "Unknown Webhook", 10062: "Unknown interaction", 20028: "The channel you are writing has hit the write rate limit.",
	30046: "Maximum number of edits to messages older than 1 hour reached. Try again later", 40060: "Interaction has already been acknowledged.",
	50001: "Missing Access", 50005: "Cannot edit a message authored by another user", 50006: "Cannot send an empty message",
	50007: "Cannot send messages to this user", 50013: "Missing Permissions", 50027: "Invalid Webhook Token", 50033: "Invalid Recipient(s)", 50035: "Invalid Form Body", 50083: "Thread is archived",
	160002: "Cannot reply without permission to read message history", 160004: "A thread has already been created for this message", 160005: "Thread is locked",
}

func nameOf(code, status int) string {
	if name := codeNames[code]; name != "" {
		return name
	}
	return fmt.Sprintf("%d: %s", status, http.StatusText(status))
}

func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	for route, do := range s.routes() {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" /api/{version}"+path, func(w http.ResponseWriter, r *http.Request) {
			c := s.read(route, r)
			s.serve(w, r, c, func() answer { return do(c) })
		})
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		c := s.read(r.Method+" "+r.URL.Path, r)
		c.broken = append(c.broken, "there is no such route in the fake")
		s.serve(w, r, c, func() answer { return no(http.StatusNotFound, 0) })
	})
	for _, path := range []string{gatewayPath, gatewayPath + "/", resumePath, resumePath + "/"} {
		mux.HandleFunc(path, s.serveGateway)
	}
	return mux
}

// maxBody is more than any request without files has.
const maxBody = 1 << 20

// read takes a request apart.
func (s *Server) read(route string, r *http.Request) *call {
	c := &call{
		Request: &Request{Route: route, Body: nil, At: s.now(), From: r.RemoteAddr, Agent: r.UserAgent(), Path: r.URL.Path},
		version: r.PathValue("version"), query: r.URL.Query(), params: map[string]string{}, path: strings.TrimPrefix(r.URL.Path, "/api/"+r.PathValue("version")),
	}
	for _, name := range []string{"guild", "user", "channel", "message", "app", "interaction", "token"} {
		c.params[name] = r.PathValue(name)
	}
	c.Channel, c.Message, c.Query, c.Request.token = c.params["channel"], c.params["message"], c.query, c.params["token"]
	c.bearer, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bot ")
	if c.version != "v9" && c.version != "v10" {
		c.broken = append(c.broken, fmt.Sprintf("the version is %q", c.version))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		c.broken = append(c.broken, fmt.Sprintf("the body ended early: %v", err))
	}
	c.readBody(r.Header.Get("Content-Type"), body)
	return c
}

func (c *call) readBody(contentType string, body []byte) {
	if len(bytes.TrimSpace(body)) == 0 {
		return
	}
	if !utf8.Valid(body) {
		c.broken = append(c.broken, "the body is not UTF-8")
	}
	if kind, _, _ := mime.ParseMediaType(contentType); kind != "application/json" {
		c.broken = append(c.broken, fmt.Sprintf("content type %q is not JSON", contentType))
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&c.value); err != nil {
		c.broken = append(c.broken, fmt.Sprintf("the body is not JSON: %v", err))
	}
	c.Body = object(c.value)
}

// serve takes a call through its record, its faults and its gates to its answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *call, do func() answer) {
	f := s.arrive(c)
	if !s.sleep(r.Context(), f.Delay) || f.Drop && !f.Do || !s.pass(r.Context(), *c.Request, false) {
		panic(http.ErrAbortHandler)
	}
	var a answer
	if f.harmless() || f.Do {
		a = s.carryOut(c, do)
	}
	if !s.pass(r.Context(), *c.Request, true) {
		panic(http.ErrAbortHandler)
	}
	s.finish(w, c, f, a)
}

// arrive records a call, holds it against the rules, and says what is to go wrong with it.
func (s *Server) arrive(c *call) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.calls[c.Route]++
	if !s.Forget {
		s.requests = append(s.requests, c.Request)
	}
	s.bell()
	s.inspect(c)
	s.keepPace(c)
	if f, ok := s.limited(c.Request); ok {
		return f
	}
	f, _ := s.fault(c.Route, c.Channel)
	return f
}

// carryOut does what a call asks for. A token in the address needs no other.
func (s *Server) carryOut(c *call, do func() answer) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a answer
	switch {
	case c.params["token"] == "" && (c.bearer != s.Token || s.revoked):
		a = no(http.StatusUnauthorized, 0)
	case c.refusal.status != 0:
		a = answer{no: c.refusal}
	default:
		a = do()
	}
	c.Done = !a.refused()
	c.Code = a.no.code
	s.bell()
	return a
}

// finish answers a call, rightly or as its fault says; the record comes first, so that who
// reads the answer finds it there.
func (s *Server) finish(w http.ResponseWriter, c *call, f Fault, a answer) {
	s.mu.Lock()
	if f.harmless() {
		c.Status = a.code()
	} else {
		c.Status, c.Code = f.outcome(), f.Code
	}
	if f.RetryAfter > 0 && !f.Drop {
		s.forbid(c.Request, f)
	}
	s.countInvalid(c.Status, f)
	s.pace(w.Header(), c)
	s.bell()
	s.mu.Unlock()
	switch {
	case !f.harmless():
		s.misanswer(w, f)
	case a.refused():
		writeJSON(w, a.code(), a.no.body())
	case a.body == nil:
		w.WriteHeader(a.code())
	default:
		writeJSON(w, a.code(), a.body)
	}
}

// outcome is the status that a client sees; 0 where it sees none.
func (f Fault) outcome() int {
	switch {
	case f.Drop:
		return 0
	case f.RetryAfter > 0:
		return http.StatusTooManyRequests
	}
	return f.Status
}

// countInvalid counts what brings a ban nearer.
// https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
func (s *Server) countInvalid(status int, f Fault) {
	invalid := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}
	if slices.Contains(invalid, status) && !f.Shared {
		s.invalid++
	}
}

// Invalid is how many answers were 401, 403 or 429 (not shared): 10,000 of them in ten minutes
// get an address banned.
func (s *Server) Invalid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.invalid
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(body))
}

// pace writes the headers of rate limits.
// https://discord.com/developers/docs/topics/rate-limits#header-format
func (s *Server) pace(h http.Header, c *call) {
	limit, left, after := postsAtOnce, postsAtOnce-1, time.Second
	if p := s.paces[c.Channel]; p != nil && c.Route == CreateMessage {
		left = max(0, int(p.left))
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(s.now().Add(after).UnixMilli())/1000))
	h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", after.Seconds()))
	h.Set("X-RateLimit-Bucket", fmt.Sprintf("%x", strings.Fields(c.Route)[0]+c.Channel))
}
