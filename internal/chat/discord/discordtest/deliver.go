package discordtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An Endpoint is where interactions are delivered over HTTP.
type Endpoint struct {
	BaseURL string       // as http://127.0.0.1:8080
	Path    string       // "": /discord/interactions
	Client  *http.Client // nil: one without connections that stay
}

// Send delivers all events of an act and returns it. Over HTTP it waits for the responses.
func (s *Server) Send(a *Act) *Act {
	a.Sessions = s.SendEvents(a.Events...)
	return a
}

// SendEvents delivers events one after the other, and says how many deliveries that was.
func (s *Server) SendEvents(events ...Event) int {
	n := 0
	for _, e := range events {
		n += s.sendEvent(e)
	}
	return n
}

func (s *Server) sendEvent(e Event) int {
	s.mu.Lock()
	i := s.state.interactions[text(e.Data["id"])]
	if e.Type != "INTERACTION_CREATE" {
		i = nil
	}
	if i != nil && i.Callback == 0 {
		i.delivered = s.now()
	}
	if i == nil || s.HTTP == nil {
		defer s.mu.Unlock()
		defer s.bell()
		return s.dispatch(e)
	}
	s.mu.Unlock()
	s.postInteraction(e, i)
	return 1
}

// postInteraction delivers an interaction over HTTP; the response is its callback.
func (s *Server) postInteraction(e Event, i *interaction) {
	ctx, cancel := context.WithTimeout(context.Background(), s.window())
	defer cancel()
	r, err := s.Deliver(ctx, e, Spoil{})
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	i.over = err == nil && r.Status < 300
	if err != nil || r.Status != http.StatusOK || i.Callback != 0 {
		return
	}
	c := &call{Request: &Request{Route: Callback, At: s.now(), Channel: ""}}
	decoder := json.NewDecoder(strings.NewReader(r.Body))
	decoder.UseNumber()
	if err := decoder.Decode(&c.value); err != nil {
		s.violate("interaction %s: the response is no JSON: %v", i.ID, err)
		return
	}
	c.Body = object(c.value)
	c.path = "/interactions/" + i.ID + "/token/callback"
	s.inspect(c)
	if c.refusal.status == 0 {
		s.respond(i, c.Body, "response to interaction "+i.ID)
	}
}

// A Spoil is what is wrong with a delivery over HTTP.
type Spoil struct {
	Signature   string        // instead of the right one; "-": none
	Timestamp   string        // instead of the time; it is signed
	Skew        time.Duration // is added to the time; it is signed
	Key         []byte        // an Ed25519 seed to sign with
	Body        string        // instead of the event; it is signed
	After       string        // is appended to the body after signing
	Pad         int           // blanks after the body; they are signed
	ContentType string
	Method      string // "": POST
	Path        string // "": the endpoint's
}

// A Response is what the bot answered over HTTP.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// JSON is the response's body as an object; nil where it is none.
func (r Response) JSON() map[string]any {
	var o map[string]any
	if json.Unmarshal([]byte(r.Body), &o) != nil {
		return nil
	}
	return o
}

// Ping is the interaction with which Discord tries an endpoint.
// https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint
func (s *Server) Ping() Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Event{Type: "INTERACTION_CREATE", Data: map[string]any{
		"id": s.state.stamp(), "application_id": App, "type": 1, "token": "a-ping-has-a-token-too", "version": 1, "user": s.user(Admin),
		"entitlements": []any{}, "authorizing_integration_owners": map[string]any{},
	}}
}

// Deliver posts an event's data, signed as Discord signs and spoiled as asked, to the endpoint.
// What comes back has no effect.
// https://discord.com/developers/docs/interactions/overview#validating-security-request-headers
func (s *Server) Deliver(ctx context.Context, e Event, spoil Spoil) (Response, error) {
	if s.HTTP == nil {
		return Response{}, fmt.Errorf("discordtest: Deliver: the field HTTP is not set")
	}
	body := []byte(or(spoil.Body, string(encode(e.Data))))
	body = append(body, bytes.Repeat([]byte{' '}, spoil.Pad)...)
	stamp := or(spoil.Timestamp, strconv.FormatInt(s.now().Add(spoil.Skew).Unix(), 10))
	signature := s.sign(stamp, body, spoil)
	body = append(body, spoil.After...)
	url := strings.TrimSuffix(s.HTTP.BaseURL, "/") + or(spoil.Path, or(s.HTTP.Path, "/discord/interactions"))
	req, err := http.NewRequestWithContext(ctx, or(spoil.Method, http.MethodPost), url, bytes.NewReader(body))
	if err != nil {
		return Response{}, err
	}
	req.Header.Set("Content-Type", or(spoil.ContentType, "application/json"))
	req.Header.Set("User-Agent", "Discord-Interactions/1.0 (+https://discord.com)")
	if signature != "-" {
		req.Header.Set("X-Signature-Ed25519", signature)
		req.Header.Set("X-Signature-Timestamp", stamp)
	}
	return s.fetch(req)
}

func (s *Server) sign(stamp string, body []byte, spoil Spoil) string {
	if spoil.Signature != "" {
		return spoil.Signature
	}
	key := s.key
	if spoil.Key != nil {
		key = ed25519.NewKeyFromSeed(spoil.Key)
	}
	return hex.EncodeToString(ed25519.Sign(key, append([]byte(stamp), body...)))
}

func (s *Server) fetch(req *http.Request) (Response, error) {
	client := s.HTTP.Client
	if client == nil {
		transport := &http.Transport{DisableKeepAlives: true}
		client = &http.Client{Transport: transport}
	}
	resp, err := client.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return Response{Status: resp.StatusCode, Header: resp.Header, Body: string(got)}, err
}
