package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/slack-go/slack"
)

// A response is what a response URL takes. The client library sends an empty metadata and
// null blocks there and loses the unfurl flags, so this is ours.
// https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
type response struct {
	Type     string      `json:"response_type"`
	Replace  bool        `json:"replace_original"`
	Text     string      `json:"text"`
	Blocks   []api.Block `json:"blocks,omitempty"`
	Unfurl   bool        `json:"unfurl_links"`
	UnfurlMd bool        `json:"unfurl_media"`
}

// sendPrivately shows an answer to its asker alone, in place of the note that it is coming,
// so that doing it twice shows it once. A response URL is good for half an hour and five
// uses; after that there is the ephemeral message, and the conversation with the bot.
func (s *Slack) sendPrivately(ctx context.Context, p chat.Post) (string, error) {
	m, err := s.page(p)
	if err != nil {
		return "", err
	}
	const privately = "privately"
	err = s.respond(ctx, p.ReplyURL, response{Type: "ephemeral", Replace: p.Page == 0, Text: m.text, Blocks: m.blocks})
	if err == nil || !refusedForGood(err) {
		return privately, err
	}
	options := append(m.options(), api.MsgOptionPostEphemeral(p.User))
	if _, err = s.api.PostEphemeralContext(ctx, p.Channel, p.User, options...); err == nil {
		return privately, nil
	}
	if err = s.sending("chat.postEphemeral", err); code(err) == "" {
		return "", err
	}
	return s.sendElsewhere(ctx, p, m, err)
}

// A statusError is what a response URL said instead of 200.
type statusError struct {
	code int
	text string
}

func (e statusError) Error() string {
	return fmt.Sprintf("Slack's response address says %d %s", e.code, e.text)
}

func refusedForGood(err error) bool {
	e, ok := err.(statusError)
	return ok && e.code < http.StatusInternalServerError
}

// respond posts to a response URL. Its errors never hold the address.
func (s *Slack) respond(ctx context.Context, address string, r response) error {
	if !s.mayRespond(address) {
		return statusError{0, "that it is none of Slack's"}
	}
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return safe(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := s.http.Do(req)
	if err != nil {
		return &chat.Wait{For: 2 * time.Second, Err: safe(err)}
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
	switch {
	case res.StatusCode == http.StatusOK:
		return nil
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= http.StatusInternalServerError:
		return &chat.Wait{For: 2 * time.Second, Err: statusError{res.StatusCode, ""}}
	}
	return statusError{res.StatusCode, strings.TrimSpace(string(text))}
}

// mayRespond reports whether an address is Slack's, so that no payload makes the bot send
// an answer elsewhere.
func (s *Slack) mayRespond(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return false
	}
	if base, err := url.Parse(s.cfg.APIURL); err == nil && s.cfg.APIURL != "" && u.Hostname() == base.Hostname() {
		return true
	}
	host := u.Hostname()
	return u.Scheme == "https" && (strings.HasSuffix(host, ".slack.com") || strings.HasSuffix(host, ".slack-gov.com"))
}

func (s *Slack) respondText(ctx context.Context, address, text string) {
	if err := s.respond(ctx, address, response{Type: "ephemeral", Text: text}); err != nil {
		s.cfg.Log.Debug("a note to one person was not shown", slog.Any("error", safe(err)))
	}
}

// Tell implements [chat.Platform].
func (s *Slack) Tell(ctx context.Context, p chat.Post, text string) {
	if p.ReplyURL != "" {
		if err := s.respond(ctx, p.ReplyURL, response{Type: "ephemeral", Replace: true, Text: text}); err != nil {
			s.cfg.Log.Debug("a note to one person was not shown", slog.Any("error", safe(err)))
		}
		return
	}
	place := p.Place
	if p.Message == p.Thread { // nobody sees such a note in a thread that has no replies yet
		place.Thread = ""
	}
	s.whisperIn(ctx, place, p.User, text)
}

// whisperIn shows a text to one person in a place, and reports whether that went well.
func (s *Slack) whisperIn(ctx context.Context, p chat.Place, user, text string) bool {
	const method = "chat.postEphemeral"
	if s.held(method) != nil {
		return false
	}
	options := append(message{text: text}.options(), api.MsgOptionPostEphemeral(user))
	if p.Thread != "" {
		options = append(options, api.MsgOptionTS(p.Thread))
	}
	_, err := s.api.PostEphemeralContext(ctx, p.Channel, user, options...)
	if err = s.sending(method, err); err != nil {
		s.cfg.Log.Debug("a note to one person was not shown", slog.Any("error", err))
	}
	return err == nil
}
