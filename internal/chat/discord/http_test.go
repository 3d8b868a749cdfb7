package discord

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat/discord/discordtest"
)

func TestInteractionsOverHTTP(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	m := f.reply(act, `to "how long?"`)
	f.idle()
	f.Send(f.Click(discordtest.Bob, m, idGood))
	f.whisper(discordtest.Bob, sayThanks)
	f.Send(f.Ask(discordtest.Bob, discordtest.General, "and in private?", true))
	f.whisper(discordtest.Bob, "and in private?")
	f.reply(f.Send(f.Mention(discordtest.Alice, discordtest.General, "over the gateway?")), "over the gateway?")
	f.idle()
	f.replies(act, 1)
}

// Without a gateway commands are answered all the same.
func TestInteractionsOverHTTPAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.Misbehave(-1, discordtest.Mischief{Refuse: 503})
	f.begin()
	f.reply(f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false)), `to "how long?"`)
	f.wait("the gateway to be missed", func() bool { connected, problem := f.discord.Ready(); return connected && problem != "" })
}

// What Discord did not sign just now is turned away, and nothing of it is kept.
func TestInteractionsOverHTTPAreVerified(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	ping, err := f.Deliver(f.ctx, f.Ping(), discordtest.Spoil{})
	if err != nil || ping.Status != http.StatusOK || strings.TrimSpace(ping.Body) != `{"type":1}` {
		t.Errorf("PING: %+v, %v", ping, err)
	}
	for name, test := range map[string]struct {
		spoil discordtest.Spoil
		want  int
	}{
		"signed by another": {discordtest.Spoil{Key: make([]byte, ed25519.SeedSize)}, http.StatusUnauthorized},
		"no signature":      {discordtest.Spoil{Signature: "-"}, http.StatusUnauthorized},
		"an hour old":       {discordtest.Spoil{Skew: -time.Hour}, http.StatusUnauthorized},
		"from the future":   {discordtest.Spoil{Skew: time.Hour}, http.StatusUnauthorized},
		"too long":          {discordtest.Spoil{Pad: 2 << 20}, http.StatusRequestEntityTooLarge},
		"changed since":     {discordtest.Spoil{After: " "}, http.StatusUnauthorized},
		"no time":           {discordtest.Spoil{Timestamp: "soon"}, http.StatusUnauthorized},
		"no interaction":    {discordtest.Spoil{Body: "[]"}, http.StatusBadRequest},
		"a form":            {discordtest.Spoil{ContentType: "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
		"a GET":             {discordtest.Spoil{Method: http.MethodGet}, http.StatusMethodNotAllowed},
	} {
		got, err := f.Deliver(f.ctx, f.Ask(discordtest.Alice, discordtest.General, "how long? "+name, false).Events[0], test.spoil)
		if err != nil || got.Status != test.want {
			t.Errorf("%s: %+v, %v; want %d", name, got, err, test.want)
		}
	}
	left, err := f.ledger.History(t.Context(), f.discord.place(interaction{GuildID: discordtest.Guild, ChannelID: discordtest.General}), 0, time.Time{}, 10)
	if err != nil || len(left) > 0 {
		t.Errorf("kept: %+v, %v", left, err)
	}
}

// The same interaction again has had its response.
func TestInteractionOverHTTPTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	f.reply(act, "how long?")
	f.idle()
	if again, err := f.Deliver(f.ctx, act.Events[0], discordtest.Spoil{}); err != nil || again.Status == http.StatusOK {
		t.Errorf("%+v, %v", again, err)
	}
	f.replies(act, 1)
}
