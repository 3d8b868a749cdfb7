package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"citebot/internal/chat/discord"
	"citebot/internal/chat/slack"
	"citebot/internal/chat/web"
	"citebot/internal/kb/embed"
	"citebot/internal/kb/qdrant"
	"citebot/internal/ledger"
	"citebot/internal/llm"
)

type doctorCmd struct {
	JSON bool `help:"Print JSON, one finding a line."`
}

// A diagnosis is what the doctor found out about one thing. The findings of the platforms
// are of the same form.
type diagnosis struct {
	What   string `json:"what"`
	State  string `json:"state"` // one of the states below
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // what to click or to type
}

// The states of a diagnosis. Only a problem fails the command.
const (
	stateOK      = slack.StateOK
	stateWarn    = slack.StateWarn
	stateProblem = slack.StateProblem
	stateOff     = "off" // not configured
)

// Run looks at one thing after the other, prints what it finds as it goes, and goes on
// after a problem. It changes nothing, so it may run beside the daemon.
func (c *doctorCmd) Run(ctx context.Context, b *bot) error {
	cfg, cfgErr := b.config()
	d := doctor{cfg: cfg, file: cmp.Or(b.flags.Config, configFile), cfgErr: cfgErr}
	counts, clicks := map[string]int{}, clicks{}
	for _, look := range []func(context.Context) []diagnosis{
		d.configuration, d.documents, d.model, d.state, d.ledger, d.web, d.links, d.slack, d.discord, d.qdrant, d.llm,
	} {
		for _, found := range look(ctx) {
			counts[found.State]++
			clicks.note(found)
			if err := b.say.finding(found, c.JSON); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if !c.JSON {
		b.say.verdict(counts[stateProblem], counts[stateWarn], clicks.explained())
	}
	if counts[stateProblem] > 0 {
		return errFound
	}
	return nil
}

// clicks are the platforms some of whose remedies name pages of the app's settings.
type clicks map[string]bool

// appPages are the settings that remedies name, by platform, and where those are.
var appPages = []struct {
	platform string
	page     *regexp.Regexp
	are      string
}{
	{"Slack", regexp.MustCompile(` → `), "OAuth & Permissions and other names before a → are pages of the Slack app's settings: https://api.slack.com/apps"},
	{"Discord", regexp.MustCompile(`\b(Bot|General Information) → `), "Bot and General Information before a → are pages of the Discord app's settings: https://discord.com/developers/applications"},
}

func (c clicks) note(found diagnosis) {
	for _, p := range appPages {
		about := strings.HasPrefix(found.What, p.platform) || strings.Contains(found.Detail, strings.ToUpper(p.platform)+"_")
		c[p.platform] = c[p.platform] || about && p.page.MatchString(found.Remedy)
	}
}

// explained says where those pages are.
func (c clicks) explained() (lines []string) {
	for _, p := range appPages {
		if c[p.platform] {
			lines = append(lines, p.are)
		}
	}
	return lines
}

// A doctor looks at what is configured.
type doctor struct {
	cfg    config
	file   string // where most of it comes from
	cfgErr error
}

// one is a single diagnosis without a remedy.
func one(what, state, format string, args ...any) []diagnosis {
	return []diagnosis{{What: what, State: state, Detail: fmt.Sprintf(format, args...)}}
}

// problem is an error. Ours say what to do behind a semicolon.
func problem(what string, err error) diagnosis {
	detail, remedy, _ := strings.Cut(err.Error(), "; ")
	return diagnosis{what, stateProblem, detail, remedy}
}

func (d doctor) configuration(context.Context) (found []diagnosis) {
	for _, err := range unjoin(d.cfgErr) {
		found = append(found, problem("configuration", err))
	}
	if len(found) == 0 {
		return one("configuration", stateOK, "nothing wrong in %s, environment and flags", d.file)
	}
	return found
}

func (d doctor) documents(ctx context.Context) []diagnosis {
	const what = "documents"
	if err := mustHaveDocs(d.cfg.Docs); err != nil {
		return []diagnosis{problem(what, err)}
	}
	l := linter{dir: d.cfg.Docs, cfg: d.cfg, titles: map[string]string{}}
	if err := l.walk(ctx); err != nil {
		return []diagnosis{problem(what, err)}
	}
	failed := len(l.findings) - l.warnings - l.skipped
	there := fmt.Sprintf("%s with %s in %s", count(l.documents-failed, "document"), count(l.passages, "passage"), d.cfg.Docs)
	switch {
	case failed > 0:
		return []diagnosis{{what, stateWarn, fmt.Sprintf("%s; %d more cannot be read", there, failed), "`bot check` says which and why"}}
	case l.documents == 0:
		return []diagnosis{{what, stateWarn, d.cfg.Docs + " holds no document", "put some there; the bot follows what is saved"}}
	}
	return one(what, stateOK, "%s", there)
}

func (d doctor) model(context.Context) []diagnosis {
	m, err := embed.New()
	if err != nil {
		return []diagnosis{problem("model", err)}
	}
	return one("model", stateOK, "%s, built in", m.ID())
}

// state makes a file where the bot would, and takes it away again.
func (d doctor) state(ctx context.Context) []diagnosis {
	const what = "state folder"
	dir, missing := d.cfg.State, ""
	for ; !isThere(dir); dir = filepath.Dir(dir) {
		missing = " will be made"
	}
	probe, err := os.CreateTemp(dir, ".bot-doctor-*")
	if err != nil {
		return []diagnosis{{what, stateProblem, fmt.Sprintf("%s cannot be written: %v", d.cfg.State, err),
			"let this user write there, or name another folder with BOT_STATE or --state"}}
	}
	err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	if err != nil {
		return []diagnosis{problem(what, err)}
	}
	return one(what, stateOK, "%s%s", d.cfg.State, cmp.Or(missing, " can be written"))
}

// isThere stops at the root and at ".", so that no loop goes on for ever.
func isThere(dir string) bool {
	_, err := os.Stat(dir)
	return !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir)
}

func (d doctor) ledger(ctx context.Context) []diagnosis {
	const what = "ledger"
	l, err := ledger.OpenReadOnly(ctx, ledgerFile(d.cfg.State))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one(what, stateOK, "nothing recorded yet")
	case err != nil:
		found := problem(what, err)
		found.Remedy = cmp.Or(found.Remedy, "start the bot: it sets a damaged ledger aside and begins a new one")
		return []diagnosis{found}
	}
	since := l.Begun().Local().Format(time.DateOnly)
	if err := l.Close(); err != nil {
		return []diagnosis{problem(what, err)}
	}
	return one(what, stateOK, "records since %s", since)
}

// web tries the address, unless a bot of this state folder has it.
func (d doctor) web(ctx context.Context) []diagnosis {
	const what = "web address"
	if !isAddress(d.cfg.HTTP) {
		return nil // the configuration's problem
	}
	if running, err := readDaemon(d.cfg.State); err == nil && running.alive(ctx) {
		return one(what, stateOK, "%s, where a bot answers (process %d)", running.URL, running.PID)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.cfg.HTTP)
	if err != nil {
		return []diagnosis{{what, stateProblem, fmt.Sprintf("nothing can be served on %s: %v", d.cfg.HTTP, err),
			"choose a free port of this machine with BOT_HTTP or --http, or stop what has this one"}}
	}
	if err := listener.Close(); err != nil {
		return []diagnosis{problem(what, err)}
	}
	return one(what, stateOK, "http://%s is free", d.cfg.HTTP)
}

// links looks at where source links lead.
func (d doctor) links(context.Context) []diagnosis {
	const what = "source links"
	if !isAddress(d.cfg.HTTP) {
		return nil // the configuration's problem
	}
	if _, err := web.NewLinks(d.cfg.HTTP, d.cfg.PublicURL, d.cfg.Token); err != nil {
		found := problem(what, err)
		found.Remedy = cmp.Or(found.Remedy, "see BOT_PUBLIC_URL and BOT_TOKEN in README.md")
		return []diagnosis{found}
	}
	begin := cmp.Or(d.cfg.PublicURL, "http://"+d.cfg.HTTP)
	if on := d.cfg.platforms(); len(on) > 0 && onlyHere(begin) {
		return []diagnosis{{what, stateWarn, begin + " is this machine: people in " + strings.Join(on, " and ") + " cannot open their sources",
			"set BOT_PUBLIC_URL to where they reach the bot, for example https://bot.example.com"}}
	}
	return one(what, stateOK, "begin with %s", begin)
}

// onlyHere says whether an address leads nowhere on another machine.
func onlyHere(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || u.Hostname() == "" || ip.IsLoopback() || ip.IsUnspecified()
}

func (d doctor) slack(ctx context.Context) []diagnosis {
	s := d.cfg.Slack
	switch {
	case s.validateSecrets() != nil:
		return []diagnosis{{"Slack", stateWarn, "was not tried", "mend the configuration first, as said above"}}
	case !d.cfg.slackOn() && len(s.Channels) > 0:
		return one("Slack", stateOff, "bot.yaml has rules for it, but SLACK_BOT_TOKEN is not set")
	case !d.cfg.slackOn():
		return one("Slack", stateOff, "SLACK_BOT_TOKEN is not set")
	}
	var found []diagnosis
	for _, f := range slack.Examine(ctx, slack.Config{
		BotToken: s.BotToken, AppToken: s.AppToken, SigningSecret: s.SigningSecret, APIURL: s.APIURL, Rules: d.cfg.slackRules(),
	}) {
		found = append(found, d.located(diagnosis(f)))
	}
	return found
}

func (d doctor) discord(ctx context.Context) []diagnosis {
	c := d.cfg.Discord
	switch {
	case c.validate() != nil:
		return []diagnosis{{"Discord", stateWarn, "was not tried", "mend the configuration first, as said above"}}
	case !d.cfg.discordOn() && len(c.Channels)+len(c.Guilds) > 0:
		return one("Discord", stateOff, "bot.yaml has rules for it, but DISCORD_TOKEN is not set")
	case !d.cfg.discordOn():
		return one("Discord", stateOff, "DISCORD_TOKEN is not set")
	}
	var found []diagnosis
	for _, f := range discord.Examine(ctx, discord.Config{
		Token: c.Token, PublicKey: c.PublicKey, APIURL: c.APIURL, Shards: c.Shards, Rules: d.cfg.discordRules(),
	}) {
		found = append(found, d.located(diagnosis(f)))
	}
	return found
}

// located has the bot's own address where a platform wants to be told it.
func (d doctor) located(found diagnosis) diagnosis {
	const sample = "https://your-host"
	found.Remedy = strings.ReplaceAll(found.Remedy, sample, strings.TrimRight(cmp.Or(d.cfg.PublicURL, sample), "/"))
	return found
}

// qdrant looks for the collection that this build's model would use.
func (d doctor) qdrant(ctx context.Context) []diagnosis {
	const what = "Qdrant"
	switch {
	case d.cfg.Qdrant.validate() != nil:
		return []diagnosis{{what, stateWarn, "was not tried", "mend the configuration first, as said above"}}
	case !d.cfg.Qdrant.on() && d.cfg.Qdrant.set():
		return one(what, stateOff, "bot.yaml has settings for it, but QDRANT_URL is not set; vectors are kept in this process")
	case !d.cfg.Qdrant.on():
		return one(what, stateOff, "QDRANT_URL is not set; vectors are kept in this process")
	}
	model, err := embed.New()
	if err != nil {
		return []diagnosis{problem(what, err)}
	}
	store := d.cfg.Qdrant.store(model)
	store.Holder = knownReplica(d.cfg.State)
	var found []diagnosis
	for _, f := range qdrant.Examine(ctx, store) {
		found = append(found, diagnosis(f))
	}
	return found
}

// knownReplica is replicaName where a bot has run on this state folder; else "".
func knownReplica(state string) string {
	data, _ := os.ReadFile(filepath.Join(state, "replica"))
	return strings.TrimSpace(string(data))
}

// llm has the model write a word. What that costs is not counted: the file with the day's sum
// is the daemon's.
func (d doctor) llm(ctx context.Context) (found []diagnosis) {
	const what = "LLM"
	switch {
	case d.cfg.LLM.validate() != nil:
		return []diagnosis{{what, stateWarn, "was not tried", "mend the configuration first, as said above"}}
	case !d.cfg.LLM.on():
		return one(what, stateOff, "LLM_PROVIDER is not set; answers are quotes")
	}
	client := d.cfg.LLM.client(d.cfg.State)
	client.Spend = ""
	c, err := llm.New(client)
	if err != nil {
		return []diagnosis{problem(what, err)}
	}
	for _, f := range c.Examine(ctx) {
		found = append(found, diagnosis(f))
	}
	if err := c.Close(); err != nil {
		found = append(found, problem(what, err))
	}
	return found
}
