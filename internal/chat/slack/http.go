package slack

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"

	"citebot/internal/chat/surface"

	api "github.com/slack-go/slack"
)

// Webhooks are the addresses that Slack calls when events come over HTTP, by path; nil in
// Socket Mode. They check who calls by themselves: each request carries a signature.
func (s *Slack) Webhooks() map[string]http.Handler {
	if s.cfg.AppToken != "" {
		return nil
	}
	return map[string]http.Handler{
		"/slack/events":       s.webhook("application/json", s.postEvent),
		"/slack/interactions": s.webhook("application/x-www-form-urlencoded", s.postInteraction),
		"/slack/commands":     s.webhook("application/x-www-form-urlencoded", s.postCommand),
	}
}

// webhook is an address that takes what Slack signed within the last five minutes.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
func (s *Slack) webhook(contentType string, take func(ctx context.Context, body []byte) (any, error)) http.Handler {
	return surface.Webhook{
		ContentType: contentType, Verify: s.verify, Hint: "is SLACK_SIGNING_SECRET the app's?", Metrics: s.metrics, Log: s.cfg.Log,
		Take: func(ctx context.Context, body []byte) (any, int) {
			if s.state.self() == "" { // who we are is not known yet: Slack comes again
				return nil, http.StatusServiceUnavailable
			}
			response, err := take(ctx, body)
			if err != nil {
				s.cfg.Log.Error("an event could not be kept; Slack will send it again", slog.Any("error", safe(err)))
				return nil, http.StatusInternalServerError
			}
			return response, http.StatusOK
		},
	}.Handler()
}

func (s *Slack) verify(header http.Header, body []byte) error {
	v, err := api.NewSecretsVerifier(header, s.cfg.SigningSecret)
	if err != nil {
		return err
	}
	if _, err := v.Write(body); err != nil {
		return err
	}
	return v.Ensure()
}

// postEvent takes an event, or answers the handshake that Slack makes when the address is
// entered: https://docs.slack.dev/reference/events/url_verification
func (s *Slack) postEvent(ctx context.Context, body []byte) (any, error) {
	var e envelope
	if !s.decode("event", body, &e) {
		return nil, nil
	}
	switch e.Type {
	case "url_verification":
		return map[string]string{"challenge": e.Challenge}, nil
	case "app_rate_limited":
		s.cfg.Log.Warn("Slack holds back events: there are more than it delivers in an hour")
		return nil, nil
	}
	return s.take(ctx, kindEvent, body)
}

func (s *Slack) postInteraction(ctx context.Context, body []byte) (any, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, nil
	}
	return s.take(ctx, kindInteraction, []byte(form.Get("payload")))
}

// postCommand takes a command's form, which has the same names as its JSON.
func (s *Slack) postCommand(ctx context.Context, body []byte) (any, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, nil
	}
	fields := map[string]string{}
	for name := range form {
		fields[name] = form.Get(name)
	}
	payload, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return s.take(ctx, kindCommand, payload)
}
