package discord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
)

// Discord's error codes by what they mean for us.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes
var (
	// The place takes no messages from us.
	placeCodes = []int{
		api.ErrCodeUnknownChannel, api.ErrCodeMissingAccess, api.ErrCodeMissingPermissions, api.ErrCodeCannotSendMessagesToThisUser,
		api.ErrCodeCannotSendMessagesInVoiceChannel, api.ErrCodePerformedOperationOnArchivedThread, api.ErrCodeThreadIsLocked, codeBlockedByAutoMod,
	}
	// The message is refused as it stands.
	formCodes = []int{api.ErrCodeInvalidFormBody, api.ErrCodeCannotSendEmptyMessage}
	// The interaction can be replied to no more, or never was.
	goneCodes = []int{api.ErrCodeUnknownWebhook, api.ErrCodeUnknownInteraction, api.ErrCodeUnknownMessage, api.ErrCodeInvalidWebhookTokenProvided}
)

// codeBlockedByAutoMod has no name in the library.
const codeBlockedByAutoMod = 200000

// code is Discord's number for what went wrong; 0 when Discord did not say.
func code(err error) int {
	var refused *api.RESTError
	if errors.As(err, &refused) && refused.Message != nil {
		return refused.Message.Code
	}
	return 0
}

// isDiscords reports whether a refusal is in Discord's form, and not of what stands before it.
func isDiscords(err error) bool {
	var refused *api.RESTError
	return errors.As(err, &refused) && refused.Message != nil
}

func isCode(err error, codes []int) bool { return slices.Contains(codes, code(err)) }

// status is the HTTP status of a refusal; 0 where there was no answer.
func status(err error) int {
	var refused *api.RESTError
	if errors.As(err, &refused) && refused.Response != nil {
		return refused.Response.StatusCode
	}
	return 0
}

// A refusal is an error in Discord's words, without what else came with it.
type refusal struct{ err error }

func (r refusal) Error() string {
	var refused *api.RESTError
	if !errors.As(r.err, &refused) || refused.Message == nil {
		return fmt.Sprintf("Discord answers with status %d", status(r.err))
	}
	text := fmt.Sprintf("Discord says “%s” (%d)", refused.Message.Message, refused.Message.Code)
	if details := string(refused.ResponseBody); isCode(r.err, formCodes) {
		text += ": " + details[:min(len(details), maxErrorText)]
	}
	return text
}

func (r refusal) Unwrap() error { return r.err }

// call is that of rest, with an error as [chat.Platform] has them.
func (d *Discord) call(ctx context.Context, method, path string, in, out any) error {
	return d.sending(routeOf(method, path), d.rest.call(ctx, method, path, in, out))
}

// sending sorts the error of a call into what [chat.Platform] tells apart, and keeps what
// Discord says about waiting. route is as routeOf has it.
func (d *Discord) sending(route string, err error) error {
	name := nameOf(route)
	var early *limited
	var wait *chat.Wait
	var dial *net.OpError
	switch {
	case err == nil:
		if !isReply(route) {
			d.health.Fine(problemToken)
		}
		return nil
	case errors.As(err, &early):
		d.metrics.Limited.WithLabelValues(name).Inc()
		return &chat.Wait{For: early.after, Err: fmt.Errorf("%s: %w", name, early)}
	case errors.As(err, &wait):
		return err
	case errors.As(err, &dial) && dial.Op == "dial": // the request never left
		return &chat.Wait{Err: err}
	case status(err) == http.StatusUnauthorized && !isReply(route):
		d.refused()
		return &chat.Wait{For: refusedFor, Err: refusal{err}}
	case status(err) == http.StatusForbidden && !isDiscords(err): // a page of what shuts machines out
		d.rest.hold("", refusedFor)
		return &chat.Wait{For: refusedFor, Err: refusal{err}}
	case status(err) >= http.StatusInternalServerError: // it stumbled
		return fmt.Errorf("%s: %w: %w", name, chat.ErrUnknown, refusal{err})
	case status(err) == 0: // the connection broke
		return fmt.Errorf("%s: %w: %w", name, chat.ErrUnknown, err)
	}
	return fmt.Errorf("%s: %w", name, refusal{err})
}

// isReply reports whether a call stands on an interaction's token, not on the bot's.
func isReply(route string) bool {
	return strings.Contains(route, " /webhooks/") || strings.Contains(route, " /interactions/")
}

// refusedFor is how long nothing is called after Discord refused the token: calls in vain
// are counted, and 10,000 in ten minutes shut the machine out.
// https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
const refusedFor = 30 * time.Second

const problemToken = "token"

// refused notes that the token is worth nothing.
func (d *Discord) refused() {
	d.rest.hold("", refusedFor)
	if d.health.Down(problemToken, fatalCodes[4004], true) {
		d.cfg.Log.Error("Discord refuses the bot", slog.String("problem", fatalCodes[4004]))
	}
}
