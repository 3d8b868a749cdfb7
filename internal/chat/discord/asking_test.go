package discord

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/citations"
)

func TestAskIsDeferredAndEdited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long for shoes?", false))
	m := f.reply(act, `As public to "how long for shoes?": 30 days.`, "[1]", "Returns")
	if links := m.Links(); !slices.Contains(links, sourcesAt+"h1") {
		t.Errorf("links: %q", links)
	}
	f.idle()
	f.replies(act, 1)
	if i, _ := f.Interaction(act.Interaction); i.Callback != 5 || !i.Edited || i.Latency > time.Second {
		t.Errorf("not a deferral that was edited: %+v", i)
	}
	if len(f.Ephemerals(discordtest.Alice)) > 0 {
		t.Error("the answer is hidden from others")
	}

	// Who replies to the answer goes on with the conversation.
	next := f.Send(f.Reply(discordtest.Bob, discordtest.General, m.ID, "and for boots?", true))
	f.reply(next, `to "and for boots?"`, `After "how long for shoes?"`)
}

func TestPrivateAnswerIsForTheAskerAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.Staff, "how long?", true))
	m := f.whisper(discordtest.Alice, "As public+staff", "30 days")
	f.idle()
	if posts := f.Posts(discordtest.Staff); len(posts) > 0 {
		t.Fatalf("others see %s", posts[0].Plain())
	}
	// Only the asker shares it, once, and all see who asked what.
	f.Send(f.Click(discordtest.Alice, m, idShare))
	shared, err := f.AwaitPost(f.ctx, discordtest.Staff, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), "30 days") })
	if err != nil {
		t.Fatal(err)
	}
	if !hasWords(shared.Plain(), []string{"Alice asked", "how long?"}) {
		t.Errorf("shared as\n%s", shared.Plain())
	}
	f.Send(f.Click(discordtest.Alice, m, idShare))
	f.whisper(discordtest.Alice, saySharedAlready)
	f.idle()
	if posts := f.Posts(discordtest.Staff); len(posts) != 1 {
		t.Errorf("%d posts", len(posts))
	}
	f.replies(act, 1)
}

// A private answer is part of no conversation that others read.
func TestPrivateQuestionIsNoHistory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Ask(discordtest.Alice, discordtest.Thread, "a secret?", true))
	f.whisper(discordtest.Alice, "a secret?")
	f.idle()
	act := f.Send(f.Mention(discordtest.Bob, discordtest.Thread, "how long?"))
	if m := f.reply(act, `"how long?"`); strings.Contains(m.Plain(), "a secret") {
		t.Errorf("it says\n%s", m.Plain())
	}
}

func TestLongAnswerGoesOnInOrder(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		f := newFixture(t)
		f.begin()
		act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "tell me at length", private))
		f.reply(act, "Statement 39")
		f.idle()
		var said strings.Builder
		for _, m := range f.Replies(act) {
			said.WriteString(m.Plain() + "\n")
		}
		last := -1
		for i := range 40 {
			at := strings.Index(said.String(), "Statement "+[]string{"0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "8 ", "9 "}[i%10])
			if i < 10 && at < last {
				t.Errorf("statement %d stands before the one before it", i)
			}
			if i < 10 {
				last = at
			}
		}
		if n := len(f.Replies(act)); n < 2 || strings.Count(said.String(), "Statement ") < 40 {
			t.Errorf("%d messages, %d statements", n, strings.Count(said.String(), "Statement "))
		}
		i, _ := f.Interaction(act.Interaction)
		for _, m := range f.Replies(act) {
			if private != (m.For != "") {
				t.Errorf("private is %v, but a message is not: %+v", private, i)
			}
		}
		f.stop()
	}
}

func TestAskWithNothingToSay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.Ask(discordtest.Alice, discordtest.General, "  ", false))
	f.whisper(discordtest.Alice, "/ask")
	f.Send(f.Command(discordtest.Alice, discordtest.General, "long_forgotten"))
	f.whisper(discordtest.Alice, sayNotKnown)
	act := f.Send(f.Ask(discordtest.Bob, discordtest.General, "nothing at all?", false))
	m := f.reply(act, "could not find")
	if len(m.Links()) > 0 || strings.Contains(m.Plain(), "[1]") {
		t.Errorf("an answer that is none has sources:\n%s", m.Plain())
	}
}

// Who asks too much learns so in place of an answer, and nothing is left thinking.
func TestAskBeyondTheLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	for range 20 {
		if _, err := f.AwaitCallback(f.ctx, f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", true))); err != nil {
			t.Fatal(err)
		}
	}
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "and how long?", false))
	if i, err := f.AwaitCallback(f.ctx, act); err != nil || i.Callback != 4 || !i.Private {
		t.Fatalf("%+v, %v", i, err)
	}
	f.whisper(discordtest.Alice, "faster than I may answer")
	mention := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	f.reply(mention, "faster than I may answer")
	f.replies(mention, 1)
}

func TestAnswerThis(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	said := f.Send(f.Chat(discordtest.Bob, discordtest.General, "how long do I have?"))
	act := f.Send(f.AnswerThis(discordtest.Alice, discordtest.General, said.Message))
	f.reply(act, `to "how long do I have?"`)
	f.idle()
	f.Send(f.AnswerThis(discordtest.Bob, discordtest.General, said.Message))
	f.whisper(discordtest.Bob, sayAnsweredAlready)
	f.Send(f.AnswerThis(discordtest.Alice, discordtest.General, f.Replies(act)[0].ID))
	f.whisper(discordtest.Alice, sayNothingToAnswer)
	f.silent(said)
}

func TestSources(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	for partial, want := range map[string]int{"": 2, "warr": 1, "no such thing": 0} {
		act := f.Send(f.Autocomplete(discordtest.Alice, discordtest.General, partial))
		i, err := f.AwaitCallback(f.ctx, act)
		if err != nil || len(i.Choices) != want || i.Callback != 8 {
			t.Errorf("%q: %+v, %v", partial, i, err)
		}
	}
	f.Send(f.Sources(discordtest.Alice, discordtest.General, "returns.md"))
	m := f.whisper(discordtest.Alice, "Returns", "Refunds")
	if links := m.Links(); !slices.Contains(links, sourcesAt+"h2") {
		t.Errorf("links: %q", links)
	}
	f.Send(f.Sources(discordtest.Bob, discordtest.General, "warran")) // typed, not chosen
	f.whisper(discordtest.Bob, "Warranty")
	f.Send(f.Sources(discordtest.Bob, discordtest.General, "staff/secret.md"))
	f.whisper(discordtest.Bob, "no such document")
}

func TestKBStatus(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Send(f.KBStatus(discordtest.Admin, discordtest.Staff))
	f.whisper(discordtest.Admin, "broken.md", "no UTF-8", "staff")
}

func TestCommandsAreRegisteredOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for range 2 {
		f.begin()
		f.wait("the commands", func() bool { return len(f.Commands("")) == len(commands()) })
		f.stop()
	}
	if n := f.Calls(discordtest.PutCommands); n != 1 {
		t.Errorf("registered %d times", n)
	}
}

func TestFeedback(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	m := f.reply(act, "30 days")
	f.idle()
	f.stop()
	f.begin() // the buttons work in the next life

	f.Send(f.Click(discordtest.Alice, m, idGood))
	f.whisper(discordtest.Alice, sayThanks)
	f.Send(f.Click(discordtest.Bob, m, idBad))
	if err := f.Await(f.ctx, func(st *discordtest.State) bool { _, open := st.Modal(discordtest.Bob); return open }); err != nil {
		t.Fatal(err)
	}
	f.Send(f.Submit(discordtest.Bob, map[string]string{inputComment: " out of date "}))
	f.whisper(discordtest.Bob, sayThanks)
	f.Send(f.Click(discordtest.Admin, m, idBad))
	if err := f.Await(f.ctx, func(st *discordtest.State) bool { _, open := st.Modal(discordtest.Admin); return open }); err != nil {
		t.Fatal(err)
	}
	f.Send(f.SubmitLabelled(discordtest.Admin, map[string]string{inputComment: "wrong document"}))
	f.whisper(discordtest.Admin, sayThanks)

	var turn int64
	for _, b := range m.Buttons() {
		if kind, of := button(b.CustomID); kind == idGood {
			turn = of
		}
	}
	all, err := f.ledger.Feedback(t.Context(), turn)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range all {
		got[o.User] = map[bool]string{true: "good", false: "bad"}[o.Good] + " " + o.Comment
	}
	want := map[string]string{discordtest.Alice: "good ", discordtest.Bob: "bad out of date", discordtest.Admin: "bad wrong document"}
	for user, opinion := range want {
		if got[user] != opinion {
			t.Errorf("%s thinks %q, want %q", user, got[user], opinion)
		}
	}
	f.Send(f.ClickStale(discordtest.Alice, m, "v0:who-knows"))
	f.whisper(discordtest.Alice, sayNotKnown)
	f.Send(f.ClickStale(discordtest.Alice, m, idGood+"99999999999999999999"))
	f.silent()
}

func TestAskAPerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.Mention(discordtest.Alice, discordtest.General, "how long?"))
	m := f.reply(act, "30 days")
	f.Send(f.Click(discordtest.Bob, m, idPerson))
	f.whisper(discordtest.Bob, sayCalledHere)
	call, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return len(m.Pinged()) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if pinged := call.Pinged(); len(pinged) != 1 || !strings.Contains(pinged[0], discordtest.Helpers) || !strings.Contains(call.Plain(), "how long?") {
		t.Errorf("calls %q:\n%s", pinged, call.Plain())
	}
	f.Send(f.Click(discordtest.Alice, m, idPerson))
	f.whisper(discordtest.Alice, sayCalledAlready)
}

// A private question is shown to others only after its asker has agreed to that.
func TestAskAPersonInPrivate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	act := f.Send(f.DM(discordtest.Alice, "how long?"))
	m := f.reply(act, "30 days")
	f.Send(f.Click(discordtest.Alice, m, idReveal))
	ask := f.whisper(discordtest.Alice, sayReveal)
	if len(f.Posts(discordtest.Help)) > 0 {
		t.Fatal("shown before it was agreed to")
	}
	f.Send(f.Click(discordtest.Alice, ask, idCall))
	call, err := f.AwaitPost(f.ctx, discordtest.Help, func(m discordtest.Message) bool { return len(m.Pinged()) > 0 })
	if err != nil || !strings.Contains(call.Plain(), "how long?") {
		t.Fatalf("%v\n%s", err, call.Plain())
	}
}

// What takes longer than Discord keeps a reply open is a message that says so.
func TestAnswerThatComesTooLate(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		f := newFixture(t)
		release := make(chan struct{})
		f.answer = func(ctx context.Context, q chat.Question) (citations.Answer, error) {
			if !strings.Contains(q.Text, "slowly") {
				return answerFor(q), nil
			}
			select {
			case <-release:
			case <-ctx.Done():
			}
			return answerFor(q), nil
		}
		f.alter = func(d *Discord) { d.settleWithin = 50 * time.Millisecond }
		f.begin()
		act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "slowly?", private))
		if _, err := f.AwaitCallback(f.ctx, act); err != nil {
			t.Fatal(err)
		}
		f.Expire(act.Interaction)
		time.Sleep(60 * time.Millisecond) // older than settleWithin
		close(release)
		where := discordtest.General
		if private {
			where = discordtest.DirectOf(discordtest.Alice)
		}
		m, err := f.AwaitPost(f.ctx, where, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), "slowly?") })
		if err != nil || !strings.Contains(m.Plain(), sayLate) {
			t.Errorf("%v\n%s", err, m.Plain())
		}
		f.idle()
		if private && len(f.Posts(discordtest.General)) > 1 { // the deferral is one
			t.Error("a private answer is shown to all")
		}
		f.stop()
	}
}

// Pages that come too late do not take those away that came in time.
func TestPagesThatComeTooLate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.alter = func(d *Discord) { d.replyFor = 2 * time.Second } // in which a busy machine shows the first page
	f.begin()
	f.Fail(discordtest.CreateFollowup, 1, discordtest.RateLimited(2500*time.Millisecond))
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "tell me at length", false))
	_, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), "Statement 39") })
	if err != nil {
		t.Fatal(err)
	}
	f.idle()
	f.reply(act, "Statement 0 ")
	if n := len(f.Posts(discordtest.General)); n != 3 {
		t.Errorf("%d posts", n)
	}
}

// What takes longer than a reply stays open leaves no note that an answer is coming.
func TestNoteIsTakenBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.alter = func(d *Discord) { d.replyFor = 0 }
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	_, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return hasWords(m.Plain(), []string{sayLate, "how long?"}) })
	if err != nil {
		t.Fatal(err)
	}
	f.idle()
	f.replies(act, 0)
	if n := len(f.Posts(discordtest.General)); n != 1 {
		t.Errorf("%d posts", n)
	}
}
