package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	api "github.com/slack-go/slack"
)

// A Finding is what an examination found out about one thing.
type Finding struct {
	What   string
	State  string // one of the States
	Detail string // how it is
	Remedy string // what to click or to type; "" where nothing is to be done
}

// The states of a finding.
const (
	StateOK      = "ok"
	StateWarn    = "warn"    // the bot works, but not all of it
	StateProblem = "problem" // something does not work before someone has done what Remedy says
)

// examineWithin is how long each call of an examination may take.
const examineWithin = 10 * time.Second

// An examiner collects findings.
type examiner struct {
	cfg   Config
	api   *api.Client
	bot   string // as people name it, with @
	found []Finding
}

// Examine tries out what the bot needs of Slack and tells what is missing. It posts
// nothing and changes nothing. What it finds never holds a token or the address of a
// socket. A Config's Home and desk are not needed.
func Examine(ctx context.Context, cfg Config) []Finding {
	x := examiner{cfg: cfg, api: cfg.client(), bot: "@citebot"}
	x.examine(ctx)
	for i := range x.found {
		x.found[i].Detail = hideSecrets(x.found[i].Detail, cfg)
		x.found[i].Remedy = hideSecrets(x.found[i].Remedy, cfg)
	}
	return x.found
}

// examine goes on after a refusal, as the other token may be good, but not when nobody
// answers.
func (x *examiner) examine(ctx context.Context) {
	scopes, err := x.token(ctx)
	if err == nil {
		x.scopes(scopes)
	}
	switch {
	case x.cfg.AppToken == "":
		x.overHTTP()
	case err == nil || code(err) != "":
		x.socketMode(ctx)
	}
	if err == nil {
		x.channels(ctx)
	}
}

func (x *examiner) ok(what, format string, args ...any) {
	x.found = append(x.found, Finding{what, StateOK, fmt.Sprintf(format, args...), ""})
}

func (x *examiner) bad(what, state, detail, remedy string) {
	x.found = append(x.found, Finding{what, state, detail, remedy})
}

// What the findings are about; a channel goes by its id.
const (
	whatToken  = "Slack token"
	whatScopes = "Slack scopes"
	whatSocket = "Slack socket"
	whatHTTP   = "Slack HTTP"
)

// A credential is a secret by its name, and where in the app's settings one gets it.
type credential struct{ name, where, renew string }

var (
	botToken = credential{
		name:  "SLACK_BOT_TOKEN",
		where: "OAuth & Permissions → Bot User OAuth Token",
		renew: "Install App → Reinstall to Workspace, then copy OAuth & Permissions → Bot User OAuth Token",
	}
	appToken = credential{
		name:  "SLACK_APP_TOKEN",
		where: "Basic Information → App-Level Tokens",
		renew: "Basic Information → App-Level Tokens → Generate Token and Scopes, with the scope " + appScope,
	}
)

// token asks Slack whose token this is, and returns its scopes.
func (x *examiner) token(ctx context.Context) (scopes string, err error) {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	who, err := x.api.AuthTestContext(ctx)
	switch {
	case err != nil:
		x.refused(whatToken, botToken, "auth.test", err)
		return "", err
	case who.BotID == "":
		x.bad(whatToken, StateProblem, "belongs to the member "+who.User+", not to a bot", "copy the bot's: "+botToken.where)
		return "", api.SlackErrorResponse{Err: "not_allowed_token_type"}
	}
	x.bot = "@" + who.User
	x.ok(whatToken, "workspace %s, bot %s", who.Team, x.bot)
	return who.Header.Get("X-Oauth-Scopes"), nil
}

// scopes compares what the token may do with what the bot does.
func (x *examiner) scopes(granted string) {
	if granted == "" {
		x.bad(whatScopes, StateWarn, "Slack did not say which the token has", "")
		return
	}
	found := len(x.found)
	var needed, useful []string
	for _, s := range missing(granted) {
		if s.without == "" {
			needed = append(needed, s.name+" ("+s.why+")")
			continue
		}
		useful = append(useful, s.name+" (without it, "+s.without+")")
	}
	if len(needed) > 0 {
		x.bad(whatScopes, StateProblem, "missing: "+strings.Join(needed, ", "), addScope("each"))
	}
	if len(useful) > 0 {
		x.bad(whatScopes, StateWarn, "missing: "+strings.Join(useful, ", "), addScope("each that you want"))
	}
	if extra := extraScopes(granted); len(extra) > 0 {
		x.bad(whatScopes, StateWarn, "the bot never uses "+strings.Join(extra, ", "),
			"OAuth & Permissions → Scopes → remove what no other program needs, then Install App → Reinstall to Workspace")
	}
	if len(x.found) == found {
		x.ok(whatScopes, "all %d that the bot needs", len(scopes))
	}
}

func addScope(name string) string {
	return "OAuth & Permissions → Scopes → Add an OAuth Scope → " + name + ", then Install App → Reinstall to Workspace"
}

// socketMode opens a connection as the bot would and closes it again. Slack may send an
// event on any connection of an app, so this one is held no longer than until hello; an
// event that it gets is not acknowledged, and so comes again on another.
func (x *examiner) socketMode(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	_, address, err := x.api.StartSocketModeContext(ctx)
	if err != nil {
		x.refused(whatSocket, appToken, "apps.connections.open", err)
		return
	}
	hello, err := greeted(ctx, address)
	switch {
	case err != nil:
		x.bad(whatSocket, StateProblem, "the connection was not made: "+reasonOf(err),
			"allow WebSocket connections to *.slack.com, port 443, in firewall and proxy (HTTPS_PROXY)")
	case hello.Reason == "link_disabled":
		x.bad(whatSocket, StateProblem, "it is off in the app's settings", "Socket Mode → Enable Socket Mode")
	case hello.Type != "hello":
		x.bad(whatSocket, StateWarn, fmt.Sprintf("Slack began with %q instead of hello", cmp.Or(hello.Reason, hello.Type)), "try again in a minute")
	case hello.Connections >= maxSockets:
		x.bad(whatSocket, StateWarn, fmt.Sprintf("connected, with all %d connections that an app may have in use", maxSockets),
			"stop bots that run with the same SLACK_APP_TOKEN elsewhere")
	default:
		x.ok(whatSocket, "connected")
	}
}

// maxSockets is how many an app may have: https://docs.slack.dev/apis/events-api/using-socket-mode
const maxSockets = 10

// A greeting is the first frame of a connection.
type greeting struct {
	Type        string `json:"type"`
	Reason      string `json:"reason"`
	Connections int    `json:"num_connections"`
}

// greeted opens a socket and waits for the first frame.
func greeted(ctx context.Context, address string) (greeting, error) {
	conn, err := openSocket(ctx, address)
	if err != nil {
		return greeting{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	_, data, err := conn.ReadMessage()
	if ctx.Err() != nil {
		return greeting{}, ctx.Err()
	}
	var g greeting
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	return g, err
}

// overHTTP can only tell what must hold: nobody here can see whether Slack gets through.
func (x *examiner) overHTTP() {
	if x.cfg.SigningSecret == "" {
		x.bad(whatHTTP, StateProblem, "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set", "set SLACK_APP_TOKEN: "+appToken.renew)
		return
	}
	x.found = append(x.found, Finding{whatHTTP, StateOK, "a signing secret is set; Slack must reach the bot from outside",
		"Event Subscriptions → Request URL, https://your-host/slack/events, shows Verified while the bot runs"})
}

// channels looks at those that the configuration names.
func (x *examiner) channels(ctx context.Context) {
	ids := slices.Collect(maps.Keys(x.cfg.Rules.Channels))
	ids = append(ids, x.cfg.Rules.Person.Channel)
	for _, rule := range x.cfg.Rules.Channels {
		ids = append(ids, rule.Person.Channel)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if id != "" && ctx.Err() == nil {
			x.channel(ctx, id)
		}
	}
}

func (x *examiner) channel(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	what := "Slack " + id
	ch, err := x.api.GetConversationInfoContext(ctx, &api.GetConversationInfoInput{ChannelID: id})
	if err != nil {
		x.noChannel(what, err)
		return
	}
	name, audience := "#"+ch.Name, x.audience(id)
	switch {
	case ch.IsArchived:
		x.bad(what, StateProblem, name+" is archived", "take it out of bot.yaml, or in Slack: the channel's details → Settings → Unarchive channel")
	case !ch.IsMember:
		x.bad(what, StateProblem, x.bot+" is not in "+name, "in Slack, type in "+name+": /invite "+x.bot)
	case (ch.IsExtShared || ch.IsPendingExtShared) && len(restricted(audience)) > 0:
		x.bad(what, StateWarn, fmt.Sprintf("%s is shared with another organisation: everyone there is answered from public documents alone, not from those for %s", name, strings.Join(restricted(audience), " and ")),
			"in bot.yaml, set audience: [public] for it; ask in a channel that is not shared")
	default:
		x.ok(what, "%s, documents for %s", name, strings.Join(audience, " and "))
	}
}

// audience is the one that bot.yaml gives a channel.
func (x *examiner) audience(id string) []string {
	for _, audience := range [][]string{x.cfg.Rules.Channels[id].Audience, x.cfg.Rules.Audience} {
		if len(audience) > 0 {
			return audience
		}
	}
	return []string{"public"}
}

// restricted are the audiences that not everyone belongs to.
func restricted(audience []string) []string {
	return slices.DeleteFunc(slices.Clone(audience), func(a string) bool { return a == "public" })
}

func (x *examiner) noChannel(what string, err error) {
	var refused api.SlackErrorResponse
	errors.As(err, &refused)
	switch scope := cmp.Or(refused.Needed, "channels:read"); refused.Err {
	case "channel_not_found":
		x.bad(what, StateProblem, "there is no such channel, or it is private and "+x.bot+" is not in it",
			"compare the id in bot.yaml with the one at the bottom of the channel's details; in a private channel type: /invite "+x.bot)
	case "missing_scope":
		x.bad(what, StateWarn, "cannot be looked at without the scope "+scope, addScope(scope))
	default:
		x.refused(what, botToken, "conversations.info", err)
	}
}

// refused notes that a call failed.
func (x *examiner) refused(what string, c credential, method string, err error) {
	var refused api.SlackErrorResponse
	var limited *api.RateLimitedError
	switch {
	case errors.As(err, &limited):
		x.bad(what, StateWarn, fmt.Sprintf("Slack wants no more calls for %v", limited.RetryAfter), "try again then")
	case errors.As(err, &refused):
		detail, remedy := c.verdict(method, refused)
		x.bad(what, StateProblem, detail, remedy)
	default:
		detail, remedy := x.unreachable(err)
		x.bad(what, StateProblem, detail, remedy)
	}
}

// verdict is what Slack's refusal of a call means and what to do about it. The codes are
// those of https://docs.slack.dev/reference/methods/auth.test#errors
func (c credential) verdict(method string, refused api.SlackErrorResponse) (detail, remedy string) {
	switch refused.Err {
	case "invalid_auth", "not_authed":
		return "Slack does not know this " + c.name, "copy it again: " + c.where
	case "account_inactive", "token_revoked":
		return c.name + " was revoked, or the app was removed from its workspace", c.renew
	case "token_expired":
		return c.name + " has expired: the app rotates its tokens, which the bot does not follow",
			"make the app anew from deploy/slack-manifest.yaml, where rotation is off"
	case "not_allowed_token_type":
		return c.name + " holds a token of another kind", "copy the right one: " + c.where
	case "missing_scope":
		scope := cmp.Or(refused.Needed, "that "+method+" needs")
		if c == appToken {
			return c.name + " lacks the scope " + scope, c.renew
		}
		return c.name + " lacks the scope " + scope, addScope(scope)
	}
	return fmt.Sprintf("Slack answers %s with %s", method, refused.Err),
		"https://docs.slack.dev/reference/methods/" + method + " says what that means"
}

// unreachable is what to think of a failure without a word of Slack's.
func (x *examiner) unreachable(err error) (detail, remedy string) {
	var status api.StatusCodeError
	var syntax *json.SyntaxError
	var network net.Error
	switch {
	case errors.As(err, &status) && status.Code >= http.StatusInternalServerError:
		return "Slack is not well: HTTP status " + status.Status, "https://slack-status.com tells when it is again"
	case errors.As(err, &status), errors.As(err, &syntax), !errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded):
		return "what answers is not Slack: " + reasonOf(err), x.check("it must be Slack's Web API")
	}
	return "Slack cannot be reached: " + reasonOf(err), x.check("it must be reachable from here")
}

// check says which settings decide where requests go.
func (x *examiner) check(why string) string {
	if x.cfg.APIURL != "" {
		return fmt.Sprintf("check SLACK_API_URL, %s: %s", x.cfg.APIURL, why)
	}
	return "check the network, the firewall and HTTPS_PROXY: https://slack.com/api/ " + strings.TrimPrefix(why, "it ")
}

// reasonOf is the innermost words of an error that add something. The address of a request
// is left out: that of a socket is as good as a token.
func reasonOf(err error) string {
	var at *url.Error
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("no answer within %v", examineWithin)
	case errors.As(err, &at):
		return at.Err.Error()
	}
	return err.Error()
}

var socketAddress = regexp.MustCompile(`wss?://\S+`)

// hideSecrets is the last to see a text.
func hideSecrets(text string, cfg Config) string {
	text = socketAddress.ReplaceAllString(text, "wss://…")
	for _, secret := range []string{cfg.BotToken, cfg.AppToken, cfg.SigningSecret} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}
