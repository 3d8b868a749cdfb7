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
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// configFile is read when --config names no other.
const configFile = "bot.yaml"

// A config is everything an operator can set. Each field comes from, in falling order,
// a flag, the environment, bot.yaml, the default. Relative paths count from the
// working directory wherever they are written.
type config struct {
	Docs      string       `yaml:"docs"`       // the documents folder
	State     string       `yaml:"state"`      // what the bot derives from it
	HTTP      string       `yaml:"http"`       // host:port of the web page and API
	PublicURL string       `yaml:"public_url"` // what source links start with; "": the web address
	Language  string       `yaml:"language"`   // of the documents, ISO 639-1
	Audience  []string     `yaml:"audience"`   // as whom the terminal and the web page ask
	Folders   []folderRule `yaml:"folders"`

	Token string `yaml:"-"` // from BOT_TOKEN or BOT_TOKEN_FILE alone, so that no secret is ever in bot.yaml
}

// A folderRule gives the documents below Path an audience.
type folderRule struct {
	Path     string `yaml:"path"` // a folder or path.Match pattern, relative to docs
	Audience string `yaml:"audience"`
}

func defaults() config {
	return config{
		Docs:     "kb-docs",
		State:    "state",
		HTTP:     "127.0.0.1:8080",
		Language: "en",
		Audience: []string{"public"},
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
	} {
		*s.field = cmp.Or(s.flag, s.env, *s.field)
	}
	var tokenErr error
	c.Token, tokenErr = secret(env, "BOT_TOKEN")
	return c, errors.Join(fileErr, tokenErr, c.validate())
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
	err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(c)
	if err == nil || errors.Is(err, io.EOF) { // EOF: nothing but comments
		return nil
	}
	return placed(cmp.Or(name, configFile), err)
}

// placed says a YAML error in one line that begins with its place.
func placed(file string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	token := at.GetToken()
	line := token.Position.Line
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		keys := yamlKeys(config{})
		if token.Position.Column > 1 {
			keys = yamlKeys(folderRule{})
		}
		return fmt.Errorf("%s:%d: unknown key %q%s", file, line, token.Value, didYouMean(token.Value, keys))
	}
	var kind *yaml.TypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s:%d: %q is not what belongs here; compare with the sample bot.yaml", file, line, token.Value)
	}
	return fmt.Errorf("%s:%d: %s", file, line, at.GetMessage())
}

func yamlKeys(v any) []string {
	var keys []string
	for field := range reflect.TypeOf(v).Fields() {
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
	return errors.Join(problems...)
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
