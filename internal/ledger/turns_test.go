package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTurnNotFound(t *testing.T) {
	l := newLedger(t)
	for what, f := range map[string]func() error{
		"Turn":        func() error { _, err := l.Turn(t.Context(), 1); return err },
		"ByMessage":   func() error { _, err := l.ByMessage(t.Context(), Place{"slack", "T1", "C1", ""}, "1"); return err },
		"ByPost":      func() error { _, err := l.ByPost(t.Context(), Place{"slack", "T1", "C1", ""}, "1"); return err },
		"Update":      func() error { _, err := l.Update(t.Context(), Turn{ID: 1, State: Posted}); return err },
		"SetFeedback": func() error { _, err := l.SetFeedback(t.Context(), Feedback{Turn: 1, User: "U1"}); return err },
	} {
		if err := f(); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), l.path) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func TestByPost(t *testing.T) {
	l := newLedger(t)
	posted := func(channel string, posts ...string) Turn {
		turn := accept(t, l, question(channel, "", "1"))
		turn.State, turn.Posts = Posted, posts
		turn, err := l.Update(t.Context(), turn)
		if err != nil {
			t.Fatal(err)
		}
		return turn
	}
	want := posted("C1", `C1/"1"`, "C1/2")
	posted("C1", "C1/21")
	posted("C2", "C1/2")
	for _, post := range want.Posts {
		got, err := l.ByPost(t.Context(), Place{"slack", "T1", "C1", ""}, post)
		if err != nil {
			t.Fatal(err)
		}
		same(t, post, want, got)
	}
	if _, err := l.ByPost(t.Context(), Place{"slack", "T1", "C1", ""}, "C1/"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a part of a post's id was found: %v", err)
	}
}

func TestByMessage(t *testing.T) {
	l := newLedger(t)
	accept(t, l, question("C1", "", "1"))
	newest := accept(t, l, question("C1", "", "1"))
	accept(t, l, question("C2", "", "1"))
	accept(t, l, question("C1", "", "")) // a command
	got, err := l.ByMessage(t.Context(), Place{"slack", "T1", "C1", ""}, "1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the turn", newest, got)
	if _, err := l.ByMessage(t.Context(), Place{"slack", "T1", "C1", ""}, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("a message without an id was found: %v", err)
	}
}

// Update writes its nine fields and no other.
func TestUpdate(t *testing.T) {
	l := newLedger(t)
	before := accept(t, l, question("C1", "", "1"))
	with := Turn{
		ID: before.ID, Version: before.Version,
		Place: Place{"x", "x", "x", "x"}, Message: "x", User: "x", Name: "x", Via: "x",
		ReplyURL: "x", Accepted: time.Unix(1, 0), Finished: time.Unix(1, 0),
		Text: "May I bring my cat?", Audiences: []string{"staff"}, State: Posting, Reason: "r", Revision: 3,
		Answer: []byte("a\x00\xff"), Verdict: "unsure", Posts: []string{"1.1", "1.2"}, Draft: "1.0",
	}
	want := before
	want.Version++
	want.Text, want.Audiences, want.State, want.Reason, want.Revision = with.Text, with.Audiences, Posting, "r", 3
	want.Answer, want.Verdict, want.Posts, want.Draft = with.Answer, "unsure", with.Posts, "1.0"
	got := update(t, l, with)
	same(t, "the turn", want, got)
	same(t, "the turn in the file", got, read(t, l, before.ID))

	empty := update(t, l, Turn{ID: got.ID, Version: got.Version, State: Received, Answer: []byte{}, Posts: []string{}})
	if empty.Answer != nil || empty.Posts != nil || empty.Audiences != nil {
		t.Errorf("what is empty came back as %#v", empty)
	}
}

func TestUpdateOfWhatHasChanged(t *testing.T) {
	l := newLedger(t)
	old := accept(t, l, question("C1", "", "1"))
	now := post(t, l, old, "an answer")
	old.State = Dropped
	if _, err := l.Update(t.Context(), old); !errors.Is(err, ErrChanged) {
		t.Errorf("error %v, want ErrChanged", err)
	}
	same(t, "the turn", now, read(t, l, old.ID))
}

// Of many who read the same version one writes.
func TestUpdateOnceOfEachVersion(t *testing.T) {
	l := newLedger(t)
	turn := accept(t, l, question("C1", "", "1"))
	const n = 8
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				now, err := l.Turn(t.Context(), turn.ID)
				if err != nil {
					t.Error(err)
					return
				}
				now.Revision++
				if _, err = l.Update(t.Context(), now); err == nil {
					return
				}
				if !errors.Is(err, ErrChanged) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := read(t, l, turn.ID); got.Revision != n || got.Version != n {
		t.Errorf("after %d updates revision %d, version %d", n, got.Revision, got.Version)
	}
}

func TestUnknownStateIsRefused(t *testing.T) {
	l := newLedger(t)
	turn := accept(t, l, question("C1", "", "1"))
	for _, s := range []State{"", "done"} {
		if got, err := l.Update(t.Context(), Turn{ID: turn.ID, State: s}); err == nil {
			t.Errorf("state %q was written: %+v", s, got)
		}
	}
	same(t, "the turn", turn, read(t, l, turn.ID))
}

// Time is the bubble's here: the ledger has no goroutine that would hinder it.
func TestFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		turn := accept(t, l, question("C1", "", "1"))
		asked := turn.Accepted
		for _, step := range []struct {
			state    State
			finished time.Duration // since it was asked; 0: not
			url      string
		}{
			{Drafting, 0, turn.ReplyURL},
			{Posted, 2 * time.Hour, ""},
			{Posted, 2 * time.Hour, ""}, // it was finished before
			{Answered, 0, ""},
			{Posting, 0, ""},
			{Dropped, 6 * time.Hour, ""},
			{Received, 0, ""},
		} {
			time.Sleep(time.Hour)
			turn.State = step.state
			turn = update(t, l, turn)
			var want time.Time
			if step.finished > 0 {
				want = asked.Add(step.finished)
			}
			if !turn.Finished.Equal(want) || turn.ReplyURL != step.url || !turn.Accepted.Equal(asked) {
				t.Errorf("%s: finished %v, want %v; reply URL %q", step.state, turn.Finished, want, turn.ReplyURL)
			}
		}
	})
}

func TestUnfinished(t *testing.T) {
	l := newLedger(t)
	var want []Turn
	for i, state := range []State{Received, Drafting, Answered, Posting, Posted, Dropped, Received} {
		turn := accept(t, l, question(fmt.Sprint("C", i), "17.1", "1"))
		if turn.State = state; state != Received {
			turn = update(t, l, turn)
		}
		if !turn.Final() {
			want = append(want, Turn{ID: turn.ID, Place: Place{"slack", "T1", turn.Channel, "17.1"}, User: "U1"})
		}
	}
	got, err := l.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHistory(t *testing.T) {
	l := newLedger(t)
	long := time.Now().Add(-time.Hour)
	ids := map[string]int64{}
	for _, turn := range []struct{ name, channel, thread string }{
		{"a", "C1", "1"}, {"b", "C1", "1"}, {"c", "C1", "2"}, {"d", "C1", ""}, {"e", "C2", "1"}, {"f", "C1", "1"}, {"g", "C1", ""},
	} {
		q := question(turn.channel, turn.thread, turn.name)
		ids[turn.name] = post(t, l, accept(t, l, q), "answer").ID
	}
	setAccepted(t, l, ids["a"], long)
	setAccepted(t, l, ids["d"], long)
	// What was not answered or not shown is no history.
	accept(t, l, question("C1", "1", "open"))
	post(t, l, accept(t, l, question("C1", "1", "a person was called")), "")
	dropped := accept(t, l, question("C1", "1", "dropped"))
	dropped.State, dropped.Answer = Dropped, []byte("answer")
	update(t, l, dropped)

	for _, test := range []struct {
		channel, thread, before string
		since                   time.Time
		limit                   int
		want                    string
	}{
		{channel: "C1", thread: "1", limit: 9, want: "a b f"},
		{channel: "C1", thread: "1", limit: 3, want: "a b f"},
		{channel: "C1", thread: "1", limit: 2, want: "b f"},
		{channel: "C1", thread: "1", limit: 0, want: ""},
		{channel: "C1", thread: "1", limit: -1, want: ""},
		{channel: "C1", thread: "1", limit: 9, before: "f", want: "a b"},
		{channel: "C1", thread: "1", limit: 1, before: "f", want: "b"},
		{channel: "C1", thread: "1", limit: 9, before: "a", want: ""},
		{channel: "C1", thread: "1", limit: 9, since: long.Add(time.Minute), want: "b f"},
		{channel: "C1", thread: "3", limit: 9, want: ""},
		{channel: "C1", limit: 9, want: "a b c d f g"},
		{channel: "C1", limit: 9, since: long.Add(time.Minute), want: "b c f g"},
		{channel: "C1", limit: 3, want: "d f g"},
		{channel: "C1", limit: 2, before: "f", want: "c d"},
		{channel: "C2", limit: 9, want: "e"},
		{channel: "C3", limit: 9, want: ""},
	} {
		turns, err := l.History(t.Context(), Place{"slack", "T1", test.channel, test.thread}, ids[test.before], test.since, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, turn := range turns {
			names = append(names, turn.Message)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%+v: got %q", test, got)
		}
		if i := slices.IndexFunc(turns, func(turn Turn) bool { return string(turn.Answer) != "answer" }); i >= 0 {
			t.Errorf("%+v: a turn without its answer: %+v", test, turns[i])
		}
	}
}

func TestCount(t *testing.T) {
	l := newLedger(t)
	long := time.Now().Add(-time.Hour)
	for _, turn := range []struct {
		platform, team, channel, user, via string
		state                              State
		reason                             string
		old                                bool
	}{
		{platform: "slack", team: "T1", channel: "C1", user: "U1"},
		{platform: "slack", team: "T1", channel: "C2", user: "U1", state: Posted},
		{platform: "slack", team: "T1", channel: "C1", user: "U2", state: Dropped, reason: "refused"},
		{platform: "slack", team: "T1", channel: "C1", user: "U1", old: true},
		{platform: "slack", team: "T2", channel: "C1", user: "U1", via: "command"},
		{platform: "discord", team: "T1", channel: "C1", user: "U1"},
		// None of these counts.
		{platform: "slack", team: "T1", channel: "C1", user: "U1", via: "person"},
		{platform: "slack", team: "T1", channel: "C1", user: "U1", via: "share"},
		{platform: "slack", team: "T1", channel: "C1", user: "U1", state: Dropped, reason: ReasonLimited},
		{platform: "slack", team: "T1", channel: "C1", user: "U1", state: Dropped, reason: ReasonBusy},
	} {
		q := Turn{Place: Place{turn.platform, turn.team, turn.channel, ""}, User: turn.user, Via: turn.via}
		if q.Via == "" {
			q.Via = "mention"
		}
		q = accept(t, l, q)
		if turn.state != "" {
			q.State, q.Reason = turn.state, turn.reason
			q = update(t, l, q)
		}
		if turn.old {
			setAccepted(t, l, q.ID, long)
		}
	}
	for _, test := range []struct {
		platform, team, channel, user string
		since                         time.Time
		want                          int
	}{
		{want: 6},
		{platform: "slack", want: 5},
		{platform: "slack", team: "T1", want: 4},
		{platform: "slack", team: "T1", channel: "C1", want: 3},
		{platform: "slack", team: "T1", user: "U1", want: 3},
		{platform: "slack", team: "T1", user: "U1", since: long, want: 3},
		{platform: "slack", team: "T1", user: "U1", since: long.Add(time.Second), want: 2},
		{platform: "slack", team: "T1", channel: "C2", user: "U1", want: 1},
		{platform: "slack", team: "T1", user: "U3", want: 0},
		{user: "U1", want: 5},
		{since: time.Now().Add(time.Minute), want: 0},
	} {
		got, err := l.Count(t.Context(), Place{test.platform, test.team, test.channel, ""}, test.user, test.since)
		if err != nil || got != test.want {
			t.Errorf("%+v: got %d, %v", test, got, err)
		}
	}
}

// setAccepted makes a turn older than it is.
func setAccepted(t testing.TB, l *Ledger, id int64, at time.Time) {
	t.Helper()
	if _, err := l.writer.Exec("UPDATE turns SET accepted = ? WHERE id = ?", at.UnixMilli(), id); err != nil {
		t.Fatal(err)
	}
}

// What is asked for every message must not become slower as the ledger grows: the index
// that was made for it is used, and nothing is sorted.
func TestQueriesUseTheirIndexes(t *testing.T) {
	l := newLedger(t)
	thread, _ := historyQuery(Place{"p", "t", "c", "th"})
	channel, _ := historyQuery(Place{"p", "t", "c", ""})
	ofUser, _ := countQuery(Place{"p", "t", "", ""}, "u")
	inChannel, _ := countQuery(Place{"p", "t", "c", ""}, "")
	for query, want := range map[string]string{
		turnByIDSQL:      "SEARCH turns USING INTEGER PRIMARY KEY (rowid=?)",
		turnByMessageSQL: "SEARCH turns USING INDEX turns_message (platform=? AND team=? AND channel=? AND message=?)",
		turnByPostSQL: "SEARCH turns USING INTEGER PRIMARY KEY (rowid=?); SCALAR SUBQUERY 3; CO-ROUTINE (subquery-1); " +
			"SEARCH turns USING INDEX turns_channel (platform=? AND team=? AND channel=?); SCAN (subquery-1); " +
			"SCAN json_each EXISTS VIRTUAL TABLE INDEX 1:",
		unfinishedSQL: "SCAN turns USING COVERING INDEX turns_unfinished",
		thread:        "SEARCH turns USING INDEX turns_thread (platform=? AND team=? AND channel=? AND thread=? AND id<?)",
		channel:       "SEARCH turns USING INDEX turns_channel (platform=? AND team=? AND channel=? AND id<?)",
		ofUser:        "SEARCH turns USING INDEX turns_of_user (platform=? AND team=? AND user=? AND accepted>?)",
		inChannel:     "SEARCH turns USING INDEX turns_in_channel (platform=? AND team=? AND channel=? AND accepted>?)",
		threadOfSQL: "CO-ROUTINE t; SCAN CONSTANT ROW; SCAN t; CORRELATED SCALAR SUBQUERY 1; " +
			"SEARCH turns USING COVERING INDEX turns_thread (platform=? AND team=? AND channel=? AND thread=?); " +
			"CORRELATED SCALAR SUBQUERY 2; SEARCH quiet USING PRIMARY KEY (platform=? AND team=? AND channel=? AND thread=?)",
		gapsSQL: "SEARCH turns USING INTEGER PRIMARY KEY (rowid=?); LIST SUBQUERY 3; COMPOUND QUERY; LEFT-MOST SUBQUERY; " +
			"SEARCH turns USING INDEX turns_unsure (accepted>?); UNION ALL; SCAN feedback; " +
			"CORRELATED SCALAR SUBQUERY 1; SEARCH feedback USING PRIMARY KEY (turn=?)",
		turnOfKeySQL: "SEARCH keys USING PRIMARY KEY (key=?)",
	} {
		steps, err := collect(t.Context(), l.readers, func(r *sql.Rows, step *string) error {
			var id, parent, unused int
			return r.Scan(&id, &parent, &unused, step)
		}, "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(steps, "; "); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
}
