package chat

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

// A run is one life of a desk. Its time is that of a synctest bubble.
type run struct {
	t      *testing.T
	desk   *Desk
	ledger *ledger.Ledger
	board  *board
	stop   func()
}

// answerWith is an answerer that repeats the question and says as whom and after what it
// was asked.
func answerWith(verdict citations.Verdict) func(context.Context, Question, func(Progress)) (citations.Answer, error) {
	return func(_ context.Context, q Question, _ func(Progress)) (citations.Answer, error) {
		var before []string
		for _, t := range q.History {
			before = append(before, t.Text)
		}
		text := fmt.Sprintf("re: %s %v", q.Text, q.Audiences)
		if len(before) > 0 {
			text += " after " + strings.Join(before, " / ")
		}
		return citations.Answer{Verdict: verdict, Text: text, Notice: "notice"}, nil
	}
}

// start begins a life on the ledger at path. alter may change the desk before it runs.
func start(t *testing.T, path string, b *board, alter func(*Desk)) *run {
	t.Helper()
	return startOn(t, path, b, b, alter)
}

// startOn is start for a platform made of a board.
func startOn(t *testing.T, path string, p Platform, b *board, alter func(*Desk)) *run {
	t.Helper()
	l, err := ledger.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDesk(DeskConfig{Ledger: l, Answer: answerWith(citations.Answered)})
	if err != nil {
		t.Fatal(err)
	}
	if alter != nil {
		alter(d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, p) }()
	r := &run{t: t, desk: d, ledger: l, board: b}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		l.Close()
	})
	return r
}

func ledgerPath(t *testing.T) string { return filepath.Join(t.TempDir(), "ledger.db") }

func at(channel, thread string) Place {
	return Place{Platform: "board", Team: "team", Channel: channel, Thread: thread}
}

// accept hands a message to the desk as if from a person in channel C, thread T.
func (r *run) accept(m Message) bool {
	r.t.Helper()
	if m.Channel == "" {
		m.Channel = "C"
	}
	m.Place = at(m.Channel, m.Thread)
	if m.Via == "" {
		m.Via = Mention
	}
	if m.User == "" {
		m.User = "ann"
	}
	receipt, err := r.desk.Accept(r.t.Context(), r.board, m)
	if err != nil {
		r.t.Fatal(err)
	}
	return receipt.Fresh
}

// settle lets a minute pass, in which the desk does all it has to do.
func settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

func (r *run) want(visible string) {
	r.t.Helper()
	if diff := cmp.Diff(visible, r.board.visible()); diff != "" {
		r.t.Errorf("on the board (-want +got):\n%s", diff)
	}
}

func TestDeskAnswersOnce(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		r := start(t, path, b, nil)
		first := r.accept(Message{ID: "1", Text: "how long?", Keys: []string{"event:1", "message:1"}})
		twin := r.accept(Message{ID: "1", Text: "how long?", Keys: []string{"event:2", "message:1"}})
		again := r.accept(Message{ID: "1b", Text: "how long?", Keys: []string{"event:2", "message:1b"}})
		if !first || twin || again {
			t.Errorf("fresh: %v, %v, %v; want the first only", first, twin, again)
		}
		settle()
		r.stop()
		r = start(t, path, b, nil)
		if r.accept(Message{ID: "1", Text: "how long?", Keys: []string{"message:1b"}}) {
			t.Error("a duplicate was taken for new after a restart")
		}
		settle()
		r.want("re: how long? [public]")
		r.stop()
	})
}

// Each way in which a post can go wrong ends with one post on the board.
func TestDeskPostsOnceDespiteFaults(t *testing.T) {
	for name, faults := range map[string][]fault{
		"lost":                {lost},
		"dropped":             {dropped},
		"limited":             {limited, limited},
		"limited, lost":       {limited, lost},
		"dropped, lost":       {dropped, lost},
		"dropped and dropped": {dropped, dropped, dropped},
	} {
		t.Run(name, func(t *testing.T) {
			path := ledgerPath(t)
			synctest.Test(t, func(t *testing.T) {
				r := start(t, path, &board{faults: faults}, nil)
				r.accept(Message{ID: "1", Text: "how long?"})
				settle()
				settle()
				r.want("re: how long? [public]")
				r.stop()
			})
		})
	}
}

// A process that is killed at any step leaves a ledger from which the next one makes
// exactly one answer, of one page or several, fast or slow.
func TestDeskSurvivesKillAtEveryStep(t *testing.T) {
	for _, test := range []struct {
		name   string
		pages  int
		slow   bool
		edited bool
		points []string
		want   string
	}{
		{name: "one page", pages: 1, points: []string{"received", "answered", "posting sent", "posting answered"},
			want: "re: how long? [public]"},
		{name: "two pages", pages: 2, points: []string{"received", "answered", "posting sent", "posting answered",
			"answered#2", "posting sent#2", "posting answered#2", "answered#3"},
			want: "re: how long? [public] (1 of 2)\nre: how long? [public] (2 of 2)"},
		{name: "slow", pages: 1, slow: true, points: []string{"received", "drafting sent", "drafting answered", "answered", "posting sent", "posting answered"},
			want: "re: how long? [public]"},
	} {
		for _, point := range test.points {
			for _, f := range []fault{none, lost} {
				t.Run(fmt.Sprintf("%s/%s/%d", test.name, point, f), func(t *testing.T) {
					path := ledgerPath(t)
					synctest.Test(t, func(t *testing.T) {
						b := &board{pages: test.pages, faults: []fault{f}}
						alter := func(d *Desk) {
							if test.slow {
								d.cfg.Answer = slowly(d.cfg.Answer)
							}
						}
						r := start(t, path, b, func(d *Desk) {
							alter(d)
							killAt(d, b, point)
						})
						m := Message{ID: "1", Text: "how long?", Place: at("C", "T"), Via: Mention, User: "ann"}
						if _, err := r.desk.Accept(t.Context(), b, m); err != nil && !b.isDead() { // killed before it returns
							t.Fatal(err)
						}
						settle()
						r.stop()
						if !b.dead {
							t.Fatalf("the desk never came to %q", point)
						}
						b.dead = false
						r = start(t, path, b, alter)
						settle()
						r.want(test.want)
						r.stop()
					})
				})
			}
		}
	}
}

func slowly(answer func(context.Context, Question, func(Progress)) (citations.Answer, error)) func(context.Context, Question, func(Progress)) (citations.Answer, error) {
	return func(ctx context.Context, q Question, progress func(Progress)) (citations.Answer, error) {
		time.Sleep(draftAfter + time.Second)
		return answer(ctx, q, progress)
	}
}

// killAt makes the process die when it comes to a point, or with "#2" for the second time:
// from then on nothing reaches the ledger or the board.
func killAt(d *Desk, b *board, point string) {
	point, times, _ := strings.Cut(point, "#")
	left := 1
	if times != "" {
		fmt.Sscan(times, &left)
	}
	d.at = func(at string) {
		if at != point {
			return
		}
		if left--; left == 0 {
			b.mu.Lock()
			b.dead = true
			b.mu.Unlock()
			d.cfg.Ledger.Close()
			runtime.Goexit()
		}
	}
}

func TestDeskKeepsOrderInAThreadOnly(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{faults: []fault{limited}}, nil)
		r.accept(Message{ID: "1", Text: "first", Place: Place{Thread: "T"}})
		time.Sleep(time.Millisecond) // the first meets the fault
		synctest.Wait()
		r.accept(Message{ID: "2", Text: "second", Place: Place{Thread: "T"}})
		r.accept(Message{ID: "3", Text: "elsewhere", Place: Place{Thread: "U"}})
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("re: elsewhere [public]")
		settle()
		r.want("re: elsewhere [public]\nre: first [public]\nre: second [public] after first / re: first [public]")
		r.stop()
	})
}

func TestDeskHistoryIsOfTheThreadAndTheAudience(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		r.accept(Message{Place: Place{Channel: "staff", Thread: "T"}, ID: "1", Text: "one"})
		settle()
		r.accept(Message{Place: Place{Channel: "staff", Thread: "T"}, ID: "2", Text: "two", Outside: true})
		settle()
		r.accept(Message{Place: Place{Channel: "staff", Thread: "T"}, ID: "3", Text: "three", Via: FollowUp})
		settle()
		r.accept(Message{Place: Place{Channel: "D1", Thread: "T4"}, ID: "4", Text: "direct", Via: Direct})
		settle()
		r.accept(Message{Place: Place{Channel: "D1", Thread: "T5"}, ID: "5", Text: "and then?", Via: Direct})
		settle()
		r.want(strings.Join([]string{
			"re: one [public staff]",
			"re: two [public]", // what staff were told is forgotten before strangers
			"re: three [public staff] after one / re: one [public staff] / two / re: two [public]",
			"re: direct [public]",
			"re: and then? [public] after direct / re: direct [public]",
		}, "\n"))
		r.stop()
	})
}

func TestDeskEditAndWithdraw(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		place := at("C", "T")
		r.accept(Message{ID: "1", Text: "how lnog?", Place: Place{Thread: "T"}})
		settle()
		known, err := r.desk.Edit(t.Context(), place, "1", "how long?")
		if !known || err != nil {
			t.Errorf("Edit: %v, %v", known, err)
		}
		settle()
		r.want("re: how long? [public]")

		time.Sleep(editWithin)
		if _, err := r.desk.Edit(t.Context(), place, "1", "how wide?"); err != nil {
			t.Error(err)
		}
		settle()
		r.want("re: how long? [public]")
		if known, err := r.desk.Edit(t.Context(), place, "none", "?"); known || err != nil {
			t.Errorf("Edit of an unknown message: %v, %v", known, err)
		}
		if err := r.desk.Withdraw(t.Context(), place, "1"); err != nil { // what is posted stays
			t.Error(err)
		}
		settle()
		r.want("re: how long? [public]")
		r.stop()
	})
}

// An edit or a deletion that comes at any moment of a slow answer ends in the state of the
// last words: the new answer once, or nothing.
func TestDeskChangeWhileAnswering(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, draftAfter, draftAfter + 500*time.Millisecond, draftAfter + time.Second, 20 * time.Second} {
		for _, what := range []string{"edit", "withdraw", "stop"} {
			t.Run(fmt.Sprint(what, " after ", after), func(t *testing.T) {
				path := ledgerPath(t)
				synctest.Test(t, func(t *testing.T) {
					r := start(t, path, &board{}, func(d *Desk) { d.cfg.Answer = slowly(d.cfg.Answer) })
					place := at("C", "T")
					r.accept(Message{ID: "1", Text: "old", Place: Place{Thread: "T"}})
					time.Sleep(after)
					var err error
					switch what {
					case "edit":
						_, err = r.desk.Edit(t.Context(), place, "1", "new")
					case "withdraw":
						err = r.desk.Withdraw(t.Context(), place, "1")
					case "stop":
						err = r.desk.Stop(t.Context(), place)
					}
					if err != nil {
						t.Error(err)
					}
					settle()
					switch posted := after > draftAfter+time.Second || after == draftAfter+time.Second && r.board.visible() != ""; {
					case what == "edit":
						r.want("re: new [public]")
					case posted:
						r.want("re: old [public]")
					default:
						r.want("")
					}
					r.stop()
				})
			})
		}
	}
}

func TestDeskStaysSilent(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) {
			d.cfg.Answer = func(ctx context.Context, q Question, p func(Progress)) (citations.Answer, error) {
				verdict := citations.NoAnswer
				if strings.Contains(q.Text, "take") {
					verdict = citations.Unsure
				}
				return answerWith(verdict)(ctx, q, p)
			}
		})
		r.accept(Message{ID: "1", Text: "how long does it take?", Via: Overheard})
		settle()
		r.accept(Message{ID: "2", Text: "ok, let us do that then", Via: FollowUp})
		r.accept(Message{ID: "3", Text: "thanks!", Via: FollowUp})
		settle()
		r.want("")
		r.accept(Message{ID: "4", Text: "and how long for shoes?", Via: FollowUp})
		settle()
		r.want("re: and how long for shoes? [public]")
		gaps, err := r.ledger.Gaps(t.Context(), time.Time{})
		var texts []string
		for _, g := range gaps {
			texts = append(texts, g.Text)
		}
		slices.Sort(texts)
		if diff := cmp.Diff([]string{"and how long for shoes?", "how long does it take?"}, texts); diff != "" || err != nil {
			t.Errorf("gaps (-want +got): %v\n%s", err, diff)
		}
		if slices.Contains(r.board.status, ": searching") && strings.Count(strings.Join(r.board.status, ","), "searching") > 1 {
			t.Errorf("showed that it works on what it is silent about: %q", r.board.status)
		}
		r.stop()
	})
}

func TestDeskLimits(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) { d.cfg.Limits = map[string]Limits{"board": {PerPerson: 3, PerChannel: 5}} })
		for i := range 10 {
			r.accept(Message{ID: fmt.Sprint("a", i), Text: "q", Place: Place{Thread: fmt.Sprint("a", i)}})
		}
		for i := range 4 {
			r.accept(Message{ID: fmt.Sprint("b", i), User: "bob", Text: "q", Place: Place{Thread: fmt.Sprint("b", i)}})
		}
		r.accept(Message{Place: Place{Channel: "other", Thread: "c"}, ID: "c", User: "carol", Text: "q"})
		synctest.Wait()
		if n := strings.Count(r.board.visible(), "re: q"); n != 6 {
			t.Errorf("%d answers, want 3 for ann, 2 for bob until the channel's 5 are reached, 1 for carol elsewhere", n)
		}
		want := []string{"ann: " + sayPersonLimit, "bob: " + sayChannelLimit}
		slices.Sort(r.board.told)
		if diff := cmp.Diff(want, r.board.told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		settle()
		settle()
		r.accept(Message{ID: "later", Text: "later", Place: Place{Thread: "later"}})
		settle()
		if !strings.Contains(r.board.visible(), "re: later") {
			t.Error("no answer a minute later")
		}
		r.stop()
	})
}

func TestDeskThreadCap(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) {
			d.cfg.Answer = func(context.Context, Question, func(Progress)) (citations.Answer, error) {
				return citations.Answer{Verdict: citations.Answered, Text: "yes"}, nil
			}
		})
		for i := range threadCap + 20 {
			r.accept(Message{ID: fmt.Sprint(i), Text: "how is it with this?", Place: Place{Thread: "T"}})
			time.Sleep(time.Second)
		}
		settle()
		if n := strings.Count(r.board.visible(), "\n") + 1; n != threadCap {
			t.Errorf("%d answers in one thread, want %d", n, threadCap)
		}
		r.stop()
	})
}

func TestDeskHandoff(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		place := at("C", "T")
		r.accept(Message{ID: "1", Text: "how long?", Place: Place{Thread: "T"}})
		settle()
		turns, err := r.ledger.History(t.Context(), at("C", "T"), 0, time.Time{}, 1)
		if err != nil || len(turns) != 1 {
			t.Fatal(turns, err)
		}
		call := Message{Via: Handoff, Of: turns[0].ID, Keys: []string{"person:T"}, Place: Place{Thread: "T"}}
		if fresh := r.accept(call); !fresh {
			t.Error("the first call is no news")
		}
		if fresh := r.accept(call); fresh {
			t.Error("the second call is news")
		}
		settle()
		r.want("re: how long? [public]\na person, please: how long?")
		if follows, err := r.desk.Follows(t.Context(), place); follows || err != nil {
			t.Errorf("Follows after calling a person: %v, %v", follows, err)
		}
		r.accept(Message{ID: "2", Text: "bot, how wide?", Place: Place{Thread: "T"}})
		if follows, err := r.desk.Follows(t.Context(), place); !follows || err != nil {
			t.Errorf("Follows after being named: %v, %v", follows, err)
		}
		settle()
		r.want("re: how long? [public]\na person, please: how long?\n" +
			"re: bot, how wide? [public] after how long? / re: how long? [public]")
		r.stop()
	})
}

func TestDeskShare(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		r.accept(Message{Text: "how long?", Via: Command, ReplyURL: "https://reply.example/1"})
		settle()
		private, err := r.ledger.History(t.Context(), at("C", ""), 0, time.Time{}, 1)
		if err != nil || len(private) != 1 || private[0].ReplyURL != "" {
			t.Fatalf("the private turn keeps its secret address, or is not there: %+v %v", private, err)
		}
		r.accept(Message{Via: Share, Of: private[0].ID, Keys: []string{"share:1"}})
		settle()
		r.want("re: how long? [public]\nre: how long? [public]")
		r.stop()
	})
}

func TestDeskWaitsForTheDocumentsThenApologises(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Pointer[error]
		fail := func(err error) { failing.Store(&err) }
		fail(kb.ErrBusy)
		r := start(t, path, &board{}, func(d *Desk) {
			answer := d.cfg.Answer
			d.cfg.Answer = func(ctx context.Context, q Question, p func(Progress)) (citations.Answer, error) {
				if err := *failing.Load(); err != nil {
					return citations.Answer{}, err
				}
				return answer(ctx, q, p)
			}
		})
		r.accept(Message{ID: "1", Text: "early", Place: Place{Thread: "1"}})
		settle()
		r.want("")
		fail(nil)
		settle()
		r.want("re: early [public]")
		fail(errors.New("search: the index is gone"))
		r.accept(Message{ID: "2", Text: "unlucky", Place: Place{Thread: "2"}})
		time.Sleep(2 * failPatience)
		synctest.Wait()
		r.want("re: early [public]\n" + sayFailed)
		if gaps, _ := r.ledger.Gaps(t.Context(), time.Time{}); len(gaps) > 0 {
			t.Errorf("a failure counts as a gap in the documents: %+v", gaps)
		}
		r.stop()
	})
}

// A model that hangs, and does not even listen, costs its own question an apology and no
// other question anything.
func TestDeskModelHangs(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		r := start(t, path, &board{}, func(d *Desk) {
			answer := d.cfg.Answer
			d.cfg.Answer = func(ctx context.Context, q Question, p func(Progress)) (citations.Answer, error) {
				if q.Text == "hang" {
					<-hung
				}
				return answer(ctx, q, p)
			}
		})
		r.accept(Message{ID: "1", Text: "hang", Place: Place{Thread: "1"}})
		r.accept(Message{ID: "2", Text: "go", Place: Place{Thread: "2"}})
		time.Sleep(time.Second)
		synctest.Wait()
		r.want("re: go [public]")
		settle()
		r.want("re: go [public]\n" + sayFailed)
		close(hung)
		r.stop()
	})
}

func TestDeskPanicEndsTheTurnAlone(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) {
			d.at = func(point string) {
				if point == "answered" && d.queue("board").len() == 0 {
					d.at = nil
					panic("boom")
				}
			}
		})
		r.accept(Message{ID: "1", Text: "one", Place: Place{Thread: "1"}})
		settle()
		r.accept(Message{ID: "2", Text: "two", Place: Place{Thread: "2"}})
		settle()
		r.want("re: two [public]")
		r.stop()
	})
}

func TestDeskRefusedPostIsDropped(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		b := &board{faults: []fault{refused}}
		r := start(t, path, b, nil)
		r.accept(Message{ID: "1", Text: "one", Place: Place{Thread: "1"}})
		settle()
		settle()
		if r.want(""); b.calls != 1 {
			t.Errorf("%d calls, want 1", b.calls)
		}
		if left, err := r.ledger.Unfinished(t.Context()); len(left) > 0 || err != nil {
			t.Errorf("unfinished: %+v, %v", left, err)
		}
		r.stop()
	})
}

func TestLooksLikeQuestion(t *testing.T) {
	for text, want := range map[string]bool{
		"How long do I have to return something?":     true,
		"what's the refund policy for sale items":     true,
		"Hi all, does anyone know who approves leave": true,
		"can i send back shoes I have worn":           true,
		"Returned it yesterday, is that fine?":        true,
		"really?":                                     false,
		"ok":                                          false,
		"thanks a lot for that":                       false,
		"When you are done, tell me":                  true, // words alone cannot tell
		"I will return it tomorrow.":                  false,
		"see https://example.com/a?b=c for more":      false,
		"lunch??":                                     false,
		"The what and the how are clear to me":        false,
	} {
		if got := LooksLikeQuestion(text); got != want {
			t.Errorf("LooksLikeQuestion(%q) = %v", text, got)
		}
	}
}
