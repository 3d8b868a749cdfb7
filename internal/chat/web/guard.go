package web

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// guard puts around h what every request passes: count, headers, rescue from panics, and
// for all but webhooks the Host check, the cross-origin check, the token.
func (s *Server) guard(h http.Handler) (http.Handler, error) {
	origin := http.NewCrossOriginProtection()
	if err := origin.AddTrustedOrigin(s.links.origin); err != nil {
		return nil, fmt.Errorf("BOT_PUBLIC_URL: %w", err)
	}
	origin.SetDenyHandler(http.HandlerFunc(s.refuseOrigin))
	webhooks := h
	h = origin.Handler(s.needToken(h))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &response{ResponseWriter: w}
		defer func() { s.metrics.request(r, out.code()) }()
		defer s.rescue(out, r)
		setHeaders(out.Header())
		if s.cfg.Webhooks[r.URL.Path] != nil {
			webhooks.ServeHTTP(out, r)
			return
		}
		if !s.knownHost(r) {
			s.fail(out, r, refusal{http.StatusForbidden, "This address does not answer to the name in your browser. " +
				"Whoever runs the bot can allow it with BOT_PUBLIC_URL."})
			return
		}
		h.ServeHTTP(out, r)
	}), nil
}

// Nothing may run in a page, load into it or frame it but what we embed.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// rescue turns a handler's panic into a calm 500. It must be deferred itself.
func (s *Server) rescue(w *response, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.cfg.Log.Error("panic in a web request", slog.String("path", r.URL.Path), slog.String("panic", fmt.Sprint(p)),
		slog.String("stack", string(debug.Stack())))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // half an answer is out: cut it off so that nobody takes it for whole
	}
	s.fail(w, r, refusal{http.StatusInternalServerError, textBroken})
}

// knownHost refuses names that are not ours, so that a page elsewhere cannot point its own
// name at our address and read our answers. Address literals cannot be pointed anywhere;
// probes, which use the pod's address, are let through with any name.
func (s *Server) knownHost(r *http.Request) bool {
	if r.URL.Path == "/livez" || r.URL.Path == "/readyz" {
		return true
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	if loopbackName(name) || strings.EqualFold(name, s.links.host) {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil && s.keys.needed()
}

func (s *Server) refuseOrigin(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, refusal{http.StatusForbidden, "This request came from another website and was not carried out."})
}

// needToken lets a request through that may see everything or asks for what is open.
func (s *Server) needToken(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.isOpen(r) || s.hasToken(r) {
			h.ServeHTTP(w, r)
			return
		}
		s.refuseStranger(w, r, "")
	})
}

// isOpen reports whether a request needs no token. The script and style are open because
// the sign-in form and signed sources use them; they are the same for everybody.
func (s *Server) isOpen(r *http.Request) bool {
	path := r.URL.Path
	if !s.keys.needed() || path == "/livez" || path == "/readyz" || path == "/login" || strings.HasPrefix(path, "/static/") {
		return true
	}
	hash, isSource := strings.CutPrefix(path, "/s/")
	return isSource && s.keys.signed(s.keys.link, hash, r.URL.Query().Get("sig"))
}

func (s *Server) hasToken(r *http.Request) bool {
	if given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return s.keys.isToken(given)
	}
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && s.openSession(cookie.Value)
}

// A session is its end in Unix seconds and the signature of that; nothing is kept of it.
// The cookie never holds the token.
const (
	sessionCookie = "citebot_session"
	sessionLasts  = 7 * 24 * time.Hour
)

func (s *Server) newSession() string {
	end := strconv.FormatInt(time.Now().Add(sessionLasts).Unix(), 10)
	return end + "." + s.keys.sign(s.keys.session, end)
}

func (s *Server) openSession(value string) bool {
	end, sig, _ := strings.Cut(value, ".")
	if !s.keys.signed(s.keys.session, end, sig) {
		return false
	}
	unix, err := strconv.ParseInt(end, 10, 64)
	return err == nil && time.Now().Before(time.Unix(unix, 0))
}

func (s *Server) refuseStranger(w http.ResponseWriter, r *http.Request, why string) {
	if wantsJSON(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.fail(w, r, refusal{http.StatusUnauthorized, "this address needs the bot's token: send it as Authorization: Bearer …"})
		return
	}
	next := r.URL.Path
	if r.Method == http.MethodPost {
		next = "/"
	}
	s.render(w, http.StatusUnauthorized, "login", loginPage{Root: root(r), Next: next, Error: why})
}

// login takes the token from the form and sets the cookie. It redirects with relative
// addresses, which also hold behind a proxy that serves us below a path.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	next := r.PostFormValue("next")
	if s.keys.needed() && !s.keys.isToken(strings.TrimSpace(r.PostFormValue("token"))) {
		s.render(w, http.StatusUnauthorized, "login", loginPage{Root: root(r), Next: next, Error: "That is not the token. Please check it and try again."})
		return
	}
	if s.keys.needed() {
		s.setSession(w, s.newSession(), int(sessionLasts.Seconds()))
	}
	if hash, ok := strings.CutPrefix(next, "/s/"); ok && isHash(hash) {
		redirect(w, "./s/"+hash+"#cited")
		return
	}
	redirect(w, "./")
}

func (s *Server) logout(w http.ResponseWriter, _ *http.Request) {
	s.setSession(w, "", -1)
	redirect(w, "./")
}

func (s *Server) setSession(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name:     sessionCookie,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
		Secure:   strings.HasPrefix(s.links.base, "https:"),
	})
}

func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// A response remembers its status, for the metrics and for rescue.
type response struct {
	http.ResponseWriter
	status int // 0: nothing written yet
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach Flush and the deadlines.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
