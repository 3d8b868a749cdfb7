package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What cannot work is told with what to write, and no key is shown.
func TestLLMSettings(t *testing.T) {
	openai := []string{"LLM_PROVIDER", "openai", "LLM_MODEL", "small"}
	for _, test := range []struct {
		name string
		env  []string
		yaml string
		want string // in the error; "": there is none
	}{
		{"off", nil, "", ""},
		{"on", append(openai, "LLM_API_KEY", "hushhush"), "", ""},
		{"a server of one's own", append(openai, "LLM_BASE_URL", "http://127.0.0.1:11434/v1"), "", ""},
		{"anthropic", []string{"LLM_PROVIDER", "anthropic", "LLM_MODEL", "small", "LLM_API_KEY", "hushhush"}, "", ""},
		{"all in the file but the key", []string{"LLM_API_KEY", "hushhush"}, "llm: {provider: openai, model: small}", ""},
		{"a key alone", []string{"LLM_API_KEY", "hushhush"}, "", "LLM_PROVIDER (llm.provider in bot.yaml) is not set"},
		{"a model alone", []string{"LLM_MODEL", "small"}, "", "LLM_PROVIDER (llm.provider in bot.yaml) is not set"},
		{"another provider", []string{"LLM_PROVIDER", "closedai", "LLM_MODEL", "small", "LLM_API_KEY", "hushhush"}, "", `"closedai" is none; write openai`},
		{"no model", []string{"LLM_PROVIDER", "openai", "LLM_API_KEY", "hushhush"}, "", "LLM_MODEL (llm.model in bot.yaml) is not set; name"},
		{"no key", openai, "", "LLM_API_KEY is not set; set the key of openai"},
		{"no key's letters", append(openai, "LLM_API_KEY", "hush hush"), "", "LLM_API_KEY holds white space"},
		{"no address", append(openai, "LLM_BASE_URL", "127.0.0.1:11434"), "", `LLM_BASE_URL (llm.base_url in bot.yaml): "127.0.0.1:11434" is not a web address`},
		{"the key in the file", append(openai, "LLM_API_KEY", "hushhush"), "llm: {key: hush}", `unknown key "key"`},
		{"too little context", append(openai, "LLM_API_KEY", "hushhush"), "llm: {context: 500}", "a context of 500 tokens holds no answer; allow 1000 or more"},
		{"no prompt", append(openai, "LLM_API_KEY", "hushhush"), "llm: {prompt: nowhere}", "prompt: open nowhere"},
		{"a budget without prices", append(openai, "LLM_API_KEY", "hushhush"), "llm: {budget: {money: 5}}", "set llm.prices.input and llm.prices.output"},
		{"a negative budget", append(openai, "LLM_API_KEY", "hushhush"), "llm: {budget: {tokens: -5}}", "cannot be negative"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadConfig(environment(test.env...), flags{Config: write(t, "bot.yaml", test.yaml)})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "hush"):
				t.Errorf("the error shows a key: %v", err)
			}
		})
	}
}

// A template with a mistake is told of at the start, not with the first question.
func TestLLMPrompt(t *testing.T) {
	for text, want := range map[string]string{
		"{{define":             "unclosed action",
		`{{define "answer"}}x`: "unexpected EOF",
		`{{define "answer"}}Answer.{{end}}{{define "question"}}{{.Nothing}}{{end}}`: "Nothing",
		`{{define "answer"}}{{range .Extracts}}{{.Nothing}}{{end}}{{end}}`:          "Nothing",
		`{{define "answer"}}Answer.{{end}}`:                                         `"question"`,
	} {
		file := write(t, "prompt.tmpl", text)
		_, err := loadConfig(environment("LLM_PROVIDER", "openai", "LLM_MODEL", "small", "LLM_API_KEY", "hushhush"),
			flags{Config: write(t, "bot.yaml", "llm: {prompt: "+file+"}\n")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

// What bot.yaml shows is what the model's client gets.
func TestLLMSection(t *testing.T) {
	section := strings.Replace(sampleSection(t, "llm"), "prompt: prompt.tmpl", "prompt: "+write(t, "prompt.tmpl", ""), 1)
	section = strings.Replace(section, "  prompt:", "  # prompt:", 1)
	c, err := loadConfig(environment("LLM_API_KEY", "hushhush"), flags{Config: write(t, "bot.yaml", section)})
	if err != nil {
		t.Fatal(err)
	}
	want := llmConfig{
		Provider: "openai", BaseURL: "http://127.0.0.1:11434/v1", Model: "gpt-4o-mini", Context: 4000,
		Prices: llmPrices{Input: 0.15, Output: 0.6}, Budget: llmBudget{Tokens: 2_000_000, Money: 1.5}, Key: "hushhush",
	}
	if diff := cmp.Diff(want, c.LLM); diff != "" {
		t.Error(diff)
	}
}
