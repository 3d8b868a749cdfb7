// Package slack is the bot's surface in Slack.
//
//	Socket Mode (socket.go) ┐                                              ┌ messages (events.go)
//	                        ├─► intake: known kinds of envelope (intake.go) ┼ clicks, modals, shortcuts (interactions.go)
//	HTTP events (http.go)   ┘                                              └ /ask (command.go)
//
// All three end in the desk (package chat), which writes to the ledger; then Slack gets its
// acknowledgement. What the desk wants shown it hands to this package as a [chat.Platform]:
// post.go sends, edits and looks for posts, blocks.go sets answers in Block Kit.
//
// # Payloads are decoded here
//
// The client library decodes an event as a whole and rejects it as a whole when Slack adds
// a block type or an event that it does not know, so that the question in it is lost. The
// few fields that are needed are therefore decoded from the raw payload, the same way for
// both transports, and what cannot be decoded is acknowledged and ignored.
//
// # Socket Mode
//
// The library's managed connection shares its queue of acknowledgements between
// connections, closes a connection before opening its successor, and reconnects at once,
// for ever. So socket.go holds the connection itself: acknowledgements go back on the
// socket that the envelope came on, a successor is opened before Slack's announced
// disconnect, and failures are waited out.
//
// # Secrets
//
// Tokens go into requests and nowhere else. Response URLs and socket addresses let whoever
// has them act for the bot: no error or log line holds one.
package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/surface"

	lru "github.com/hashicorp/golang-lru/v2"
	api "github.com/slack-go/slack"
	"golang.org/x/sync/singleflight"
)

// A Slack is one app in one workspace. It is a [chat.Platform].
type Slack struct {
	cfg        Config
	desk       *chat.Desk
	http       *http.Client
	api        *api.Client
	metrics    *surface.Metrics
	state      state
	rooms      *lru.Cache[string, room] // what conversations.info said, by channel
	pace       *surface.Pace
	asides     *surface.Asides
	health     surface.Health
	homes      *lru.Cache[string, [32]byte] // what each user's app home shows
	publishing singleflight.Group           // of homes, by user
	streams    sync.Map                     // refs of streams that were begun and not ended
	shown      sync.Map                     // places with a status, to take back at the end

	mu    sync.Mutex
	holds map[string]time.Time // by method, or method and channel: not before, because Slack said so

	silentFor time.Duration // as the constant, but for tests
}

// Sizes of caches and bounds.
const (
	roomsKept   = 1000
	homesKept   = 1000
	callWithin  = 15 * time.Second // one call of the Web API
	closeWithin = 3 * time.Second
)

var _ chat.Platform = (*Slack)(nil)

// New checks cfg and returns the surface; it calls nothing and starts nothing.
func New(cfg Config, desk *chat.Desk) (*Slack, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: callWithin, CheckRedirect: noRedirect}
	}
	s := &Slack{
		cfg:    cfg,
		desk:   desk,
		http:   cfg.Client,
		api:    cfg.client(),
		holds:  map[string]time.Time{},
		asides: surface.NewAsides(cfg.Log),
		pace:   surface.NewPace(postEvery, 1),

		silentFor: silentFor,
	}
	s.rooms, _ = lru.New[string, room](roomsKept) // fails only for a size of 0
	s.homes, _ = lru.New[string, [32]byte](homesKept)
	var err error
	s.metrics, err = surface.NewMetrics(cfg.Registry, s.Name(), knownKinds)
	return s, err
}

// check refuses what cannot work, before anything starts.
func (c Config) check() error {
	switch {
	case c.Home == nil:
		return errors.New("slack.Config: Home is required")
	case !strings.HasPrefix(c.BotToken, "xoxb-"):
		return errors.New("SLACK_BOT_TOKEN is no bot token: it begins with xoxb-, and stands under OAuth & Permissions of the app")
	case c.AppToken != "" && !strings.HasPrefix(c.AppToken, "xapp-"):
		return errors.New("SLACK_APP_TOKEN is no app-level token: it begins with xapp-, and stands under Basic Information of the app")
	case c.AppToken == "" && c.SigningSecret == "":
		return errors.New("SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (events over HTTP) is needed beside SLACK_BOT_TOKEN")
	case c.APIURL != "" && !strings.HasSuffix(c.APIURL, "/"):
		return fmt.Errorf("SLACK_API_URL: %q must end with a slash", c.APIURL)
	}
	return nil
}

// noRedirect keeps what is meant for Slack from going elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// client has no retries of its own: one that repeats a post would post it twice.
func (c Config) client() *api.Client {
	options := []api.Option{api.OptionHTTPClient(cmp.Or(c.Client, &http.Client{Timeout: callWithin})), api.OptionAppLevelToken(c.AppToken)}
	if c.APIURL != "" {
		options = append(options, api.OptionAPIURL(c.APIURL))
	}
	return api.New(c.BotToken, options...)
}

// Name implements [chat.Platform].
func (s *Slack) Name() string { return "slack" }

// Run connects and stays connected until ctx ends. It returns no error: what is wrong with
// Slack is told by Ready, and the rest of the program goes on.
func (s *Slack) Run(ctx context.Context) error {
	defer s.asides.Wait()
	if !s.signIn(ctx) {
		return nil
	}
	if s.cfg.AppToken != "" {
		s.listen(ctx)
		return nil
	}
	<-ctx.Done()
	return nil
}

// Close leaves nobody waiting for a bot that has stopped: it takes back what says that the
// bot is at work. It is for after Run and the desk have ended.
func (s *Slack) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	s.endStreams(ctx)
	s.takeBackStatuses(ctx)
}

// signIn learns who the bot is. It tries until it knows or ctx ends.
func (s *Slack) signIn(ctx context.Context) bool {
	pause := newPause()
	for {
		callCtx, cancel := context.WithTimeout(ctx, callWithin)
		who, err := s.api.AuthTestContext(callCtx)
		cancel()
		if err == nil {
			s.state.signedIn(who.TeamID, who.UserID, who.BotID)
			s.health.Fine("auth.test")
			if missing := missingScopes(who.Header.Get("X-Oauth-Scopes")); len(missing) > 0 {
				s.health.Down(problemScopes, "SLACK_BOT_TOKEN lacks the scopes "+strings.Join(missing, ", ")+
					": add them under OAuth & Permissions and install the app again", slices.Contains(missing, scopeToPost))
				s.cfg.Log.Error("Slack app lacks scopes", slog.Any("scopes", missing))
			}
			s.cfg.Log.Info("signed in to Slack", slog.String("team", who.TeamID), slog.String("user", who.UserID))
			return true
		}
		err = safe(err)
		s.failed("auth.test", "SLACK_BOT_TOKEN", err)
		if !chat.Sleep(ctx, pause.next(err)) {
			return false
		}
	}
}

// failed notes that Slack cannot be reached or refuses a token, and says so once for each
// kind of failure.
func (s *Slack) failed(method, token string, err error) {
	text := explain(method, token, err)
	if s.health.Down(bare(method), text, isFatal(bare(method), err)) {
		s.cfg.Log.Error("no connection to Slack", slog.String("problem", text))
	}
}

// Ready tells whether events reach the bot, and what is wrong if something is.
func (s *Slack) Ready() (connected bool, problem string) {
	reached, revoked := s.state.reached(s.cfg.AppToken == "")
	if revoked != "" {
		return false, revoked
	}
	problem, fatal := s.health.Problems()
	connected = reached && !fatal
	if !connected {
		problem = cmp.Or(problem, "connecting")
	}
	return connected, problem
}

// A state is what is known about the connection.
type state struct {
	mu      sync.Mutex
	team    string
	user    string
	bot     string
	sockets int    // that Slack has said hello on
	revoked string // why nothing works until someone does something; "" if it does
}

// The problems that are none of a method.
const (
	problemScopes = "scopes"
	problemSocket = "socket"
)

func (s *state) signedIn(team, user, bot string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.team, s.user, s.bot, s.revoked = team, user, bot, ""
}

// self is the bot's own user; "" before it is known.
func (s *state) self() (user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user
}

// isSelf reports whether a user or bot id is our own.
func (s *state) isSelf(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return id != "" && (id == s.user || id == s.bot)
}

// isForeign reports whether a workspace is certainly another than ours.
func (s *state) isForeign(team string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.team != "" && team != "" && team != s.team
}

// socket counts connections that are up, by +1 and -1.
func (s *state) socket(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sockets += change
}

func (s *state) revoke(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = why
}

func (s *state) isRevoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked != ""
}

// reached is whether events arrive, and why they do not for good.
func (s *state) reached(overHTTP bool) (reached bool, revoked string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.user != "" && (overHTTP || s.sockets > 0), s.revoked
}
