package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

// A gateway keeps one shard's connection, over which Discord sends events.
// https://discord.com/developers/docs/events/gateway
//
// The library's own connection waits for ever where Discord says nothing, or says
// "reconnect" before it says who we are; it takes its leave with a code that ends the
// session, so that what happens until it is back is lost; and it reconnects for ever after a
// refusal. This one puts a limit to every wait, resumes its session wherever Discord allows
// that, so that events of the gap arrive after all, and tells what a refusal means.
type gateway struct {
	address func(ctx context.Context) (string, error) // where to connect
	hello   identity
	times   times
	budget  *rate.Limiter // of new sessions
	turns   *rate.Limiter // likewise, of all shards together

	// take takes one event after the other. It reports whether it has: one that it has not the
	// session sends again.
	take func(ctx context.Context, kind string, data json.RawMessage) bool
	up   func(up bool, why error) // told of each change
	log  *slog.Logger

	session  session
	resumes  int       // tries to go on with session, in a row
	joinedAt time.Time // zero: not since the connection began
	pause    chat.Pause
}

// identity is what a connection says of itself.
type identity struct {
	token   string
	intents api.Intent
	shard   int
	shards  int
}

// A session is what Discord needs to go on where a connection ended; zero: begin anew.
type session struct {
	id  string
	url string // where it wants to be resumed; "": anywhere
	seq int64
}

// times are how long things may take.
type times struct {
	hello  time.Duration // from dialing until Discord says hello
	ready  time.Duration // from hello until the session is there
	write  time.Duration
	rejoin time.Duration // before a session that Discord has ended is begun anew, twice this at most
	fatal  time.Duration // before another try after a refusal that only a person can end
	turn   time.Duration // between two new sessions
	pause  time.Duration // before the first try after a failure
	good   time.Duration // that a session lasts after which the next may be begun at once
}

var usualTimes = times{
	hello: 10 * time.Second, ready: 30 * time.Second, write: 5 * time.Second,
	rejoin: 2 * time.Second, fatal: 15 * time.Minute, turn: 5 * time.Second, pause: 500 * time.Millisecond,
	good: 10 * time.Second,
}

// Discord allows 1,000 new sessions a day and takes the token away beyond that; and, without
// being asked for more, one each five seconds (times.turn).
// https://discord.com/developers/docs/events/gateway#session-start-limit-object
const (
	sessionEvery = 100 * time.Second // 864 a day, and so many at once:
	sessionBurst = 60
)

// maxResumes is how often going on with a session is tried before another is begun.
const maxResumes = 5

// maxEvent is above what a large server's description takes.
const maxEvent = 64 << 20

// run stays connected until ctx ends.
func (g *gateway) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := g.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		g.up(false, err)
		g.log.Info("connection to Discord ended", slog.Int("shard", g.hello.shard), slog.Any("why", err))
		if !chat.Sleep(ctx, g.wait(err)) {
			return
		}
	}
}

// wait is how long to wait before the next connection: ever longer after those that led to no
// session, a while after one that did for a moment.
func (g *gateway) wait(err error) time.Duration {
	joined := g.joinedAt
	g.joinedAt = time.Time{}
	if !joined.IsZero() {
		g.pause.Reset()
	}
	wait := g.pause.Next()
	if !joined.IsZero() && time.Since(joined) < g.times.good {
		wait = max(wait, g.times.good/5)
	}
	var later *chat.Wait
	switch {
	case fatal(err) != "":
		return g.times.fatal/2 + rand.N(g.times.fatal)
	case errors.Is(err, errSessionEnded): // https://discord.com/developers/docs/events/gateway#resuming
		return max(wait, g.times.rejoin/2+rand.N(2*g.times.rejoin))
	case errors.As(err, &later):
		return max(wait, later.For)
	}
	return wait
}

// fatal is what a person has to do before another try makes sense; "" if it does.
func fatal(err error) string {
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return fatalCodes[closed.Code]
	case status(err) == http.StatusUnauthorized:
		return fatalCodes[4004]
	}
	return ""
}

// What Discord says in other ways than by closing the connection.
var (
	errReconnect    = errors.New("Discord asked to reconnect")
	errSessionEnded = errors.New("Discord ended the session")
	errDeaf         = errors.New("Discord did not answer a heartbeat")
	errNotResumed   = errors.New("Discord does not go on with the session")
)

// fatalCodes are the close codes that mean that another try is of no use, and what to do.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
var fatalCodes = map[int]string{
	4004: "DISCORD_TOKEN was refused: copy it again from the app's page at discord.com/developers/applications, under Bot → Reset Token",
	4010: "Discord does not know this shard: look at discord.shards in bot.yaml",
	4011: "the bot is in too many servers for its connections: raise discord.shards in bot.yaml (2,500 servers each at most)",
	4012: "Discord does not take this version of its interface any more: update the bot",
	4013: "Discord does not know one of the intents that the bot asks for: update the bot",
	4014: "Discord does not allow the Message Content intent: enable it on the app's page at discord.com/developers/applications, under Bot → Privileged Gateway Intents → Message Content Intent; or remove auto_answer from discord.channels in bot.yaml, which alone needs it",
}

// lostCodes are those after which a session cannot be resumed; 1000 and 1001 are about us.
var lostCodes = []int{1000, 1001, 4003, 4007, 4009}

// A frame is what goes over the connection, both ways.
// https://discord.com/developers/docs/events/gateway-events#payload-structure
type frame struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  *int64          `json:"s,omitempty"`
	Kind string          `json:"t,omitempty"`
}

// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-opcodes
const (
	opDispatch   = 0
	opHeartbeat  = 1
	opIdentify   = 2
	opResume     = 6
	opReconnect  = 7
	opInvalid    = 9
	opHello      = 10
	opHeartbeats = 11 // the answer to a heartbeat
)

// connect makes one connection and serves it to its end, which always has an error.
func (g *gateway) connect(ctx context.Context) error {
	at, err := g.address(ctx)
	if err != nil {
		return err
	}
	if g.session.id == "" {
		if err := g.mayBegin(ctx); err != nil {
			return err
		}
	}
	c, err := g.dial(ctx, resumeAt(at, g.session.url))
	if err != nil {
		g.session.url = ""
		return err
	}
	defer c.Close()
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(life, func() { leave(c, ctx.Err() != nil) })()
	err = g.serve(life, c, end)
	if g.resumes >= maxResumes {
		g.session, g.resumes = session{}, 0
	}
	if cause := context.Cause(life); errors.Is(cause, errDeaf) {
		err = cause
	}
	g.forget(err)
	return err
}

// leave ends a connection: with a word when the bot stops, so that nobody takes it for
// present; without one otherwise, as any would end the session as well.
func leave(c *websocket.Conn, stopping bool) {
	if stopping {
		bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		c.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
	}
	c.Close()
}

// mayBegin waits until a new session may be begun.
func (g *gateway) mayBegin(ctx context.Context) error {
	if err := g.budget.Wait(ctx); err != nil {
		return err
	}
	return g.turns.Wait(ctx)
}

// resumeAt is where to connect: a session has an address of its own. One that lies
// elsewhere than the gateway is not believed.
func resumeAt(gateway, session string) string {
	from, err := url.Parse(gateway)
	to, errTo := url.Parse(session)
	if err != nil || errTo != nil || session == "" || from.Scheme != to.Scheme || domain(from.Hostname()) != domain(to.Hostname()) {
		return gateway
	}
	return session
}

// domain is the last two names of a host.
func domain(host string) string {
	names := strings.Split(host, ".")
	return strings.Join(names[max(0, len(names)-2):], ".")
}

func (g *gateway) dial(ctx context.Context, at string) (*websocket.Conn, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, errors.New("Discord names no address that can be read")
	}
	u.RawQuery = url.Values{"v": {api.APIVersion}, "encoding": {"json"}}.Encode()
	if u.Path == "" {
		u.Path = "/"
	}
	ctx, cancel := context.WithTimeout(ctx, g.times.hello)
	defer cancel()
	var stay func() bool
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment}
	dialer.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil { // the library looks at ctx until here
			stay = context.AfterFunc(ctx, func() { c.Close() })
		}
		return c, err
	}
	c, response, err := dialer.DialContext(ctx, u.String(), http.Header{"User-Agent": {userAgent}})
	if stay != nil {
		stay()
	}
	if response != nil && err != nil {
		return nil, fmt.Errorf("%w: %s", safe(err), response.Status)
	}
	if err != nil {
		return nil, safe(err)
	}
	c.SetReadLimit(maxEvent)
	return c, nil
}

// serve says who we are and takes what comes.
func (g *gateway) serve(ctx context.Context, c *websocket.Conn, end context.CancelCauseFunc) error {
	beat, err := g.greet(c)
	if err != nil {
		return err
	}
	pulse := &pulse{conn: c, every: beat, within: g.times.write, now: make(chan struct{}, 1)}
	pulse.seq.Store(g.session.seq)
	if err := pulse.write(g.introduction()); err != nil { // before the pulse, which writes all the rest
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := pulse.run(ctx); err != nil {
			end(err)
		}
	}()
	defer func() {
		end(context.Canceled)
		<-done
	}()
	return g.listen(ctx, c, pulse)
}

// greet waits for hello, which says how often a heartbeat is due.
func (g *gateway) greet(c *websocket.Conn) (time.Duration, error) {
	c.SetReadDeadline(time.Now().Add(g.times.hello))
	f, err := receive(c)
	if err != nil {
		return 0, err
	}
	var hello struct {
		Interval int `json:"heartbeat_interval"` // milliseconds
	}
	if err := json.Unmarshal(f.Data, &hello); f.Op != opHello || err != nil || hello.Interval <= 0 {
		return 0, fmt.Errorf("Discord began with op %d instead of hello", f.Op)
	}
	return time.Duration(hello.Interval) * time.Millisecond, nil
}

// introduction begins a session or goes on with one.
func (g *gateway) introduction() any {
	if g.session.id != "" {
		g.resumes++
		return outgoing{opResume, map[string]any{"token": "Bot " + g.hello.token, "session_id": g.session.id, "seq": g.session.seq}}
	}
	return outgoing{opIdentify, map[string]any{
		"token":      "Bot " + g.hello.token,
		"intents":    g.hello.intents,
		"shard":      [2]int{g.hello.shard, g.hello.shards},
		"properties": map[string]string{"os": runtime.GOOS, "browser": "citebot", "device": "citebot"},
	}}
}

type outgoing struct {
	Op   int `json:"op"`
	Data any `json:"d"`
}

func receive(c *websocket.Conn) (frame, error) {
	var f frame
	_, data, err := c.ReadMessage()
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("Discord sent what cannot be read: %w", err)
	}
	return f, nil
}

// listen takes frames until the connection ends or Discord wants it to.
func (g *gateway) listen(ctx context.Context, c *websocket.Conn, p *pulse) error {
	c.SetReadDeadline(time.Now().Add(g.patience()))
	for {
		f, err := receive(c)
		if err != nil {
			return g.unanswered(err)
		}
		switch f.Op {
		case opDispatch:
			if f.Kind == "READY" || f.Kind == "RESUMED" {
				c.SetReadDeadline(time.Time{}) // from here on the heartbeat watches
				g.joined(f)
			}
			if !g.take(ctx, f.Kind, f.Data) {
				return context.Cause(ctx)
			}
			if g.resuming() { // what was missed comes before RESUMED
				c.SetReadDeadline(time.Now().Add(g.patience()))
			}
			if f.Seq != nil {
				g.session.seq = *f.Seq
				p.seq.Store(*f.Seq)
			}
		case opHeartbeat:
			p.ring()
		case opHeartbeats:
			p.heard.Store(true)
		case opReconnect:
			return errReconnect
		case opInvalid:
			if string(f.Data) != "true" {
				g.session = session{}
			}
			return errSessionEnded
		}
	}
}

// resuming is whether a session is to go on that does not yet.
func (g *gateway) resuming() bool { return g.session.id != "" && g.resumes > 0 }

// patience is how long the session may take. One that goes on does so at once.
func (g *gateway) patience() time.Duration {
	if g.resuming() {
		return g.times.hello
	}
	return g.times.ready
}

// unanswered drops a session that Discord was silent about: it would be so again. The time
// limit ends with READY or RESUMED.
func (g *gateway) unanswered(err error) error {
	var network net.Error
	if g.resuming() && errors.As(err, &network) && network.Timeout() {
		g.session, g.resumes = session{}, 0
		return errNotResumed
	}
	return err
}

// joined notes that the session is there.
func (g *gateway) joined(f frame) {
	if f.Kind == "READY" {
		var r struct {
			ID  string `json:"session_id"`
			URL string `json:"resume_gateway_url"`
		}
		if json.Unmarshal(f.Data, &r) == nil {
			g.session = session{id: r.ID, url: r.URL}
		}
	}
	g.resumes = 0
	g.joinedAt = time.Now()
	g.up(true, nil)
}

// forget drops a session that Discord will not resume.
func (g *gateway) forget(err error) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) && (slices.Contains(lostCodes, closed.Code) || fatalCodes[closed.Code] != "") {
		g.session = session{}
	}
}

// A pulse sends heartbeats, and finds out when nobody hears them.
// https://discord.com/developers/docs/events/gateway#sending-heartbeats
type pulse struct {
	conn   *websocket.Conn
	every  time.Duration
	within time.Duration // for one write
	seq    atomic.Int64
	heard  atomic.Bool // Discord has answered the last one
	now    chan struct{}
}

// ring asks for a heartbeat at once.
func (p *pulse) ring() {
	select {
	case p.now <- struct{}{}:
	default:
	}
}

// run beats until ctx ends. The first beat comes after a random time, so that all the bots
// that lost their connection at once do not beat at once.
func (p *pulse) run(ctx context.Context) error {
	p.heard.Store(true)
	due := time.NewTimer(rand.N(p.every))
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.now:
		case <-due.C:
			if !p.heard.Swap(false) {
				return errDeaf
			}
			due.Reset(p.every)
		}
		if err := p.write(outgoing{opHeartbeat, p.last()}); err != nil {
			return err
		}
	}
}

// last is the number of the last event; null before the first.
func (p *pulse) last() any {
	if n := p.seq.Load(); n > 0 {
		return n
	}
	return nil
}

func (p *pulse) write(v any) error {
	p.conn.SetWriteDeadline(time.Now().Add(p.within))
	return p.conn.WriteJSON(v)
}
