package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"citebot/internal/chat/discord"
)

// A discordConfig is everything about Discord. Without a token Discord is off.
type discordConfig struct {
	Audience      []string                  `yaml:"audience"`       // of servers and channels without a rule; empty: public
	Direct        []string                  `yaml:"direct"`         // of direct messages; empty: public
	Person        string                    `yaml:"person"`         // role:ID or member:ID whom "Ask a person" calls
	PersonChannel string                    `yaml:"person_channel"` // where, for questions from direct messages and private ones
	Guilds        map[string]discordGuild   `yaml:"guilds"`         // by server id
	Channels      map[string]discordChannel `yaml:"channels"`       // by channel id
	Limits        askLimits                 `yaml:"limits"`
	Shards        int                       `yaml:"shards"` // gateway connections

	Token     string `yaml:"-"` // DISCORD_TOKEN
	PublicKey string `yaml:"-"` // DISCORD_PUBLIC_KEY; interactions come over HTTP
	APIURL    string `yaml:"-"` // DISCORD_API_URL, does not end in "/"; "": Discord's own
}

// A discordGuild is what one server wants otherwise.
type discordGuild struct {
	Audience []string `yaml:"audience"`
	Person   string   `yaml:"person"`
}

// A discordChannel is what one channel or forum wants otherwise.
type discordChannel struct {
	Audience   []string `yaml:"audience"`
	AutoAnswer bool     `yaml:"auto_answer"`
	Person     string   `yaml:"person"`
}

func (d *discordConfig) readSecrets(env func(string) string) error {
	var errs [2]error
	d.Token, errs[0] = secret(env, "DISCORD_TOKEN")
	d.PublicKey, errs[1] = secret(env, "DISCORD_PUBLIC_KEY")
	d.APIURL = strings.TrimRight(env("DISCORD_API_URL"), "/")
	return errors.Join(errs[:]...)
}

// maxShards is far above what a bot needs that is in less than a million servers:
// https://discord.com/developers/docs/events/gateway#sharding
const maxShards = 1000

// Discord's ids: https://discord.com/developers/docs/reference#snowflakes
var (
	snowflake     = regexp.MustCompile(`^[1-9][0-9]{14,19}$`)
	discordPerson = regexp.MustCompile(`^(role|member):[1-9][0-9]{14,19}$`)
)

// whereDiscordIDs is how people get at them.
const whereDiscordIDs = "in Discord, switch on User Settings → Advanced → Developer Mode, then right-click it and choose Copy ID"

func (d discordConfig) validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if d.PersonChannel != "" && !d.callsSomeone() {
		add("discord.person_channel in bot.yaml: there is nobody to call there; set discord.person, too")
	}
	if d.Shards < 1 || d.Shards > maxShards {
		add("discord.shards in bot.yaml: %d is not a number of connections; write 1, or more from 2,500 servers on", d.Shards)
	}
	return errors.Join(append(problems,
		d.validateIDs(), d.Limits.validate("discord.limits"), d.validateURL(), d.validateSecrets())...)
}

func (d discordConfig) validateIDs() error {
	var problems []error
	id := func(key, what, id string) {
		if !snowflake.MatchString(id) {
			problems = append(problems, fmt.Errorf("%s in bot.yaml: %q is not the id of a %s, which has 15 to 20 digits; %s", key, id, what, whereDiscordIDs))
		}
	}
	person := func(key, who string) {
		if who != "" && !discordPerson.MatchString(who) {
			problems = append(problems, fmt.Errorf("%s in bot.yaml: %q is neither role:ID nor member:ID; %s", key, who, whereDiscordIDs))
		}
	}
	person("discord.person", d.Person)
	if d.PersonChannel != "" {
		id("discord.person_channel", "channel", d.PersonChannel)
	}
	for _, guild := range slices.Sorted(maps.Keys(d.Guilds)) {
		id("discord.guilds", "server", guild)
		person("discord.guilds."+guild+".person", d.Guilds[guild].Person)
	}
	for _, channel := range slices.Sorted(maps.Keys(d.Channels)) {
		id("discord.channels", "channel", channel)
		person("discord.channels."+channel+".person", d.Channels[channel].Person)
	}
	return errors.Join(problems...)
}

// callsSomeone says whether any rule names a person.
func (d discordConfig) callsSomeone() bool {
	for _, g := range d.Guilds {
		if g.Person != "" {
			return true
		}
	}
	for _, ch := range d.Channels {
		if ch.Person != "" {
			return true
		}
	}
	return d.Person != ""
}

var discordAPIPath = regexp.MustCompile(`/api(/v[0-9]+)?$`)

func (d discordConfig) validateURL() error {
	switch {
	case d.APIURL == "":
		return nil
	case !isWebURL(d.APIURL):
		return fmt.Errorf("DISCORD_API_URL: %q is not a web address; write http://host:port, or unset it for Discord's own", d.APIURL)
	case discordAPIPath.MatchString(d.APIURL):
		return fmt.Errorf("DISCORD_API_URL: %q goes too far; leave away %s, which the bot adds", d.APIURL, discordAPIPath.FindString(d.APIURL))
	}
	return nil
}

// What to click for each at https://discord.com/developers/applications, after choosing
// the app.
const (
	whereDiscordToken     = "Bot → Reset Token"
	whereDiscordPublicKey = "General Information → Public Key"
)

// validateSecrets looks at their shapes, so that two that were swapped are found before
// anything starts. It never shows one.
func (d discordConfig) validateSecrets() error {
	return errors.Join(d.tokenProblem(), d.keyProblem())
}

func (d discordConfig) tokenProblem() error {
	switch kind := discordKind(d.Token); {
	case d.Token == "" && d.PublicKey != "":
		return fmt.Errorf("DISCORD_TOKEN is missing beside DISCORD_PUBLIC_KEY; add it (%s)", whereDiscordToken)
	case strings.HasPrefix(strings.ToLower(d.Token), "bot "):
		return errors.New("DISCORD_TOKEN begins with the word Bot; leave it away, the bot adds it")
	case kind != "" && kind != discordBotToken:
		return fmt.Errorf("DISCORD_TOKEN holds %s; the bot's token is at %s", kind, whereDiscordToken)
	case strings.ContainsFunc(d.Token, unicode.IsSpace):
		return fmt.Errorf("DISCORD_TOKEN holds white space; copy the token again, and nothing else: %s", whereDiscordToken)
	}
	return nil
}

func (d discordConfig) keyProblem() error {
	switch kind := discordKind(d.PublicKey); kind {
	case discordPublicKey:
		return nil
	case "":
		if d.PublicKey == "" {
			return nil
		}
		return fmt.Errorf("DISCORD_PUBLIC_KEY is not a public key, which is 64 digits and letters from a to f; copy it again: %s", whereDiscordPublicKey)
	default:
		return fmt.Errorf("DISCORD_PUBLIC_KEY holds %s; the public key is at %s", kind, whereDiscordPublicKey)
	}
}

const (
	discordBotToken  = "the bot's token"
	discordPublicKey = "the app's public key"
)

// discordTokenShape is three parts, of which the first is the bot's id in base64. Nobody
// promises their lengths: https://discord.com/developers/docs/reference#authentication
var discordTokenShape = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`)

// discordSecretShape is what the Developer Portal shows as a client secret.
var discordSecretShape = regexp.MustCompile(`^[\w-]{32}$`)

// discordKind names what a value obviously is, "" if it could be anything.
func discordKind(value string) string {
	if kind := tokenKind(value); kind != "" {
		return kind + " of Slack"
	}
	key, err := hex.DecodeString(value)
	switch {
	case strings.HasPrefix(value, "http:"), strings.HasPrefix(value, "https:"):
		return "a web address"
	case snowflake.MatchString(value):
		return "an id, as the application's is"
	case err == nil && len(key) == 32:
		return discordPublicKey
	case discordTokenShape.MatchString(value):
		return discordBotToken
	case discordSecretShape.MatchString(value):
		return "what looks like the client secret"
	}
	return ""
}

// discordOn says whether the bot is to join Discord.
func (c config) discordOn() bool { return c.Discord.Token != "" }

// discordRules are the rules of bot.yaml as package discord wants them. "Ask a person" calls
// from a server's channel in that channel, from anywhere else in the one PersonChannel.
func (c config) discordRules() discord.Rules {
	d := c.Discord
	rules := discord.Rules{
		Audience: d.Audience,
		Direct:   d.Direct,
		Person:   d.personOf(d.Person),
		Guilds:   map[string]discord.Guild{},
		Channels: map[string]discord.Channel{},
	}
	for id, g := range d.Guilds {
		rules.Guilds[id] = discord.Guild{Audience: g.Audience, Person: d.personOf(g.Person)}
	}
	for id, ch := range d.Channels {
		rules.Channels[id] = discord.Channel{Audience: ch.Audience, AutoAnswer: ch.AutoAnswer, Person: d.personOf(ch.Person)}
	}
	return rules
}

// personOf reads role:ID or member:ID.
func (d discordConfig) personOf(who string) discord.Person {
	kind, id, ok := strings.Cut(who, ":")
	if !ok {
		return discord.Person{}
	}
	return discord.Person{ID: id, Role: kind == "role", Channel: d.PersonChannel}
}
