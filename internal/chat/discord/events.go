package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/surface"

	api "github.com/bwmarrin/discordgo"
)

// An event is something that the gateway said.
type event struct {
	kind    string
	channel string
	data    json.RawMessage
}

// knownKinds are the events that the bot listens to.
var knownKinds = []string{"READY", "RESUMED", "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "INTERACTION_CREATE",
	"GUILD_CREATE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"}

// take takes an event off the connection. Interactions do not wait for each other, for
// somebody waits for each of them; what is said waits for what was said before in that
// channel, for an edit comes after what it edits. It is false when ctx ends before there is
// room for one more.
func (d *Discord) take(ctx context.Context, kind string, data json.RawMessage) (taken bool) {
	taken = true // also of one that is too much for us: it would be again
	defer surface.Rescue(d.cfg.Log, kind)
	d.metrics.Event(kind)
	switch kind {
	case "READY":
		d.ready(data)
	case "INTERACTION_CREATE":
		d.interaction(ctx, data)
	case "GUILD_CREATE", "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE", "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE":
		d.rearranged(kind, data)
	case "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK":
		var at struct {
			Channel string `json:"channel_id"`
		}
		if d.decode(kind, data, &at) {
			return d.lanes.add(ctx, event{kind, at.Channel, data})
		}
	}
	return true
}

// deal deals with one event. Discord sends none twice, so what the ledger does not take, or
// what Discord does not tell about its channel, is tried again for a while.
func (d *Discord) deal(ctx context.Context, e event) {
	defer surface.Rescue(d.cfg.Log, e.kind)
	pause := chat.Pause{First: 100 * time.Millisecond, Most: 5 * time.Second}
	for begun := time.Now(); ; {
		err := d.happened(ctx, e)
		if err == nil {
			return
		}
		if time.Since(begun) > keepWithin || !chat.Sleep(ctx, pause.Next()) {
			d.cfg.Log.Error("an event could not be kept", slog.String("kind", e.kind), slog.Any("error", err))
			return
		}
	}
}

const (
	keepWithin = 30 * time.Second
	lookFor    = 20 * time.Second // how long it may take to learn whether a message is in a thread
)

func (d *Discord) happened(ctx context.Context, e event) error {
	if e.kind == "MESSAGE_DELETE" || e.kind == "MESSAGE_DELETE_BULK" {
		return d.deleted(ctx, e)
	}
	var m said
	if !d.decode(e.kind, e.data, &m) {
		return nil
	}
	if e.kind == "MESSAGE_UPDATE" {
		return d.changed(ctx, m)
	}
	return d.spoken(ctx, m)
}

// said is a message, as much as is needed of it. The library reads components, too, and
// gives up a whole message for one that it does not know.
// https://discord.com/developers/docs/resources/message#message-object
type said struct {
	ID         string          `json:"id"`
	Type       api.MessageType `json:"type"`
	ChannelID  string          `json:"channel_id"`
	GuildID    string          `json:"guild_id"`
	Content    string          `json:"content"`
	Author     *author         `json:"author"`
	WebhookID  string          `json:"webhook_id"`
	Mentions   []author        `json:"mentions"`
	Everyone   bool            `json:"mention_everyone"`
	Roles      []string        `json:"mention_roles"`
	Edited     string          `json:"edited_timestamp"`
	Reference  *reference      `json:"message_reference"`
	Referenced *said           `json:"referenced_message"`
}

// opensPost reports whether a message is the first of a forum post, whose title may say all.
func (m said) opensPost() bool { return m.ID == m.ChannelID }

type author struct {
	ID         string `json:"id"`
	Username   string `json:"username"`
	GlobalName string `json:"global_name"`
	Bot        bool   `json:"bot"`
	System     bool   `json:"system"`
}

func (a author) name() string { return cmp.Or(a.GlobalName, a.Username) }

// A reference is the message that one replies to.
type reference struct {
	MessageID string `json:"message_id"`
}

// spoken hands the desk a message if it is for the bot.
func (d *Discord) spoken(ctx context.Context, m said) error {
	via, place, why, err := d.via(ctx, m)
	if err != nil {
		return err
	}
	if via == "" {
		d.cfg.Log.Debug("a message is not for the bot", slog.String("reason", why))
		return nil
	}
	text, err := d.words(ctx, m)
	if err != nil {
		return err
	}
	if text == "" && m.Content == "" && via != chat.Direct && d.repliesToUs(m) {
		return d.unheard(ctx, m, place)
	}
	return d.accept(ctx, m, chat.Message{Place: place, Via: via, Text: text, Keys: []string{"message:" + m.ID}})
}

// accept hands the desk what a message asks, with what the message itself says of that.
func (d *Discord) accept(ctx context.Context, m said, asked chat.Message) error {
	asked.ID, asked.User, asked.Name = m.ID, m.Author.ID, m.Author.name()
	asked.Sent, asked.Once = timeOf(m.ID), true
	_, err := d.desk.Accept(ctx, d, asked)
	return err
}

// words are what a message asks: its own, after a forum post's title, or where it only
// names the bot those of the message that it replies to.
func (d *Discord) words(ctx context.Context, m said) (string, error) {
	text := plain(m.Content)
	if m.opensPost() {
		r, err := d.room(ctx, m.ChannelID)
		if time.Since(timeOf(m.ID)) > lookFor {
			err = nil
		}
		return strings.TrimSpace(r.name + "\n" + text), err
	}
	if text == "" && m.Referenced != nil && m.Referenced.Author != nil && !m.Referenced.Author.Bot {
		return plain(m.Referenced.Content), nil
	}
	return text, nil
}

// unheard says, once to each person, that a reply could not be read: without the intent for it Discord shows the
// bot only messages that name it, and people can reply without that.
func (d *Discord) unheard(ctx context.Context, m said, place chat.Place) error {
	if d.cfg.Rules.intents()&api.IntentMessageContent != 0 {
		return nil
	}
	if again, _ := d.unread.ContainsOrAdd(m.Author.ID, struct{}{}); again {
		return nil // who has been told may mean no question
	}
	d.asides.Go(ctx, func(ctx context.Context) {
		d.Tell(ctx, chat.Post{Place: place, Key: "unheard " + m.ID, Message: m.ID, User: m.Author.ID, Asked: time.Now()}, sayUnheard)
	})
	return nil
}

// Messages of these types are words of a person; others tell of joins, pins, boosts.
// https://discord.com/developers/docs/resources/message#message-object-message-types
var spokenTypes = []api.MessageType{api.MessageTypeDefault, api.MessageTypeReply}

// via says how a message is for the bot and where it belongs; "" and why when it is not.
func (d *Discord) via(ctx context.Context, m said) (via chat.Via, place chat.Place, why string, err error) {
	switch {
	case !slices.Contains(spokenTypes, m.Type):
		return "", place, "type " + strconv.Itoa(int(m.Type)), nil
	case d.notAPerson(m):
		return "", place, "not from a person", nil
	}
	switch {
	case m.GuildID == "":
		via = chat.Direct
	case d.namesUs(m) || d.repliesToUs(m):
		via = chat.Mention
	case m.Content == "" && !m.opensPost() || d.cfg.Rules.intents()&api.IntentMessageContent == 0:
		return "", place, "not named", nil
	}
	place, err = d.placeOf(ctx, m)
	if err == nil && via == "" {
		via, why, err = d.unasked(ctx, m, place)
	}
	return via, place, why, err
}

// unasked is via for a message that does not name the bot: in a thread where it has answered,
// or in a channel where it may speak up. The message that opens a forum post is a question to
// everybody, however it is put.
func (d *Discord) unasked(ctx context.Context, m said, place chat.Place) (via chat.Via, why string, err error) {
	if len(m.Mentions) > 0 || len(m.Roles) > 0 || m.Everyone || m.Reference != nil {
		return "", "said to somebody else", nil
	}
	follows, err := d.desk.Follows(ctx, place)
	if err != nil || follows {
		return chat.FollowUp, "", err
	}
	rule, err := d.rule(ctx, m.ChannelID)
	switch {
	case err != nil:
		return "", "", err
	case !rule.AutoAnswer || place.Thread == m.ChannelID && !m.opensPost():
		return "", "not named", nil
	case !m.opensPost() && !chat.LooksLikeQuestion(plain(m.Content)):
		return "", "not a question to everybody", nil
	}
	return chat.Overheard, "", nil
}

// notAPerson is true of ourselves, other bots, webhooks and Discord itself.
func (d *Discord) notAPerson(m said) bool {
	return m.Author == nil || m.Author.ID == "" || m.Author.Bot || m.Author.System || m.WebhookID != "" || d.isSelf(m.Author.ID)
}

func (d *Discord) isSelf(user string) bool {
	_, self := d.state.self()
	return self != "" && user == self
}

func (d *Discord) namesUs(m said) bool {
	return slices.ContainsFunc(m.Mentions, func(a author) bool { return d.isSelf(a.ID) })
}

func (d *Discord) repliesToUs(m said) bool {
	return m.Type == api.MessageTypeReply && m.Referenced != nil && m.Referenced.Author != nil && d.isSelf(m.Referenced.Author.ID)
}

// placeOf is where a message belongs: in a thread to that; as a reply to the bot to the
// conversation that it replied in; else to one that it begins.
func (d *Discord) placeOf(ctx context.Context, m said) (chat.Place, error) {
	place := chat.Place{Platform: d.Name(), Team: m.GuildID, Channel: m.ChannelID, Thread: m.ID}
	if m.GuildID != "" {
		r, err := d.room(ctx, m.ChannelID)
		if err != nil && time.Since(timeOf(m.ID)) < lookFor {
			return place, err
		}
		if r.isThread() || m.opensPost() {
			place.Thread = m.ChannelID
			return place, nil
		}
	}
	if !d.repliesToUs(m) {
		return place, nil
	}
	root, err := d.desk.ThreadOf(ctx, place, ref{m.ChannelID, m.Referenced.ID}.String())
	place.Thread = cmp.Or(root, place.Thread)
	return place, err
}

// editWithin is how late an edit may make a question of what was none.
const editWithin = 5 * time.Minute

// changed takes a question's new words. Discord also sends changes that are none of a
// person's, as when a link's preview appears: those leave the time of the last edit alone.
func (d *Discord) changed(ctx context.Context, m said) error {
	if m.Edited == "" || m.Author == nil || d.notAPerson(m) || m.Content == "" {
		return nil
	}
	text, err := d.words(ctx, m)
	if err != nil {
		return err
	}
	place := chat.Place{Platform: d.Name(), Team: m.GuildID, Channel: m.ChannelID}
	known, err := d.desk.Edit(ctx, place, m.ID, text)
	if err != nil || known || !d.namesUs(m) || time.Since(timeOf(m.ID)) > editWithin {
		return err
	}
	via, place, _, err := d.via(ctx, m)
	if err != nil || via == "" {
		return err
	}
	return d.accept(ctx, m, chat.Message{Place: place, Via: via, Text: text, Keys: []string{"named:" + m.ID}})
}

func (d *Discord) deleted(ctx context.Context, e event) error {
	var gone struct {
		ID        string   `json:"id"`
		IDs       []string `json:"ids"`
		ChannelID string   `json:"channel_id"`
		GuildID   string   `json:"guild_id"`
	}
	if !d.decode(e.kind, e.data, &gone) {
		return nil
	}
	place := chat.Place{Platform: d.Name(), Team: gone.GuildID, Channel: gone.ChannelID}
	if gone.ID != "" {
		gone.IDs = append(gone.IDs, gone.ID)
	}
	for _, id := range gone.IDs {
		if err := d.desk.Withdraw(ctx, place, id); err != nil {
			return err
		}
	}
	return nil
}

// timeOf is when what an id stands for was made; zero if it is none.
// https://discord.com/developers/docs/reference#snowflakes
func timeOf(id string) time.Time {
	t, err := api.SnowflakeTimestamp(id)
	if err != nil {
		return time.Time{}
	}
	return t
}
