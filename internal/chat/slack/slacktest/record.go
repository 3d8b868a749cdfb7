package slacktest

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A Request is one call of a method, as it arrived.
type Request struct {
	Method string         // "chat.postMessage", or ResponseURL
	Args   map[string]any // form values as strings, JSON as it is; without the token
	At     time.Time
	Done   bool   // it took effect
	Error  string // Slack's error code in the answer; "" where there was none or no answer
	Status int    // of the answer; 0 where the connection was dropped, or none was sent yet
	From   string // the address it came from
}

// String is an argument as text; "" when it is missing, JSON for what is no text.
func (r Request) String(name string) string {
	switch v := r.Args[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return string(encode(v))
	}
}

// Bool is an argument as a truth, and whether it was there.
func (r Request) Bool(name string) (value, present bool) {
	if r.Args[name] == nil {
		return false, false
	}
	value, _ = strconv.ParseBool(r.String(name))
	return value, true
}

// JSON is an argument that is JSON, be it as text in a form; nil when it is missing or broken.
func (r Request) JSON(name string) any {
	v, _ := r.json(name)
	return v
}

func (r Request) json(name string) (any, error) {
	if written, ok := r.Args[name].(string); ok && written != "" {
		return decode(name, written)
	}
	if r.Args[name] == "" {
		return nil, nil
	}
	return r.Args[name], nil
}

// Blocks is the argument blocks, or the blocks of the argument view.
func (r Request) Blocks() []map[string]any {
	if r.Args["view"] != nil {
		return objects(object(r.JSON("view"))["blocks"])
	}
	return objects(r.JSON("blocks"))
}

// channel is the conversation that the call is about.
func (r Request) channel() string {
	if id := r.String("channel"); id != "" {
		return id
	}
	return r.String("channel_id")
}

// Requests lists the calls of a method, in order of arrival; "" for all methods. With Forget
// there are none.
func (s *Server) Requests(method string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Request
	for _, r := range s.requests {
		if method == "" || r.Method == method {
			all = append(all, *r)
		}
	}
	return all
}

// Violations lists what requests did that Slack or our own rules forbid, a line each.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// AckProblems lists what was wrong with acknowledgements, a line each.
func (s *Server) AckProblems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ackProblems)
}

// TooFast lists the posts that came faster than one a second in a channel after a burst of
// three, a line each.
func (s *Server) TooFast() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tooFast)
}

// MethodsUsed lists the methods called, [ResponseURL] included; sorted.
func (s *Server) MethodsUsed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.state.calls)
}

// ScopesUsed lists the scopes that the methods called, and the events and commands
// delivered, need of the bot token; sorted.
func (s *Server) ScopesUsed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.scopes)
}

// A bug in a loop would fill the memory with the same line.
const maxLines = 1000

// violate records a breach; the lock is held.
func (s *Server) violate(format string, args ...any) {
	if len(s.violations) < maxLines {
		s.violations = append(s.violations, fmt.Sprintf(format, args...))
	}
}

// misack records what was wrong with an acknowledgement; the lock is held.
func (s *Server) misack(format string, args ...any) {
	if len(s.ackProblems) < maxLines {
		s.ackProblems = append(s.ackProblems, fmt.Sprintf(format, args...))
	}
}
