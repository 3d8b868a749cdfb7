package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
)

// A body is a message on the wire. What is empty is sent, because in an edit it takes away.
// https://discord.com/developers/docs/resources/message#create-message-jsonform-params
type body struct {
	Content    string                 `json:"content"`
	Embeds     []*api.MessageEmbed    `json:"embeds"`
	Components []api.MessageComponent `json:"components"`
	Mentions   mentions               `json:"allowed_mentions"`
	Flags      api.MessageFlags       `json:"flags,omitempty"`
	Nonce      string                 `json:"nonce,omitempty"`
	Enforce    bool                   `json:"enforce_nonce,omitempty"`
	Reference  *replyTo               `json:"message_reference,omitempty"`
}

// mentions is whom a message may ping. Without it Discord pings everyone whose name is in
// the words; the library's own type means that, too, where it says null.
// https://discord.com/developers/docs/resources/message#allowed-mentions-object
type mentions struct {
	Parse   []string `json:"parse"` // of whole kinds: always none
	Users   []string `json:"users,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Replied bool     `json:"replied_user"`
}

// replyTo makes a post a reply; one to a message that is gone is none.
type replyTo struct {
	MessageID string `json:"message_id"`
	ChannelID string `json:"channel_id"`
	Must      bool   `json:"fail_if_not_exists"`
}

func (m message) body() body {
	return body{
		Content: m.content, Embeds: append([]*api.MessageEmbed{}, m.embeds...), Components: append([]api.MessageComponent{}, m.components...),
		Mentions: mentions{Parse: []string{}, Users: m.users, Roles: m.roles},
	}
}

// made is a message as Discord shows it when it is made or changed.
type made struct {
	ref
	embeds *int // that it has; nil: not told
}

// lacks reports whether a message came out without the embed that it was sent with. Where
// the bot may not embed links Discord leaves it out and says nothing.
func (m made) lacks(b body) bool { return len(b.Embeds) > 0 && m.embeds != nil && *m.embeds == 0 }

// send makes or changes a message.
func (d *Discord) send(ctx context.Context, method, path string, b body) (made, error) {
	var m struct {
		ID        string             `json:"id"`
		ChannelID string             `json:"channel_id"`
		Embeds    *[]json.RawMessage `json:"embeds"`
	}
	err := d.call(ctx, method, path, b, &m)
	if err == nil && m.ID == "" {
		err = fmt.Errorf("%w: Discord did not say where it is", chat.ErrUnknown)
	}
	out := made{ref: ref{cmp.Or(m.ChannelID, channelOf(path)), m.ID}}
	if m.Embeds != nil {
		n := len(*m.Embeds)
		out.embeds = &n
	}
	return out, err
}

// channelOf is the channel that a path is about; "" where it is about none.
func channelOf(path string) string {
	rest, _ := strings.CutPrefix(path, "/channels/")
	channel, _, ok := strings.Cut(rest, "/")
	if !ok || rest == path {
		return ""
	}
	return channel
}

// deliver sends a post, as text alone where Discord does not take its form.
func (d *Discord) deliver(ctx context.Context, method, path string, b body, p chat.Post) (string, error) {
	at, err := d.send(ctx, method, path, b)
	at.channel = cmp.Or(at.channel, p.Channel) // of a reply
	switch {
	case err == nil && at.lacks(b):
		return d.inWords(ctx, at, editPath(path, at), b, p)
	case err == nil || !isCode(err, formCodes) || len(b.Embeds)+len(b.Components) == 0:
		return at.String(), err
	}
	d.cfg.Log.Error("Discord refused a message's form; sent as text", slog.Any("error", err))
	b.Components = []api.MessageComponent{}
	at, err = d.send(ctx, method, path, b.plain(p))
	at.channel = cmp.Or(at.channel, p.Channel)
	return at.String(), err
}

// editPath is where a message is edited that was sent there. One that follows an interaction may
// be seen by its asker alone, and is reached through the interaction.
func editPath(sent string, at made) string {
	hook, _, _ := strings.Cut(sent, "?")
	hook, _, _ = strings.Cut(hook, "/messages/")
	if !strings.HasPrefix(hook, "/webhooks/") {
		return at.path()
	}
	return hook + "/messages/" + at.message
}

// inWords puts the sources into the words of a message that Discord has left its embed out of.
func (d *Discord) inWords(ctx context.Context, at made, path string, b body, p chat.Post) (string, error) {
	d.cfg.Log.Warn("Discord left out an answer's list of sources: give the bot the permission Embed Links there", slog.String("channel", at.channel))
	b.Nonce, b.Enforce, b.Reference, b.Flags = "", false, nil, 0 // of a new message alone
	if _, err := d.send(ctx, "PATCH", path, b.plain(p)); err != nil {
		d.cfg.Log.Warn("an answer stands without its list of sources", slog.Any("error", err))
	}
	return at.String(), nil
}

// plain is a body without an embed.
func (b body) plain(p chat.Post) body {
	b.Embeds = []*api.MessageEmbed{}
	if !p.Draft && p.Via != chat.Handoff {
		b.Content = plainMessage(p).content
	}
	return b
}
