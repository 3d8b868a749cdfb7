package chat

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/citations"
	"citebot/internal/ledger"

	"github.com/google/go-cmp/cmp"
)

// moody is a board whose methods a test may replace.
type moody struct {
	*board
	send      func(ctx context.Context, p Post, draft string) (string, error, bool)
	remove    func() error
	audiences func() []string
	sends     int
	sync.Mutex
}

func (m *moody) Send(ctx context.Context, p Post, draft string) (string, error) {
	m.Lock()
	m.sends++
	m.Unlock()
	if m.send != nil {
		if id, err, done := m.send(ctx, p, draft); done {
			return id, err
		}
	}
	return m.board.Send(ctx, p, draft)
}

func (m *moody) Remove(ctx context.Context, p Post, id string) error {
	if m.remove != nil {
		if err := m.remove(); err != nil {
			return err
		}
	}
	return m.board.Remove(ctx, p, id)
}

func (m *moody) Audiences(ctx context.Context, p Place, outside bool) ([]string, error) {
	if m.audiences != nil {
		return m.audiences(), nil
	}
	return m.board.Audiences(ctx, p, outside)
}

var thread = Place{Platform: "board", Team: "team", Channel: "C", Thread: "T"}

// A redelivered mention must not end the silence that calling a person began.
func TestDeskRedeliveredMentionEndsSilence(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		q := Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}, Keys: []string{"message:1"}}
		r.accept(q)
		settle()
		turns, _ := r.ledger.History(t.Context(), thread, 0, time.Time{}, 1)
		r.accept(Message{Via: Handoff, Of: turns[0].ID, Keys: []string{"person:T"}, Place: Place{Thread: "T"}})
		settle()
		if r.accept(q) { // Slack's third delivery, five minutes later
			t.Fatal("not a duplicate")
		}
		if quiet, _ := r.desk.quiet(t.Context(), thread); !quiet {
			t.Error("a redelivered mention made the bot speak up among people again")
		}
		r.stop()
	})
}

// A second click on "Ask a person" is told "asked already"; it must not silence a thread
// in which the bot was named again since.
func TestDeskDuplicateHandoffSilencesAgain(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		settle()
		turns, _ := r.ledger.History(t.Context(), thread, 0, time.Time{}, 1)
		call := Message{Via: Handoff, Of: turns[0].ID, Keys: []string{"person:T"}, Place: Place{Thread: "T"}}
		r.accept(call)
		settle()
		r.accept(Message{ID: "2", Text: "bot, how wide?", Place: Place{Thread: "T"}})
		settle()
		r.accept(call)
		if quiet, _ := r.desk.quiet(t.Context(), thread); quiet {
			t.Error("a click that called nobody made the bot quiet")
		}
		r.stop()
	})
}

// A platform that always fails in an unknown way is tried less and less often.
func TestDeskBackoffWhenFindWorksAndSendDoesNot(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		m := &moody{board: &board{}, send: func(context.Context, Post, string) (string, error, bool) { return "", ErrUnknown, true }}
		r := startOn(t, path, m, m.board, nil)
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if m.sends > 30 {
			t.Errorf("%d posts tried in ten minutes", m.sends)
		}
		r.stop()
	})
}

// A deletion while it is not known whether the post was made still counts.
func TestDeskWithdrawWhilePosting(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{faults: []fault{dropped}}, nil)
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if err := r.desk.Withdraw(t.Context(), thread, "1"); err != nil {
			t.Fatal(err)
		}
		settle()
		r.want("")
		r.stop()
	})
}

// Kill after the deletion is written and before the placeholder is gone.
func TestDeskPlaceholderOfWithdrawnAfterKill(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		m := &moody{board: &board{}}
		alter := func(d *Desk) { d.cfg.Answer = slowly(slowly(d.cfg.Answer)) }
		r := startOn(t, path, m, m.board, alter)
		m.remove = func() error { // the process dies here
			r.ledger.Close()
			runtime.Goexit()
			return nil
		}
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		time.Sleep(draftAfter + time.Second/2)
		synctest.Wait()
		r.want("…")
		if err := r.desk.Withdraw(t.Context(), thread, "1"); err != nil {
			t.Fatal(err)
		}
		settle()
		r.stop()
		m.remove = nil
		r = startOn(t, path, m, m.board, alter)
		settle()
		r.want("")
		r.stop()
	})
}

// A placeholder whose removal is rate limited is removed later.
func TestDeskPlaceholderRemovalIsLimited(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		m := &moody{board: &board{}}
		left := 1
		m.remove = func() error {
			if left--; left >= 0 {
				return &Wait{For: time.Second, Err: errors.New("slow down")}
			}
			return nil
		}
		r := startOn(t, path, m, m.board, func(d *Desk) { d.cfg.Answer = slowly(slowly(d.cfg.Answer)) })
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		time.Sleep(draftAfter + time.Second/2)
		synctest.Wait()
		if err := r.desk.Stop(t.Context(), thread); err != nil {
			t.Fatal(err)
		}
		settle()
		r.want("")
		r.stop()
	})
}

// A placeholder that cannot be edited (someone deleted it) does not cost the answer.
func TestDeskPlaceholderIsGone(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		m := &moody{board: &board{}}
		m.send = func(_ context.Context, p Post, draft string) (string, error, bool) {
			return "", errors.New("message_not_found"), draft != ""
		}
		r := startOn(t, path, m, m.board, func(d *Desk) { d.cfg.Answer = slowly(d.cfg.Answer) })
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		settle()
		settle()
		if !strings.Contains(r.board.visible(), "re: how long?") {
			t.Errorf("the answer is lost: %q", r.board.visible())
		}
		r.stop()
	})
}

// People who talk to each other in a thread are not told that they ask too fast.
func TestDeskChatterIsToldOfLimits(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) {
			d.cfg.Limits = map[string]Limits{"board": {PerPerson: 3}}
			d.cfg.Answer = answerWith(citations.NoAnswer)
		})
		r.accept(Message{ID: "0", Text: "how long is it?", Place: Place{Thread: "T"}})
		settle()
		for i := range 6 {
			r.accept(Message{ID: fmt.Sprint("c", i), Text: "ok then we do that", Via: FollowUp, Place: Place{Thread: "T"}})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(r.board.told) > 0 {
			t.Errorf("told people who were not asking: %q", r.board.told)
		}
		r.stop()
	})
}

// Limits: "PerChannel: private ones not counted".
func TestDeskPrivateCountsForChannel(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) { d.cfg.Limits = map[string]Limits{"board": {PerChannel: 2}} })
		for i := range 2 {
			r.accept(Message{Text: "how long?", User: fmt.Sprint("u", i), Via: Command, ReplyURL: "https://reply.example/1", Keys: []string{fmt.Sprint("command:", i)}})
		}
		settle2 := func() { time.Sleep(time.Second); synctest.Wait() }
		settle2()
		r.accept(Message{ID: "1", Text: "and in public?", Place: Place{Thread: "T"}})
		settle2()
		if !strings.Contains(r.board.visible(), "and in public?") {
			t.Errorf("private questions used up the channel's: %q told %q", r.board.visible(), r.board.told)
		}
		r.stop()
	})
}

// "A panic ends the turn, not the bot": also in a turn that is being posted.
func TestDeskPanicWhilePosting(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) {
			d.at = func(point string) {
				if point == "posting sent" {
					panic("boom")
				}
			}
		})
		r.accept(Message{ID: "1", Text: "one", Place: Place{Thread: "1"}})
		settle()
		settle()
		if left, _ := r.ledger.Unfinished(t.Context()); len(left) > 0 {
			t.Errorf("neither ended nor tried again: %+v", left)
		}
		r.stop()
	})
}

// An outage of half an hour costs no answer.
func TestDeskOutageOfHalfAnHour(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(30 * time.Minute)
		m := &moody{board: &board{}}
		m.send = func(context.Context, Post, string) (string, error, bool) {
			return "", &Wait{For: 30 * time.Second, Err: errors.New("invalid_auth")}, time.Now().Before(end)
		}
		r := startOn(t, path, m, m.board, nil)
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		time.Sleep(40 * time.Minute)
		synctest.Wait()
		r.want("re: how long? [public]")
		r.stop()
	})
}

// A question that is deleted between two pages leaves no half of an answer.
func TestDeskWithdrawBetweenPages(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{pages: 2, faults: []fault{none, limited}}, nil)
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		if err := r.desk.Withdraw(t.Context(), thread, "1"); err != nil {
			t.Fatal(err)
		}
		settle()
		if v := r.board.visible(); strings.Count(v, "\n") == 0 && v != "" {
			t.Errorf("half an answer stands: %q", v)
		}
		r.stop()
	})
}

// What is shared is what the channel's readers may see now, not when it was asked.
func TestDeskShareAfterChannelWasOpened(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		now := []string{"public", "staff"}
		m := &moody{board: &board{}, audiences: func() []string { return now }}
		r := startOn(t, path, m, m.board, nil)
		r.accept(Message{Text: "how long?", Via: Command, ReplyURL: "https://reply.example/1"})
		settle()
		now = []string{"public"} // people from outside joined
		private, _ := r.ledger.History(t.Context(), Place{Platform: "board", Team: "team", Channel: "C"}, 0, time.Time{}, 1)
		r.accept(Message{Via: Share, Of: private[0].ID, Keys: []string{"share:1"}})
		settle()
		if strings.Count(r.board.visible(), "staff") > 1 {
			t.Errorf("staff's answer is shown to strangers:\n%s", r.board.visible())
		}
		r.stop()
	})
}

// An answer to words that are no longer there does not stay when the new words get none.
func TestDeskEditToWhatGetsNoAnswer(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) {
			d.cfg.Answer = func(ctx context.Context, q Question, p func(Progress)) (citations.Answer, error) {
				v := citations.Answered
				if strings.Contains(q.Text, "unsure") {
					v = citations.Unsure
				}
				return answerWith(v)(ctx, q, p)
			}
		})
		r.accept(Message{ID: "1", Text: "how long does it take?", Via: Overheard, Place: Place{Thread: "T"}})
		settle()
		if _, err := r.desk.Edit(t.Context(), thread, "1", "unsure how wide is it?"); err != nil {
			t.Fatal(err)
		}
		settle()
		if strings.Contains(r.board.visible(), "how long") {
			t.Errorf("an answer to the old words stands: %q", r.board.visible())
		}
		r.stop()
	})
}

// How long it takes to stop.
func TestDeskStopsInTime(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		m := &moody{board: &board{}}
		m.send = func(ctx context.Context, p Post, draft string) (string, error, bool) {
			ctx, cancel := context.WithTimeout(ctx, 15*time.Second) // as package slack does
			defer cancel()
			<-ctx.Done()
			return "", ErrUnknown, true
		}
		r := startOn(t, path, m, m.board, func(d *Desk) {
			d.cfg.Answer = func(ctx context.Context, q Question, p func(Progress)) (citations.Answer, error) {
				<-ctx.Done()
				return citations.Answer{}, ctx.Err()
			}
		})
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		time.Sleep(time.Second)
		synctest.Wait()
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > stopWithin+time.Second {
			t.Errorf("stopped after %v", took)
		}
	})
}

// A message that the bot let pass is no question that an edit could only reword.
func TestDeskEditOfSilentTurn(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) {
			d.cfg.Answer = func(ctx context.Context, q Question, p func(Progress)) (citations.Answer, error) {
				v := citations.Answered
				if strings.Contains(q.Text, "unsure") {
					v = citations.Unsure
				}
				return answerWith(v)(ctx, q, p)
			}
		})
		r.accept(Message{ID: "1", Text: "unsure how long does it take?", Via: Overheard, Place: Place{Thread: "T"}})
		settle()
		known, err := r.desk.Edit(t.Context(), thread, "1", "now with the bot named")
		if known || err != nil { // "known is false when the message was no question"
			t.Errorf("a turn that was dropped in silence counts as known: the caller cannot make it a mention (%v, %v)", known, err)
		}
		r.stop()
	})
}

// A platform whose calls hang holds up no other.
func TestDeskPlatformsDoNotWaitForEachOther(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		hung := &hangs{board: &board{}, until: make(chan struct{})}
		other := &named{board: &board{}, name: "other"}
		ctx, cancel := context.WithCancel(t.Context())
		l, err := ledger.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDesk(DeskConfig{Ledger: l, Answer: answerWith(citations.Answered)})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- d.Run(ctx, hung, other) }()
		for i := range 2 * workers {
			id := fmt.Sprint(i)
			for _, p := range []Platform{hung, other} {
				m := Message{Place: Place{Platform: p.Name(), Channel: "C" + id, Thread: id}, ID: id, User: "u" + id, Text: "how long?", Via: Mention, Keys: []string{id}}
				if _, err := d.Accept(ctx, p, m); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := strings.Count(other.visible(), "how long?"); n != 2*workers {
			t.Errorf("%d of %d answers where nothing hangs", n, 2*workers)
		}
		close(hung.until)
		settle()
		if n := strings.Count(hung.visible(), "how long?"); n != 2*workers {
			t.Errorf("%d of %d answers where posts hung", n, 2*workers)
		}
		cancel()
		if err := errors.Join(<-done, l.Close()); err != nil {
			t.Error(err)
		}
	})
}

// named is a board by another name.
type named struct {
	*board
	name string
}

func (n *named) Name() string { return n.name }

// hangs is a board whose posts hang for a while.
type hangs struct {
	*board
	until chan struct{}
}

func (h *hangs) Send(ctx context.Context, p Post, draft string) (string, error) {
	<-h.until
	return h.board.Send(ctx, p, draft)
}

// Who asks too much by a command is told each time: there is an acknowledgement to fill.
func TestDeskTellsOfLimitsInTheReceipt(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) { d.cfg.Limits = map[string]Limits{"board": {PerPerson: 1}} })
		var notices []string
		for i := range 3 {
			receipt, err := r.desk.Accept(t.Context(), r.board, Message{Place: at("C", ""), User: "ann", Text: "how long?", Via: Command, ReplyURL: "https://reply.example/1", Keys: []string{fmt.Sprint(i)}})
			if err != nil || !receipt.Fresh {
				t.Fatalf("%+v, %v", receipt, err)
			}
			notices = append(notices, receipt.Notice)
		}
		settle()
		if diff := cmp.Diff([]string{"", sayPersonLimit, sayPersonLimit}, notices); diff != "" || len(r.board.told) > 0 {
			t.Errorf("%s\ntold: %q", diff, r.board.told)
		}
		r.stop()
	})
}
