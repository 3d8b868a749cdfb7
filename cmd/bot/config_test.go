package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

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
		Audience: []string{"public", "staff"}, Log: "text", Slack: defaults().Slack, Discord: defaults().Discord, LLM: defaults().LLM, Token: "secret",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestConfigLog(t *testing.T) {
	for _, test := range []struct {
		yaml, env string
		flag      bool
		want      string
	}{
		{"", "", false, "text"},
		{"log: json\n", "", false, "json"},
		{"log: json\n", "text", false, "text"},
		{"log: text\n", "text", true, "json"},
	} {
		got, err := loadConfig(environment("BOT_LOG", test.env), flags{Config: write(t, "bot.yaml", test.yaml), LogJSON: test.flag})
		if err != nil || got.Log != test.want {
			t.Errorf("%+v: %q, %v", test, got.Log, err)
		}
	}
}

// A file that sets nothing leaves the defaults, however it says nothing.
func TestConfigThatSetsNothing(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing\n", "---\n", "docs:\naudience:\nslack:\ndiscord:\n", "slack:\n  limits:\n    # person: 3\n"} {
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
		{"log", "log: yaml\n", nil, []string{"BOT_LOG", `"yaml"`, "text or json"}},
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

		{"mistyped Discord key", "discord:\n  persn: role:1\n", nil, []string{"bot.yaml:2: ", `"persn"`, `"person"`}},
		{"mistyped key of a server", "discord:\n  guilds:\n    123456789012345678:\n      audiences: [a]\n", nil, []string{"bot.yaml:4: ", `"audiences"`, `"audience"`}},
		{"mistyped key of a Discord channel", "discord:\n  channels:\n    123456789012345678: {auto-answer: true}\n", nil, []string{"bot.yaml:3: ", `"auto-answer"`, `"auto_answer"`}},
		{"a server that answers unasked", "discord:\n  guilds:\n    123456789012345678: {auto_answer: true}\n", nil, []string{"bot.yaml:3: ", `"auto_answer"`, "audience person"}},
		{"a server's name", "discord: {guilds: {tarn: {}}}\n", nil, []string{"discord.guilds", `"tarn"`, "id of a server", "Developer Mode"}},
		{"a Discord channel's name", "discord: {channels: {'#help': {}}}\n", nil, []string{"discord.channels", `"#help"`, "id of a channel", "Copy ID"}},
		{"a Discord channel without a name", "discord: {channels: {'': {}}}\n", nil, []string{"discord.channels", `""`, "id of a channel"}},
		{"a year for an id", "discord: {channels: {2026: {}}}\n", nil, []string{`"2026"`, "15 to 20 digits"}},
		{"a Discord id without its kind", "discord: {person: 123456789012345678}\n", nil, []string{"discord.person ", `"123456789012345678"`, "role:ID", "member:ID"}},
		{"a role's name", "discord: {guilds: {123456789012345678: {person: 'role:care'}}}\n", nil, []string{"discord.guilds.123456789012345678.person", `"role:care"`}},
		{"a Discord channel's person", "discord: {channels: {123456789012345678: {person: '@anna'}}}\n", nil, []string{"discord.channels.123456789012345678.person", `"@anna"`}},
		{"a space inside a person", "discord: {person: 'role: 123456789012345678'}\n", nil, []string{"discord.person", "neither role:ID"}},
		{"a person for a Discord channel", "discord: {person: 'role:123456789012345678', person_channel: 'role:123456789012345678'}\n", nil, []string{"discord.person_channel", "id of a channel"}},
		{"a Discord place without a person", "discord: {person_channel: 123456789012345678}\n", nil, []string{"discord.person_channel", "nobody", "discord.person"}},
		{"a Discord limit of none", "discord: {limits: {channel: -1}}\n", nil, []string{"discord.limits", "channel -1", "at least 1"}},
		{"no shard", "discord: {shards: 0}\n", nil, []string{"discord.shards", "0", "write 1"}},
		{"a Discord token in the file", "discord: {token: abc}\n", nil, []string{"bot.yaml:1: ", `unknown key "token"`}},
		{"Discord's address", "", []string{"DISCORD_API_URL", "127.0.0.1:9001"}, []string{"DISCORD_API_URL", "http://"}},
		{"too much of Discord's address", "", []string{"DISCORD_API_URL", "http://127.0.0.1:9001/api/v10/"}, []string{"DISCORD_API_URL", "/api/v10, which the bot adds"}},
		{"two Discord tokens", "", []string{"DISCORD_TOKEN", "a", "DISCORD_TOKEN_FILE", "b"}, []string{"DISCORD_TOKEN", "unset one"}},
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

// sampleSection is a section of the sample that ships, without its comment signs.
func sampleSection(t *testing.T, name string) string {
	text, err := os.ReadFile("../../bot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n# "+name+":\n")
	if !ok {
		t.Fatalf("bot.yaml does not show the section %s", name)
	}
	section, _, _ = strings.Cut(section, "\n\n")
	return name + ":\n" + strings.TrimPrefix(strings.ReplaceAll("\n"+section, "\n# ", "\n"), "\n")
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
	for _, text := range []string{"", "docs: a\n", "slack: {channels: {C01: {persn: a}}}\n", "discord: {guilds: {18446744073709551616: {persn: a}}}\n", "folders: [{pth: a}]\n", "---\n- a\n", "a: &x {b: *x}\n", "? [a]\n: b\n", "<<: {docs: a}\n", "folders: !000000000 00"} {
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
	for section, types := range map[string][]reflect.Type{
		"slack":   {reflect.TypeFor[slackConfig](), reflect.TypeFor[slackChannel](), reflect.TypeFor[askLimits]()},
		"discord": {reflect.TypeFor[discordConfig](), reflect.TypeFor[discordGuild](), reflect.TypeFor[discordChannel](), reflect.TypeFor[askLimits]()},
	} {
		for _, typ := range types {
			for _, key := range yamlKeys(typ) {
				if !strings.Contains(sampleSection(t, section), "  "+key+":") {
					t.Errorf("bot.yaml does not show the key %s.….%s", section, key)
				}
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
