package slacktest

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A delivery is one envelope: an event on its way, over a socket or HTTP.
type delivery struct {
	id    string
	event Event
	conn  int // that it was sent on; 0: none yet, or HTTP
	sent  time.Time
	acked bool
	again bool // was delivered again in another envelope
	timer *time.Timer
}

func (d *delivery) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// An Ack is one acknowledgement.
type Ack struct {
	Envelope string
	Event    Event // what it acknowledges
	Payload  map[string]any
	Conn     int // the connection it came on; 0: it is an HTTP response
	Status   int // of an HTTP response
	Latency  time.Duration
}

// Slack waits so long. https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
const ackLasts = 3 * time.Second

const keptAcked = 4096 // with Forget

// Send delivers all events of an act and returns it. Over HTTP it waits for the responses.
func (s *Server) Send(a *Act) *Act {
	a.Envelopes = append(a.Envelopes, s.SendEvents(a.Events...)...)
	return a
}

// SendEvents delivers events one after the other and returns the ids of their envelopes,
// which are new each time. An event that finds no connection waits for one.
func (s *Server) SendEvents(events ...Event) []string {
	var ids []string
	for _, e := range events {
		d := s.newDelivery(e)
		s.dispatch(d)
		ids = append(ids, d.id)
	}
	return ids
}

// SendTo delivers an event on one connection.
func (s *Server) SendTo(c *Conn, e Event) string {
	d := s.newDelivery(e)
	s.transmit(c, d)
	return d.id
}

// Redeliver delivers all events that were not acknowledged again, in new envelopes with
// their retry_attempt raised, and returns the envelopes' ids.
func (s *Server) Redeliver() []string {
	var again []Event
	for _, id := range s.Unacked() {
		if e, ok := s.retry(id); ok {
			again = append(again, e)
		}
	}
	return s.SendEvents(again...)
}

// retry is the event of an envelope that was not acknowledged, to be sent again.
func (s *Server) retry(envelope string) (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.deliveries[envelope]
	if s.closed || d == nil || d.acked || d.again || d.sent.IsZero() {
		return Event{}, false
	}
	d.again = true
	e := d.event
	e.Attempt++
	e.Reason = "timeout"
	return e, true
}

// Unacked lists the envelopes that were sent and not acknowledged, unless their event was
// delivered again since.
func (s *Server) Unacked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, id := range s.order {
		if d := s.deliveries[id]; d != nil && !d.acked && !d.again && !d.sent.IsZero() {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *Server) newDelivery(e Event) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	d := &delivery{id: fmt.Sprintf("%08x-57ff-4f41-9f6e-%012d", s.serial*2654435761&0xffffffff, s.serial), event: e}
	s.deliveries[d.id] = d
	s.order = append(s.order, d.id)
	s.needScope(e)
	return d
}

// dispatch sends an envelope on one of the connections, in turn; over HTTP where that is set.
func (s *Server) dispatch(d *delivery) {
	if s.HTTP != nil {
		s.postDelivery(d)
		return
	}
	s.mu.Lock()
	ready := slices.DeleteFunc(slices.Clone(s.conns), func(c *Conn) bool { return c.leaving })
	if len(ready) == 0 {
		s.backlog = append(s.backlog, d)
		s.mu.Unlock()
		return
	}
	s.turn++
	c := ready[s.turn%len(ready)]
	s.mu.Unlock()
	s.transmit(c, d)
}

// transmit sends an envelope on a connection. A write that fails is a message lost.
func (s *Server) transmit(c *Conn, d *delivery) {
	s.mu.Lock()
	s.sending(d)
	d.conn = c.ID
	deaf := c.deaf
	s.mu.Unlock()
	if !deaf {
		_ = c.frame(d.envelope())
	}
}

// sending marks an envelope as on its way; the lock is held.
func (s *Server) sending(d *delivery) {
	d.sent = s.now()
	if s.RedeliverAfter <= 0 || s.closed {
		return
	}
	d.timer = time.AfterFunc(s.RedeliverAfter, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.background(func() { s.redeliver(d) })
	})
}

// Slack tries so often after the first time. https://docs.slack.dev/apis/events-api#retries
const maxRetries = 3

func (s *Server) redeliver(d *delivery) {
	if d.event.Attempt >= maxRetries {
		return
	}
	if e, ok := s.retry(d.id); ok {
		s.SendEvents(e)
	}
}

// envelope is what goes over the socket.
func (d *delivery) envelope() map[string]any {
	e := map[string]any{
		"envelope_id": d.id, "type": d.event.Kind, "payload": d.event.Payload, "accepts_response_payload": d.event.Kind != EventsAPI,
	}
	if d.event.Kind == EventsAPI {
		e["retry_attempt"], e["retry_reason"] = d.event.Attempt, d.event.Reason
	}
	return e
}

// acknowledge records an acknowledgement and lets it take effect; the lock is held.
func (s *Server) acknowledge(d *delivery, a Ack) {
	d.stop()
	d.acked = true
	s.state.acked[d.id] = true
	a.Latency = s.now().Sub(d.sent)
	s.latencies = append(s.latencies, a.Latency)
	if !s.Forget {
		s.acks = append(s.acks, a)
	}
	s.forgetAcked()
	if a.Latency > slowdown*ackLasts {
		s.misack("envelope %s: acknowledged after %v; Slack waits %v", d.id, a.Latency.Round(time.Millisecond), ackLasts)
		return
	}
	s.takeEffect(a)
	if s.Forget {
		d.event.Payload = nil
	}
}

// forgetAcked drops the oldest envelopes, but those that still want an acknowledgement.
func (s *Server) forgetAcked() {
	if !s.Forget || len(s.order) < 2*keptAcked {
		return
	}
	old := s.order[:keptAcked]
	s.order = slices.Clone(s.order[keptAcked:])
	for _, id := range old {
		if d := s.deliveries[id]; !d.acked && !d.again {
			s.order = append(s.order, id)
			continue
		}
		delete(s.deliveries, id)
		delete(s.state.acked, id)
	}
}

// takeEffect shows what an acknowledgement says.
func (s *Server) takeEffect(a Ack) {
	switch {
	case a.Event.Kind == Commands:
		s.answerCommand(a)
	case text(a.Event.Payload["type"]) == "view_submission":
		s.submitted(text(object(a.Event.Payload["user"])["id"]), a.Payload)
	}
}

// answerCommand shows a command's acknowledgement; it is the original that its response URL
// can replace.
func (s *Server) answerCommand(a Ack) {
	if text(a.Payload["text"]) == "" && a.Payload["blocks"] == nil {
		return
	}
	c := &call{Request: &Request{Method: "ack", Args: a.Payload, At: s.now()}}
	k := checker{Server: s, where: "ack of " + text(a.Event.Payload["command"])}
	k.message(c)
	k.record()
	u := s.urls[urlID(text(a.Event.Payload["response_url"]))]
	if u == nil {
		return
	}
	u.original = s.response(c.Request, u)
	s.show(u.original)
}

// needScope notes what delivering an event needs of the token; the lock is held.
func (s *Server) needScope(e Event) {
	scope := ""
	switch e.Kind {
	case Commands:
		scope = "commands"
	case Interactive:
		if text(e.Payload["type"]) == "message_action" {
			scope = "commands"
		}
	default:
		scope = eventScope(e.Inner())
	}
	if scope != "" {
		s.scopes[scope] = true
	}
}

// eventScope is what a subscription needs. https://docs.slack.dev/reference/events
func eventScope(inner map[string]any) string {
	switch text(inner["type"]) {
	case "app_mention":
		return "app_mentions:read"
	case "reaction_added":
		return "reactions:read"
	case "member_joined_channel":
		return "channels:read"
	case "message":
		if kind := scopeKinds[ChannelType(text(inner["channel_type"]))]; kind != "" {
			return kind + ":history"
		}
	}
	return ""
}

// Acks lists all acknowledgements in order. With Forget there are none.
func (s *Server) Acks() []Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acks)
}

// Ack finds the acknowledgement of an envelope.
func (s *Server) Ack(envelope string) (Ack, bool) {
	for _, a := range s.Acks() {
		if a.Envelope == envelope {
			return a, true
		}
	}
	return Ack{}, false
}

// Latencies lists how long each acknowledgement took, in order.
func (s *Server) Latencies() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.latencies)
}

// postDelivery sends an envelope over HTTP. A bot that is not there has not acknowledged it.
func (s *Server) postDelivery(d *delivery) {
	s.mu.Lock()
	s.sending(d)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), ackLasts)
	defer cancel()
	r, err := s.post(ctx, *s.HTTP, d.event, Spoil{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || r.Status < 200 || r.Status > 299 {
		d.again = r.Header.Get("X-Slack-No-Retry") == "1"
		return
	}
	s.acknowledge(d, Ack{Envelope: d.id, Event: d.event, Payload: r.payload(d.event), Status: r.Status})
	s.bell()
}
