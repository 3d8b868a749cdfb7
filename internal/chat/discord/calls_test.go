package discord

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat/discord/discordtest"
)

// A lookup that hangs holds up its own channel alone.
func TestSlowLookup(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.within(20 * time.Second)
	f.begin()
	const unknown = "1301000000000000888"
	f.AddChannel(discordtest.Channel{ID: unknown, Name: "old thread", Type: discordtest.PublicThread, Guild: discordtest.Guild, Parent: discordtest.General, Owner: discordtest.Alice})
	f.Fail(discordtest.GetChannel, -1, discordtest.Fault{Delay: 2 * time.Second, Status: 500})
	for i := range 3 { // each is tried for longer than this test may take
		f.Send(f.Mention(discordtest.Alice, unknown, fmt.Sprint("slow? ", i)))
	}
	f.reply(f.Send(f.Mention(discordtest.Bob, discordtest.Help, "fast?")), "fast?")
	if n := len(f.Posts(unknown)); n > 0 {
		t.Errorf("a question elsewhere waits for %d that take long", n)
	}
}

// What a proxy says back of a request is no part of an error: an interaction's token is in it.
func TestTokenInErrors(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "cannot "+r.Method+" "+r.URL.Path+strings.Repeat(" blah", 2000), http.StatusInternalServerError)
	}))
	defer srv.Close()
	d, err := New(Config{Token: "abc.def", APIURL: srv.URL, Library: Library{Documents: func([]string) []Document { return nil }, Status: func([]string) Status { return Status{} }}, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.send(t.Context(), "PATCH", "/webhooks/1/secret-interaction-token/messages/@original", body{})
	if s := fmt.Sprint(err); strings.Contains(s, "secret-interaction-token") || len(s) > 2000 {
		t.Errorf("an error of %d characters with the token: %.300s", len(s), s)
	}
}

// A page in place of the gateway's address is no part of what is wrong with Discord.
func TestPageInPlaceOfTheGateway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Fail(discordtest.GetGateway, -1, discordtest.Fault{Status: http.StatusServiceUnavailable, HTML: true})
	f.start()
	f.wait("the problem", func() bool { _, problem := f.discord.Ready(); return strings.Contains(problem, "503") })
	if _, problem := f.discord.Ready(); strings.Contains(problem+f.log.String(), "<html") {
		t.Errorf("problem: %s\nlog: %s", problem, f.log)
	}
}

// A call that needs no token does not hide that the token was refused.
func TestTokenProblemFlaps(t *testing.T) {
	d := &Discord{cfg: Config{}, rest: Config{}.rest()}
	d.health.Down(problemToken, fatalCodes[4004], true)
	d.sending("POST /webhooks/1/tok", nil)
	if _, problem := d.Ready(); !strings.Contains(problem, "DISCORD_TOKEN") {
		t.Errorf("problem: %q", problem)
	}
}

// Interactions whose responses hang hold up no messages.
func TestSlowCallbacksBlockMessages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.within(20 * time.Second)
	f.alter = func(d *Discord) { d.turns = make(chan struct{}, 1) } // one after the other they take longer than this test may
	f.begin()
	f.Fail(discordtest.Callback, -1, discordtest.Fault{Delay: 5 * time.Second})
	for i := range 12 {
		f.Send(f.Sources(discordtest.Alice, discordtest.General, fmt.Sprint("x", i)))
	}
	f.reply(f.Send(f.Mention(discordtest.Bob, discordtest.Help, "fast?")), "fast?")
}

// One route that is forbidden holds up no other.
func TestOneForbiddenRouteHoldsAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.within(20 * time.Second) // shorter than what would be held
	f.begin()
	f.Fail(discordtest.TriggerTyping, 1, discordtest.Fault{Status: http.StatusForbidden, Channel: discordtest.General})
	f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	f.wait("typing", func() bool { return f.Calls(discordtest.TriggerTyping) > 0 })
	begun := time.Now()
	if _, err := f.AwaitReply(f.ctx, f.Send(f.Mention(discordtest.Bob, discordtest.Help, "fast?")), nil); err != nil {
		t.Errorf("held after %v", time.Since(begun))
	}
}

// A direct message has no rule of a channel's: nothing has to be asked about it.
func TestDirectMessageIsNotLookedUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.reply(f.Send(f.DM(discordtest.Alice, "how long?")), "how long?")
	if n := f.Calls(discordtest.GetChannel); n > 0 {
		t.Errorf("%d lookups", n)
	}
}
