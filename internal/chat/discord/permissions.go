package discord

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	api "github.com/bwmarrin/discordgo"
)

// This file is what the bot asks Discord for, and why.

// A permission is one that a server's administrator grants to the bot.
type permission struct {
	name    string // as Discord's settings call it
	bit     int64
	why     string
	without string // what is lost without it, when the rest goes on; "": the bot is mute there
}

// permissions are all that the bot needs in a channel:
// https://discord.com/developers/docs/topics/permissions#permissions-bitwise-permission-flags
var permissions = []permission{
	{name: "View Channels", bit: api.PermissionViewChannel, why: "to hear its name and to see the question"},
	{name: "Send Messages", bit: api.PermissionSendMessages, why: "to answer"},
	{"Send Messages in Threads", api.PermissionSendMessagesInThreads, "to answer in threads and forum posts",
		"questions in threads and forum posts are answered elsewhere, if at all"},
	{"Embed Links", api.PermissionEmbedLinks, "to show the sources beneath an answer",
		"the list of sources does not appear"},
	{"Read Message History", api.PermissionReadMessageHistory, "to reply to a message, and to find its own after a crash",
		"answers are no replies, and what a crash cut off may be missing"},
}

// allPermissions are the bits of all of them.
func allPermissions() (bits int64) {
	for _, p := range permissions {
		bits |= p.bit
	}
	return bits
}

// missingPermissions are those that granted lacks. Without View Channels nothing else counts.
func missingPermissions(granted int64) []permission {
	var lacking []permission
	for _, p := range permissions {
		if granted&p.bit != p.bit {
			lacking = append(lacking, p)
		}
	}
	return lacking
}

// permissionsIn are those that a member has in a channel, or with no overwrites in the server
// as such: https://discord.com/developers/docs/topics/permissions#permission-overwrites
func permissionsIn(g server, overwrites []*api.PermissionOverwrite) int64 {
	if g.Owner == g.self {
		return api.PermissionAll
	}
	var bits int64
	for _, r := range g.Roles {
		if r.ID == g.ID || slices.Contains(g.roles, r.ID) {
			bits |= r.Permissions
		}
	}
	if bits&api.PermissionAdministrator != 0 {
		return api.PermissionAll
	}
	var everyone, roles, member api.PermissionOverwrite
	for _, o := range overwrites {
		switch {
		case o.ID == g.ID:
			everyone = *o
		case o.Type == api.PermissionOverwriteTypeRole && slices.Contains(g.roles, o.ID):
			roles.Allow |= o.Allow
			roles.Deny |= o.Deny
		case o.Type == api.PermissionOverwriteTypeMember && o.ID == g.self:
			member = *o
		}
	}
	for _, o := range []api.PermissionOverwrite{everyone, roles, member} {
		bits = bits&^o.Deny | o.Allow
	}
	if bits&api.PermissionViewChannel == 0 {
		return 0 // nothing works in a channel that cannot be seen
	}
	return bits
}

// A server is one as Discord describes it, and the bot in it:
// https://discord.com/developers/docs/resources/guild#guild-object
type server struct {
	ID    string      `json:"id"`
	Name  string      `json:"name"`
	Owner string      `json:"owner_id"`
	Roles []*api.Role `json:"roles"`

	self  string   // id of the bot
	roles []string // that the bot has
}

// inviteURL is where somebody who manages a server lets the bot in, with its commands and
// the permissions above: https://discord.com/developers/docs/topics/oauth2#bot-authorization-flow
func inviteURL(app string) string {
	return "https://discord.com/oauth2/authorize?client_id=" + url.QueryEscape(app) +
		"&scope=bot+applications.commands&permissions=" + strconv.FormatInt(allPermissions(), 10)
}

// An intent is a group of events that the gateway sends:
// https://discord.com/developers/docs/events/gateway#list-of-intents
type intent struct {
	bit  api.Intent
	name string
	why  string
}

var gatewayIntents = []intent{
	{api.IntentGuilds, "GUILDS", "to know channels, threads and what the bot may do in them"},
	{api.IntentGuildMessages, "GUILD_MESSAGES", "to hear its name in servers, and replies to its answers"},
	{api.IntentDirectMessages, "DIRECT_MESSAGES", "to read direct messages to it"},
}

// contentIntent is privileged: it must be switched on in the Developer Portal as well, and
// needs Discord's approval in large bots. Without it the texts of messages that do not name
// the bot are empty, so only auto_answer needs it.
// https://discord.com/developers/docs/events/gateway#message-content-intent
var contentIntent = intent{api.IntentMessageContent, "MESSAGE_CONTENT", "to read messages that do not name the bot, for auto_answer"}

// intents are the events that the bot wants to hear of under these rules.
func (r Rules) intents() (bits api.Intent) {
	for _, i := range gatewayIntents {
		bits |= i.bit
	}
	if r.autoAnswers() {
		bits |= contentIntent.bit
	}
	return bits
}

// autoAnswers says whether the bot answers unasked anywhere.
func (r Rules) autoAnswers() bool {
	for _, ch := range r.Channels {
		if ch.AutoAnswer {
			return true
		}
	}
	return false
}

// withoutThem says of permissions what is lost without them, and whether the bot is mute.
func withoutThem(lacking []permission) (text string, mute bool) {
	parts := make([]string, len(lacking))
	for i, p := range lacking {
		parts[i] = p.name + " (" + p.why + ")"
		if p.without != "" {
			parts[i] = p.name + " (without it, " + p.without + ")"
		}
		mute = mute || p.without == ""
	}
	return strings.Join(parts, ", "), mute
}
