package discordtest

import (
	"net"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// This file is what a test does to a live connection.

// Conns lists the open connections, oldest first.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.conns)
}

// Heartbeats is how many heartbeats came on a connection.
func (c *Conn) Heartbeats() int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.beats
}

// Raw sends a frame as it is.
func (c *Conn) Raw(frame string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.push(outgoing{frame: []byte(frame)})
}

// Reconnect tells the bot to connect again: Op 7. The session can be resumed.
func (c *Conn) Reconnect() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.send(opReconnect, nil)
}

// Invalidate sends Op 9. Where it is not resumable the session is over.
func (c *Conn) Invalidate(resumable bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !resumable && c.session != nil {
		c.session.dead = true
		c.session.conn = nil
		c.session = nil
	}
	c.send(opInvalidSession, resumable)
}

// AskHeartbeat asks for a heartbeat at once: Op 1.
func (c *Conn) AskHeartbeat() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.send(opHeartbeat, nil)
}

// Close closes the connection with a code. After 4007, 4009 and codes that say the session
// is not wanted it cannot be resumed.
func (c *Conn) Close(code int) {
	c.s.mu.Lock()
	if c.session != nil && final(code) {
		c.session.dead = true
	}
	c.shut(code, "discordtest")
	c.s.mu.Unlock()
	<-c.gone
}

func final(code int) bool {
	switch code {
	case websocket.CloseNormalClosure, websocket.CloseGoingAway, InvalidSeq, SessionTimedOut, AuthenticationFailed,
		InvalidShard, ShardingRequired, InvalidAPIVersion, InvalidIntents, DisallowedIntents:
		return true
	}
	return false
}

// Reset cuts the connection off with a TCP reset. The session can be resumed.
func (c *Conn) Reset() {
	if tcp, ok := c.wire.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the reset is what a close without lingering sends
	}
	_ = c.wire.Close()
	<-c.gone
}

// Deafen leaves the connection open, but nothing is read from it or written to it any more: a
// zombie. Its session keeps the events, for a resume.
func (c *Conn) Deafen() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.deaf, c.out = true, nil
	c.wire.frozen.Store(true)
	c.unready()
	c.s.bell()
}

// hangUp ends it from outside, and waits until it has ended.
func (c *Conn) hangUp() {
	c.s.mu.Lock()
	c.shut(websocket.CloseGoingAway, "")
	c.s.mu.Unlock()
	_ = c.ws.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	<-c.gone
}
