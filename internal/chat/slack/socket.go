package slack

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"

	"citebot/internal/chat"

	"github.com/gorilla/websocket"
)

// Time limits of a socket. Slack pings every few seconds, so a connection that is silent
// for longer than silentFor is dead, whatever TCP thinks of it.
const (
	dialWithin   = 20 * time.Second
	silentFor    = 45 * time.Second
	writeWithin  = 5 * time.Second
	lingerFor    = 10 * time.Second // how long a connection outlives its announced end
	goodAfter    = 10 * time.Second // a connection that lasts as long ends a row of failures
	maxFrame     = 1 << 20
	acceptWithin = 2500 * time.Millisecond // Slack waits three seconds for an acknowledgement
)

// listen keeps one socket open until ctx ends; two for a moment when Slack announces that
// it will close one.
func (s *Slack) listen(ctx context.Context) {
	var sockets sync.WaitGroup
	defer sockets.Wait()
	pause := newPause()
	for ctx.Err() == nil && !s.state.isRevoked() {
		conn, err := s.dial(ctx)
		if err != nil {
			s.failed("apps.connections.open", "SLACK_APP_TOKEN", err)
			chat.Sleep(ctx, pause.next(err))
			continue
		}
		began := time.Now()
		k := &socket{slack: s, conn: conn, over: make(chan struct{}), began: began}
		sockets.Go(func() { k.read(ctx) })
		<-k.over
		s.metrics.Reconnects.Inc()
		if time.Since(began) > goodAfter {
			pause.Reset()
			continue
		}
		chat.Sleep(ctx, pause.next(nil))
	}
}

// dial opens a connection to an address that is good for one.
func (s *Slack) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	_, address, err := s.api.StartSocketModeContext(ctx)
	if err != nil {
		return nil, safe(err)
	}
	conn, err := openSocket(ctx, address)
	return conn, safe(err)
}

// openSocket connects to an address that apps.connections.open gave out.
func openSocket(ctx context.Context, address string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialWithin}
	conn, response, err := dialer.DialContext(ctx, address, nil)
	if response != nil && response.Body != nil {
		response.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxFrame)
	return conn, nil
}

// A socket is one connection. read is its only reader; writes take turns.
type socket struct {
	slack *Slack
	conn  *websocket.Conn
	began time.Time
	hello bool

	end  sync.Once
	over chan struct{} // closed when a successor is wanted

	write sync.Mutex
}

// A frame is what Slack sends:
// https://docs.slack.dev/apis/events-api/using-socket-mode
type frame struct {
	Type         string          `json:"type"`
	EnvelopeID   string          `json:"envelope_id"`
	Payload      json.RawMessage `json:"payload"`
	RetryAttempt int             `json:"retry_attempt"`
	RetryReason  string          `json:"retry_reason"`
	Reason       string          `json:"reason"`
}

func (k *socket) read(ctx context.Context) {
	defer k.retire()
	stop := context.AfterFunc(ctx, func() { k.conn.Close() })
	defer stop()
	defer k.conn.Close()
	k.conn.SetPingHandler(k.ping)
	k.alive()
	err := k.frames(ctx)
	if k.hello {
		k.slack.state.socket(-1)
	}
	var timeout net.Error
	switch {
	case ctx.Err() != nil || k.retired():
	case errors.As(err, &timeout) && timeout.Timeout():
		k.slack.cfg.Log.Warn("Slack has gone silent; connecting again")
	default:
		k.slack.cfg.Log.Info("connection to Slack ended; connecting again", slog.Any("error", safe(err)))
	}
}

func (k *socket) frames(ctx context.Context) error {
	for {
		_, data, err := k.conn.ReadMessage()
		if err != nil {
			return err
		}
		if !k.retired() {
			k.alive()
		}
		k.take(ctx, data)
	}
}

// alive gives the connection another while.
func (k *socket) alive() { k.conn.SetReadDeadline(time.Now().Add(k.slack.silentFor)) }

func (k *socket) ping(data string) error {
	if !k.retired() {
		k.alive()
	}
	err := k.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeWithin))
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil // the read deadline decides
	}
	return err
}

// retire asks for a successor.
func (k *socket) retire() { k.end.Do(func() { close(k.over) }) }

func (k *socket) retired() bool {
	select {
	case <-k.over:
		return true
	default:
		return false
	}
}

var envelopeID = regexp.MustCompile(`"envelope_id"\s*:\s*"([^"\\]{1,200})"`)

// take deals with one frame. Everything that has an envelope is acknowledged once it is
// dealt with, what nobody understands included: Slack would only send it again.
func (k *socket) take(ctx context.Context, data []byte) {
	began := time.Now()
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		if m := envelopeID.FindSubmatch(data); m != nil {
			f = frame{EnvelopeID: string(m[1])}
		}
		k.slack.cfg.Log.Warn("a frame from Slack could not be read", slog.Any("error", err))
	}
	switch f.Type {
	case "hello":
		k.greet()
		return
	case "disconnect":
		k.disconnect(f.Reason)
		return
	}
	if f.EnvelopeID == "" {
		return
	}
	response, err := k.slack.take(ctx, f.Type, f.Payload)
	if err != nil {
		k.slack.cfg.Log.Error("an event could not be kept; Slack will send it again", slog.Any("error", safe(err)))
		return
	}
	if err := k.ack(f.EnvelopeID, response); err != nil {
		k.slack.cfg.Log.Warn("an event could not be acknowledged; Slack will send it again", slog.Any("error", safe(err)))
	}
	k.slack.metrics.Ack.Observe(time.Since(began).Seconds())
}

func (k *socket) greet() {
	if k.hello {
		return
	}
	k.hello = true
	k.slack.state.socket(+1)
	k.slack.health.Fine(problemSocket)
	k.slack.health.Fine("apps.connections.open")
	k.slack.cfg.Log.Info("connected to Slack")
}

// disconnect lets a successor take over before Slack closes this connection. One that is
// told off right after it began just ends, so that they do not pile up.
func (k *socket) disconnect(reason string) {
	if reason == "link_disabled" {
		k.slack.health.Down(problemSocket, "Socket Mode was turned off: turn it on under Socket Mode of the app", false)
	}
	linger := lingerFor
	if time.Since(k.began) < goodAfter {
		linger = 0
	}
	k.conn.SetReadDeadline(time.Now().Add(linger))
	k.retire()
}

// ack acknowledges an envelope, on the connection that it came on.
func (k *socket) ack(envelope string, response any) error {
	k.write.Lock()
	defer k.write.Unlock()
	if err := k.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return k.conn.WriteJSON(struct {
		EnvelopeID string `json:"envelope_id"`
		Payload    any    `json:"payload,omitempty"`
	}{envelope, response})
}
