package slacktest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Reasons of a disconnect frame. https://docs.slack.dev/apis/events-api/using-socket-mode
const (
	Warning          = "warning"
	RefreshRequested = "refresh_requested"
	LinkDisabled     = "link_disabled"
	TooManySockets   = "too_many_websockets"
)

const (
	maxSockets   = 10               // of an app at a time
	leavingLasts = 10 * time.Second // from the warning to the end
	writeLasts   = 5 * time.Second
)

// A Conn is one Socket Mode connection.
type Conn struct {
	ID int // from 1, in the order in which they were opened

	s       *Server
	ws      *websocket.Conn
	wire    *wire
	writing sync.Mutex // around writes, as a WebSocket has one writer

	// Under the server's lock.
	leaving bool // gets no more events
	deaf    bool
	timer   *time.Timer // ends a connection that is leaving
	gone    chan struct{}
}

func (s *Server) connectionsOpen(*call) answer {
	if s.revoked != "" {
		return fail(s.revoked)
	}
	s.serial++
	ticket := fmt.Sprintf("%08x-%d", s.serial*2654435761, s.serial)
	s.tickets[ticket] = true
	return answer{"url": "ws://" + s.host() + "/link?ticket=" + ticket + "&app_id=" + App}
}

// RefuseConnections answers the next n attempts to open a socket with 503.
func (s *Server) RefuseConnections(n int) {
	s.Fail(Upgrade, n, Fault{Status: http.StatusServiceUnavailable})
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	f, ok := s.admit(r)
	if !s.sleep(r.Context(), f.Delay) || f.Drop {
		panic(http.ErrAbortHandler)
	}
	if f.Status != 0 {
		http.Error(w, http.StatusText(f.Status), f.Status)
		return
	}
	if !ok {
		http.Error(w, "invalid ticket", http.StatusBadRequest)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // bots are no browsers
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	wire, _ := r.Context().Value(wireKey{}).(*wire)
	s.run(&Conn{s: s, ws: ws, wire: wire, gone: make(chan struct{})})
}

// admit takes the ticket, which is good once.
func (s *Server) admit(r *http.Request) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _ := s.fault(Upgrade, "")
	ticket := r.URL.Query().Get("ticket")
	ok := s.tickets[ticket]
	delete(s.tickets, ticket)
	if !ok {
		s.violate("websocket: a ticket was used twice, or never given out")
	}
	return f, ok
}

// run serves a connection until it ends.
func (s *Server) run(c *Conn) {
	backlog, ok := s.welcome(c)
	if !ok {
		c.end()
		return
	}
	var pings sync.WaitGroup
	pings.Go(c.ping)
	for _, d := range backlog {
		s.transmit(c, d)
	}
	c.read()
	s.farewell(c)
	pings.Wait()
}

// welcome says hello, and only then lets events go to the connection.
func (s *Server) welcome(c *Conn) ([]*delivery, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	s.state.ever++
	c.ID = s.state.ever
	if len(s.conns) >= maxSockets {
		s.misack("connection %d is one too many: an app has at most %d", c.ID, maxSockets)
		_ = c.frame(disconnectFrame(TooManySockets))
		return nil, false
	}
	hello := map[string]any{
		"type": "hello", "num_connections": len(s.conns) + 1, "connection_info": map[string]any{"app_id": App},
		"debug_info": map[string]any{"host": "applink-slacktest", "build_number": 10, "approximate_connection_time": 18060},
	}
	if c.frame(hello) != nil {
		return nil, false
	}
	s.conns = append(s.conns, c)
	s.state.open = len(s.conns)
	backlog := s.backlog
	s.backlog = nil
	s.bell()
	return backlog, true
}

// farewell is over before the connection counts as gone, so that who waited for its end does
// not send on it.
func (s *Server) farewell(c *Conn) {
	c.end()
	defer close(c.gone)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	s.conns = slices.DeleteFunc(slices.Clone(s.conns), func(x *Conn) bool { return x == c })
	s.state.open = len(s.conns)
	s.bell()
}

func disconnectFrame(reason string) map[string]any {
	return map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-slacktest"}}
}

// ping keeps the bot from thinking that the line is dead.
func (c *Conn) ping() {
	interval := c.s.PingInterval
	if interval < 0 {
		return
	}
	if interval == 0 {
		interval = 500 * time.Millisecond
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if !c.isDeaf() {
			_ = c.ws.WriteControl(websocket.PingMessage, []byte("Ping from applink-slacktest"), time.Now().Add(writeLasts))
		}
		select {
		case <-ticker.C:
		case <-c.gone:
			return
		}
	}
}

func (c *Conn) isDeaf() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.deaf
}

// read takes acknowledgements until the connection ends.
func (c *Conn) read() {
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		c.s.heard(c, frame)
	}
}

// frame writes one JSON frame.
func (c *Conn) frame(v any) error { return c.Raw(string(encode(v))) }

// Raw writes a text frame as it is.
func (c *Conn) Raw(frame string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.ws.SetWriteDeadline(time.Now().Add(writeLasts)); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, []byte(frame))
}

// Conns lists the open connections, oldest first.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.conns)
}

// Disconnect sends a disconnect frame. The connection gets no more events, and is ended by
// the fake after ten seconds; at once where the link is disabled.
func (c *Conn) Disconnect(reason string) {
	c.s.mu.Lock()
	c.leaving = true
	if c.timer == nil && !c.s.closed {
		c.timer = time.AfterFunc(leavingLasts, c.end)
	}
	c.s.mu.Unlock()
	_ = c.frame(disconnectFrame(reason)) // it may have gone already
	if reason == LinkDisabled {
		c.end()
	}
}

// end closes the connection the polite way.
func (c *Conn) end() {
	if !c.isDeaf() {
		goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = c.ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(writeLasts))
	}
	_ = c.ws.Close()
}

// hangUp ends it from outside, and waits until it has ended.
func (c *Conn) hangUp() {
	c.end()
	<-c.gone
}

// Reset cuts the connection off with a TCP reset.
func (c *Conn) Reset() {
	if tcp, ok := c.wire.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the reset is what a close without lingering sends
	}
	_ = c.wire.Close()
	<-c.gone
}

// Deafen leaves the connection open, but nothing is read from it or written to it any more.
// Events still go to it: they are lost.
func (c *Conn) Deafen() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.deaf = true
	c.wire.freeze.Do(func() { close(c.wire.frozen) })
}

// heard takes a frame of the bot. All that it may say is that it took an envelope.
func (s *Server) heard(c *Conn, frame []byte) {
	var ack struct {
		Envelope string         `json:"envelope_id"`
		Payload  map[string]any `json:"payload"`
	}
	err := json.Unmarshal(frame, &ack)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	switch {
	case c.deaf:
		return
	case err != nil:
		s.misack("connection %d: a frame is no acknowledgement: %v", c.ID, err)
	case len(frame) >= maxAck:
		s.misack("envelope %s: an acknowledgement of %d bytes: Slack drops those of %d and more", ack.Envelope, len(frame), maxAck)
	case !strings.Contains(string(frame), `"envelope_id"`):
		s.misack("connection %d: a frame without envelope_id", c.ID)
	default:
		s.ackOver(c, ack.Envelope, ack.Payload)
	}
}

// maxAck is where Slack begins to drop acknowledgements silently, as slack-go has found.
// https://github.com/slack-go/slack/blob/v0.35.0/socketmode/socket_mode_managed_conn.go
const maxAck = 20 * 1024

func (s *Server) ackOver(c *Conn, envelope string, payload map[string]any) {
	d := s.deliveries[envelope]
	switch {
	case d == nil && s.state.acked[envelope] || d != nil && d.acked:
		s.misack("envelope %s: acknowledged twice", envelope)
		return
	case d == nil:
		s.misack("envelope %s: acknowledged but never sent", envelope)
		return
	case d.conn != c.ID:
		s.misack("envelope %s: came on connection %d, acknowledged on %d", envelope, d.conn, c.ID)
	case len(payload) > 0 && d.event.Kind == EventsAPI:
		s.misack("envelope %s: an event's acknowledgement carries no payload", envelope)
	}
	s.acknowledge(d, Ack{Envelope: envelope, Event: d.event, Payload: payload, Conn: c.ID})
}
