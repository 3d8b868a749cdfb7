package llm

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"citebot/internal/llm/llmtest"
)

// faults are what becomes of each mood: why, after how many requests.
var faults = []struct {
	mood     llmtest.Mood
	reason   string // "": none
	requests int
	says     string // in the error
}{
	{llmtest.Hang, ReasonTimeout, 1, "nothing came for 15s"},
	{llmtest.SlowHeaders, ReasonTimeout, 1, "LLM_MODEL to a faster one"},
	{llmtest.Stall, ReasonTimeout, 1, "nothing came for 10s"},
	{llmtest.Drip, ReasonTimeout, 1, "the time for the answer was over"},
	{llmtest.Cut, ReasonCutOff, 1, "ended before the reply did"},
	{llmtest.Torn, ReasonCutOff, 1, "ended before the reply did"},
	{llmtest.Reset, ReasonUnreachable, 3, "LLM_BASE_URL"},
	{llmtest.HTML, ReasonGarbage, 1, "text/html came, not a stream of events: Sign in Sign in to the network; see whether LLM_BASE_URL"},
	{llmtest.GarbageJSON, ReasonGarbage, 1, "application/json came"},
	{llmtest.GarbageStream, ReasonGarbage, 1, "no JSON: event: message_start data: {nonsense"},
	{llmtest.InvalidUTF8, "", 1, ""},
	{llmtest.Huge, ReasonTooLong, 1, "given up after"},
	{llmtest.HugeLine, ReasonTooLong, 1, "given up after"},
	{llmtest.Empty, ReasonEmpty, 1, "no text"},
	{llmtest.Blank, ReasonCutOff, 3, "ended before"},
	{llmtest.Filtered, ReasonCutOff, 1, "filter"},
	{llmtest.ErrorEvent, ReasonOverloaded, 3, "Overloaded"},
	{llmtest.LateError, ReasonOverloaded, 1, "Overloaded"},
	{llmtest.BadRequest, ReasonBadRequest, 1, "(400): This model's maximum context length is 8192 tokens; give the model a smaller context"},
	{llmtest.KeyRefused, ReasonKeyRefused, 1, "(401): Incorrect API key provided: …; set LLM_API_KEY"},
	{llmtest.NoCredit, ReasonNoCredit, 1, "(402)"},
	{llmtest.Forbidden, ReasonKeyRefused, 1, "(403)"},
	{llmtest.NoModel, ReasonUnknownModel, 1, "(404): The model m does not exist; set LLM_MODEL"},
	{llmtest.RateLimited, ReasonRateLimited, 3, "(429)"},
	{llmtest.RateLimited.After("1"), ReasonRateLimited, 3, "(429)"},
	{llmtest.RateLimited.After("3600"), ReasonRateLimited, 1, "it wants no call for 10m0s, and there is no time to wait"},
	{llmtest.SpendCap, ReasonNoCredit, 1, "(429): You exceeded your current quota"},
	{llmtest.ServerError, ReasonServerError, 3, "(500)"},
	{llmtest.BadGateway, ReasonServerError, 3, "(502): 502 Bad Gateway; "},
	{llmtest.Unavailable, ReasonOverloaded, 3, "(503): Loading model"},
	{llmtest.Overloaded, ReasonOverloaded, 3, "(529)"},
	{llmtest.Redirect, ReasonGarbage, 1, "(307): it redirects to http://elsewhere.invalid; set LLM_BASE_URL"},
}

func TestFaults(t *testing.T) {
	var tested []llmtest.Mood
	for _, test := range faults {
		tested = append(tested, test.mood)
		for _, provider := range providers {
			t.Run(provider+"/"+string(test.mood), func(t *testing.T) {
				inBubble(t, Config{Provider: provider}, func(t *testing.T, r *rig) {
					r.server.SetMood(test.mood)
					started := time.Now()
					reply, shown, err := r.ask(t.Context())
					if took := time.Since(started); took > answerWithin {
						t.Errorf("took %v", took)
					}
					if got := reasonOf(err); got != test.reason || (err == nil) != (test.reason == "") {
						t.Errorf("error: %v\nwant %s", err, test.reason)
					}
					if err != nil && (!strings.HasPrefix(err.Error(), r.Name()+": ") || !strings.Contains(err.Error(), test.says) || len([]rune(err.Error())) > 500 || strings.Contains(err.Error(), "\n")) {
						t.Errorf("error: %v\nwant …%s…", err, test.says)
					}
					if got := len(r.server.Calls()); got != test.requests {
						t.Errorf("%d requests, want %d", got, test.requests)
					}
					if shown != strings.ToValidUTF8(shown, "") || err == nil && shown != reply.Text || len(shown) > maxText {
						t.Errorf("shown: %q", shown)
					}
					r.told(t, err)
				})
			})
		}
	}
	for _, m := range llmtest.Moods() {
		if !slices.Contains(tested, m) {
			t.Errorf("mood %q is not tested", m)
		}
	}
}

// A reply comes after failures that pass.
func TestFailuresPass(t *testing.T) {
	for _, provider := range providers {
		inBubble(t, Config{Provider: provider}, func(t *testing.T, r *rig) {
			started := time.Now()
			r.server.Queue(llmtest.RateLimited.After("3"), llmtest.Overloaded.After("1500ms"))
			reply, shown, err := r.ask(t.Context())
			if err != nil || reply.Text != llmtest.Usual || shown != llmtest.Usual {
				t.Errorf("%+v, %v", reply, err)
			}
			if took := time.Since(started); took < 4500*time.Millisecond || took > 5500*time.Millisecond {
				t.Errorf("waited %v", took)
			}
			if got := r.metric(t, "citebot_llm_retries_total", ""); got != 2 {
				t.Errorf("%v retries counted", got)
			}
		})
	}
}

// What a server wants to be left alone for holds for all calls, and is not waited for in vain.
func TestHold(t *testing.T) {
	inBubble(t, Config{Provider: OpenAI}, func(t *testing.T, r *rig) {
		r.server.Queue(llmtest.RateLimited.After("60"))
		for range 3 {
			started := time.Now()
			if _, _, err := r.ask(t.Context()); reasonOf(err) != ReasonRateLimited || time.Since(started) > 0 {
				t.Errorf("%v after %v", err, time.Since(started))
			}
		}
		if ok, problem := r.Ready(); ok || !strings.Contains(problem, "1m0s") {
			t.Errorf("ready %v: %s", ok, problem)
		}
		time.Sleep(50 * time.Second)
		started := time.Now()
		if _, _, err := r.ask(t.Context()); err != nil || time.Since(started) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(started))
		}
		if got := len(r.server.Calls()); got != 2 {
			t.Errorf("%d requests", got)
		}
	})
}

// The caller's own cancellation is told as such, and is nobody's failure.
func TestCancellation(t *testing.T) {
	inBubble(t, Config{Provider: OpenAI}, func(t *testing.T, r *rig) {
		for _, m := range []llmtest.Mood{llmtest.Hang, llmtest.Stall, llmtest.RateLimited.After("9")} {
			r.server.SetMood(m)
			for range failuresToOpen {
				ctx, cancel := context.WithCancel(t.Context())
				stop := time.AfterFunc(time.Second, cancel)
				_, _, err := r.ask(ctx)
				stop.Stop()
				cancel()
				if !errors.Is(err, context.Canceled) || reasonOf(err) != "" {
					t.Fatalf("%s: %v", m, err)
				}
				time.Sleep(retryMemory * time.Minute)
			}
		}
		if ok, problem := r.Ready(); !ok {
			t.Error(problem)
		}
	})
}

func TestDeadlineIsTheCause(t *testing.T) {
	inBubble(t, Config{Provider: OpenAI}, func(t *testing.T, r *rig) {
		r.server.SetMood(llmtest.Drip)
		_, _, err := r.ask(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, &Error{Reason: ReasonTimeout}) || errors.Is(err, &Error{Reason: ReasonEmpty}) {
			t.Error(err)
		}
	})
}

// A server that repeats what it was sent is not quoted.
func TestPromptIsNotTold(t *testing.T) {
	for status, reason := range map[int]string{http.StatusBadRequest: ReasonBadRequest, http.StatusUnauthorized: ReasonKeyRefused} {
		echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			http.Error(w, "cannot read: "+asked.Messages[2].Text+" "+req.Header.Get("Authorization"), status)
		}))
		t.Cleanup(echo.Close)
		r := onLoopback(t, Config{Provider: OpenAI, BaseURL: echo.URL})
		_, _, err := r.ask(t.Context())
		if reasonOf(err) != reason || !strings.Contains(err.Error(), "the server repeats the prompt") {
			t.Error(err)
		}
		r.told(t, err)
	}
}

// With real connections: no redirect is followed, and trouble on the way is told.
func TestConnections(t *testing.T) {
	secured := httptest.NewTLSServer(http.NotFoundHandler())
	secured.Config.ErrorLog = nil
	defer secured.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, test := range []struct{ name, url, reason, says string }{
		{"nobody there", gone.URL, ReasonUnreachable, "connection refused; start the server, or correct LLM_BASE_URL"},
		{"no TLS there", "https" + strings.TrimPrefix(plain.URL, "http"), ReasonUnreachable, "write http:// in LLM_BASE_URL"},
		{"unknown authority", secured.URL, ReasonUnreachable, "certificate is not trusted"},
		{"another path", plain.URL, ReasonUnknownModel, "which ends in /v1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := onLoopback(t, Config{Provider: OpenAI, BaseURL: test.url})
			_, _, err := r.ask(t.Context())
			if reasonOf(err) != test.reason || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v\nwant …%s…", err, test.says)
			}
			r.told(t, err)
		})
	}
	for _, provider := range providers {
		r := onLoopback(t, Config{Provider: provider})
		r.server.Queue(llmtest.Redirect, llmtest.Reset, llmtest.Well)
		if _, _, err := r.ask(t.Context()); reasonOf(err) != ReasonGarbage || r.server.Leaked() != 0 {
			t.Errorf("%d requests elsewhere, %v", r.server.Leaked(), err)
		}
		if _, _, err := r.ask(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "3", 3 * time.Second},
		{"Retry-After", "0.5", 500 * time.Millisecond},
		{"Retry-After", "Tue, 01 Dec 2026 10:00:07 GMT", 7 * time.Second},
		{"Retry-After", "Tue, 01 Dec 2026 09:00:00 GMT", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "-1", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "1e300", maxWait},
		{"Retry-After-Ms", "250", 250 * time.Millisecond},
		{"Retry-After", "", 0},
	} {
		r := refusal{header: http.Header{test.name: {test.value}}}
		if got := r.retryAfter(now); got != test.want {
			t.Errorf("%s %q: %v, want %v", test.name, test.value, got, test.want)
		}
	}
}

// During an outage requests stay within the calls, a tenth, and the floor; also after it.
func TestRetryBudget(t *testing.T) {
	inBubble(t, Config{Provider: OpenAI}, func(t *testing.T, r *rig) {
		never := func(error) bool { return false }
		r.breakers = [2]*breaker{newBreaker(1, time.Second, never), newBreaker(1, time.Second, never)}
		r.server.SetMood(llmtest.ServerError)
		const calls = 100
		for range calls {
			_, _, err := r.ask(t.Context())
			if reasonOf(err) != ReasonServerError {
				t.Fatal(err)
			}
			time.Sleep(2900 * time.Millisecond) // 100 take less than 5 minutes
		}
		if got := len(r.server.Calls()); got > calls*11/10+retryFloor || got <= calls {
			t.Errorf("%d requests for %d calls", got, calls)
		}
		r.server.Forget()
		time.Sleep(retryMemory * time.Minute)
		if _, _, err := r.ask(t.Context()); err == nil || len(r.server.Calls()) != 1+maxRetries {
			t.Errorf("%d requests after a quiet time, %v", len(r.server.Calls()), err)
		}
	})
}
