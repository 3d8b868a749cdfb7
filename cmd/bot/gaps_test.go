package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citebot/internal/kb/embed"
	"citebot/internal/ledger"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Pairs that ask for the same in other words.
var sameAsked = [][2]string{
	{"How long do refunds take?", "When will I get my money back?"},
	{"Do you ship to Norway?", "can i order from norway"},
	{"Can I bring my dog to the office?", "Are dogs allowed at work?"},
	{"What is the wifi password for guests?", "guest wifi password"},
	{"How do I reset my password?", "I forgot my password, what now?"},
	{"Is there a student discount?", "Do students get money off?"},
	{"Can I pay with Klarna?", "Do you accept Klarna payments?"},
	{"Where can I park at the store?", "is there parking at the shop"},
	{"How many vacation days do I have?", "How much annual leave do employees get?"},
	{"Do you price match Amazon?", "Will you match a lower price on Amazon?"},
	{"Can I change my delivery address after ordering?", "how to update the shipping address of an order I already placed"},
	{"Who approves a conference trip?", "Whose approval do I need to travel to a conference?"},
	{"Is the tent waterproof?", "does the tent keep rain out"},
	{"Can I use two gift cards on one order?", "multiple gift cards in a single order?"},
	{"What are the opening hours on Christmas Eve?", "When are you open on 24 December?"},
	{"Do you offer sabbaticals?", "Can I take a sabbatical?"},
	{"What is the dress code?", "What should I wear to work?"},
	{"How do I cancel my membership?", "I want to end my membership"},
	{"Does the warranty cover water damage?", "Is water damage covered by the warranty?"},
	{"Do you sell spare tent poles?", "where can I buy replacement poles for my tent"},
}

// Pairs that are near and ask for something else.
var otherAsked = [][2]string{
	{"How long do refunds take?", "How long does delivery take?"},
	{"Do you ship to Norway?", "Do you ship to Iceland?"},
	{"Do you ship to Norway?", "Do you have a store in Norway?"},
	{"Can I bring my dog to the office?", "Can I bring my child to the office?"},
	{"What is the wifi password for guests?", "How do I reset my password?"},
	{"Is there a student discount?", "Is there a staff discount?"},
	{"Is there a student discount?", "Is there a discount for nurses?"},
	{"Can I pay with Klarna?", "Can I pay with PayPal?"},
	{"Where can I park at the store?", "Where is the nearest store?"},
	{"How many vacation days do I have?", "How many sick days do I have?"},
	{"Do you price match Amazon?", "Do you sell on Amazon?"},
	{"Can I change my delivery address after ordering?", "Can I change the colour after ordering?"},
	{"Who approves a conference trip?", "Who approves a purchase over 500 pounds?"},
	{"Is the tent waterproof?", "Is the tent fireproof?"},
	{"Can I use two gift cards on one order?", "Do gift cards expire?"},
	{"What are the opening hours on Christmas Eve?", "Last order date for delivery before Christmas?"},
	{"Do you offer sabbaticals?", "Do you offer parental leave?"},
	{"How do I cancel my membership?", "How do I cancel my order?"},
	{"Does the warranty cover water damage?", "Does the warranty cover theft?"},
	{"Do you sell spare tent poles?", "Do you sell tents?"},
	{"Do you sell spare tent poles?", "Do you sell walking poles?"},
}

// The figures beside sameQuestion are those of the pairs above.
func TestSameQuestion(t *testing.T) {
	model, err := embed.New()
	if err != nil {
		t.Fatal(err)
	}
	joined := func(pairs [][2]string) (n int) {
		for _, pair := range pairs {
			v, err := model.EmbedPassages(t.Context(), []string{sameWords(pair[0]), sameWords(pair[1])})
			if err != nil {
				t.Fatal(err)
			}
			if cosine(v[0], v[1]) >= sameQuestion {
				n++
			}
		}
		return n
	}
	got := fmt.Sprintf("%d of %d, %d of %d", joined(sameAsked), len(sameAsked), joined(otherAsked), len(otherAsked))
	if want := "13 of 20, 1 of 21"; got != want {
		t.Errorf("joined %s; sameQuestion says %s", got, want)
	}
}

func TestGroup(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 20, hour, 0, 0, 0, time.UTC) }
	east, north, near := []float32{1, 0}, []float32{0, 1}, []float32{0.9, 0.435}
	vectors := map[string][]float32{"dogs?": east, "are dogs allowed?": near, "cats?": north}
	gaps := []ledger.Gap{ // newest first, as the ledger lists them
		{Text: "Cats", Platform: "slack", Channel: "C2", Asked: at(5)},
		{Text: "dogs!", Platform: "slack", Channel: "C2", Asked: at(4), Bad: 1},
		{Text: "Are dogs allowed?", Platform: "slack", Channel: "C1", Asked: at(3)},
		{Text: "DOGS?", Platform: "slack", Channel: "C1", Asked: at(2), Bad: 2},
	}
	want := []gapGroup{
		{Question: "DOGS?", Also: []string{"Are dogs allowed?"}, Asked: 3, NotRight: 3, Channels: 2, First: at(2), Last: at(4)},
		{Question: "Cats", Also: []string{}, Asked: 1, Channels: 1, First: at(5), Last: at(5)},
	}
	if diff := cmp.Diff(want, group(gaps, vectors), cmpopts.IgnoreUnexported(gapGroup{})); diff != "" {
		t.Error(diff)
	}
	// Of equals the one that was asked last comes first.
	if got := group(gaps[:2], vectors); got[0].Question != "Cats" {
		t.Errorf("first %+v", got[0])
	}
}

// asked records a question as the daemon would.
func asked(t *testing.T, l *ledger.Ledger, channel, text, verdict string, bad ...string) {
	t.Helper()
	ctx := context.Background()
	id, _, err := l.Accept(ctx, ledger.Turn{Place: ledger.Place{Platform: "slack", Team: "T1", Channel: channel}, User: "U1", Via: "mention", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	turn, err := l.Turn(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	turn.State, turn.Answer, turn.Verdict = ledger.Posted, []byte("{}"), verdict
	if _, err := l.Update(ctx, turn); err != nil {
		t.Fatal(err)
	}
	for _, user := range bad {
		if _, err := l.SetFeedback(ctx, ledger.Feedback{Turn: id, User: user}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGapsCommand(t *testing.T) {
	state := t.TempDir()
	gaps := func(args ...string) (code int, out, problems string) {
		return runBot(t, environment("BOT_STATE", state), append([]string{"gaps"}, args...)...)
	}
	if code, out, notes := gaps(); code != exitOK || out != "" || !strings.Contains(notes, "nothing recorded yet") {
		t.Errorf("without a ledger: %d %q %q", code, out, notes)
	}
	l, err := ledger.Open(t.Context(), filepath.Join(state, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // beside a running daemon
	asked(t, l, "C1", "What do refunds cost?", "answered")
	if code, out, _ := gaps("--days", "1"); code != exitOK || out != "The documents answered every question of the last 1 day.\n" {
		t.Errorf("without gaps: %d %q", code, out)
	}
	asked(t, l, "C1", "Can I bring a llama?", "no_answer")
	asked(t, l, "C1", "Do you sell spare tent poles?", "unsure")
	asked(t, l, "C2", "where can I buy replacement\npoles for my\x1b tent", "no_answer", "U2")
	asked(t, l, "C2", "do you sell spare tent poles", "answered", "U2", "U3")
	code, out, _ := gaps()
	today := time.Now().Format(time.DateOnly)
	want := `The documents did not answer 4 questions of the last 30 days:

3×  Do you sell spare tent poles?
    last on TODAY, in 2 channels; 3 people said it was not right
    also: where can I buy replacement poles for my tent

1×  Can I bring a llama?
    last on TODAY, in 1 channel
`
	if diff := cmp.Diff(strings.ReplaceAll(want, "TODAY", today), out); diff != "" || code != exitOK {
		t.Errorf("exit code %d\n%s", code, diff)
	}
	_, out, _ = gaps("--json")
	var first gapGroup
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&first); err != nil || strings.Count(out, "\n") != 2 {
		t.Fatalf("%v in %s", err, out)
	}
	if first.Question != "Do you sell spare tent poles?" || first.Asked != 3 || first.NotRight != 3 || first.Channels != 2 || len(first.Also) != 1 {
		t.Errorf("as JSON %+v", first)
	}
	if code, _, _ := gaps("--days", "0"); code != exitUsage {
		t.Errorf("--days 0: exit code %d", code)
	}
}
