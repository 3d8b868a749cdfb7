package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/surface"

	api "github.com/bwmarrin/discordgo"
)

// An interaction is a command, a click, a sent modal, or what somebody has typed so far. It
// is decoded here because the library has no data for a modal with a component that it does
// not know, and panics for want of it.
// https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object
type interaction struct {
	ID        string              `json:"id"`
	App       string              `json:"application_id"`
	Type      api.InteractionType `json:"type"`
	Token     string              `json:"token"`
	GuildID   string              `json:"guild_id"`
	ChannelID string              `json:"channel_id"`
	Channel   channel             `json:"channel"`
	User      *author             `json:"user"`
	Member    *struct {
		User *author `json:"user"`
		Nick string  `json:"nick"`
	} `json:"member"`
	Message *said `json:"message"`
	Data    data  `json:"data"`
}

// data is what an interaction of any type carries.
type data struct {
	Name     string   `json:"name"`
	Type     int      `json:"type"`
	Options  []option `json:"options"`
	TargetID string   `json:"target_id"`
	Resolved struct {
		Messages map[string]said `json:"messages"`
	} `json:"resolved"`
	CustomID   string      `json:"custom_id"`
	Components []component `json:"components"`
}

// An option is what somebody wrote for one of a command's.
type option struct {
	Name    string          `json:"name"`
	Value   json.RawMessage `json:"value"`
	Options []option        `json:"options"`
}

// A component is a row or label of a sent modal, or what is inside.
type component struct {
	CustomID   string          `json:"custom_id"`
	Value      json.RawMessage `json:"value"`
	Component  *component      `json:"component"`
	Components []component     `json:"components"`
}

// user is who did it; nil only in what is not Discord's.
func (i interaction) user() *author {
	if i.Member != nil && i.Member.User != nil {
		return i.Member.User
	}
	return i.User
}

func (i interaction) name() string {
	if i.Member != nil && i.Member.Nick != "" {
		return i.Member.Nick
	}
	return i.user().name()
}

// text and yes are what somebody wrote for a command's option.
func (i interaction) text(name string) (text string) {
	for _, o := range i.Data.Options {
		if o.Name == name {
			json.Unmarshal(o.Value, &text) // another type is no text
		}
	}
	return strings.TrimSpace(text)
}

func (i interaction) yes(name string) (yes bool) {
	for _, o := range i.Data.Options {
		if o.Name == name {
			json.Unmarshal(o.Value, &yes)
		}
	}
	return yes
}

// entered is what somebody wrote into a modal's input.
func entered(all []component, name string) (text string) {
	for _, c := range all {
		if c.CustomID == name {
			json.Unmarshal(c.Value, &text)
		}
		if c.Component != nil {
			c.Components = append(c.Components, *c.Component)
		}
		text = cmp.Or(text, entered(c.Components, name))
	}
	return strings.TrimSpace(text)
}

// A response is what an interaction gets within three seconds, once.
// https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object
type response struct {
	Type api.InteractionResponseType `json:"type"`
	Data any                         `json:"data,omitempty"`
}

// How long things take before Discord shows that the bot did not respond.
const (
	acceptWithin  = 2 * time.Second // for the ledger
	respondWithin = 2500 * time.Millisecond
)

// An opening is an interaction on its way to its response, before which nothing else may be
// said to it.
type opening struct {
	done   chan struct{}
	failed bool // there will be none; valid when done is closed
}

// interaction takes one off the gateway and sees to its response.
func (d *Discord) interaction(ctx context.Context, raw json.RawMessage) {
	began := time.Now()
	var i interaction
	if !d.decode("INTERACTION_CREATE", raw, &i) {
		return
	}
	o := &opening{done: make(chan struct{})}
	if again, _ := d.openings.ContainsOrAdd(i.ID, o); again {
		return // as after a session was resumed
	}
	select {
	case d.turns <- struct{}{}:
	default: // Discord will not wait for the others to end
		d.cfg.Log.Warn("more interactions than can be responded to in time: one was left out")
		return
	}
	go func() {
		defer func() { <-d.turns }()
		defer close(o.done)
		defer surface.Rescue(d.cfg.Log, "interaction")
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptWithin+respondWithin)
		defer cancel()
		if r := d.respond(ctx, i); r != nil {
			o.failed = !d.callBack(ctx, i, *r)
			d.metrics.Ack.Observe(time.Since(began).Seconds())
		}
	}()
}

// callBack gives Discord the response, for as long as Discord waits for it, and only once.
// Without it the answer finds another way.
func (d *Discord) callBack(ctx context.Context, i interaction, r response) (done bool) {
	ctx, cancel := context.WithTimeout(ctx, respondWithin)
	defer cancel()
	path := "/interactions/" + i.ID + "/" + i.Token + "/callback"
	pause := chat.Pause{First: 100 * time.Millisecond, Most: time.Second}
	for {
		err := d.call(ctx, "POST", path, r, nil)
		switch {
		case err == nil, errors.Is(err, chat.ErrUnknown) && d.wasHeard(ctx, i, r):
			return true
		case code(err) == api.ErrCodeInteractionHasAlreadyBeenAcknowledged:
			d.cfg.Log.Warn("an interaction had its response already: does another bot run with this token?")
			return true
		case code(err) == api.ErrCodeUnknownInteraction:
			d.cfg.Log.Warn("an interaction had its response too late: is this machine overloaded, or its clock wrong?")
			return false
		case !chat.Retryable(err) || !chat.Sleep(ctx, pause.Next()):
			d.cfg.Log.Warn("an interaction could not be responded to", slog.Any("error", err))
			return false
		}
	}
}

// wasHeard finds out whether a response arrived that Discord did not confirm. Only one that
// is a message can be looked for; of others it is assumed.
func (d *Discord) wasHeard(ctx context.Context, i interaction, r response) bool {
	switch r.Type {
	case api.InteractionResponseChannelMessageWithSource, api.InteractionResponseDeferredChannelMessageWithSource:
		path := reply{app: i.App, token: i.Token}.path(original)
		err := d.call(ctx, "GET", path, nil, nil)
		return !isCode(err, goneCodes)
	}
	return true
}

// respond deals with an interaction of either transport: when it returns, what is to be
// done is in the ledger. nil is no response, as the interaction came before.
func (d *Discord) respond(ctx context.Context, i interaction) *response {
	ctx, cancel := context.WithTimeout(ctx, acceptWithin)
	defer cancel()
	if i.user() == nil || i.user().ID == "" {
		d.cfg.Log.Warn("an interaction names nobody and was ignored")
		return whisper(sayNotKnown)
	}
	d.remember(i.Channel, i.GuildID)
	r, err := d.interact(ctx, i)
	if err != nil {
		d.cfg.Log.Error("an interaction could not be kept", slog.Any("error", err))
		return whisper(sayTryAgain)
	}
	return r
}

func (d *Discord) interact(ctx context.Context, i interaction) (*response, error) {
	switch i.Type {
	case api.InteractionApplicationCommand:
		return d.command(ctx, i)
	case api.InteractionApplicationCommandAutocomplete:
		return d.complete(ctx, i)
	case api.InteractionMessageComponent:
		return d.click(ctx, i)
	case api.InteractionModalSubmit:
		return d.submitted(ctx, i)
	}
	return whisper(sayNotKnown), nil
}

// whisper says something that only who is behind the interaction sees.
func whisper(text string) *response { return whisperMessage(noteMessage(text)) }

func whisperMessage(m message) *response {
	b := m.body()
	b.Flags = api.MessageFlagsEphemeral
	return &response{api.InteractionResponseChannelMessageWithSource, b}
}

// deferral says that the bot is at work. It decides who will see the answer.
func deferral(private bool) *response {
	var flags api.MessageFlags
	if private {
		flags = api.MessageFlagsEphemeral
	}
	return &response{api.InteractionResponseDeferredChannelMessageWithSource, map[string]any{"flags": flags}}
}

// place is where an interaction happened, in a thread or beginning a conversation of its own.
func (d *Discord) place(i interaction) chat.Place {
	p := chat.Place{Platform: d.Name(), Team: i.GuildID, Channel: i.ChannelID, Thread: i.ID}
	if r, ok := d.rooms.Get(i.ChannelID); ok && r.isThread() {
		p.Thread = i.ChannelID
	}
	return p
}

// click deals with one of our buttons. What it is about is a turn's number, which our own
// message carried; that the person may see that message is Discord's to know.
func (d *Discord) click(ctx context.Context, i interaction) (*response, error) {
	kind, turn := button(i.Data.CustomID)
	asked, ok, err := d.desk.Asked(ctx, d.Name(), turn)
	if err != nil || !ok || !mayPress(i, asked) {
		return whisper(sayNotKnown), err
	}
	switch kind {
	case idGood, idBad:
		return d.judged(ctx, i, chat.Feedback{Turn: turn, Good: kind == idGood})
	case idPerson, idReveal:
		if isPrivate(asked.Via, asked.Place) {
			return whisperMessage(revealMessage(turn)), nil
		}
		return d.callPerson(ctx, i, asked, turn)
	case idCall:
		return d.callPerson(ctx, i, asked, turn)
	case idShare:
		return d.share(ctx, i, asked, turn)
	}
	return whisper(sayNotKnown), nil
}

// mayPress reports whether a person may see the post that a button is on: that of a private
// question its asker alone, another whoever is in its server, and its asker also where it went to
// them directly. Discord shows them no other, but what a click says comes from their program.
func mayPress(i interaction, asked chat.Message) bool {
	if isPrivate(asked.Via, asked.Place) || i.GuildID == "" {
		return asked.User == i.user().ID
	}
	return asked.Team == i.GuildID
}

// button is what a custom_id of ours says; "" for another's.
func button(id string) (kind string, turn int64) {
	for _, kind := range []string{idGood, idBad, idPerson, idReveal, idCall, idShare, idWhy} {
		if number, ok := strings.CutPrefix(id, kind); ok {
			turn, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return "", 0
			}
			return kind, turn
		}
	}
	return "", 0
}

// judged stores what someone thinks of an answer; who did not like it is asked why.
func (d *Discord) judged(ctx context.Context, i interaction, f chat.Feedback) (*response, error) {
	f.Platform, f.User, f.Keys = d.Name(), i.user().ID, []string{"interaction:" + i.ID}
	fresh, err := d.desk.Feedback(ctx, f)
	switch {
	case err != nil || !fresh:
		return nil, err
	case f.Good:
		return whisper(sayThanks), nil
	}
	title, id, rows := whyModal(f.Turn)
	return &response{api.InteractionResponseModal, map[string]any{"title": title, "custom_id": id, "components": rows}}, nil
}

// submitted stores what someone wrote about an answer.
func (d *Discord) submitted(ctx context.Context, i interaction) (*response, error) {
	kind, turn := button(i.Data.CustomID)
	if kind != idWhy {
		return whisper(sayNotKnown), nil
	}
	asked, ok, err := d.desk.Asked(ctx, d.Name(), turn)
	if err != nil || !ok || !mayPress(i, asked) {
		return whisper(sayNotKnown), err
	}
	fresh, err := d.desk.Feedback(ctx, chat.Feedback{
		Platform: d.Name(), Turn: turn, User: i.user().ID, Comment: entered(i.Data.Components, inputComment), Keys: []string{"interaction:" + i.ID},
	})
	if err != nil || !fresh {
		return nil, err
	}
	return whisper(sayThanks), nil
}

// isPrivate reports whether only the asker and the bot see what a turn is about.
func isPrivate(via chat.Via, p chat.Place) bool { return via == chat.Command || p.Team == "" }

// callPerson calls someone to a conversation, once; again where Discord did not let it. Where
// the question was asked in private they are called in the channel that the configuration names,
// with the question.
func (d *Discord) callPerson(ctx context.Context, i interaction, asked chat.Message, turn int64) (*response, error) {
	who := d.person(ctx, asked.Place)
	place, call, said := asked.Place, "person for "+asked.Thread, sayCalledHere
	if asked.Thread == "" { // a conversation of its own
		call = "person for answer " + strconv.FormatInt(turn, 10)
	}
	if isPrivate(asked.Via, asked.Place) {
		place.Channel, place.Thread, said = who.Channel, "", sayCalled
		call = "person for answer " + strconv.FormatInt(turn, 10)
	}
	if who.ID == "" || place.Channel == "" {
		return whisper(sayNobody), nil
	}
	receipt, err := d.desk.Accept(ctx, d, chat.Message{
		Place: place, ID: call, User: i.user().ID, Name: who.ref(),
		Via: chat.Handoff, Of: turn, Once: true, Keys: []string{"interaction:" + i.ID},
	})
	switch {
	case err != nil:
		return nil, err
	case receipt.Before:
		return whisper(sayCalledAlready), nil
	}
	return whisper(said), nil
}

// share shows a private answer to the channel it was asked in. Only its asker may.
func (d *Discord) share(ctx context.Context, i interaction, asked chat.Message, turn int64) (*response, error) {
	if asked.User != i.user().ID || asked.Via != chat.Command {
		return whisper(sayNotKnown), nil
	}
	place := asked.Place
	place.Thread = ""
	receipt, err := d.desk.Accept(ctx, d, chat.Message{
		Place: place, ID: "share of " + strconv.FormatInt(turn, 10), User: i.user().ID, Name: cmp.Or(asked.Name, i.name()),
		Via: chat.Share, Of: turn, Once: true, Keys: []string{"interaction:" + i.ID},
	})
	switch {
	case err != nil:
		return nil, err
	case receipt.Before:
		return whisper(saySharedAlready), nil
	}
	return whisper(sayShared), nil
}
