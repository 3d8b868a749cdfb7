package discord

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
)

// A reply is what the answer to an interaction takes, as a ReplyURL.
type reply struct {
	private     bool
	app         string
	token       string
	interaction string
}

func (r reply) String() string {
	seen := "public"
	if r.private {
		seen = "private"
	}
	return seen + "/" + r.app + "/" + r.interaction + "/" + r.token
}

func parseReply(s string) (reply, error) {
	parts := strings.SplitN(s, "/", 4)
	if len(parts) != 4 {
		return reply{}, errors.New("the ledger holds no way to reply to this interaction")
	}
	return reply{private: parts[0] == "private", app: parts[1], interaction: parts[2], token: parts[3]}, nil
}

// path is where an interaction's messages are; message "" makes a new one.
// https://discord.com/developers/docs/interactions/receiving-and-responding#followup-messages
func (r reply) path(message string) string {
	at := "/webhooks/" + r.app + "/" + r.token
	if message == "" {
		return at
	}
	return at + "/messages/" + message
}

const original = "@original"

// replyFor is how long a reply is tried as one. Discord takes it for 15 minutes.
const replyFor = 12 * time.Minute

// reply answers an interaction: the first page is what the response becomes, which may be
// repeated, the others follow it. What can be no reply any more is a message.
func (d *Discord) reply(ctx context.Context, p chat.Post, m message) (string, error) {
	r, err := parseReply(p.ReplyURL)
	if err != nil {
		return "", err
	}
	switch {
	case !d.opened(ctx, r.interaction):
		return d.late(ctx, p, r, m)
	case time.Since(p.Asked) > d.replyFor:
		if p.Page == 0 {
			d.takeBack(ctx, r)
		}
		return d.late(ctx, p, r, m)
	}
	method, path := "PATCH", r.path(original)
	if p.Page > 0 {
		method, path = "POST", r.path("")+"?wait=true"
	}
	b := m.body()
	if r.private && p.Page > 0 {
		b.Flags = api.MessageFlagsEphemeral
	}
	at, err := d.deliver(ctx, method, path, b, p)
	switch {
	case isCode(err, placeCodes):
		if p.Page == 0 {
			d.takeBack(ctx, r)
		}
		return d.sendElsewhere(ctx, p, m, err)
	case err == nil || !isCode(err, goneCodes) && status(err) != http.StatusNotFound:
		return at, err
	case time.Since(p.Asked) < d.settleWithin: // Discord may not have read the response yet
		return "", &chat.Wait{For: settlePause, Err: err}
	}
	return d.late(ctx, p, r, m)
}

// A response that was given over HTTP, or before a restart, takes Discord a moment to read.
const (
	settleWithin = 4 * time.Second
	settlePause  = 300 * time.Millisecond
)

// opened waits until an interaction has had its response, and reports whether it has: what
// comes before it is refused. Of one from before a restart that is not known, and assumed.
func (d *Discord) opened(ctx context.Context, interaction string) bool {
	o, ok := d.openings.Get(interaction)
	if !ok {
		return true
	}
	select {
	case <-o.done:
		return !o.failed
	case <-ctx.Done():
		return true
	}
}

// late shows an answer that can be no reply any more: to everyone who saw the question where
// it was asked, else to its asker.
func (d *Discord) late(ctx context.Context, p chat.Post, r reply, m message) (string, error) {
	d.cfg.Log.Warn("an answer came too late to be a reply and is a message of its own", slog.Int64("turn", p.Turn))
	if p.Page == 0 {
		m = lateMessage(m)
	}
	if r.private && p.Team != "" {
		return d.sendDirectly(ctx, p, m)
	}
	return d.post(ctx, p, m)
}

// takeBack removes the note that an answer is coming. It does its best.
func (d *Discord) takeBack(ctx context.Context, r reply) {
	path := r.path(original)
	if err := d.call(ctx, "DELETE", path, nil, nil); err != nil {
		d.cfg.Log.Debug("a response was not taken back", slog.Any("error", err))
	}
}
