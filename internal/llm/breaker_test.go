package llm

import (
	"strings"
	"testing"
	"time"

	"citebot/internal/llm/llmtest"
)

// After some failures the server is left alone, then one call tries it.
func TestBreaker(t *testing.T) {
	for _, mood := range []llmtest.Mood{llmtest.ServerError, llmtest.Hang, llmtest.HTML, llmtest.Drip, llmtest.RateLimited} {
		inBubble(t, Config{Provider: OpenAI}, func(t *testing.T, r *rig) {
			r.server.SetMood(mood)
			for reasonOf(askErr(t, r)) != ReasonBreakerOpen {
				if len(r.server.Calls()) > failuresToOpen {
					t.Fatalf("%s: the breaker does not open", mood)
				}
			}
			if got := len(r.server.Calls()); got != failuresToOpen {
				t.Errorf("%s: %d requests before it opened", mood, got)
			}
			started := time.Now()
			err := askErr(t, r)
			if reasonOf(err) != ReasonBreakerOpen || time.Since(started) > 0 || !strings.Contains(err.Error(), "for the last calls failed") {
				t.Errorf("%s: %v after %v", mood, err, time.Since(started))
			}
			if ok, problem := r.Ready(); ok || problem == "" || r.metric(t, "citebot_llm_breaker_open", "") != 1 {
				t.Errorf("%s: ready %v, %q", mood, ok, problem)
			}
			time.Sleep(outageLasts + time.Millisecond)
			if ok, problem := r.Ready(); !ok {
				t.Errorf("%s: nobody would try: %s", mood, problem)
			}
			r.server.Forget()
			askErr(t, r)
			askErr(t, r)
			if got := len(r.server.Calls()); got != 1 {
				t.Errorf("%s: %d requests to try", mood, got)
			}
			r.server.SetMood(llmtest.Well)
			time.Sleep(outageLasts + time.Millisecond)
			if err := askErr(t, r); err != nil || r.metric(t, "citebot_llm_breaker_open", "") != 0 {
				t.Errorf("%s: %v", mood, err)
			}
			if lines := r.logs.lines(); len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[1], "writes again") {
				t.Errorf("%s: logged: %s", mood, strings.Join(lines, "\n"))
			}
			r.told(t, err)
		})
	}
}

func askErr(t *testing.T, r *rig) error {
	_, _, err := r.ask(t.Context())
	return err
}

// What only a changed setting mends is tried once a minute, and told once.
func TestBreakerOfSettings(t *testing.T) {
	for mood, remedy := range map[llmtest.Mood]string{
		llmtest.KeyRefused: "set LLM_API_KEY", llmtest.Forbidden: "set LLM_API_KEY", llmtest.NoCredit: "pay", llmtest.SpendCap: "pay", llmtest.NoModel: "set LLM_MODEL",
	} {
		inBubble(t, Config{Provider: Anthropic}, func(t *testing.T, r *rig) {
			r.server.SetMood(mood)
			for range 120 { // two minutes
				err := askErr(t, r)
				if !lasts(err) && reasonOf(err) != ReasonBreakerOpen {
					t.Fatal(err)
				}
				if ok, problem := r.Ready(); ok || !strings.Contains(problem, remedy) {
					t.Fatalf("ready %v: %q", ok, problem)
				}
				time.Sleep(time.Second)
			}
			if got := len(r.server.Calls()); got != 2 {
				t.Errorf("%s: %d requests", mood, got)
			}
			if lines := r.logs.lines(); len(lines) != 1 || !strings.Contains(lines[0], remedy) {
				t.Errorf("%s: logged: %s", mood, strings.Join(lines, "\n"))
			}
			r.told(t, nil)
		})
	}
}

// A request that the server rightly refuses says nothing about the server.
func TestBadRequestsOpenNothing(t *testing.T) {
	inBubble(t, Config{Provider: OpenAI}, func(t *testing.T, r *rig) {
		r.server.SetMood(llmtest.BadRequest)
		for range 4 * failuresToOpen {
			if err := askErr(t, r); reasonOf(err) != ReasonBadRequest {
				t.Fatal(err)
			}
		}
		if ok, problem := r.Ready(); !ok {
			t.Error(problem)
		}
	})
}

// A caller's function that panics does not leave the breaker waiting for the end of a trial.
func TestPanicOfTheCaller(t *testing.T) {
	inBubble(t, Config{Provider: OpenAI}, func(t *testing.T, r *rig) {
		r.server.Queue(llmtest.KeyRefused)
		askErr(t, r)
		time.Sleep(settingLasts + time.Millisecond)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = r.Complete(t.Context(), asked, func(string) { panic("the caller") })
		}()
		if err := askErr(t, r); err != nil {
			t.Error(err)
		}
	})
}

// An error without a call costs next to nothing.
func BenchmarkBreakerOpen(b *testing.B) {
	server := llmtest.New(b)
	server.SetMood(llmtest.KeyRefused)
	c, err := New(Config{Provider: OpenAI, BaseURL: server.URL(), Key: secret, Model: "m"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		if _, err := c.Complete(b.Context(), asked, nil); err == nil {
			b.Fatal("no error")
		}
	}
}
