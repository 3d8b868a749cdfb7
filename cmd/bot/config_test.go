package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"citebot/internal/chat/slack"

	"github.com/google/go-cmp/cmp"
)

// environment makes a lookup of name, value pairs.
func environment(pairs ...string) func(string) string {
	vars := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		vars[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return vars[name] }
}

func write(t *testing.T, name, text string) string {
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfigOrder(t *testing.T) {
	file := write(t, "bot.yaml", "docs: from-file\nstate: from-file\nhttp: 127.0.0.1:1\naudience: [public, staff]\n")
	got, err := loadConfig(
		environment("BOT_STATE", "from-env", "BOT_HTTP", "127.0.0.1:2", "BOT_TOKEN", "secret"),
		flags{Config: file, HTTP: "127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Docs: "from-file", State: "from-env", HTTP: "127.0.0.1:3", Language: "en",
		Audience: []string{"public", "staff"}, Slack: defaults().Slack, Token: "secret",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A file that sets nothing leaves the defaults, however it says nothing.
func TestConfigThatSetsNothing(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing\n", "---\n", "docs:\naudience:\nslack:\n", "slack:\n  limits:\n    # person: 3\n"} {
		got, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", text)})
		if diff := cmp.Diff(defaults(), got); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	empty := write(t, "token", "\n")
	for _, test := range []struct {
		name string
		yaml string
		env  []string
		want []string // in the error, in this order
	}{
		{"mistyped key", "docs: a\nauidence: [x]\n", nil, []string{"bot.yaml:2: ", `"auidence"`, `"audience"`}},
		{"mistyped rule key", "folders:\n  - pth: a\n", nil, []string{"bot.yaml:2: ", `"pth"`, `"path"`}},
		{"nothing near", "zzzzzzzz: 1\n", nil, []string{"bot.yaml:1: ", "docs state http"}},
		{"wrong kind", "docs: kb\naudience:\n  a: b\n", nil, []string{"bot.yaml:3: "}},
		{"same key twice", "docs: a\ndocs: b\n", nil, []string{"bot.yaml:2: "}},
		{"mistyped key without a value", "docs: a\nauidence:\n", nil, []string{"bot.yaml:2: ", `"auidence"`}},
		{"a list", "- docs\n", nil, []string{"bot.yaml:1: "}},
		{"no YAML", "docs: [a\n", nil, []string{"bot.yaml:1: "}},
		{"secret in the file", "token: abc\n", nil, []string{"bot.yaml:1: ", `unknown key "token"`}},
		{"address", "", []string{"BOT_HTTP", "8080"}, []string{"BOT_HTTP", `"8080"`, "host:port"}},
		{"port", "", []string{"BOT_HTTP", "localhost:99999"}, []string{"BOT_HTTP", "host:port"}},
		{"public URL", "", []string{"BOT_PUBLIC_URL", "bot.example.com"}, []string{"BOT_PUBLIC_URL", "https://"}},
		{"language", "language: english\n", nil, []string{"language", `"english"`, "en"}},
		{"nobody", "audience: []\n", nil, []string{"audience", "[public]"}},
		{"rule without audience", "folders: [{path: staff}]\n", nil, []string{"folders", `"staff"`}},
		{"rule with a bad pattern", "folders: [{path: '[', audience: a}]\n", nil, []string{"folders", `"["`}},
		{"two secrets", "", []string{"BOT_TOKEN", "a", "BOT_TOKEN_FILE", "b"}, []string{"BOT_TOKEN", "unset one"}},
		{"secret file missing", "", []string{"BOT_TOKEN_FILE", "nowhere"}, []string{"BOT_TOKEN_FILE", "nowhere"}},
		{"secret file empty", "", []string{"BOT_TOKEN_FILE", empty}, []string{"BOT_TOKEN_FILE", "is empty"}},

		{"mistyped Slack key", "slack:\n  persn: S01\n", nil, []string{"bot.yaml:2: ", `"persn"`, `"person"`}},
		{"mistyped channel key", "slack:\n  channels:\n    C01:\n      auto-answer: true\n", nil, []string{"bot.yaml:4: ", `"auto-answer"`, `"auto_answer"`}},
		{"mistyped limit", "slack: {limits: {persons: 4}}\n", nil, []string{"bot.yaml:1: ", `"persons"`, `"person"`}},
		{"a key of another section", "slack:\n  docs: a\n", nil, []string{"bot.yaml:2: ", `"docs"`, "audience direct person person_channel channels limits"}},
		{"auto_answer is no switch", "slack:\n  channels:\n    C01:\n      auto_answer: maybe\n", nil, []string{"bot.yaml:4: ", `"maybe"`}},
		{"a channel's name", "slack: {channels: {help: {}}}\n", nil, []string{"slack.channels", `"help"`, "at the bottom of the channel's details, not its name"}},
		{"a channel's name in quotes", "slack: {channels: {'#help': {}}}\n", nil, []string{`"#help"`, "not its name"}},
		{"a person for a channel", "slack: {person_channel: U0123}\n", nil, []string{"slack.person_channel", `"U0123"`}},
		{"a person's name", "slack: {person: '@anna'}\n", nil, []string{"slack.person ", `"@anna"`, "U…", "profile"}},
		{"a channel's person", "slack: {channels: {C01: {person: anna}}}\n", nil, []string{"slack.channels.C01.person", `"anna"`}},
		{"a place without a person", "slack: {person_channel: C01}\n", nil, []string{"slack.person_channel", "nobody", "slack.person"}},
		{"a limit of none", "slack: {limits: {person: 0}}\n", nil, []string{"slack.limits", "person is 0", "at least 1"}},
		{"a Slack token in the file", "slack: {bot_token: abc}\n", nil, []string{"bot.yaml:1: ", `unknown key "bot_token"`}},
		{"Slack's address", "", []string{"SLACK_API_URL", "127.0.0.1:9000/api/"}, []string{"SLACK_API_URL", "https://"}},
		{"two bot tokens", "", []string{"SLACK_BOT_TOKEN", "a", "SLACK_BOT_TOKEN_FILE", "b"}, []string{"SLACK_BOT_TOKEN", "unset one"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadConfig(environment(test.env...), flags{Config: write(t, "bot.yaml", test.yaml)})
			if err == nil {
				t.Fatal("no error")
			}
			rest := err.Error()
			for _, want := range test.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("error %q does not go on with %q", err, want)
				}
				rest = after
			}
		})
	}
}

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
	c, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", sampleSlack(t))})
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
	if diff := cmp.Diff(slackLimits{Person: 10, Channel: 60}, c.Slack.Limits); diff != "" {
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
	if diff := cmp.Diff(slackLimits{Person: 3, Channel: 60}, c.Slack.Limits); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(slack.Rules{Channels: map[string]slack.Channel{"C01": {}}}, c.slackRules()); diff != "" {
		t.Error(diff)
	}
}

// sampleSlack is the section slack of the sample that ships, without its comment signs.
func sampleSlack(t *testing.T) string {
	text, err := os.ReadFile("../../bot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n# slack:")
	if !ok {
		t.Fatal("bot.yaml does not show the section slack")
	}
	return strings.ReplaceAll("# slack:"+section, "\n# ", "\n")[len("# "):]
}

func TestConfigFileThatIsNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := loadConfig(environment(), flags{}); err != nil {
		t.Errorf("no bot.yaml is fine, got %v", err)
	}
	if _, err := loadConfig(environment(), flags{Config: "other.yaml"}); err == nil {
		t.Error("a file that was asked for must exist")
	}
}

// What is right in a file counts, whatever else is wrong in it: `bot check` and `bot
// doctor` go on with it.
func TestConfigAsFarAsItGoes(t *testing.T) {
	got, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", "docs: policies\nzzzz: 1\nslack: {persn: S01, person: S02}\n")})
	if err == nil || got.Docs != "policies" || got.Slack.Person != "S02" || got.HTTP != defaults().HTTP {
		t.Errorf("%v, %+v", err, got)
	}
}

// Whatever a file holds, the answer is a configuration or an error that begins with its place.
func FuzzConfigFile(f *testing.F) {
	for _, text := range []string{"", "docs: a\n", "slack: {channels: {C01: {persn: a}}}\n", "folders: [{pth: a}]\n", "---\n- a\n", "a: &x {b: *x}\n", "? [a]\n: b\n", "<<: {docs: a}\n", "folders: !000000000 00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := defaults()
		if err := c.decode(data); err != nil && !strings.HasPrefix(placed("bot.yaml", data, err).Error(), "bot.yaml:") {
			t.Errorf("%q: %v", data, placed("bot.yaml", data, err))
		}
	})
}

// The sample that ships must say what the program does.
func TestSampleConfig(t *testing.T) {
	got, err := loadConfig(environment(), flags{Config: "../../bot.yaml"})
	want := defaults()
	want.Folders = []folderRule{{Path: "staff", Audience: "staff"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	text, err := os.ReadFile("../../bot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range yamlKeys(reflect.TypeFor[config]()) {
		if !strings.Contains("\n"+string(text), "\n"+key+":") && !strings.Contains(string(text), "# "+key+":") {
			t.Errorf("bot.yaml does not show the key %s", key)
		}
	}
	for _, section := range []reflect.Type{reflect.TypeFor[slackConfig](), reflect.TypeFor[slackChannel](), reflect.TypeFor[slackLimits]()} {
		for _, key := range yamlKeys(section) {
			if !strings.Contains(sampleSlack(t), "  "+key+":") {
				t.Errorf("bot.yaml does not show the key slack.….%s", key)
			}
		}
	}
}

func TestAudienceOf(t *testing.T) {
	c := config{Folders: []folderRule{
		{"staff/board/", "board"}, {"staff", "staff"}, {"*/internal", "staff"}, {"drafts/*.md", "editors"},
	}}
	for path, want := range map[string]string{
		"returns.md":               "",
		"staff/leave.md":           "staff",
		"staff/a/b/leave.md":       "staff",
		"staff/board/minutes.md":   "board",
		"staffing.md":              "",
		"public/staff/x.md":        "",
		"shop/internal/margins.md": "staff",
		"drafts/new.md":            "editors",
		"drafts/new.html":          "",
	} {
		if got := c.audienceOf(path); got != want {
			t.Errorf("%s: audience %q, want %q", path, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"http", "htpt", 2}, {"docs", "docs", 0},
	} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
