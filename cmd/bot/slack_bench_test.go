package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"citebot/internal/chat/slack/slacktest"
)

// BenchmarkSlackAck delivers 50 questions a second for ten seconds while no search ever ends,
// as with a model that hangs, and while documents are rewritten and embedded all the time. It
// reports how long acknowledgements took as Slack sees it; Slack waits three seconds.
func BenchmarkSlackAck(b *testing.B) {
	h := newCrowd(b, 100)
	bot := h.talk()
	stopRewriting := h.rewrite()
	for b.Loop() {
		h.deliver(500, time.Second/50)
	}
	stopRewriting()
	bot.letGo()
	h.settled()
	bot.stop()
	b.ReportMetric(float64(bot.library.Status().Generation), "reloads")
	bot.close()
	took := h.Latencies()
	slices.Sort(took)
	for name, percent := range map[string]int{"p50": 50, "p99": 99, "max": 100} {
		b.ReportMetric(took[(len(took)-1)*percent/100].Seconds()*1000, "ack-ms/"+name)
	}
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "events/s")
}

// newCrowd is a house with n people who ask, each in a channel of their own, one event a
// question.
func newCrowd(b *testing.B, n int) *slackHouse {
	h := newSlackHouse(b)
	h.Server.Events = []string{"app_mention"}
	h.Forget = true
	h.crowd = n
	for i := range n {
		h.AddChannel(slacktest.Channel{ID: fmt.Sprintf("C0CROWD%04d", i), Name: fmt.Sprintf("crowd-%d", i), Type: slacktest.PublicChannel})
		h.AddUser(slacktest.User{ID: fmt.Sprintf("U0CROWD%04d", i), Name: fmt.Sprintf("Person %d", i)})
	}
	return h
}

// askAs lets one of the crowd ask.
func (h *slackHouse) askAs(i int, text string) *slacktest.Act {
	i %= h.crowd
	return h.Send(h.Mention(fmt.Sprintf("U0CROWD%04d", i), fmt.Sprintf("C0CROWD%04d", i), text))
}

// deliver delivers n questions, one each interval, and waits until all are acknowledged.
func (h *slackHouse) deliver(n int, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var envelopes []string
	for i := range n {
		envelopes = append(envelopes, h.askAs(i, askReturn).Envelopes...)
		<-tick.C
	}
	h.must(h.AwaitAcks(h.within(), envelopes...))
}

// BenchmarkSlackSoak asks the real program 10,000 things in 2,000 channels, as fast as it
// takes them, and reports what of its process has grown since the first hundred. One in fifty
// needs a search, which would else take most of the time.
func BenchmarkSlackSoak(b *testing.B) {
	const warm, events = 100, 10_000
	h := newCrowd(b, 2000)
	bot := h.start("GODEBUG=gctrace=1")
	h.soak(warm)
	goroutines := bot.goroutines()

	bot = h.start("GODEBUG=gctrace=1")
	h.soak(warm)
	before := bot.size()
	for b.Loop() {
		h.soak(events)
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	for name, after := range bot.size() {
		b.ReportMetric(before[name], name+"/before")
		b.ReportMetric(after, name+"/after")
	}
	b.ReportMetric(goroutines, "goroutines/before")
	b.ReportMetric(bot.goroutines(), "goroutines/after")
	tally := h.Tally()
	b.ReportMetric(float64(tally[1]-2*warm), "answered-once")
	if delete(tally, 1); len(tally) > 0 {
		b.Errorf("answers of questions that do not have one: %v", tally)
	}
}

// soak asks n things. Slack sends on when it has got its acknowledgements, and fewer than a
// thousand questions wait for an answer: at two thousand the bot would ask people to come back.
func (h *slackHouse) soak(n int) {
	const batch, waiting = 50, 900
	posted := h.Calls("chat.postMessage")
	for i := 0; i < n; i += batch {
		envelopes := h.askAs(i, askReturn).Envelopes
		for j := 1; j < batch; j++ {
			envelopes = append(envelopes, h.askAs(i+j, "hello").Envelopes...)
		}
		h.must(h.Await(h.within(), func(st *slacktest.State) bool {
			return st.Acked(envelopes...) && st.Calls("chat.postMessage") >= posted+i-waiting
		}))
	}
	h.settled()
}
