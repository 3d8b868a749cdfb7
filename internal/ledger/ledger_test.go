package ledger

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Rather than 100 sequences: under the race detector each takes half a second, most
	// of it in SQLite. -rapid.checks makes it more.
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	flag.Parse()
	if *acceptInto != "" {
		acceptForEver(*acceptInto)
	}
	goleak.VerifyTestMain(m)
}

// newLedger opens a new ledger that the test closes.
func newLedger(t testing.TB) *Ledger {
	t.Helper()
	return openLedger(t, filepath.Join(t.TempDir(), "ledger.db"))
}

func openLedger(t testing.TB, path string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.closePools(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// reopen closes a ledger and opens its file again.
func reopen(t testing.TB, l *Ledger) *Ledger {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return openLedger(t, l.path)
}

func accept(t testing.TB, l *Ledger, turn Turn, keys ...string) Turn {
	t.Helper()
	id, fresh, err := l.Accept(t.Context(), turn, keys...)
	if err != nil || !fresh {
		t.Fatalf("accept: fresh %v, error %v", fresh, err)
	}
	return read(t, l, id)
}

func read(t testing.TB, l *Ledger, id int64) Turn {
	t.Helper()
	turn, err := l.Turn(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return turn
}

func update(t testing.TB, l *Ledger, turn Turn) Turn {
	t.Helper()
	turn, err := l.Update(t.Context(), turn)
	if err != nil {
		t.Fatal(err)
	}
	return turn
}

// post takes a turn to its end.
func post(t testing.TB, l *Ledger, turn Turn, answer string) Turn {
	t.Helper()
	turn.State, turn.Answer = Posted, []byte(answer)
	return update(t, l, turn)
}

// same compares what ought to be equal to the last field but for the clock's times.
func same(t testing.TB, what string, want, got any) {
	t.Helper()
	near := cmpopts.EquateApproxTime(time.Minute)
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func question(channel, thread, message string) Turn {
	return Turn{
		Place: Place{"slack", "T1", channel, thread}, Message: message,
		User: "U1", Name: "Ada", Via: "mention", Text: "May I bring my dog?", Outside: true,
		ReplyURL: "https://hooks.example/secret",
	}
}
