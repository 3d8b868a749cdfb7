package chat

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/citations"
)

// Edits, kills and faults at random moments of answers of several pages, fast and slow, end
// with the pages of the answer to the last words, each once.
func TestDeskRandom(t *testing.T) {
	for seed := range 150 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			path := ledgerPath(t)
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(seed), 7))
				b := &board{pages: 1 + rnd.IntN(3)}
				for range rnd.IntN(6) {
					b.faults = append(b.faults, []fault{none, lost, dropped, limited}[rnd.IntN(4)])
				}
				slow := rnd.IntN(2) == 0
				kills := rnd.IntN(3)
				points := []string{"received", "drafting", "drafting sent", "drafting answered", "answered", "posting", "posting sent", "posting answered"}
				alter := func(d *Desk) {
					if slow {
						d.cfg.Answer = slowly(d.cfg.Answer)
					}
					if kills > 0 {
						kills--
						after := rnd.IntN(6)
						point := points[rnd.IntN(len(points))]
						d.at = func(at string) {
							if at != point {
								return
							}
							if after--; after > 0 {
								return
							}
							b.mu.Lock()
							b.dead = true
							b.mu.Unlock()
							d.cfg.Ledger.Close()
							runtime.Goexit()
						}
					}
				}
				r := start(t, path, b, alter)
				revive := func() {
					if b.isDead() {
						r.stop()
						b.dead = false
						r = start(t, path, b, alter)
					}
				}
				m := Message{Place: thread, ID: "1", User: "ann", Text: "w0", Via: Mention, Keys: []string{"m1"}}
				for { // what was not acknowledged comes again
					if _, err := r.desk.Accept(t.Context(), b, m); err == nil {
						break
					}
					revive()
				}
				last := []string{"w0"} // more than one when a kill leaves in doubt whether an edit was written
				trace := ""
				for i := range rnd.IntN(4) {
					time.Sleep(time.Duration(rnd.IntN(9000)) * time.Millisecond)
					synctest.Wait()
					revive()
					w := fmt.Sprint("w", i+1)
					known, err := r.desk.Edit(t.Context(), thread, "1", w)
					trace += fmt.Sprintf(" edit %s %v %v;", w, known, err)
					if err == nil {
						last = nil
					}
					last = append(last, w)
				}
				for range 8 {
					settle()
					revive()
				}
				shown := b.visible()
				if !slices.ContainsFunc(last, func(w string) bool { return shown == b.answerTo(w) }) {
					t.Errorf("on the board:\n%s\nwant the answer to one of %q", shown, last)
				}
				if t.Failed() {
					t.Log(trace)
				}
				r.stop()
			})
		})
	}
}

// answerTo is how the board shows the answer to a question, all its pages.
func (b *board) answerTo(question string) string {
	var pages []string
	for p := range b.pages {
		pages = append(pages, b.text(Post{Page: p, Answer: citations.Answer{Text: "re: " + question + " [public]"}}))
	}
	return strings.Join(pages, "\n")
}
