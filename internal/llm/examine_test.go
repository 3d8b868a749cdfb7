package llm

import (
	"context"
	"strings"
	"testing"

	"citebot/internal/llm/llmtest"
)

func TestExamine(t *testing.T) {
	for _, test := range []struct {
		mood                        llmtest.Mood
		what, state, detail, remedy string
	}{
		{llmtest.Well, whatModel, StateOK, "openai/m wrote", ""},
		{llmtest.KeyRefused, whatKey, StateProblem, "key refused (401)", "LLM_API_KEY"},
		{llmtest.NoCredit, whatKey, StateProblem, "no credit (402)", "pay"},
		{llmtest.NoModel, whatModel, StateProblem, "unknown model (404)", "LLM_MODEL"},
		{llmtest.HTML, whatServer, StateProblem, "garbage", "LLM_BASE_URL"},
		{llmtest.Redirect, whatServer, StateProblem, "redirects to", "LLM_BASE_URL"},
		{llmtest.BadRequest, whatModel, StateProblem, "bad request (400)", "LLM_MODEL"},
		{llmtest.Overloaded, whatModel, StateWarn, "overloaded (529)", "LLM_MODEL"},
		{llmtest.Hang, whatServer, StateProblem, "timeout", "LLM_MODEL"},
	} {
		inBubble(t, Config{Provider: OpenAI, Budget: Budget{Tokens: 1000}}, func(t *testing.T, r *rig) {
			r.server.SetMood(test.mood)
			found := r.Examine(t.Context())
			for i, f := range found {
				if strings.Contains(f.Detail+f.Remedy, secret) {
					t.Errorf("the key is in %+v", f)
				}
				found[i].Detail = strings.ReplaceAll(f.Detail, "\n", " ")
			}
			if len(found) != 3 || found[0].State != StateWarn || found[0].What != whatKey { // unencrypted
				t.Fatalf("%s: found %+v", test.mood, found)
			}
			f := found[1]
			if f.What != test.what || f.State != test.state || !strings.Contains(f.Detail, test.detail) || !strings.Contains(f.Remedy, test.remedy) {
				t.Errorf("%s: found %+v", test.mood, f)
			}
			if b := found[2]; b.What != whatBudget || b.State != StateOK {
				t.Errorf("%s: found %+v", test.mood, b)
			}
		})
	}
}

func TestExamineSpentAndStopped(t *testing.T) {
	r := onLoopback(t, Config{Provider: OpenAI, Budget: Budget{Tokens: 1}})
	if err := askErr(t, r); err != nil {
		t.Fatal(err)
	}
	if found := r.Examine(t.Context()); len(found) != 1 || found[0].What != whatBudget || found[0].State != StateWarn {
		t.Errorf("found %+v", found)
	}
	other := onLoopback(t, Config{Provider: OpenAI})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found := other.Examine(ctx); len(found) != 1 || found[0].State != StateProblem {
		t.Errorf("found %+v", found)
	}
}
