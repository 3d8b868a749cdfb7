package main

import (
	"strings"
	"testing"

	"citebot/internal/chat/slack"

	"github.com/google/go-cmp/cmp"
)

// Wrong tokens are told apart by how they begin, and are never shown.
func TestSlackSecrets(t *testing.T) {
	const bot, app, user, signing = "xoxb-1-hushhush", "xapp-1-hushhush", "xoxp-1-hushhush", "0123hushhush"
	for _, test := range []struct {
		name              string
		bot, app, signing string
		want              string // in the error; "": there is none
	}{
		{"off", "", "", "", ""},
		{"Socket Mode", bot, app, "", ""},
		{"HTTP", bot, "", signing, ""},
		{"both", bot, app, signing, ""},
		{"app token as bot token", app, app, "", "SLACK_BOT_TOKEN holds an app-level token (xapp-…); the bot token begins with xoxb-: OAuth & Permissions → Bot User OAuth Token"},
		{"user token as bot token", user, app, "", "SLACK_BOT_TOKEN holds a user token (xoxp-…); the bot token begins with xoxb-"},
		{"rotated token", "xoxe.xoxb-1-hushhush", app, "", "SLACK_BOT_TOKEN holds a token that is rotated"},
		{"bot token as app token", bot, bot, "", "SLACK_APP_TOKEN holds a bot token (xoxb-…); the app-level token begins with xapp-: Basic Information → App-Level Tokens"},
		{"no token", "hushhush", app, "", "SLACK_BOT_TOKEN holds something else than a token"},
		{"more than a token", bot + " # the bot's", app, "", "SLACK_BOT_TOKEN holds white space"},
		{"token as signing secret", bot, "", app, "SLACK_SIGNING_SECRET holds an app-level token (xapp-…); the signing secret is at Basic Information"},
		{"bot token alone", bot, "", "", "add SLACK_APP_TOKEN (Basic Information → App-Level Tokens"},
		{"no bot token", "", app, "", "SLACK_BOT_TOKEN is missing beside Slack's other secrets; add it (OAuth & Permissions"},
		{"signing secret alone", "", "", signing, "SLACK_BOT_TOKEN is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadConfig(environment("SLACK_BOT_TOKEN", test.bot, "SLACK_APP_TOKEN", test.app, "SLACK_SIGNING_SECRET", test.signing),
				flags{Config: write(t, "bot.yaml", "")})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v does not say %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "hush"):
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestSlackSecretsFromFiles(t *testing.T) {
	got, err := loadConfig(environment(
		"SLACK_BOT_TOKEN_FILE", write(t, "bot", "xoxb-1\n"),
		"SLACK_APP_TOKEN_FILE", write(t, "app", "xapp-1\n"),
		"SLACK_SIGNING_SECRET_FILE", write(t, "signing", "abc\n"),
		"SLACK_API_URL", "http://127.0.0.1:9000/api"),
		flags{Config: write(t, "bot.yaml", "")})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults().Slack
	want.BotToken, want.AppToken, want.SigningSecret, want.APIURL = "xoxb-1", "xapp-1", "abc", "http://127.0.0.1:9000/api/"
	if diff := cmp.Diff(want, got.Slack); diff != "" || !got.slackOn() {
		t.Error(diff)
	}
}

func TestSlackRules(t *testing.T) {
	c, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", sampleSection(t, "slack"))})
	if err != nil {
		t.Fatal(err)
	}
	want := slack.Rules{
		Audience: []string{"public"},
		Direct:   []string{"public"},
		Person:   slack.Person{ID: "S0614TZR7", Channel: "C0HELP"},
		Channels: map[string]slack.Channel{
			"C0123ABCD": {Audience: []string{"public", "staff"}, AutoAnswer: true, Person: slack.Person{ID: "S0456", Channel: "C0HELP"}},
		},
	}
	if diff := cmp.Diff(want, c.slackRules()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(askLimits{Person: 10, Channel: 60}, c.Slack.Limits); diff != "" {
		t.Error(diff)
	}
	if c.slackOn() {
		t.Error("Slack is on without a token")
	}
}

// One limit can be set without the other, and a channel can be without a person.
func TestSlackDefaults(t *testing.T) {
	c, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", "slack: {limits: {person: 3}, channels: {C01: {}}}\n")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(askLimits{Person: 3, Channel: 60}, c.Slack.Limits); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(slack.Rules{Channels: map[string]slack.Channel{"C01": {}}}, c.slackRules()); diff != "" {
		t.Error(diff)
	}
}
