package chat

import (
	"slices"
	"sync"
	"time"
)

// A job is a turn that is not final, as the desk keeps it in memory. The ledger is the
// truth; after a restart the queue is made from it.
type job struct {
	turn    int64
	lane    Place     // jobs of one lane are worked one after the other
	ready   time.Time // not before this
	pause   Pause     // before it is tried again
	slot    bool      // a moment for its next post was taken, and comes with ready
	since   time.Time // when it was first tried; zero: not yet
	shown   bool      // people see that it is being worked on
	noDraft bool      // it does without a placeholder
}

// A queue hands out jobs in order of arrival, one at a time for each lane, so that one
// slow channel delays nobody else.
type queue struct {
	mu   sync.Mutex
	jobs []*job         // waiting, in order of arrival
	busy map[Place]bool // lanes that somebody works on
	bell chan struct{}  // one slot: something changed
}

func newQueue() *queue {
	return &queue{busy: map[Place]bool{}, bell: make(chan struct{}, 1)}
}

func (q *queue) ring() {
	select {
	case q.bell <- struct{}{}:
	default:
	}
}

// add puts a job where its turn's number belongs: accepting and queueing are two steps,
// and the ledger's order is the one that counts.
func (q *queue) add(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, found := slices.BinarySearchFunc(q.jobs, j.turn, func(have *job, turn int64) int { return int(have.turn - turn) })
	if !found {
		q.jobs = slices.Insert(q.jobs, at, j)
	}
	q.ring()
}

// next takes out the first job that is ready and whose lane is free and not held up by an
// earlier job. Without one it says how long until the next is ready; 0: not known.
func (q *queue) next(now time.Time) (*job, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var wait time.Duration
	held := map[Place]bool{}
	for i, j := range q.jobs {
		left := j.ready.Sub(now)
		switch {
		case q.busy[j.lane] || held[j.lane]:
		case left > 0:
			held[j.lane] = true
			if wait == 0 || left < wait {
				wait = left
			}
		default:
			q.jobs = slices.Delete(q.jobs, i, i+1)
			q.busy[j.lane] = true
			return j, 0
		}
	}
	return nil, wait
}

// release frees the lane of a job that next gave out.
func (q *queue) release(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.busy, j.lane)
	q.ring()
}

// len counts the jobs that wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.jobs)
}
