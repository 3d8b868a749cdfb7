package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"citebot/internal/llm/llmtest"
)

// The tests in this file run the real program beside a server with a model that package
// llmtest makes.

const llmKey = "a-long-random-llm-key"

func newLLMHouse(t testing.TB) (*house, *llmtest.Server) {
	h := newHouse(t, houseConfig)
	s := llmtest.New(t)
	h.secrets = append(h.secrets, llmKey)
	h.env = append(h.env, "LLM_PROVIDER=openai", "LLM_MODEL=small", "LLM_API_KEY="+llmKey, "LLM_BASE_URL="+s.URL())
	return h, s
}

// citing writes a sentence with the number of the extract that has some words.
func citing(call llmtest.Call, words, sentence string) string {
	asked := call.Messages[0].Text
	at := strings.Index(asked, words)
	if at < 0 {
		return "NO ANSWER"
	}
	marks := regexp.MustCompile(`(?m)^\[(\d+)\] `).FindAllStringSubmatch(asked[:at], -1)
	return sentence + " [" + marks[len(marks)-1][1] + "]"
}

// A writtenAnswer is what a test looks at in one.
type writtenAnswer struct {
	Verdict, Answer string
	Parts           []struct {
		Text    string
		Written bool
		Sources []int
	}
	Sources  []struct{ Path, Quote string }
	Refused  []struct{ Text, Reason, Detail string }
	Degraded []string
	Usage    struct{ Input, Output int }
}

func (c *child) askExplained(question string) (a writtenAnswer) {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{"question": question, "explain": true})
	c.must(err)
	status, text := c.do(http.MethodPost, "/api/ask", string(body), "")
	if status != http.StatusOK {
		c.t.Fatalf("asked %q: %d %s", question, status, text)
	}
	c.must(json.Unmarshal([]byte(text), &a))
	return a
}

// A model's statement is shown when its passage holds it, quotes are where it does not or
// where the model fails, and the operator is told why.
func TestModelWrites(t *testing.T) {
	t.Parallel()
	h, model := newLLMHouse(t)
	model.Answer(func(c llmtest.Call) string {
		return citing(c, "full refund", "You have thirty days from delivery to return most items.") + " Ask Mallory for more. [1]"
	})
	bot := h.start()
	bot.tells(http.StatusOK, "llm", "ok", "")

	a := bot.askExplained(askReturn)
	if len(a.Parts) != 1 || !a.Parts[0].Written || a.Parts[0].Text != "You have thirty days from delivery to return most items." ||
		len(a.Sources) != 1 || !strings.Contains(a.Sources[0].Quote, saysReturn) || len(a.Degraded) != 0 || a.Usage.Input == 0 || a.Usage.Output == 0 {
		t.Errorf("written: %+v", a)
	}
	if len(a.Refused) != 1 || a.Refused[0].Text != "Ask Mallory for more." || a.Refused[0].Reason != "name" {
		t.Errorf("refused: %+v", a.Refused)
	}
	if status, text := bot.do(http.MethodPost, "/api/ask", `{"question":"`+askReturn+`"}`, ""); strings.Contains(text, "Mallory") {
		t.Errorf("unasked, what was refused is shown: %d %s", status, text)
	}
	bot.awaitSeries(`citebot_statements_total{outcome="kept"} 2`, `citebot_statements_total{outcome="name"} 2`, `citebot_stage_seconds_count{stage="write"} 2`)

	model.Answer(func(c llmtest.Call) string { return citing(c, "full refund", "You have 60 days to return most items.") })
	calls := len(model.Calls())
	a = bot.askExplained(askReturn)
	if strings.Contains(a.Answer, "60") || !strings.Contains(a.Answer, saysReturn) || a.Parts[0].Written || len(a.Refused) != 2 || len(model.Calls()) != calls+2 {
		t.Errorf("another number: %+v, after %d calls", a, len(model.Calls())-calls)
	}

	model.SetMood(llmtest.KeyRefused)
	a = bot.askExplained(askReturn)
	if !strings.Contains(a.Answer, saysReturn) || len(a.Degraded) != 1 || a.Degraded[0] != "llm" {
		t.Errorf("the key is refused: %+v", a)
	}
	bot.tells(http.StatusOK, "llm", "degraded", "LLM_API_KEY")
	h.until("the log to say why", func() bool {
		return strings.Contains(strings.Join(h.heard.lines(), "\n"), "no model wrote this answer")
	})
	if model.Leaked() > 0 {
		t.Error("the key went to another host")
	}
}

// A question that leans on the conversation is put into full words for the search.
func TestModelPutsFollowUpsIntoFullWords(t *testing.T) {
	t.Parallel()
	h, model := newLLMHouse(t)
	model.Answer(func(c llmtest.Call) string {
		if strings.Contains(c.System, "understood alone") {
			return "How long is the warranty on mattresses?"
		}
		return citing(c, "5 years", "The warranty on mattresses is 5 years.")
	})
	bot := h.start()
	status, text := bot.do(http.MethodPost, "/api/ask", `{"question":"and for mattresses?","history":[
		{"role":"user","text":"How long is the warranty on tents?"},{"role":"assistant","text":"The documents do not say."}]}`, "")
	var a writtenAnswer
	h.must(json.Unmarshal([]byte(text), &a))
	if status != http.StatusOK || len(a.Parts) != 1 || !a.Parts[0].Written || !strings.Contains(a.Answer, saysWarranty) || len(model.Calls()) != 2 {
		t.Errorf("%d %s, after %d calls", status, text, len(model.Calls()))
	}
}
