package discord

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
)

// A command is one of the app's, as it is registered. The library's type sends permissions
// as text, which the published description of the interface does not allow.
// https://discord.com/developers/docs/interactions/application-commands#application-command-object
type command struct {
	Type         api.ApplicationCommandType       `json:"type"`
	Name         string                           `json:"name"`
	Description  string                           `json:"description"`
	Options      []commandOption                  `json:"options,omitempty"`
	Permissions  *permissionBits                  `json:"default_member_permissions,omitempty"`
	Contexts     []api.InteractionContextType     `json:"contexts"`
	Integrations []api.ApplicationIntegrationType `json:"integration_types"`
}

type commandOption struct {
	Type         api.ApplicationCommandOptionType `json:"type"`
	Name         string                           `json:"name"`
	Description  string                           `json:"description"`
	Required     bool                             `json:"required,omitempty"`
	Autocomplete bool                             `json:"autocomplete,omitempty"`
	MaxLength    int                              `json:"max_length,omitempty"`
	Options      []commandOption                  `json:"options,omitempty"`
}

// permissionBits are sent as a number and come back as text.
type permissionBits int64

func (b *permissionBits) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(bytes.Trim(data, `"`), (*int64)(b))
}

// maxQuestion is what one may type; Discord's own limit for an option is 6,000.
const maxQuestion = 1000

// commands are all that the app has: in the servers that it is installed in, and where
// nothing of a server is in them in direct messages, too.
func commands() []command {
	everywhere := []api.InteractionContextType{api.InteractionContextGuild, api.InteractionContextBotDM}
	servers := []api.InteractionContextType{api.InteractionContextGuild}
	installed := []api.ApplicationIntegrationType{api.ApplicationIntegrationGuildInstall}
	manage := permissionBits(api.PermissionManageGuild)
	return []command{
		{
			Type: api.ChatApplicationCommand, Name: commandAsk, Description: "Ask the documents, and see where each answer stands",
			Options: []commandOption{
				{Type: api.ApplicationCommandOptionString, Name: optionQuestion, Description: "What would you like to know?", Required: true, MaxLength: maxQuestion},
				{Type: api.ApplicationCommandOptionBoolean, Name: optionPrivate, Description: "Only you see the answer, and can share it"},
			},
			Contexts: everywhere, Integrations: installed,
		},
		{
			Type: api.ChatApplicationCommand, Name: commandSources, Description: "See what a document is about",
			Options: []commandOption{
				{Type: api.ApplicationCommandOptionString, Name: optionDocument, Description: "Its title", Required: true, Autocomplete: true},
			},
			Contexts: everywhere, Integrations: installed,
		},
		{
			Type: api.ChatApplicationCommand, Name: commandKB, Description: "The documents that answers come from",
			Options: []commandOption{
				{Type: api.ApplicationCommandOptionSubCommand, Name: optionStatus, Description: "How many there are, and which cannot be read"},
			},
			Permissions: &manage, Contexts: servers, Integrations: installed,
		},
		{Type: api.MessageApplicationCommand, Name: commandAnswer, Contexts: everywhere, Integrations: installed},
	}
}

// register gives Discord the commands once it is known who the bot is. It tries until that
// has worked or ctx ends.
func (d *Discord) register(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-d.known:
	}
	pause := chat.Pause{First: time.Second, Most: 10 * time.Minute}
	for {
		err := d.giveCommands(ctx)
		if err == nil {
			d.health.Fine(problemCommands)
			return
		}
		if ctx.Err() == nil && d.health.Down(problemCommands, "the commands could not be registered: "+err.Error(), false) {
			d.cfg.Log.Error("Discord did not take the bot's commands", slog.Any("error", err))
		}
		var wait *chat.Wait
		if errors.As(err, &wait) && !chat.Sleep(ctx, wait.For) || !chat.Sleep(ctx, pause.Next()) {
			return
		}
	}
}

// giveCommands replaces the commands that Discord has, all at once, if they are others.
func (d *Discord) giveCommands(ctx context.Context) error {
	app, _ := d.state.self()
	path := "/applications/" + app + "/commands"
	var have []command
	err := d.call(ctx, "GET", path, nil, &have)
	switch {
	case err == nil && sameCommands(have, commands()):
		return nil
	case err != nil && chat.Retryable(err):
		return err
	}
	err = d.call(ctx, "PUT", path, commands(), nil)
	if err == nil {
		d.cfg.Log.Info("gave Discord the bot's commands", slog.Int("commands", len(commands())))
	}
	return err
}

const problemCommands = "commands"

// sameCommands compares what Discord has, in an order of its own, with what is wanted.
func sameCommands(have, want []command) bool {
	form := func(all []command) []string {
		var out []string
		for _, c := range all {
			slices.Sort(c.Contexts)
			slices.Sort(c.Integrations)
			text, _ := json.Marshal(c) // of strings and numbers
			out = append(out, string(text))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(form(have), form(want))
}

// command deals with one of the app's commands.
func (d *Discord) command(ctx context.Context, i interaction) (*response, error) {
	switch i.Data.Name {
	case commandAsk:
		return d.ask(ctx, i)
	case commandAnswer:
		return d.answerThis(ctx, i)
	case commandSources:
		return d.sources(ctx, i)
	case commandKB:
		audiences, err := d.Audiences(ctx, d.place(i), false)
		if err != nil {
			return nil, err
		}
		return whisperMessage(statusMessage(d.cfg.Library.Status(audiences))), nil
	}
	d.cfg.Log.Debug("a command that is not ours", slog.String("name", i.Data.Name))
	return whisper(sayNotKnown), nil
}

// ask takes a question.
func (d *Discord) ask(ctx context.Context, i interaction) (*response, error) {
	text, private := plain(i.text(optionQuestion)), i.yes(optionPrivate)
	if text == "" {
		return whisper(sayUsage), nil
	}
	place, via := d.place(i), chat.Ask
	if private || place.Team == "" {
		place.Thread, via = "", chat.Command
	}
	return d.owe(ctx, i, private, chat.Message{Place: place, Text: text, Via: via})
}

// answerThis takes somebody's message for a question. What was answered before is not
// answered again.
func (d *Discord) answerThis(ctx context.Context, i interaction) (*response, error) {
	m := i.Data.Resolved.Messages[i.Data.TargetID]
	text := plain(m.Content)
	if text == "" || m.Author != nil && d.isSelf(m.Author.ID) {
		return whisper(sayNothingToAnswer), nil
	}
	return d.owe(ctx, i, false, chat.Message{Place: d.place(i), ID: i.Data.TargetID, Text: text, Via: chat.Shortcut, Once: true})
}

// owe hands a question to the desk, and says that an answer is coming or why there is none.
func (d *Discord) owe(ctx context.Context, i interaction, private bool, m chat.Message) (*response, error) {
	app, _ := d.state.self()
	m.User, m.Name, m.Keys = i.user().ID, i.name(), []string{"interaction:" + i.ID}
	m.ReplyURL = reply{private: private, app: cmp.Or(i.App, app), token: i.Token, interaction: i.ID}.String()
	m.Sent = timeOf(i.ID)
	receipt, err := d.desk.Accept(ctx, d, m)
	switch {
	case err != nil:
		return nil, err
	case receipt.Before:
		return whisper(sayAnsweredAlready), nil
	case !receipt.Fresh:
		return nil, nil
	case receipt.Notice != "":
		return whisper(receipt.Notice), nil
	}
	return deferral(private), nil
}

// sources shows what a document is about, to who asked alone.
func (d *Discord) sources(ctx context.Context, i interaction) (*response, error) {
	audiences, err := d.Audiences(ctx, d.place(i), false)
	if err != nil {
		return nil, err
	}
	docs := d.cfg.Library.Documents(audiences)
	at := slices.IndexFunc(docs, func(doc Document) bool { return documentValue(doc.Path) == i.text(optionDocument) })
	if at < 0 {
		found := choices(docs, i.text(optionDocument)) // typed, not chosen
		if len(found) != 1 {
			return whisper(sayNoSuchDocument), nil
		}
		at = slices.IndexFunc(docs, func(doc Document) bool { return documentValue(doc.Path) == found[0].Value })
	}
	return whisperMessage(outlineMessage(docs[at])), nil
}

// complete offers the documents that fit what somebody has typed so far. Where that goes
// wrong it offers nothing.
func (d *Discord) complete(ctx context.Context, i interaction) (*response, error) {
	offered := []*api.ApplicationCommandOptionChoice{}
	audiences, err := d.Audiences(ctx, d.place(i), false)
	if err == nil && i.Data.Name == commandSources {
		offered = append(offered, choices(d.cfg.Library.Documents(audiences), i.text(optionDocument))...)
	}
	// The library leaves out a list of no choices, which Discord takes for a mistake.
	return &response{api.InteractionApplicationCommandAutocompleteResult, map[string]any{"choices": offered}}, nil
}

// A person as the ledger keeps one.
func (p Person) ref() string {
	kind := "member:"
	if p.Role {
		kind = "role:"
	}
	return kind + p.ID
}

func personOf(ref string) Person {
	kind, id, _ := strings.Cut(ref, ":")
	return Person{ID: id, Role: kind == "role"}
}
