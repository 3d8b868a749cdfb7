package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"citebot/internal/chat"

	api "github.com/bwmarrin/discordgo"
)

// A room is what is known about a channel or thread.
type room struct {
	kind   api.ChannelType
	parent string // the channel that a thread or forum post belongs to
	guild  string // "": a direct message
	name   string
	hidden bool      // Discord does not show it to the bot
	until  time.Time // zero: until an event says otherwise
}

// roomFor is how long that is believed of a room that no event speaks of.
const roomFor = 10 * time.Minute

// lookWithin bounds how long Discord is asked for it: events wait meanwhile.
const lookWithin = 3 * time.Second

func (r room) isThread() bool {
	return r.kind == api.ChannelTypeGuildPublicThread || r.kind == api.ChannelTypeGuildPrivateThread || r.kind == api.ChannelTypeGuildNewsThread
}

func (r room) isForum() bool {
	return r.kind == api.ChannelTypeGuildForum || r.kind == api.ChannelTypeGuildMedia
}

// A channel is one as Discord describes it:
// https://discord.com/developers/docs/resources/channel#channel-object
type channel struct {
	ID      string          `json:"id"`
	Type    api.ChannelType `json:"type"`
	GuildID string          `json:"guild_id"`
	Parent  string          `json:"parent_id"`
	Name    string          `json:"name"`
}

// remember keeps what is said of a channel in passing. A thread without its channel is not
// known: other rules might hold for it.
func (d *Discord) remember(c channel, guild string) {
	r := room{kind: c.Type, parent: c.Parent, guild: cmp.Or(c.GuildID, guild), name: c.Name}
	if c.ID != "" && (!r.isThread() || r.parent != "") {
		d.rooms.Add(c.ID, r)
	}
}

// rearranged takes what an event says about channels.
func (d *Discord) rearranged(kind string, data json.RawMessage) {
	if kind == "GUILD_CREATE" {
		var g struct {
			ID       string    `json:"id"`
			Channels []channel `json:"channels"`
			Threads  []channel `json:"threads"`
		}
		if d.decode(kind, data, &g) {
			for _, c := range append(g.Channels, g.Threads...) {
				d.remember(c, g.ID)
			}
		}
		return
	}
	var c channel
	if !d.decode(kind, data, &c) {
		return
	}
	if kind == "THREAD_DELETE" || kind == "CHANNEL_DELETE" {
		d.rooms.Remove(c.ID)
		return
	}
	d.remember(c, "")
}

// room is what is known about a channel; Discord is asked where no event told. Each error may
// pass; a channel that Discord does not show to the bot is none.
func (d *Discord) room(ctx context.Context, id string) (room, error) {
	if r, ok := d.rooms.Get(id); ok && (r.until.IsZero() || time.Now().Before(r.until)) {
		return r, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	var c channel
	path := "/channels/" + id
	err := d.call(ctx, "GET", path, nil, &c)
	if err != nil && chat.Retryable(err) {
		return room{}, err
	}
	r := room{kind: c.Type, parent: c.Parent, guild: c.GuildID, name: c.Name, hidden: err != nil, until: time.Now().Add(roomFor)}
	d.rooms.Add(id, r)
	return r, nil
}

var public = []string{"public"}

// Audiences implements [chat.Platform]. A thread follows its channel, a channel its server;
// where a configuration names servers, others get no more than anybody.
func (d *Discord) Audiences(ctx context.Context, p chat.Place, outside bool) ([]string, error) {
	if outside {
		return public, nil
	}
	if p.Team == "" {
		return orPublic(d.cfg.Rules.Direct), nil
	}
	of, rule := d.cfg.Rules.ofGuild(p.Team), Channel{}
	if len(d.cfg.Rules.Channels) > 0 {
		var err error
		if rule, err = d.rule(ctx, p.Channel); err != nil {
			return nil, err
		}
	}
	if len(rule.Audience) > 0 {
		of = rule.Audience
	}
	return orPublic(of), nil
}

func orPublic(audiences []string) []string {
	if len(audiences) == 0 {
		return public
	}
	return audiences
}

// ofGuild are the audiences of a server's channels that have no rule.
func (r Rules) ofGuild(guild string) []string {
	g, named := r.Guilds[guild]
	switch {
	case len(g.Audience) > 0:
		return g.Audience
	case len(r.Guilds) > 0 && !named:
		return public // anyone who finds the bot can take it to a server of theirs
	}
	return r.Audience
}

// rule is what the configuration says of a channel, or for a thread of its channel.
func (d *Discord) rule(ctx context.Context, id string) (Channel, error) {
	if c, ok := d.cfg.Rules.Channels[id]; ok {
		return c, nil
	}
	switch r, err := d.room(ctx, id); {
	case err != nil:
		return Channel{}, err
	case r.hidden: // it may be a thread of a channel for which there is a rule
		return Channel{Audience: public}, nil
	case r.isThread():
		return d.cfg.Rules.Channels[r.parent], nil
	}
	return Channel{}, nil
}

// person is who "Ask a person" calls from a place.
func (d *Discord) person(ctx context.Context, p chat.Place) Person {
	rules := d.cfg.Rules
	if p.Team == "" {
		return rules.Person
	}
	c, _ := d.rule(ctx, p.Channel) // where that is not known the server's person helps
	guild, named := rules.Guilds[p.Team]
	if len(rules.Guilds) > 0 && !named {
		return c.Person // ours are not in servers that are not
	}
	for _, who := range []Person{c.Person, guild.Person, rules.Person} {
		if who.ID != "" {
			who.Channel = cmp.Or(who.Channel, rules.Person.Channel)
			return who
		}
	}
	return Person{}
}
