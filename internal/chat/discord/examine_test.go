package discord

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat/discord/discordtest"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

const (
	testToken = "MTE5.hush.hushhush"
	testKey   = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

	testGuild   = "131000000000000001"
	testChannel = "131000000000000011"
	testForum   = "131000000000000012"
	testHelp    = "131000000000000013"
	testRole    = "131000000000000021"
	testBot     = "131000000000000031"
	testMember  = "131000000000000032"
)

// A fakeAPI answers each path with a fixed text. In the answers, SOCKET is the address of a
// socket that says hello with the fake's own words.
type fakeAPI struct {
	hello   string
	answers map[string]string // by path
	status  int               // of every answer; 0: what the answer begins with, or 200
}

// goodAPI is a Discord in which all is well.
func goodAPI() fakeAPI {
	registered, err := json.Marshal(commands())
	if err != nil {
		panic(err) // of strings and numbers
	}
	return fakeAPI{
		hello: `{"op":10,"d":{"heartbeat_interval":41250}}`,
		answers: map[string]string{
			"/users/@me":                   `{"id":"131000000000000031","username":"citebot","bot":true}`,
			"/applications/@me":            `{"id":"131000000000000001","name":"Citebot","flags":524288,"verify_key":"` + testKey + `","interactions_endpoint_url":null}`,
			"/gateway/bot":                 `{"url":"SOCKET","shards":1,"session_start_limit":{"total":1000,"remaining":900,"reset_after":1000,"max_concurrency":1}}`,
			"/users/@me/guilds":            `[{"id":"131000000000000001","name":"Tarn & Thistle","permissions":"274877991936"}]`,
			"/channels/131000000000000011": `{"id":"131000000000000011","type":0,"name":"help","guild_id":"131000000000000001","permission_overwrites":[]}`,
			"/channels/131000000000000012": `{"id":"131000000000000012","type":15,"name":"questions","guild_id":"131000000000000001","permission_overwrites":[{"id":"131000000000000001","type":0,"allow":"0","deny":"2048"}]}`,
			"/channels/131000000000000013": `{"id":"131000000000000013","type":0,"name":"care","guild_id":"131000000000000001","permission_overwrites":[]}`,
			"/guilds/131000000000000001": `{"id":"131000000000000001","name":"Tarn & Thistle","owner_id":"9","roles":[
				{"id":"131000000000000001","name":"@everyone","permissions":"68608"},{"id":"5","name":"citebot","permissions":"274877991936"},
				{"id":"131000000000000021","name":"helpers","permissions":"0","mentionable":true}]}`,
			"/guilds/131000000000000001/members/131000000000000031": `{"roles":["5"]}`,
			"/guilds/131000000000000001/members/131000000000000032": `{"nick":"Anna","user":{"id":"131000000000000032","username":"anna"},"roles":[]}`,
			"/applications/131000000000000001/commands":             string(registered),
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

// changed is the fake with a part of an answer replaced.
func (f fakeAPI) changed(path, old, new string) fakeAPI {
	return f.with(path, strings.Replace(f.answers[path], old, new, 1))
}

// refusedWith is an answer with a status and Discord's code.
func refusedWith(status, code int) string {
	return fmt.Sprintf(`%d {"code":%d,"message":"No"}`, status, code)
}

func (f fakeAPI) start(t *testing.T) string {
	server := httptest.NewServer(nil)
	t.Cleanup(server.Close)
	socket := "ws" + strings.TrimPrefix(server.URL, "http") + "/socket"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v9/", func(w http.ResponseWriter, r *http.Request) {
		text, status := f.answers[strings.TrimPrefix(r.URL.Path, "/api/v9")], http.StatusOK
		if !json.Valid([]byte(text)) {
			fmt.Sscanf(text, "%d", &status)
			_, text, _ = strings.Cut(text, " ")
		}
		if f.status != 0 {
			status = f.status
		}
		w.WriteHeader(status)
		fmt.Fprint(w, strings.Replace(text, "SOCKET", socket, 1))
	})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
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
	return server.URL
}

func examined(t *testing.T, f fakeAPI, change func(*Config)) []Finding {
	t.Helper()
	cfg := Config{
		Token: testToken, APIURL: f.start(t),
		Rules: Rules{
			Person: Person{ID: testRole, Role: true, Channel: testHelp},
			Guilds: map[string]Guild{testGuild: {Audience: []string{"public", "staff"}}},
			Channels: map[string]Channel{
				testChannel: {AutoAnswer: true},
				testForum:   {Audience: []string{"public"}, Person: Person{ID: testMember, Channel: testHelp}},
			},
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
		if f.State != StateOK && f.Remedy == "" {
			t.Errorf("no remedy: %+v", f)
		}
	}
	return found
}

func TestExamineWhenAllIsWell(t *testing.T) {
	want := []Finding{
		{"Discord token", "ok", "bot @citebot of the app Citebot", ""},
		{"Discord intents", "ok", "Message Content is on, for auto_answer", ""},
		{"Discord gateway", "ok", "reachable", ""},
		{"Discord commands", "ok", "/ask, /sources, /kb, “Answer this”", ""},
		{"Discord server", "ok", "in Tarn & Thistle", ""},
		{"Discord channel", "ok", "#help in Tarn & Thistle, documents for public and staff, answers unasked", ""},
		{"Discord person", "ok", "@helpers in Tarn & Thistle", ""},
		{"Discord channel", "ok", "#questions in Tarn & Thistle, documents for public", ""},
		{"Discord person", "ok", "Anna in Tarn & Thistle", ""},
		{"Discord channel", "ok", "#care in Tarn & Thistle, documents for public and staff", ""},
	}
	if diff := cmp.Diff(want, examined(t, goodAPI(), nil)); diff != "" {
		t.Error(diff)
	}
}

// The same against the fake that all of this package is tested with, which holds every call
// against the vendor's schema and rules.
func TestExamineAServer(t *testing.T) {
	fake := discordtest.New(t)
	fake.PrivilegedContent, fake.InteractionsURL = true, "https://bot.example.com/discord/interactions"
	fake.Alter(discordtest.Help, func(c *discordtest.Channel) { c.NoSend = true })
	fake.AlterWorld(discordtest.Foreign, func(w *discordtest.World) { w.Everyone, w.BotGrants = discordtest.ViewChannel, 0 })
	got := map[string]string{}
	for _, f := range Examine(t.Context(), Config{
		Token: fake.Token, PublicKey: fake.PublicKey(), APIURL: fake.URL(),
		Rules: Rules{
			Person: Person{ID: discordtest.Helpers, Role: true},
			Channels: map[string]Channel{
				discordtest.Staff: {AutoAnswer: true}, discordtest.Help: {}, discordtest.Forum: {}, discordtest.Thread: {},
				discordtest.Lobby: {Person: Person{ID: discordtest.Alice}}, "1310000005000009999": {},
			},
		},
	}) {
		got[f.What+": "+f.Detail] = f.State
	}
	want := map[string]string{
		"Discord token: bot @citebot of the app Citebot":          StateOK,
		"Discord intents: Message Content is on, for auto_answer": StateOK,
		"Discord gateway: reachable":                              StateOK,
		"Discord HTTP: commands and buttons go to https://bot.example.com/discord/interactions; Discord must reach it from outside": StateOK,
		"Discord commands: none yet; the bot registers them when it starts":                                                         StateOK,
		"Discord server: in Citebot HQ, Partner":                                                                                    StateOK,
		"Discord channel: #staff in Citebot HQ, documents for public, answers unasked":                                              StateOK,
		"Discord channel: in #help in Citebot HQ the bot lacks Send Messages (to answer)":                                           StateProblem,
		"Discord channel: #questions in Citebot HQ, documents for public":                                                           StateOK,
		"Discord channel: #a thread in Citebot HQ, documents for public":                                                            StateOK,
		"Discord channel: there is no channel 1310000005000009999":                                                                  StateProblem,
		"Discord person: @helpers in Citebot HQ is named, but not notified":                                                         StateWarn,
		"Discord person: " + discordtest.Alice + " is no member of Partner, so nobody is called":                                    StateProblem,
	}
	for text := range got {
		if strings.HasPrefix(text, "Discord server: in Partner the bot lacks") || strings.HasPrefix(text, "Discord channel: in #lobby in Partner the bot lacks Send Messages") {
			delete(got, text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each thing that can be wrong is told, with what to do about it.
func TestExamineTells(t *testing.T) {
	const app, guild, gateway, channel, forum = "/applications/@me", "/guilds/" + testGuild, "/gateway/bot", "/channels/" + testChannel, "/channels/" + testForum
	const endpoint = `"interactions_endpoint_url":"https://bot.example.com/discord/interactions"`
	invite := inviteURL(testGuild) // the app has the same id
	withKey := func(c *Config) { c.PublicKey = strings.ToUpper(testKey) }
	for _, test := range []struct {
		name   string
		fake   fakeAPI
		change func(*Config)
		want   Finding // its texts are parts of what is told
	}{
		{"mistyped token", goodAPI().with("/users/@me", refusedWith(401, 0)), nil,
			Finding{whatToken, StateProblem, "does not know this DISCORD_TOKEN", "copy it again: Bot → Reset Token"}},
		{"something new", goodAPI().with("/users/@me", refusedWith(403, 40333)), nil,
			Finding{whatToken, StateProblem, "Discord says “No” (40333)", "https://discord.com/developers/docs/topics/opcodes-and-status-codes#json"}},
		{"Message Content is off", goodAPI().changed(app, "524288", "0"), nil,
			Finding{whatContent, StateProblem, "auto_answer in bot.yaml needs Message Content", "Bot → Privileged Gateway Intents → Message Content Intent"}},
		{"Message Content of a large bot", goodAPI().changed(app, "524288", "262144"), nil,
			Finding{whatContent, StateOK, "is on", ""}},
		{"Message Content is off, and not needed", goodAPI().changed(app, "524288", "0"), func(c *Config) { c.Rules.Channels = nil },
			Finding{whatContent, StateOK, "no privileged one", ""}},
		{"no gateway there", goodAPI().changed(gateway, "SOCKET", "ws://127.0.0.1:1/"), nil,
			Finding{whatGateway, StateProblem, "connection refused", "WebSocket"}},
		{"no address of a gateway", goodAPI().changed(gateway, "SOCKET", "wss://%zz/"), nil,
			Finding{whatGateway, StateProblem, "was not made", "WebSocket"}},
		{"no hello", fakeAPI{hello: `{"op":9}`, answers: goodAPI().answers}, nil,
			Finding{whatGateway, StateProblem, "instead of hello", "WebSocket"}},
		{"no sessions left", goodAPI().changed(gateway, "900", "0"), nil,
			Finding{whatGateway, StateProblem, "all 1000 sessions of a day", "DISCORD_TOKEN"}},
		{"too few shards", goodAPI().changed(gateway, `"shards":1`, `"shards":3`), nil,
			Finding{whatGateway, StateWarn, "3 connections", "discord.shards to 3"}},
		{"an address that the bot does not know of", goodAPI().changed(app, `"interactions_endpoint_url":null`, endpoint), nil,
			Finding{whatHTTP, StateProblem, "go to https://bot.example.com/discord/interactions, and none reaches the bot", "or set DISCORD_PUBLIC_KEY: General Information → Public Key"}},
		{"an address that Discord does not know of", goodAPI(), withKey,
			Finding{whatHTTP, StateProblem, "does not know where", "Interactions Endpoint URL, set https://your-host/discord/interactions"}},
		{"another app's key", goodAPI().changed(app, testKey, strings.Repeat("ab", 32)), withKey,
			Finding{whatHTTP, StateProblem, "not the key of the app Citebot", "General Information → Public Key"}},
		{"another path", goodAPI().changed(app, `"interactions_endpoint_url":null`, `"interactions_endpoint_url":"https://bot.example.com/"`), withKey,
			Finding{whatHTTP, StateWarn, "does not end in /discord/interactions", "https://your-host/discord/interactions"}},
		{"over HTTP", goodAPI().changed(app, `"interactions_endpoint_url":null`, endpoint), withKey,
			Finding{whatHTTP, StateOK, "https://bot.example.com/discord/interactions", ""}},
		{"no commands yet", goodAPI().with("/applications/"+testGuild+"/commands", "[]"), nil,
			Finding{whatCommands, StateOK, "none yet", ""}},
		{"other commands", goodAPI().with("/applications/"+testGuild+"/commands", `[{"type":1,"name":"old"},{"type":3,"name":"Older"}]`), nil,
			Finding{whatCommands, StateOK, "/old, “Older”; the bot brings them up to date", ""}},
		{"in no server", goodAPI().with("/users/@me/guilds", "[]"), nil,
			Finding{whatServer, StateProblem, "in no server", invite}},
		{"not in a server of the rules", goodAPI(), func(c *Config) { c.Rules.Guilds["131000000000000002"] = Guild{} },
			Finding{whatServer, StateProblem, "131000000000000002, and the bot is not in it", invite}},
		{"an administrator", goodAPI().changed("/users/@me/guilds", `"274877991936"`, `"8"`), nil,
			Finding{whatServer, StateWarn, "in Tarn & Thistle the bot is an administrator", "Administrator off"}},
		{"too little in a server", goodAPI().changed("/users/@me/guilds", `"274877991936"`, `"68608"`), nil,
			Finding{whatServer, StateWarn, "lacks, where no channel grants it: Send Messages in Threads (without it, questions in threads", invite}},
		{"staff documents for anybody", goodAPI().changed(app, `"flags"`, `"bot_public":true,"flags"`), func(c *Config) { c.Rules.Guilds, c.Rules.Audience = nil, []string{"public", "staff"} },
			Finding{whatServer, StateWarn, "anybody may invite the bot to a server of theirs, and is then answered from documents for staff", "Bot → Public Bot off"}},
		{"staff documents for anybody's messages", goodAPI().changed(app, `"flags"`, `"bot_public":true,"flags"`), func(c *Config) { c.Rules.Direct = []string{"board"} },
			Finding{whatServer, StateWarn, "from documents for board", "discord.direct"}},
		{"no invitation", goodAPI().changed(app, `"flags"`, `"bot_require_code_grant":true,"flags"`), nil,
			Finding{whatServer, StateWarn, "requires a code grant", "Requires OAuth2 Code Grant off"}},
		{"people are called in a forum", goodAPI(), func(c *Config) { c.Rules.Person.Channel = testForum },
			Finding{whatChannel, StateProblem, "#questions is a forum, where nobody can be called", "discord.person_channel"}},
		{"unknown channel", goodAPI().with(channel, refusedWith(404, 10003)), nil,
			Finding{whatChannel, StateProblem, "there is no channel " + testChannel, "Copy Channel ID"}},
		{"a channel that it may not see", goodAPI().with(channel, refusedWith(403, 50001)), nil,
			Finding{whatChannel, StateProblem, "may not see " + testChannel, "View Channel; or invite the bot: " + invite}},
		{"a direct message", goodAPI().with(channel, `{"id":"131000000000000011","type":1}`), nil,
			Finding{whatChannel, StateProblem, "is a direct message", "discord.direct"}},
		{"a category", goodAPI().changed(channel, `"type":0`, `"type":4`), nil,
			Finding{whatChannel, StateProblem, "help is a category", "name the channels"}},
		{"a channel without links", goodAPI().changed(channel, "[]", `[{"id":"5","type":0,"allow":"0","deny":"16384"}]`), nil,
			Finding{whatChannel, StateWarn, "in #help in Tarn & Thistle the bot lacks Embed Links (without it, the list of sources", "help → Edit Channel → Permissions"}},
		{"a channel where it is mute", goodAPI().changed(channel, "[]", `[{"id":"131000000000000031","type":1,"allow":"0","deny":"2048"}]`), nil,
			Finding{whatChannel, StateProblem, "the bot lacks Send Messages (to answer)", "Edit Channel"}},
		{"a forum where it is mute", goodAPI().changed(forum, `"2048"`, `"274877906944"`), nil,
			Finding{whatChannel, StateProblem, "in #questions in Tarn & Thistle the bot lacks Send Messages in Threads", "questions → Edit Channel"}},
		{"no such role", goodAPI(), func(c *Config) { c.Rules.Person.ID = "131000000000000029" },
			Finding{whatPerson, StateProblem, "no role 131000000000000029 in Tarn & Thistle", "Copy Role ID"}},
		{"the role of everyone", goodAPI(), func(c *Config) { c.Rules.Person.ID = testGuild },
			Finding{whatPerson, StateProblem, "everyone in Tarn & Thistle", "the role of those who help"}},
		{"a role that is not notified", goodAPI().changed(guild, `"mentionable":true`, `"mentionable":false`), nil,
			Finding{whatPerson, StateWarn, "@helpers in Tarn & Thistle is named, but not notified", "helpers → Allow anyone to @mention this role"}},
		{"a role that the bot may mention all the same", goodAPI().changed(guild, `"mentionable":true`, `"mentionable":false`).changed(guild, `"68608"`, `"199680"`), nil,
			Finding{whatPerson, StateOK, "@helpers", ""}},
		{"a role of another server than where it is called", goodAPI(), func(c *Config) {
			c.Rules.Channels[testHelp] = Channel{}
			c.Rules.Guilds["131000000000000002"] = Guild{Person: Person{ID: "131000000000000028", Role: true, Channel: testHelp}}
		}, Finding{whatPerson, StateProblem, "no role 131000000000000028 in Tarn & Thistle", "bot.yaml"}},
		{"a member who left", goodAPI().with(guild+"/members/"+testMember, refusedWith(404, 10007)), nil,
			Finding{whatPerson, StateProblem, testMember + " is no member of Tarn & Thistle", "Copy User ID"}},
		{"Discord is down", fakeAPI{status: 503}, nil,
			Finding{whatToken, StateProblem, "503", "https://discordstatus.com"}},
		{"not Discord", fakeAPI{status: 404}, nil,
			Finding{whatToken, StateProblem, "not Discord", "DISCORD_API_URL"}},
		{"a proxy's page", goodAPI().with("/users/@me", "200 <html>sign in</html>"), nil,
			Finding{whatToken, StateProblem, "not Discord", "DISCORD_API_URL"}},
		{"too many calls", goodAPI().with("/users/@me", `429 {"message":"slow down","retry_after":600,"global":true}`), nil,
			Finding{whatToken, StateWarn, "no more calls for 10m0s", "try again then"}},
		{"nobody there", goodAPI(), func(c *Config) { c.APIURL = "http://127.0.0.1:1" },
			Finding{whatToken, StateProblem, "connection refused", "DISCORD_API_URL, http://127.0.0.1:1: it must be reachable"}},
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

// Where the token is refused or nobody answers, one finding says so.
func TestExamineStops(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"offline": func(c *Config) { c.APIURL = "http://127.0.0.1:1" },
		"refused": nil,
	} {
		if found := examined(t, goodAPI().with("/users/@me", refusedWith(401, 0)), change); len(found) != 1 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// Discord's word to come later is heeded, where that is soon.
func TestExamineWaits(t *testing.T) {
	fake := discordtest.New(t)
	fake.Fail(discordtest.GetMe, 1, discordtest.RateLimited(50*time.Millisecond))
	found := Examine(t.Context(), Config{Token: fake.Token, APIURL: fake.URL()})
	if found[0].State != StateOK || fake.Calls(discordtest.GetMe) != 2 {
		t.Errorf("%+v after %d calls", found[0], fake.Calls(discordtest.GetMe))
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
	found := Examine(ctx, Config{Token: testToken, APIURL: server.URL, Client: &http.Client{Timeout: 1}})
	if len(found) != 1 || !strings.Contains(found[0].Detail, "no answer within 10s") {
		t.Errorf("%+v", found)
	}
}

// It posts nothing, begins no session and asks nothing twice.
func TestExamineLeavesNoTrace(t *testing.T) {
	fake := discordtest.New(t)
	rules := Rules{
		Person:   Person{ID: discordtest.Helpers, Role: true, Channel: discordtest.Help},
		Channels: map[string]Channel{discordtest.General: {}, discordtest.Forum: {}, discordtest.Thread: {}},
	}
	Examine(t.Context(), Config{Token: fake.Token, APIURL: fake.URL(), Rules: rules})
	if _, identified, resumed := fake.Sessions(); identified+resumed > 0 {
		t.Errorf("%d sessions", identified+resumed)
	}
	seen := map[string]bool{}
	for _, route := range fake.RoutesUsed() {
		for _, r := range fake.Requests(route) {
			if !strings.HasPrefix(r.Route, "GET ") || seen[r.Path] && r.Path != "/api/v9/channels/"+discordtest.General {
				t.Errorf("%s %s", r.Route, r.Path)
			}
			seen[r.Path] = true
		}
	}
	if len(seen) < 8 {
		t.Errorf("calls %v", seen)
	}
}

func TestHideSecrets(t *testing.T) {
	if got := hideSecrets("dial as "+testToken, Config{Token: testToken}); got != "dial as …" {
		t.Error(got)
	}
	if got := hideSecrets("as it is", Config{}); got != "as it is" {
		t.Error(got)
	}
}
