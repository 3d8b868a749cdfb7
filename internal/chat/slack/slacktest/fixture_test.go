package slacktest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
)

// timely ends with the test, and well before go test gives up.
func timely(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newAPI is the vendor's library pointed at the fake.
func newAPI(s *Server) *slack.Client {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return slack.New(s.BotToken, slack.OptionAPIURL(s.APIURL()), slack.OptionAppLevelToken(s.AppToken), slack.OptionHTTPClient(client))
}

// plainly are the options that every good post has.
func plainly(text string, more ...slack.MsgOption) slack.MsgOption {
	all := []slack.MsgOption{slack.MsgOptionText(text, true), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl()}
	return slack.MsgOptionCompose(append(all, more...)...)
}

func slackCode(err error) string {
	var refused slack.SlackErrorResponse
	if errors.As(err, &refused) {
		return refused.Err
	}
	return ""
}

// A listener is a bot of the vendor's library: it acknowledges what comes, and keeps it.
type listener struct {
	client *socketmode.Client
	events chan socketmode.Event
	mute   func(socketmode.Event) bool           // do not acknowledge
	reply  func(socketmode.Event) map[string]any // the acknowledgement's payload
}

// listen connects a listener, which is gone when the test ends.
func listen(t *testing.T, s *Server, l *listener) *listener {
	l.client = socketmode.New(newAPI(s), socketmode.OptionPingInterval(5*time.Second))
	l.events = make(chan socketmode.Event, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.client.RunContext(ctx) })
	wg.Go(func() { l.take(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	if err := s.AwaitConnections(timely(t), 1); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *listener) take(ctx context.Context) {
	for {
		select {
		case e := <-l.client.Events:
			l.events <- e
			if e.Request != nil && e.Request.EnvelopeID != "" && (l.mute == nil || !l.mute(e)) {
				l.ack(ctx, e)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (l *listener) ack(ctx context.Context, e socketmode.Event) {
	var payload any
	if l.reply != nil {
		if p := l.reply(e); p != nil {
			payload = p
		}
	}
	_ = l.client.AckCtx(ctx, e.Request.EnvelopeID, payload)
}

// next is the next event of a type.
func (l *listener) next(t *testing.T, kind socketmode.EventType) socketmode.Event {
	t.Helper()
	ctx := timely(t)
	for {
		select {
		case e := <-l.events:
			if e.Type == socketmode.EventTypeErrorBadMessage {
				bad, _ := e.Data.(*socketmode.ErrorBadMessage)
				t.Fatalf("the library refuses %s: %v", bad.Message, bad.Cause)
			}
			if e.Type == kind {
				return e
			}
		case <-ctx.Done():
			t.Fatalf("no event %s came", kind)
		}
	}
}

// inner is the next event of the Events API, as the library decoded it.
func inner[T any](t *testing.T, l *listener) T {
	t.Helper()
	outer, _ := l.next(t, socketmode.EventTypeEventsAPI).Data.(slackevents.EventsAPIEvent)
	e, ok := outer.InnerEvent.Data.(T)
	if !ok {
		t.Fatalf("the event is %#v", outer.InnerEvent.Data)
	}
	return e
}

func interactive(t *testing.T, l *listener) slack.InteractionCallback {
	t.Helper()
	e, _ := l.next(t, socketmode.EventTypeInteractive).Data.(slack.InteractionCallback)
	return e
}

// has tells whether one of the lines holds all the words.
func has(lines []string, words ...string) bool {
	for _, line := range lines {
		found := true
		for _, w := range words {
			found = found && strings.Contains(line, w)
		}
		if found {
			return true
		}
	}
	return false
}
