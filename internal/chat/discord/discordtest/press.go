package discordtest

import (
	"maps"
	"strconv"
	"strings"
)

// This file is what people press: commands, message commands, buttons, modals.

// Ask gives /ask. Private adds the option private: true.
func (s *Server) Ask(user, channel, question string, private bool) *Act {
	options := []any{option("question", 3, question)}
	if private {
		options = append(options, option("private", 5, true))
	}
	return s.Command(user, channel, "ask", options...)
}

// Sources gives /sources, with a document where value is not "".
func (s *Server) Sources(user, channel, value string) *Act {
	if value == "" {
		return s.Command(user, channel, "sources")
	}
	return s.Command(user, channel, "sources", option("document", 3, value))
}

// KBStatus gives /kb status.
func (s *Server) KBStatus(user, channel string) *Act {
	return s.Command(user, channel, "kb", map[string]any{"name": "status", "type": 1, "options": []any{}})
}

// option is one of a command. https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-type
func option(name string, kind int, value any) map[string]any {
	return map[string]any{"name": name, "type": kind, "value": value}
}

// Command gives any slash command; "" is the direct message with the bot.
func (s *Server) Command(user, channel, name string, options ...any) *Act {
	return s.give(2, user, channel, map[string]any{"name": name, "type": 1, "options": nonNil(options)})
}

// Autocomplete types into the option document of /sources.
func (s *Server) Autocomplete(user, channel, partial string) *Act {
	typed := option("document", 3, partial)
	typed["focused"] = true
	return s.give(4, user, channel, map[string]any{"name": "sources", "type": 1, "options": []any{typed}})
}

func (s *Server) give(kind int, user, channel string, data map[string]any) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channelFor(user, channel)
	if ch == nil {
		return &Act{}
	}
	data["id"] = s.registered(text(data["name"]), number(data["type"]), ch.Guild)
	act := s.interact(kind, user, ch, nil, data)
	if kind == 2 {
		s.state.asked(act.Interaction)
	}
	return act
}

// registered is the id of a command; one that is not registered has an id all the same.
func (s *Server) registered(name string, kind int64, guild string) string {
	for _, scope := range []string{guild, ""} {
		for _, c := range s.state.commands[scope] {
			if c.Name() == name && c.kind() == kind {
				return c.ID
			}
		}
	}
	return "1303000000000000001"
}

// interact makes an interaction.
// https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object
func (s *Server) interact(kind int, user string, ch *channel, on *Message, data map[string]any) *Act {
	i := s.newInteraction(kind, user, ch, on)
	payload := map[string]any{
		"id": i.ID, "application_id": App, "type": kind, "data": data, "token": i.token, "version": 1, "channel_id": ch.ID, "channel": s.whereabouts(ch, user),
		"app_permissions": bits(s.botMay(&ch.Channel)), "locale": or(s.state.users[user].Locale, "en-US"), "entitlements": []any{},
		"entitlement_sku_ids": []any{}, "attachment_size_limit": 10485760,
	}
	maps.Copy(payload, s.asker(user, ch))
	if on != nil {
		payload["message"] = s.message(on, false)
	}
	act := &Act{User: user, Channel: ch.ID, Interaction: i.ID, Message: i.Message}
	act.Events = []Event{{Type: "INTERACTION_CREATE", Guild: ch.Guild, Data: payload}}
	return act
}

func bits(permissions int64) string { return strconv.FormatInt(permissions, 10) }

// whereabouts is the partial channel of an interaction.
func (s *Server) whereabouts(ch *channel, user string) map[string]any {
	o := s.channelObject(&ch.Channel)
	delete(o, "permission_overwrites")
	if ch.Guild != "" {
		o["permissions"] = bits(s.may(user, &ch.Channel))
	}
	return o
}

// asker is who gives an interaction: a member in a server, else a user.
func (s *Server) asker(user string, ch *channel) map[string]any {
	if ch.Guild == "" {
		return map[string]any{"user": s.user(user), "context": 1, "authorizing_integration_owners": map[string]any{"0": "0"}}
	}
	owners := map[string]any{"0": ch.Guild}
	member := s.member(ch.Guild, user, true)
	member["permissions"] = bits(s.may(user, &ch.Channel))
	locale := "en-US"
	if w := s.state.worlds[ch.Guild]; w != nil {
		locale = or(w.Locale, locale)
		if w.WithoutBot {
			owners = map[string]any{"1": user} // the person has installed the app for themselves
		}
	}
	return map[string]any{
		"member": member, "context": 0, "guild_id": ch.Guild, "guild_locale": locale, "authorizing_integration_owners": owners,
		"guild": map[string]any{"id": ch.Guild, "locale": locale, "features": []any{}},
	}
}

// AnswerThis uses the message command "Answer this" on a message, whose content the bot sees
// whatever its intents.
func (s *Server) AnswerThis(user, channel, message string) *Act {
	return s.MessageCommand(user, channel, message, "Answer this")
}

// MessageCommand uses any message command.
func (s *Server) MessageCommand(user, channel, message, name string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channelFor(user, channel)
	m := s.on("MessageCommand", channel, message)
	act := s.interact(2, user, ch, nil, map[string]any{
		"id": s.registered(name, 3, ch.Guild), "name": name, "type": 3, "target_id": message,
		"resolved": map[string]any{"messages": map[string]any{message: s.message(m, false)}},
	})
	act.Message = message
	s.state.asked(act.Interaction)
	return act
}

// Click presses a button of a message as it is shown now: the one with this label, or with a
// custom_id that begins so. A message without it fails the test.
func (s *Server) Click(user string, on Message, button string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.on("Click", on.Channel, on.ID)
	act := &Act{User: user, Channel: m.Channel, Message: m.ID}
	b, ok := m.button(button)
	if !ok || m.For != "" && m.For != user {
		s.t.Errorf("discordtest: %s sees no button %q that can be pressed in %s %s: %q", s.state.nameOf(user), button, m.Channel, m.ID, m.Plain())
		return act
	}
	return s.interact(3, user, s.state.channel(m.Channel), m, map[string]any{"custom_id": b.CustomID, "component_type": 2, "id": 2})
}

// ClickStale presses a button that the message no longer has, or never had.
func (s *Server) ClickStale(user string, on Message, customID string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.on("ClickStale", on.Channel, on.ID)
	return s.interact(3, user, s.state.channel(m.Channel), m, map[string]any{"custom_id": customID, "component_type": 2, "id": 2})
}

func (m *Message) button(name string) (Button, bool) {
	for _, b := range m.Buttons() {
		if !b.Disabled && b.CustomID != "" && (b.Label == name || strings.HasPrefix(b.CustomID, name)) {
			return b, true
		}
	}
	return Button{}, false
}

// Submit submits the modal that is open for the user, with values of its inputs by custom_id.
func (s *Server) Submit(user string, values map[string]string) *Act {
	return s.submit(user, values, false)
}

// SubmitLabelled is Submit with inputs inside labels (type 18), as newer clients send them.
func (s *Server) SubmitLabelled(user string, values map[string]string) *Act {
	return s.submit(user, values, true)
}

func (s *Server) submit(user string, values map[string]string, labelled bool) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	modal := s.state.modals[user]
	if modal == nil {
		s.t.Errorf("discordtest: no modal is open for %s", s.state.nameOf(user))
		return &Act{User: user}
	}
	inputs := modal.Inputs()
	for id := range values {
		if _, ok := inputs[id]; !ok {
			s.t.Errorf("discordtest: the modal of %s has no input %q", s.state.nameOf(user), id)
		}
	}
	delete(s.state.modals, user)
	var rows []any
	for n, id := range sortedKeys(inputs) {
		rows = append(rows, row(n, map[string]any{"type": 4, "id": 10 + n, "custom_id": id, "value": values[id]}, labelled))
	}
	return s.interact(5, user, s.state.channel(modal.channel), modal.message, map[string]any{"custom_id": modal.CustomID, "components": nonNil(rows)})
}

func row(n int, input map[string]any, labelled bool) map[string]any {
	if labelled {
		return map[string]any{"type": 18, "id": n + 1, "component": input}
	}
	return map[string]any{"type": 1, "id": n + 1, "components": []any{input}}
}

// Inputs are the text inputs of a form, by custom_id.
func (m Modal) Inputs() map[string]map[string]any {
	inputs := map[string]map[string]any{}
	for _, row := range m.Components {
		within := objects(row["components"])
		if c := object(row["component"]); c != nil {
			within = append(within, c)
		}
		for _, c := range within {
			if number(c["type"]) == 4 {
				inputs[text(c["custom_id"])] = c
			}
		}
	}
	return inputs
}

// A Button is one that a message shows.
type Button struct {
	Label    string
	CustomID string
	URL      string
	Style    int64
	Emoji    string
	Disabled bool
}

// Buttons lists the buttons of a message, in order.
func (m Message) Buttons() []Button {
	var all []Button
	for _, row := range m.Components {
		for _, c := range objects(row["components"]) {
			if number(c["type"]) == 2 {
				all = append(all, Button{
					Label: text(c["label"]), CustomID: text(c["custom_id"]), URL: text(c["url"]), Style: number(c["style"]),
					Emoji: text(object(c["emoji"])["name"]), Disabled: truth(c["disabled"]),
				})
			}
		}
	}
	return all
}
