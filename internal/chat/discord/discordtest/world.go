package discordtest

import (
	"fmt"
	"strconv"
	"time"
)

// Who and what is there from the beginning. Of two shards Guild is on 1, Foreign on 0.
const (
	App     = "1301000000000000100" // the application, whose id is not that of its bot
	BotUser = "1301000000000000200" // the bot as a user

	Guild   = "1310000005000000000"
	Foreign = "1310000008000000000" // another organisation's server, with the bot in it

	General = "1310000005000001001" // a text channel
	Staff   = "1310000005000001002" // one that staff alone see
	Help    = "1310000005000001003" // a text channel for questions
	Forum   = "1310000005000001004"
	Thread  = "1310000005000001005" // a thread in General
	Lobby   = "1310000008000001001" // a text channel of Foreign

	BotRole = "1310000005000002001" // which the bot has from its invitation
	Helpers = "1310000005000002002" // people who help

	Alice   = "1302000000000000301"
	Bob     = "1302000000000000302" // his locale is de
	Admin   = "1302000000000000303" // may manage the server
	Mallory = "1302000000000000304" // of Foreign
)

// The kinds of channel. https://discord.com/developers/docs/resources/channel#channel-object-channel-types
const (
	TextChannel   = 0
	DirectMessage = 1
	Announcements = 5
	PublicThread  = 11
	PrivateThread = 12
	ForumChannel  = 15
)

// A World is a server.
type World struct {
	ID         string
	Name       string
	Everyone   int64    // permissions of @everyone
	BotGrants  int64    // permissions of the bot's own role
	Roles      []Role   // besides @everyone and the bot's
	Members    []string // ids of users; the bot is one without being named
	Locale     string   // preferred; "": en-US
	Unavail    bool     // GUILD_CREATE never comes
	WithoutBot bool     // the bot was removed, or never was in it
}

// A Role is one of a server.
type Role struct {
	ID, Name    string
	Permissions int64
	Members     []string
}

// A Channel is where messages are. Direct messages need not be added: each user has one.
type Channel struct {
	ID     string
	Name   string
	Type   int
	Guild  string // "" for a direct message
	Parent string // of a thread
	Owner  string // who began a thread
	User   string // the other side of a direct message

	// What the bot may not do here.
	Hidden    bool // see it
	NoSend    bool // send messages
	NoThreads bool // send messages in its threads
	NoHistory bool // read earlier messages, and so reply
	NoEmbeds  bool // embed links: embeds are dropped silently

	Archived bool
	Locked   bool
	Refuses  bool // of a direct message: the user takes none from the bot

	Overwrites []Overwrite // more of them
}

// An Overwrite changes permissions in one channel for a role or a member.
type Overwrite struct {
	ID          string
	Member      bool
	Allow, Deny int64
}

// A User is a person, or another bot.
type User struct {
	ID     string
	Name   string // as people see it
	Locale string // of the person's client; "": en-US
	Bot    bool
}

func (c *Channel) isThread() bool { return c.Type == PublicThread || c.Type == PrivateThread }

// Permissions. https://discord.com/developers/docs/topics/permissions#permissions-bitwise-permission-flags
const (
	Administrator  int64 = 1 << 3
	ManageGuild    int64 = 1 << 5
	ViewChannel    int64 = 1 << 10
	SendMessages   int64 = 1 << 11
	ManageMessages int64 = 1 << 13
	EmbedLinks     int64 = 1 << 14
	ReadHistory    int64 = 1 << 16
	MentionAll     int64 = 1 << 17
	UseCommands    int64 = 1 << 31
	StartThreads   int64 = 1 << 35
	SendInThreads  int64 = 1 << 38
	AllPermissions int64 = 1<<50 - 1
)

const (
	peoplesPermissions = ViewChannel | SendMessages | EmbedLinks | ReadHistory | UseCommands | StartThreads | SendInThreads
	botsPermissions    = ViewChannel | SendMessages | EmbedLinks | ReadHistory | SendInThreads
)

func (s *Server) populate() {
	for _, u := range []User{
		{ID: BotUser, Name: "Citebot", Bot: true},
		{ID: Alice, Name: "Alice"},
		{ID: Bob, Name: "Bob", Locale: "de"},
		{ID: Admin, Name: "Admin"},
		{ID: Mallory, Name: "Mallory"},
	} {
		s.state.users[u.ID] = u
	}
	s.state.worlds[Guild] = &World{
		ID: Guild, Name: "Citebot HQ", Everyone: peoplesPermissions, BotGrants: botsPermissions, Members: []string{Alice, Bob, Admin},
		Roles: []Role{{ID: Helpers, Name: "helpers", Members: []string{Bob}}, {ID: "1310000005000002003", Name: "admins", Permissions: ManageGuild, Members: []string{Admin}}},
	}
	s.state.worlds[Foreign] = &World{ID: Foreign, Name: "Partner", Everyone: peoplesPermissions, BotGrants: botsPermissions, Members: []string{Mallory}}
	for _, c := range []Channel{
		{ID: General, Name: "general", Guild: Guild},
		{ID: Staff, Name: "staff", Guild: Guild, Overwrites: []Overwrite{{ID: Guild, Deny: ViewChannel}, {ID: BotRole, Allow: ViewChannel}}},
		{ID: Help, Name: "help", Guild: Guild},
		{ID: Forum, Name: "questions", Guild: Guild, Type: ForumChannel},
		{ID: Thread, Name: "a thread", Guild: Guild, Type: PublicThread, Parent: General, Owner: Alice},
		{ID: Lobby, Name: "lobby", Guild: Foreign},
	} {
		s.state.add(c)
	}
}

// botRole is the role that the bot has in a server.
func botRole(guild string) string {
	if guild == Guild {
		return BotRole
	}
	return plus(guild, 2001)
}

// DirectOf is the id of the direct message between the bot and a user.
func DirectOf(user string) string { return plus(user, 7_000_000_000_000) }

func plus(id string, n int64) string {
	v, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return id + fmt.Sprint(n)
	}
	return strconv.FormatInt(v+n, 10)
}

// The first second of 2015, from which ids count milliseconds.
// https://discord.com/developers/docs/reference#snowflakes
const epoch = 1420070400000

// stamp makes the next id: later than all before and at the clock's time. The lowest 22 bits
// are those of workers and a counter.
func (st *State) stamp() string {
	st.last = max(st.last+1, (st.now().UnixMilli()-epoch)<<22)
	return strconv.FormatInt(st.last, 10)
}

// TimeOf is when an id was made.
func TimeOf(id string) time.Time {
	v, _ := strconv.ParseInt(id, 10, 64)
	return time.UnixMilli(v>>22 + epoch)
}

func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

func shardOf(guild string, shards int) int {
	v, _ := strconv.ParseInt(guild, 10, 64)
	if guild == "" || shards < 2 {
		return 0
	}
	return int((v >> 22) % int64(shards))
}
