package main

import (
	"os"
	"path/filepath"
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
		Audience: []string{"public", "staff"}, Token: "secret",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
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

func TestConfigFileThatIsNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := loadConfig(environment(), flags{}); err != nil {
		t.Errorf("no bot.yaml is fine, got %v", err)
	}
	if _, err := loadConfig(environment(), flags{Config: "other.yaml"}); err == nil {
		t.Error("a file that was asked for must exist")
	}
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
	for _, key := range yamlKeys(config{}) {
		if !strings.Contains("\n"+string(text), "\n"+key+":") && !strings.Contains(string(text), "# "+key+":") {
			t.Errorf("bot.yaml does not show the key %s", key)
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
