package chat

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/ledger"

	"github.com/google/go-cmp/cmp"
)

// once is a wish to have a message answered, by someone who points at it.
func once(message string, try int) Message {
	return Message{
		Place: at("C", message), ID: message, User: fmt.Sprint("user ", try), Text: "how long?", Via: Shortcut, Once: true, Keys: []string{fmt.Sprint(message, " ", try)},
	}
}

// Of all who point at a message at once one gets it answered; the others learn that it is.
func TestDeskOnceAtOnce(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, nil)
		const messages, tries = 30, 4
		receipts := make([][tries]Receipt, messages)
		for n := range receipts {
			var all sync.WaitGroup
			for try := range tries {
				all.Go(func() {
					receipt, err := r.desk.Accept(t.Context(), r.board, once(fmt.Sprint(n), try))
					if err != nil {
						t.Error(err)
					}
					receipts[n][try] = receipt
				})
			}
			all.Wait()
		}
		for n, each := range receipts {
			counts := map[Receipt]int{}
			for _, receipt := range each {
				counts[receipt]++
			}
			if diff := cmp.Diff(map[Receipt]int{{Fresh: true}: 1, {Before: true}: tries - 1}, counts); diff != "" {
				t.Errorf("message %d: %s", n, diff)
			}
		}
		settle()
		if n := strings.Count(r.board.visible(), "re: how long?"); n != messages {
			t.Errorf("%d answers to %d messages", n, messages)
		}
		r.stop()
	})
}

// What is answered counts in the next life, what came to nothing does not; and other messages
// are asked again as often as people like.
func TestDeskOnceLater(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		r := start(t, path, b, nil)
		accept := func(m Message) Receipt {
			t.Helper()
			receipt, err := r.desk.Accept(t.Context(), b, m)
			if err != nil {
				t.Fatal(err)
			}
			return receipt
		}
		first := accept(once("1", 1))
		settle()
		r.stop()
		r = start(t, path, b, func(d *Desk) { d.cfg.Limits = map[string]Limits{"board": {PerPerson: 1}} })
		greedy := once("2", 1)
		greedy.User = "user 7"
		accept(Message{Place: at("C", "0"), ID: "0", User: greedy.User, Text: "and?", Via: Mention, Keys: []string{"0"}})
		limited := accept(greedy)
		later := accept(once("2", 2))
		several := once("1", 4)
		several.Once = false
		got := []Receipt{first, accept(once("1", 3)), limited, later, accept(several)}
		if diff := cmp.Diff([]Receipt{{Fresh: true}, {Before: true}, {Fresh: true}, {Fresh: true}, {Fresh: true}}, got); diff != "" {
			t.Error(diff)
		}
		if turn, err := r.ledger.ByMessage(t.Context(), at("C", "2"), "2"); err != nil || turn.Reason == ledger.ReasonLimited {
			t.Errorf("the one that was turned away counts: %+v, %v", turn, err)
		}
		r.stop()
	})
}

// Why there is no answer is said where the reply would be, or else to the person, and never
// both; who comes for the same again hears nothing new.
func TestDeskSaysWhyThereIsNoAnswer(t *testing.T) {
	path := ledgerPath(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, path, &board{}, func(d *Desk) { d.cfg.Limits = map[string]Limits{"board": {PerPerson: 1}} })
		ask := func(user, key, replyURL string) Receipt {
			t.Helper()
			m := Message{Place: at("C", ""), User: user, Text: "how long?", Via: Ask, ReplyURL: replyURL, Keys: []string{user + key}}
			receipt, err := r.desk.Accept(t.Context(), r.board, m)
			if err != nil {
				t.Fatal(err)
			}
			return receipt
		}
		const replyURL = "https://reply.example/1"
		got := []Receipt{
			ask("ann", "1", replyURL), ask("ann", "2", replyURL), ask("ann", "2", replyURL),
			ask("bob", "1", ""), ask("bob", "2", ""), ask("bob", "2", ""),
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want := []Receipt{{Fresh: true}, {Fresh: true, Notice: sayPersonLimit}, {}, {Fresh: true}, {Fresh: true}, {}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"bob: " + sayPersonLimit}, r.board.told); diff != "" {
			t.Error(diff)
		}
		r.stop()
	})
}
