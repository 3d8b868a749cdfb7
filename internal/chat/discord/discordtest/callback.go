package discordtest

import (
	"net/http"
	"time"
)

// An interaction is an Interaction, and how the bot stands with it.
type interaction struct {
	Interaction
	token     string
	guild     string
	delivered time.Time
	message   *Message // the one that the component is on, or from which the modal was opened
	original  *Message
	expired   bool
	over      bool // HTTP: the answer to the delivery has come
}

// A callback is taken for 3 seconds, the token is good for 15 minutes.
// https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response
const (
	callbackLasts = 3 * time.Second
	tokenLasts    = 15 * time.Minute
)

func (s *Server) window() time.Duration {
	if s.CallbackWindow > 0 {
		return s.CallbackWindow
	}
	return callbackLasts
}

// Types of callback. https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object-interaction-callback-type
const (
	cbPong         = 1
	cbMessage      = 4
	cbDefer        = 5
	cbDeferUpdate  = 6
	cbUpdate       = 7
	cbAutocomplete = 8
	cbModal        = 9
)

func (s *Server) callback(c *call) answer {
	i := s.tokens[c.params["token"]]
	switch {
	case i == nil || i.ID != c.params["interaction"]:
		s.violate("%s: there is no interaction %s with this token", c.Route, c.params["interaction"])
		return no(http.StatusNotFound, 10062)
	case i.Callback != 0:
		s.violate("%s: interaction %s has been answered already", c.Route, i.ID)
		return no(http.StatusBadRequest, 40060)
	case i.expired || s.now().Sub(i.delivered) > s.window():
		s.violate("%s: interaction %s is answered %v after its delivery; Discord waits %v", c.Route, i.ID, s.now().Sub(i.delivered).Round(time.Millisecond), s.window())
		return no(http.StatusNotFound, 10062)
	}
	return s.respond(i, c.Body, c.Route)
}

// respond lets a callback take effect.
func (s *Server) respond(i *interaction, body map[string]any, via string) answer {
	kind, data := int(number(body["type"])), object(body["data"])
	if !i.takes(kind) {
		s.violate("%s: an interaction of type %d takes no callback of type %d", via, i.Type, kind)
		return no(http.StatusBadRequest, 50035)
	}
	if kind == cbMessage && len(data) == 0 {
		return no(http.StatusBadRequest, 50006)
	}
	i.Callback, i.Latency = kind, s.now().Sub(i.delivered)
	s.latencies = append(s.latencies, i.Latency)
	s.takeEffect(i, data, via)
	if i.original != nil {
		i.Original = i.original.ID
	}
	return answer{}
}

// takeEffect shows what a callback says.
func (s *Server) takeEffect(i *interaction, data map[string]any, via string) {
	switch i.Callback {
	case cbMessage, cbDefer:
		s.reply(i, data, via)
	case cbDeferUpdate:
		i.original = i.message
	case cbUpdate:
		i.original = i.message
		s.change(i.message, data)
	case cbAutocomplete:
		i.Choices = objects(data["choices"])
	case cbModal:
		s.state.modals[i.User] = &Modal{
			User: i.User, CustomID: text(data["custom_id"]), Title: text(data["title"]), Components: objects(data["components"]),
			channel: i.Channel, message: i.message,
		}
	}
}

// takes tells which callbacks fit an interaction.
func (i *interaction) takes(kind int) bool {
	switch i.Type {
	case 4:
		return kind == cbAutocomplete
	case 2:
		return kind == cbMessage || kind == cbDefer || kind == cbModal
	case 3:
		return kind >= cbMessage && kind <= cbUpdate || kind == cbModal
	case 5:
		return kind == cbMessage || kind == cbDefer || i.message != nil && (kind == cbDeferUpdate || kind == cbUpdate)
	}
	return kind == cbPong
}

// reply makes the first message of an interaction. Whether it is for the user alone is
// decided here.
func (s *Server) reply(i *interaction, data map[string]any, via string) {
	i.Private = number(data["flags"])&EphemeralFlag != 0
	m := s.response(i, via)
	m.Flags = number(data["flags"])
	m.Deferred = i.Callback == cbDefer
	if m.Deferred {
		m.Flags |= Loading
	} else {
		m.fill(data)
	}
	i.original = m
	s.post(m)
}

// response is a new message of an interaction.
func (s *Server) response(i *interaction, via string) *Message {
	m := &Message{
		ID: s.state.stamp(), Channel: i.Channel, Guild: i.guild, User: BotUser, Type: CommandReply, Webhook: App, Answers: i.ID, Via: via,
	}
	if i.Type != 2 {
		m.Type = Default
	}
	if i.Private {
		m.For = i.User
	}
	return m
}

// open finds the interaction of a webhook's token, which is good once there was a callback.
func (s *Server) open(c *call) (*interaction, answer) {
	i := s.tokens[c.params["token"]]
	switch {
	case i == nil || c.params["app"] != App:
		s.violate("%s: there is no interaction with this token and application", c.Route)
	case i.Callback == 0 && c.Route == GetOriginal: // to look whether a callback was heard is no offence
	case i.Callback == 0:
		s.violate("%s: before the callback of interaction %s", c.Route, i.ID)
	case i.expired || s.now().Sub(i.delivered) > tokenLasts:
		return nil, no(http.StatusUnauthorized, 50027)
	case i.Callback == cbAutocomplete:
		s.violate("%s: autocomplete %s takes no messages", c.Route, i.ID)
	default:
		return i, answer{}
	}
	return nil, no(http.StatusNotFound, 10015)
}

// createFollowup posts one more message; the first one after a deferral that was not edited
// is the original.
// https://discord.com/developers/docs/interactions/receiving-and-responding#followup-messages
func (s *Server) createFollowup(c *call) answer {
	i, a := s.open(c)
	if i == nil {
		return a
	}
	if o := i.original; o != nil && o.Deferred {
		i.Edited = true
		return s.change(o, c.Body)
	}
	m := s.response(i, c.Route)
	m.Type, m.Flags = Default, number(c.Body["flags"])
	m.For = ""
	if m.Flags&EphemeralFlag != 0 {
		m.For = i.User
	}
	if i.original != nil && i.original.For == "" {
		m.ReplyTo, m.Type = i.original.ID, Reply
	}
	m.fill(c.Body)
	if m.empty() {
		return no(http.StatusBadRequest, 50006)
	}
	i.Followups = append(i.Followups, m.ID)
	s.post(m)
	return done(s.message(m, false))
}

// made finds a message that an interaction made.
func (s *Server) made(c *call) (*interaction, *Message, answer) {
	i, a := s.open(c)
	if i == nil {
		return nil, nil, a
	}
	m := i.original
	if id := c.Message; id != "" && (m == nil || id != m.ID) {
		m = s.state.find(i.Channel, id)
		if m == nil || m.Answers != i.ID {
			m = nil
		}
	}
	if m == nil || s.state.find(m.Channel, m.ID) != m {
		return nil, nil, no(http.StatusNotFound, 10008)
	}
	return i, m, answer{}
}

func (s *Server) getFollowup(c *call) answer {
	_, m, a := s.made(c)
	if m == nil {
		return a
	}
	return done(s.message(m, false))
}

func (s *Server) editFollowup(c *call) answer {
	i, m, a := s.made(c)
	if m == nil {
		return a
	}
	if m == i.original {
		i.Edited = true
	}
	return s.change(m, c.Body)
}

func (s *Server) deleteFollowup(c *call) answer {
	_, m, a := s.made(c)
	if m == nil {
		return a
	}
	s.remove(m)
	if m.For == "" {
		s.dispatch(s.deleted(m))
	}
	return answer{}
}

// Expire makes the token of an interaction as worthless as 15 minutes do.
func (s *Server) Expire(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.state.interactions[id]; i != nil {
		i.expired = true
	} else {
		s.t.Errorf("discordtest: Expire: there is no interaction %s", id)
	}
}

// newInteraction makes one; the lock is held.
func (s *Server) newInteraction(kind int, user string, ch *channel, on *Message) *interaction {
	id := s.state.stamp()
	i := &interaction{Interaction: Interaction{ID: id, Type: kind, User: user, Channel: ch.ID}, guild: ch.Guild, message: on, delivered: s.now()}
	i.token = "aW50ZXJhY3Rpb246" + id + ":" + tokenMark
	i.Token = i.token
	if on != nil {
		i.Message = on.ID
	}
	s.tokens[i.token], s.state.interactions[id] = i, i
	if s.tokenOrder = append(s.tokenOrder, i.token); s.Forget && len(s.tokenOrder) > keptInteractions {
		s.forgetInteraction()
	}
	return i
}

func (s *Server) forgetInteraction() {
	old := s.tokens[s.tokenOrder[0]]
	delete(s.tokens, s.tokenOrder[0])
	delete(s.state.interactions, old.ID)
	if n, ok := s.state.answers[old.ID]; ok {
		s.state.tally[n]++
		delete(s.state.answers, old.ID)
	}
	s.tokenOrder = s.tokenOrder[1:]
}

// unanswered finds the interactions that got no callback; Close calls it.
func (s *Server) unanswered() {
	for _, id := range sortedKeys(s.state.interactions) {
		if i := s.state.interactions[id]; i.Callback == 0 && i.over {
			s.violate("interaction %s: delivered over HTTP, and answered with no callback", id)
		}
	}
}

// tokenMark is in every interaction's token.
const tokenMark = "discordtest-interaction-token"
