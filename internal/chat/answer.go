package chat

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// An Answerer answers questions from what Search finds, quoting it word for word. It has
// no state of its own; its methods may be called concurrently.
type Answerer struct {
	// Search finds passages: kb.Library.Search.
	Search func(ctx context.Context, q kb.Query) (kb.Results, error)
	// Similarity is kb.Library.Similarity. Where it is nil, gives nothing or fails, units
	// are chosen by their words.
	Similarity func(ctx context.Context, text string, others []string) ([]float64, error)
	// SourceURL is the address that opens a passage version highlighted; nil: none.
	SourceURL func(hash string) string
	// Writer has a model write answers; nil: they are quotes alone.
	Writer *Writer
	// Observe is told how long each stage of a question took that got through it; may be nil.
	Observe func(stage Stage, took time.Duration)
	// Signals is told what each question's confidence rests on, to fit it anew; may be nil.
	Signals func(Question, Signals)
	// Log gets one line a question; nil: discarded.
	Log *slog.Logger
}

// Answer answers a question. Its citations are checked: an answer that fails its check is
// not given. What is no question gets a fixed reply with the verdict no_answer and no
// search. progress is told each stage as it begins and may be nil. An error is one of
// Search's, such as kb.ErrBusy, or the context's.
func (a *Answerer) Answer(ctx context.Context, q Question, progress func(Progress)) (citations.Answer, error) {
	start := time.Now()
	stages := stopwatch{progress: progress, observe: a.Observe}
	text, refused := guard(q.Text)
	if refused != nil {
		return a.finish(reply(refused.reply), q, refused.reason, 0, start), nil
	}
	stages.begin(Searching)
	m := a.manuscript(ctx, text, q)
	in := m.inquiry
	found, err := a.Search(ctx, in.Query)
	if err != nil {
		return citations.Answer{}, fmt.Errorf("search: %w", err)
	}
	stages.begin(Reading)
	answer, signals, err := a.compose(ctx, in, kb.Results{Hits: found.Hits[:min(len(found.Hits), composeHits)], Degraded: found.Degraded})
	if err != nil {
		return citations.Answer{}, err
	}
	if a.Signals != nil {
		a.Signals(q, signals)
	}
	answer.Usage = m.usage // of putting the question into full words
	if a.Writer != nil && answer.Verdict != citations.NoAnswer {
		stages.begin(Writing)
		m.nearest = signals.Unit
		if progress != nil {
			m.show = stages.statement
		}
		answer = a.write(ctx, m, q, found, answer)
	}
	stages.begin(Checking)
	answer = a.checked(answer, found)
	stages.end()
	return a.finish(answer, q, "", len(found.Hits), start), ctx.Err()
}

// A stopwatch tells of each stage as it begins, and how long it took when the next one does.
type stopwatch struct {
	progress func(Progress)             // may be nil
	observe  func(Stage, time.Duration) // likewise
	stage    Stage                      // that goes on; "": none
	since    time.Time
}

func (w *stopwatch) begin(s Stage) {
	w.end()
	w.stage, w.since = s, time.Now()
	if w.progress != nil {
		w.progress(Progress{Stage: s})
	}
}

// statement tells of a statement that was proven while the stage goes on.
func (w *stopwatch) statement(text string) {
	w.progress(Progress{Stage: w.stage, Statement: text})
}

func (w *stopwatch) end() {
	if w.stage != "" && w.observe != nil {
		w.observe(w.stage, time.Since(w.since))
	}
	w.stage = ""
}

// reply is an answer that is the bot's own words alone.
func reply(notice string) citations.Answer {
	return citations.Answer{Verdict: citations.NoAnswer, Text: notice, Notice: notice}
}

// compose chooses what to quote and decides how far it answers the question.
func (a *Answerer) compose(ctx context.Context, in inquiry, found kb.Results) (citations.Answer, Signals, error) {
	r, err := read(ctx, in, found.Hits, a.Similarity)
	if ctx.Err() != nil {
		return citations.Answer{}, Signals{}, ctx.Err()
	}
	degraded := slices.Clone(found.Degraded)
	if err != nil && !slices.Contains(degraded, "vectors") {
		degraded = append(degraded, "vectors")
	}
	chosen, best := r.pick()
	signals := assess(found.Hits, r, best)
	answer := citations.Answer{Confidence: signals.Confidence(), Degraded: degraded}
	answer.Verdict = verdict(answer.Confidence)
	if answer.Verdict != citations.Answered {
		answer.Nearest = nearest(found.Hits, a.url)
	}
	return a.fill(answer, in.Text, r.units, chosen), signals, nil
}

// fill gives an answer the words that its verdict calls for.
func (a *Answerer) fill(answer citations.Answer, question string, units []unit, chosen []int) citations.Answer {
	if answer.Verdict == citations.NoAnswer {
		answer.Notice = noAnswerNotice(answer.Nearest)
		answer.Text = answer.Notice
		return answer
	}
	quoted := make([]unit, len(chosen))
	for i, c := range chosen {
		quoted[i] = units[c]
	}
	answer.Parts, answer.Sources = compose(quoted, a.url)
	answer.Text = citations.Render(answer.Parts)
	if answer.Verdict == citations.Unsure {
		answer.Notice = unsureNotice(missing(question, units))
	}
	return answer
}

// checked returns the answer if its citations hold in what was found, which is all the
// asker may see. One that fails is a defect of this package, and is not shown.
func (a *Answerer) checked(answer citations.Answer, found kb.Results) citations.Answer {
	texts := map[string]string{}
	for _, h := range found.Hits {
		for _, p := range h.Passages {
			texts[p.Hash] = p.Text
		}
	}
	err := citations.Check(answer, func(hash string) (string, bool) {
		text, ok := texts[hash]
		return text, ok
	})
	if err == nil {
		return answer
	}
	a.log().Error("an answer failed its citation check and was withheld", slog.Any("fault", err))
	withheld := reply(noAnswerNotice(nil))
	withheld.Degraded = answer.Degraded
	return withheld
}

// finish fills in what every answer has, and logs the one line a question.
func (a *Answerer) finish(answer citations.Answer, q Question, refused string, hits int, start time.Time) citations.Answer {
	answer.TookMS = time.Since(start).Milliseconds()
	if answer.Parts == nil {
		answer.Parts = []citations.Part{}
	}
	if answer.Sources == nil {
		answer.Sources = []citations.Source{}
	}
	if answer.Degraded == nil {
		answer.Degraded = []string{}
	}
	a.log().Info("question",
		slog.String("verdict", string(answer.Verdict)), slog.String("refused", refused),
		slog.Float64("confidence", answer.Confidence), slog.Int("hits", hits),
		slog.Int("sources", len(answer.Sources)), slog.Int64("took_ms", answer.TookMS),
		slog.Any("degraded", answer.Degraded))
	a.log().Debug("question text", slog.String("question", q.Text), slog.String("answer", answer.Text))
	return answer
}

func (a *Answerer) url(hash string) string {
	if a.SourceURL == nil {
		return ""
	}
	return a.SourceURL(hash)
}

func (a *Answerer) log() *slog.Logger {
	if a.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return a.Log
}
