package ledger

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// A model does what a ledger does, with slices and loops.
type model struct {
	turns    []Turn
	keys     map[string]int64 // 0: of no turn
	quiet    map[Place]bool
	feedback map[int64]map[string]Feedback
}

// know returns the oldest turn that any of the keys belongs to.
func (m *model) know(keys []string) (id int64, known bool) {
	for _, key := range keys {
		of, ok := m.keys[key]
		known = known || ok
		if of != 0 && (id == 0 || of < id) {
			id = of
		}
	}
	return id, known
}

func (m *model) remember(keys []string, id int64) {
	for _, key := range keys {
		if _, ok := m.keys[key]; !ok && key != "" {
			m.keys[key] = id
		}
	}
}

func (m *model) accept(t Turn, id int64, keys []string) {
	t.ID, t.Version, t.Accepted = id, 0, time.Now()
	switch t.State {
	case Dropped:
		t.ReplyURL, t.Finished = "", time.Now()
	case Answered:
		t.Reason = ""
	default:
		t.State, t.Reason = Received, ""
	}
	m.turns = append(m.turns, t)
	m.remember(keys, id)
}

func (m *model) update(at int, t Turn) {
	was := m.turns[at]
	now := was
	now.Version++
	now.Text, now.Audiences, now.State, now.Reason, now.Revision = t.Text, t.Audiences, t.State, t.Reason, t.Revision
	now.Answer, now.Verdict, now.Posts, now.Draft = t.Answer, t.Verdict, t.Posts, t.Draft
	switch {
	case !now.Final():
		now.Finished = time.Time{}
	case !was.Final():
		now.ReplyURL, now.Finished = "", time.Now()
	}
	m.turns[at] = now
}

func (m *model) setFeedback(f Feedback) {
	of := m.feedback[f.Turn]
	if of == nil {
		of = map[string]Feedback{}
		m.feedback[f.Turn] = of
	}
	if old, ok := of[f.User]; ok && f.Comment == "" && old.Good == f.Good {
		f.Comment = old.Comment
	}
	of[f.User] = f
}

func (m *model) feedbackOn(id int64) (all []Feedback) {
	for _, user := range slices.Sorted(maps.Keys(m.feedback[id])) {
		all = append(all, m.feedback[id][user])
	}
	return all
}

// those returns the turns that a function chooses, oldest first.
func (m *model) those(choose func(Turn) bool) (all []Turn) {
	for _, t := range m.turns {
		if choose(t) {
			all = append(all, t)
		}
	}
	return all
}

func (m *model) thread(p Place) Thread {
	answered := m.those(func(t Turn) bool {
		shown := t.State == Answered || t.State == Posting || t.State == Posted
		return t.Place == p && shown && t.Via != "person" && t.Via != "share"
	})
	return Thread{len(answered), m.quiet[p]}
}

func (m *model) history(p Place, before int64, limit int) []Turn {
	all := m.those(func(t Turn) bool {
		of := t.Place
		if p.Thread == "" {
			of.Thread = ""
		}
		return of == p && (before == 0 || t.ID < before) && t.State == Posted && t.Answer != nil
	})
	return all[max(0, len(all)-limit):]
}

func (m *model) count(p Place, user string) int {
	return len(m.those(func(t Turn) bool {
		refused := t.State == Dropped && (t.Reason == ReasonLimited || t.Reason == ReasonBusy)
		return (p.Platform == "" || p.Platform == t.Platform) && (p.Team == "" || p.Team == t.Team) &&
			(p.Channel == "" || p.Channel == t.Channel) && (p.Thread == "" || p.Thread == t.Thread) && (user == "" || user == t.User) &&
			!refused && t.Via != "person" && t.Via != "share" && (p.Channel == "" || user != "" || t.Via != "command")
	}))
}

func (m *model) gaps() (all []int64) {
	for _, t := range slices.Backward(m.turns) {
		bad := slices.ContainsFunc(m.feedbackOn(t.ID), func(f Feedback) bool { return !f.Good })
		if bad || t.Answer != nil && (t.Verdict == "unsure" || t.Verdict == "no_answer") {
			all = append(all, t.ID)
		}
	}
	return all
}

// After any sequence of calls, with restarts between them, the ledger says what the model
// says.
func TestLedgerIsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{
			t: t, l: openLedger(t, filepath.Join(t.TempDir(), "ledger.db")),
			m: model{keys: map[string]int64{}, quiet: map[Place]bool{}, feedback: map[int64]map[string]Feedback{}},
		}
		defer func() { w.l.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"accept": w.accept, "ask": w.accept, "update": w.update, "finish": w.update,
			"stale": w.stale, "quiet": w.setQuiet, "feedback": w.setFeedback, "prune": w.prune, "reopen": w.reopen,
			"turn": w.turn, "message": w.message, "unfinished": w.unfinished, "history": w.history,
			"thread": w.thread, "count": w.count, "gaps": w.gaps,
		})
		for _, turn := range w.m.turns {
			got, err := w.l.Turn(t.Context(), turn.ID)
			w.equal(rt, "a turn in the end", turn, got, err)
		}
	})
}

// A world is a ledger and its model.
type world struct {
	t *testing.T
	l *Ledger
	m model
}

// Few of each, so that they meet.
var (
	aKey     = rapid.SampledFrom([]string{"", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"})
	someKeys = rapid.SliceOfN(aKey, 0, 3)
	aUser    = rapid.SampledFrom([]string{"U1", "U2"})
	aMessage = rapid.SampledFrom([]string{"", "m1", "m2"})
	aVia     = rapid.SampledFrom([]string{"mention", "command", "person", "share"})
	aState   = rapid.SampledFrom([]State{Received, Drafting, Answered, Posting, Posted, Posted, Posted, Dropped})
	aReason  = rapid.SampledFrom([]string{"", ReasonLimited, ReasonBusy, "refused"})
	aVerdict = rapid.SampledFrom([]string{"", "answered", "unsure", "no_answer"})
	aList    = rapid.Map(rapid.SliceOfN(rapid.String(), 0, 2), func(list []string) []string {
		if len(list) == 0 {
			return nil
		}
		return list
	})
	anAnswer = rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 3), func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		return b
	})
	aPlace = rapid.Custom(func(rt *rapid.T) Place {
		return Place{
			rapid.SampledFrom([]string{"slack", "discord"}).Draw(rt, "platform"), "T1",
			rapid.SampledFrom([]string{"C1", "C2"}).Draw(rt, "channel"),
			rapid.SampledFrom([]string{"", "1"}).Draw(rt, "thread"),
		}
	})
	aTurn = rapid.Custom(func(rt *rapid.T) Turn {
		p := aPlace.Draw(rt, "place")
		return Turn{
			Place:   p,
			Message: aMessage.Draw(rt, "message"), User: aUser.Draw(rt, "user"), Name: rapid.String().Draw(rt, "name"),
			Via: aVia.Draw(rt, "via"), Text: rapid.String().Draw(rt, "text"), Outside: rapid.Bool().Draw(rt, "outside"),
			ReplyURL: "https://hooks.example/" + aKey.Draw(rt, "url"), Audiences: aList.Draw(rt, "audiences"),
			State: aState.Draw(rt, "state"), Reason: aReason.Draw(rt, "reason"), Revision: rapid.IntRange(0, 3).Draw(rt, "revision"),
			Answer: anAnswer.Draw(rt, "answer"), Verdict: aVerdict.Draw(rt, "verdict"), Posts: aList.Draw(rt, "posts"),
			Draft: rapid.String().Draw(rt, "draft"),
		}
	})
)

func (w *world) accept(rt *rapid.T) {
	turn, keys := aTurn.Draw(rt, "turn"), someKeys.Draw(rt, "keys")
	of, known := w.m.know(keys)
	id, fresh, err := w.l.Accept(w.t.Context(), turn, keys...)
	if err != nil || fresh == known || known && id != of {
		rt.Fatalf("turn %d, fresh %v, error %v; the model knows turn %d, %v", id, fresh, err, of, known)
	}
	if fresh {
		w.m.accept(turn, id, keys)
	} else {
		w.m.remember(keys, of)
	}
}

// one chooses a turn that there is.
func (w *world) one(rt *rapid.T) (at int) {
	if len(w.m.turns) == 0 {
		rt.Skip("there is no turn yet")
	}
	return rapid.IntRange(0, len(w.m.turns)-1).Draw(rt, "which")
}

func (w *world) update(rt *rapid.T) {
	at, turn := w.one(rt), aTurn.Draw(rt, "turn")
	turn.ID, turn.Version = w.m.turns[at].ID, w.m.turns[at].Version
	w.m.update(at, turn)
	got, err := w.l.Update(w.t.Context(), turn)
	w.equal(rt, "the updated turn", w.m.turns[at], got, err)
}

func (w *world) stale(rt *rapid.T) {
	turn := w.m.turns[w.one(rt)]
	turn.Version += rapid.SampledFrom([]int64{-1, 1, 5}).Draw(rt, "away")
	if _, err := w.l.Update(w.t.Context(), turn); !errors.Is(err, ErrChanged) {
		rt.Fatalf("error %v, want ErrChanged", err)
	}
}

func (w *world) setQuiet(rt *rapid.T) {
	p, quiet := aPlace.Draw(rt, "place"), rapid.Bool().Draw(rt, "quiet")
	if err := w.l.SetQuiet(w.t.Context(), p, quiet); err != nil {
		rt.Fatal(err)
	}
	w.m.quiet[p] = quiet
}

func (w *world) setFeedback(rt *rapid.T) {
	f := Feedback{w.m.turns[w.one(rt)].ID, aUser.Draw(rt, "user"), rapid.Bool().Draw(rt, "good"),
		rapid.SampledFrom([]string{"", "why", "because"}).Draw(rt, "comment")}
	if _, err := w.l.SetFeedback(w.t.Context(), f); err != nil {
		rt.Fatal(err)
	}
	w.m.setFeedback(f)
}

func (w *world) prune(rt *rapid.T) {
	now := time.Now()
	if rapid.Bool().Draw(rt, "a day later") {
		now = now.Add(KeysKept + time.Hour)
		clear(w.m.keys)
	}
	if err := w.l.Prune(w.t.Context(), now); err != nil {
		rt.Fatal(err)
	}
}

func (w *world) reopen(*rapid.T) { w.l = reopen(w.t, w.l) }

func (w *world) turn(rt *rapid.T) {
	want := w.m.turns[w.one(rt)]
	got, err := w.l.Turn(w.t.Context(), want.ID)
	w.equal(rt, "the turn", want, got, err)
	feedback, err := w.l.Feedback(w.t.Context(), want.ID)
	w.equal(rt, "its feedback", w.m.feedbackOn(want.ID), feedback, err)
}

func (w *world) message(rt *rapid.T) {
	p, message := aPlace.Draw(rt, "place"), aMessage.Draw(rt, "message")
	asked := w.m.those(func(t Turn) bool {
		return message != "" && t.Message == message && t.Platform == p.Platform && t.Channel == p.Channel
	})
	got, err := w.l.ByMessage(w.t.Context(), Place{p.Platform, p.Team, p.Channel, ""}, message)
	if len(asked) == 0 && errors.Is(err, ErrNotFound) {
		return
	}
	w.equal(rt, "the turn of a message", asked[max(0, len(asked)-1):], []Turn{got}, err)
}

func (w *world) unfinished(rt *rapid.T) {
	got, err := w.l.Unfinished(w.t.Context())
	w.equal(rt, "what is unfinished", briefly(w.m.those(func(t Turn) bool { return !t.Final() })), got, err)
}

func (w *world) history(rt *rapid.T) {
	p, limit := aPlace.Draw(rt, "place"), rapid.IntRange(0, 4).Draw(rt, "limit")
	before := rapid.SampledFrom([]int64{0, w.m.turns[w.one(rt)].ID}).Draw(rt, "before")
	got, err := w.l.History(w.t.Context(), p, before, time.Time{}, limit)
	w.equal(rt, "the history", w.m.history(p, before, limit), got, err)
}

func (w *world) thread(rt *rapid.T) {
	p := aPlace.Draw(rt, "place")
	got, err := w.l.Thread(w.t.Context(), p)
	w.equal(rt, "the thread", w.m.thread(p), got, err)
}

func (w *world) count(rt *rapid.T) {
	p, user := aPlace.Draw(rt, "place"), rapid.SampledFrom([]string{"", "U1"}).Draw(rt, "user")
	if rapid.Bool().Draw(rt, "in any channel") {
		p.Channel = ""
	}
	got, err := w.l.Count(w.t.Context(), p, user, time.Time{})
	w.equal(rt, "the count", w.m.count(p, user), got, err)
}

func (w *world) gaps(rt *rapid.T) {
	got, err := w.l.Gaps(w.t.Context(), time.Time{})
	w.equal(rt, "the gaps", w.m.gaps(), ids(got), err)
}

func (w *world) equal(rt *rapid.T, what string, want, got any, err error) {
	if err != nil {
		rt.Fatalf("%s: %v", what, err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(time.Minute), cmpopts.EquateEmpty()); diff != "" {
		rt.Fatalf("%s (-model +ledger):\n%s", what, diff)
	}
}

// briefly leaves of turns what Unfinished tells.
func briefly(turns []Turn) (all []Turn) {
	for _, t := range turns {
		all = append(all, Turn{ID: t.ID, Place: t.Place, User: t.User})
	}
	return all
}

func ids(gaps []Gap) (all []int64) {
	for _, g := range gaps {
		all = append(all, g.Turn)
	}
	return all
}
