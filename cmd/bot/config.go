package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// configFile is read when --config names no other.
const configFile = "bot.yaml"

// A config is everything an operator can set. Each field comes from, in falling order,
// a flag, the environment, bot.yaml, the default. Relative paths count from the
// working directory wherever they are written.
type config struct {
	Docs      string        `yaml:"docs"`       // the documents folder
	State     string        `yaml:"state"`      // what the bot derives from it
	HTTP      string        `yaml:"http"`       // host:port of the web page and API
	PublicURL string        `yaml:"public_url"` // what source links start with; "": the web address
	Language  string        `yaml:"language"`   // of the documents, ISO 639-1
	Audience  []string      `yaml:"audience"`   // as whom the terminal and the web page ask
	Log       string        `yaml:"log"`        // how: logText or logJSON
	Folders   []folderRule  `yaml:"folders"`
	Slack     slackConfig   `yaml:"slack"`
	Discord   discordConfig `yaml:"discord"`
	Qdrant    qdrantConfig  `yaml:"qdrant"`
	LLM       llmConfig     `yaml:"llm"`

	Token string `yaml:"-"` // from BOT_TOKEN or BOT_TOKEN_FILE alone, so that no secret is ever in bot.yaml
}

// A folderRule gives the documents below Path an audience.
type folderRule struct {
	Path     string `yaml:"path"` // a folder or path.Match pattern, relative to docs
	Audience string `yaml:"audience"`
}

// askLimits are how many questions a minute are answered on a platform.
type askLimits struct {
	Person  int `yaml:"person"`  // of one person
	Channel int `yaml:"channel"` // of one channel, all persons together
}

func (l askLimits) validate(section string) error {
	if l.Person < 1 || l.Channel < 1 {
		return fmt.Errorf("%s in bot.yaml: person is %d and channel %d; write at least 1 question a minute", section, l.Person, l.Channel)
	}
	return nil
}

func defaults() config {
	limits := askLimits{Person: 10, Channel: 60} // stop a loop or a flood, and no one who types
	return config{
		Docs:     "kb-docs",
		State:    "state",
		HTTP:     "127.0.0.1:8080",
		Language: "en",
		Audience: []string{"public"},
		Log:      logText,
		Slack:    slackConfig{Limits: limits},
		Discord:  discordConfig{Limits: limits, Shards: 1},
		LLM:      llmConfig{Context: 4000},
	}
}

// loadConfig reads bot.yaml, the environment and flags. Its error joins everything that
// is wrong, each with its place and a remedy; the config is usable as far as it goes.
func loadConfig(env func(string) string, f flags) (config, error) {
	c := defaults()
	fileErr := c.readFile(f.Config)
	for _, s := range []struct {
		field     *string
		env, flag string
	}{
		{&c.Docs, env("BOT_DOCS"), f.Docs},
		{&c.State, env("BOT_STATE"), f.State},
		{&c.HTTP, env("BOT_HTTP"), f.HTTP},
		{&c.PublicURL, env("BOT_PUBLIC_URL"), f.PublicURL},
		{&c.Log, env("BOT_LOG"), f.log()},
	} {
		*s.field = cmp.Or(s.flag, s.env, *s.field)
	}
	var tokenErr error
	c.Token, tokenErr = secret(env, "BOT_TOKEN")
	slackErr := c.Slack.readSecrets(env)
	discordErr := c.Discord.readSecrets(env)
	qdrantErr := c.Qdrant.readSecrets(env)
	llmErr := c.LLM.readSecrets(env)
	return c, errors.Join(fileErr, tokenErr, slackErr, discordErr, qdrantErr, llmErr, c.validate())
}

// readFile reads a file over c. Only a file that was asked for by name must exist.
func (c *config) readFile(name string) error {
	data, err := os.ReadFile(cmp.Or(name, configFile))
	if errors.Is(err, os.ErrNotExist) && name == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	if err = c.decode(data); err != nil {
		return placed(cmp.Or(name, configFile), data, err)
	}
	return nil
}

// decode reads YAML over c, as far as it goes. A key that has no value, as is left of a
// section when all of it is commented out, leaves what was there; the decoder would set it
// to nothing.
func (c *config) decode(data []byte) (err error) {
	defer func() {
		if recover() != nil { // the decoder panics at an alias of nothing, for one
			err = errors.New("this is YAML that cannot be read; compare with the sample bot.yaml")
		}
	}()
	err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&config{})
	if errors.Is(err, io.EOF) { // nothing but comments
		return nil
	}
	file, parseErr := parser.ParseBytes(data, 0)
	if parseErr != nil {
		return cmp.Or(err, parseErr)
	}
	root, ok := file.Docs[0].Body.(*ast.MappingNode)
	if !ok {
		return err
	}
	dropEmpty(root)
	return cmp.Or(err, yaml.NodeToValue(root, c))
}

// dropEmpty takes out the keys without a value.
func dropEmpty(m *ast.MappingNode) {
	m.Values = slices.DeleteFunc(m.Values, func(entry *ast.MappingValueNode) bool {
		if below, ok := entry.Value.(*ast.MappingNode); ok {
			dropEmpty(below)
		}
		return entry.Value.Type() == ast.NullType
	})
}

// placed says a YAML error in one line that begins with its place.
func placed(file string, data []byte, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	bad := at.GetToken()
	line := bad.Position.Line
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%s:%d: unknown key %q%s", file, line, bad.Value, didYouMean(bad.Value, keysBeside(data, bad)))
	}
	var kind *yaml.TypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s:%d: %q is not what belongs here; compare with the sample bot.yaml", file, line, bad.Value)
	}
	return fmt.Errorf("%s:%d: %s", file, line, at.GetMessage())
}

// keysBeside are the keys that are valid where an unknown one stands.
func keysBeside(data []byte, unknown *token.Token) []string {
	file, err := parser.ParseBytes(data, 0)
	if err != nil || len(file.Docs) == 0 {
		return nil
	}
	return keysAround(file.Docs[0].Body, reflect.TypeFor[config](), unknown.Position.Offset)
}

// keysAround follows the tree, and the type that it is read into, to the key at offset.
func keysAround(n ast.Node, t reflect.Type, offset int) []string {
	var keys []string
	switch n := n.(type) {
	case *ast.SequenceNode:
		for _, item := range n.Values {
			keys = append(keys, keysAround(item, inside(t, ""), offset)...)
		}
	case *ast.MappingNode:
		for _, entry := range n.Values {
			at := entry.Key.GetToken()
			if at.Position.Offset == offset {
				return yamlKeys(t)
			}
			keys = append(keys, keysAround(entry.Value, inside(t, at.Value), offset)...)
		}
	}
	return keys
}

// inside is the type of a struct's field with a key, or of what a list or map holds.
func inside(t reflect.Type, key string) reflect.Type {
	if k := t.Kind(); k == reflect.Slice || k == reflect.Map {
		return t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return t
	}
	for field := range t.Fields() {
		if field.Tag.Get("yaml") == key {
			return field.Type
		}
	}
	return reflect.TypeFor[struct{}]()
}

func yamlKeys(t reflect.Type) []string {
	var keys []string
	for field := range t.Fields() {
		if key := field.Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

var languageCode = regexp.MustCompile(`^[a-z]{2}$`)

func (c *config) validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !isAddress(c.HTTP) {
		add("BOT_HTTP (http in bot.yaml): %q is not an address; write host:port, for example 127.0.0.1:8080", c.HTTP)
	}
	if c.PublicURL != "" && !isWebURL(c.PublicURL) {
		add("BOT_PUBLIC_URL (public_url in bot.yaml): %q is not a web address; write https://host/path", c.PublicURL)
	}
	if c.Log != logText && c.Log != logJSON {
		add("BOT_LOG (log in bot.yaml): %q is no way to log; write text or json", c.Log)
	}
	if !languageCode.MatchString(c.Language) {
		add("language in bot.yaml: %q is not an ISO 639-1 code; write two letters, for example en", c.Language)
	}
	if len(c.Audience) == 0 {
		add("audience in bot.yaml: the list is empty, so nothing could be found; write [public]")
	}
	for _, rule := range c.Folders {
		if _, err := path.Match(rule.Path, ""); err != nil || strings.Trim(rule.Path, "/") == "" || rule.Audience == "" {
			add("folders in bot.yaml: a rule needs a path and an audience, for example {path: staff, audience: staff}; this has path %q and audience %q",
				rule.Path, rule.Audience)
		}
	}
	return errors.Join(append(problems, c.Slack.validate(), c.Discord.validate(), c.Qdrant.validate(), c.LLM.validate())...)
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// secret reads the variable name or the file that name_FILE names.
func secret(env func(string) string, name string) (string, error) {
	file := env(name + "_FILE")
	switch {
	case file == "":
		return env(name), nil
	case env(name) != "":
		return "", fmt.Errorf("both %s and %s_FILE are set; unset one", name, name)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w; name a file that the bot may read", name, err)
	}
	value := strings.TrimSpace(string(data))
	if value == "" {
		return "", fmt.Errorf("%s_FILE: %s is empty; write the secret into it", name, file)
	}
	return value, nil
}

// audienceOf applies the folder rules to a document's path: the first rule that matches
// the document or a folder above it decides; "" when none does.
func (c *config) audienceOf(document string) string {
	for _, rule := range c.Folders {
		pattern := strings.Trim(path.Clean(rule.Path), "/")
		for p := document; p != "."; p = path.Dir(p) {
			if ok, _ := path.Match(pattern, p); ok {
				return rule.Audience
			}
		}
	}
	return ""
}

// platforms are the chat platforms that the bot is to join, by their names.
func (c config) platforms() (on []string) {
	if c.slackOn() {
		on = append(on, "Slack")
	}
	if c.discordOn() {
		on = append(on, "Discord")
	}
	return on
}
