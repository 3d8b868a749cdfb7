package slack

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"citebot/internal/chat/slack/slacktest"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

const (
	testBotToken = "xoxb-1-hushhush"
	testAppToken = "xapp-1-hushhush"
	testTicket   = "ticket-hushhush"

	allScopes = "app_mentions:read,chat:write,commands,im:history,im:write,channels:history,groups:history,mpim:history," +
		"channels:read,groups:read,assistant:write"
)

// A fakeAPI answers each method with a fixed text. In the answers, SOCKET is the address of
// a socket that says hello with the fake's own words.
type fakeAPI struct {
	scopes  string
	hello   string
	answers map[string]string // by method, channels by method and id
	status  int               // of every answer; 0: 200
}

// goodAPI is a workspace in which all is well.
func goodAPI() fakeAPI {
	return fakeAPI{
		scopes: allScopes,
		hello:  `{"type":"hello","num_connections":2}`,
		answers: map[string]string{
			"auth.test":                 `{"ok":true,"team":"Tarn & Thistle","user":"citebot","user_id":"U1","team_id":"T1","bot_id":"B1"}`,
			"apps.connections.open":     `{"ok":true,"url":"SOCKET"}`,
			"conversations.info C01":    `{"ok":true,"channel":{"id":"C01","name":"help","is_member":true}}`,
			"conversations.info C0HELP": `{"ok":true,"channel":{"id":"C0HELP","name":"care","is_member":true}}`,
		},
	}
}

// with is the fake with other answers.
func (f fakeAPI) with(pairs ...string) fakeAPI {
	f.answers = maps.Clone(f.answers)
	for i := 0; i < len(pairs); i += 2 {
		f.answers[pairs[i]] = pairs[i+1]
	}
	return f
}

func (f fakeAPI) start(t *testing.T) string {
	server := httptest.NewServer(nil)
	t.Cleanup(server.Close)
	socket := "ws" + strings.TrimPrefix(server.URL, "http") + "/link?" + testTicket
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/{method}", func(w http.ResponseWriter, r *http.Request) {
		method := r.PathValue("method")
		if channel := r.FormValue("channel"); channel != "" {
			method += " " + channel
		}
		w.Header().Set("X-OAuth-Scopes", f.scopes)
		if f.status != 0 {
			w.WriteHeader(f.status)
		}
		fmt.Fprint(w, strings.Replace(f.answers[method], "SOCKET", socket, 1))
	})
	mux.HandleFunc("/link", func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		if err := conn.WriteMessage(websocket.TextMessage, []byte(f.hello)); err == nil {
			conn.ReadMessage() // until the other side closes
		}
	})
	server.Config.Handler = mux
	return server.URL + "/api/"
}

func examined(t *testing.T, f fakeAPI, change func(*Config)) []Finding {
	t.Helper()
	cfg := Config{
		BotToken: testBotToken, AppToken: testAppToken, APIURL: f.start(t),
		Rules: Rules{
			Person:   Person{ID: "S01", Channel: "C0HELP"},
			Channels: map[string]Channel{"C01": {Audience: []string{"public", "staff"}}},
		},
	}
	if change != nil {
		change(&cfg)
	}
	found := Examine(t.Context(), cfg)
	for _, f := range found {
		if text := fmt.Sprint(f); strings.Contains(text, "hush") {
			t.Errorf("a secret is shown: %s", text)
		}
		if (f.State == StateProblem) && f.Remedy == "" {
			t.Errorf("no remedy: %+v", f)
		}
	}
	return found
}

func TestExamineWhenAllIsWell(t *testing.T) {
	want := []Finding{
		{"Slack token", "ok", "workspace Tarn & Thistle, bot @citebot", ""},
		{"Slack scopes", "ok", "all 10 that the bot needs", ""},
		{"Slack socket", "ok", "connected", ""},
		{"Slack C01", "ok", "#help, documents for public and staff", ""},
		{"Slack C0HELP", "ok", "#care, documents for public", ""},
	}
	if diff := cmp.Diff(want, examined(t, goodAPI(), nil)); diff != "" {
		t.Error(diff)
	}
}

// The same against the fake that all of this package is tested with, which holds every
// call against the vendor's rules.
func TestExamineAWorkspace(t *testing.T) {
	fake := slacktest.New(t)
	fake.Scopes = nil
	for _, s := range scopes {
		fake.Scopes = append(fake.Scopes, s.name)
	}
	staff := Channel{Audience: []string{"public", "staff"}}
	got := map[string]string{}
	for _, f := range Examine(t.Context(), Config{
		BotToken: fake.BotToken, AppToken: fake.AppToken, APIURL: fake.APIURL(),
		Rules: Rules{Channels: map[string]Channel{slacktest.General: staff, slacktest.Shared: staff, "C0NOWHERE": {}}},
	}) {
		got[f.What] = f.State
	}
	want := map[string]string{
		whatToken: StateOK, whatScopes: StateOK, whatSocket: StateOK,
		"Slack " + slacktest.General: StateOK, "Slack " + slacktest.Shared: StateWarn, "Slack C0NOWHERE": StateProblem,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each thing that can be wrong is told, with what to do about it.
func TestExamineTells(t *testing.T) {
	refused := func(reason string) string { return fmt.Sprintf(`{"ok":false,"error":%q}`, reason) }
	shared := `{"ok":true,"channel":{"id":"C01","name":"partners","is_member":true,"is_ext_shared":true}}`
	for _, test := range []struct {
		name   string
		fake   fakeAPI
		change func(*Config)
		want   Finding // its texts are parts of what is told
	}{
		{"mistyped token", goodAPI().with("auth.test", refused("invalid_auth")), nil,
			Finding{"Slack token", "problem", "does not know this SLACK_BOT_TOKEN", "copy it again: OAuth & Permissions → Bot User OAuth Token"}},
		{"removed app", goodAPI().with("auth.test", refused("account_inactive")), nil,
			Finding{"Slack token", "problem", "SLACK_BOT_TOKEN was revoked, or the app was removed", "Install App → Reinstall to Workspace"}},
		{"revoked app token", goodAPI().with("apps.connections.open", refused("token_revoked")), nil,
			Finding{"Slack socket", "problem", "SLACK_APP_TOKEN was revoked", "App-Level Tokens → Generate"}},
		{"expired token", goodAPI().with("auth.test", refused("token_expired")), nil,
			Finding{"Slack token", "problem", "rotates", "deploy/slack-manifest.yaml"}},
		{"wrong kind", goodAPI().with("apps.connections.open", refused("not_allowed_token_type")), nil,
			Finding{"Slack socket", "problem", "SLACK_APP_TOKEN holds a token of another kind", "App-Level Tokens"}},
		{"app token without its scope", goodAPI().with("apps.connections.open", `{"ok":false,"error":"missing_scope","needed":"connections:write"}`), nil,
			Finding{"Slack socket", "problem", "lacks the scope connections:write", "with the scope connections:write"}},
		{"a member's token", goodAPI().with("auth.test", `{"ok":true,"user":"anna","team":"T"}`), nil,
			Finding{"Slack token", "problem", "the member anna", "Bot User OAuth Token"}},
		{"something new", goodAPI().with("auth.test", refused("moon_phase")), nil,
			Finding{"Slack token", "problem", "answers auth.test with moon_phase", "https://docs.slack.dev/reference/methods/auth.test"}},
		{"a scope that it cannot do without", goodAPI().scoped("chat:write,", ""), nil,
			Finding{"Slack scopes", "problem", "missing: chat:write (to answer", "Add an OAuth Scope → each, then Install App → Reinstall"}},
		{"a scope that it can do without", goodAPI().scoped("channels:history,", ""), nil,
			Finding{"Slack scopes", "warn", "missing: channels:history (without it, in public channels it must be named", "Add an OAuth Scope → each that you want"}},
		{"a scope too many", goodAPI().scoped("commands", "commands,files:write"), nil,
			Finding{"Slack scopes", "warn", "never uses files:write", "remove"}},
		{"no scopes told", goodAPI().scoped(allScopes, ""), nil,
			Finding{"Slack scopes", "warn", "did not say", ""}},
		{"Socket Mode is off", fakeAPI{scopes: allScopes, hello: `{"type":"disconnect","reason":"link_disabled"}`, answers: goodAPI().answers}, nil,
			Finding{"Slack socket", "problem", "off in the app's settings", "Socket Mode → Enable Socket Mode"}},
		{"too many sockets", fakeAPI{scopes: allScopes, hello: `{"type":"hello","num_connections":10}`, answers: goodAPI().answers}, nil,
			Finding{"Slack socket", "warn", "all 10 connections", "SLACK_APP_TOKEN"}},
		{"no socket there", goodAPI().with("apps.connections.open", `{"ok":true,"url":"ws://127.0.0.1:1/link?ticket=hushhush"}`), nil,
			Finding{"Slack socket", "problem", "connection refused", "WebSocket"}},
		{"no address of a socket", goodAPI().with("apps.connections.open", `{"ok":true,"url":"wss://%zz/?ticket=hushhush"}`), nil,
			Finding{"Slack socket", "problem", "was not made", "WebSocket"}},
		{"over HTTP", goodAPI(), func(c *Config) { c.AppToken, c.SigningSecret = "", "hushhush" },
			Finding{"Slack HTTP", "ok", "must reach the bot", "https://your-host/slack/events"}},
		{"neither way", goodAPI(), func(c *Config) { c.AppToken = "" },
			Finding{"Slack HTTP", "problem", "neither", "SLACK_APP_TOKEN"}},
		{"unknown channel", goodAPI().with("conversations.info C01", refused("channel_not_found")), nil,
			Finding{"Slack C01", "problem", "no such channel, or it is private and @citebot is not in it", "/invite @citebot"}},
		{"not a member", goodAPI().with("conversations.info C01", `{"ok":true,"channel":{"id":"C01","name":"help"}}`), nil,
			Finding{"Slack C01", "problem", "@citebot is not in #help", "in #help: /invite @citebot"}},
		{"archived", goodAPI().with("conversations.info C01", `{"ok":true,"channel":{"id":"C01","name":"help","is_archived":true}}`), nil,
			Finding{"Slack C01", "problem", "#help is archived", "bot.yaml"}},
		{"shared outside, with staff documents", goodAPI().with("conversations.info C01", shared), nil,
			Finding{"Slack C01", "warn", "#partners is shared with another organisation", "audience: [public]"}},
		{"shared outside, with public ones", goodAPI().with("conversations.info C01", shared), func(c *Config) { c.Rules.Channels["C01"] = Channel{} },
			Finding{"Slack C01", "ok", "#partners, documents for public", ""}},
		{"shared outside, with staff documents everywhere", goodAPI().with("conversations.info C01", shared),
			func(c *Config) { c.Rules.Channels["C01"], c.Rules.Audience = Channel{}, []string{"staff"} },
			Finding{"Slack C01", "warn", "not from those for staff", ""}},
		{"shared outside soon", goodAPI().with("conversations.info C01", strings.Replace(shared, "is_ext", "is_pending_ext", 1)), nil,
			Finding{"Slack C01", "warn", "not from those for staff", ""}},
		{"no look at channels", goodAPI().with("conversations.info C01", `{"ok":false,"error":"missing_scope","needed":"channels:read"}`), nil,
			Finding{"Slack C01", "warn", "channels:read", "Add an OAuth Scope → channels:read"}},
		{"Slack is down", fakeAPI{status: 503}, nil,
			Finding{"Slack token", "problem", "503", "https://slack-status.com"}},
		{"not Slack", fakeAPI{status: 404}, nil,
			Finding{"Slack token", "problem", "not Slack", "SLACK_API_URL"}},
		{"a proxy's page", goodAPI().with("auth.test", "<html>sign in</html>"), nil,
			Finding{"Slack token", "problem", "not Slack", "SLACK_API_URL"}},
		{"nobody there", goodAPI(), func(c *Config) { c.APIURL = "http://127.0.0.1:1/api/" },
			Finding{"Slack token", "problem", "connection refused", "SLACK_API_URL, http://127.0.0.1:1/api/"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := examined(t, test.fake, test.change)
			for _, got := range found {
				if got.What == test.want.What && got.State == test.want.State &&
					strings.Contains(got.Detail, test.want.Detail) && strings.Contains(got.Remedy, test.want.Remedy) {
					return
				}
			}
			t.Errorf("nothing like %+v in %+v", test.want, found)
		})
	}
}

// scoped is the fake with another header.
func (f fakeAPI) scoped(old, new string) fakeAPI {
	f.scopes = strings.Replace(f.scopes, old, new, 1)
	return f
}

// A token that is refused says nothing about scopes and channels, but the other token is
// tried all the same.
func TestExamineGoesOn(t *testing.T) {
	var whats []string
	for _, f := range examined(t, goodAPI().with("auth.test", `{"ok":false,"error":"invalid_auth"}`), nil) {
		whats = append(whats, f.What+" "+f.State)
	}
	if diff := cmp.Diff([]string{"Slack token problem", "Slack socket ok"}, whats); diff != "" {
		t.Error(diff)
	}
}

// Where nobody answers, one finding says so.
func TestExamineOffline(t *testing.T) {
	if found := examined(t, goodAPI(), func(c *Config) { c.APIURL = "http://127.0.0.1:1/api/" }); len(found) != 1 {
		t.Errorf("%+v", found)
	}
}

func TestExamineWaitsForNobody(t *testing.T) {
	ctx := t.Context()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-ctx.Done():
		}
	}))
	defer server.Close()
	found := Examine(ctx, Config{BotToken: testBotToken, SigningSecret: "signing", APIURL: server.URL + "/api/", Client: &http.Client{Timeout: 1}})
	if !strings.Contains(found[0].Detail, "no answer within 10s") {
		t.Errorf("%+v", found)
	}
}

func TestHideSecrets(t *testing.T) {
	cfg := Config{BotToken: testBotToken, AppToken: testAppToken}
	got := hideSecrets("dial wss://wss-primary.slack.com/link/?ticket=hush as "+testBotToken+" or "+testAppToken, cfg)
	if got != "dial wss://… as … or …" {
		t.Error(got)
	}
}
