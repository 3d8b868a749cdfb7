package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A board is a platform as people see it: posts in the order they appeared. Its faults
// happen to the next calls, one each.
type board struct {
	mu     sync.Mutex
	posts  []shownPost
	faults []fault
	told   []string // "user: text"
	status []string // "thread: stage"
	calls  int
	dead   bool // the process that called is gone: nothing happens any more
	pages  int  // of each answer; 0: one
}

type shownPost struct {
	id   string
	key  string
	text string
}

// A fault is how a Send fails.
type fault int

const (
	none    fault = iota
	lost          // the post is made and nobody learns of it
	dropped       // the post is not made and nobody learns of it
	limited       // the platform wants us to wait
	refused       // the platform does not want it
)

var _ Platform = (*board)(nil)

func (b *board) Name() string { return "board" }

func (b *board) Audiences(_ context.Context, p Place, outside bool) ([]string, error) {
	if outside || p.Channel != "staff" {
		return []string{"public"}, nil
	}
	return []string{"public", "staff"}, nil
}

func (b *board) Pages(p Post) int { return max(b.pages, 1) }

func (b *board) Slot(Post) time.Duration { return 0 }

// text is what a post shows.
func (b *board) text(p Post) string {
	switch {
	case p.Draft:
		return "…"
	case p.Via == Handoff:
		return "a person, please: " + p.Question
	}
	text := p.Answer.Text
	if b.pages > 1 {
		text = fmt.Sprintf("%s (%d of %d)", text, p.Page+1, b.pages)
	}
	return text
}

func (b *board) Send(_ context.Context, p Post, draft string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead {
		return "", errors.New("killed")
	}
	b.calls++
	f := none
	if len(b.faults) > 0 {
		f, b.faults = b.faults[0], b.faults[1:]
	}
	switch f {
	case limited:
		return "", &Wait{For: 3 * time.Second, Err: errors.New("slow down")}
	case refused:
		return "", errors.New("no such place")
	case dropped:
		return "", ErrUnknown
	}
	id := draft
	if draft != "" {
		b.show(draft, b.text(p))
	} else {
		id = fmt.Sprint("post ", len(b.posts)+1)
		b.posts = append(b.posts, shownPost{id, p.Key, b.text(p)})
	}
	if f == lost {
		return "", ErrUnknown
	}
	return id, nil
}

func (b *board) show(id, text string) {
	for i := range b.posts {
		if b.posts[i].id == id {
			b.posts[i].text = text
		}
	}
}

func (b *board) Edit(_ context.Context, p Post, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead {
		return errors.New("killed")
	}
	b.show(id, b.text(p))
	return nil
}

func (b *board) Remove(_ context.Context, _ Post, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead {
		return errors.New("killed")
	}
	b.posts = slices.DeleteFunc(b.posts, func(s shownPost) bool { return s.id == id })
	return nil
}

func (b *board) Find(_ context.Context, p Post) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead {
		return "", errors.New("killed")
	}
	for _, s := range b.posts {
		if s.key == p.Key {
			return s.id, nil
		}
	}
	return "", nil
}

func (b *board) Working(_ context.Context, p Post, stage Stage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = append(b.status, p.Thread+": "+string(stage))
}

func (b *board) Tell(_ context.Context, p Post, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, p.User+": "+text)
}

// visible is what stands on the board, a line each.
func (b *board) visible() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, s := range b.posts {
		lines = append(lines, s.text)
	}
	return strings.Join(lines, "\n")
}

func (b *board) isDead() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dead
}
