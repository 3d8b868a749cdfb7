package discord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
)

// A ref is where a post is, as the ledger keeps it: "channel/message".
type ref struct{ channel, message string }

func (r ref) String() string { return r.channel + "/" + r.message }

// path is where the API has it.
func (r ref) path() string { return "/channels/" + r.channel + "/messages/" + r.message }

func parseRef(id string) (ref, error) {
	channel, message, ok := strings.Cut(id, "/")
	if !ok {
		return ref{}, fmt.Errorf("%q in the ledger is no post of Discord's", id)
	}
	return ref{channel, message}, nil
}

// Pages implements [chat.Platform].
func (d *Discord) Pages(p chat.Post) int { return len(d.messages(p, look{})) }

// messages sets a post and what follows it.
func (d *Discord) messages(p chat.Post, l look) []message {
	switch {
	case p.Draft:
		return []message{draftMessage()}
	case p.Via == chat.Handoff:
		return []message{handoffMessage(p, personOf(p.Name), p.Thread == p.Channel)}
	}
	return pages(p, l)
}

// lookOf is how an answer is shown where it is going.
func (d *Discord) lookOf(ctx context.Context, p chat.Post) look {
	who := d.person(ctx, p.Place)
	private := isPrivate(p.Via, p.Place)
	return look{private: private, person: who.ID != "" && (!private || who.Channel != "")}
}

func (d *Discord) page(ctx context.Context, p chat.Post) (message, error) {
	all := d.messages(p, d.lookOf(ctx, p))
	if p.Page >= len(all) {
		return message{}, fmt.Errorf("page %d of %d", p.Page, len(all))
	}
	return all[p.Page], nil
}

// Send implements [chat.Platform].
func (d *Discord) Send(ctx context.Context, p chat.Post, draft string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if draft != "" {
		return draft, d.Edit(ctx, p, draft)
	}
	m, err := d.page(ctx, p)
	if err != nil {
		return "", err
	}
	if p.ReplyURL != "" {
		return d.reply(ctx, p, m)
	}
	return d.post(ctx, p, m)
}

// post makes a message where the question was asked, or brings it to its asker alone when
// the place refuses it.
func (d *Discord) post(ctx context.Context, p chat.Post, m message) (string, error) {
	at, err := d.create(ctx, p, p.Channel, m)
	if err != nil && isCode(err, placeCodes) {
		return d.sendElsewhere(ctx, p, m, err)
	}
	return at, err
}

// create makes a post in a channel, as text alone where Discord does not take its form.
func (d *Discord) create(ctx context.Context, p chat.Post, channel string, m message) (string, error) {
	b := m.body()
	b.Nonce, b.Enforce = nonce(p), true
	if p.Message != "" && p.Page == 0 && channel == p.Channel && p.Via != chat.Share && p.Via != chat.Handoff {
		b.Reference = &replyTo{MessageID: p.Message, ChannelID: channel}
	}
	path := "/channels/" + channel + "/messages"
	at, err := d.deliver(ctx, "POST", path, b, p)
	if code(err) == api.ErrCodeCannotReplyWithoutPermissionToReadMessageHistory {
		b.Reference = nil
		at, err = d.deliver(ctx, "POST", path, b, p)
	}
	return at, err
}

// nonce names a post: for some minutes Discord makes no second message of the same one.
// https://discord.com/developers/docs/resources/message#create-message
func nonce(p chat.Post) string {
	const most = 25
	name := p.Key
	if p.Draft {
		name = "d" + name
	}
	return name[:min(len(name), most)]
}

// goesElsewhere reports whether an answer may go to its asker alone: who did not ask gets
// nothing, and a direct message that refuses us leads nowhere else.
func goesElsewhere(p chat.Post) bool {
	return p.Team != "" && (p.Via == chat.Mention || p.Via == chat.Shortcut || p.Via == chat.Ask || p.Via == chat.Command)
}

// sendElsewhere brings an answer to its asker when the place refuses it. What was to be shown
// to others is not; who wanted that is told.
func (d *Discord) sendElsewhere(ctx context.Context, p chat.Post, m message, why error) (string, error) {
	switch p.Via {
	case chat.Handoff:
		d.sendDirectly(ctx, p, noteMessage(sayNobodyCalled)) // the turn is over, told or not
		return "", why
	case chat.Share:
		d.sendDirectly(ctx, p, noteMessage(sayNotShared))
		return "", why
	}
	if !goesElsewhere(p) {
		return "", why
	}
	d.cfg.Log.Warn("an answer goes to its asker alone: the channel refuses it", slog.Any("error", why))
	if p.Page == 0 {
		m = elsewhereMessage(m)
	}
	return d.sendDirectly(ctx, p, m)
}

// sendDirectly makes a post in the conversation with one person.
func (d *Discord) sendDirectly(ctx context.Context, p chat.Post, m message) (string, error) {
	channel, err := d.directly(ctx, p.User)
	if err != nil {
		return "", err
	}
	return d.create(ctx, p, channel, m)
}

// directly opens the conversation with one person.
// https://discord.com/developers/docs/resources/user#create-dm
func (d *Discord) directly(ctx context.Context, user string) (channel string, err error) {
	if id, ok := d.direct.Get(user); ok {
		return id, nil
	}
	var c struct {
		ID string `json:"id"`
	}
	const path = "/users/@me/channels"
	err = d.call(ctx, "POST", path, map[string]string{"recipient_id": user}, &c)
	if err == nil {
		d.direct.Add(user, c.ID)
	}
	return c.ID, err
}

// Slot implements [chat.Platform].
func (d *Discord) Slot(p chat.Post) time.Duration {
	if p.ReplyURL != "" {
		return 0
	}
	return d.pace.Slot(p.Channel, p.Draft)
}

// Discord tells each channel's limit in its answers, which is usually five messages in five
// seconds: https://discord.com/developers/docs/topics/rate-limits
const (
	postEvery   = 1100 * time.Millisecond
	postsAtOnce = 4
)

// Edit implements [chat.Platform].
func (d *Discord) Edit(ctx context.Context, p chat.Post, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	at, err := parseRef(id)
	if err != nil {
		return err
	}
	m, err := d.page(ctx, p)
	if err != nil {
		return err
	}
	_, err = d.deliver(ctx, "PATCH", at.path(), m.body(), p)
	return err
}

// Remove implements [chat.Platform].
func (d *Discord) Remove(ctx context.Context, p chat.Post, id string) error {
	at, err := parseRef(id)
	if err != nil {
		return err
	}
	err = d.call(ctx, "DELETE", at.path(), nil, nil)
	if code(err) == api.ErrCodeUnknownMessage {
		return nil
	}
	return err
}

// Working implements [chat.Platform]: it shows that the bot types, which Discord itself takes
// back when it has posted, or after ten seconds. A reply shows that from the beginning, until
// it is taken back.
// https://discord.com/developers/docs/resources/channel#trigger-typing-indicator
func (d *Discord) Working(ctx context.Context, p chat.Post, stage chat.Stage) {
	if r, err := parseReply(p.ReplyURL); stage == "" && err == nil {
		d.takeBack(ctx, r)
	}
	if p.ReplyURL != "" || stage == "" {
		return
	}
	path := "/channels/" + p.Channel + "/typing"
	if err := d.call(ctx, "POST", path, nil, nil); err != nil {
		d.cfg.Log.Debug("it was not shown that the bot is at work", slog.Any("error", err))
	}
}

// Tell implements [chat.Platform]. Outside of interactions Discord has no way to say something
// to one person alone in a channel, so it is a reply to what they said.
func (d *Discord) Tell(ctx context.Context, p chat.Post, text string) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	var err error
	switch {
	case p.ReplyURL != "":
		err = d.whisperOn(ctx, p, text)
	case p.Message == "" || p.Via == chat.Share: // it is about no message that people see
		_, err = d.sendDirectly(ctx, apart(p), noteMessage(text))
	case d.Slot(chat.Post{Place: p.Place, Draft: true}) > 0:
		err = errors.New("the channel is busy")
	default:
		_, err = d.create(ctx, apart(p), p.Channel, noteMessage(text))
	}
	if err != nil {
		d.cfg.Log.Debug("a person could not be told", slog.Any("error", err))
	}
}

// apart is a post by another name than the answer's.
func apart(p chat.Post) chat.Post {
	p.Key, p.Page = "t"+p.Key, 0
	return p
}

func (d *Discord) whisperOn(ctx context.Context, p chat.Post, text string) error {
	r, err := parseReply(p.ReplyURL)
	if err != nil {
		return err
	}
	b := noteMessage(text).body()
	b.Flags = api.MessageFlagsEphemeral
	_, err = d.send(ctx, "POST", r.path("")+"?wait=true", b)
	return err
}
