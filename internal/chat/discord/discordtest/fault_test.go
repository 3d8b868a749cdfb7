package discordtest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const post = "/channels/" + General + "/messages"

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  Fault
		status int // 0: the connection ends
		code   int
		shown  int
	}{
		{"an error", Refused(403, 50013), 403, 50013, 0},
		{"a server error", Fault{Status: 503}, 503, 0, 0},
		{"a bad gateway", BadGateway(), 502, 0, 0},
		{"a ban", Banned(), 429, 0, 0},
		{"a rate limit", RateLimited(time.Millisecond), 429, 0, 0},
		{"dropped", Dropped(), 0, 0, 0},
		{"lost", Lost(), 0, 0, 1},
		{"done, then an error", Fault{Do: true, Status: 500}, 500, 0, 1},
		{"slow", Fault{Delay: time.Millisecond}, 200, 0, 1},
		{"another channel's", Fault{Channel: Help, Status: 500}, 200, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			s.Fail(CreateMessage, 1, c.fault)
			status, got := do(t, s, "POST", post, messageJSON("hello"))
			if status != c.status || codeIn(got) != c.code || len(s.Posts(General)) != c.shown {
				t.Errorf("%d %v, shown: %v", status, got, s.Posts(General))
			}
			s.Heal("")
			if status, _ := do(t, s, "POST", post, messageJSON("again")); status != 200 {
				t.Errorf("the next one: %d", status)
			}
			r := s.Requests(CreateMessage)
			if len(r) != 2 || r[0].Done != (c.shown == 1) || r[0].Status != c.status || r[0].Content() != "hello" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRateLimitsHold(t *testing.T) {
	clock := time.Now()
	s := quiet(t)
	s.Tolerate, s.Now = true, func() time.Time { return clock }
	status := func(channel string) int {
		n, _ := do(t, s, "POST", "/channels/"+channel+"/messages", messageJSON("hello"))
		return n
	}
	s.Fail(CreateMessage, 1, RateLimited(2*time.Second))
	got := []int{status(General), status(Help)}
	clock = clock.Add(time.Second)
	got = append(got, status(General))
	clock = clock.Add(time.Second)
	got = append(got, status(General))
	if diff := cmp.Diff([]int{429, 200, 429, 200}, got); diff != "" {
		t.Error(diff)
	}
	if !has(s.Violations(), "before the end of the wait") || s.Invalid() != 2 {
		t.Errorf("%q %d", s.Violations(), s.Invalid())
	}
	s.Fail(CreateMessage, 1, Fault{RetryAfter: time.Second, Global: true})
	if got := []int{status(General), status(Help)}; got[1] != 429 {
		t.Errorf("a global limit holds in one channel only: %v", got)
	}
	i := s.Send(s.Ask(Alice, General, "?", false))
	if status, _ := respond(t, s, i, deferred); status != 204 {
		t.Error("a global limit holds callbacks")
	}
}

func TestRateLimitSaysHow(t *testing.T) {
	s := quiet(t)
	for _, c := range []struct {
		fault Fault
		scope string
	}{
		{RateLimited(1500 * time.Millisecond), "user"}, {Fault{RetryAfter: time.Second, Global: true}, "global"}, {Fault{RetryAfter: time.Second, Shared: true}, "shared"},
	} {
		s.Heal("")
		s.Fail(GetMe, 1, c.fault)
		req, _ := http.NewRequestWithContext(timely(t), "GET", s.URL()+"/api/v10/users/@me", nil)
		req.Header.Set("Authorization", "Bot "+s.Token)
		req.Header.Set("User-Agent", "DiscordBot (https://example.org, 1.0)")
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-RateLimit-Scope"); got != c.scope || resp.Header.Get("Retry-After") == "" || resp.Header.Get("X-RateLimit-Bucket") == "" {
			t.Errorf("%v", resp.Header)
		}
	}
	if s.Invalid() != 2 {
		t.Errorf("%d; the shared one does not count", s.Invalid())
	}
}

// A gate stops a request before or after it took effect.
func TestGates(t *testing.T) {
	for _, c := range []struct {
		name  string
		gate  func(*Server) *Gate
		shown int
	}{
		{"before", func(s *Server) *Gate { return s.Block(CreateMessage) }, 0},
		{"after", func(s *Server) *Gate { return s.BlockAfter(CreateMessage) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t)
			gate := c.gate(s)
			done := make(chan int)
			go func() {
				status, _ := do(t, s, "POST", post, messageJSON("hello"))
				done <- status
			}()
			if r, err := gate.Reached(timely(t)); err != nil || r.Channel != General || len(s.Posts(General)) != c.shown {
				t.Errorf("%+v %v %v", r, err, s.Posts(General))
			}
			gate.Release()
			if status := <-done; status != 200 || len(s.Posts(General)) != 1 {
				t.Error(status, s.Posts(General))
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := gate.Reached(ctx); err == nil || !strings.Contains(err.Error(), CreateMessage) {
				t.Error(err)
			}
		})
	}
}

func TestTooFast(t *testing.T) {
	s := quiet(t)
	for n := range 7 {
		do(t, s, "POST", post, messageJSON(string(rune('a'+n))))
	}
	if got := s.TooFast(); len(got) != 2 || !has(got, CreateMessage, General) {
		t.Errorf("%q", got)
	}
}

func TestForgets(t *testing.T) {
	s := quiet(t)
	s.Forget = true
	c := dial(t, s)
	c.enter(s)
	go func() {
		for range c.frames {
		}
	}()
	const questions = keptMessages + keptMessages/2
	for range questions {
		m := s.Send(s.Mention(Alice, General, "?"))
		s.mu.Lock()
		s.post(&Message{ID: s.state.stamp(), Channel: General, Guild: Guild, User: BotUser, Content: "!", ReplyTo: m.Message, Type: Reply})
		s.mu.Unlock()
	}
	if diff := cmp.Diff(map[int]int{1: questions}, s.Tally()); diff != "" {
		t.Error(diff)
	}
	if n := len(s.Messages(General)); n > 2*keptMessages {
		t.Errorf("%d messages are kept", n)
	}
}

func TestAwaitSaysWhatIsShown(t *testing.T) {
	s := quiet(t)
	s.Chat(Alice, General, "hello *there*")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := s.AwaitPost(ctx, General, nil)
	if err == nil || !strings.Contains(err.Error(), `general`) || !strings.Contains(err.Error(), `Alice: "hello there"`) {
		t.Error(err)
	}
}
