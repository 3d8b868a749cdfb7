package slacktest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An Endpoint is where a bot takes HTTP deliveries: BaseURL + /slack/events,
// /slack/interactions and /slack/commands. BaseURL may be filled in when the bot listens.
type Endpoint struct {
	BaseURL string
	Secret  string       // "": the server's SigningSecret
	Client  *http.Client // nil: one that gives up after 3 s, as Slack does
}

// A Spoil is how a delivery differs from a good one; the zero Spoil leaves it good.
type Spoil struct {
	NoSignature  bool
	BadSignature bool
	NoTimestamp  bool
	Skew         time.Duration // added to the timestamp, which is signed
	Pad          int           // bytes of blanks added to the body, which is signed
	ContentType  string        // instead of the right one
	Method       string        // instead of POST
	Body         []byte        // instead of the event's; signed
}

// A Response is what the bot answered to a delivery.
type Response struct {
	Status  int
	Header  http.Header
	Body    []byte
	Latency time.Duration

	sent *http.Request
	body []byte
}

// payload is what the body acknowledges with. A command may be answered with plain text.
func (r Response) payload(e Event) map[string]any {
	var o map[string]any
	if json.Unmarshal(r.Body, &o) == nil {
		return o
	}
	if said := strings.TrimSpace(string(r.Body)); said != "" && e.Kind == Commands {
		return map[string]any{"text": said}
	}
	return nil
}

// Deliver posts an event to the bot, signed, with the retry headers of e.Attempt. A good
// answer has its effect: what a command or a submission is answered with is shown.
func (s *Server) Deliver(ctx context.Context, to Endpoint, e Event, sp Spoil) (Response, error) {
	d := s.newDelivery(e)
	s.mu.Lock()
	d.sent, d.again = s.now(), true // it is the caller who delivers it again
	s.mu.Unlock()
	r, err := s.post(ctx, to, e, sp)
	if err != nil || r.Status < 200 || r.Status > 299 {
		return r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acknowledge(d, Ack{Envelope: d.id, Event: e, Payload: r.payload(e), Status: r.Status})
	s.bell()
	return r, nil
}

// Replay posts the very request again, with its old timestamp and signature.
func (s *Server) Replay(ctx context.Context, to Endpoint, r Response) (Response, error) {
	again := r.sent.Clone(ctx)
	again.Body = io.NopCloser(bytes.NewReader(r.body))
	return s.do(to, again, r.body)
}

func (s *Server) post(ctx context.Context, to Endpoint, e Event, sp Spoil) (Response, error) {
	path, contentType, body := e.form()
	if sp.Body != nil {
		body = sp.Body
	}
	body = append(body, bytes.Repeat([]byte(" "), sp.Pad)...)
	req, err := http.NewRequestWithContext(ctx, or(sp.Method, http.MethodPost), to.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return Response{}, err
	}
	req.Header.Set("Content-Type", or(sp.ContentType, contentType))
	req.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	if e.Attempt > 0 {
		req.Header.Set("X-Slack-Retry-Num", strconv.Itoa(e.Attempt))
		req.Header.Set("X-Slack-Retry-Reason", or(e.Reason, "http_timeout"))
	}
	sp.sign(req.Header, or(to.Secret, s.SigningSecret), s.now().Add(sp.Skew), body)
	return s.do(to, req, body)
}

// form is how an event goes over HTTP: events as JSON, the others as forms.
func (e Event) form() (path, contentType string, body []byte) {
	const form = "application/x-www-form-urlencoded"
	switch e.Kind {
	case Interactive:
		return "/slack/interactions", form, []byte(url.Values{"payload": {string(encode(e.Payload))}}.Encode())
	case Commands:
		values := url.Values{}
		for key, value := range e.Payload {
			values.Set(key, text(value))
		}
		return "/slack/commands", form, []byte(values.Encode())
	}
	return "/slack/events", "application/json", encode(e.Payload)
}

// sign puts the vendor's signature on a request.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
func (sp Spoil) sign(h http.Header, secret string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	sum := mac.Sum(nil)
	if sp.BadSignature {
		sum[0] ^= 1
	}
	if !sp.NoTimestamp {
		h.Set("X-Slack-Request-Timestamp", stamp)
	}
	if !sp.NoSignature {
		h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sum))
	}
}

func (s *Server) do(to Endpoint, req *http.Request, body []byte) (Response, error) {
	client := to.Client
	if client == nil {
		// Its own connections, so that none is left behind.
		client = &http.Client{Timeout: ackLasts, Transport: &http.Transport{DisableKeepAlives: true}}
	}
	begin := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	answered, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return Response{resp.StatusCode, resp.Header, answered, time.Since(begin), req, body}, err
}

// urlID is the id in a response URL.
func urlID(u string) string { return u[strings.LastIndex(u, "/")+1:] }
