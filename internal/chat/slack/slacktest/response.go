package slacktest

import (
	"fmt"
	"net/http"
	"time"
)

// A responseURL takes five posts within half an hour.
// https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
type responseURL struct {
	channel  string
	user     string
	original *Message // what replace_original replaces; nil: nothing yet
	born     time.Time
	uses     int
}

const (
	responseUses  = 5
	responseLasts = 30 * time.Minute
	keptURLs      = 4096
)

// newURL makes a response URL; the lock is held.
func (s *Server) newURL(u *responseURL) string {
	u.born = s.now()
	s.serial++
	id := fmt.Sprintf("%s-%d", Team, s.serial)
	s.urls[id] = u
	if s.urlOrder = append(s.urlOrder, id); len(s.urlOrder) > keptURLs {
		delete(s.urls, s.urlOrder[0])
		s.urlOrder = s.urlOrder[1:]
	}
	return s.http.URL + "/response/" + id
}

func (s *Server) serveResponseURL(w http.ResponseWriter, r *http.Request) {
	c := s.read(ResponseURL, r)
	id := r.PathValue("id")
	s.serve(w, r, c, func() answer { return s.respond(c, s.urls[id]) })
}

// refuse is how a response URL says no: with a status, unlike the Web API.
func refuse(status int, code string) answer {
	a := fail(code)
	a[httpStatus] = status
	return a
}

func (s *Server) respond(c *call, u *responseURL) answer {
	switch {
	case u == nil:
		s.violate("response_url: posted to a URL that was never given out")
		return refuse(http.StatusNotFound, "invalid_url")
	case s.now().Sub(u.born) > responseLasts:
		s.violate("response_url: used %v after it was given out; it is good for %v", s.now().Sub(u.born).Round(time.Second), responseLasts)
		return refuse(http.StatusNotFound, "expired_url")
	case u.uses >= responseUses:
		s.violate("response_url: used more than %d times", responseUses)
		return refuse(http.StatusNotFound, "used_url")
	case c.refusal.code != "":
		return refuse(http.StatusBadRequest, c.refusal.code)
	}
	u.uses++
	return s.respondTo(c, u)
}

func (s *Server) respondTo(c *call, u *responseURL) answer {
	remove, _ := c.Bool("delete_original")
	replace, _ := c.Bool("replace_original")
	switch {
	case remove && u.original != nil:
		s.withdraw(u)
	case replace && u.original != nil:
		s.state.change(u.original, c.String("text"), c.Blocks())
	default:
		m := s.response(c.Request, u)
		s.show(m)
		if u.original == nil && m.For != "" {
			u.original = m
		}
	}
	return answer{}
}

func (s *Server) withdraw(u *responseURL) {
	if u.original.For != "" {
		s.state.removePrivate(u.original)
	} else {
		s.state.remove(s.state.channels[u.original.Channel], u.original)
	}
	u.original = nil
}

// response is a new message of a response URL, or of a command's acknowledgement: for the
// user alone unless it says in_channel.
func (s *Server) response(r *Request, u *responseURL) *Message {
	m := &Message{
		Channel: u.channel, TS: s.state.stamp(), User: BotUser, BotID: Bot, Via: r.Method,
		Text: r.String("text"), Blocks: r.Blocks(), For: u.user,
	}
	if ch := s.state.channels[u.channel]; ch != nil {
		m.ThreadTS = ch.rootOf(r.String("thread_ts"))
	}
	if r.String("response_type") == "in_channel" {
		m.For = ""
	}
	return m
}
