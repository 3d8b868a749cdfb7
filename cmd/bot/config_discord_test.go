package main

import (
	"strings"
	"testing"

	"citebot/internal/chat/discord"

	"github.com/google/go-cmp/cmp"
)

// What is obviously something else than a token or a key is told apart, and is never shown.
func TestDiscordSecrets(t *testing.T) {
	const token = "MTE5MDAxMjM0NTY3ODkwMTIzNA.GhUsHH.hushhush-hushhush_hushhushhushhushhush"
	key := strings.Repeat("0123456789abcdef", 4)
	for _, test := range []struct {
		name, token, key string
		want             string // in the error; "": there is none
	}{
		{"off", "", "", ""},
		{"over the gateway", token, "", ""},
		{"over HTTP", token, key, ""},
		{"a key in capitals", token, strings.ToUpper(key), ""},
		{"a token of another shape", "a-hushhush-token", "", ""},
		{"with the word before it", "Bot " + token, "", "DISCORD_TOKEN begins with the word Bot; leave it away"},
		{"the word in small letters", "bot " + token, "", "leave it away"},
		{"more than a token", token + " # hush", "", "DISCORD_TOKEN holds white space"},
		{"Slack's bot token", "xoxb-1-hushhush", "", "DISCORD_TOKEN holds a bot token (xoxb-…) of Slack; the bot's token is at Bot → Reset Token"},
		{"Slack's app token", "xapp-1-hushhush", "", "DISCORD_TOKEN holds an app-level token (xapp-…) of Slack"},
		{"the application's id", "1190012345678901234", "", "DISCORD_TOKEN holds an id, as the application's is"},
		{"the client secret", "hushhush_hushhush-hushhushhushhu", "", "DISCORD_TOKEN holds what looks like the client secret"},
		{"the public key", key, "", "DISCORD_TOKEN holds the app's public key; the bot's token is at Bot → Reset Token"},
		{"a webhook", "https://discord.com/api/webhooks/1190012345678901234/hushhush", "", "DISCORD_TOKEN holds a web address"},
		{"the key alone", "", key, "DISCORD_TOKEN is missing beside DISCORD_PUBLIC_KEY; add it (Bot → Reset Token)"},
		{"the token as key", token, token, "DISCORD_PUBLIC_KEY holds the bot's token; the public key is at General Information → Public Key"},
		{"the id as key", token, "1190012345678901234", "DISCORD_PUBLIC_KEY holds an id"},
		{"half a key", token, key[:62], "DISCORD_PUBLIC_KEY is not a public key"},
		{"a key that is not hexadecimal", token, strings.Repeat("hush", 16), "DISCORD_PUBLIC_KEY is not a public key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadConfig(environment("DISCORD_TOKEN", test.token, "DISCORD_PUBLIC_KEY", test.key), flags{Config: write(t, "bot.yaml", "")})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v does not say %q", err, test.want)
			case err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "0123456789")):
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestDiscordSecretsFromFiles(t *testing.T) {
	key := strings.Repeat("0f", 32)
	got, err := loadConfig(environment(
		"DISCORD_TOKEN_FILE", write(t, "token", "a.b.c\n"),
		"DISCORD_PUBLIC_KEY_FILE", write(t, "key", key+"\n"),
		"DISCORD_API_URL", "http://127.0.0.1:9001/"),
		flags{Config: write(t, "bot.yaml", "")})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults().Discord
	want.Token, want.PublicKey, want.APIURL = "a.b.c", key, "http://127.0.0.1:9001"
	if diff := cmp.Diff(want, got.Discord); diff != "" || !got.discordOn() {
		t.Error(diff)
	}
}

// The sample's ids stand there without quotes, as people write them.
func TestDiscordRules(t *testing.T) {
	c, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", sampleSection(t, "discord"))})
	if err != nil {
		t.Fatal(err)
	}
	const place = "1190012345678901235"
	want := discord.Rules{
		Audience: []string{"public"},
		Direct:   []string{"public"},
		Person:   discord.Person{ID: "1190012345678901234", Role: true, Channel: place},
		Guilds: map[string]discord.Guild{
			"1190012345678901200": {Audience: []string{"public", "staff"}, Person: discord.Person{ID: "1190012345678901201", Role: true, Channel: place}},
		},
		Channels: map[string]discord.Channel{
			"1190012345678901202": {Audience: []string{"public"}, AutoAnswer: true, Person: discord.Person{ID: "1190012345678901203", Channel: place}},
		},
	}
	if diff := cmp.Diff(want, c.discordRules()); diff != "" {
		t.Error(diff)
	}
	if c.discordOn() {
		t.Error("Discord is on without a token")
	}
}

// An id keeps all its digits, with quotes and without: read as a number that is not whole,
// the last ones would be lost, and the rule would be another channel's.
func TestDiscordIDs(t *testing.T) {
	for _, id := range []string{"175928847299117063", "1190012345678901234", "9007199254740993", "18446744073709551615", "99999999999999999999"} {
		for _, written := range []string{id, `"` + id + `"`, "'" + id + "'"} {
			text := "discord:\n  person: member:" + id + "\n  person_channel: " + written + "\n  guilds: {" + written + ": {audience: [a]}}\n" +
				"  channels:\n    " + written + ":\n      auto_answer: true\n"
			c, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", text)})
			want := discord.Rules{
				Person:   discord.Person{ID: id, Channel: id},
				Guilds:   map[string]discord.Guild{id: {Audience: []string{"a"}}},
				Channels: map[string]discord.Channel{id: {AutoAnswer: true}},
			}
			if diff := cmp.Diff(want, c.discordRules()); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", written, err, diff)
			}
		}
	}
}

// A server alone may name who helps there, and one limit can be set without the other.
func TestDiscordDefaults(t *testing.T) {
	c, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml",
		"discord: {limits: {person: 3}, person_channel: 123456789012345678, guilds: {123456789012345679: {person: 'role:123456789012345670'}}}\n")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(askLimits{Person: 3, Channel: 60}, c.Discord.Limits); diff != "" || c.Discord.Shards != 1 {
		t.Errorf("%d shards; %s", c.Discord.Shards, diff)
	}
}
