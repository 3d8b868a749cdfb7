package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
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
	rest  *rest
	app   application
	bot   api.User
	found []Finding

	servers map[string]*server // those that were looked at, by id
	persons map[string]bool    // likewise, by server and id
}

// An application is what Discord tells of the app:
// https://discord.com/developers/docs/resources/application#application-object
type application struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Flags     int64  `json:"flags"`
	VerifyKey string `json:"verify_key"`
	Endpoint  string `json:"interactions_endpoint_url"`
	Public    bool   `json:"bot_public"` // anybody may invite it
	CodeGrant bool   `json:"bot_require_code_grant"`
}

// Examine tries out what the bot needs of Discord and tells what is missing. It posts
// nothing, changes nothing and begins no session of the gateway. What it finds never holds
// the token. A Config's Library and desk are not needed.
func Examine(ctx context.Context, cfg Config) []Finding {
	x := examiner{cfg: cfg, rest: cfg.rest(), servers: map[string]*server{}, persons: map[string]bool{}}
	x.examine(ctx)
	for i := range x.found {
		x.found[i].Detail = hideSecrets(x.found[i].Detail, cfg)
		x.found[i].Remedy = hideSecrets(x.found[i].Remedy, cfg)
	}
	return x.found
}

// examine stops at a token that does not work: nothing else can be asked without it.
func (x *examiner) examine(ctx context.Context) {
	if err := x.token(ctx); err != nil {
		x.refused(whatToken, err)
		return
	}
	x.content()
	x.gateway(ctx)
	x.interactions()
	x.commands(ctx)
	if x.memberships(ctx) {
		x.channels(ctx)
	}
}

func (x *examiner) ok(what, format string, args ...any) {
	x.found = append(x.found, Finding{what, StateOK, fmt.Sprintf(format, args...), ""})
}

func (x *examiner) bad(what, state, detail, remedy string) {
	x.found = append(x.found, Finding{what, state, detail, remedy})
}

// What the findings are about.
const (
	whatToken    = "Discord token"
	whatContent  = "Discord intents"
	whatGateway  = "Discord gateway"
	whatHTTP     = "Discord HTTP"
	whatCommands = "Discord commands"
	whatServer   = "Discord server"
	whatChannel  = "Discord channel"
	whatPerson   = "Discord person"
)

// interactionsPath is where on the web address Discord sends interactions.
const interactionsPath = "/discord/interactions"

// What to click at https://discord.com/developers/applications, after choosing the app.
const (
	whereToken     = "Bot → Reset Token"
	wherePublicKey = "General Information → Public Key"
	whereEndpoint  = "General Information → Interactions Endpoint URL"
	whereContent   = "Bot → Privileged Gateway Intents → Message Content Intent"
)

// get reads one thing. Where Discord wants to be asked later it waits, as long as a call may
// take.
func (x *examiner) get(ctx context.Context, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	for {
		err := x.rest.call(ctx, http.MethodGet, path, nil, out)
		later, ok := waits(err)
		if !ok || later > examineWithin/2 || !chat.Sleep(ctx, later) {
			return err
		}
	}
}

// waits says for how long Discord wants no call, if that is what an error is about.
func waits(err error) (time.Duration, bool) {
	var later *chat.Wait
	var early *limited
	switch {
	case errors.As(err, &early):
		return early.after, true
	case errors.As(err, &later):
		return later.For, true
	}
	return 0, false
}

// token asks Discord whose token this is, and which app's.
func (x *examiner) token(ctx context.Context) error {
	if err := x.get(ctx, "/users/@me", &x.bot); err != nil {
		return err
	}
	if err := x.get(ctx, "/applications/@me", &x.app); err != nil {
		return err
	}
	x.ok(whatToken, "bot @%s of the app %s", x.bot.Username, x.app.Name)
	return nil
}

// Where Message Content is on, one of these is set: for large bots that Discord has approved,
// and for all others. https://discord.com/developers/docs/resources/application#application-object-application-flags
const contentFlags = 1<<18 | 1<<19

// content compares what auto_answer needs with the switch in the app's settings. The other
// intents need none.
func (x *examiner) content() {
	switch on := x.app.Flags&contentFlags != 0; {
	case x.cfg.Rules.autoAnswers() && !on:
		x.bad(whatContent, StateProblem, "auto_answer in bot.yaml needs Message Content, which is off in the app's settings: Discord will not let the bot connect",
			whereContent+", then Save Changes; or take auto_answer out of bot.yaml")
	case x.cfg.Rules.autoAnswers():
		x.ok(whatContent, "Message Content is on, for auto_answer")
	default:
		x.ok(whatContent, "no privileged one is needed")
	}
}

// gateway connects as the bot would and leaves before it says who it is, so that this counts
// for no session: https://discord.com/developers/docs/events/gateway#session-start-limit-object
func (x *examiner) gateway(ctx context.Context) {
	var at api.GatewayBotResponse
	if err := x.get(ctx, "/gateway/bot", &at); err != nil {
		x.refused(whatGateway, err)
		return
	}
	limit := at.SessionStartLimit
	switch err := greeted(ctx, at.URL); {
	case err != nil:
		x.bad(whatGateway, StateProblem, "the connection was not made: "+reasonOf(err),
			"allow WebSocket connections to *.discord.gg, port 443, in firewall and proxy (HTTPS_PROXY)")
	case limit.Total > 0 && limit.Remaining < max(x.cfg.Shards, 1):
		x.bad(whatGateway, StateProblem, fmt.Sprintf("reachable, but all %d sessions of a day are used up", limit.Total),
			fmt.Sprintf("stop what begins them with the same DISCORD_TOKEN; there are new ones in %v", (time.Duration(limit.ResetAfter)*time.Millisecond).Round(time.Minute)))
	case at.Shards > max(x.cfg.Shards, 1):
		x.bad(whatGateway, StateWarn, fmt.Sprintf("reachable; Discord wants %d connections for as many servers as the bot is in, and it makes %d", at.Shards, max(x.cfg.Shards, 1)),
			fmt.Sprintf("in bot.yaml, set discord.shards to %d", at.Shards))
	default:
		x.ok(whatGateway, "reachable")
	}
}

// greeted opens a connection and waits for the first word.
func greeted(ctx context.Context, at string) error {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	g := gateway{times: usualTimes}
	conn, err := g.dial(ctx, at)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, err = g.greet(conn)
	return cmp.Or(ctx.Err(), err)
}

// interactions looks at where Discord sends commands and buttons: to the address in the app's
// settings or, without one, over the gateway.
// https://discord.com/developers/docs/interactions/overview#configuring-an-interactions-endpoint-url
func (x *examiner) interactions() {
	key, endpoint := x.cfg.PublicKey, x.app.Endpoint
	here := whereEndpoint + ", set https://your-host" + interactionsPath + " while the bot runs, then Save Changes"
	switch {
	case key == "" && endpoint == "": // over the gateway
	case key == "":
		x.bad(whatHTTP, StateProblem, "commands and buttons go to "+endpoint+", and none reaches the bot: DISCORD_PUBLIC_KEY is not set",
			whereEndpoint+", empty it, then Save Changes; or set DISCORD_PUBLIC_KEY: "+wherePublicKey)
	case !strings.EqualFold(key, x.app.VerifyKey):
		x.bad(whatHTTP, StateProblem, "DISCORD_PUBLIC_KEY is not the key of the app "+x.app.Name, "copy it again: "+wherePublicKey)
	case endpoint == "":
		x.bad(whatHTTP, StateProblem, "DISCORD_PUBLIC_KEY is set, but Discord does not know where to send commands and buttons", here+"; or unset DISCORD_PUBLIC_KEY")
	case !strings.HasSuffix(endpoint, interactionsPath):
		x.bad(whatHTTP, StateWarn, "commands and buttons go to "+endpoint+", which does not end in "+interactionsPath, here)
	default:
		x.ok(whatHTTP, "commands and buttons go to %s; Discord must reach it from outside", endpoint)
	}
}

// commands tells which are there. The bot registers them itself.
func (x *examiner) commands(ctx context.Context) {
	var have []command
	if err := x.get(ctx, "/applications/"+x.app.ID+"/commands", &have); err != nil {
		x.refused(whatCommands, err)
		return
	}
	names := make([]string, len(have))
	for i, c := range have {
		names[i] = c.shown()
	}
	switch {
	case len(have) == 0:
		x.ok(whatCommands, "none yet; the bot registers them when it starts")
	case !sameCommands(have, commands()):
		x.ok(whatCommands, "%s; the bot brings them up to date when it starts", strings.Join(names, ", "))
	default:
		x.ok(whatCommands, "%s", strings.Join(names, ", "))
	}
}

// shown is a command as people see it.
func (c command) shown() string {
	if c.Type == api.MessageApplicationCommand {
		return "“" + c.Name + "”"
	}
	return "/" + c.Name
}

// refused notes that a call failed. What a code means is in
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
func (x *examiner) refused(what string, err error) {
	if later, ok := waits(err); ok {
		x.bad(what, StateWarn, fmt.Sprintf("Discord wants no more calls for %v", later.Round(time.Second)), "try again then")
		return
	}
	detail, remedy := x.unreachable(err)
	switch {
	case status(err) == http.StatusUnauthorized:
		detail, remedy = "Discord does not know this DISCORD_TOKEN: it is mistyped, or was reset", "copy it again: "+whereToken
	case code(err) != 0:
		detail, remedy = refusal{err}.Error(), "https://discord.com/developers/docs/topics/opcodes-and-status-codes#json says what that means"
	}
	x.bad(what, StateProblem, detail, remedy)
}

// unreachable is what to think of a failure without a word of Discord's.
func (x *examiner) unreachable(err error) (detail, remedy string) {
	var network net.Error
	switch status := status(err); {
	case status >= http.StatusInternalServerError:
		return fmt.Sprintf("Discord is not well: HTTP status %d", status), "https://discordstatus.com tells when it is again"
	case status != 0:
		return fmt.Sprintf("what answers is not Discord: HTTP status %d", status), x.check("it must be Discord's API")
	case errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded):
		return "Discord cannot be reached: " + reasonOf(err), x.check("it must be reachable from here")
	}
	return "what answers is not Discord: " + reasonOf(err), x.check("it must be Discord's API")
}

// check says which settings decide where requests go.
func (x *examiner) check(why string) string {
	if x.cfg.APIURL != "" {
		return fmt.Sprintf("check DISCORD_API_URL, %s: %s", x.cfg.APIURL, why)
	}
	return "check the network, the firewall and HTTPS_PROXY: https://discord.com/api/ " + strings.TrimPrefix(why, "it ")
}

// reasonOf is an error in words, without the many that a time limit has.
func reasonOf(err error) string {
	var network net.Error
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("no answer within %v", examineWithin)
	case errors.As(err, &syntax):
		return "it sends no JSON"
	}
	return err.Error()
}

// hideSecrets is the last to see a text.
func hideSecrets(text string, cfg Config) string {
	if cfg.Token == "" {
		return text
	}
	return strings.ReplaceAll(text, cfg.Token, "…")
}
