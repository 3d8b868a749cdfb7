package slack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	api "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
)

// readManifest reads the manifest that ships; edit may change its text first. Keys that
// Slack does not know are an error.
func readManifest(t *testing.T, edit func(string) string) api.Manifest {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/slack-manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m api.Manifest
	if err := yaml.NewDecoder(strings.NewReader(edit(string(text))), yaml.Strict()).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func asItStands(text string) string { return text }

// The manifest asks for what the code needs, no more and no less.
func TestManifestNeeds(t *testing.T) {
	m := readManifest(t, asItStands)
	var wantScopes, wantEvents []string
	for _, s := range scopes {
		wantScopes = append(wantScopes, s.name)
	}
	for _, e := range events {
		wantEvents = append(wantEvents, e.name)
	}
	if diff := cmp.Diff(wantScopes, m.OAuthConfig.Scopes.Bot); diff != "" {
		t.Errorf("bot scopes: code is -, manifest is +\n%s", diff)
	}
	if diff := cmp.Diff(wantEvents, m.Settings.EventSubscriptions.BotEvents); diff != "" {
		t.Errorf("events: code is -, manifest is +\n%s", diff)
	}
	if s := m.OAuthConfig.Scopes; len(s.User)+len(s.BotOptional)+len(s.UserOptional) > 0 {
		t.Errorf("the manifest asks for more than bot scopes: %+v", s)
	}
}

func TestManifestFeatures(t *testing.T) {
	m := readManifest(t, asItStands)
	commands := []api.ManifestSlashCommand{{Command: commandAsk, Description: m.Features.SlashCommands[0].Description, UsageHint: "[question]"}}
	if diff := cmp.Diff(commands, m.Features.SlashCommands); diff != "" {
		t.Error(diff)
	}
	shortcut := m.Features.Shortcuts[0]
	if len(m.Features.Shortcuts) != 1 || shortcut.CallbackID != callbackAnswer || shortcut.Type != api.MessageShortcut {
		t.Errorf("shortcuts %+v", m.Features.Shortcuts)
	}
	if want := (api.AppHome{HomeTabEnabled: true, MessagesTabEnabled: true}); m.Features.AppHome != want {
		t.Errorf("app home %+v", m.Features.AppHome)
	}
	s := m.Settings
	if !s.SocketModeEnabled || s.OrgDeployEnabled || s.TokenRotationEnabled || s.Interactivity == nil || !s.Interactivity.IsEnabled {
		t.Errorf("settings %+v", s)
	}
	if m.Features.AgentView == nil || m.Features.AssistantView != nil {
		t.Error("the app must be an agent, not the assistant of old")
	}
}

// Slack refuses a manifest whose texts are too long:
// https://github.com/slackapi/manifest-schema
func TestManifestLimits(t *testing.T) {
	m := readManifest(t, asItStands)
	for _, test := range []struct {
		what, text string
		most       int
	}{
		{"name", m.Display.Name, 35},
		{"description", m.Display.Description, 140},
		{"bot's name", m.Features.BotUser.DisplayName, 80},
		{"agent's description", m.Features.AgentView.AgentDescription, 300},
		{"command's description", m.Features.SlashCommands[0].Description, 2000},
		{"shortcut's name", m.Features.Shortcuts[0].Name, 24},
		{"shortcut's description", m.Features.Shortcuts[0].Description, 150},
	} {
		if n := len([]rune(test.text)); n == 0 || n > test.most {
			t.Errorf("%s has %d characters, of at most %d", test.what, n, test.most)
		}
	}
	if n := len(m.Features.AgentView.SuggestedPrompts); n > 4 {
		t.Errorf("%d suggested prompts, of at most 4", n)
	}
}

// What the comments tell people to do for HTTP leads to a manifest that is whole.
func TestManifestOverHTTP(t *testing.T) {
	m := readManifest(t, func(text string) string {
		text = regexp.MustCompile(`(?m)^( +)# ((request_)?url: )`).ReplaceAllString(text, "$1$2")
		return strings.Replace(text, "socket_mode_enabled: true", "socket_mode_enabled: false", 1)
	})
	want := []string{"https://bot.example.com/slack/events", "https://bot.example.com/slack/interactions", "https://bot.example.com/slack/commands"}
	got := []string{m.Settings.EventSubscriptions.RequestUrl, m.Settings.Interactivity.RequestUrl, m.Features.SlashCommands[0].Url}
	if diff := cmp.Diff(want, got); diff != "" || m.Settings.SocketModeEnabled {
		t.Error(diff)
	}
}

// Each event is one that the client library knows, and its scope is asked for.
func TestEventsAreKnown(t *testing.T) {
	for _, e := range events {
		kind := e.name
		if strings.HasPrefix(kind, "message.") {
			kind = "message"
		}
		if _, ok := slackevents.EventsAPIInnerEventMapping[slackevents.EventsAPIType(kind)]; !ok {
			t.Errorf("%s is no event", e.name)
		}
		if e.scope != "" && !hasScope(e.scope) {
			t.Errorf("%s needs %s, which is not in scopes", e.name, e.scope)
		}
	}
}

func hasScope(name string) bool {
	return slices.ContainsFunc(scopes, func(s scope) bool { return s.name == name })
}

// The table of calls is what the code calls: each call that the package makes is in it,
// its scopes are asked for, and no scope is asked for in vain.
func TestCallsHaveScopes(t *testing.T) {
	made := callsMade(t)
	used := []string{"app_mentions:read", "commands"} // an event and two entrances: no call
	for _, c := range calls {
		if _, ok := reflect.TypeFor[*api.Client]().MethodByName(c.function); !ok {
			t.Errorf("the client library has no %s", c.function)
		}
		used = append(used, c.scopes...)
		for _, s := range c.scopes {
			if s != agentScope && s != appScope && !hasScope(s) {
				t.Errorf("%s needs %s, which is not in scopes", c.method, s)
			}
		}
		delete(made, c.function)
	}
	for function, where := range made {
		t.Errorf("%s calls %s, which is not in the table of calls", where, function)
	}
	for _, s := range scopes {
		if !slices.Contains(used, s.name) {
			t.Errorf("no call and no event needs %s", s.name)
		}
	}
}

// callsMade finds the names of the client's methods that this package's code calls.
func callsMade(t *testing.T) map[string]string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && strings.HasSuffix(f.Sel.Name, "Context") {
				if _, ok := reflect.TypeFor[*api.Client]().MethodByName(f.Sel.Name); ok {
					made[f.Sel.Name] = name
				}
			}
			return true
		})
	}
	return made
}

func TestMissingScopes(t *testing.T) {
	all := "app_mentions:read,chat:write,commands,im:history,im:write,channels:history,groups:history,mpim:history,channels:read,groups:read"
	for _, test := range []struct {
		granted        string
		missing, extra []string
	}{
		{all, nil, nil},
		{all + ",assistant:write", nil, nil},
		{strings.ReplaceAll(all, ",", ", "), nil, nil},
		{all + ",files:write", nil, []string{"files:write"}},
		{strings.Replace(all, "chat:write,", "", 1), []string{"chat:write"}, nil},
		{strings.Replace(all, "groups:history,", "", 1), nil, nil}, // less is lost, and the operator may want it so
		{"", nil, nil}, // Slack said nothing
	} {
		if diff := cmp.Diff(test.missing, missingScopes(test.granted)); diff != "" {
			t.Errorf("%q: missing\n%s", test.granted, diff)
		}
		if got := extraScopes(test.granted); !slices.Equal(got, test.extra) {
			t.Errorf("%q: extra %q, want %q", test.granted, got, test.extra)
		}
	}
}
