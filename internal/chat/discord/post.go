package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
	"golang.org/x/time/rate"
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
	case time.Since(p.Asked) > replyFor:
		d.takeBack(ctx, r)
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
	case err == nil || !isCode(err, goneCodes):
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

// deliver sends a post, as text alone where Discord does not take its form.
func (d *Discord) deliver(ctx context.Context, method, path string, b body, p chat.Post) (string, error) {
	made, err := d.send(ctx, method, path, b)
	switch {
	case err == nil && made.lacks(b):
		return d.inWords(ctx, made, b, p)
	case err == nil || !isCode(err, formCodes) || len(b.Embeds)+len(b.Components) == 0:
		return made.String(), err
	}
	d.cfg.Log.Error("Discord refused a message's form; sent as text", slog.Any("error", err))
	b.Components = []api.MessageComponent{}
	made, err = d.send(ctx, method, path, b.plain(p))
	return made.String(), err
}

// inWords puts the sources into the words of a message that Discord has left its embed out of.
func (d *Discord) inWords(ctx context.Context, at made, b body, p chat.Post) (string, error) {
	d.cfg.Log.Warn("Discord left out an answer's list of sources: give the bot the permission Embed Links there", slog.String("channel", at.channel))
	b.Nonce, b.Enforce, b.Reference = "", false, nil // of a new message alone
	if _, err := d.send(ctx, "PATCH", at.path(), b.plain(p)); err != nil {
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
	if err := d.sending(routeOf("DELETE", path), d.rest.call(ctx, "DELETE", path, nil, nil)); err != nil {
		d.cfg.Log.Debug("a response was not taken back", slog.Any("error", err))
	}
}

// create makes a post in a channel, as text alone where Discord does not take its form.
func (d *Discord) create(ctx context.Context, p chat.Post, channel string, m message) (string, error) {
	b := m.body()
	b.Nonce, b.Enforce = nonce(p), true
	if p.Message != "" && p.Page == 0 && channel == p.Channel && p.Via != chat.Share {
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
	err := d.sending(routeOf(method, path), d.rest.call(ctx, method, path, b, &m))
	if err == nil && m.ID == "" {
		err = fmt.Errorf("%w: Discord did not say where it is", chat.ErrUnknown)
	}
	out := made{ref: ref{m.ChannelID, m.ID}}
	if m.Embeds != nil {
		n := len(*m.Embeds)
		out.embeds = &n
	}
	return out, err
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
	err = d.sending(routeOf("POST", path), d.rest.call(ctx, "POST", path, map[string]string{"recipient_id": user}, &c))
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
	limiter, ok := d.pace.Get(p.Channel)
	if !ok {
		limiter = rate.NewLimiter(rate.Every(postEvery), postsAtOnce)
		if before, had, _ := d.pace.PeekOrAdd(p.Channel, limiter); had {
			limiter = before
		}
	}
	r := limiter.Reserve()
	wait := r.Delay()
	if p.Draft && wait > 0 {
		r.Cancel()
	}
	return wait
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
	err = d.sending(routeOf("DELETE", at.path()), d.rest.call(ctx, "DELETE", at.path(), nil, nil))
	if code(err) == api.ErrCodeUnknownMessage {
		return nil
	}
	return err
}

// Find implements [chat.Platform]. An interaction's first page is where its response is; other
// posts are looked for in the channel, and where an answer may have gone to its asker alone in
// the conversation with them. Only the pages that follow a private reply cannot be found.
func (d *Discord) Find(ctx context.Context, p chat.Post) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	if p.ReplyURL != "" {
		id, sure, err := d.findReply(ctx, p)
		if sure || err != nil {
			return id, err
		}
	}
	id, err := d.findIn(ctx, p, p.Channel)
	if id != "" || err != nil && !isCode(err, placeCodes) || !goesElsewhere(p) {
		return id, err
	}
	channel, err := d.directly(ctx, p.User)
	if isCode(err, placeCodes) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return d.findIn(ctx, p, channel)
}

// findReply looks for a page where the reply to an interaction is; sure is false where it may
// be elsewhere.
func (d *Discord) findReply(ctx context.Context, p chat.Post) (id string, sure bool, err error) {
	r, err := parseReply(p.ReplyURL)
	if err != nil {
		return "", false, err
	}
	if p.Page > 0 {
		return "", r.private, nil
	}
	var m found
	path := r.path(original)
	err = d.sending(routeOf("GET", path), d.rest.call(ctx, "GET", path, nil, &m))
	switch {
	case isCode(err, goneCodes):
		return "", false, nil
	case err != nil:
		return "", false, err
	case m.Flags&int(api.MessageFlagsLoading) != 0: // as the response left it
		return "", time.Since(p.Asked) < replyFor, nil
	}
	return ref{cmp.Or(m.ChannelID, p.Channel), m.ID}.String(), true, nil
}

// found is what is needed of a message of ours.
type found struct {
	ID        string     `json:"id"`
	ChannelID string     `json:"channel_id"`
	Author    *author    `json:"author"`
	Content   string     `json:"content"`
	Nonce     any        `json:"nonce"`
	Flags     int        `json:"flags"`
	Reference *reference `json:"message_reference"`
}

// pageOfChannel is how many messages Discord shows at once, and pagesOfChannel how many pages
// are read: more has not been said in a channel since.
// https://discord.com/developers/docs/resources/message#get-channel-messages
const (
	pageOfChannel  = 100
	pagesOfChannel = 20
)

// findIn looks through what was said in a channel since the question.
func (d *Discord) findIn(ctx context.Context, p chat.Post, channel string) (string, error) {
	want, err := d.page(ctx, p)
	if err != nil {
		return "", err
	}
	after := idAt(p.Asked.Add(-time.Minute))
	for range pagesOfChannel {
		path := "/channels/" + channel + "/messages"
		var page []found
		err := d.sending(routeOf("GET", path), d.rest.call(ctx, "GET", path+"?"+url.Values{"limit": {fmt.Sprint(pageOfChannel)}, "after": {after}}.Encode(), nil, &page))
		if err != nil {
			return "", err
		}
		for _, m := range page {
			if d.isPost(m, p, want) {
				return ref{channel, m.ID}.String(), nil
			}
			after = later(after, m.ID)
		}
		if len(page) < pageOfChannel {
			break
		}
	}
	return "", nil
}

// isPost recognises a post by the name it was given, which Discord does not always show; else
// by its words and what it replies to.
func (d *Discord) isPost(m found, p chat.Post, want message) bool {
	if m.Author == nil || !d.isSelf(m.Author.ID) {
		return false
	}
	if m.Nonce == nonce(p) {
		return true
	}
	replies := m.Reference != nil && m.Reference.MessageID == p.Message
	if p.Draft && replies {
		return true
	}
	ofReply := p.ReplyURL != "" // what follows a response is a reply to that
	said := strings.TrimSpace(m.Content)
	ours := said == strings.TrimSpace(want.content) || said == strings.TrimSpace(lateMessage(want).content) ||
		said == strings.TrimSpace(elsewhereMessage(want).content) || said == strings.TrimSpace(plainMessage(p).content)
	return ours && (m.Reference == nil || replies || ofReply)
}

// idAt is the least id of what is made at a time.
// https://discord.com/developers/docs/reference#snowflakes
func idAt(t time.Time) string {
	const epoch = 1420070400000
	return fmt.Sprint(max(0, t.UnixMilli()-epoch) << 22)
}

// later is the later of two ids, which are numbers without leading zeros.
func later(a, b string) string {
	if len(a) != len(b) {
		return map[bool]string{true: a, false: b}[len(a) > len(b)]
	}
	return max(a, b)
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
	if err := d.sending(routeOf("POST", path), d.rest.call(ctx, "POST", path, nil, nil)); err != nil {
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
	case p.Message == "":
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
