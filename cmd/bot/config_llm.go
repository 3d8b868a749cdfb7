package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"citebot/internal/chat"
	"citebot/internal/llm"
)

// llmConfig is which model writes answers. Without a provider none does. The key comes from
// the environment alone.
type llmConfig struct {
	Provider string    `yaml:"provider"` // llm.OpenAI or llm.Anthropic
	BaseURL  string    `yaml:"base_url"` // with /v1 for OpenAI's; "": the vendor's
	Model    string    `yaml:"model"`
	Context  int       `yaml:"context"` // tokens that the model reads and writes at once
	Prompt   string    `yaml:"prompt"`  // file with another template; "": chat.PromptTemplate
	Prices   llmPrices `yaml:"prices"`
	Budget   llmBudget `yaml:"budget"`

	Key string `yaml:"-"` // LLM_API_KEY
}

// llmPrices are in any one currency, per million tokens.
type llmPrices struct {
	Input  float64 `yaml:"input"`
	Output float64 `yaml:"output"`
}

// llmBudget is what may be spent a day (UTC); 0: any amount.
type llmBudget struct {
	Tokens int     `yaml:"tokens"`
	Money  float64 `yaml:"money"`
}

func (c *llmConfig) readSecrets(env func(string) string) (err error) {
	c.Provider = cmp.Or(env("LLM_PROVIDER"), c.Provider)
	c.BaseURL = strings.TrimRight(cmp.Or(env("LLM_BASE_URL"), c.BaseURL), "/")
	c.Model = cmp.Or(env("LLM_MODEL"), c.Model)
	c.Key, err = secret(env, "LLM_API_KEY")
	return err
}

func (c *llmConfig) on() bool { return c.Provider != "" }

func (c *llmConfig) validate() error {
	if !c.on() {
		if c.Key != "" || c.Model != "" || c.BaseURL != "" {
			return errors.New("LLM_PROVIDER (llm.provider in bot.yaml) is not set, so no model writes answers; write openai, which most servers speak, or anthropic, or unset the other LLM_ settings")
		}
		return nil
	}
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Provider != llm.OpenAI && c.Provider != llm.Anthropic {
		add("LLM_PROVIDER (llm.provider in bot.yaml): %q is none; write %s, which most servers speak, or %s", c.Provider, llm.OpenAI, llm.Anthropic)
	}
	if c.Model == "" {
		add("LLM_MODEL (llm.model in bot.yaml) is not set; name the model that is to write, as its provider spells it")
	}
	if c.BaseURL != "" && !isWebURL(c.BaseURL) {
		add("LLM_BASE_URL (llm.base_url in bot.yaml): %q is not a web address; write for example http://127.0.0.1:11434/v1", c.BaseURL)
	}
	if c.Key == "" && c.BaseURL == "" {
		add("LLM_API_KEY is not set; set the key of %s, or LLM_BASE_URL to a server of your own that wants none", c.Provider)
	}
	if strings.ContainsFunc(c.Key, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' }) {
		add("LLM_API_KEY holds white space, or letters that no key has; copy it again")
	}
	if c.Prices.Input < 0 || c.Prices.Output < 0 || c.Budget.Tokens < 0 || c.Budget.Money < 0 {
		add("llm in bot.yaml: prices and budget cannot be negative; leave out what is not limited")
	}
	if c.Budget.Money > 0 && c.Prices == (llmPrices{}) {
		add("llm.budget.money in bot.yaml: what a token costs is not known; set llm.prices.input and llm.prices.output, per million tokens")
	}
	if _, err := c.writer(nil, func(string) int { return 0 }); err != nil {
		add("llm in bot.yaml: %w", err)
	}
	return errors.Join(problems...)
}

// writer writes with a model, by the template that is configured.
func (c *llmConfig) writer(m chat.Model, tokens func(string) int) (*chat.Writer, error) {
	prompt := ""
	if c.Prompt != "" {
		data, err := os.ReadFile(c.Prompt)
		if err != nil {
			return nil, fmt.Errorf("prompt: %w; name a file that the bot may read", err)
		}
		prompt = string(data)
	}
	w, err := chat.NewWriter(m, tokens, c.Context, prompt)
	if err != nil {
		return nil, fmt.Errorf("%w; see prompt and context there", err)
	}
	return w, nil
}

// spendFile is where the tokens of the day are counted.
func spendFile(state string) string { return filepath.Join(state, "llm-spend.json") }

// client is the configuration of the model's client.
func (c *llmConfig) client(state string) llm.Config {
	return llm.Config{
		Provider: c.Provider, BaseURL: c.BaseURL, Key: c.Key, Model: c.Model,
		Prices: llm.Prices(c.Prices), Budget: llm.Budget(c.Budget), Spend: spendFile(state),
	}
}
