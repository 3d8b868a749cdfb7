package slacktest

import (
	"fmt"
	"maps"
	"time"
)

// This file is modals and home tabs. Everything in it runs under the server's lock.

// A trigger lets a view be opened once, and soon.
// https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses
type trigger struct {
	user string
	born time.Time
	used bool
}

const (
	triggerLasts = 3 * time.Second
	keptTriggers = 4096
)

// trigger makes a trigger_id for what a user did.
func (s *Server) trigger(user string) string {
	now := s.now()
	if len(s.triggers) > keptTriggers {
		maps.DeleteFunc(s.triggers, func(_ string, tr *trigger) bool { return now.Sub(tr.born) > triggerLasts })
	}
	s.serial++
	id := fmt.Sprintf("%d.1234567890.%032x", 1000000+s.serial, s.serial)
	s.triggers[id] = &trigger{user: user, born: now}
	return id
}

func (s *Server) openView(c *call) answer {
	tr := s.triggers[c.String("trigger_id")]
	switch {
	case tr == nil:
		s.violate("views.open: trigger_id %q was never given out, or long ago", c.String("trigger_id"))
		return fail("invalid_trigger_id")
	case tr.used:
		s.violate("views.open: the trigger_id was used already")
		return fail("exchanged_trigger_id")
	case s.now().Sub(tr.born) > triggerLasts:
		s.violate("views.open: the trigger_id was %v old; it is good for %v", s.now().Sub(tr.born).Round(time.Millisecond), triggerLasts)
		return fail("expired_trigger_id")
	}
	tr.used = true
	v := s.newView(c.JSON("view"), tr.user)
	s.state.modals[tr.user] = v
	return answer{"view": v.wire(nil)}
}

func (s *Server) publishView(c *call) answer {
	user := c.String("user_id")
	if _, ok := s.state.users[user]; !ok {
		return fail("user_not_found")
	}
	old := s.state.homes[user]
	if hash := c.String("hash"); hash != "" && old != nil && hash != old.Hash {
		return fail("hash_conflict")
	}
	v := s.newView(c.JSON("view"), user)
	v.Published = 1
	if old != nil {
		v.ID, v.Published = old.ID, old.Published+1
	}
	s.state.homes[user] = v
	return answer{"view": v.wire(nil)}
}

func (s *Server) newView(written any, user string) *View {
	o := object(written)
	s.serial++
	notify, _ := o["notify_on_close"].(bool)
	return &View{
		ID: fmt.Sprintf("V%09d", s.serial), Hash: fmt.Sprintf("%d.%08x", s.now().Unix(), s.serial), Type: text(o["type"]), User: user,
		CallbackID: text(o["callback_id"]), PrivateMetadata: text(o["private_metadata"]), Blocks: withIDs(objects(o["blocks"])),
		Title: textObject(o["title"]), Submit: textObject(o["submit"]), Close: textObject(o["close"]), NotifyOnClose: notify,
	}
}

// wire is a view as Slack's API and events give it, with the values of its inputs.
func (v *View) wire(values map[string]any) map[string]any {
	if values == nil {
		values = map[string]any{}
	}
	plain := func(label string) any {
		if label == "" {
			return nil
		}
		return map[string]any{"type": "plain_text", "text": label, "emoji": true}
	}
	return map[string]any{
		"id": v.ID, "team_id": Team, "type": v.Type, "blocks": v.Blocks, "private_metadata": v.PrivateMetadata, "callback_id": v.CallbackID,
		"state": map[string]any{"values": values}, "hash": v.Hash, "title": plain(v.Title), "submit": plain(v.Submit), "close": plain(v.Close),
		"clear_on_close": false, "notify_on_close": v.NotifyOnClose, "previous_view_id": nil, "root_view_id": v.ID, "app_id": App,
		"external_id": "", "app_installed_team_id": Team, "bot_id": Bot,
	}
}

// submitted applies what the bot acknowledged a submission with.
// https://docs.slack.dev/surfaces/modals#updating_views
func (s *Server) submitted(user string, payload map[string]any) {
	v := s.state.modals[user]
	if v == nil {
		return
	}
	switch action := text(payload["response_action"]); action {
	case "errors":
		s.submitErrors(v, object(payload["errors"]))
	case "update", "push":
		k := checker{Server: s, where: "response_action " + action}
		k.view(payload["view"])
		k.record()
		s.state.modals[user] = s.newView(payload["view"], user)
	default: // "clear", or nothing
		delete(s.state.modals, user)
	}
}

// submitErrors shows errors at inputs. Slack shows none, but "trouble connecting", where the
// key is no input's block_id.
func (s *Server) submitErrors(v *View, errors map[string]any) {
	v.Errors = map[string]string{}
	for block, message := range errors {
		v.Errors[block] = text(message)
		if b := blockOf(v.Blocks, block); text(b["type"]) != "input" {
			s.violate("response_action errors: %q is no input of the view", block)
		}
	}
}

func blockOf(blocks []map[string]any, id string) map[string]any {
	for _, b := range blocks {
		if text(b["block_id"]) == id {
			return b
		}
	}
	return nil
}
