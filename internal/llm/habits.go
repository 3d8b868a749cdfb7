package llm

import "sync"

// A habit is how requests are worded, for servers differ.
type habit struct {
	completionTokens bool // max_completion_tokens, in place of max_tokens
	ownTemperature   bool // the model's, in place of 0
	noUsage          bool // stream_options are left out
}

// habits are those of a server. They change once, so that a server which refuses everything
// costs one request more and no loop.
type habits struct {
	mu      sync.Mutex
	habit   habit
	changed bool
}

func (h *habits) now() habit {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.habit
}

// adapt changes habits to what a server said about a request that had the used ones, and says
// whether to try again: also when another call has changed them meanwhile.
//
// OpenAI's models that reason refuse max_tokens first, and a temperature next, so that who
// refuses the one is spared the other.
func (h *habits) adapt(s said, used habit) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed {
		return used != h.habit
	}
	to := h.habit
	switch {
	case s.names("max_tokens") && !used.completionTokens && s.names("max_completion_tokens"):
		to.completionTokens, to.ownTemperature = true, true
	case s.names("temperature"):
		to.ownTemperature = true
	case s.names("stream_options"):
		to.noUsage = true
	}
	if to == h.habit {
		return false
	}
	h.habit, h.changed = to, true
	return true
}
