package discordtest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf16"
)

// A checker holds one request against the rules. The server's lock is held.
type checker struct {
	*Server
	where   string // begins each line
	refusal refusal
}

// say records a breach of a rule that Discord does not enforce.
func (k *checker) say(format string, args ...any) {
	k.violate("%s: %s", k.where, fmt.Sprintf(format, args...))
}

// refuse records a breach that Discord answers with an error.
func (k *checker) refuse(field, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	k.say("%s: %s", field, what)
	k.refusal.status, k.refusal.code, k.refusal.message = http.StatusBadRequest, 50035, codeNames[50035]
	k.refusal.errors = append(k.refusal.errors, field+": "+what)
}

// most refuses what is longer than a limit. Discord counts as JavaScript does, in units of
// UTF-16, or in characters; the stricter count holds.
func (k *checker) most(field, value string, limit int) {
	if n := len(utf16.Encode([]rune(value))); n > limit {
		k.refuse(field, "has %d characters, the limit is %d", n, limit)
	}
}

// inspect holds a call against the rules when it arrives; the lock is held.
func (s *Server) inspect(c *call) {
	k := &checker{Server: s, where: c.Route}
	if c.Channel != "" {
		k.where += " " + c.Channel
	}
	for _, what := range c.broken {
		k.say("%s", what)
	}
	k.manners(c)
	k.encoding(c)
	if s.schema != nil {
		for _, line := range s.schema.check(c) {
			k.say("%s", line)
		}
	}
	k.route(c)
	c.refusal = k.refusal
}

// agentPattern is how a bot has to name itself.
// https://discord.com/developers/docs/reference#user-agent
var agentPattern = regexp.MustCompile(`^DiscordBot \(\S+, [^)]+\)`)

// manners checks who asks, and that secrets stay where they belong.
func (k *checker) manners(c *call) {
	if c.From != "" && !agentPattern.MatchString(c.Agent) {
		k.say("the User-Agent is %q; Discord wants DiscordBot (address, version)", c.Agent)
	}
	where := c.Path + "?" + c.query.Encode()
	body := string(encode(c.value))
	if strings.Contains(where+body, k.Token) {
		k.say("the bot's token is in the address or the body")
	}
	if strings.Contains(body, tokenMark) || c.params["token"] == "" && strings.Contains(where, tokenMark) {
		k.say("an interaction's token is where it does not belong")
	}
}

// encoding looks for text that was cut inside a character.
func (k *checker) encoding(c *call) {
	if strings.ContainsRune(string(encode(c.value)), '\uFFFD') || strings.Contains(string(encode(c.value)), `\ufffd`) {
		k.say("the body holds U+FFFD: text was cut inside a character")
	}
}

func (k *checker) route(c *call) {
	switch c.Route {
	case CreateMessage:
		k.identity(c.Body)
		k.reference(object(c.Body["message_reference"]))
		k.message(c.Body, manner{flags: number(c.Body["flags"]), allowed: SuppressEmbeds | SuppressNotices, is: "message"})
	case EditMessage:
		k.message(c.Body, manner{flags: k.flagsOf(c), allowed: SuppressEmbeds, is: "edit"})
	case CreateFollowup:
		k.message(c.Body, manner{flags: number(c.Body["flags"]), allowed: SuppressEmbeds | EphemeralFlag | SuppressNotices, is: "message"})
	case EditOriginal, EditFollowup:
		k.message(c.Body, manner{flags: k.flagsOf(c), allowed: SuppressEmbeds, is: "edit"})
	case Callback:
		k.callbackBody(c)
	case PutCommands, PutGuildCommands:
		k.commands(c)
	}
}

// flagsOf are the flags of the message that an edit is about, as they will be.
func (k *checker) flagsOf(c *call) int64 {
	if _, ok := c.Body["flags"]; ok {
		return number(c.Body["flags"])
	}
	m := k.state.find(c.Channel, c.Message)
	if i := k.tokens[c.params["token"]]; i != nil {
		m = i.original
		if c.Message != "" {
			m = k.state.find(i.Channel, c.Message)
		}
	}
	if m == nil {
		return 0
	}
	return m.Flags & SuppressEmbeds
}

// identity wants posts to be repeatable without harm.
// https://discord.com/developers/docs/resources/message#create-message
func (k *checker) identity(o map[string]any) {
	nonce := nonceOf(o)
	switch {
	case nonce == "":
		k.say("no nonce: what is sent twice is shown twice")
	case len(nonce) > maxNonce:
		k.refuse("nonce", "has %d characters, the limit is %d", len(nonce), maxNonce)
	case !truth(o["enforce_nonce"]):
		k.say("a nonce without enforce_nonce")
	}
}

// reference wants replies to survive that their question is deleted.
func (k *checker) reference(ref map[string]any) {
	if ref == nil {
		return
	}
	if fail, ok := ref["fail_if_not_exists"]; !ok || fail != false {
		k.say("message_reference without fail_if_not_exists: false")
	}
}

// callbackBody checks an interaction's callback.
func (k *checker) callbackBody(c *call) {
	data := object(c.Body["data"])
	flags := number(data["flags"])
	switch number(c.Body["type"]) {
	case cbMessage:
		k.message(data, manner{flags: flags, allowed: SuppressEmbeds | EphemeralFlag | SuppressNotices, is: "message"})
	case cbUpdate:
		k.message(data, manner{flags: flags, allowed: SuppressEmbeds, is: "edit"})
	case cbDefer:
		k.flags(flags, EphemeralFlag)
	case cbAutocomplete:
		k.choices(data)
	case cbModal:
		k.modal(data)
	}
}

// Limits of autocomplete.
// https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-option-choice-structure
const (
	maxChoices = 25
	maxChoice  = 100 // characters of a name, and of a value
)

func (k *checker) choices(data map[string]any) {
	choices, given := data["choices"].([]any)
	if !given {
		k.say("autocomplete without choices: people see an error; an empty list is right")
	}
	if len(choices) > maxChoices {
		k.refuse("choices", "%d of them, the limit is %d", len(choices), maxChoices)
	}
	seen := map[string]bool{}
	for n, o := range objects(choices) {
		at := fmt.Sprintf("choices[%d]", n)
		name, value := text(o["name"]), fmt.Sprint(o["value"])
		if name == "" || value == "" {
			k.refuse(at, "has no name or no value")
		}
		k.most(at+".name", name, maxChoice)
		k.most(at+".value", value, maxChoice)
		if seen[value] {
			k.say("%s: the value %q comes twice", at, value)
		}
		seen[value] = true
	}
}

// Limits of a modal. https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response-object-modal
const (
	maxModalTitle  = 45
	maxInput       = 4000
	maxInputLabel  = 45
	maxPlaceholder = 100
)

func (k *checker) modal(data map[string]any) {
	k.most("title", text(data["title"]), maxModalTitle)
	k.most("custom_id", text(data["custom_id"]), maxCustomID)
	if text(data["title"]) == "" || text(data["custom_id"]) == "" {
		k.refuse("title", "a modal needs a title and a custom_id")
	}
	if n := len(list(data["components"])); n < 1 || n > maxRows {
		k.refuse("components", "%d rows, there must be 1 to %d", n, maxRows)
	}
	for id, input := range (Modal{Components: objects(data["components"])}).Inputs() {
		k.most("custom_id", id, maxCustomID)
		k.most(id+".label", text(input["label"]), maxInputLabel)
		k.most(id+".placeholder", text(input["placeholder"]), maxPlaceholder)
		if number(input["max_length"]) > maxInput {
			k.refuse(id+".max_length", "is %d, the limit is %d", number(input["max_length"]), maxInput)
		}
	}
}

// Limits of commands. https://discord.com/developers/docs/interactions/application-commands#application-command-object-application-command-naming
const (
	maxCommands    = 100
	maxName        = 32
	maxDescription = 100
	maxOptions     = 25
)

var commandPattern = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// commands checks a bulk overwrite.
func (k *checker) commands(c *call) {
	all := objects(c.value)
	if len(all) > maxCommands {
		k.refuse("commands", "%d of them, the limit is %d", len(all), maxCommands)
	}
	seen := map[string]bool{}
	for _, o := range all {
		name := text(o["name"])
		key := fmt.Sprint(kindOf(o), " ", name)
		if seen[key] {
			k.refuse(name, "comes twice")
		}
		seen[key] = true
		if kindOf(o) == 1 {
			k.typed(name, o)
		} else if text(o["description"]) != "" || len(list(o["options"])) > 0 {
			k.refuse(name, "only a command that is typed has a description and options")
		}
		for _, key := range []string{"contexts", "integration_types"} {
			if len(list(o[key])) == 0 {
				k.say("%s: %s is not set: Discord then guesses where the command is offered", name, key)
			}
		}
	}
}

// typed checks a slash command or one of its options.
func (k *checker) typed(name string, o map[string]any) {
	k.name(name)
	for _, local := range object(o["name_localizations"]) {
		k.name(text(local))
	}
	k.most(name+".description", text(o["description"]), maxDescription)
	for _, local := range object(o["description_localizations"]) {
		k.most(name+".description_localizations", text(local), maxDescription)
	}
	if text(o["description"]) == "" {
		k.refuse(name, "has no description")
	}
	options := objects(o["options"])
	if len(options) > maxOptions {
		k.refuse(name+".options", "%d of them, the limit is %d", len(options), maxOptions)
	}
	required := true
	for _, option := range options {
		if truth(option["required"]) && !required {
			k.refuse(name, "required options come first")
		}
		required = truth(option["required"])
		k.typed(text(option["name"]), option)
	}
}

func (k *checker) name(name string) {
	if !commandPattern.MatchString(name) || name != strings.ToLower(name) {
		k.refuse("name", "%q is no name of a command: lower case, no blanks, 1 to %d characters", name, maxName)
	}
}
