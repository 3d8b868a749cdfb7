package llmtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A response is what is being written.
type response struct {
	w       http.ResponseWriter
	r       *http.Request
	call    Call
	closing chan struct{}
}

func (r *response) retryAfter(wait string) {
	if ms, ok := strings.CutSuffix(wait, "ms"); ok {
		r.w.Header().Set("Retry-After-Ms", ms)
		return
	}
	r.w.Header().Set("Retry-After", wait)
}

func (r *response) plain(status int, contentType, body string) {
	r.w.Header().Set("Content-Type", contentType)
	r.w.WriteHeader(status)
	fmt.Fprint(r.w, body)
}

// refuse answers with an error in the form of the API that was called.
func (r *response) refuse(status int, kind, code, message string) {
	e := map[string]any{"error": map[string]any{"type": kind, "code": code, "param": nil, "message": message}}
	if r.call.Provider == "anthropic" {
		e = map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": message}, "request_id": "req_1"}
	}
	r.plain(status, "application/json", encode(e))
}

func encode(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// Tokens is how many a text is said to have.
func Tokens(text string) int { return len(strings.Fields(text)) + 1 }

// stream writes an answer in pieces, and does what a mood wants.
func (r *response) stream(m Mood, text string) {
	r.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	events := r.events(m, text)
	half := len(events) / 2
	for i, event := range events {
		if i == half && m == Stall {
			r.hang()
			return
		}
		if i == half && m == Cut {
			return
		}
		if i == half && m == Torn {
			r.reset()
			return
		}
		if i == half && m == LateError || i == 0 && m == ErrorEvent {
			event = r.errorEvent()
		}
		if !r.send(m, event) {
			return
		}
	}
}

// send writes an event, and says whether to go on.
func (r *response) send(m Mood, event string) bool {
	if m != Drip {
		_, err := fmt.Fprint(r.w, event)
		r.flush()
		return err == nil
	}
	for i := range len(event) {
		if _, err := r.w.Write([]byte{event[i]}); err != nil || !r.pause(time.Second) {
			return false
		}
		r.flush()
	}
	return true
}

// flush errs when the client is gone, which the next write shows.
func (r *response) flush() { _ = http.NewResponseController(r.w).Flush() }

// pieces are what a model would write one after the other.
func pieces(m Mood, text string) []string {
	switch m {
	case Empty:
		return []string{""}
	case InvalidUTF8:
		return append(pieces(Well, text), " \xff\xfe\xc3(")
	case Huge:
		return strings.SplitAfter(strings.Repeat(strings.Repeat("word ", 200)+"\n", 5000), "\n")
	case HugeLine:
		return []string{strings.Repeat("word ", 1<<20)}
	}
	return strings.SplitAfter(text, " ")
}

// events are those of a whole reply.
func (r *response) events(m Mood, text string) []string {
	if r.call.Provider == "anthropic" {
		return r.anthropic(m, text)
	}
	return r.openAI(m, text)
}

// errorEvent says that the server is overloaded.
func (r *response) errorEvent() string {
	e := map[string]any{"type": "overloaded_error", "message": "Overloaded"}
	if r.call.Provider == "anthropic" {
		return "event: error\ndata: " + encode(map[string]any{"type": "error", "error": e}) + "\n\n"
	}
	return "data: " + encode(map[string]any{"error": e}) + "\n\n"
}

func (r *response) prompt() int {
	text := r.call.System
	for _, m := range r.call.Messages {
		text += " " + m.Text
	}
	return Tokens(text)
}

// raw is a JSON string that keeps bytes that are no UTF-8.
func raw(text string) string {
	if strings.ToValidUTF8(text, "") == text {
		return encode(text)
	}
	return `"` + text + `"`
}

func (r *response) openAI(m Mood, text string) (events []string) {
	chunk := func(choices, usage string) {
		events = append(events, fmt.Sprintf(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":%s,"choices":[%s],"usage":%s}`+"\n\n", encode(r.call.Model), choices, usage))
	}
	chunk(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`, "null")
	for _, p := range pieces(m, text) {
		chunk(`{"index":0,"delta":{"content":`+raw(p)+`},"finish_reason":null}`, "null")
	}
	reason := map[Mood]string{TooLong: "length", Filtered: "content_filter"}[m]
	if reason == "" {
		reason = "stop"
	}
	chunk(`{"index":0,"delta":{},"finish_reason":"`+reason+`"}`, "null")
	if options, _ := r.call.Body["stream_options"].(map[string]any); options["include_usage"] == true && m != NoUsage {
		in, out := r.prompt(), Tokens(text)
		chunk("", fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, in, out, in+out))
	}
	return append(events, "data: [DONE]\n\n")
}

func (r *response) anthropic(m Mood, text string) (events []string) {
	event := func(kind, format string, args ...any) {
		events = append(events, "event: "+kind+"\ndata: "+fmt.Sprintf(format, args...)+"\n\n")
	}
	in, out := r.prompt(), Tokens(text)
	if m == NoUsage {
		in, out = 0, 0
	}
	event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"usage":{"input_tokens":%d,"output_tokens":0}}}`, encode(r.call.Model), in)
	event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	event("ping", `{"type":"ping"}`)
	for _, p := range pieces(m, text) {
		event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%s}}`, raw(p))
	}
	event("content_block_stop", `{"type":"content_block_stop","index":0}`)
	reason := map[Mood]string{TooLong: "max_tokens", Filtered: "refusal"}[m]
	if reason == "" {
		reason = "end_turn"
	}
	event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"%s","stop_sequence":null},"usage":{"output_tokens":%d}}`, reason, out)
	event("message_stop", `{"type":"message_stop"}`)
	return events
}
