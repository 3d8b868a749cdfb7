package discordtest

import (
	"fmt"
	"net/url"
	"slices"
	"time"
)

// A Request is one request to the REST API, as it arrived.
type Request struct {
	Route   string // "POST /channels/{channel}/messages"
	Path    string // as it was
	Channel string // of the path; "" for none
	Message string // likewise; "@original" is none
	Query   url.Values
	Body    map[string]any // JSON, numbers as json.Number; nil for none, or no object
	At      time.Time
	Done    bool   // it took effect
	Code    int    // Discord's error code in the answer
	Status  int    // of the answer; 0 where the connection was dropped, or none was sent yet
	From    string // the address it came from
	Agent   string

	value any    // the body, be it an object or a list
	token string // of an interaction, in the path
}

// major is what rate limits of a route are kept for, each alone.
func (r Request) major() string { return or(r.Channel, r.token) }

// Content is what the request wants to be shown, in an interaction's callback too.
func (r Request) Content() string { return text(r.data()["content"]) }

// data is the message in the body.
func (r Request) data() map[string]any {
	if r.Route == Callback {
		return object(r.Body["data"])
	}
	return r.Body
}

// Requests lists the requests of a route, in order of arrival; "" for all. With Forget there
// are none.
func (s *Server) Requests(route string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Request
	for _, r := range s.requests {
		if route == "" || r.Route == route {
			all = append(all, *r)
		}
	}
	return all
}

// Violations lists what requests did that Discord or our own rules forbid, a line each.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// TooFast lists the posts beyond five in five seconds in a channel, and the identifies beyond
// one in five seconds, a line each.
func (s *Server) TooFast() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tooFast)
}

// RoutesUsed lists the routes requested; sorted.
func (s *Server) RoutesUsed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.state.calls)
}

// Latencies lists how long each callback of an interaction took from its delivery, in order.
func (s *Server) Latencies() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.latencies)
}

// A bug in a loop would fill the memory with the same line.
const maxLines = 1000

// violate records a breach; the lock is held.
func (s *Server) violate(format string, args ...any) {
	if len(s.violations) < maxLines {
		s.violations = append(s.violations, fmt.Sprintf(format, args...))
	}
}

func (s *Server) hurried(format string, args ...any) {
	if len(s.tooFast) < maxLines {
		s.tooFast = append(s.tooFast, fmt.Sprintf(format, args...))
	}
}

// A pace is a bucket.
type pace struct {
	left float64
	at   time.Time
}

// take takes one from a bucket of n that fills in every, and says whether it was there.
func (p *pace) take(at time.Time, n float64, every time.Duration) bool {
	p.left = min(n, p.left+n*at.Sub(p.at).Seconds()/every.Seconds())
	p.at = at
	if p.left < 1-jitter {
		return false
	}
	p.left--
	return true
}

// Discord tells the limits of posts in headers alone: as seen, five in five seconds in a
// channel. Of identifies: https://discord.com/developers/docs/topics/gateway#rate-limiting
const (
	postsAtOnce   = 5
	postsEvery    = 5 * time.Second
	identifyEvery = 5 * time.Second
	jitter        = 0.2 // of a post: arrival times tremble
)

// keepPace counts posts to a channel by their arrival; the lock is held.
func (s *Server) keepPace(c *call) {
	if c.Route != CreateMessage {
		return
	}
	if !s.paced(c.Channel, postsAtOnce, postsEvery, c.At) {
		s.hurried("%s: %s at %s", c.Route, c.Channel, c.At.Format("15:04:05.000"))
	}
}

func (s *Server) paced(key string, n float64, every time.Duration, at time.Time) bool {
	p := s.paces[key]
	if p == nil {
		p = &pace{left: n, at: at}
		s.paces[key] = p
	}
	return p.take(at, n, every)
}

// keepIdentifyPace counts identifies by the bucket of their shard.
// https://discord.com/developers/docs/topics/gateway#max-concurrency
func (s *Server) keepIdentifyPace(d map[string]any) {
	bucket := shardIn(d)[0] % max(1, s.MaxConcurrency)
	at := s.now()
	if !s.paced(fmt.Sprintf("identify %d", bucket), 1, identifyEvery, at) {
		s.hurried("identify: shard %d at %s", shardIn(d)[0], at.Format("15:04:05.000"))
	}
}
