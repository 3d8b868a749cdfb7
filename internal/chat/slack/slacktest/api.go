package slacktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A method is one of the Web API. Its functions run under the server's lock.
type method struct {
	do    func(*call) answer
	scope func(*call) string // what the token must have; nil: nothing
	app   bool               // wants the app-level token
}

// A call is a request on its way.
type call struct {
	*Request
	token   string
	refusal refusal  // what Slack would say of its arguments
	broken  []string // what could not be read
	noUTF8  bool     // JSON cannot show it any more once it is decoded
	bare    bool     // JSON whose charset is not declared, which Slack warns of
}

// An answer is the JSON object that a method answers.
type answer map[string]any

func fail(code string) answer { return answer{"ok": false, "error": code} }

func (a answer) code() string { return text(a["error"]) }

// httpStatus is the key of an answer's HTTP status, where it is not 200. It is not sent.
const httpStatus = "\x00status"

func (a answer) status() int {
	if status, ok := a[httpStatus].(int); ok {
		return status
	}
	return http.StatusOK
}

func always(scope string) func(*call) string { return func(*call) string { return scope } }

// table lists the methods there are.
// https://docs.slack.dev/reference/methods
func (s *Server) table() map[string]method {
	write := always("chat:write")
	return map[string]method{
		"auth.test":                             {do: s.authTest},
		"apps.connections.open":                 {do: s.connectionsOpen, app: true},
		"chat.postMessage":                      {do: s.postMessage, scope: write},
		"chat.postEphemeral":                    {do: s.postEphemeral, scope: write},
		"chat.update":                           {do: s.update, scope: write},
		"chat.delete":                           {do: s.delete, scope: write},
		"chat.startStream":                      {do: s.startStream, scope: write},
		"chat.appendStream":                     {do: s.appendStream, scope: write},
		"chat.stopStream":                       {do: s.stopStream, scope: write},
		"conversations.replies":                 {do: s.replies, scope: s.perType("%s:history")},
		"conversations.history":                 {do: s.history, scope: s.perType("%s:history")},
		"conversations.info":                    {do: s.info, scope: s.perType("%s:read")},
		"conversations.open":                    {do: s.openConversation, scope: openScope},
		"views.open":                            {do: s.openView},
		"views.publish":                         {do: s.publishView},
		"users.info":                            {do: s.userInfo, scope: always("users:read")},
		"reactions.add":                         {do: s.addReaction, scope: always("reactions:write")},
		"reactions.remove":                      {do: s.removeReaction, scope: always("reactions:write")},
		"assistant.threads.setStatus":           {do: s.setStatus, scope: write},
		"assistant.threads.setSuggestedPrompts": {do: s.setPrompts, scope: always("assistant:write")},
	}
}

// The scopes' names of the kinds of conversation.
var scopeKinds = map[ChannelType]string{PublicChannel: "channels", PrivateChannel: "groups", DirectMessage: "im", GroupMessage: "mpim"}

// perType is a scope that depends on what kind of conversation a call is about.
func (s *Server) perType(format string) func(*call) string {
	return func(c *call) string {
		if ch := s.state.channel(c.channel()); ch != nil {
			return fmt.Sprintf(format, scopeKinds[ch.Type])
		}
		return ""
	}
}

func openScope(c *call) string {
	if strings.Contains(c.String("users"), ",") {
		return "mpim:write"
	}
	return "im:write"
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c := s.read(r.PathValue("method"), r)
	s.serve(w, r, c, func() answer { return s.perform(c) })
}

// read takes a request apart. Slack takes a token from the header or the form.
func (s *Server) read(method string, r *http.Request) *call {
	c := &call{Request: &Request{Method: method, Args: map[string]any{}, At: s.now(), From: r.RemoteAddr}}
	c.addForm(r.URL.Query())
	if r.URL.Query().Has("token") {
		c.broken = append(c.broken, "the token is in the URL, where it gets into logs")
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c.token = bearer
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		c.broken = append(c.broken, fmt.Sprintf("the body ended early: %v", err))
	}
	c.readBody(r.Header.Get("Content-Type"), body)
	return c
}

func (c *call) readBody(contentType string, body []byte) {
	kind, params, _ := mime.ParseMediaType(contentType)
	c.noUTF8 = !utf8.Valid(body)
	switch {
	case len(bytes.TrimSpace(body)) == 0:
	case kind == "application/json":
		c.bare = params["charset"] == ""
		c.addJSON(body)
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			c.broken = append(c.broken, fmt.Sprintf("the form cannot be read: %v", err))
		}
		c.addForm(form)
	default:
		c.broken = append(c.broken, fmt.Sprintf("content type %q is neither a form nor JSON", contentType))
	}
}

func (c *call) addForm(form url.Values) {
	for key, values := range form {
		if len(values) > 1 {
			c.broken = append(c.broken, fmt.Sprintf("argument %s comes %d times", key, len(values)))
		}
		if key == "token" {
			c.token = values[0]
			continue
		}
		c.Args[key] = values[0]
	}
}

func (c *call) addJSON(body []byte) {
	var args map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&args); err != nil {
		c.broken = append(c.broken, fmt.Sprintf("the body is not a JSON object: %v", err))
	}
	for key, value := range args {
		switch v := value.(type) {
		case nil:
		case json.Number:
			c.Args[key] = v.String()
		default:
			c.Args[key] = value
		}
	}
	if token, ok := args["token"].(string); ok {
		c.token = token
		delete(c.Args, "token")
	}
}

// A reply is what goes back, or does not.
type reply struct {
	fault  Fault
	answer answer
}

// serve takes a call through its record, its faults and its gates to its answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *call, do func() answer) {
	f := s.arrive(c)
	if !s.sleep(r.Context(), f.Delay) || f.Drop && !f.Do || !s.pass(r.Context(), *c.Request, false) {
		panic(http.ErrAbortHandler)
	}
	out := reply{fault: f}
	if f.harmless() || f.Do {
		out.answer = s.carryOut(c, do)
	}
	if !s.pass(r.Context(), *c.Request, true) {
		panic(http.ErrAbortHandler)
	}
	s.finish(w, c, out)
}

// arrive records a call, holds it against the rules, and says what is to go wrong with it.
func (s *Server) arrive(c *call) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.calls[c.Method]++
	if !s.Forget {
		s.requests = append(s.requests, c.Request)
	}
	s.bell()
	s.inspect(c)
	s.keepPace(c)
	if f, ok := s.limited(c.Method, c.channel(), c.At); ok {
		return f
	}
	f, _ := s.fault(c.Method, c.channel())
	return f
}

func (s *Server) carryOut(c *call, do func() answer) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := do()
	c.Done = a.code() == ""
	c.Error = a.code()
	s.bell()
	return a
}

// finish answers a call, rightly or as its fault says; the record comes first, so that who
// reads the answer finds it there.
func (s *Server) finish(w http.ResponseWriter, c *call, out reply) {
	if out.fault.harmless() {
		s.finished(c, out.answer.code(), out.answer.status())
		s.write(w, c, out.answer)
		return
	}
	code, status := out.fault.outcome()
	s.finished(c, code, status)
	if out.fault.RetryAfter > 0 {
		s.openWindow(c.Method, out.fault)
	}
	s.misanswer(w, out)
}

func (s *Server) finished(c *call, code string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Error, c.Status = code, status
	s.bell()
}

func (s *Server) openWindow(method string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, now := window{method, f.Channel}, s.now()
	if old, ok := s.windows[w]; ok && now.Before(old.end) {
		return // the answer to a call within it
	}
	s.windows[w] = wait{now, now.Add(time.Duration(f.RetryAfter) * time.Second)}
}

func (s *Server) write(w http.ResponseWriter, c *call, a answer) {
	status := a.status()
	delete(a, httpStatus)
	a["ok"] = a.code() == ""
	if c.bare && c.Method != ResponseURL {
		a["warning"] = "missing_charset"
		a["response_metadata"] = merged(object(a["response_metadata"]), "warnings", []string{"missing_charset"})
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if c.token == s.BotToken {
		w.Header().Set("X-OAuth-Scopes", strings.Join(s.granted(), ","))
	}
	w.WriteHeader(status)
	_, _ = w.Write(encode(a)) // a client that has gone needs no answer
}

func merged(o map[string]any, key string, value any) map[string]any {
	all := map[string]any{key: value}
	for k, v := range o {
		all[k] = v
	}
	return all
}

// perform does what a call asks for, if the token may. The lock is held.
func (s *Server) perform(c *call) answer {
	m, ok := s.methods[c.Method]
	if !ok {
		return fail("unknown_method")
	}
	if refused := s.authorize(c, m); refused != nil {
		return refused
	}
	if c.refusal.code != "" {
		a := fail(c.refusal.code)
		if len(c.refusal.messages) > 0 {
			a["errors"] = c.refusal.messages
			a["response_metadata"] = map[string]any{"messages": c.refusal.messages}
		}
		return a
	}
	return m.do(c)
}

func (s *Server) authorize(c *call, m method) answer {
	right, wrong := s.BotToken, s.AppToken
	if m.app {
		right, wrong = wrong, right
	}
	switch {
	case c.token == "":
		return fail("not_authed")
	case s.revoked != "":
		return fail(s.revoked)
	case c.token == wrong:
		return fail("not_allowed_token_type")
	case c.token != right:
		return fail("invalid_auth")
	}
	return s.missing(c, m)
}

func (s *Server) missing(c *call, m method) answer {
	if m.scope == nil {
		return nil
	}
	needed := m.scope(c)
	if needed == "" || slices.Contains(s.granted(), needed) {
		return nil
	}
	a := fail("missing_scope")
	a["needed"], a["provided"] = needed, strings.Join(s.granted(), ",")
	return a
}

// granted lists the bot token's scopes.
func (s *Server) granted() []string {
	if s.Scopes != nil {
		return s.Scopes
	}
	return []string{
		"app_mentions:read", "assistant:write", "channels:history", "channels:read", "chat:write", "commands",
		"groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history", "mpim:read", "mpim:write",
		"reactions:read", "reactions:write", "users:read",
	}
}

func (s *Server) authTest(*call) answer {
	return answer{
		"url": "https://citebot.slack.com/", "team": "Citebot", "user": "citebot", "team_id": Team,
		"user_id": BotUser, "bot_id": Bot, "app_id": App, "is_enterprise_install": false,
	}
}
