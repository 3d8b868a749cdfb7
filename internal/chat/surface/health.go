package surface

import (
	"slices"
	"strings"
	"sync"
)

// Health is what does not work. Its zero value is in good health.
type Health struct {
	mu       sync.Mutex
	problems map[string]problem // by what does not work; gone when it works again
}

// A problem is what does not work, and whether the bot can do nothing without it.
type problem struct {
	text  string
	fatal bool
}

// Down notes a problem with something, and reports whether it is another than before. A fatal
// one leaves the bot mute or deaf.
func (h *Health) Down(what, text string, fatal bool) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problems == nil {
		h.problems = map[string]problem{}
	}
	news = h.problems[what].text != text
	h.problems[what] = problem{text, fatal}
	return news
}

// Fine notes that something works.
func (h *Health) Fine(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.problems, what)
}

// Problems tells all that is wrong, "" if nothing is, and whether any of it is fatal.
func (h *Health) Problems() (text string, fatal bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var texts []string
	for _, p := range h.problems {
		texts = append(texts, p.text)
		fatal = fatal || p.fatal
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), "; "), fatal
}
