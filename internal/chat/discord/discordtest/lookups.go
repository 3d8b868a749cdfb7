package discordtest

import (
	"net/http"
	"slices"
	"strconv"
)

// What can be asked of the REST API besides messages. All runs under the server's lock.

func (s *Server) getGateway(*call) answer {
	return done(map[string]any{"url": s.gatewayURL(gatewayPath)})
}

func (s *Server) getGatewayBot(*call) answer {
	return done(map[string]any{
		"url": s.gatewayURL(gatewayPath), "shards": 1,
		"session_start_limit": map[string]any{
			"total": 1000, "remaining": max(0, 1000-s.state.identifies), "reset_after": 86_400_000, "max_concurrency": max(1, s.MaxConcurrency),
		},
	})
}

func (s *Server) getMe(*call) answer { return done(s.me()) }

// getApplication tells of the application.
// https://discord.com/developers/docs/resources/application#application-object
func (s *Server) getApplication(*call) answer {
	var endpoint any
	if s.InteractionsURL != "" {
		endpoint = s.InteractionsURL
	}
	return done(map[string]any{
		"id": App, "name": "Citebot", "icon": nil, "description": "", "bot_public": false, "bot_require_code_grant": false, "verify_key": s.PublicKey(),
		"flags": s.appFlags(), "interactions_endpoint_url": endpoint, "bot": s.user(BotUser), "owner": s.user(Admin), "team": nil,
		"approximate_guild_count": len(s.joined()),
	})
}

// joined lists the servers that the bot is in.
func (s *Server) joined() []*World {
	var all []*World
	for _, id := range sortedKeys(s.state.worlds) {
		if w := s.state.worlds[id]; !w.WithoutBot {
			all = append(all, w)
		}
	}
	return all
}

func (s *Server) getMyGuilds(*call) answer {
	all := []any{}
	for _, w := range s.joined() {
		all = append(all, map[string]any{
			"id": w.ID, "name": w.Name, "icon": nil, "banner": nil, "owner": false, "features": []any{},
			"permissions": strconv.FormatInt(w.Everyone|w.BotGrants, 10),
		})
	}
	return done(all)
}

// world finds a server that the bot is in.
func (s *Server) world(c *call) (*World, answer) {
	w := s.state.worlds[c.params["guild"]]
	switch {
	case w == nil:
		return nil, no(http.StatusNotFound, 10004)
	case w.WithoutBot:
		return nil, no(http.StatusForbidden, 50001)
	}
	return w, answer{}
}

func (s *Server) getGuild(c *call) answer {
	w, a := s.world(c)
	if w == nil {
		return a
	}
	return done(s.guildObject(w))
}

func (s *Server) getRoles(c *call) answer {
	w, a := s.world(c)
	if w == nil {
		return a
	}
	return done(s.roleObjects(w))
}

func (s *Server) getChannels(c *call) answer {
	w, a := s.world(c)
	if w == nil {
		return a
	}
	return done(s.channelsOf(w.ID, false))
}

func (s *Server) getMember(c *call) answer {
	w, a := s.world(c)
	if w == nil {
		return a
	}
	user := c.params["user"]
	if user == "@me" { // that is another route, for OAuth2 alone
		user = ""
	}
	if user != BotUser && !slices.Contains(w.Members, user) {
		return no(http.StatusNotFound, 10007)
	}
	return done(s.member(w.ID, user, true))
}

// in tells whether the bot is in a server.
func (s *Server) in(guild string) bool {
	w := s.state.worlds[guild]
	return w != nil && !w.WithoutBot
}

// place finds a channel that the bot can see.
func (s *Server) place(c *call) (*channel, answer) {
	ch := s.state.channel(c.Channel)
	switch {
	case ch == nil:
		return nil, no(http.StatusNotFound, 10003)
	case ch.Guild != "" && (!s.in(ch.Guild) || s.botMay(&ch.Channel)&ViewChannel == 0):
		return nil, no(http.StatusForbidden, 50001)
	}
	return ch, answer{}
}

func (s *Server) getChannel(c *call) answer {
	ch, a := s.place(c)
	if ch == nil {
		return a
	}
	return done(s.channelObject(&ch.Channel))
}

func (s *Server) openDM(c *call) answer {
	user := text(c.Body["recipient_id"])
	if _, ok := s.state.users[user]; !ok {
		return no(http.StatusBadRequest, 50033)
	}
	ch := s.state.channel(DirectOf(user))
	return done(s.channelObject(&ch.Channel))
}

// getCommands lists what is registered.
func (s *Server) getCommands(c *call) answer {
	if c.params["app"] != App {
		return no(http.StatusForbidden, 20012)
	}
	all := []any{}
	for _, cmd := range s.state.commands[c.params["guild"]] {
		all = append(all, cmd.object(c.params["guild"]))
	}
	return done(all)
}

// putCommands replaces them all. A command that keeps its name and type keeps its id.
// https://discord.com/developers/docs/interactions/application-commands#bulk-overwrite-global-application-commands
func (s *Server) putCommands(c *call) answer {
	if c.params["app"] != App {
		return no(http.StatusForbidden, 20012)
	}
	guild := c.params["guild"]
	old := s.state.commands[guild]
	var commands []Command
	for _, body := range objects(c.value) {
		commands = append(commands, Command{ID: s.commandID(old, body), Body: body})
	}
	s.state.commands[guild] = commands
	s.state.puts[guild]++
	return s.getCommands(c)
}

func (s *Server) commandID(old []Command, body map[string]any) string {
	for _, c := range old {
		if c.Name() == text(body["name"]) && c.kind() == kindOf(body) {
			return c.ID
		}
	}
	return s.state.stamp()
}

// kindOf is a command's type: 1 for one that is typed.
func kindOf(body map[string]any) int64 { return max(1, number(body["type"])) }

func (c Command) kind() int64 { return kindOf(c.Body) }

// object is the command as Discord lists it: with what the body left out.
func (c Command) object(guild string) map[string]any {
	o := map[string]any{
		"id": c.ID, "application_id": App, "version": c.ID, "type": c.kind(), "default_member_permissions": nil, "nsfw": false, "description": "",
		"contexts": nil, "integration_types": []any{0},
	}
	for key, v := range c.Body {
		if v != nil {
			o[key] = v
		}
	}
	if guild != "" {
		o["guild_id"] = guild
	}
	return o
}
