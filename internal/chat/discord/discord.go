// Package discord is the bot's surface in Discord.
//
//	gateway (gateway.go) ┐         ┌ messages, one after the other (events.go)
//	                     ├─► take ─┤
//	HTTP (http.go)       ┘         └ interactions: commands, buttons, modals (interactions.go)
//
// Both end in the desk (package chat), which writes to the ledger; then an interaction gets
// its response, within the three seconds that Discord waits. What the desk wants shown it
// hands to this package as a [chat.Platform]: post.go sends, edits and looks for posts,
// message.go sets answers as messages.
//
// # No privileged intent
//
// Commands, mentions, direct messages and “Answer this” work with what Discord shows every
// bot. Only channels that are answered unasked need the words of messages that do not name
// it, and the intent for that is asked for only where the configuration has such a channel.
//
// # Conversations
//
// A thread, a forum post included, is one conversation. Elsewhere a conversation is a
// question with what replies to its answer: its Place's Thread is the id of the message, or
// of the command, that began it.
//
// # Secrets
//
// The token goes into requests and nowhere else. An interaction's token lets whoever has it
// speak as the bot for a quarter of an hour: it stands in the ledger until then, and in no
// error or log line.
package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/surface"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// A Discord is one app. It is a [chat.Platform].
type Discord struct {
	cfg      Config
	desk     *chat.Desk
	rest     *rest
	metrics  *surface.Metrics
	health   surface.Health
	asides   *surface.Asides
	pace     *surface.Pace // of posts
	state    state
	rooms    *lru.Cache[string, room]     // by channel
	direct   *lru.Cache[string, string]   // the conversation with each person, by user
	openings *lru.Cache[string, *opening] // the last interactions, by id
	unread   *lru.Cache[string, struct{}] // people who were told that not all they say is shown

	lanes *lanes        // of what was said
	turns chan struct{} // bounds the interactions at once
	known chan struct{} // closed when it is known who the bot is
	once  sync.Once     // closes known

	times        times // as the constants, but for tests
	settleWithin time.Duration
	replyFor     time.Duration
}

// Sizes of caches and bounds.
const (
	roomsKept    = 20000
	directsKept  = 5000
	openingsKept = 1000
	unreadKept   = 1000
	maxTurns     = 500 // interactions at once
)

var _ chat.Platform = (*Discord)(nil)

// New checks cfg and returns the surface; it calls nothing and starts nothing.
func New(cfg Config, desk *chat.Desk) (*Discord, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Shards = max(cfg.Shards, 1)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	d := &Discord{
		cfg: cfg, desk: desk, rest: cfg.rest(),
		turns:  make(chan struct{}, maxTurns),
		asides: surface.NewAsides(cfg.Log),
		pace:   surface.NewPace(postEvery, postsAtOnce),
		known:  make(chan struct{}),
		times:  usualTimes,

		settleWithin: settleWithin,
		replyFor:     replyFor,
	}
	d.rooms, _ = lru.New[string, room](roomsKept) // fails only for a size of 0
	d.openings, _ = lru.New[string, *opening](openingsKept)
	d.unread, _ = lru.New[string, struct{}](unreadKept)
	d.lanes = newLanes(d.deal)
	d.direct, _ = lru.New[string, string](directsKept)
	var err error
	d.metrics, err = surface.NewMetrics(cfg.Registry, d.Name(), knownKinds)
	return d, err
}

// check refuses what cannot work, before anything starts.
func (c Config) check() error {
	if c.Library.Documents == nil || c.Library.Status == nil {
		return errors.New("discord.Config: Library is required")
	}
	if strings.TrimSpace(c.Token) == "" || strings.HasPrefix(c.Token, "Bot ") {
		return errors.New("DISCORD_TOKEN is no bot token: it stands under Bot of the app, and is given without “Bot ” before it")
	}
	_, err := c.publicKey()
	return err
}

// Name implements [chat.Platform].
func (d *Discord) Name() string { return "discord" }

// Run connects and stays connected until ctx ends. It returns no error: what is wrong with
// Discord is told by Ready, and the rest of the program goes on.
func (d *Discord) Run(ctx context.Context) error {
	var group errgroup.Group
	group.Go(func() error { d.lanes.run(ctx); return nil })
	group.Go(func() error { d.register(ctx); return nil })
	turns := rate.NewLimiter(rate.Every(d.times.turn), 1)
	for shard := range d.cfg.Shards {
		g := d.shard(shard, turns)
		group.Go(func() error { g.run(ctx); return nil })
	}
	if d.cfg.PublicKey != "" {
		group.Go(func() error { d.signIn(ctx); return nil })
	}
	err := group.Wait()
	d.asides.Wait()
	surface.Drain(d.turns)
	return err
}

// Close has nothing to do: what says that the bot is at work goes by itself.
func (d *Discord) Close() {}

// shard is the gateway of one shard.
func (d *Discord) shard(n int, turns *rate.Limiter) *gateway {
	return &gateway{
		address: d.rest.gateway,
		hello:   identity{token: d.cfg.Token, intents: d.cfg.Rules.intents(), shard: n, shards: d.cfg.Shards},
		times:   d.times,
		budget:  rate.NewLimiter(rate.Every(sessionEvery*time.Duration(d.cfg.Shards)), max(1, sessionBurst/d.cfg.Shards)),
		turns:   turns,
		take:    d.take,
		up:      func(up bool, why error) { d.connected(n, up, why) },
		log:     d.cfg.Log,
		pause:   chat.Pause{First: d.times.pause, Most: 2 * time.Minute},
	}
}

// gateway is where events come from.
// https://discord.com/developers/docs/events/gateway#get-gateway
func (r *rest) gateway(ctx context.Context) (string, error) {
	var at struct {
		URL string `json:"url"`
	}
	err := r.call(ctx, "GET", "/gateway", nil, &at)
	if status(err) != 0 { // a page of what stands before Discord says nothing to anybody
		err = refusal{err}
	}
	return at.URL, err
}

// connected notes that a shard's connection came up or went down.
func (d *Discord) connected(shard int, up bool, why error) {
	what := fmt.Sprintf("shard %d of %d", shard, d.cfg.Shards)
	d.state.connect(shard, up)
	if up {
		d.health.Fine(what)
		return
	}
	d.metrics.Reconnects.Inc()
	remedy := fatal(why)
	text := cmp.Or(remedy, fmt.Sprintf("%s has no connection to Discord: %v", what, safe(why)))
	if d.health.Down(what, text, remedy != "") && remedy != "" {
		d.cfg.Log.Error("Discord refuses the bot", slog.String("problem", remedy))
	}
}

// signIn finds out who the bot is where no gateway tells. It tries until it knows or ctx
// ends.
func (d *Discord) signIn(ctx context.Context) {
	pause := chat.Pause{First: time.Second, Most: 5 * time.Minute}
	for {
		var app struct {
			ID  string `json:"id"`
			Bot struct {
				ID string `json:"id"`
			} `json:"bot"`
		}
		err := d.call(ctx, "GET", "/applications/@me", nil, &app)
		if err == nil {
			d.signedIn(app.ID, app.Bot.ID)
			return
		}
		if !chat.Sleep(ctx, pause.Next()) {
			return
		}
	}
}

// signedIn notes who the bot is.
func (d *Discord) signedIn(app, user string) {
	if d.state.signedIn(app, cmp.Or(user, app)) {
		d.cfg.Log.Info("signed in to Discord", slog.String("application", app))
		d.once.Do(func() { close(d.known) })
	}
}

// ready takes the first event of a session.
// https://discord.com/developers/docs/events/gateway-events#ready
func (d *Discord) ready(data json.RawMessage) {
	var r struct {
		User        struct{ ID string } `json:"user"`
		Application struct{ ID string } `json:"application"`
	}
	if d.decode("READY", data, &r) {
		d.signedIn(cmp.Or(r.Application.ID, r.User.ID), r.User.ID)
	}
}

// Ready tells whether questions reach the bot, and what is wrong if something is.
func (d *Discord) Ready() (connected bool, problem string) {
	problem, fatal := d.health.Problems()
	connected = !fatal && d.state.reached(d.cfg.PublicKey != "")
	if !connected {
		problem = cmp.Or(problem, "connecting")
	}
	return connected, problem
}

// decode reads what Discord sent. Unknown fields and kinds are no failure; a field of
// another type than ours is.
func (d *Discord) decode(kind string, data []byte, v any) bool {
	err := json.Unmarshal(data, v)
	if err != nil {
		d.cfg.Log.Warn("what Discord sent could not be read", slog.String("kind", kind), slog.Any("error", err))
	}
	return err == nil
}

// A state is what is known about the connection.
type state struct {
	mu     sync.Mutex
	app    string
	user   string
	shards map[int]bool // that are connected
}

// signedIn reports whether who the bot is was not known before.
func (s *state) signedIn(app, user string) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.app != app
	s.app, s.user = app, user
	return news
}

// self is the bot's application and user; "" before they are known.
func (s *state) self() (app, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.app, s.user
}

// connect notes whether a shard is connected.
func (s *state) connect(shard int, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards == nil {
		s.shards = map[int]bool{}
	}
	s.shards[shard] = up
}

// reached is whether questions arrive: over a gateway, or where interactions come over HTTP as
// soon as it is known who the bot is.
func (s *state) reached(overHTTP bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(slices.Collect(maps.Values(s.shards)), true) || overHTTP && s.app != ""
}
