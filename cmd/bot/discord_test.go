package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/chat/slack/slacktest"
	"citebot/internal/ledger"
)

// The tests in this file run the real program, as processes that they stop and kill,
// beside a Discord that package discordtest makes.

// A discordHouse is a house that is in Discord.
type discordHouse struct {
	*house
	*discordtest.Server
	crowd int // people that a benchmark added
}

// inDiscord is Discord's section of a house's bot.yaml.
const inDiscord = `
discord:
  limits: {person: 1000, channel: 1000}
  channels:
    1310000005000001002: {audience: [public, staff]}
`

// inForum lets the bot speak up in a forum, for which it needs the intent to read it.
const inForum = "    1310000005000001004: {auto_answer: true}\n"

// unknownToken is one that only looks like the bot's.
const unknownToken = "MTMwMTAwMDAwMDAwMDAwMDIwMA.Gd1sc0.of-another-house"

func newDiscordHouse(t testing.TB) *discordHouse {
	return newHouse(t, houseConfig+inDiscord).joinDiscord()
}

// joinDiscord makes a Discord for a house. The token of an interaction lets whoever has it
// speak for the bot.
func (h *house) joinDiscord() *discordHouse {
	d := &discordHouse{house: h, Server: discordtest.New(h.t)}
	d.AllowLinks = []string{"http://127.0.0.1:"}
	d.HeartbeatInterval = 5 * time.Second // a bot on a busy machine is not taken for a deaf one
	h.join(d.Server, d.awaitConnections, d.Token, "discordtest-interaction-token", unknownToken, wrongToken)
	return d
}

func (h *discordHouse) awaitConnections(ctx context.Context, n int) error {
	return h.Await(ctx, func(st *discordtest.State) bool {
		open, _ := st.Connections()
		ready, _, _ := st.Sessions()
		return open == n && ready == n
	})
}

// ask gives the command for everyone to see.
func (h *discordHouse) ask(channel, question string) *discordtest.Act {
	return h.Send(h.Ask(discordtest.Alice, channel, question, false))
}

// mention names the bot.
func (h *discordHouse) mention(channel, text string) *discordtest.Act {
	return h.Send(h.Mention(discordtest.Alice, channel, text))
}

// room adds a channel for one question alone, so that whatever is posted there answers that.
func (h *discordHouse) room(n int) (channel string) {
	channel = roomID(n)
	h.AddChannel(discordtest.Channel{ID: channel, Name: fmt.Sprintf("room-%d", n), Guild: discordtest.Guild})
	return channel
}

func roomID(n int) string { return strconv.Itoa(1310000005000003000 + n) }

// answered waits for a reply to an act, that has the words.
func (h *discordHouse) answered(act *discordtest.Act, words string) discordtest.Message {
	h.t.Helper()
	m, err := h.AwaitReply(h.within(), act, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), words) })
	h.must(err)
	return m
}

// told waits for something that one person alone sees, that has the words.
func (h *discordHouse) told(user, words string) discordtest.Message {
	h.t.Helper()
	m, err := h.AwaitEphemeral(h.within(), user, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), words) })
	h.must(err)
	return m
}

// settled waits until the bot has nothing more to say to what it accepted.
func (h *discordHouse) settled() {
	h.t.Helper()
	h.until("all to be posted", func() bool { return len(h.unfinished()) == 0 })
}

// goOn starts a bot that goes on where another one ended.
func (h *discordHouse) goOn() *child {
	h.t.Helper()
	bot := h.start()
	h.settled()
	return bot
}

// answeredOnce fails unless each act has one answer, one page long.
func (h *discordHouse) answeredOnce(acts ...*discordtest.Act) {
	h.t.Helper()
	for _, a := range acts {
		if all := h.Replies(a); len(all) != 1 || all[0].Deferred || !strings.Contains(all[0].Plain(), "[1]") {
			h.t.Errorf("%d answers to one question: %s", len(all), plains(all))
		}
	}
}

func plains(all []discordtest.Message) []string {
	var texts []string
	for _, m := range all {
		texts = append(texts, fmt.Sprintf("(deferred: %v) %s", m.Deferred, m.Plain()))
	}
	return texts
}

func TestDiscordConversation(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	h.sample("returns.md")
	h.sample("warranty.md")
	bot := h.start()
	mention := h.mention(discordtest.General, askReturn)
	answer := h.answered(mention, saysReturn)
	bot.opensSource(answer.Plain(), answer.Links())
	h.settled() // nobody replies to an answer before the bot knows that it is there

	// A reply goes on with what this is about. What does not name the bot is not for it.
	further := h.Send(h.Reply(discordtest.Alice, discordtest.General, answer.ID, "And in Australia?", true))
	h.Send(h.Chat(discordtest.Bob, discordtest.General, "How long do I have to return my library books?"))
	chat := h.Send(h.Chat(discordtest.Bob, discordtest.Help, askReturn))
	acts := []*discordtest.Act{
		mention, further, h.ask(discordtest.General, askReturn), h.Send(h.DM(discordtest.Alice, askReturn)), h.mention(discordtest.Thread, askReturn),
		h.Send(h.ForumPost(discordtest.Bob, discordtest.Forum, "Sending things back", "<@"+discordtest.BotUser+"> "+askReturn)),
		h.Send(h.AnswerThis(discordtest.Alice, discordtest.Help, chat.Message)),
	}
	h.answered(further, "45 days")
	for _, a := range acts[2:] {
		h.answered(a, saysReturn)
	}
	h.Send(h.Ask(discordtest.Bob, discordtest.General, askReturn, true))
	h.told(discordtest.Bob, saysReturn)
	h.Send(h.AnswerThis(discordtest.Bob, discordtest.Help, chat.Message))
	h.told(discordtest.Bob, "answered already")

	h.change(bot, "returns.md", saysReturn, "37 days")
	again := h.ask(discordtest.General, askReturn)
	if m := h.answered(again, "37 days"); strings.Contains(m.Plain(), saysReturn) {
		t.Errorf("both editions in one answer:\n%s", m.Plain())
	}
	h.settled()
	h.answeredOnce(append(acts, again)...)
	if posts := h.Posts(discordtest.General); len(posts) != 4 {
		t.Errorf("%d posts in the channel: %s", len(posts), plains(posts))
	}

	if status, state, problem := bot.part("discord"); status != http.StatusOK || state != "ok" || problem != "" {
		t.Errorf("readyz: %d %q %q", status, state, problem)
	}
	bot.wantSeries(
		`citebot_discord_events_total{kind="INTERACTION_CREATE"} 5`, "citebot_discord_ack_seconds_count 5",
		"citebot_discord_reconnects_total 0", "citebot_discord_rejected_total 0",
		`citebot_chat_turns_total{outcome="posted",platform="discord"} 9`, "citebot_chat_waiting 0",
		`citebot_chat_answer_seconds_count{platform="discord"} 9`, `citebot_chat_answer_sources_count{platform="discord"} 9`,
	)
}

// A forum's posts are answered unasked where the configuration says so.
func TestDiscordSpeaksUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, houseConfig+inDiscord+inForum).joinDiscord()
	h.PrivilegedContent = true
	h.start()
	post := h.Send(h.ForumPost(discordtest.Alice, discordtest.Forum, "Returns", askReturn))
	h.answered(post, saysReturn)
	further := h.Send(h.Chat(discordtest.Alice, post.Thread, "And in Australia?"))
	h.answered(further, "45 days")
	unknown := h.Send(h.ForumPost(discordtest.Bob, discordtest.Forum, "Party", askUnknown))
	h.Send(h.Chat(discordtest.Bob, discordtest.General, askReturn))
	last := h.mention(discordtest.General, askWarranty)
	h.answered(last, saysWarranty)
	h.settled()
	h.answeredOnce(post, further, last)
	if n := len(h.Replies(unknown)) + len(h.Posts(discordtest.General)); n != 1 {
		t.Errorf("it spoke %d times too often", n-1)
	}
}

// What is wrong with files is told to those who may know of them.
func TestDiscordTellsOfDocuments(t *testing.T) {
	t.Parallel()
	const refusedFile = "---\naudience: [\n---\n# Draft\n\nNobody knows who may read this.\n"
	h := newDiscordHouse(t)
	h.write("docs/draft.md", refusedFile)
	bot := h.start()
	for _, name := range []string{"docs/warranty.md", "docs/staff/annual-leave.md"} {
		h.write(name, refusedFile)
	}
	h.until("the broken files to be found", func() bool {
		_, documents := bot.get("/api/documents")
		return strings.Count(documents, `"problem"`) == 3
	})
	status := func(channel string) string {
		h.must(h.AwaitReady(h.within(), 1))
		act := h.Send(h.KBStatus(discordtest.Admin, channel))
		_, err := h.AwaitCallback(h.within(), act)
		h.must(err)
		return h.Replies(act)[0].Plain()
	}
	public, staff := status(discordtest.General), status(discordtest.Staff)
	for text, want := range map[string][]bool{
		"warranty.md": {true, true}, "front matter": {true, true}, "annual-leave": {false, true}, "draft.md": {false, false},
		"2 documents": {true, false}, "3 documents": {false, true},
	} {
		if got := []bool{strings.Contains(public, text), strings.Contains(staff, text)}; !slices.Equal(got, want) {
			t.Errorf("%q is told %v, want %v:\n%s\n%s", text, got, want, public, staff)
		}
	}

	offered := func(channel string) (names []string) {
		act := h.Send(h.Autocomplete(discordtest.Alice, channel, ""))
		i, err := h.AwaitCallback(h.within(), act)
		h.must(err)
		for _, c := range i.Choices {
			names = append(names, fmt.Sprint(c["value"]))
		}
		slices.Sort(names)
		return names
	}
	if got := offered(discordtest.General); !slices.Equal(got, []string{"returns.md", "warranty.md"}) {
		t.Errorf("offered to everyone: %q", got)
	}
	if got := offered(discordtest.Staff); !slices.Equal(got, []string{"returns.md", "staff/annual-leave.md", "warranty.md"}) {
		t.Errorf("offered to staff: %q", got)
	}
	h.Send(h.Sources(discordtest.Alice, discordtest.General, "returns.md"))
	if m := h.told(discordtest.Alice, "Returns policy"); !strings.Contains(m.Plain(), "Australia") || len(m.Links()) == 0 {
		t.Errorf("no outline: %s", m.Plain())
	}
	h.Send(h.Sources(discordtest.Bob, discordtest.General, "staff/annual-leave.md"))
	h.told(discordtest.Bob, "no such document")
}

// What staff may read is told where bot.yaml says so, and not in servers that it does not
// name, whatever all of them are allowed.
func TestDiscordAudiences(t *testing.T) {
	t.Parallel()
	h := newHouse(t, houseConfig+inDiscord+"  audience: [public, staff]\n  guilds:\n    1310000005000000000: {audience: [public]}\n").joinDiscord()
	h.start()
	inStaff := h.Send(h.StartThread(discordtest.Alice, discordtest.Staff, h.Send(h.Chat(discordtest.Alice, discordtest.Staff, "Leave")).Message, "Leave"))
	told := []*discordtest.Act{h.ask(discordtest.Staff, askLeave), h.mention(discordtest.Staff, askLeave), h.mention(inStaff.Thread, askLeave)}
	untold := []*discordtest.Act{
		h.ask(discordtest.General, askLeave), h.mention(discordtest.Thread, askLeave), h.Send(h.DM(discordtest.Alice, askLeave)),
		h.Send(h.Ask(discordtest.Mallory, discordtest.Lobby, askLeave, false)), h.Send(h.Mention(discordtest.Mallory, discordtest.Lobby, askLeave)),
	}
	h.Send(h.Ask(discordtest.Alice, discordtest.Staff, askLeave, true))
	h.Send(h.Ask(discordtest.Mallory, discordtest.Lobby, askLeave, true))
	for _, a := range told {
		h.shows(h.answered(a, ""), true)
	}
	for _, a := range untold {
		h.shows(h.answered(a, ""), false)
	}
	h.shows(h.told(discordtest.Alice, ""), true)
	h.shows(h.told(discordtest.Mallory, ""), false)
}

// shows checks whether a message tells of annual leave.
func (h *discordHouse) shows(m discordtest.Message, leave bool) {
	h.t.Helper()
	h.checkLeave(m.Channel, m.Plain(), leave)
}

// islands is a document that takes two pages to answer from.
func islands() string {
	text := "# Delivery to islands\n\nDelivery to the islands takes this long:\n\n"
	for i := range 11 {
		text += fmt.Sprintf("- outermost_northernmost_island_%02d: approximately_fourteen_working_days_in_summertime, "+
			"correspondingly_longer_throughout_wintertime, weather_permitting_circumstances_notwithstanding\n", i+1)
	}
	return text
}

const askIslands = "How long does delivery to the islands take?"

// A crossing is a place between two states of a question where a bot is killed.
type crossing struct {
	name   string
	ask    bool   // by the command, else by naming the bot
	route  string // the call at which that is; "": where reached says
	first  int    // so many calls before it are let through
	after  bool   // the call took effect, its answer is lost
	long   bool   // the answer has two pages
	calls  string // how often this route …
	atMost int    // … may be called in all

	reached func(h *discordHouse, act *discordtest.Act)
}

var crossings = []crossing{
	{name: "kept", reached: (*discordHouse).isKept, calls: discordtest.CreateMessage, atMost: 2},
	{name: "answering", route: discordtest.TriggerTyping, calls: discordtest.CreateMessage, atMost: 1},
	{name: "posting", route: discordtest.CreateMessage, calls: discordtest.CreateMessage, atMost: 2},
	{name: "posted, not known yet", route: discordtest.CreateMessage, after: true, calls: discordtest.CreateMessage, atMost: 1},
	{name: "posted", reached: func(h *discordHouse, act *discordtest.Act) { h.answered(act, saysReturn) }, calls: discordtest.CreateMessage, atMost: 1},
	{name: "between pages", long: true, route: discordtest.CreateMessage, first: 1, calls: discordtest.CreateMessage, atMost: 3},
	{name: "second page posted, not known yet", long: true, route: discordtest.CreateMessage, first: 1, after: true, calls: discordtest.CreateMessage, atMost: 2},

	{name: "responding", ask: true, route: discordtest.Callback, calls: discordtest.CreateMessage, atMost: 1},
	{name: "responded, not known yet", ask: true, route: discordtest.Callback, after: true, calls: discordtest.EditOriginal, atMost: 1},
	{name: "editing", ask: true, route: discordtest.EditOriginal, calls: discordtest.EditOriginal, atMost: 2},
	{name: "edited, not known yet", ask: true, route: discordtest.EditOriginal, after: true, calls: discordtest.EditOriginal, atMost: 1},
	{name: "edited", ask: true, reached: func(h *discordHouse, act *discordtest.Act) { h.answered(act, saysReturn) }, calls: discordtest.EditOriginal, atMost: 1},
	{name: "between pages of a reply", ask: true, long: true, route: discordtest.CreateFollowup, calls: discordtest.CreateFollowup, atMost: 2},
	{name: "second page of a reply posted, not known yet", ask: true, long: true, route: discordtest.CreateFollowup, after: true, calls: discordtest.CreateFollowup, atMost: 1},
}

// The bot that goes on after one crossing is the one that is killed at the next.
func TestDiscordKilledAtEachBoundary(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	h.Tolerate = true // see checkViolations
	h.write("docs/islands.md", islands())
	bot := h.start()
	for n, c := range crossings {
		t.Run(c.name, func(t *testing.T) {
			calls := h.Calls(c.calls)
			act := h.killAt(c, bot, h.room(n))
			h.Misbehave(1, discordtest.Mischief{SlowReady: 300 * time.Millisecond}) // it goes on before it knows who it is
			bot = h.goOn()
			posts, want := h.Posts(act.Channel), 1
			if c.long {
				want = 2
			}
			if len(posts) != want || len(slices.Compact(slices.Sorted(slices.Values(plains(posts))))) != want {
				t.Errorf("%d posts, want %d: %q", len(posts), want, plains(posts))
			}
			if calls = h.Calls(c.calls) - calls; calls > c.atMost {
				t.Errorf("%d calls of %s, want no more than %d", calls, c.calls, c.atMost)
			}
		})
	}
	h.checkViolations()
}

// checkViolations reports them, but for replies to what never got a response: that a bot was
// killed before it gave one the next cannot know.
func (h *discordHouse) checkViolations() {
	h.t.Helper()
	for _, line := range h.Violations() {
		_, id, early := strings.Cut(line, "before the callback of interaction ")
		if i, _ := h.Interaction(id); !early || i.Callback != 0 {
			h.t.Error(line)
		}
	}
}

// killAt asks, and kills the bot there. A call that is held then never happens; the calls of
// the next bot are let through.
func (h *discordHouse) killAt(c crossing, bot *child, channel string) *discordtest.Act {
	h.t.Helper()
	question := askReturn
	if c.long {
		question = askIslands
	}
	ask := h.mention
	if c.ask {
		ask = h.ask
	}
	if c.route == "" {
		act := ask(channel, question)
		c.reached(h, act)
		bot.kill()
		return act
	}
	if c.first > 0 {
		return h.killAtLater(c, bot, func() *discordtest.Act { return ask(channel, question) })
	}
	block := h.Block
	if c.after {
		block = h.BlockAfter
	}
	gate := block(c.route)
	act := ask(channel, question)
	_, err := gate.Reached(h.within())
	h.must(err)
	bot.kill()
	gate.Release()
	return act
}

// killAtLater is killAt a call that others of the same route come before.
func (h *discordHouse) killAtLater(c crossing, bot *child, ask func() *discordtest.Act) *discordtest.Act {
	h.t.Helper()
	h.Fail(c.route, c.first, discordtest.Fault{Delay: time.Millisecond})
	if !c.after {
		h.Fail(c.route, 1, discordtest.Fault{Delay: time.Hour})
	}
	before := h.Calls(c.route)
	act := ask()
	h.must(h.Await(h.within(), func(st *discordtest.State) bool {
		if c.after {
			return len(st.Posts(act.Channel)) > c.first
		}
		return len(st.Posts(act.Channel)) == c.first && st.Calls(c.route) > before+c.first
	}))
	bot.kill()
	h.Heal(c.route)
	return act
}

// isKept waits until a question is in the ledger.
func (h *discordHouse) isKept(act *discordtest.Act) {
	h.t.Helper()
	h.until("the question to be kept", func() bool { return h.kept(act) })
}

// kept tells whether a question that is alone in its channel, or a message, is in the ledger.
func (h *discordHouse) kept(act *discordtest.Act) (kept bool) {
	h.readLedger(func(l *ledger.Ledger) {
		place := ledger.Place{Platform: "discord", Team: discordtest.Guild, Channel: act.Channel}
		if act.Message != "" {
			_, err := l.ByMessage(context.Background(), place, act.Message)
			kept = err == nil
			return
		}
		n, err := l.Count(context.Background(), place, "", time.Time{})
		h.must(err)
		kept = n > 0
	})
	return kept
}

// What only its asker sees stands in place of the note that it is coming, so that showing it
// twice shows it once.
func TestDiscordKilledWhileItAnswersPrivately(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	bot := h.start()
	gate := h.BlockAfter(discordtest.EditOriginal)
	h.Send(h.Ask(discordtest.Alice, discordtest.General, askReturn, true))
	_, err := gate.Reached(h.within())
	h.must(err)
	bot.kill()
	gate.Release()
	h.Fail(discordtest.GetOriginal, 1, discordtest.BadGateway())
	h.goOn()
	if shown := h.Ephemerals(discordtest.Alice); len(shown) != 1 || !strings.Contains(shown[0].Plain(), saysReturn) {
		t.Errorf("shown are %d messages: %s", len(shown), plains(shown))
	}
}

// Some four questions a second, by name and by command, while the bot is killed at random
// moments and started again, and Discord is slow or loses answers. Discord delivers nothing
// again; in the end each question that the bot kept has one answer, and each that it promised
// an answer to was kept.
func TestDiscordKilledAtRandom(t *testing.T) {
	t.Parallel()
	kills, seed := 12, rand.Uint64()
	if testing.Short() {
		kills = 4
	}
	h := newDiscordHouse(t)
	h.Tolerate = true // see checkViolations
	h.write("docs/islands.md", islands())
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		for _, route := range []string{discordtest.CreateMessage, discordtest.EditOriginal, discordtest.CreateFollowup, discordtest.Callback} {
			h.Fail(route, 4, discordtest.Fault{Delay: 100 * time.Millisecond})
			h.Fail(route, 1, discordtest.Lost())
		}
	}
	h.start().stop()
	asked := h.keepAsking(rand.New(rand.NewPCG(seed, 1)))
	begun := time.Now()
	for range kills {
		bot := h.launch()
		if rng.IntN(5) > 0 { // else it may be killed while it starts
			h.must(h.AwaitReady(h.within(), 1))
		}
		h.rest(time.Duration(rng.Int64N(int64(1500 * time.Millisecond))))
		bot.kill()
	}
	acts := asked()
	h.goOn()
	kept := 0
	for _, act := range acts {
		if h.wasAnsweredIfKept(act) {
			kept++
		}
	}
	h.checkViolations()
	t.Logf("seed %d: %d questions while the bot was killed %d times in %v, %d of them kept; %d posts, %d looked for, %d replies", seed, len(acts), kills,
		time.Since(begun).Round(time.Second), kept, h.Calls(discordtest.CreateMessage), h.Calls(discordtest.GetMessages), h.Calls(discordtest.EditOriginal))
}

// wasAnsweredIfKept checks that a question has its answer, all pages once, if it is in the
// ledger, which it must be where an answer was promised; else none.
func (h *discordHouse) wasAnsweredIfKept(act *discordtest.Act) (kept bool) {
	h.t.Helper()
	answers, want := h.Posts(act.Channel), 0
	if act.Interaction == "" {
		answers = h.Replies(act)
	}
	if kept = h.kept(act); kept {
		want = 1
	}
	if i, _ := h.Interaction(act.Interaction); i.Callback != 0 && !kept {
		h.t.Errorf("promised and forgotten: %+v", i)
	}
	seen := map[string]bool{}
	for _, m := range answers {
		seen[m.Plain()] = true
		if strings.Contains(m.Plain(), "takes this long: [1]") { // the first of two pages
			want++
		}
		if m.Deferred || !strings.Contains(m.Plain(), "[1]") {
			h.t.Errorf("no answer in %s: %q", act.Channel, plains(answers))
		}
	}
	if len(answers) != want || len(seen) != want {
		h.t.Errorf("%d answers in %s, want %d: %q", len(answers), act.Channel, want, plains(answers))
	}
	return kept
}

// keepAsking asks four questions a second until asked is called, which returns them.
func (h *discordHouse) keepAsking(rng *rand.Rand) (asked func() []*discordtest.Act) {
	stop, done := make(chan struct{}), make(chan []*discordtest.Act)
	go func() {
		var acts []*discordtest.Act
		tick := time.NewTicker(time.Second / 4)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				acts = append(acts, h.askAnything(rng, len(acts)))
			case <-stop:
				done <- acts
				return
			}
		}
	}()
	asked = sync.OnceValue(func() []*discordtest.Act {
		close(stop)
		return <-done
	})
	h.t.Cleanup(func() { asked() })
	return asked
}

// askAnything names the bot in one of a few channels, or gives the command in a channel of its
// own: an answer that can be no reply any more says not to which question.
func (h *discordHouse) askAnything(rng *rand.Rand, n int) *discordtest.Act {
	text := []string{askReturn, askWarranty, "What does it cost to return something from Ireland?"}[rng.IntN(3)]
	switch rng.IntN(4) {
	case 0:
		return h.ask(h.room(100+n), askIslands)
	case 1:
		return h.ask(h.room(100+n), text)
	}
	return h.mention(h.room(rng.IntN(4)), text)
}

// An event that comes again, as after a session is resumed, or when the bot has started anew,
// is answered no second time.
func TestDiscordDeliversAgain(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	bot := h.start()
	acts := []*discordtest.Act{h.mention(discordtest.General, askReturn), h.ask(discordtest.General, askWarranty)}
	again := func() {
		for _, a := range acts {
			h.SendEvents(a.Events...)
		}
	}
	again()
	h.answered(acts[0], saysReturn)
	h.answered(acts[1], saysWarranty)
	again()
	bot.kill()
	bot = h.start()
	again()
	h.answered(h.mention(discordtest.General, askReturn), saysReturn) // comes after them
	h.until("the duplicates to be counted", func() bool {
		_, metrics := bot.get("/metrics")
		return strings.Contains(metrics, "\ncitebot_chat_duplicates_total 2\n")
	})
	h.settled()
	h.answeredOnce(acts...)
	if posts := h.Posts(discordtest.General); len(posts) != 3 {
		t.Errorf("%d posts: %s", len(posts), plains(posts))
	}
}

// Told to stop, the bot ends what it has in hand, for a while, and leaves the rest for the
// next one.
func TestDiscordStops(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		block func(*discordtest.Server, string) *discordtest.Gate
		hangs bool // Discord lets go only when the bot has gone
	}{
		{"posting", (*discordtest.Server).Block, false},
		{"posted, Discord hangs", (*discordtest.Server).BlockAfter, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.hangs && testing.Short() {
				t.Skip("takes ten seconds")
			}
			t.Parallel()
			h := newDiscordHouse(t)
			bot := h.start()
			gates := []*discordtest.Gate{test.block(h.Server, discordtest.CreateMessage), test.block(h.Server, discordtest.EditOriginal)}
			var acts []*discordtest.Act
			for i := range 4 { // more than it can answer at once
				acts = append(acts, h.mention(h.room(2*i), askReturn), h.ask(h.room(2*i+1), askReturn))
			}
			for _, a := range acts {
				h.isKept(a)
			}
			for _, g := range gates {
				_, err := g.Reached(h.within())
				h.must(err)
			}
			bot.stopsWhile(test.hangs, func() {
				for _, g := range gates {
					g.Release()
				}
			})
			h.goOn()
			h.answeredOnce(acts...)
		})
	}
}

// A platform that hangs, is away or refuses the bot takes nothing from the other.
func TestPlatformsStandApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, houseConfig+inSlack+inDiscord)
	s, d := h.joinSlack(), h.joinDiscord()
	toSlack, toDiscord := h.newDoor(s.URL()), h.newDoor(d.URL())
	bot := h.launch("SLACK_API_URL=http://"+toSlack.addr+"/api/", "DISCORD_API_URL=http://"+toDiscord.addr)
	bot.tells(http.StatusServiceUnavailable, "slack", "failed", "Slack cannot be reached")
	bot.tells(http.StatusServiceUnavailable, "discord", "failed", "no connection to Discord")
	toDiscord.open()
	bot.tells(http.StatusOK, "discord", "ok", "")
	bot.tells(http.StatusOK, "slack", "failed", "Slack cannot be reached")
	d.answered(d.ask(discordtest.General, askReturn), saysReturn)
	toSlack.open()
	bot.tells(http.StatusOK, "slack", "ok", "")

	hang := s.Block("chat.postMessage")
	var waiting []*slacktest.Act
	for i := range 6 { // more than it can answer at once
		id := fmt.Sprintf("C0HANGS%03d", i)
		s.AddChannel(slacktest.Channel{ID: id, Name: id, Type: slacktest.PublicChannel})
		waiting = append(waiting, s.ask(id, askReturn))
	}
	_, err := hang.Reached(h.within())
	h.must(err)
	h.swiftly("Discord, while Slack hangs", func() { d.answered(d.mention(discordtest.General, askWarranty), saysWarranty) })
	hang.Release()

	stuck := d.Block(discordtest.CreateMessage)
	var stand []*discordtest.Act
	for i := range 6 {
		stand = append(stand, d.mention(d.room(i), askReturn))
	}
	_, err = stuck.Reached(h.within())
	h.must(err)
	h.swiftly("Slack, while Discord hangs", func() { s.answered(s.ask(slacktest.General, askWarranty), saysWarranty) })
	stuck.Release()

	for _, a := range waiting {
		s.answered(a, saysReturn)
	}
	for _, a := range stand {
		d.answered(a, saysReturn)
	}
	d.Revoke()
	d.Conns()[0].Close(discordtest.AuthenticationFailed)
	bot.tells(http.StatusOK, "discord", "failed", "DISCORD_TOKEN was refused")
	s.answered(s.ask(slacktest.General, askReturn), saysReturn)
	d.settled()
	s.answeredOnce(waiting...)
	d.answeredOnce(stand...)
}

// swiftly checks that something takes no longer than people notice.
func (h *house) swiftly(what string, do func()) {
	h.t.Helper()
	begun := time.Now()
	do()
	if took := time.Since(begun); took > 5*time.Second {
		h.t.Errorf("%s took %v", what, took)
	}
}

// What Discord refuses for good is told with the remedy, takes nothing else away and is not
// tried over and over.
func TestDiscordRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, config string
		refuse       func(*discordtest.Server)
		words        string
	}{
		{"the intent", inForum, func(*discordtest.Server) {}, "Privileged Gateway Intents → Message Content Intent"},
		{"the token", "", func(s *discordtest.Server) {
			s.Misbehave(-1, discordtest.Mischief{Close: discordtest.AuthenticationFailed})
		}, "DISCORD_TOKEN was refused"},
		{"each request", "", (*discordtest.Server).Revoke, "DISCORD_TOKEN was refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, houseConfig+inDiscord+test.config).joinDiscord()
			test.refuse(h.Server)
			bot := h.launch()
			bot.tells(http.StatusServiceUnavailable, "discord", "failed", test.words)
			for range 10 {
				bot.answersOnTheWeb()
			}
			if status, body := bot.get("/livez"); status != http.StatusOK {
				t.Errorf("livez: %d %s", status, body)
			}
			if _, ever := h.Connections(); ever+h.Calls(discordtest.GetGateway) > 2 {
				t.Errorf("%d connections, %d tries", ever, h.Calls(discordtest.GetGateway))
			}
			bot.stop()
		})
	}
}

// What is obviously wrong is said in one line, before anything starts.
func TestDiscordTokensAreChecked(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	for _, test := range []struct{ env, words string }{
		{"DISCORD_TOKEN=" + wrongToken, "DISCORD_TOKEN holds"},
		{"DISCORD_TOKEN=Bot " + unknownToken, "DISCORD_TOKEN begins with the word Bot"},
		{"DISCORD_TOKEN=1301000000000000200", "DISCORD_TOKEN holds an id"},
		{"DISCORD_TOKEN=" + h.PublicKey(), "DISCORD_TOKEN holds the app's public key"},
		{"DISCORD_PUBLIC_KEY=" + unknownToken, "DISCORD_PUBLIC_KEY holds the bot's token"},
		{"DISCORD_API_URL=http://127.0.0.1:1/api/v9", "DISCORD_API_URL"},
	} {
		code, out := h.runWith([]string{test.env}, "serve")
		if code != exitError || strings.Count(out, "\n") != 1 || !strings.Contains(out, test.words) {
			t.Errorf("%s: exit code %d, without %q:\n%s", test.env, code, test.words, out)
		}
	}
	if _, err := os.Stat(h.state()); err == nil {
		t.Errorf("%s was made", h.state())
	}
	if n := h.Calls(""); n > 0 {
		t.Errorf("Discord was called %d times", n)
	}
}

// Whatever the gateway does, the bot is back in a bounded time with what was asked meanwhile,
// where Discord delivers that. All of it happens to one bot.
func TestDiscordGatewayFaults(t *testing.T) {
	const busy = 4 * time.Second // what a loaded machine may add
	t.Parallel()
	h := newDiscordHouse(t)
	h.HeartbeatInterval = time.Second // that a zombie is found out
	bot := h.start()
	var acts []*discordtest.Act
	for n, test := range []struct {
		name   string
		fault  func(*discordtest.Conn)
		gap    bool          // what is asked while it is away arrives
		within time.Duration // the longest that the gateway's waits add up to
	}{
		{"1006", (*discordtest.Conn).Reset, true, 2 * time.Second},
		{"Op 7", (*discordtest.Conn).Reconnect, true, 2 * time.Second},
		{"4000", func(c *discordtest.Conn) { c.Close(4000) }, true, 2 * time.Second},
		{"Op 9, resumable", func(c *discordtest.Conn) { c.Invalidate(true) }, true, 5 * time.Second},
		{"zombie", (*discordtest.Conn).Deafen, true, 4 * time.Second},
		// 2 s after a session that was there for a moment, then up to 1.5 s, then up to 3 s.
		{"Op 7 before READY", func(c *discordtest.Conn) { h.Misbehave(2, discordtest.Mischief{Reconnect: true}); c.Reset() }, true, 6500 * time.Millisecond},
		{"Op 9", func(c *discordtest.Conn) { c.Invalidate(false) }, false, 10 * time.Second}, // 5 s, and 5 s between two sessions
	} {
		_, begun, resumed := h.Sessions()
		at := time.Now()
		test.fault(h.Conns()[0])
		if test.gap {
			acts = append(acts, h.mention(h.room(2*n), askReturn))
		}
		h.must(h.Await(h.within(), func(st *discordtest.State) bool {
			ready, identified, again := st.Sessions()
			return ready == 1 && identified+again > begun+resumed
		}))
		if took := time.Since(at); took > test.within+busy {
			t.Errorf("%s: away for %v, want no longer than %v and %v for a busy machine", test.name, took, test.within, busy)
		}
		acts = append(acts, h.ask(h.room(2*n+1), askWarranty))
		h.must(h.Await(h.within(), func(st *discordtest.State) bool {
			last := acts[len(acts)-1]
			return len(st.Replies(last.Channel, last.Interaction)) > 0
		}))
		t.Logf("%s: back after %v", test.name, time.Since(at).Round(time.Millisecond))
	}
	for _, a := range acts {
		h.answered(a, "[1]")
	}
	h.settled()
	h.answeredOnce(acts...)
	if status, state, problem := bot.part("discord"); status != http.StatusOK || state != "ok" || problem != "" {
		t.Errorf("readyz: %d %s %s", status, state, problem)
	}
	if fast := h.TooFast(); len(fast) > 0 {
		t.Errorf("too fast: %q", fast)
	}
	bot.wantSeries("citebot_discord_reconnects_total 9")
}

// What Discord limits waits as long as it says, and what it is slow about comes late; each
// question has its answer, once.
func TestDiscordLimits(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	h.start()
	var acts []*discordtest.Act
	for n, fault := range []discordtest.Fault{
		{RetryAfter: time.Second}, {RetryAfter: time.Second, Shared: true}, {RetryAfter: time.Second, Global: true}, {Delay: 2 * time.Second},
	} {
		for _, route := range []string{discordtest.CreateMessage, discordtest.EditOriginal} {
			h.Fail(route, 1, fault)
		}
		both := []*discordtest.Act{h.mention(h.room(2*n), askReturn), h.ask(h.room(2*n+1), askWarranty)}
		for _, a := range both {
			h.answered(a, "[1]")
		}
		acts = append(acts, both...)
	}
	h.settled()
	h.answeredOnce(acts...)
	for _, route := range []string{discordtest.CreateMessage, discordtest.EditOriginal} {
		if n := h.Calls(route); n > 8 { // one too many for each limit of its own or of all
			t.Errorf("%d calls of %s", n, route)
		}
	}
}

// A gateway that accepts a connection and says nothing is given up after ten seconds.
func TestDiscordSaysNoHello(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	h := newDiscordHouse(t)
	h.start()
	h.Misbehave(1, discordtest.Mischief{NoHello: true})
	at := time.Now()
	h.Conns()[0].Reset()
	act := h.mention(discordtest.General, askReturn)
	h.answered(act, saysReturn)
	if took := time.Since(at); took > 15*time.Second {
		t.Errorf("away for %v", took)
	}
	h.answeredOnce(act)
}

func TestDiscordOverHTTP(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	h.AllowLinks = []string{"http://localhost:"}
	h.HTTP = &discordtest.Endpoint{} // of which the port is not known yet
	bot := h.start("BOT_HTTP=0.0.0.0:0", "BOT_TOKEN="+webToken)
	h.HTTP.BaseURL = bot.url
	deliver := func(e discordtest.Event, spoil discordtest.Spoil) discordtest.Response {
		t.Helper()
		r, err := h.Deliver(h.within(), e, spoil)
		h.must(err)
		return r
	}
	if pong := deliver(h.Ping(), discordtest.Spoil{}); pong.Status != http.StatusOK || fmt.Sprint(pong.JSON()["type"]) != "1" {
		t.Errorf("PING: %+v", pong)
	}
	refused := h.Ask(discordtest.Bob, discordtest.Help, askReturn, false)
	for _, test := range []struct {
		name   string
		spoil  discordtest.Spoil
		status int
	}{
		{"bad signature", discordtest.Spoil{Key: make([]byte, 32)}, http.StatusUnauthorized},
		{"no signature", discordtest.Spoil{Signature: "-"}, http.StatusUnauthorized},
		{"stale", discordtest.Spoil{Skew: -6 * time.Minute}, http.StatusUnauthorized},
		{"from the future", discordtest.Spoil{Skew: 6 * time.Minute}, http.StatusUnauthorized},
		{"oversize", discordtest.Spoil{Pad: 2 << 20}, http.StatusRequestEntityTooLarge},
		{"wrong content type", discordtest.Spoil{ContentType: "text/plain"}, http.StatusUnsupportedMediaType},
		{"GET", discordtest.Spoil{Method: http.MethodGet}, http.StatusMethodNotAllowed},
	} {
		if r := deliver(refused.Events[0], test.spoil); r.Status != test.status {
			t.Errorf("%s: %d, want %d", test.name, r.Status, test.status)
		}
	}
	question := h.ask(discordtest.General, askReturn)
	answer := h.answered(question, saysReturn)
	mention := h.mention(discordtest.General, askReturn) // the gateway is there, too
	h.answered(mention, saysReturn)
	h.Send(h.Ask(discordtest.Alice, discordtest.General, askWarranty, true))
	h.told(discordtest.Alice, saysWarranty)
	click := h.Send(h.Click(discordtest.Bob, answer, "v1:good"))
	h.told(discordtest.Bob, "Thank you")
	for _, a := range []*discordtest.Act{question, click} {
		if again := deliver(a.Events[0], discordtest.Spoil{}); again.Status == http.StatusOK {
			t.Errorf("what came again was responded to again: %+v", again)
		}
	}
	h.settled()
	h.answeredOnce(question, mention)
	if n := len(h.Posts(refused.Channel)); n != 0 {
		t.Errorf("%d answers to what was refused", n)
	}
	if _, metrics := bot.do(http.MethodGet, "/metrics", "", webToken); !strings.Contains(metrics, "\ncitebot_chat_feedback_total{value=\"good\"} 1\n") {
		t.Error("/metrics: a click that came again was taken again")
	}
	bot.guarded(answer.Links())
}

// A token may become worth nothing later. Then what was asked waits.
func TestDiscordRevokesToken(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	bot := h.start()
	h.Fail(discordtest.CreateMessage, -1, discordtest.Refused(http.StatusUnauthorized, 0))
	act := h.mention(discordtest.General, askReturn)
	h.until("readyz to name the token", func() bool {
		_, state, problem := bot.part("discord")
		return state != "ok" && strings.Contains(problem, "DISCORD_TOKEN was refused")
	})
	for range 10 {
		bot.answersOnTheWeb()
	}
	if n := h.Calls(discordtest.CreateMessage); n > 1 {
		t.Errorf("a post was tried %d times", n)
	}
	bot.stop()
	h.Heal("")
	h.goOn()
	h.answeredOnce(act)
}

func TestDiscordGaps(t *testing.T) {
	t.Parallel()
	h := newDiscordHouse(t)
	h.start()
	h.answered(h.ask(discordtest.General, askUnknown), "could not find")
	answer := h.answered(h.mention(discordtest.General, askReturn), saysReturn)
	h.Send(h.Click(discordtest.Bob, answer, "v1:bad"))
	h.must(h.Await(h.within(), func(st *discordtest.State) bool {
		_, open := st.Modal(discordtest.Bob)
		return open
	}))
	h.Send(h.Submit(discordtest.Bob, map[string]string{"comment": "out of date"}))
	h.told(discordtest.Bob, "Thank you")
	code, out := h.run("gaps")
	for _, want := range []string{"did not answer 2 questions", askUnknown, askReturn, "1 person said it was not right"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, without %q:\n%s", code, want, out)
		}
	}
}

func TestDiscordDoctor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		config string
		amiss  func(*discordtest.Server)
		code   int
		words  []string
	}{
		{"good", "", func(*discordtest.Server) {}, exitOK, []string{"Citebot"}},
		{"intent missing", inForum, func(*discordtest.Server) {}, exitError, []string{"Bot → Privileged Gateway Intents → Message Content Intent"}},
		{"permission missing", "", func(s *discordtest.Server) {
			s.Alter(discordtest.Staff, func(c *discordtest.Channel) { c.NoSend = true })
		}, exitError, []string{"#staff", "Send Messages"}},
		{"token refused", "", func(s *discordtest.Server) { s.Revoke() }, exitError, []string{"DISCORD_TOKEN"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, houseConfig+inDiscord+test.config).joinDiscord()
			h.env = []string{"BOT_PUBLIC_URL=https://bot.example.com"}
			test.amiss(h.Server)
			code, out := h.run("doctor")
			t.Logf("\n%s", out)
			if code != test.code {
				t.Errorf("exit code %d", code)
			}
			for _, want := range test.words {
				if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
					t.Errorf("without %q", want)
				}
			}
		})
	}
}
