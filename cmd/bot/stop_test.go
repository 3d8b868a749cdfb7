package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/chat/slack/slacktest"
)

// The tests in this file tell the real program to stop while people ask on all surfaces.

// A crowdedHouse is in Slack and in Discord.
type crowdedHouse struct {
	*house
	slack   *slackHouse
	discord *discordHouse
}

func newCrowdedHouse(t testing.TB) crowdedHouse {
	h := newHouse(t, houseConfig+inSlack+inDiscord)
	return crowdedHouse{h, h.joinSlack(), h.joinDiscord()}
}

// questions are those in flight.
type questions struct {
	web     []*slowQuestion
	slack   []*slacktest.Act
	discord []*discordtest.Act
	letGo   func() // what the platforms hold back
}

// ask puts twenty questions into flight, and returns when the bot has each in hand.
func (h crowdedHouse) ask(bot *child) (q questions) {
	h.t.Helper()
	onSlack, onDiscord := h.slack.Block("chat.postMessage"), h.discord.Block(discordtest.CreateMessage)
	for i := range 8 {
		accept := "application/json"
		if i%4 == 3 {
			accept = "text/event-stream"
		}
		q.web = append(q.web, bot.askSlowly(accept))
	}
	for i := range 6 { // more than are worked on at once
		channel := fmt.Sprintf("C0STOP%04d", i)
		h.slack.AddChannel(slacktest.Channel{ID: channel, Name: channel, Type: slacktest.PublicChannel})
		act := h.slack.ask(channel, askReturn)
		h.must(h.slack.AwaitAcks(h.within(), act.Envelopes...))
		q.slack = append(q.slack, act)
		q.discord = append(q.discord, h.discord.mention(h.discord.room(i), askReturn))
	}
	for _, a := range q.discord {
		h.discord.isKept(a)
	}
	_, err := onSlack.Reached(h.within())
	h.must(err)
	_, err = onDiscord.Reached(h.within())
	h.must(err)
	q.letGo = func() {
		onSlack.Release()
		onDiscord.Release()
	}
	return q
}

// goesOn starts the next bot, and checks that each question on a platform has one answer.
func (h crowdedHouse) goesOn(q questions) {
	h.t.Helper()
	h.slack.goOn()
	h.slack.answeredOnce(q.slack...)
	h.discord.answeredOnce(q.discord...)
}

// A slowQuestion is a request whose body comes only half at first.
type slowQuestion struct {
	*child
	net.Conn
	in   *bufio.Reader
	rest string
}

// askSlowly returns when the bot has begun to read the question.
func (c *child) askSlowly(accept string) *slowQuestion {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	c.must(err)
	c.t.Cleanup(func() { _ = conn.Close() })
	body := `{"question":"` + askReturn + `"}`
	q := &slowQuestion{c, conn, bufio.NewReader(conn), body[10:]}
	_, err = fmt.Fprintf(conn, "POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", accept, len(body))
	c.must(err)
	if line, err := q.in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		c.t.Fatalf("%q, %v", line, err)
	}
	_, err = q.in.ReadString('\n')
	c.must(err)
	_, err = io.WriteString(conn, body[:10])
	c.must(err)
	return q
}

// finish asks the rest of the question, and checks that it is answered.
func (q *slowQuestion) finish() {
	q.t.Helper()
	_, err := io.WriteString(q, q.rest)
	q.must(err)
	res, err := http.ReadResponse(q.in, nil)
	q.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), saysReturn) {
		q.t.Errorf("a question that was in hand: %d %s, %v", res.StatusCode, text, err)
	}
}

// Told to stop, the bot answers on the web what it has in hand and refuses the rest; on
// platforms it posts what it has in hand, and the next bot what waits. Nothing is lost, and
// nothing answered twice.
func TestStopWithQuestionsInFlight(t *testing.T) {
	t.Parallel()
	h := newCrowdedHouse(t)
	bot := h.start()
	q := h.ask(bot)
	told := time.Now()
	bot.must(bot.cmd.Process.Signal(syscall.SIGTERM))
	bot.tells(http.StatusServiceUnavailable, "web", "degraded", "stopping")
	if status, _ := bot.get("/livez"); status != http.StatusOK {
		t.Errorf("livez while stopping: %d", status)
	}
	if status, text := bot.do(http.MethodPost, "/api/ask", `{"question":"`+askReturn+`"}`, ""); status != http.StatusServiceUnavailable {
		t.Errorf("a question to a bot that stops: %d %s", status, text)
	}
	q.letGo()
	for _, w := range q.web {
		w.finish()
	}
	bot.exits()
	bot.stoppedWithin(told)
	h.goesOn(q)
}

// A platform that hangs and a request that never ends hold up a stop, but not for ever.
func TestStopWhileAllHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 seconds")
	}
	t.Parallel()
	h := newCrowdedHouse(t)
	bot := h.start()
	q := h.ask(bot)
	told := time.Now()
	bot.must(bot.cmd.Process.Signal(syscall.SIGTERM))
	for _, w := range q.web[1:] {
		w.finish()
	}
	bot.exits()
	bot.stoppedWithin(told)
	q.letGo()
	h.goesOn(q)
}

func (c *child) stoppedWithin(told time.Time) {
	c.t.Helper()
	if took := time.Since(told); took > stopWithin {
		c.t.Errorf("the bot took %v to stop", took)
	}
}

// Who says it twice means it: the bot ends at once, and what is in flight is the next one's.
func TestStopAtOnce(t *testing.T) {
	t.Parallel()
	h := newCrowdedHouse(t)
	bot := h.start()
	q := h.ask(bot)
	bot.must(bot.cmd.Process.Signal(syscall.SIGTERM))
	bot.tells(http.StatusServiceUnavailable, "web", "degraded", "stopping")
	bot.must(bot.cmd.Process.Signal(syscall.SIGTERM))
	<-bot.ended
	if status, ok := bot.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", bot.cmd.ProcessState)
	}
	q.letGo()
	h.goesOn(q)
}

// Where a part does not stop the program is ended all the same, and says what it waited for.
func TestLastResort(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration
		code  int
	}{
		{"stops", 20 * time.Second, -1},
		{"hangs", time.Minute, exitError},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				ctx, stop := context.WithCancel(t.Context())
				code, ended := -1, time.Time{}
				stopped := lastResort(ctx, slog.New(slog.NewTextHandler(&log, nil)), func(c int) { code, ended = c, time.Now() })
				stop()
				told := time.Now()
				time.Sleep(test.after)
				stopped()
				synctest.Wait()
				if hung := test.code >= 0; code != test.code || hung != strings.Contains(log.String(), "TestLastResort") || hung && ended.Sub(told) >= stopWithin {
					t.Errorf("exit code %d after %v: %s", code, ended.Sub(told), &log)
				}
			})
		})
	}
}
