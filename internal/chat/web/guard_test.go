package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const testToken = "correct-horse-battery-staple"

func privateServer(t *testing.T) *Server {
	t.Helper()
	cfg := newShop().config()
	cfg.Addr, cfg.PublicURL, cfg.Token = "0.0.0.0:8080", "https://bot.example.com", testToken
	return newTestServer(t, cfg)
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		says   string
	}{
		{func(c *Config) { c.Addr = "0.0.0.0:8080" }, "BOT_TOKEN"},
		{func(c *Config) { c.Addr = ":8080" }, "BOT_TOKEN"},
		{func(c *Config) { c.Addr = "192.168.1.4:80" }, "BOT_TOKEN"},
		{func(c *Config) { c.Addr = "[::]:80" }, "BOT_TOKEN"},
		{func(c *Config) { c.Addr = "localhost.evil.example:80" }, "BOT_TOKEN"},
		{func(c *Config) { c.PublicURL = "bot.example.com" }, "BOT_PUBLIC_URL"},
		{func(c *Config) { c.PublicURL = "javascript:alert(1)" }, "BOT_PUBLIC_URL"},
		{func(c *Config) { c.PublicURL = "https://bot.example.com/?a=b" }, "BOT_PUBLIC_URL"},
		{func(c *Config) { c.Ask = nil }, "required"},
	} {
		cfg := newShop().config()
		c.change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("addr %q, public %q: %v, want an error naming %s", cfg.Addr, cfg.PublicURL, err, c.says)
		}
	}
	for _, addr := range []string{"127.0.0.1:8080", "localhost:80", "[::1]:8080", "127.9.9.9:1"} {
		cfg := newShop().config()
		cfg.Addr = addr
		if _, err := New(cfg); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestWhoMayEnter(t *testing.T) {
	local, private := newTestServer(t, newShop().config()), privateServer(t)
	signed, err := url.Parse(private.SourceURL(hashReturns))
	if err != nil {
		t.Fatal(err)
	}
	sig := signed.RequestURI()
	bearer := "Bearer " + testToken
	for _, c := range []struct {
		name    string
		server  *Server
		target  string
		headers []string
		status  int
	}{
		{"loopback needs nothing", local, "GET /", nil, 200},
		{"IPv6 loopback", local, "GET /", []string{"Host", "[::1]:8080"}, 200},
		{"localhost", local, "GET /", []string{"Host", "localhost:8080"}, 200},
		{"a name pointed at us", local, "GET /", []string{"Host", "evil.example:8080"}, 403},
		{"an address pointed at us", local, "GET /api/documents", []string{"Host", "10.0.0.1:8080"}, 403},
		{"a name that begins like ours", local, "GET /", []string{"Host", "localhost.evil.example"}, 403},
		{"a probe by any name", local, "GET /livez", []string{"Host", "pod-7"}, 200},
		{"another website posts", local, "POST /api/ask", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another website posts, old browser", local, "POST /", []string{"Origin", "https://evil.example"}, 403},
		{"our page posts", local, "POST /api/ask", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8080"}, 200},

		{"no token", private, "GET /api/documents", nil, 401},
		{"no token for the page", private, "GET /", nil, 401},
		{"no token for metrics", private, "GET /metrics", nil, 401},
		{"no token for a page that is not there", private, "GET /nothing", nil, 401},
		{"no token, asking", private, "POST /api/ask", nil, 401},
		{"the token", private, "GET /api/documents", []string{"Authorization", bearer}, 200},
		{"half the token", private, "GET /", []string{"Authorization", bearer[:20]}, 401},
		{"the token in the address", private, "GET /?token=" + testToken, nil, 401},
		{"the token as another scheme", private, "GET /", []string{"Authorization", "Basic " + testToken}, 401},
		{"an invented cookie", private, "GET /", []string{"Cookie", sessionCookie + "=99999999999.00"}, 401},
		{"the token as cookie", private, "GET /", []string{"Cookie", sessionCookie + "=" + testToken}, 401},
		{"livez", private, "GET /livez", nil, 200},
		{"readyz", private, "GET /readyz", nil, 200},
		{"style", private, "GET /static/app.css", nil, 200},
		{"a signed source", private, "GET " + sig, []string{"Host", "bot.example.com"}, 200},
		{"a signed source of another name", private, "GET " + sig, []string{"Host", "evil.example"}, 403},
		{"a source without signature", private, "GET /s/" + hashReturns, nil, 401},
		{"another source with that signature", private, "GET " + strings.Replace(sig, hashReturns, hashDelivery, 1), nil, 401},
		{"a cut signature", private, "GET " + sig[:len(sig)-2], nil, 401},
		{"the public name", private, "GET /", []string{"Host", "BOT.example.com", "Authorization", bearer}, 200},
		{"our page posts through a proxy", private, "POST /api/ask", []string{"Origin", "https://bot.example.com", "Authorization", bearer}, 200},
		{"another website posts with a token", private, "POST /api/ask", []string{"Origin", "https://evil.example", "Authorization", bearer}, 403},
	} {
		w := serve(c.server, c.target, `{"question":"Hello?"}`, c.headers...)
		if w.Code != c.status {
			t.Errorf("%s: %s gives %d, want %d", c.name, c.target, w.Code, c.status)
		}
		if strings.Contains(w.Body.String(), testToken) {
			t.Errorf("%s: the response shows the token", c.name)
		}
	}
}

// Behind a proxy on the same machine the address is loopback and the readers are not.
func TestTokenGuardsAPublicURL(t *testing.T) {
	cfg := newShop().config()
	cfg.PublicURL, cfg.Token = "https://bot.example.com", testToken
	if w := serve(newTestServer(t, cfg), "GET /", "", "Host", "bot.example.com"); w.Code != 401 {
		t.Errorf("through the proxy without token: %d", w.Code)
	}
}

func TestLinksOfAnotherTokenAreRefused(t *testing.T) {
	other, err := NewLinks("0.0.0.0:8080", "https://bot.example.com", "another token")
	if err != nil {
		t.Fatal(err)
	}
	_, path, _ := strings.Cut(other.URL(hashReturns), "example.com")
	if w := serve(privateServer(t), "GET "+path, ""); w.Code != 401 {
		t.Errorf("a link that another token signed: %d", w.Code)
	}
}

func TestSourceURL(t *testing.T) {
	for _, c := range []struct{ addr, public, token, want string }{
		{"127.0.0.1:8080", "", "", "http://127.0.0.1:8080/s/abc"},
		{"127.0.0.1:8080", "", "x", "http://127.0.0.1:8080/s/abc"},
		{"127.0.0.1:8080", "https://bot.example.com/help/", "", "https://bot.example.com/help/s/abc"},
		{"0.0.0.0:8080", "", "x", "http://localhost:8080/s/abc?sig="},
		{"10.0.0.1:8080", "", "x", "http://10.0.0.1:8080/s/abc?sig="},
	} {
		links, err := NewLinks(c.addr, c.public, c.token)
		if err != nil {
			t.Fatal(err)
		}
		got := links.URL("abc")
		if base, sig, signed := strings.Cut(got, "?sig="); signed && len(sig) == 64 {
			got = base + "?sig="
		}
		if got != c.want {
			t.Errorf("NewLinks(%q, %q, %q): %s, want %s", c.addr, c.public, c.token, got, c.want)
		}
	}
}

func signIn(s *Server, token, next string) *http.Response {
	form := url.Values{"token": {token}, "next": {next}}.Encode()
	return serve(s, "POST /login", form, "Content-Type", "application/x-www-form-urlencoded").Result()
}

func TestSignIn(t *testing.T) {
	s := privateServer(t)
	if resp := signIn(s, "wrong", "/"); resp.StatusCode != 401 || len(resp.Cookies()) != 0 {
		t.Errorf("a wrong token: %d %v", resp.StatusCode, resp.Cookies())
	}
	resp := signIn(s, testToken, "/")
	if resp.StatusCode != 303 || len(resp.Cookies()) != 1 {
		t.Fatalf("the token: %d %v", resp.StatusCode, resp.Cookies())
	}
	c := resp.Cookies()[0]
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, testToken) {
		t.Errorf("the cookie is %v", c)
	}
	if w := serve(s, "GET /", "", "Cookie", c.Name+"="+c.Value); w.Code != 200 {
		t.Errorf("with the cookie: %d", w.Code)
	}
	if w := serve(s, "POST /logout", "", "Cookie", c.Name+"="+c.Value); w.Result().Cookies()[0].MaxAge >= 0 {
		t.Error("signing out keeps the cookie")
	}
}

func TestSessionsEnd(t *testing.T) {
	s := privateServer(t)
	end, sig, _ := strings.Cut(s.newSession(), ".")
	if !s.openSession(end + "." + sig) {
		t.Error("a new session does not open")
	}
	past := "1" + strings.Repeat("0", len(end)-1)
	if s.openSession(past + "." + sig) {
		t.Error("a session with another end opens")
	}
	if s.openSession(past + "." + s.keys.sign(s.keys.session, past)) {
		t.Errorf("a session that ended before %v opens", time.Now())
	}
	if s.openSession(past + "." + s.keys.sign(s.keys.link, past)) {
		t.Error("a link's signature opens a session")
	}
}

func TestSignInLeadsOnlyToOurPages(t *testing.T) {
	s := privateServer(t)
	for next, want := range map[string]string{
		"/":                     "./",
		"/s/" + hashReturns:     "./s/" + hashReturns + "#cited",
		"https://evil.example/": "./",
		"//evil.example":        "./",
		`/\evil.example`:        "./",
		"/s/../../evil":         "./",
		"/s//evil.example":      "./",
		"javascript:alert(1)":   "./",
	} {
		if got := signIn(s, testToken, next).Header.Get("Location"); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
	}
}

func TestEveryResponseIsGuarded(t *testing.T) {
	s := newTestServer(t, newShop().config())
	for _, target := range []string{"GET /", "GET /s/" + hashReturns, "GET /s/none", "GET /api/documents", "GET /static/app.js",
		"GET /livez", "GET /readyz", "GET /metrics", "GET /nothing", "POST /api/ask", "DELETE /", "POST /login", "OPTIONS *"} {
		h := serve(s, target, "").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Content-Security-Policy": contentPolicy,
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", target, name, h.Get(name))
			}
		}
	}
	if strings.Contains(contentPolicy, "unsafe") {
		t.Error("the policy lets pages run what stands in them")
	}
}

func TestPanicsAreLoggedAndCalm(t *testing.T) {
	var log bytes.Buffer
	cfg := newShop().config()
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	w := serve(newTestServer(t, cfg), "POST /", "question=panic", "Content-Type", "application/x-www-form-urlencoded")
	if w.Code != 500 || !strings.Contains(w.Body.String(), "not with your question") || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "panic=boom") || !strings.Contains(log.String(), "stack=") {
		t.Errorf("the log holds %q", log.String())
	}
}

func TestStaticFilesAreKeptByDigest(t *testing.T) {
	s := newTestServer(t, newShop().config())
	w := serve(s, "GET /static/app.js", "")
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("app.js is %s", w.Header().Get("Content-Type"))
	}
	if again := serve(s, "GET /static/app.js", "", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("the same file again: %d", again.Code)
	}
	for _, path := range []string{"/static/", "/static/..%2fweb.go", "/static/none.js"} {
		if w := serve(s, "GET "+path, ""); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
