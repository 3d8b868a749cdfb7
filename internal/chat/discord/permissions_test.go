package discord

import (
	"net/url"
	"slices"
	"strconv"
	"testing"

	api "github.com/bwmarrin/discordgo"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The example of Discord's documentation is the same in all languages, so the numbers are
// written out: a mistaken bit would ask administrators for something else.
func TestInviteURL(t *testing.T) {
	at, err := url.Parse(inviteURL("1301000000000000100"))
	if err != nil {
		t.Fatal(err)
	}
	const want = 1<<10 | 1<<11 | 1<<14 | 1<<16 | 1<<38
	query := at.Query()
	if at.Host != "discord.com" || at.Path != "/oauth2/authorize" || query.Get("client_id") != "1301000000000000100" ||
		query.Get("scope") != "bot applications.commands" || query.Get("permissions") != strconv.Itoa(want) {
		t.Error(at)
	}
}

func TestIntents(t *testing.T) {
	const usual = 1<<0 | 1<<9 | 1<<12
	for _, test := range []struct {
		name  string
		rules Rules
		want  api.Intent
	}{
		{"none", Rules{}, usual},
		{"a channel that is not answered unasked", Rules{Channels: map[string]Channel{"1": {}}}, usual},
		{"one that is", Rules{Channels: map[string]Channel{"1": {}, "2": {AutoAnswer: true}}}, usual | 1<<15},
	} {
		if got := test.rules.intents(); got != test.want {
			t.Errorf("%s: %b, want %b", test.name, got, test.want)
		}
	}
}

// The cases follow the order in which Discord's documentation lets permissions overwrite
// each other.
func TestPermissionsIn(t *testing.T) {
	const view, send, embed, admin = api.PermissionViewChannel, api.PermissionSendMessages, api.PermissionEmbedLinks, api.PermissionAdministrator
	const guild, bot, role, other = "1", "2", "3", "4"
	inServer := func(everyone, own int64) server {
		return server{ID: guild, Owner: "9", self: bot, roles: []string{role}, Roles: []*api.Role{
			{ID: guild, Permissions: everyone}, {ID: role, Permissions: own}, {ID: other, Permissions: admin},
		}}
	}
	overwrite := func(id string, kind api.PermissionOverwriteType, allow, deny int64) *api.PermissionOverwrite {
		return &api.PermissionOverwrite{ID: id, Type: kind, Allow: allow, Deny: deny}
	}
	const forRole, forMember = api.PermissionOverwriteTypeRole, api.PermissionOverwriteTypeMember
	owner := inServer(0, 0)
	owner.Owner = bot
	for _, test := range []struct {
		name       string
		in         server
		overwrites []*api.PermissionOverwrite
		want       int64
	}{
		{"everyone's and its role's", inServer(view, send), nil, view | send},
		{"nothing of another role", inServer(view, 0), nil, view},
		{"an administrator, whatever the channel says", inServer(0, admin), []*api.PermissionOverwrite{overwrite(bot, forMember, 0, view)}, api.PermissionAll},
		{"the owner", owner, nil, api.PermissionAll},
		{"denied to everyone", inServer(view|send, 0), []*api.PermissionOverwrite{overwrite(guild, forRole, 0, send)}, view},
		{"denied to everyone, allowed to its role", inServer(view|send, 0),
			[]*api.PermissionOverwrite{overwrite(role, forRole, view|send, 0), overwrite(guild, forRole, 0, view|send)}, view | send},
		{"denied to its role, allowed to itself", inServer(view|send, embed),
			[]*api.PermissionOverwrite{overwrite(bot, forMember, embed, 0), overwrite(role, forRole, 0, embed|send)}, view | embed},
		{"allowed to another role", inServer(view, 0), []*api.PermissionOverwrite{overwrite(other, forRole, send, 0)}, view},
		{"a member with the id of a role", inServer(view, 0), []*api.PermissionOverwrite{overwrite(role, forMember, send, 0)}, view},
		{"what cannot be seen allows nothing", inServer(view|send, embed), []*api.PermissionOverwrite{overwrite(guild, forRole, 0, view)}, 0},
	} {
		if got := permissionsIn(test.in, test.overwrites); got != test.want {
			t.Errorf("%s: %b, want %b", test.name, got, test.want)
		}
	}
}

// In which order a channel lists its overwrites does not matter.
func TestPermissionsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Custom(func(t *rapid.T) int64 {
			var b int64
			for _, p := range rapid.SliceOf(rapid.SampledFrom(permissions)).Draw(t, "bits") {
				b |= p.bit
			}
			return b
		})
		in := server{ID: "1", self: "2", roles: []string{"3", "4"}, Roles: []*api.Role{{ID: "1", Permissions: bits.Draw(t, "everyone")}, {ID: "3", Permissions: bits.Draw(t, "role")}}}
		var overwrites []*api.PermissionOverwrite
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			kind := api.PermissionOverwriteTypeRole
			if id == "2" {
				kind = api.PermissionOverwriteTypeMember
			}
			overwrites = append(overwrites, &api.PermissionOverwrite{ID: id, Type: kind, Allow: bits.Draw(t, "allow "+id), Deny: bits.Draw(t, "deny "+id)})
		}
		want := permissionsIn(in, overwrites)
		if got := permissionsIn(in, rapid.Permutation(overwrites).Draw(t, "order")); got != want {
			t.Fatalf("%b and %b", got, want)
		}
	})
}

func TestMissingPermissions(t *testing.T) {
	if got := missingPermissions(allPermissions()); got != nil {
		t.Errorf("%+v", got)
	}
	var names []string
	for _, p := range missingPermissions(allPermissions() &^ (api.PermissionSendMessages | api.PermissionEmbedLinks)) {
		names = append(names, p.name)
	}
	if diff := cmp.Diff([]string{"Send Messages", "Embed Links"}, names); diff != "" {
		t.Error(diff)
	}
	for _, p := range permissions {
		_, mute := withoutThem([]permission{p})
		if want := slices.Contains([]string{"View Channels", "Send Messages"}, p.name); mute != want || p.why == "" {
			t.Errorf("%s: mute %v", p.name, mute)
		}
	}
}
