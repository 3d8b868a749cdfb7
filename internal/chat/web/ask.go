package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"citebot/internal/chat"
	"citebot/internal/citations"
)

// apiAsk answers a question as JSON, or as an event stream that begins with progress.
// What goes wrong before the first event is an HTTP status with a JSON body either way.
func (s *Server) apiAsk(w http.ResponseWriter, r *http.Request) {
	q, err := readQuestion(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if accepts(r, "text/event-stream") {
		s.streamAnswer(w, r, q)
		return
	}
	answer, err := s.ask(r.Context(), q, func(chat.Progress) {})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) streamAnswer(w http.ResponseWriter, r *http.Request, q chat.Question) {
	stream := events{w: w}
	answer, err := s.ask(r.Context(), q, func(p chat.Progress) { stream.send("progress", p) })
	switch {
	case err == nil:
		stream.send("answer", answer)
	case !stream.started:
		s.fail(w, r, err)
	default:
		stream.send("error", map[string]string{"error": s.explain(err).text})
	}
}

// events writes server-sent events. A client that went away is noticed by its context.
type events struct {
	w       http.ResponseWriter
	started bool
}

func (e *events) send(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // only our own types come here
	}
	if !e.started {
		e.started = true
		e.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		e.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold progress back until the end
	}
	fmt.Fprintf(e.w, "event: %s\ndata: %s\n\n", name, data)
	http.NewResponseController(e.w).Flush()
}

// ask answers q once its turn has come, within answerWithin.
func (s *Server) ask(ctx context.Context, q chat.Question, progress func(chat.Progress)) (citations.Answer, error) {
	if len(q.Audiences) == 0 {
		q.Audiences = s.cfg.Audience
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := s.inTurn(ctx, func() (citations.Answer, error) { return s.cfg.Ask(ctx, q, progress) })
	if err != nil && errors.Is(context.Cause(ctx), errStopping) {
		err = errStopping
	}
	s.cfg.Asked(s.outcome(answer, err))
	s.metrics.seconds.Observe(time.Since(start).Seconds())
	return answer, err
}

func (s *Server) inTurn(ctx context.Context, ask func() (citations.Answer, error)) (citations.Answer, error) {
	leave, err := s.questions.enter(ctx)
	if err != nil {
		return citations.Answer{}, err
	}
	defer leave()
	return ask()
}

// outcome is what came of a question, for the metrics.
func (s *Server) outcome(answer citations.Answer, err error) string {
	switch {
	case err == nil && known(answer.Verdict):
		return string(answer.Verdict)
	case s.isBusy(err):
		return chat.EndBusy
	case errors.Is(err, context.Canceled), errors.Is(err, errStopping):
		return chat.EndCancelled
	}
	return chat.EndFailed
}

func known(v citations.Verdict) bool {
	return v == citations.Answered || v == citations.Unsure || v == citations.NoAnswer
}

// How many questions are answered at once and how many more wait in line: an answer is
// mostly arithmetic, so more at once would only make all of them late.
const (
	atOnce = 8
	inLine = 32
)

// The same for pages, each of which may take a whole document's memory, and for other
// services' calls. Anybody can begin one of those and send it slowly, up to a megabyte of it,
// before its signature tells that it is none of theirs: so many may be under way that it takes
// as many strangers at once to keep a platform out.
const (
	pagesAtOnce = 64
	pagesInLine = 448
	hooksAtOnce = 1000
	hooksInLine = 0
)

var errFull = errors.New("too many questions at once")

// A gate lets a few in at once, keeps a few more in line and refuses the rest.
type gate struct {
	inside, line chan struct{}
}

func newGate(atOnce, inLine int) gate {
	return gate{make(chan struct{}, atOnce), make(chan struct{}, atOnce+inLine)}
}

// enter waits for its turn; errFull when the line is too long. Whoever enters must leave.
func (g gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.line <- struct{}{}:
	default:
		return nil, errFull
	}
	select {
	case g.inside <- struct{}{}:
		return func() { <-g.inside; <-g.line }, nil
	case <-ctx.Done():
		<-g.line
		return nil, ctx.Err()
	}
}

// maxBody bounds what a request may send, a long conversation included.
const maxBody = 256 << 10

func readQuestion(w http.ResponseWriter, r *http.Request) (chat.Question, error) {
	var q chat.Question
	if err := readJSON(w, r, &q, "question, history, audience and explain"); err != nil {
		return q, err
	}
	return q, checkHistory(q.History)
}

func checkHistory(history []chat.Turn) error {
	for i, turn := range history {
		if turn.Role != "user" && turn.Role != "assistant" {
			return refusal{http.StatusBadRequest, fmt.Sprintf(`"history"[%d] has the role %q: write "user" or "assistant"`, i, turn.Role)}
		}
	}
	return nil
}

// readJSON decodes the one object that the body must be. keys tells people what it may hold.
func readJSON(w http.ResponseWriter, r *http.Request, into any, keys string) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil && dec.More() {
		return refusal{http.StatusBadRequest, "the body goes on after its JSON object: send one object"}
	}
	if err == nil {
		return nil
	}
	return refusal{statusOf(err), describe(err, keys)}
}

func statusOf(err error) int {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

func describe(err error, keys string) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var tooLarge *http.MaxBytesError
	key, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &tooLarge):
		return fmt.Sprintf("the body is larger than %d KB: send less history", maxBody>>10)
	case unknown:
		return fmt.Sprintf("unknown key %s: the keys are %s", key, keys)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("%q is a JSON %s, which it must not be", kind.Field, kind.Value)
	case errors.As(err, &syntax):
		return fmt.Sprintf("the body is not JSON (at byte %d): send an object with the keys %s", syntax.Offset, keys)
	case errors.Is(err, io.EOF):
		return "the body is empty: send a JSON object with the keys " + keys
	}
	return "the body is not the JSON object that it should be: its keys are " + keys
}

// A refusal is an error whose text is meant for whoever sent the request.
type refusal struct {
	status int
	text   string
}

func (e refusal) Error() string { return e.text }

// What people read when it is not their fault.
const (
	textBroken = "Something went wrong here, not with your question. Please try again; if it happens again, tell the people who run this bot."
	textBusy   = "Many questions are being asked right now, or the documents are still being read. Please try again in a few seconds."
	textStop   = "This bot is being stopped or restarted. Please try again in a moment."
	textLate   = "That took too long and was stopped. Please try again, perhaps with a shorter question."
)

func (s *Server) isBusy(err error) bool {
	return errors.Is(err, errFull) || s.cfg.Busy != nil && errors.Is(err, s.cfg.Busy)
}

// explain turns any error into what people may read. Only what nobody expects is logged.
func (s *Server) explain(err error) refusal {
	var told refusal
	switch {
	case errors.As(err, &told):
		return told
	case s.isBusy(err):
		return refusal{http.StatusServiceUnavailable, textBusy}
	case errors.Is(err, errStopping):
		return refusal{http.StatusServiceUnavailable, textStop}
	case errors.Is(err, context.DeadlineExceeded):
		s.cfg.Log.Warn("answer took too long", slog.Any("error", err))
		return refusal{http.StatusGatewayTimeout, textLate}
	case errors.Is(err, context.Canceled):
		return refusal{http.StatusServiceUnavailable, textBusy} // nobody is there to read it
	}
	s.cfg.Log.Error("request failed", slog.Any("error", err))
	return refusal{http.StatusInternalServerError, textBroken}
}

// fail tells of err as JSON or as a page, whichever the request is for.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	why := s.explain(err)
	if why.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	if wantsJSON(r) {
		writeJSON(w, why.status, map[string]string{"error": why.text})
		return
	}
	s.render(w, why.status, "problem", problemPage{Root: root(r), Title: http.StatusText(why.status), Text: why.text})
}

func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/metrics" || accepts(r, "application/json")
}

// accepts reports whether the request names a media type. Wildcards do not count: browsers
// send them with everything.
func accepts(r *http.Request, mediaType string) bool {
	for _, line := range r.Header.Values("Accept") {
		for each := range strings.SplitSeq(line, ",") {
			if t, _, err := mime.ParseMediaType(each); err == nil && t == mediaType {
				return true
			}
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // rescue tells the reader and the log
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(data, '\n'))
}
