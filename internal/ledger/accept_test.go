package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestAcceptKeepsTheTurn(t *testing.T) {
	l := newLedger(t)
	given := question("C1", "17.1", "17.2")
	given.Audiences = []string{"public", "staff & <guests>"}
	want := given
	want.State, want.Accepted = Received, time.Now()
	got := accept(t, l, given, "k")
	want.ID = got.ID
	same(t, "the turn", want, got)
	if got.ID == 0 {
		t.Error("the first turn has id 0, which means none")
	}
	if next := accept(t, l, given); next.ID <= got.ID {
		t.Errorf("turn %d came after %d", next.ID, got.ID)
	}
	if got.Accepted.Location() != time.UTC {
		t.Errorf("accepted at %v, want UTC", got.Accepted)
	}
}

// What is Accept's or Update's to set is not taken from a new turn.
func TestAcceptSetsWhatIsItsOwn(t *testing.T) {
	l := newLedger(t)
	long := time.Now().Add(-time.Hour)
	got := accept(t, l, Turn{ID: 77, Version: 7, State: Posted, Reason: "limited", Accepted: long, Finished: long})
	same(t, "the turn", Turn{ID: got.ID, State: Received, Accepted: time.Now()}, got)
	if got.ID == 77 {
		t.Error("the turn's id was taken over")
	}
}

func TestAcceptAnswered(t *testing.T) {
	l := newLedger(t)
	given := question("C1", "", "1")
	given.State, given.Answer, given.Verdict = Answered, []byte("answer"), "answered"
	want := given
	want.Accepted = time.Now()
	got := accept(t, l, given)
	want.ID = got.ID
	same(t, "the turn", want, got)
}

func TestAcceptDropped(t *testing.T) {
	l := newLedger(t)
	given := question("C1", "", "1")
	given.State, given.Reason = Dropped, ReasonLimited
	want := given
	want.Accepted, want.Finished, want.ReplyURL = time.Now(), time.Now(), ""
	got := accept(t, l, given, "k")
	want.ID = got.ID
	same(t, "the turn", want, got)
	if id, fresh, _ := l.Accept(t.Context(), question("C1", "", "1"), "k"); fresh || id != got.ID {
		t.Errorf("a duplicate of a dropped turn: id %d, fresh %v", id, fresh)
	}
}

// Each step is one delivery; the chain of them is what a table of platforms' duplicates
// comes down to. Want is the number of the step whose turn it belongs to.
func TestDuplicates(t *testing.T) {
	type step struct {
		keys []string
		want int // 0: no turn; -1: it is new
	}
	for name, steps := range map[string][]step{
		"same key": {
			{keys: []string{"a"}, want: -1},
			{keys: []string{"a"}, want: 1},
		},
		"other key": {
			{keys: []string{"a"}, want: -1},
			{keys: []string{"b"}, want: -1},
			{keys: []string{"b"}, want: 2},
		},
		"no key is never a duplicate": {
			{want: -1},
			{want: -1},
		},
		"an empty key is none": {
			{keys: []string{"", "a"}, want: -1},
			{keys: []string{"", "b"}, want: -1},
			{keys: []string{""}, want: -1},
		},
		"the same key twice in one": {
			{keys: []string{"a", "a"}, want: -1},
			{keys: []string{"a"}, want: 1},
		},
		"a chain of aliases": {
			{keys: []string{"a", "b"}, want: -1},
			{keys: []string{"b", "c"}, want: 1},
			{keys: []string{"c", "d"}, want: 1},
			{keys: []string{"d"}, want: 1},
		},
		"two turns turn out to be one": {
			{keys: []string{"a"}, want: -1},
			{keys: []string{"b"}, want: -1},
			{keys: []string{"b", "a", "c"}, want: 1},
			{keys: []string{"c"}, want: 1},
			{keys: []string{"b"}, want: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			ids := make([]int64, len(steps)+1)
			for i, s := range steps {
				id, fresh, err := l.Accept(t.Context(), question("C", "", ""), s.keys...)
				if err != nil || fresh != (s.want == -1) {
					t.Fatalf("step %d: fresh %v, error %v", i+1, fresh, err)
				}
				if ids[i+1] = id; s.want >= 0 && id != ids[s.want] {
					t.Errorf("step %d: turn %d, want %d", i+1, id, ids[s.want])
				}
			}
		})
	}
}

// However many deliveries of one message come in at once, one of them is new.
func TestOneOfManyIsFresh(t *testing.T) {
	l := newLedger(t)
	const messages, deliveries = 10, 8
	ids := make([][]int64, messages)
	fresh := make([]int, messages)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for m := range messages {
		for d := range deliveries {
			wg.Go(func() {
				// Neighbours share a key, so that all but the first rest on a chain.
				keys := []string{fmt.Sprint(m, "-", d), fmt.Sprint(m, "-", 0), fmt.Sprint(m, "-", d+1)}
				id, isFresh, err := l.Accept(t.Context(), question("C1", "", fmt.Sprint(m)), keys...)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				ids[m] = append(ids[m], id)
				if isFresh {
					fresh[m]++
				}
			})
		}
	}
	wg.Wait()
	for m := range messages {
		if fresh[m] != 1 {
			t.Errorf("message %d was new %d times", m, fresh[m])
		}
		for _, id := range ids[m] {
			if id != ids[m][0] {
				t.Errorf("message %d became the turns %v", m, ids[m])
				break
			}
		}
	}
	all, err := l.Unfinished(t.Context())
	if err != nil || len(all) != messages {
		t.Errorf("%d turns, want %d (%v)", len(all), messages, err)
	}
}

func TestPrune(t *testing.T) {
	l := newLedger(t)
	turn := accept(t, l, question("C1", "", "1"), "old")
	const many = 2*pruneStep + 1
	keys := make([]string, many)
	for i := range keys {
		keys[i] = fmt.Sprint("seen ", i)
	}
	accept(t, l, question("C1", "", "2"), keys...)
	now := time.Now()
	for _, test := range []struct {
		after time.Duration
		keys  int
	}{
		{0, many + 1},
		{KeysKept - time.Minute, many + 1},
		{KeysKept + time.Minute, 0},
	} {
		if err := l.Prune(t.Context(), now.Add(test.after)); err != nil {
			t.Fatal(err)
		}
		if n := countRows(t, l, "keys"); n != test.keys {
			t.Errorf("after %v there are %d keys, want %d", test.after, n, test.keys)
		}
	}
	same(t, "the turn whose key was forgotten", turn, read(t, l, turn.ID))
	if _, fresh, err := l.Accept(t.Context(), turn, "old"); !fresh || err != nil {
		t.Errorf("a forgotten key is not new: %v", err)
	}
}

// An error means that nothing was written, also when the caller went away.
func TestAcceptWithAnEndedContext(t *testing.T) {
	l := newLedger(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, fresh, err := l.Accept(ctx, question("C1", "", "1"), "k"); fresh || !errors.Is(err, context.Canceled) {
		t.Errorf("fresh %v, error %v", fresh, err)
	}
	accept(t, l, question("C1", "", "1"), "k")
}

// A write that has begun is not given up half way.
func TestAWriteIsRunToItsEnd(t *testing.T) {
	l := newLedger(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := l.write(ctx, func(tx *sql.Tx) error {
		cancel()
		return l.remember(tx, []string{"k"}, 0, time.Now())
	})
	if n := countRows(t, l, "keys"); err != nil || n != 1 {
		t.Errorf("%d keys were written, error %v", n, err)
	}
}

// Whoever gives up while others write is told the truth: either the turn is there and it
// was told so, or neither.
func TestAcceptGivenUp(t *testing.T) {
	l := newLedger(t)
	const n = 200
	accepted := make([]bool, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
			defer cancel()
			_, fresh, err := l.Accept(ctx, Turn{}, fmt.Sprint(i))
			if accepted[i] = fresh; err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range n {
		if _, fresh, err := l.Accept(t.Context(), Turn{}, fmt.Sprint(i)); fresh == accepted[i] || err != nil {
			t.Errorf("%d: said to be accepted %v, then new %v, error %v", i, accepted[i], fresh, err)
		}
	}
}

func countRows(t testing.TB, l *Ledger, table string) (n int) {
	t.Helper()
	if err := l.readers.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
