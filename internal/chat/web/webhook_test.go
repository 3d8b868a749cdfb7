package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A webhook is reached by whoever knows its path, under any name; nothing beside it is.
func TestWebhooksCheckTheirCallersThemselves(t *testing.T) {
	cfg := newShop().config()
	cfg.Addr, cfg.PublicURL, cfg.Token = "0.0.0.0:8080", "https://bot.example.com", testToken
	cfg.Webhooks = map[string]http.Handler{"/hook/events": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "taken: ", r.Method)
	})}
	s := newTestServer(t, cfg)
	for _, c := range []struct {
		method, path, host string
		want               int
	}{
		{"POST", "/hook/events", "anything.example", 200},
		{"POST", "/hook/events?a=b", "bot.example.com", 200},
		{"GET", "/hook/events", "bot.example.com", 200}, // its own business
		{"POST", "/hook/events/", "bot.example.com", 401},
		{"POST", "/hook/events/../../api/ask", "bot.example.com", 401},
		{"GET", "/hook//events/../../api/documents", "bot.example.com", 401},
		{"POST", "/hook/Events", "bot.example.com", 401},
		{"POST", "/api/ask", "bot.example.com", 401},
		{"POST", "/hook/other", "anything.example", 403},
	} {
		r := httptest.NewRequest(c.method, "http://"+c.host+c.path, nil)
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s on %s: %d, want %d\n%s", c.method, c.path, c.host, w.Code, c.want, w.Body)
		}
	}
}
