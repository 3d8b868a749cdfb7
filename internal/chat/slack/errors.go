package slack

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/slack-go/slack"
)

// Slack's error codes by what they mean for us, from the methods' pages under
// https://docs.slack.dev/reference/methods.
var (
	// The token is refused: nothing will work until someone changes something.
	tokenCodes = []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired",
		"not_allowed_token_type", "missing_scope", "no_permission", "org_login_required", "ekm_access_denied", "team_access_not_granted"}
	// The place takes no messages from us.
	placeCodes = []string{"not_in_channel", "channel_not_found", "is_archived", "restricted_action", "restricted_action_read_only_channel",
		"restricted_action_thread_only_channel", "restricted_action_thread_locked", "cannot_reply_to_message", "thread_not_found",
		"message_not_found", "user_not_in_channel", "method_not_supported_for_channel_type", "channel_type_not_supported", "messages_tab_disabled"}
	// The message is refused as it stands.
	formCodes = []string{"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "too_many_blocks",
		"metadata_too_large", "invalid_metadata_format", "metadata_must_be_sent_from_app", "no_text"}
	// Slack stumbled: whether it did what we asked is not known.
	brokenCodes = []string{"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)

// code is Slack's word for what went wrong; "" when Slack did not say.
func code(err error) string {
	var refused api.SlackErrorResponse
	if errors.As(err, &refused) {
		return refused.Err
	}
	return ""
}

func isCode(err error, codes []string) bool { return slices.Contains(codes, code(err)) }

var secrets = regexp.MustCompile(`(xox[a-z]|xapp)[-.][\w.-]+|wss?://\S+|https://hooks\.slack[\w.-]*/\S+`)

// safe takes out of an error what must not be read by others: the address of a request,
// and anything that looks like a token.
func safe(err error) error {
	if err == nil {
		return nil
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	if text := err.Error(); secrets.MatchString(text) {
		return errors.New(secrets.ReplaceAllString(text, "(hidden)"))
	}
	return err
}

// isFatal reports whether an error means that the bot can do nothing before a person has
// done something: its token is refused, or it may not post.
func isFatal(method string, err error) bool {
	if code(err) == "missing_scope" {
		return slices.Contains([]string{"auth.test", "apps.connections.open", "chat.postMessage"}, method)
	}
	return isCode(err, tokenCodes)
}

// explain says what is wrong with a call and what to do about it, without the token's value.
func explain(method, token string, err error) string {
	var refused api.SlackErrorResponse
	if !errors.As(err, &refused) {
		return fmt.Sprintf("%s: Slack cannot be reached: %v", method, err)
	}
	switch refused.Err {
	case "missing_scope":
		return fmt.Sprintf("%s lacks the scope %s for %s: add it under OAuth & Permissions and install the app again",
			token, cmp.Or(refused.Needed, "(unnamed)"), method)
	case "not_allowed_token_type":
		return token + " is of the wrong kind for " + method + ": the bot token begins with xoxb-, the app-level token with xapp-"
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired":
		return fmt.Sprintf("%s was refused (%s): copy it again from the app's settings at api.slack.com/apps", token, refused.Err)
	}
	return fmt.Sprintf("%s: Slack says %s", method, refused.Err)
}

// sending sorts the error of a call that makes or changes a post into what [chat.Platform]
// tells apart, and keeps Slack's waiting times.
func (s *Slack) sending(method string, err error) error {
	var limited *api.RateLimitedError
	var status api.StatusCodeError
	var dial *net.OpError
	switch err = safe(err); {
	case err == nil:
		s.health.Fine(bare(method))
		return nil
	case errors.As(err, &limited):
		s.metrics.Limited.WithLabelValues(bare(method)).Inc()
		return s.hold(method, limited.RetryAfter, err)
	case errors.As(err, &dial) && dial.Op == "dial": // the request never left
		return &chat.Wait{Err: err}
	case isCode(err, tokenCodes):
		s.failed(method, "SLACK_BOT_TOKEN", err)
		return s.hold(bare(method), refusedFor, err)
	case isCode(err, []string{"ratelimited", "rate_limited"}):
		s.metrics.Limited.WithLabelValues(bare(method)).Inc()
		return s.hold(method, 0, err)
	case isCode(err, brokenCodes) || errors.As(err, &status) && status.Code >= http.StatusInternalServerError:
		return fmt.Errorf("%s: %w: %w", method, chat.ErrUnknown, err)
	case code(err) != "" || errors.As(err, &status):
		return fmt.Errorf("%s: %w", method, err)
	}
	return fmt.Errorf("%s: %w: %w", method, chat.ErrUnknown, err) // the connection broke, or what came back was no answer
}

// refusedFor is how long a method is not called after Slack refused the token for it.
const refusedFor = 30 * time.Second

// maxHolds bounds what is remembered of channels.
const maxHolds = 1000

// hold keeps a method from being called before Slack allows it.
func (s *Slack) hold(method string, after time.Duration, why error) error {
	after = max(after, time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.holds) > maxHolds {
		maps.DeleteFunc(s.holds, func(_ string, until time.Time) bool { return time.Now().After(until) })
	}
	s.holds[method] = time.Now().Add(after)
	return &chat.Wait{For: after, Err: why}
}

// bare is a method without the channel that it was held for.
func bare(method string) string {
	method, _, _ = strings.Cut(method, " ")
	return method
}

// held is a Wait while Slack does not want a method called.
func (s *Slack) held(method string) error {
	if s.state.isRevoked() {
		return errRevoked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := max(time.Until(s.holds[method]), time.Until(s.holds[bare(method)])); left > 0 {
		return &chat.Wait{For: left, Err: errors.New(method + " has to wait")}
	}
	return nil
}

var errRevoked = errors.New("the app was removed from the workspace")

// A pause grows from about a second to five minutes.
type pause struct{ chat.Pause }

func newPause() *pause { return &pause{chat.Pause{First: time.Second, Most: 5 * time.Minute}} }

// next is how long to wait after err: long where only a person can help.
func (p *pause) next(err error) time.Duration {
	wait := p.Next()
	if isCode(err, tokenCodes) {
		wait = max(wait, p.Most/2+rand.N(p.Most/2))
	}
	var limited *api.RateLimitedError
	if errors.As(err, &limited) {
		wait = max(wait, limited.RetryAfter)
	}
	return wait
}
