package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/citations"
	"citebot/internal/kb"
	"citebot/internal/ledger"

	"github.com/google/go-cmp/cmp"
)

// A search that hangs, and does not listen when it is told to end, takes so many goroutines
// with it and no more. When it comes back the bot answers again.
func TestDeskHangingAnswersAreBounded(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		var hanging, most atomic.Int64
		hang := make(chan struct{})
		r := start(t, path, &board{}, func(d *Desk) {
			answer := d.cfg.Answer
			d.cfg.Answer = func(ctx context.Context, q Question, progress func(Progress)) (citations.Answer, error) {
				most.Store(max(most.Load(), hanging.Add(1)))
				defer hanging.Add(-1)
				<-hang
				return answer(ctx, q, progress)
			}
		})
		for i := range 3 * maxAnswers {
			r.accept(Message{ID: fmt.Sprint(i), Place: Place{Channel: fmt.Sprint("C", i)}, Text: "how long?"})
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if most.Load() != maxAnswers {
			t.Errorf("%d answers hang at once, want %d", most.Load(), maxAnswers)
		}
		close(hang)
		settle()
		r.accept(Message{ID: "last", Place: Place{Channel: "last"}, Text: "and now?"})
		settle()
		r.board.mu.Lock()
		last := r.board.posts[len(r.board.posts)-1]
		r.board.mu.Unlock()
		if n := len(r.board.posts); n != 3*maxAnswers+1 || last.text != "re: and now? [public]" {
			t.Errorf("%d posts, the last is %q", n, last.text)
		}
		r.stop()
	})
}

// A platform's queue is bounded: who comes when it is full is told so, and is not kept.
func TestDeskFullQueue(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		for i := range maxWaiting { // that wait for their moment
			r.desk.queue("board").add(&job{turn: int64(1000 + i), lane: at("full", ""), ready: time.Now().Add(time.Hour)})
		}
		r.accept(Message{ID: "1", Text: "how long?"})
		r.accept(Message{ID: "2", Text: "how wide?"}) // told once a minute
		settle()
		if diff := cmp.Diff([]string{"ann: " + sayBusy}, r.board.told); diff != "" {
			t.Error(diff)
		}
		if n := r.desk.waiting(); n != maxWaiting {
			t.Errorf("%d wait", n)
		}
		turn, err := r.ledger.ByMessage(t.Context(), at("C", ""), "1")
		if err != nil || turn.State != ledger.Dropped || turn.Reason != ledger.ReasonBusy {
			t.Errorf("%+v, %v", turn, err)
		}
		r.stop()
	})
}

// slowBoard hears nothing but its contexts.
type slowBoard struct{ *board }

func (b slowBoard) Send(ctx context.Context, _ Post, _ string) (string, error) {
	<-ctx.Done()
	return "", ErrUnknown
}

func (b slowBoard) Tell(ctx context.Context, _ Post, _ string) { <-ctx.Done() }

// A platform that hangs holds up a stop no longer than turns in hand, and after them what
// goes on beside, may take.
func TestDeskStopsWhilePlatformHangs(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		b := slowBoard{&board{}}
		r := startOn(t, path, b, b.board, func(d *Desk) { d.cfg.Limits = map[string]Limits{"board": {PerPerson: 2 * workers}} })
		for i := range 3 * workers {
			m := Message{Place: at(fmt.Sprint("C", i), "T"), ID: fmt.Sprint(i), User: "ann", Text: "how long?", Via: Mention}
			if _, err := r.desk.Accept(t.Context(), b, m); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		told := time.Now()
		r.stop()
		if took := time.Since(told); took > 20*time.Second { // of the 25 that the program has
			t.Errorf("it took %v", took)
		}
	})
}

// What came of each question is told once: not of what is no question, what stays silent,
// and what is answered again because it was edited.
func TestDeskTellsWhatCameOfQuestions(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		counts := map[string]int{}
		r := start(t, path, &board{}, func(d *Desk) {
			d.cfg.Limits = map[string]Limits{"board": {PerPerson: 2}}
			d.cfg.Asked = func(platform, verdict string) {
				mu.Lock()
				defer mu.Unlock()
				counts[platform+" "+verdict]++
			}
			d.cfg.Answer = answersNamed
		})
		r.accept(Message{ID: "1", User: "ann", Text: "answered", Place: Place{Thread: "T"}})
		settle()
		if known, err := r.desk.Edit(t.Context(), thread, "1", "unsure"); !known || err != nil {
			t.Fatal(known, err)
		}
		settle()
		turns, err := r.ledger.History(t.Context(), thread, 0, time.Time{}, 1)
		if err != nil || len(turns) != 1 {
			t.Fatal(turns, err)
		}
		r.accept(Message{Via: Handoff, Of: turns[0].ID, User: "zoe", Keys: []string{"person"}, Place: Place{Thread: "T"}})
		r.accept(Message{ID: "2", User: "bob", Text: "no_answer", Place: Place{Channel: "D"}})
		r.accept(Message{ID: "3", User: "bob", Text: "broken", Place: Place{Channel: "E"}})
		r.accept(Message{ID: "4", User: "bob", Text: "answered", Place: Place{Channel: "F"}})                 // one too many
		r.accept(Message{ID: "5", User: "eve", Text: "unsure", Place: Place{Channel: "G"}, Via: Overheard})   // stays silent
		r.accept(Message{ID: "6", User: "eve", Text: "answered", Place: Place{Channel: "H"}, Via: Overheard}) // does not
		settle()
		for _, channel := range []string{"I", "J", "K"} { // one too many, which nobody is told
			r.accept(Message{ID: channel, User: "kim", Text: "unsure", Place: Place{Channel: channel}, Via: Overheard})
		}
		settle()
		want := map[string]int{"board answered": 2, "board no_answer": 1, "board failed": 1, "board limited": 1}
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Error(diff)
		}
		r.stop()
	})
}

// answersNamed answers with the verdict that it is asked for; "broken" is none.
func answersNamed(_ context.Context, q Question, _ func(Progress)) (citations.Answer, error) {
	if q.Text == "broken" {
		return citations.Answer{}, errors.New("no such index")
	}
	return citations.Answer{Verdict: citations.Verdict(q.Text), Text: q.Text}, nil
}

func TestAnswerObservesStages(t *testing.T) {
	var got []Stage
	observe := func(s Stage, took time.Duration) {
		if took < 0 {
			t.Errorf("%s took %v", s, took)
		}
		got = append(got, s)
	}
	a := &Answerer{Search: finds(hits(document("a.md", "Returns take 30 days."))), Observe: observe}
	ask(t, a, "How long do returns take?")
	if want := []Stage{Searching, Reading, Checking}; !slices.Equal(got, want) {
		t.Errorf("stages %v, want %v", got, want)
	}
	got = nil
	a.Search = func(context.Context, kb.Query) (kb.Results, error) { return kb.Results{}, kb.ErrBusy }
	if _, err := a.Answer(t.Context(), Question{Text: "How long do returns take?"}, nil); !errors.Is(err, kb.ErrBusy) || got != nil {
		t.Errorf("a search that failed counts: %v, %v", got, err)
	}
}
