package discordtest

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// Objects as Discord sends them. Everything here runs under the server's lock.

// message is a message. In events of a server there are the author's member and the server
// too, over REST there are not.
// https://discord.com/developers/docs/resources/message#message-object
func (s *Server) message(m *Message, inEvent bool) map[string]any {
	o := s.bare(m)
	if m.ReplyTo != "" {
		ref := map[string]any{"type": 0, "channel_id": m.Channel, "message_id": m.ReplyTo}
		if m.Guild != "" {
			ref["guild_id"] = m.Guild
		}
		o["message_reference"] = ref
		o["referenced_message"] = nil
		if to := s.state.find(m.Channel, m.ReplyTo); to != nil {
			o["referenced_message"] = s.bare(to)
		}
	}
	if inEvent && m.Guild != "" {
		o["guild_id"] = m.Guild
		if m.Webhook == "" {
			o["member"] = s.member(m.Guild, m.User, false)
		}
	}
	maps.Copy(o, m.kinds)
	return o
}

func (s *Server) bare(m *Message) map[string]any {
	mentions := []any{}
	for _, id := range s.mentioned(m) {
		mentions = append(mentions, s.user(id))
	}
	o := map[string]any{
		"id": m.ID, "channel_id": m.Channel, "type": m.Type, "content": m.Content, "author": s.user(m.User), "timestamp": stampOf(TimeOf(m.ID)),
		"edited_timestamp": nil, "tts": false, "mention_everyone": slices.Contains(m.Pinged(), "@everyone"), "mentions": mentions,
		"mention_roles": []any{}, "attachments": []any{}, "embeds": anys(m.Embeds), "components": anys(m.Components), "pinned": false, "flags": m.Flags,
	}
	if m.Edited {
		o["edited_timestamp"] = stampOf(s.now())
	}
	if m.Nonce != "" {
		o["nonce"] = m.Nonce
	}
	if m.Webhook != "" {
		o["webhook_id"], o["application_id"] = m.Webhook, m.Webhook
	}
	if i := s.state.interactions[m.Answers]; i != nil {
		o["interaction_metadata"] = map[string]any{
			"id": i.ID, "type": i.Type, "user": s.user(i.User), "authorizing_integration_owners": map[string]any{"0": or(m.Guild, "0")},
		}
	}
	if th := s.state.channels[m.thread]; th != nil {
		o["thread"] = s.channelObject(&th.Channel)
	}
	return o
}

// seen is a message as REST shows it: what the app may not read is blank.
func (s *Server) seen(m *Message) map[string]any {
	o := s.message(m, false)
	if s.PrivilegedContent {
		return o
	}
	return blanked(o, m.Guild)
}

func anys[T any](all []T) []any {
	some := make([]any, 0, len(all))
	for _, e := range all {
		some = append(some, e)
	}
	return some
}

// user is a user. https://discord.com/developers/docs/resources/user#user-object
func (s *Server) user(id string) map[string]any {
	u, ok := s.state.users[id]
	if !ok {
		u = User{ID: id, Name: "unknown"}
	}
	o := map[string]any{
		"id": id, "username": lower(u.Name), "discriminator": "0", "global_name": u.Name, "avatar": nil, "public_flags": 0,
	}
	if u.Bot {
		o["bot"], o["global_name"], o["discriminator"] = true, nil, "4242"
	}
	return o
}

func lower(name string) string {
	b := []byte(name)
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case c == ' ':
			b[i] = '_'
		}
	}
	return string(b)
}

func (s *Server) me() map[string]any {
	o := s.user(BotUser)
	o["verified"], o["mfa_enabled"], o["email"], o["flags"] = true, true, nil, 0
	return o
}

// member is a user in a server.
// https://discord.com/developers/docs/resources/guild#guild-member-object
func (s *Server) member(guild, user string, withUser bool) map[string]any {
	o := map[string]any{
		"roles": anys(s.rolesOf(guild, user)), "nick": nil, "avatar": nil, "joined_at": "2024-11-24T10:00:00.000000+00:00", "premium_since": nil,
		"deaf": false, "mute": false, "pending": false, "flags": 0, "communication_disabled_until": nil,
	}
	if withUser {
		o["user"] = s.user(user)
	}
	return o
}

func (s *Server) rolesOf(guild, user string) []string {
	if user == BotUser {
		return append([]string{botRole(guild)}, s.heldRoles(guild, user)...)
	}
	return s.heldRoles(guild, user)
}

func (s *Server) heldRoles(guild, user string) []string {
	var ids []string
	if w := s.state.worlds[guild]; w != nil {
		for _, r := range w.Roles {
			if slices.Contains(r.Members, user) {
				ids = append(ids, r.ID)
			}
		}
	}
	return ids
}

// may computes what a member may do in a channel, as Discord documents.
// https://discord.com/developers/docs/topics/permissions#permission-overwrites
func (s *Server) may(user string, c *Channel) int64 {
	w := s.state.worlds[c.Guild]
	if w == nil {
		return peoplesPermissions
	}
	base := w.Everyone
	for _, r := range s.roles(w) {
		if slices.Contains(s.rolesOf(w.ID, user), r.ID) {
			base |= r.Permissions
		}
	}
	if base&Administrator != 0 {
		return AllPermissions
	}
	in := c
	if parent := s.state.channels[c.Parent]; c.isThread() && parent != nil {
		in = &parent.Channel
	}
	return overwritten(base, in.overwrites(), w.ID, s.rolesOf(w.ID, user), user)
}

func overwritten(base int64, all []Overwrite, guild string, roles []string, user string) int64 {
	var allow, deny int64
	for _, o := range all {
		switch {
		case o.ID == guild:
			base = base&^o.Deny | o.Allow
		case slices.Contains(roles, o.ID):
			allow, deny = allow|o.Allow, deny|o.Deny
		}
	}
	base = base&^deny | allow
	for _, o := range all {
		if o.Member && o.ID == user {
			base = base&^o.Deny | o.Allow
		}
	}
	return base
}

// overwrites are those of a channel, with one for the bot where it may less than usual.
func (c *Channel) overwrites() []Overwrite {
	var deny int64
	for _, d := range []struct {
		denied bool
		bit    int64
	}{{c.Hidden, ViewChannel}, {c.NoSend, SendMessages}, {c.NoThreads, SendInThreads}, {c.NoHistory, ReadHistory}, {c.NoEmbeds, EmbedLinks}} {
		if d.denied {
			deny |= d.bit
		}
	}
	if deny == 0 {
		return c.Overwrites
	}
	return append(slices.Clone(c.Overwrites), Overwrite{ID: BotUser, Member: true, Deny: deny})
}

func (s *Server) botMay(c *Channel) int64 {
	may := s.may(BotUser, c)
	if c.isThread() { // its own fields count as well
		may = overwritten(may, c.overwrites(), c.Guild, nil, BotUser)
	}
	return may
}

// roles are all of a server's.
func (s *Server) roles(w *World) []Role {
	return append([]Role{{ID: w.ID, Name: "@everyone", Permissions: w.Everyone}, {ID: botRole(w.ID), Name: "Citebot", Permissions: w.BotGrants, Members: []string{BotUser}}}, w.Roles...)
}

func (s *Server) roleObjects(w *World) []any {
	all := []any{}
	for i, r := range s.roles(w) {
		all = append(all, map[string]any{
			"id": r.ID, "name": r.Name, "color": 0, "hoist": false, "position": i, "permissions": strconv.FormatInt(r.Permissions, 10),
			"managed": r.ID == botRole(w.ID), "mentionable": false, "flags": 0, "icon": nil, "unicode_emoji": nil,
		})
	}
	return all
}

// channelObject is a channel or thread.
// https://discord.com/developers/docs/resources/channel#channel-object
func (s *Server) channelObject(c *Channel) map[string]any {
	o := map[string]any{"id": c.ID, "type": c.Type, "last_message_id": nil, "flags": 0}
	if c.Type == DirectMessage {
		o["recipients"] = []any{s.user(c.User)}
		return o
	}
	o["guild_id"], o["name"], o["rate_limit_per_user"] = c.Guild, c.Name, 0
	if c.isThread() {
		o["parent_id"], o["owner_id"], o["message_count"], o["member_count"] = c.Parent, c.Owner, 1, 2
		o["thread_metadata"] = map[string]any{
			"archived": c.Archived, "locked": c.Locked, "auto_archive_duration": 1440, "archive_timestamp": stampOf(time.UnixMilli(epoch)),
		}
		return o
	}
	overwrites := []any{}
	for _, w := range c.overwrites() {
		kind := 0
		if w.Member {
			kind = 1
		}
		overwrites = append(overwrites, map[string]any{"id": w.ID, "type": kind, "allow": strconv.FormatInt(w.Allow, 10), "deny": strconv.FormatInt(w.Deny, 10)})
	}
	o["parent_id"], o["position"], o["nsfw"], o["topic"], o["permission_overwrites"] = nil, 0, false, nil, overwrites
	return o
}

func (s *Server) channelsOf(guild string, threads bool) []any {
	all := []any{}
	for _, id := range sortedKeys(s.state.channels) {
		if c := &s.state.channels[id].Channel; c.Guild == guild && c.isThread() == threads {
			all = append(all, s.channelObject(c))
		}
	}
	return all
}

func (s *Server) guildObject(w *World) map[string]any {
	return map[string]any{
		"id": w.ID, "name": w.Name, "icon": nil, "owner_id": Admin, "roles": s.roleObjects(w), "emojis": []any{}, "stickers": []any{},
		"features": []any{}, "preferred_locale": or(w.Locale, "en-US"), "afk_timeout": 300, "afk_channel_id": nil, "system_channel_id": nil,
		"system_channel_flags": 0, "verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0, "mfa_level": 0,
		"nsfw_level": 0, "premium_tier": 0, "application_id": nil, "region": "deprecated", "rules_channel_id": nil,
	}
}

// guildCreate is a server as the gateway tells it.
func (s *Server) guildCreate(w *World) map[string]any {
	o := s.guildObject(w)
	maps.Copy(o, map[string]any{
		"joined_at": "2024-11-24T10:00:00.000000+00:00", "large": false, "unavailable": false, "member_count": len(w.Members) + 1,
		"members": []any{s.member(w.ID, BotUser, true)}, "channels": s.channelsOf(w.ID, false), "threads": s.channelsOf(w.ID, true),
		"voice_states": []any{}, "presences": []any{}, "stage_instances": []any{}, "guild_scheduled_events": []any{}, "soundboard_sounds": []any{},
	})
	return o
}

// appFlags tell which privileged intents the Developer Portal allows.
// https://discord.com/developers/docs/resources/application#application-object-application-flags
func (s *Server) appFlags() int64 {
	if s.PrivilegedContent {
		return 1 << 19 // GATEWAY_MESSAGE_CONTENT_LIMITED
	}
	return 0
}
