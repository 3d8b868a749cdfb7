package ledger

import (
	"testing"
)

func TestThread(t *testing.T) {
	l := newLedger(t)
	check := func(channel, thread string, want Thread) {
		t.Helper()
		got, err := l.Thread(t.Context(), Place{"slack", "T1", channel, thread})
		if err != nil || got != want {
			t.Errorf("thread %s of %s: got %+v, want %+v (%v)", thread, channel, got, want, err)
		}
	}
	quiet := func(thread string, is bool) {
		t.Helper()
		if err := l.SetQuiet(t.Context(), Place{"slack", "T1", "C1", thread}, is); err != nil {
			t.Error(err)
		}
	}
	check("C1", "1", Thread{})
	turn := accept(t, l, question("C1", "1", "1"))
	for _, step := range []struct {
		state State
		want  int
	}{{Received, 0}, {Drafting, 0}, {Answered, 1}, {Posting, 1}, {Dropped, 0}} {
		turn.State = step.state
		turn = update(t, l, turn)
		check("C1", "1", Thread{Answered: step.want})
	}
	turn = post(t, l, turn, "answer")
	post(t, l, accept(t, l, question("C1", "1", "2")), "")
	check("C1", "1", Thread{Answered: 2})
	for _, via := range []string{"person", "share"} {
		q := question("C1", "1", via)
		q.Via = via
		post(t, l, accept(t, l, q), "")
	}
	dropped := question("C1", "1", "3")
	dropped.State = Dropped
	accept(t, l, dropped)
	check("C1", "1", Thread{Answered: 2})

	quiet("1", false)
	quiet("1", true)
	quiet("1", true)
	check("C1", "1", Thread{Answered: 2, Quiet: true})
	quiet("2", true) // where nothing was ever asked
	check("C1", "2", Thread{Quiet: true})
	check("C1", "", Thread{})
	check("C2", "1", Thread{})
	quiet("1", false)
	turn.State = Received
	update(t, l, turn)
	check("C1", "1", Thread{Answered: 1})
}
