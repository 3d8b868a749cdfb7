package discordtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// Opcodes of the gateway. https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-opcodes
const (
	opDispatch       = 0
	opHeartbeat      = 1
	opIdentify       = 2
	opPresence       = 3
	opVoice          = 4
	opResume         = 6
	opReconnect      = 7
	opMembers        = 8
	opInvalidSession = 9
	opHello          = 10
	opHeartbeatAck   = 11
)

// Codes with which Discord closes.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
const (
	UnknownError         = 4000
	UnknownOpcode        = 4001
	DecodeError          = 4002
	NotAuthenticated     = 4003
	AuthenticationFailed = 4004
	AlreadyAuthenticated = 4005
	InvalidSeq           = 4007
	TooManySends         = 4008
	SessionTimedOut      = 4009
	InvalidShard         = 4010
	ShardingRequired     = 4011
	InvalidAPIVersion    = 4012
	InvalidIntents       = 4013
	DisallowedIntents    = 4014
)

const (
	writeLasts = 5 * time.Second
	maxSends   = 120 // in a minute. https://discord.com/developers/docs/topics/gateway#rate-limiting
	maxFrame   = 4096
)

// A Conn is one gateway connection.
type Conn struct {
	ID      int    // from 1, in the order in which they were opened
	Resumed bool   // its session came from an earlier one
	AtHome  bool   // it was opened at the resume_gateway_url
	Shard   [2]int // that it identified as
	Intents int64

	s    *Server
	ws   *websocket.Conn
	wire *wire

	// Under the server's lock.
	session  *session
	ready    bool
	mischief Mischief
	deaf     bool
	out      []outgoing
	bell     chan struct{} // rung for out
	sends    []time.Time
	beats    int
	since    time.Time     // when it became ready
	left     chan struct{} // closed when reading ends
	gone     chan struct{} // closed when all has ended
}

// An outgoing frame; with a code it is the last one.
type outgoing struct {
	frame []byte
	code  int
	text  string

	silent bool // the end is not said
}

func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.state.calls[Connect]++
	f, failing := s.fault(Connect, "")
	var m Mischief
	if !failing {
		m = s.nextMischief()
	}
	s.mu.Unlock()
	if !s.sleep(r.Context(), f.Delay) || f.Drop {
		panic(http.ErrAbortHandler)
	}
	if status := max(f.Status, m.Refuse); status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // bots are no browsers
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	wire, _ := r.Context().Value(wireKey{}).(*wire)
	c := &Conn{
		s: s, ws: ws, wire: wire, mischief: m, deaf: m.Deaf, AtHome: strings.HasPrefix(r.URL.Path, resumePath),
		bell: make(chan struct{}, 1), left: make(chan struct{}), gone: make(chan struct{}),
	}
	s.run(c, r)
}

// run serves a connection until it ends.
func (s *Server) run(c *Conn, r *http.Request) {
	defer close(c.gone)
	if !s.enter(c, r) {
		_ = c.ws.Close()
		return
	}
	written := make(chan struct{})
	go func() { defer close(written); c.write() }()
	err := c.read()
	s.leave(c, err)
	<-written
	_ = c.ws.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(slices.Clone(s.conns), func(x *Conn) bool { return x == c })
	s.state.open = len(s.conns)
	s.bell()
}

// enter lets a connection in and says hello.
func (s *Server) enter(c *Conn, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.state.ever++
	c.ID = s.state.ever
	s.conns = append(s.conns, c)
	s.state.open = len(s.conns)
	q := r.URL.Query()
	switch {
	case q.Get("v") != "9" && q.Get("v") != "10":
		s.violate("gateway: version %q in the URL", q.Get("v"))
		c.shut(InvalidAPIVersion, "Invalid API version.")
	case q.Get("encoding") != "json":
		s.violate("gateway: encoding %q in the URL; the fake speaks json", q.Get("encoding"))
	}
	if c.mischief.Garbage != "" {
		c.push(outgoing{frame: []byte(c.mischief.Garbage)})
	}
	if !c.mischief.NoHello {
		c.send(opHello, map[string]any{"heartbeat_interval": s.heartbeat().Milliseconds(), "_trace": []string{`["discordtest",{}]`}})
	}
	s.bell()
	return true
}

func (s *Server) heartbeat() time.Duration {
	if s.HeartbeatInterval > 0 {
		return s.HeartbeatInterval
	}
	return 500 * time.Millisecond
}

// leave ends a connection's part in its session. A client that says 1000 or 1001 wants no
// more of it. https://discord.com/developers/docs/topics/gateway#disconnecting
func (s *Server) leave(c *Conn, err error) {
	close(c.left)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.unready()
	c.checkBeats()
	if c.session != nil && c.session.conn == c {
		c.session.conn = nil
		var closed *websocket.CloseError
		if errors.As(err, &closed) && (closed.Code == websocket.CloseNormalClosure || closed.Code == websocket.CloseGoingAway) {
			c.session.dead = true
		}
	}
	s.bell()
}

// unready counts a connection out; the lock is held.
func (c *Conn) unready() {
	if c.ready {
		c.ready = false
		c.s.state.ready--
	}
}

// checkBeats wants heartbeats about as often as HELLO asked for them.
// https://discord.com/developers/docs/topics/gateway#sending-heartbeats
func (c *Conn) checkBeats() {
	lived := c.s.now().Sub(c.since)
	if due := int(lived / c.s.heartbeat()); !c.since.IsZero() && !c.deaf && due > 5 && c.beats < due/3 {
		c.s.violate("gateway: connection %d sent %d heartbeats in %v", c.ID, c.beats, lived.Round(time.Millisecond))
	}
}

// read takes what the bot says until the connection ends.
func (c *Conn) read() error {
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			return err
		}
		c.s.heard(c, frame)
	}
}

// write sends what is to be sent, in order.
func (c *Conn) write() {
	for {
		c.s.mu.Lock()
		out := c.out
		c.out = nil
		c.s.mu.Unlock()
		for _, o := range out {
			if !c.emit(o) {
				return
			}
		}
		if len(out) > 0 {
			continue
		}
		select {
		case <-c.bell:
		case <-c.left:
			return
		}
	}
}

// emit sends one frame; false when it was the last.
func (c *Conn) emit(o outgoing) bool {
	deadline := time.Now().Add(writeLasts)
	if o.code != 0 {
		if !o.silent {
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(o.code, o.text), deadline)
		}
		_ = c.ws.SetReadDeadline(time.Now().Add(time.Second)) // for the bot's close frame
		return false
	}
	return c.ws.SetWriteDeadline(deadline) == nil && c.ws.WriteMessage(websocket.TextMessage, o.frame) == nil
}

// push queues a frame; the lock is held.
func (c *Conn) push(o outgoing) {
	c.out = append(c.out, o)
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// send queues a frame that is no event; the lock is held.
func (c *Conn) send(op int, d any) {
	c.push(outgoing{frame: encode(map[string]any{"op": op, "d": d, "s": nil, "t": nil})})
}

// shut queues the end; the lock is held.
func (c *Conn) shut(code int, text string) { c.push(outgoing{code: code, text: text, silent: c.deaf}) }

// heard takes a frame of the bot.
func (s *Server) heard(c *Conn, frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	if c.deaf {
		return
	}
	var payload map[string]any
	decoder := json.NewDecoder(bytes.NewReader(frame))
	decoder.UseNumber()
	if decoder.Decode(&payload) != nil || payload["op"] == nil {
		s.violate("gateway: a frame is no payload: %.60q", frame)
		c.shut(DecodeError, "Error while decoding payload.")
		return
	}
	if len(frame) > maxFrame {
		s.violate("gateway: a frame of %d bytes, the limit is %d", len(frame), maxFrame)
		c.shut(DecodeError, "Error while decoding payload.")
		return
	}
	if c.sends = append(c.sends, s.now()); c.hurries() {
		s.violate("gateway: more than %d frames in a minute", maxSends)
		c.shut(TooManySends, "You are being rate limited.")
		return
	}
	s.command(c, int(number(payload["op"])), payload["d"])
}

// hurries tells whether the bot sent too much in the last minute.
func (c *Conn) hurries() bool {
	now := c.s.now()
	c.sends = slices.DeleteFunc(c.sends, func(at time.Time) bool { return now.Sub(at) > time.Minute })
	heartbeats := int(time.Minute/c.s.heartbeat()) + 5 // a fast heart is the fake's wish
	return len(c.sends) > maxSends+heartbeats
}

func (s *Server) command(c *Conn, op int, d any) {
	switch op {
	case opHeartbeat:
		c.beats++
		if !c.mischief.NoAcks {
			c.send(opHeartbeatAck, nil)
		}
	case opIdentify:
		s.identify(c, object(d))
	case opResume:
		s.resume(c, object(d))
	case opPresence, opVoice, opMembers:
		if c.session == nil {
			c.shut(NotAuthenticated, "Not authenticated.")
		}
	default:
		s.violate("gateway: the bot sends opcode %d", op)
		c.shut(UnknownOpcode, "Unknown opcode.")
	}
}

const (
	gatewayPath = "/gateway"
	resumePath  = "/resume"
)

func (s *Server) gatewayURL(path string) string {
	return strings.Replace(s.http.URL, "http", "ws", 1) + path
}
