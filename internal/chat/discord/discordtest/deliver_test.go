package discordtest

import (
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"
)

// endpoint is a bot that takes interactions over HTTP, and answers each with body.
func endpoint(t *testing.T, s *Server, body string) {
	t.Helper()
	key, err := hex.DecodeString(s.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/discord/interactions" || !discordgo.VerifyInteraction(r, ed25519.PublicKey(key)) {
			http.Error(w, "invalid request signature", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(web.Close)
	s.HTTP = &Endpoint{BaseURL: web.URL}
}

func TestDeliversOverHTTP(t *testing.T) {
	s := New(t)
	endpoint(t, s, `{"type":4,"data":{"content":"at once","allowed_mentions":{"parse":[]}}}`)
	act := s.Send(s.Ask(Alice, General, "?", false))
	if m := s.Replies(act); len(m) != 1 || m[0].Plain() != "at once" {
		t.Errorf("%+v", m)
	}
	if len(s.Latencies()) != 1 || !has(s.Env(), "DISCORD_PUBLIC_KEY=") {
		t.Error(s.Latencies(), s.Env())
	}
}

// The response over HTTP is held against the same rules as a callback.
func TestChecksResponsesOverHTTP(t *testing.T) {
	s := New(t)
	s.Tolerate = true
	endpoint(t, s, `{"type":4,"data":{"content":"@everyone"}}`)
	s.Send(s.Ask(Alice, General, "?", false))
	for _, want := range []string{"allowed_mentions", "@everyone"} {
		if !has(s.Violations(), want) {
			t.Errorf("no %q in %q", want, s.Violations())
		}
	}
}

func TestSpoilsDeliveries(t *testing.T) {
	s := New(t)
	endpoint(t, s, `{"type":1}`)
	other := make([]byte, ed25519.SeedSize)
	for _, c := range []struct {
		name  string
		spoil Spoil
		want  int
	}{
		{"well", Spoil{}, 200},
		{"padded", Spoil{Pad: 100}, 200},
		{"an hour old, which the library takes", Spoil{Skew: -time.Hour}, 200},
		{"no signature", Spoil{Signature: "-"}, 401},
		{"a wrong signature", Spoil{Signature: "00"}, 401},
		{"another key", Spoil{Key: other}, 401},
		{"changed after signing", Spoil{After: " "}, 401},
		{"elsewhere", Spoil{Path: "/"}, 401},
	} {
		r, err := s.Deliver(timely(t), s.Ping(), c.spoil)
		if err != nil || r.Status != c.want {
			t.Errorf("%s: %d %v, want %d", c.name, r.Status, err, c.want)
		}
		if c.want == 200 && r.JSON()["type"] != 1.0 {
			t.Errorf("%s: %s", c.name, r.Body)
		}
	}
}
