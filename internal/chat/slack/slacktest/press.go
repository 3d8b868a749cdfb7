package slacktest

// This file is what people press: commands, shortcuts, buttons, modals.

// Command gives a slash command, as Command(Alice, General, "/ask", "How long …?").
func (s *Server) Command(user, channel, command, text string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	channel = or(channel, DirectOf(user))
	if s.state.channel(channel) == nil {
		s.t.Errorf("slacktest: %s in %s, which is no channel; add it with AddChannel", command, channel)
	}
	act := &Act{User: user, Channel: channel, TriggerID: s.trigger(user), ResponseURL: s.newURL(&responseURL{channel: channel, user: user})}
	act.Events = []Event{{Kind: Commands, Payload: map[string]any{
		"token": "verification", "team_id": Team, "team_domain": "citebot", "channel_id": channel, "channel_name": s.nameOf(channel),
		"user_id": user, "user_name": s.state.users[user].Name, "command": command, "text": text, "api_app_id": App,
		"is_enterprise_install": "false", "response_url": act.ResponseURL, "trigger_id": act.TriggerID,
	}}}
	return act
}

// Shortcut uses a message shortcut on a message.
func (s *Server) Shortcut(user, channel, ts, callback string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m := s.on("Shortcut", channel, ts)
	act := s.pressed(user, m, nil)
	act.Events = []Event{s.interaction("message_action", user, map[string]any{
		"callback_id": callback, "trigger_id": act.TriggerID, "response_url": act.ResponseURL, "channel": s.where(channel),
		"message_ts": ts, "message": s.wire(m, false), "action_ts": actionTS(s.now()),
	})}
	return act
}

// pressed is an act on a message; the lock is held.
func (s *Server) pressed(user string, m *Message, original *Message) *Act {
	return &Act{
		User: user, Channel: m.Channel, TS: m.TS, Thread: or(m.ThreadTS, m.TS), TriggerID: s.trigger(user),
		ResponseURL: s.newURL(&responseURL{channel: m.Channel, user: user, original: original}),
	}
}

// Click presses the button with this action_id in a message as it is shown now. A message
// without it fails the test.
func (s *Server) Click(user string, m Message, action string) *Act {
	return s.click(user, m, "the button "+action, func(e Element) (Element, bool) { return e, e.ActionID == action })
}

// ThumbsUp presses the positive one of a message's feedback buttons.
func (s *Server) ThumbsUp(user string, m Message) *Act {
	return s.click(user, m, "feedback buttons", func(e Element) (Element, bool) {
		e.Value = e.Positive
		return e, e.Type == "feedback_buttons"
	})
}

// ThumbsDown presses the negative one of a message's feedback buttons.
func (s *Server) ThumbsDown(user string, m Message) *Act {
	return s.click(user, m, "feedback buttons", func(e Element) (Element, bool) {
		e.Value = e.Negative
		return e, e.Type == "feedback_buttons"
	})
}

func (s *Server) click(user string, on Message, what string, pick func(Element) (Element, bool)) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, m := s.on("click", on.Channel, on.TS)
	act := s.pressed(user, m, m)
	e, ok := picked(m.Elements(), pick)
	if !ok || m.For != "" && m.For != user {
		s.t.Errorf("slacktest: %s sees no %s in %s %s: %q", user, what, m.Channel, m.TS, m.Plain())
		return act
	}
	payload := map[string]any{
		"trigger_id": act.TriggerID, "response_url": act.ResponseURL, "channel": s.where(m.Channel), "container": container(m),
		"state": map[string]any{"values": map[string]any{}}, "actions": []any{e.pressed(actionTS(s.now()))},
	}
	if m.For == "" { // of an ephemeral message Slack does not send the content
		payload["message"] = s.wire(m, false)
	}
	act.Events = []Event{s.interaction("block_actions", user, payload)}
	return act
}

func picked(all []Element, pick func(Element) (Element, bool)) (Element, bool) {
	for _, e := range all {
		if e, ok := pick(e); ok {
			return e, true
		}
	}
	return Element{}, false
}

func container(m *Message) map[string]any {
	o := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.For != ""}
	if m.ThreadTS != "" {
		o["thread_ts"] = m.ThreadTS
	}
	return o
}

// pressed is an element in the actions of an interaction.
func (e Element) pressed(at string) map[string]any {
	o := map[string]any{"type": e.Type, "action_id": e.ActionID, "block_id": e.BlockID, "value": e.Value, "action_ts": at}
	if e.Text != "" {
		o["text"] = map[string]any{"type": "plain_text", "text": e.Text, "emoji": true}
	}
	return o
}

// ClickHome presses a button of the user's home tab.
func (s *Server) ClickHome(user, action string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	act := &Act{User: user, Channel: DirectOf(user), TriggerID: s.trigger(user)}
	home := s.state.homes[user]
	if home == nil {
		s.t.Errorf("slacktest: %s has no home tab", user)
		return act
	}
	e, ok := home.Element(action)
	if !ok {
		s.t.Errorf("slacktest: the home tab of %s has no button %s", user, action)
		return act
	}
	act.Events = []Event{s.interaction("block_actions", user, map[string]any{
		"trigger_id": act.TriggerID, "container": map[string]any{"type": "view", "view_id": home.ID}, "view": home.wire(nil),
		"actions": []any{e.pressed(actionTS(s.now()))},
	})}
	return act
}

// Submit submits the modal that is open for the user, with values of its inputs by block_id.
// The modal closes, changes or shows errors, as the bot acknowledges.
func (s *Server) Submit(user string, values map[string]string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	act := &Act{User: user, TriggerID: s.trigger(user)}
	v := s.state.modals[user]
	if v == nil {
		s.t.Errorf("slacktest: no modal is open for %s", user)
		return act
	}
	for block := range values {
		if text(blockOf(v.Blocks, block)["type"]) != "input" {
			s.t.Errorf("slacktest: the modal of %s has no input %s", user, block)
		}
	}
	act.Events = []Event{s.interaction("view_submission", user, map[string]any{
		"trigger_id": act.TriggerID, "view": v.wire(v.values(values)), "response_urls": []any{},
	})}
	return act
}

// values is the state of a view's inputs.
func (v *View) values(given map[string]string) map[string]any {
	all := map[string]any{}
	for _, b := range v.Blocks {
		if text(b["type"]) != "input" {
			continue
		}
		e, id := object(b["element"]), text(b["block_id"])
		all[id] = map[string]any{text(e["action_id"]): inputValue(text(e["type"]), given, id)}
	}
	return all
}

func inputValue(kind string, given map[string]string, id string) map[string]any {
	value, ok := given[id]
	o := map[string]any{"type": kind}
	switch {
	case kind == "static_select" || kind == "radio_buttons":
		o["selected_option"] = nil
		if ok {
			o["selected_option"] = map[string]any{"text": map[string]any{"type": "plain_text", "text": value}, "value": value}
		}
	case ok:
		o["value"] = value
	default:
		o["value"] = nil
	}
	return o
}

// CloseModal closes the modal that is open for the user: view_closed, if it asked for that.
func (s *Server) CloseModal(user string) *Act {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.bell()
	act := &Act{User: user}
	v := s.state.modals[user]
	delete(s.state.modals, user)
	if v != nil && v.NotifyOnClose {
		act.Events = []Event{s.interaction("view_closed", user, map[string]any{"view": v.wire(nil), "is_cleared": false})}
	}
	return act
}
