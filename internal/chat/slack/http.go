package slack

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"time"

	api "github.com/slack-go/slack"
)

// maxBody is far above what Slack sends.
const maxBody = 1 << 20

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

// webhook lets through POST requests of the content type that Slack signed within the last
// five minutes. Nothing of a body is looked at before that.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
func (s *Slack) webhook(contentType string, take func(ctx context.Context, body []byte) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var tooLong *http.MaxBytesError
		switch {
		case errors.As(err, &tooLong):
			http.Error(w, "body too long", http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "body cut short", http.StatusBadRequest)
			return
		}
		if err := s.verify(r.Header, body); err != nil {
			s.metrics.rejected.Inc()
			s.knocks.Do(func() {
				s.cfg.Log.Warn("a request to Slack's address was rejected: is SLACK_SIGNING_SECRET the app's?", slog.Any("error", err))
			})
			http.Error(w, "not signed by Slack", http.StatusUnauthorized)
			return
		}
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != contentType {
			http.Error(w, "content type must be "+contentType, http.StatusUnsupportedMediaType)
			return
		}
		if s.state.self() == "" { // who we are is not known yet: Slack comes again
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		response, err := take(r.Context(), body)
		s.respondHTTP(w, response, err)
		s.metrics.ack.Observe(time.Since(began).Seconds())
	})
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

// respondHTTP acknowledges what was taken. Anything but 200 makes Slack come again.
func (s *Slack) respondHTTP(w http.ResponseWriter, response any, err error) {
	if err != nil {
		s.cfg.Log.Error("an event could not be kept; Slack will send it again", slog.Any("error", safe(err)))
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	if response == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(response)
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
