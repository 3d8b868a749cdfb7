package chat

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// Edits, kills and faults at random moments of answers of several pages, fast and slow, end
// with the pages of the answer to the last words, each once.
func TestDeskRandom(t *testing.T) {
	n := 150
	if s := os.Getenv("REVIEW_N"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	for seed := range n {
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
				r.accept(Message{ID: "1", Text: "w0", Place: Place{Thread: "T"}, Keys: []string{"m1"}})
				revive := func() {
					b.mu.Lock()
					dead := b.dead
					b.mu.Unlock()
					if dead {
						r.stop()
						b.dead = false
						r = start(t, path, b, alter)
					}
				}
				last := "w0"
				trace := ""
				for i := range rnd.IntN(4) {
					time.Sleep(time.Duration(rnd.IntN(9000)) * time.Millisecond)
					synctest.Wait()
					revive()
					w := fmt.Sprint("w", i+1)
					known, err := r.desk.Edit(t.Context(), thread, "1", w)
					trace += fmt.Sprintf(" edit %s %v %v;", w, known, err)
					if err == nil {
						last = w
					}
				}
				for range 8 {
					settle()
					revive()
				}
				want := ""
				for p := range b.pages {
					if p > 0 {
						want += "\n"
					}
					want += "re: " + last + " [public]"
					if b.pages > 1 {
						want += fmt.Sprintf(" (%d of %d)", p+1, b.pages)
					}
				}
				r.want(want)
				if t.Failed() {
					t.Log(trace)
				}
				r.stop()
			})
		})
	}
}
