package ledger

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// latencies reports the slow end, which is what a platform waits for.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) measure(f func()) {
	start := time.Now()
	f()
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, took)
}

func (l *latencies) report(b *testing.B) {
	slices.Sort(l.all)
	b.ReportMetric(float64(l.all[len(l.all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(l.all[len(l.all)-1].Microseconds())/1000, "max-ms")
}

// longQuestion is one with what a message from Slack brings along.
func longQuestion(n int64) (Turn, []string) {
	q := question("C1", fmt.Sprint(n/5), fmt.Sprint(n))
	q.Text = strings.Repeat("May I bring my dog? ", 20)
	return q, []string{fmt.Sprint("event ", n), fmt.Sprint("message ", n), fmt.Sprint("client ", n)}
}

func BenchmarkAccept(b *testing.B) {
	l := newLedger(b)
	var took latencies
	var n int64
	for b.Loop() {
		q, keys := longQuestion(n)
		n++
		took.measure(func() {
			if _, fresh, err := l.Accept(b.Context(), q, keys...); err != nil || !fresh {
				b.Fatal(fresh, err)
			}
		})
	}
	took.report(b)
}

func BenchmarkAcceptParallel(b *testing.B) {
	l := newLedger(b)
	var took latencies
	var n atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q, keys := longQuestion(n.Add(1))
			took.measure(func() {
				if _, fresh, err := l.Accept(b.Context(), q, keys...); err != nil || !fresh {
					b.Error(fresh, err)
				}
			})
		}
	})
	took.report(b)
}

func BenchmarkDuplicate(b *testing.B) {
	l := newLedger(b)
	q, keys := longQuestion(1)
	accept(b, l, q, keys...)
	for b.Loop() {
		if _, fresh, err := l.Accept(b.Context(), q, keys...); err != nil || fresh {
			b.Fatal(fresh, err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	l := newLedger(b)
	turn := accept(b, l, question("C1", "1", "1"))
	turn.Answer = []byte(strings.Repeat("an answer of some length ", 250))
	for b.Loop() {
		turn.State = Posting
		turn = update(b, l, turn)
	}
}

// fill writes n questions in one transaction, which Accept would take a minute for.
func fill(b *testing.B, l *Ledger, n int, state State) {
	b.Helper()
	q, _ := longQuestion(1)
	accept(b, l, q)
	if _, err := l.writer.Exec(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
		INSERT INTO turns SELECT id + n, version, platform, team, 'C' || (n % 100), 'T' || (n % 2000), 'M' || n, 'U' || (n % 500),
		name, via, ?, reason, verdict, revision, outside, accepted, finished, draft, posts, audiences, reply_url, text,
		randomblob(4000) FROM turns, n`, n, state); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkUnfinished10000(b *testing.B) {
	l := newLedger(b)
	fill(b, l, 10_000, Posting)
	for b.Loop() {
		if turns, err := l.Unfinished(b.Context()); err != nil || len(turns) != 10_001 {
			b.Fatal(len(turns), err)
		}
	}
}

// What is asked for each message, in a ledger of 20,000 turns, 100 MB.
func BenchmarkRead(b *testing.B) {
	l := newLedger(b)
	fill(b, l, 20_000, Posted)
	hour := time.Now().Add(-time.Hour)
	for name, f := range map[string]func() (found int, err error){
		"ByMessage": func() (int, error) {
			_, err := l.ByMessage(b.Context(), Place{"slack", "T1", "C77", ""}, "M777")
			return 1, err
		},
		"History": func() (int, error) {
			turns, err := l.History(b.Context(), Place{"slack", "T1", "C77", "T777"}, 0, time.Time{}, 6)
			return len(turns), err
		},
		"HistoryOfChannel": func() (int, error) {
			turns, err := l.History(b.Context(), Place{"slack", "T1", "C77", ""}, 0, hour, 6)
			return len(turns), err
		},
		"Count": func() (int, error) { return l.Count(b.Context(), Place{"slack", "T1", "", ""}, "U77", hour) },
		"Thread": func() (int, error) {
			t, err := l.Thread(b.Context(), Place{"slack", "T1", "C77", "T777"})
			return t.Answered, err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if found, err := f(); err != nil || found == 0 {
					b.Fatal(found, err)
				}
			}
		})
	}
}

// Starting reads the whole file, to see whether it is sound.
func BenchmarkOpen(b *testing.B) {
	l := newLedger(b)
	fill(b, l, 20_000, Posted)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, err := Open(b.Context(), l.path)
		if err != nil || l.Damaged() != "" {
			b.Fatal(err)
		}
		l.Close()
	}
}

func BenchmarkHealthy(b *testing.B) {
	l := newLedger(b)
	for b.Loop() {
		if err := l.Healthy(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
