package discord

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/citations"
)

// Discord may take a moment to read a response that it was given over HTTP; an answer that
// comes earlier is not late.
func TestReplyBeforeTheResponseIsRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	f.Fail(discordtest.EditOriginal, 2, discordtest.Refused(http.StatusNotFound, 10015))
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	if m := f.reply(act, "how long?"); strings.Contains(m.Plain(), sayLate) {
		t.Errorf("it says %s", m.Plain())
	}
	f.idle()
	if n := len(f.Posts(discordtest.General)); n != 1 {
		t.Errorf("%d posts", n)
	}
}

// To an interaction whose response came too late nothing can be said but in a message.
func TestResponseThatCameTooLate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.begin()
	f.Fail(discordtest.Callback, 1, discordtest.Refused(http.StatusNotFound, 10062))
	f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), sayLate) }); err != nil {
		t.Fatalf("%v\n%s", err, f.log)
	}
	f.idle()
	if n := f.Calls(discordtest.EditOriginal); n > 0 {
		t.Errorf("%d replies were tried", n)
	}
}

// A question that is deleted while its answer is looked for leaves no note that one is coming.
func TestDeletedWhileAnswered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	asked := make(chan bool, 1)
	f.answer = func(ctx context.Context, _ chat.Question) (citations.Answer, error) {
		asked <- true
		<-ctx.Done()
		return citations.Answer{}, ctx.Err()
	}
	f.begin()
	said := f.Send(f.Chat(discordtest.Bob, discordtest.General, "how long do I have?"))
	act := f.Send(f.AnswerThis(discordtest.Alice, discordtest.General, said.Message))
	if _, err := f.AwaitCallback(f.ctx, act); err != nil {
		t.Fatal(err)
	}
	<-asked
	f.Send(f.Delete(discordtest.General, said.Message))
	f.wait("the note to go", func() bool { return len(f.Posts(discordtest.General)) == 0 })
	f.idle()
}

// Nor does an answer that Discord takes in no form.
func TestReplyThatIsRefusedInAnyForm(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		f := newFixture(t)
		f.begin()
		f.Fail(discordtest.EditOriginal, 2, discordtest.Refused(http.StatusBadRequest, 50035))
		act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", private))
		f.wait("giving up", func() bool { return strings.Contains(f.log.String(), "an answer could not be posted") })
		f.wait("the note to go", func() bool { return len(f.Replies(act)) == 0 })
		f.stop()
	}
}

// Who comes for the same command again has had the response, of whatever kind.
func TestCommandsOverHTTPTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.http = true
	f.begin()
	for _, act := range []*discordtest.Act{
		f.Sources(discordtest.Alice, discordtest.General, "returns.md"), f.KBStatus(discordtest.Admin, discordtest.General),
		f.Autocomplete(discordtest.Alice, discordtest.General, "ret"),
	} {
		f.Send(act)
		if i, _ := f.Interaction(act.Interaction); i.Callback == 0 {
			t.Errorf("no response: %+v", i)
		}
		if again, err := f.Deliver(f.ctx, act.Events[0], discordtest.Spoil{}); err != nil || again.Status != http.StatusConflict {
			t.Errorf("%+v, %v", again, err)
		}
	}
}

// That an interaction's token is worth nothing any more says nothing of the bot's own.
func TestExpiredReply(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	release := f.answersLater()
	f.alter = func(d *Discord) { d.settleWithin = 0 }
	f.begin()
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	if _, err := f.AwaitCallback(f.ctx, act); err != nil {
		t.Fatal(err)
	}
	f.Expire(act.Interaction)
	release()
	if _, err := f.AwaitPost(f.ctx, discordtest.General, func(m discordtest.Message) bool { return strings.Contains(m.Plain(), sayLate) }); err != nil {
		t.Fatalf("%v\n%s", err, f.log)
	}
	if connected, problem := f.discord.Ready(); !connected || problem != "" {
		t.Errorf("Ready: %v, %q", connected, problem)
	}
}

// A question that is deleted before the desk has come to it leaves no note that an answer is
// coming.
func TestDeletedWhileQueued(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	asked, release := make(chan bool, 20), make(chan struct{})
	f.answer = func(_ context.Context, q chat.Question) (citations.Answer, error) {
		asked <- true
		<-release
		return answerFor(q), nil
	}
	f.begin()
	for _, user := range []string{discordtest.Alice, discordtest.Bob, discordtest.Admin, discordtest.Mallory} { // as many as the desk has workers
		f.Send(f.DM(user, "slowly?"))
		<-asked
	}
	said := f.Send(f.Chat(discordtest.Bob, discordtest.General, "how long do I have?"))
	act := f.Send(f.AnswerThis(discordtest.Alice, discordtest.General, said.Message))
	if _, err := f.AwaitCallback(f.ctx, act); err != nil {
		t.Fatal(err)
	}
	f.Send(f.Delete(discordtest.General, said.Message))
	f.wait("the question to be withdrawn", func() bool {
		turn, err := f.ledger.ByMessage(t.Context(), chat.Place{Platform: "discord", Team: discordtest.Guild, Channel: discordtest.General}, said.Message)
		return err == nil && turn.Reason != ""
	})
	close(release)
	f.idle()
	f.wait("the note to go", func() bool { return len(f.Posts(discordtest.General)) == 0 })
}

// Nor does one whose answer is refused in the bot's next life.
func TestRefusedInTheNextLife(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.alter = impatient
	f.begin()
	crash := f.crashAt(discordtest.EditOriginal, false)
	act := f.Send(f.Ask(discordtest.Alice, discordtest.General, "how long?", false))
	crash()
	f.Fail(discordtest.EditOriginal, 2, discordtest.Refused(400, 50035))
	f.begin()
	f.idle()
	f.wait("the note to go", func() bool { return len(f.Replies(act)) == 0 })
}
