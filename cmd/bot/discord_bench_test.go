package main

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"citebot/internal/chat/discord/discordtest"
)

// BenchmarkDiscordAck delivers 50 commands a second for ten seconds while no search ever ends,
// as with a model that hangs, and while documents are rewritten and embedded all the time. It
// reports how long responses took as Discord sees it; Discord waits three seconds.
func BenchmarkDiscordAck(b *testing.B) {
	h := newDiscordCrowd(b, 100)
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

// newDiscordCrowd is a house with n people who ask, each in a channel of their own.
func newDiscordCrowd(b *testing.B, n int) *discordHouse {
	h := newDiscordHouse(b)
	h.Forget = true
	h.crowd = n
	var people []string
	for i := range n {
		h.room(i)
		people = append(people, crowdID(i))
		h.AddUser(discordtest.User{ID: crowdID(i), Name: fmt.Sprintf("Person %d", i)})
	}
	h.AlterWorld(discordtest.Guild, func(w *discordtest.World) { w.Members = append(w.Members, people...) })
	return h
}

func crowdID(i int) string { return strconv.Itoa(1302000000000010000 + i) }

// askAs lets one of the crowd give the command.
func (h *discordHouse) askAs(i int, text string) *discordtest.Act {
	i %= h.crowd
	return h.Send(h.Ask(crowdID(i), roomID(i), text, false))
}

// deliver delivers n commands, one each interval, and waits until all have a response.
func (h *discordHouse) deliver(n int, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	before := len(h.Latencies())
	for i := range n {
		h.askAs(i, askReturn)
		<-tick.C
	}
	h.responded(before + n)
}

// responded waits until so many interactions have had their response.
func (h *discordHouse) responded(n int) {
	h.until("each command to have a response", func() bool { return len(h.Latencies()) >= n })
}

// BenchmarkDiscordSoak gives the real program 10,000 commands in 2,000 channels, as fast as it
// answers them, which is the 45 calls a second that it allows itself, while the gateway makes
// it connect anew a hundred times; and reports what of its process has grown since the first
// hundred. One in fifty needs a search, which would else take most of the time.
func BenchmarkDiscordSoak(b *testing.B) {
	const warm, events, reconnects = 100, 10_000, 100
	h := newDiscordCrowd(b, 2000)
	bot := h.start("GODEBUG=gctrace=1")
	h.soak(warm, 0)
	goroutines := bot.goroutines()

	bot = h.start("GODEBUG=gctrace=1")
	h.soak(warm, 0)
	before := bot.size()
	for b.Loop() {
		h.soak(events, reconnects)
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
	for name, after := range bot.size() {
		b.ReportMetric(before[name], name+"/before")
		b.ReportMetric(after, name+"/after")
	}
	_, identified, resumed := h.Sessions()
	b.ReportMetric(float64(resumed), "resumed")
	b.ReportMetric(float64(identified-2), "identified-anew")
	b.ReportMetric(goroutines, "goroutines/before")
	b.ReportMetric(bot.goroutines(), "goroutines/after")
	tally := h.Tally()
	b.ReportMetric(float64(tally[1]-2*warm), "answered-once")
	if delete(tally, 1); len(tally) > 0 {
		b.Errorf("answers of questions that do not have one: %v", tally)
	}
}

// soak asks n things, and tells the bot so many times to connect anew. Discord sends on when it
// has got its responses, and fewer than a thousand questions wait for an answer: at two
// thousand the bot would ask people to come back.
func (h *discordHouse) soak(n, reconnects int) {
	const batch, waiting = 50, 900
	answered, responded := h.Calls(discordtest.EditOriginal), len(h.Latencies())
	for i := 0; i < n; i += batch {
		h.askAs(i, askReturn)
		for j := 1; j < batch; j++ {
			h.askAs(i+j, "hello")
		}
		if reconnects*(i+batch)/n > reconnects*i/n {
			h.reconnect()
		}
		h.responded(responded + i + batch)
		h.must(h.Await(h.within(), func(st *discordtest.State) bool {
			return st.Calls(discordtest.EditOriginal) >= answered+i-waiting
		}))
	}
	h.settled()
}

// reconnect tells the bot to connect anew, and waits until it has.
func (h *discordHouse) reconnect() {
	_, identified, resumed := h.Sessions()
	h.Conns()[0].Reconnect()
	h.must(h.Await(h.within(), func(st *discordtest.State) bool {
		ready, begun, again := st.Sessions()
		return ready == 1 && begun+again > identified+resumed
	}))
}
