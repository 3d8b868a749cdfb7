package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/kb"
	"citebot/internal/kb/embed"
	"citebot/internal/kb/qdrant"
	"citebot/internal/kb/qdrant/qdranttest"
	"citebot/internal/ledger"

	"github.com/google/go-cmp/cmp"
)

// runBot runs a command in this process.
func runBot(t *testing.T, env func(string) string, args ...string) (code int, out, problems string) {
	t.Helper()
	var o, p bytes.Buffer
	code = run(t.Context(), args, env, streams{strings.NewReader(""), &o, &p})
	return code, o.String(), p.String()
}

const doctoredConfig = "slack: {channels: {C01: {}}}\ndiscord: {channels: {" + discordtest.Help + ": {auto_answer: true}}}\n"

// doctored runs bot doctor and returns its findings by what they are about.
func doctored(t *testing.T, pairs ...string) (code int, found map[string]diagnosis) {
	t.Helper()
	code, out, problems := runBot(t, environment(pairs...), "doctor", "--json", "--config", write(t, "bot.yaml", doctoredConfig))
	if problems != "" || strings.Contains(out, "hush") {
		t.Errorf("%s%s", out, problems)
	}
	found = map[string]diagnosis{}
	for line := range strings.Lines(out) {
		var d diagnosis
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if old, ok := found[d.What]; ok {
			d.Detail = old.Detail + "\n" + d.Detail
		}
		found[d.What] = d
	}
	return code, found
}

// workspace is a Slack in which all is well but that the bot is not in the channel.
func workspace(t *testing.T) (apiURL string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-OAuth-Scopes", "chat:write")
		switch r.URL.Path {
		case "/api/auth.test":
			fmt.Fprint(w, `{"ok":true,"team":"Tarn","user":"citebot","bot_id":"B1"}`)
		case "/api/conversations.info":
			fmt.Fprint(w, `{"ok":true,"channel":{"id":"C01","name":"help"}}`)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/api"
}

func TestDoctorWithoutAnything(t *testing.T) {
	docs := filepath.Dir(write(t, "returns.md", "# Returns\n\nYou have 30 days.\n"))
	state := filepath.Join(t.TempDir(), "a", "b")
	code, found := doctored(t, "BOT_DOCS", docs, "BOT_STATE", state, "BOT_HTTP", "127.0.0.1:0")
	for what, want := range map[string]diagnosis{
		"configuration": {State: "ok"},
		"documents":     {State: "ok", Detail: "1 document with 1 passage in " + docs},
		"model":         {State: "ok", Detail: "built in"},
		"state folder":  {State: "ok", Detail: "will be made"},
		"ledger":        {State: "ok", Detail: "nothing recorded yet"},
		"web address":   {State: "ok", Detail: "is free"},
		"source links":  {State: "ok", Detail: "http://127.0.0.1:0"},
		"Slack":         {State: "off", Detail: "bot.yaml has rules for it, but SLACK_BOT_TOKEN is not set"},
		"Discord":       {State: "off", Detail: "bot.yaml has rules for it, but DISCORD_TOKEN is not set"},
		"Qdrant":        {State: "off", Detail: "QDRANT_URL is not set; vectors are kept in this process"},
		"LLM":           {State: "off"},
	} {
		if got := found[what]; got.State != want.State || !strings.Contains(got.Detail, want.Detail) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if _, err := os.Stat(state); code != exitOK || err == nil {
		t.Errorf("exit code %d; the state folder was made: %v", code, err == nil)
	}
}

func TestDoctorFindsProblems(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := write(t, "a-file", "")
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "ledger.db"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		env  []string
		want diagnosis // parts of a finding
	}{
		{"configuration", []string{"BOT_LANGUAGE", "", "BOT_HTTP", "8080"}, diagnosis{"configuration", "problem", "BOT_HTTP", "write host:port"}},
		{"swapped tokens", []string{"SLACK_BOT_TOKEN", "xapp-hush"}, diagnosis{"configuration", "problem", "holds an app-level token", ""}},
		{"swapped tokens, Slack", []string{"SLACK_BOT_TOKEN", "xapp-hush"}, diagnosis{"Slack", "warn", "was not tried", "configuration"}},
		{"no documents folder", []string{"BOT_DOCS", "nowhere"}, diagnosis{"documents", "problem", "nowhere: no such folder", "make it"}},
		{"documents folder is a file", []string{"BOT_DOCS", file}, diagnosis{"documents", "problem", "cannot be read", "make it a folder"}},
		{"no documents", nil, diagnosis{"documents", "warn", "holds no document", "put some there"}},
		{"a broken document", []string{"BOT_DOCS", filepath.Dir(write(t, "a.md", "---\nupdated: [\n---\ntext\n"))}, diagnosis{"documents", "warn", "1 more cannot be read", "bot check"}},
		{"state folder is a file", []string{"BOT_STATE", file}, diagnosis{"state folder", "problem", "cannot be written", "BOT_STATE"}},
		{"damaged ledger", []string{"BOT_STATE", damaged}, diagnosis{"ledger", "problem", "ledger.db", "start the bot"}},
		{"taken port", []string{"BOT_HTTP", taken.Addr().String()}, diagnosis{"web address", "problem", taken.Addr().String(), "free port"}},
		{"open to all", []string{"BOT_HTTP", "0.0.0.0:0"}, diagnosis{"source links", "problem", "BOT_TOKEN", "BOT_TOKEN"}},
		{"links to here", slackIn(t), diagnosis{"source links", "warn", "people in Slack cannot open their sources", "BOT_PUBLIC_URL"}},
		{"Slack", slackIn(t), diagnosis{"Slack token", "ok", "workspace Tarn, bot @citebot", ""}},
		{"Slack's scopes", slackIn(t), diagnosis{"Slack scopes", "warn", "missing: app_mentions:read", "Add an OAuth Scope"}},
		{"Slack's channels", slackIn(t), diagnosis{"Slack C01", "problem", "@citebot is not in #help", "/invite"}},
		{"swapped Discord secrets", []string{"DISCORD_TOKEN", "xoxb-hush"}, diagnosis{"configuration", "problem", "DISCORD_TOKEN holds a bot token (xoxb-…) of Slack", ""}},
		{"swapped Discord secrets, Discord", []string{"DISCORD_TOKEN", "xoxb-hush"}, diagnosis{"Discord", "warn", "was not tried", "configuration"}},
		{"links from Discord to here", guildIn(t), diagnosis{"source links", "warn", "people in Discord cannot open their sources", "BOT_PUBLIC_URL"}},
		{"links from both to here", append(guildIn(t), slackIn(t)...), diagnosis{"source links", "warn", "people in Slack and Discord cannot open", "BOT_PUBLIC_URL"}},
		{"Discord", guildIn(t), diagnosis{"Discord token", "ok", "of the app Citebot", ""}},
		{"Discord's intent", guildIn(t), diagnosis{"Discord intents", "problem", "needs Message Content", "Message Content Intent"}},
		{"Discord's channels", guildIn(t), diagnosis{"Discord channel", "ok", "#help in Citebot HQ", ""}},
		{"Discord over HTTP", guildOverHTTP(t), diagnosis{"Discord HTTP", "problem", "does not know where", "https://bot.example.com/discord/interactions"}},
		{"Qdrant away", []string{"QDRANT_URL", "http://127.0.0.1:1"}, diagnosis{"Qdrant server", "problem", "127.0.0.1:1: it cannot be reached", "start it"}},
		{"Qdrant", qdrantIn(t), diagnosis{"Qdrant collection", "ok", "citebot_", ""}},
		{"Qdrant's key", qdrantIn(t), diagnosis{"Qdrant key", "ok", "accepted", ""}},
		{"Qdrant's writer", qdrantIn(t), diagnosis{"Qdrant writer", "ok", "nobody", ""}},
		{"mistaken address of Qdrant", []string{"QDRANT_URL", "http://hush:hush@127.0.0.1"}, diagnosis{"configuration", "problem", "QDRANT_URL holds more than", "the key to QDRANT_API_KEY"}},
		{"mistaken address of Qdrant, Qdrant", []string{"QDRANT_URL", "http://hush:hush@127.0.0.1"}, diagnosis{"Qdrant", "warn", "was not tried", "configuration"}},
		{"Slack over HTTP", append(slackIn(t), "BOT_PUBLIC_URL", "https://bot.example.com/"), diagnosis{"Slack HTTP", "ok", "", "https://bot.example.com/slack/events"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			defaults := []string{"BOT_DOCS", t.TempDir(), "BOT_STATE", t.TempDir(), "BOT_HTTP", "127.0.0.1:0"}
			code, found := doctored(t, append(defaults, test.env...)...)
			got, want := found[test.want.What], test.want
			if got.State != want.State || !strings.Contains(got.Detail, want.Detail) || !strings.Contains(got.Remedy, want.Remedy) {
				t.Errorf("got %+v", got)
			}
			problems := 0
			for _, f := range found {
				if f.State == stateProblem {
					problems++
				}
			}
			if (code == exitError) != (problems > 0) {
				t.Errorf("exit code %d with %d problems", code, problems)
			}
		})
	}
}

// slackIn is the environment for a workspace, with events over HTTP.
func slackIn(t *testing.T) []string {
	return []string{"SLACK_BOT_TOKEN", "xoxb-hushhush", "SLACK_SIGNING_SECRET", "hushhush", "SLACK_API_URL", workspace(t)}
}

// guildIn is the environment for a Discord in which all is well but the intent.
func guildIn(t *testing.T) []string {
	fake := discordtest.New(t)
	return []string{"DISCORD_TOKEN", fake.Token, "DISCORD_API_URL", fake.URL()}
}

// guildOverHTTP is the same with commands over HTTP, of which Discord was not told.
func guildOverHTTP(t *testing.T) []string {
	fake := discordtest.New(t)
	return []string{"DISCORD_TOKEN", fake.Token, "DISCORD_API_URL", fake.URL(), "DISCORD_PUBLIC_KEY", fake.PublicKey(), "BOT_PUBLIC_URL", "https://bot.example.com/"}
}

// qdrantIn is the environment for a Qdrant with a key, in which there is nothing yet.
func qdrantIn(t *testing.T) []string {
	return []string{"QDRANT_URL", qdranttest.New(t, qdranttest.Options{APIKey: "hushhush"}).URL(), "QDRANT_API_KEY", "hushhush"}
}

// A bot knows its own lease by its state folder, and finds nothing where none has run.
func TestDoctorKnowsTheWriter(t *testing.T) {
	server := qdranttest.New(t, qdranttest.Options{})
	state := filepath.Join(t.TempDir(), "state")
	name, err := replicaName(state)
	if err != nil {
		t.Fatal(err)
	}
	model, err := embed.New()
	if err != nil {
		t.Fatal(err)
	}
	cfg := (&qdrantConfig{URL: server.URL()}).store(model)
	cfg.Holder = name
	store, err := qdrant.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Put(t.Context(), []kb.Vector{{Key: "a", Audience: "public", Values: make([]float32, model.Dim())}}); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{state: "this bot, " + name, t.TempDir(): "another bot, " + name} {
		_, found := doctored(t, "BOT_DOCS", t.TempDir(), "BOT_STATE", at, "BOT_HTTP", "127.0.0.1:0", "QDRANT_URL", server.URL())
		if got := found["Qdrant writer"]; got.State != stateOK || !strings.HasPrefix(got.Detail, want) {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

func TestDoctorWithoutQdrant(t *testing.T) {
	_, out, _ := runBot(t, environment("BOT_DOCS", t.TempDir(), "BOT_STATE", t.TempDir(), "BOT_HTTP", "127.0.0.1:0"),
		"doctor", "--config", write(t, "bot.yaml", "qdrant: {quantise: true}\n"))
	if want := "off      Qdrant            bot.yaml has settings for it, but QDRANT_URL is not"; !strings.Contains(out, want) {
		t.Errorf("not in it: %s\n%s", want, out)
	}
}

func TestDoctorReadsTheLedger(t *testing.T) {
	state := t.TempDir()
	l, err := ledger.Open(t.Context(), filepath.Join(state, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, found := doctored(t, "BOT_DOCS", t.TempDir(), "BOT_STATE", state, "BOT_HTTP", "127.0.0.1:0")
	if want := "records since " + l.Begun().Local().Format("2006-01-02"); found["ledger"].Detail != want {
		t.Errorf("%+v", found["ledger"])
	}
}

func TestDoctorOnATerminal(t *testing.T) {
	say, out, _ := screen()
	say.width = 60
	for _, d := range []diagnosis{
		{"documents", stateOK, "36 documents with 348 passages in kb-docs", ""},
		{"Slack C0HELP", stateProblem, "@citebot is not in #customer-\x1b[2Jcare and so does not hear what is said there", "in Slack, type in #customer-care: /invite @citebot"},
	} {
		if err := say.finding(d, false); err != nil {
			t.Fatal(err)
		}
	}
	pages := clicks{}
	pages.note(diagnosis{What: "Slack token", Remedy: "copy it again: OAuth & Permissions → Bot User OAuth Token"})
	pages.note(diagnosis{What: "Discord channel", Remedy: "in Discord: help → Edit Channel → Permissions"}) // no page of an app
	say.verdict(1, 2, pages.explained())
	want := `ok       documents         36 documents with 348 passages in
                           kb-docs
problem  Slack C0HELP      @citebot is not in
                           #customer-[2Jcare and so does not
                           hear what is said there
                           → in Slack, type in
                             #customer-care: /invite
                             @citebot

OAuth & Permissions and other names before a → are pages of
the Slack app's settings: https://api.slack.com/apps
1 problem, 2 warnings.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyHere(t *testing.T) {
	for address, want := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://localhost:1": true, "http://[::1]:8080": true, "http://0.0.0.0:80": true, "http://:80": true,
		"https://bot.example.com": false, "http://10.0.0.7:8080": false, "http://bot:8080/": false,
	} {
		if got := onlyHere(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
