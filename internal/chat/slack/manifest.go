package slack

import (
	"slices"
	"strings"
)

// This file is what deploy/slack-manifest.yaml must ask for, and why. A test compares the
// two, and the methods that this package calls with the table below.

// A scope is a permission of the bot token.
type scope struct {
	name    string
	why     string
	without string // what is lost without it, when the rest goes on; "": the bot cannot do without
}

// scopes are those of the bot token: https://docs.slack.dev/reference/scopes
var scopes = []scope{
	{name: "app_mentions:read", why: "to hear its name (app_mention)"},
	{name: "chat:write", why: "to answer, to correct answers and to show that it is at work"},
	{name: "commands", why: "for /ask and the shortcut “Answer this”"},
	{name: "im:history", why: "to read direct messages to it (message.im)"},
	{"im:write", "to open a direct message where a channel takes no answer", "where a channel takes no message from the bot, the asker gets no answer"},
	{"channels:history", "to follow threads of public channels without being named again, and for auto_answer (message.channels)",
		"in public channels it must be named every time, auto_answer is silent, and what a crash cut off is not finished"},
	{"groups:history", "the same in private channels (message.groups)",
		"in private channels it must be named every time, auto_answer is silent, and what a crash cut off is not finished"},
	{"mpim:history", "the same in direct messages of several people (message.mpim)",
		"in direct messages of several people it must be named every time, and what a crash cut off is not finished"},
	{"channels:read", "to see whether people from outside read a public channel (conversations.info)",
		"in public channels only public documents answer"},
	{"groups:read", "to see whether people from outside read a private channel (conversations.info)",
		"in private channels only public documents answer"},
}

// scopeToPost is the scope without which the bot is mute.
const scopeToPost = "chat:write"

// agentScope comes with features.agent_view, unasked: https://docs.slack.dev/ai/agent-sessions
const agentScope = "assistant:write"

// appScope is what the app-level token needs. It stands in no manifest.
const appScope = "connections:write"

// missingScopes are those that the bot cannot do without and that granted, an
// X-OAuth-Scopes header, does not name. An empty header says nothing.
func missingScopes(granted string) []string {
	var names []string
	for _, s := range missing(granted) {
		if s.without == "" {
			names = append(names, s.name)
		}
	}
	return names
}

// missing are all scopes that an X-OAuth-Scopes header does not name.
func missing(granted string) []scope {
	have := scopeNames(granted)
	if len(have) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s scope) bool { return slices.Contains(have, s.name) })
}

// extraScopes are those that granted names and the bot never uses.
func extraScopes(granted string) []string {
	return slices.DeleteFunc(scopeNames(granted), func(name string) bool {
		return name == agentScope || slices.ContainsFunc(scopes, func(s scope) bool { return s.name == name })
	})
}

func scopeNames(header string) []string {
	return strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ' ' })
}

// events are what the app subscribes to, each with the scope that it takes:
// https://docs.slack.dev/reference/events
var events = []struct{ name, scope string }{
	{"app_mention", "app_mentions:read"},
	{"message.im", "im:history"},
	{"message.channels", "channels:history"},
	{"message.groups", "groups:history"},
	{"message.mpim", "mpim:history"},
	{"app_home_opened", ""},
	{"agent_session_stopped", ""}, // https://docs.slack.dev/reference/events/agent_session_stopped names none
	{"app_uninstalled", ""},
	{"tokens_revoked", ""},
}

// calls are the methods of the Web API that this package uses, by the client library's
// name of each, with the scopes of which a call takes one, according to the channel:
// https://docs.slack.dev/reference/methods
var calls = []struct {
	function string
	method   string
	scopes   []string
}{
	{"AuthTestContext", "auth.test", nil},
	{"StartSocketModeContext", "apps.connections.open", []string{appScope}},
	{"PostMessageContext", "chat.postMessage", []string{"chat:write"}},
	{"UpdateMessageContext", "chat.update", []string{"chat:write"}},
	{"DeleteMessageContext", "chat.delete", []string{"chat:write"}},
	{"PostEphemeralContext", "chat.postEphemeral", []string{"chat:write"}},
	{"StartStreamContext", "chat.startStream", []string{"chat:write"}},
	{"StopStreamContext", "chat.stopStream", []string{"chat:write"}},
	// The next two are called by name, see call.go.
	{"GetConversationRepliesContext", "conversations.replies", []string{"channels:history", "groups:history", "im:history", "mpim:history"}},
	{"GetConversationHistoryContext", "conversations.history", []string{"channels:history", "groups:history", "im:history", "mpim:history"}},
	{"GetConversationInfoContext", "conversations.info", []string{"channels:read", "groups:read"}},
	{"OpenConversationContext", "conversations.open", []string{"im:write"}},
	{"OpenViewContext", "views.open", nil},
	{"PublishViewContext", "views.publish", nil},
	// https://docs.slack.dev/changelog/2026/03/05/set-status-scope-update
	{"SetAssistantThreadsStatusContext", "assistant.threads.setStatus", []string{"chat:write"}},
	{"SetAssistantThreadsSuggestedPromptsContext", "assistant.threads.setSuggestedPrompts", []string{agentScope}},
}
