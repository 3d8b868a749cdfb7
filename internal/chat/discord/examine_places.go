package discord

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	api "github.com/bwmarrin/discordgo"
)

// A membership is a server that the bot is in, with what it may do there as such.
// https://discord.com/developers/docs/resources/user#get-current-user-guilds
type membership struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Permissions int64  `json:"permissions,string"`
}

// memberships looks at the servers that the bot is in, and says whether there are any.
func (x *examiner) memberships(ctx context.Context) bool {
	all, err := x.joined(ctx)
	if err != nil {
		x.refused(whatServer, err)
		return false
	}
	if x.app.CodeGrant {
		x.bad(whatServer, StateWarn, "the invitation does not work while the app requires a code grant", "Bot → Requires OAuth2 Code Grant off, then Save Changes")
	}
	if len(all) == 0 {
		x.bad(whatServer, StateProblem, "the bot is in no server", "invite it: "+inviteURL(x.app.ID))
		return false
	}
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	x.ok(whatServer, "in %s", few(names))
	x.absent(all)
	for _, m := range all {
		if _, ok := x.cfg.Rules.Guilds[m.ID]; ok || len(x.cfg.Rules.Guilds) == 0 && len(all) <= fewNames {
			x.granted(m)
		}
	}
	x.open()
	return true
}

// absent tells of the servers that have rules and where the bot is not.
func (x *examiner) absent(in []membership) {
	for _, id := range slices.Sorted(maps.Keys(x.cfg.Rules.Guilds)) {
		if !slices.ContainsFunc(in, func(m membership) bool { return m.ID == id }) {
			x.bad(whatServer, StateProblem, "bot.yaml has rules for "+id+", and the bot is not in it",
				"compare the id with the server's, or invite the bot there: "+inviteURL(x.app.ID))
		}
	}
}

// joined lists the servers, 200 to a page.
func (x *examiner) joined(ctx context.Context) (all []membership, err error) {
	const page = 200
	for after := ""; ; {
		var some []membership
		if err := x.get(ctx, fmt.Sprintf("/users/@me/guilds?limit=%d%s", page, after), &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
		after = "&after=" + some[page-1].ID
	}
}

// granted compares what the bot may do in a server with what it needs.
func (x *examiner) granted(m membership) {
	if m.Permissions&api.PermissionAdministrator != 0 {
		x.bad(whatServer, StateWarn, "in "+m.Name+" the bot is an administrator, which it does not need",
			"in Discord: Server Settings → Roles → the bot's → Permissions → Administrator off, then invite it again: "+inviteURL(x.app.ID))
		return
	}
	if lacking := missingPermissions(m.Permissions); len(lacking) > 0 {
		text, _ := withoutThem(lacking)
		x.bad(whatServer, StateWarn, "in "+m.Name+" the bot lacks, where no channel grants it: "+text, "invite it again, which adds them: "+inviteURL(x.app.ID))
	}
}

// open warns where anybody may take the bot to a server of theirs and be answered, there or
// in a direct message, from what is not for everyone.
func (x *examiner) open() {
	rules := x.cfg.Rules
	reach := restricted(rules.Direct)
	if len(rules.Guilds) == 0 {
		reach = append(reach, restricted(rules.Audience)...)
	}
	if !x.app.Public || len(reach) == 0 {
		return
	}
	slices.Sort(reach)
	x.bad(whatServer, StateWarn, "anybody may invite the bot to a server of theirs, and is then answered from documents for "+strings.Join(slices.Compact(reach), " and "),
		"Bot → Public Bot off; or in bot.yaml, give that audience to your own servers alone, under discord.guilds, and not to discord.direct")
}

// restricted are the audiences that not everyone belongs to.
func restricted(audience []string) []string {
	return slices.DeleteFunc(slices.Clone(audience), func(a string) bool { return a == "public" })
}

const fewNames = 5

// few are the first names of a list.
func few(names []string) string {
	if len(names) > fewNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:fewNames], ", "), len(names)-fewNames)
	}
	return strings.Join(names, ", ")
}

// channels looks at those that the configuration names, and at who helps.
func (x *examiner) channels(ctx context.Context) {
	rules := x.cfg.Rules
	ids := slices.Collect(maps.Keys(rules.Channels))
	if id := x.callAt(); id != "" {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		x.channel(ctx, id)
	}
	for _, id := range slices.Sorted(maps.Keys(rules.Guilds)) {
		x.helps(ctx, id, cmp.Or(rules.Guilds[id].Person, rules.Person))
	}
}

// called are those who may be called in a channel.
func (x *examiner) called(ch guarded) []Person {
	rules := x.cfg.Rules
	all := []Person{cmp.Or(x.rule(ch).Person, rules.Guilds[ch.GuildID].Person, rules.Person)}
	if ch.ID == x.callAt() {
		all = append(all, x.helpers()...)
	}
	return all
}

// callAt is where people are called from direct messages and private questions.
func (x *examiner) callAt() string {
	for _, who := range x.helpers() {
		if who.Channel != "" {
			return who.Channel
		}
	}
	return ""
}

// helpers are all that the configuration names.
func (x *examiner) helpers() (all []Person) {
	rules := x.cfg.Rules
	all = append(all, rules.Person)
	for _, id := range slices.Sorted(maps.Keys(rules.Guilds)) {
		all = append(all, rules.Guilds[id].Person)
	}
	for _, id := range slices.Sorted(maps.Keys(rules.Channels)) {
		all = append(all, rules.Channels[id].Person)
	}
	return slices.DeleteFunc(all, func(p Person) bool { return p.ID == "" })
}

// A guarded is a channel with who may do what in it.
type guarded struct {
	channel
	Overwrites []*api.PermissionOverwrite `json:"permission_overwrites"`
}

// channel looks at one, and at those who help there.
func (x *examiner) channel(ctx context.Context, id string) {
	var ch guarded
	if err := x.get(ctx, "/channels/"+id, &ch); err != nil {
		x.noChannel(id, err)
		return
	}
	switch {
	case ch.GuildID == "":
		x.bad(whatChannel, StateProblem, id+" is a direct message, which has no rules of its own", "take it out of bot.yaml; discord.direct is for all direct messages")
		return
	case ch.Type == api.ChannelTypeGuildCategory:
		x.bad(whatChannel, StateProblem, ch.Name+" is a category: its channels do not follow its rules", "in bot.yaml, name the channels instead")
		return
	case ch.isForum() && id == x.callAt():
		x.bad(whatChannel, StateProblem, "#"+ch.Name+" is a forum, where nobody can be called: it takes posts, not messages", "in bot.yaml, set discord.person_channel to a text channel")
		return
	}
	g, err := x.server(ctx, ch.GuildID)
	rules := ch
	if err == nil && ch.isThread() { // has none of its own
		err = x.get(ctx, "/channels/"+ch.Parent, &rules)
	}
	if err != nil {
		x.refused(whatChannel, err)
		return
	}
	x.allowed(ch, *g, permissionsIn(*g, rules.Overwrites))
	for _, p := range x.called(ch) {
		x.helps(ctx, ch.GuildID, p)
	}
}

func (g guarded) isThread() bool { return room{kind: g.Type}.isThread() }

// noChannel tells why a channel could not be looked at.
func (x *examiner) noChannel(id string, err error) {
	switch {
	case isCode(err, []int{api.ErrCodeUnknownChannel}):
		x.bad(whatChannel, StateProblem, "there is no channel "+id, "compare the id in bot.yaml with the channel's: in Discord, right-click it → Copy Channel ID")
	case isCode(err, []int{api.ErrCodeMissingAccess}):
		x.bad(whatChannel, StateProblem, "the bot may not see "+id+", or is not in its server",
			"in Discord: the channel's Edit Channel → Permissions → add the bot's role → View Channel; or invite the bot: "+inviteURL(x.app.ID))
	default:
		x.refused(whatChannel, err)
	}
}

// allowed compares what the bot may do in a channel with what it needs there.
func (x *examiner) allowed(ch guarded, g server, granted int64) {
	name := "#" + ch.Name + " in " + g.Name
	lacking := missingPermissions(granted)
	if ch.isForum() || ch.isThread() { // where Send Messages is to begin posts, which the bot never does
		lacking = slices.DeleteFunc(lacking, func(p permission) bool { return p.bit == api.PermissionSendMessages })
	}
	if len(lacking) == 0 {
		x.ok(whatChannel, "%s, documents for %s%s", name, strings.Join(x.audience(ch), " and "), x.unasked(ch))
		return
	}
	text, mute := withoutThem(lacking)
	state := StateWarn
	if mute || ch.isForum() && slices.ContainsFunc(lacking, func(p permission) bool { return p.bit == api.PermissionSendMessagesInThreads }) {
		state = StateProblem
	}
	x.bad(whatChannel, state, "in "+name+" the bot lacks "+text, "in Discord: "+ch.Name+" → Edit Channel → Permissions → the bot's role → allow each")
}

func (g guarded) isForum() bool { return room{kind: g.Type}.isForum() }

// rule is what the configuration says of a channel, or for a thread of its channel.
func (x *examiner) rule(ch guarded) Channel {
	rule, ok := x.cfg.Rules.Channels[ch.ID]
	if !ok && ch.isThread() {
		return x.cfg.Rules.Channels[ch.Parent]
	}
	return rule
}

// audience is whose documents answer in a channel.
func (x *examiner) audience(ch guarded) []string {
	if audience := x.rule(ch).Audience; len(audience) > 0 {
		return audience
	}
	return orPublic(x.cfg.Rules.ofGuild(ch.GuildID))
}

func (x *examiner) unasked(ch guarded) string {
	if x.rule(ch).AutoAnswer {
		return ", answers unasked"
	}
	return ""
}

// server looks at a server and the bot in it, once.
func (x *examiner) server(ctx context.Context, id string) (*server, error) {
	if g := x.servers[id]; g != nil {
		return g, nil
	}
	g := server{self: x.bot.ID}
	if err := x.get(ctx, "/guilds/"+id, &g); err != nil {
		return nil, err
	}
	var self struct {
		Roles []string `json:"roles"`
	}
	if err := x.get(ctx, "/guilds/"+id+"/members/"+x.bot.ID, &self); err != nil {
		return nil, err
	}
	g.roles = self.Roles
	x.servers[id] = &g
	return &g, nil
}

// helps looks at who helps in a server, once: whether they are there and can be called.
func (x *examiner) helps(ctx context.Context, guild string, who Person) {
	if who.ID == "" || x.persons[guild+" "+who.ID] {
		return
	}
	x.persons[guild+" "+who.ID] = true
	g, err := x.server(ctx, guild)
	switch {
	case isCode(err, []int{api.ErrCodeMissingAccess, api.ErrCodeUnknownGuild}): // told of the server
	case err != nil:
		x.refused(whatPerson, err)
	case who.Role:
		x.role(*g, who.ID)
	default:
		x.member(ctx, *g, who.ID)
	}
}

// role looks at one that is called. Only a role that anyone may mention is notified, unless
// the bot may mention all: https://discord.com/developers/docs/resources/message#allowed-mentions-object
func (x *examiner) role(g server, id string) {
	i := slices.IndexFunc(g.Roles, func(r *api.Role) bool { return r.ID == id })
	switch {
	case i < 0:
		x.bad(whatPerson, StateProblem, "there is no role "+id+" in "+g.Name+", so nobody is called", "compare the id in bot.yaml with the role's: in Discord, Server Settings → Roles → ⋯ → Copy Role ID")
	case id == g.ID:
		x.bad(whatPerson, StateProblem, "the role "+id+" is everyone in "+g.Name, "in bot.yaml, name the role of those who help")
	case !g.Roles[i].Mentionable && permissionsIn(g, nil)&api.PermissionMentionEveryone == 0:
		x.bad(whatPerson, StateWarn, "@"+g.Roles[i].Name+" in "+g.Name+" is named, but not notified",
			"in Discord: Server Settings → Roles → "+g.Roles[i].Name+" → Allow anyone to @mention this role")
	default:
		x.ok(whatPerson, "@%s in %s", g.Roles[i].Name, g.Name)
	}
}

func (x *examiner) member(ctx context.Context, g server, id string) {
	var m api.Member
	err := x.get(ctx, "/guilds/"+g.ID+"/members/"+id, &m)
	switch {
	case isCode(err, []int{api.ErrCodeUnknownMember, api.ErrCodeUnknownUser}):
		x.bad(whatPerson, StateProblem, id+" is no member of "+g.Name+", so nobody is called", "compare the id in bot.yaml with the member's: in Discord, right-click them → Copy User ID")
	case err != nil:
		x.refused(whatPerson, err)
	default:
		x.ok(whatPerson, "%s in %s", m.DisplayName(), g.Name)
	}
}
