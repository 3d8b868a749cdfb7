package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
	"golang.org/x/time/rate"
)

// A rest calls Discord's HTTP API, in the version that the client library speaks.
//
// Each call has a library session of its own. A session that lives keeps a rate limit
// bucket for every interaction's token, for ever, and sleeps with the bucket locked
// whatever the context says; so it is told to neither wait nor repeat, and what Discord
// says about waiting is kept here, for [chat.Wait].
type rest struct {
	token  string
	client *http.Client

	pace *rate.Limiter // all routes together

	mu    sync.Mutex
	holds map[string]time.Time // by route: not before, because Discord said so; "" is all of them
}

const (
	// https://discord.com/developers/docs/topics/rate-limits#global-rate-limit: 50 a second.
	callsPerSecond = 45
	callWithin     = 15 * time.Second
	maxAnswer      = 16 << 20 // bytes of one response
	maxHolds       = 1000
)

// rest makes a client of Discord's API.
func (c Config) rest() *rest {
	r := &rest{token: c.Token, pace: rate.NewLimiter(callsPerSecond, callsPerSecond), holds: map[string]time.Time{}}
	base, err := url.Parse(c.APIURL)
	if err != nil || c.APIURL == "" { // one that is none was refused before
		base = nil
	}
	client := http.Client{Timeout: callWithin, CheckRedirect: noRedirect}
	if c.Client != nil {
		client = *c.Client
	}
	client.Transport = &wire{rest: r, base: base, next: cmp.Or[http.RoundTripper](client.Transport, http.DefaultTransport)}
	r.client = &client
	return r
}

// noRedirect keeps what is meant for Discord from going elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// call makes one request, once. path begins with a slash and holds no version; in is sent as
// JSON unless it is nil, out is read from it likewise. What Discord refuses is a
// *[api.RESTError], what has to wait a *[chat.Wait]. No error holds a token or path.
func (r *rest) call(ctx context.Context, method, path string, in, out any) error {
	route := routeOf(method, path)
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if !isCallback(path) { // which the limit of all routes does not count
		if err := r.pace.Wait(ctx); err != nil {
			return &chat.Wait{For: time.Second, Err: err}
		}
	}
	s := &api.Session{Token: "Bot " + r.token, Client: r.client, UserAgent: userAgent, Ratelimiter: api.NewRatelimiter()}
	data, err := s.RequestWithBucketID(method, strings.TrimSuffix(api.EndpointAPI, "/")+path, in, route, api.WithContext(ctx))
	if err != nil {
		return safe(err)
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

// https://discord.com/developers/docs/reference#user-agent
const userAgent = "DiscordBot (citebot, 1)"

func isCallback(path string) bool { return strings.HasPrefix(path, "/interactions/") }

var number = regexp.MustCompile(`^[0-9]+$`)

// routeOf is what Discord counts calls by: the method, the path without the ids in it, and
// the one id that each channel, server or webhook is counted by.
// https://discord.com/developers/docs/topics/rate-limits
func routeOf(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	kept := 2
	if parts[0] == "webhooks" || parts[0] == "interactions" {
		kept = 3 // the token as well
	}
	for i := kept; i < len(parts); i++ {
		if number.MatchString(parts[i]) {
			parts[i] = "{id}"
		}
	}
	return method + " /" + strings.Join(parts, "/")
}

// nameOf is a route without any id, for people and metrics.
func nameOf(route string) string {
	method, path, _ := strings.Cut(route, " ")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := range parts {
		if number.MatchString(parts[i]) {
			parts[i] = "{id}"
		}
	}
	if len(parts) > 2 && (parts[0] == "webhooks" || parts[0] == "interactions") {
		parts[2] = "{token}"
	}
	return method + " /" + strings.Join(parts, "/")
}

// held is a Wait while Discord does not want a route called.
func (r *rest) held(route string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := r.holds[route]
	if all := r.holds[""]; all.After(until) && !isCallback(strings.TrimPrefix(route, "POST ")) {
		until = all
	}
	if left := time.Until(until); left > 0 {
		return &chat.Wait{For: left, Err: errors.New(nameOf(route) + " has to wait")}
	}
	return nil
}

// hold keeps a route, "" for all of them, from being called.
func (r *rest) hold(route string, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.holds) > maxHolds {
		maps.DeleteFunc(r.holds, func(_ string, until time.Time) bool { return time.Now().After(until) })
	}
	if until := time.Now().Add(d); until.After(r.holds[route]) {
		r.holds[route] = until
	}
}

// note keeps what a response says about the next call.
// https://discord.com/developers/docs/topics/rate-limits#header-format
func (r *rest) note(route string, h http.Header) {
	if left, err := strconv.Atoi(h.Get("X-RateLimit-Remaining")); err != nil || left > 0 {
		return
	}
	if after, err := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64); err == nil && after > 0 {
		r.hold(route, min(seconds(after), time.Minute))
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// limited is the error of a call that came too early.
type limited struct {
	after  time.Duration
	global bool
}

func (l *limited) Error() string { return fmt.Sprintf("Discord wants no call for %v", l.after) }

// A wire sends requests where Discord is, unless they have to wait, and makes errors of the
// answers that only say when to come again: the library would lose what they say.
type wire struct {
	*rest
	base *url.URL // nil: Discord's own
	next http.RoundTripper
}

func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	route := routeOf(request.Method, strings.TrimPrefix(request.URL.Path, "/api/v"+api.APIVersion))
	if err := w.held(route); err != nil {
		request.Body.Close()
		return nil, err
	}
	if w.base != nil {
		request = request.Clone(request.Context())
		request.URL.Scheme, request.URL.Host, request.Host = w.base.Scheme, w.base.Host, ""
		request.URL.Path = strings.TrimRight(w.base.Path, "/") + request.URL.Path
	}
	response, err := w.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	w.note(route, response.Header)
	if response.StatusCode == http.StatusTooManyRequests {
		defer response.Body.Close()
		early := limitOf(response)
		if early.global {
			route = ""
		}
		w.hold(route, early.after)
		return nil, early
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}

// limitOf reads an answer of status 429. One that is not Discord's own comes from the network
// in front of it, and is about all calls.
func limitOf(response *http.Response) *limited {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what cannot be read says nothing
	var said struct {
		RetryAfter *float64 `json:"retry_after"`
		Global     bool     `json:"global"`
	}
	l := &limited{global: response.Header.Get("X-RateLimit-Global") != ""}
	if err := json.Unmarshal(body, &said); err == nil && said.RetryAfter != nil {
		l.after, l.global = seconds(*said.RetryAfter), l.global || said.Global
	} else {
		after, err := strconv.ParseFloat(response.Header.Get("Retry-After"), 64)
		if err != nil {
			after = 60
		}
		l.after, l.global = seconds(after), true
	}
	l.after = min(max(l.after, 100*time.Millisecond), time.Hour)
	return l
}

var secrets = regexp.MustCompile(`Bot [\w.-]+|wss?://\S+|/(webhooks|interactions)/\S+`)

// safe takes out of an error what must not be read by others: the address of a request,
// which may hold an interaction's token, and the bot's own.
func safe(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var refused *api.RESTError
	if err == nil || errors.As(err, &refused) {
		return err
	}
	if text := err.Error(); secrets.MatchString(text) || len(text) > maxErrorText {
		text = secrets.ReplaceAllString(text, "(hidden)")
		return errors.New(text[:min(len(text), maxErrorText)])
	}
	return err
}

// maxErrorText is above what Discord says; pages of what stands before it are longer.
const maxErrorText = 500
