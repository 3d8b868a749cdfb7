package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFeedback(t *testing.T) {
	l := newLedger(t)
	id := accept(t, l, question("C1", "", "1")).ID
	other := accept(t, l, question("C1", "", "2")).ID
	for _, step := range []struct {
		good    bool
		comment string
		want    Feedback
	}{
		{true, "", Feedback{id, "U1", true, ""}},
		{true, "thanks", Feedback{id, "U1", true, "thanks"}},
		{true, "", Feedback{id, "U1", true, "thanks"}},
		{true, "many thanks", Feedback{id, "U1", true, "many thanks"}},
		{false, "", Feedback{id, "U1", false, ""}},
		{false, "wrong year", Feedback{id, "U1", false, "wrong year"}},
		{false, "", Feedback{id, "U1", false, "wrong year"}},
		{true, "right after all", Feedback{id, "U1", true, "right after all"}},
	} {
		if _, err := l.SetFeedback(t.Context(), Feedback{id, "U1", step.good, step.comment}); err != nil {
			t.Fatal(err)
		}
		got, err := l.Feedback(t.Context(), id)
		if diff := cmp.Diff([]Feedback{step.want}, got); diff != "" || err != nil {
			t.Errorf("after %v, %q: %v (-want +got):\n%s", step.good, step.comment, err, diff)
		}
	}
	for _, f := range []Feedback{{id, "U3", false, "c"}, {id, "U2", true, "b"}, {other, "U1", false, ""}} {
		if _, err := l.SetFeedback(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	want := []Feedback{{id, "U1", true, "right after all"}, {id, "U2", true, "b"}, {id, "U3", false, "c"}}
	got, err := l.Feedback(t.Context(), id)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestGaps(t *testing.T) {
	l := newLedger(t)
	long := time.Now().Add(-time.Hour)
	var want []Gap
	for _, turn := range []struct {
		text, verdict string
		answered, old bool
		bad, good     int
		gap           bool
	}{
		{text: "answered", verdict: "answered", answered: true},
		{text: "unsure", verdict: "unsure", answered: true, gap: true},
		{text: "no answer", verdict: "no_answer", answered: true, gap: true},
		{text: "small talk", answered: true},
		{text: "not yet answered", verdict: "unsure"},
		{text: "bad", verdict: "answered", answered: true, bad: 2, good: 1, gap: true},
		{text: "liked", verdict: "answered", answered: true, good: 2},
		{text: "unsure and bad", verdict: "unsure", answered: true, bad: 1, gap: true},
		{text: "unsure and liked", verdict: "unsure", answered: true, good: 1, gap: true},
		{text: "unsure long ago", verdict: "unsure", answered: true, old: true},
		{text: "bad long ago", verdict: "answered", answered: true, bad: 1, old: true},
	} {
		q := question("C1", "", "1")
		q.Text = turn.text
		q = accept(t, l, q)
		if q.Verdict = turn.verdict; turn.answered {
			q.Answer = []byte("answer")
		}
		q = update(t, l, q)
		for i := range turn.bad + turn.good {
			if _, err := l.SetFeedback(t.Context(), Feedback{q.ID, string(rune('a' + i)), i >= turn.bad, ""}); err != nil {
				t.Fatal(err)
			}
		}
		if turn.old {
			setAccepted(t, l, q.ID, long)
		}
		if turn.gap {
			want = append([]Gap{{q.ID, turn.text, turn.verdict, "C1", "slack", turn.bad, q.Accepted}}, want...)
		}
	}
	got, err := l.Gaps(t.Context(), long.Add(time.Minute))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if all, err := l.Gaps(t.Context(), time.Time{}); err != nil || len(all) != len(want)+2 {
		t.Errorf("since ever there are %d, %v", len(all), err)
	}
}

func TestFeedbackThatComesAgain(t *testing.T) {
	l := newLedger(t)
	turn := accept(t, l, question("C1", "1", "1"))
	for i, click := range []struct {
		good  bool
		key   string
		fresh bool
	}{{true, "click 1", true}, {false, "click 2", true}, {true, "click 1", false}} {
		fresh, err := l.SetFeedback(t.Context(), Feedback{turn.ID, "U1", click.good, ""}, click.key)
		if fresh != click.fresh || err != nil {
			t.Errorf("click %d: fresh %v, error %v", i+1, fresh, err)
		}
	}
	all, err := l.Feedback(t.Context(), turn.ID)
	if len(all) != 1 || all[0].Good || err != nil {
		t.Errorf("%+v, %v: the newest click was not good", all, err)
	}
}
