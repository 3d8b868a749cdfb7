package llm_test

import (
	"testing"

	"citebot/internal/llm"
	"citebot/internal/llm/llmtest"
)

func TestComplete(t *testing.T) {
	server := llmtest.New(t)
	c, err := llm.New(llm.Config{Provider: llm.OpenAI, BaseURL: server.URL(), Key: "key", Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var shown string
	reply, err := c.Complete(t.Context(), llm.Request{System: "s", Messages: []llm.Message{{Role: "user", Text: "how long?"}}}, func(text string) { shown += text })
	if err != nil || reply.Text != llmtest.Usual || shown != reply.Text || reply.Usage.Output != llmtest.Tokens(reply.Text) {
		t.Errorf("%+v, shown %q, %v", reply, shown, err)
	}
}
