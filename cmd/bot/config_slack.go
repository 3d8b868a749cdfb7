package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"citebot/internal/chat/slack"
)

// A slackConfig is everything about Slack. Without a bot token Slack is off.
type slackConfig struct {
	Audience      []string                `yaml:"audience"`       // of channels that Channels does not name; empty: public
	Direct        []string                `yaml:"direct"`         // of direct messages; empty: public
	Person        string                  `yaml:"person"`         // user group or member whom "Ask a person" calls
	PersonChannel string                  `yaml:"person_channel"` // where, for questions from direct messages and /ask
	Channels      map[string]slackChannel `yaml:"channels"`       // by channel id
	Limits        askLimits               `yaml:"limits"`

	BotToken      string `yaml:"-"` // SLACK_BOT_TOKEN
	AppToken      string `yaml:"-"` // SLACK_APP_TOKEN; goes before SigningSecret
	SigningSecret string `yaml:"-"` // SLACK_SIGNING_SECRET
	APIURL        string `yaml:"-"` // SLACK_API_URL, ends in "/"; "": Slack's own
}

// A slackChannel is what one channel wants otherwise.
type slackChannel struct {
	Audience   []string `yaml:"audience"`
	AutoAnswer bool     `yaml:"auto_answer"`
	Person     string   `yaml:"person"`
}

func (s *slackConfig) readSecrets(env func(string) string) error {
	var errs [3]error
	s.BotToken, errs[0] = secret(env, "SLACK_BOT_TOKEN")
	s.AppToken, errs[1] = secret(env, "SLACK_APP_TOKEN")
	s.SigningSecret, errs[2] = secret(env, "SLACK_SIGNING_SECRET")
	if s.APIURL = env("SLACK_API_URL"); s.APIURL != "" {
		s.APIURL = strings.TrimSuffix(s.APIURL, "/") + "/"
	}
	return errors.Join(errs[:]...)
}

// Slack's ids: https://api.slack.com/types/conversation and
// https://docs.slack.dev/reference/objects/user-object
var (
	slackChannelID = regexp.MustCompile(`^[CG][A-Z0-9]{2,}$`)
	slackPersonID  = regexp.MustCompile(`^[SUW][A-Z0-9]{2,}$`)
)

func (s slackConfig) validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	person := func(key, id string) {
		if id != "" && !slackPersonID.MatchString(id) {
			add("%s in bot.yaml: %q is not the id of a user group (S…) or a member (U…, W…); copy it from their profile or from the user group's page, under ⋮", key, id)
		}
	}
	channel := func(key, id string) {
		if id != "" && !slackChannelID.MatchString(id) {
			add("%s in bot.yaml: %q is not a channel's id (C…, G…); it is at the bottom of the channel's details, not its name", key, id)
		}
	}
	person("slack.person", s.Person)
	channel("slack.person_channel", s.PersonChannel)
	for _, id := range slices.Sorted(maps.Keys(s.Channels)) {
		channel("slack.channels", id)
		person("slack.channels."+id+".person", s.Channels[id].Person)
	}
	if s.PersonChannel != "" && s.Person == "" {
		add("slack.person_channel in bot.yaml: there is nobody to call there; set slack.person, too")
	}
	if s.APIURL != "" && !isWebURL(s.APIURL) {
		add("SLACK_API_URL: %q is not a web address; write https://host/api/, or unset it for Slack's own", s.APIURL)
	}
	return errors.Join(append(problems, s.Limits.validate("slack.limits"), s.validateSecrets())...)
}

// What to click for each secret at https://api.slack.com/apps, after choosing the app.
const (
	whereBotToken      = "OAuth & Permissions → Bot User OAuth Token"
	whereAppToken      = "Basic Information → App-Level Tokens, with the scope connections:write"
	whereSigningSecret = "Basic Information → App Credentials → Signing Secret"
)

// validateSecrets looks at their shapes, so that two that were swapped are found before
// anything starts. It never shows one.
func (s slackConfig) validateSecrets() error {
	problems := []error{
		tokenShape("SLACK_BOT_TOKEN", s.BotToken, "the bot token", "xoxb-", whereBotToken),
		tokenShape("SLACK_APP_TOKEN", s.AppToken, "the app-level token", "xapp-", whereAppToken),
	}
	if kind := tokenKind(s.SigningSecret); kind != "" {
		problems = append(problems, fmt.Errorf("SLACK_SIGNING_SECRET holds %s; the signing secret is at %s", kind, whereSigningSecret))
	}
	switch events := s.AppToken != "" || s.SigningSecret != ""; {
	case s.BotToken != "" && !events:
		problems = append(problems, fmt.Errorf("SLACK_BOT_TOKEN alone cannot receive messages; add SLACK_APP_TOKEN (%s), or SLACK_SIGNING_SECRET for events over HTTP (%s)",
			whereAppToken, whereSigningSecret))
	case s.BotToken == "" && events:
		problems = append(problems, fmt.Errorf("SLACK_BOT_TOKEN is missing beside Slack's other secrets; add it (%s)", whereBotToken))
	}
	return errors.Join(problems...)
}

func tokenShape(name, value, what, prefix, where string) error {
	switch kind := tokenKind(value); {
	case value == "":
		return nil
	case !strings.HasPrefix(value, prefix) && kind != "":
		return fmt.Errorf("%s holds %s; %s begins with %s: %s", name, kind, what, prefix, where)
	case !strings.HasPrefix(value, prefix):
		return fmt.Errorf("%s holds something else than a token; %s begins with %s: %s", name, what, prefix, where)
	case strings.ContainsFunc(value, unicode.IsSpace):
		return fmt.Errorf("%s holds white space; copy the token again, and nothing else: %s", name, where)
	}
	return nil
}

// tokenKind names what Slack calls a token that begins like value, "" if it is none:
// https://docs.slack.dev/authentication/tokens
func tokenKind(value string) string {
	for prefix, kind := range map[string]string{
		"xoxb-": "a bot token (xoxb-…)",
		"xapp-": "an app-level token (xapp-…)",
		"xoxp-": "a user token (xoxp-…)",
		"xoxe":  "a token that is rotated (xoxe…)",
	} {
		if strings.HasPrefix(value, prefix) {
			return kind
		}
	}
	return ""
}

// slackOn says whether the bot is to join Slack.
func (c config) slackOn() bool { return c.Slack.BotToken != "" }

// slackRules are the rules of bot.yaml as package slack wants them. "Ask a person" calls
// from a channel in that channel, from anywhere else in the one PersonChannel.
func (c config) slackRules() slack.Rules {
	rules := slack.Rules{
		Audience: c.Slack.Audience,
		Direct:   c.Slack.Direct,
		Person:   c.Slack.personOf(c.Slack.Person),
		Channels: map[string]slack.Channel{},
	}
	for id, ch := range c.Slack.Channels {
		rules.Channels[id] = slack.Channel{Audience: ch.Audience, AutoAnswer: ch.AutoAnswer, Person: c.Slack.personOf(ch.Person)}
	}
	return rules
}

func (s slackConfig) personOf(id string) slack.Person {
	if id == "" {
		return slack.Person{}
	}
	return slack.Person{ID: id, Channel: s.PersonChannel}
}
