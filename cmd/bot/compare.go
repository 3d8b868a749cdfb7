package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"citebot/internal/citations"
)

// An answerRun is what `bot eval --answers` found out about the answers to a file of questions, in
// a form that can be kept and laid beside another run's. No model judges here.
type answerRun struct {
	Name       string             `json:"name"` // of the model, or "quotes" for none
	Questions  int                `json:"questions"`
	Answered   int                `json:"answered"`
	Unsure     int                `json:"unsure"`
	NoAnswer   int                `json:"no_answer"`
	Fallen     int                `json:"fallen_back"` // a model was called, and quotes were shown
	Statements int                `json:"statements"`  // that a model wrote and that were shown
	Dropped    map[string]int     `json:"dropped"`     // those that were not, by reason
	Figures    map[string]float64 `json:"figures"`
	Input      int                `json:"input_tokens"`
	Output     int                `json:"output_tokens"`
	Cost       float64            `json:"cost"` // by llm.prices; 0 where those are not set
	MedianMS   int64              `json:"median_ms"`
}

// runOf sums up outcomes.
func runOf(name string, outcomes []outcome, cost func(citations.Usage) float64) answerRun {
	r := answerRun{Name: name, Questions: len(outcomes), Dropped: map[string]int{}, Figures: figures(outcomes)}
	var took []int64
	for _, o := range outcomes {
		switch o.answer.Verdict {
		case citations.Answered:
			r.Answered++
		case citations.Unsure:
			r.Unsure++
		case citations.NoAnswer:
			r.NoAnswer++
		}
		written := 0
		for _, p := range o.answer.Parts {
			written += int(boolean(p.Written))
		}
		r.Statements += written
		r.Fallen += int(boolean(written == 0 && o.answer.Usage != citations.Usage{} && len(o.answer.Parts) > 0))
		for _, refused := range o.answer.Refused {
			r.Dropped[string(refused.Reason)]++
		}
		r.Input += o.answer.Usage.Input
		r.Output += o.answer.Usage.Output
		r.Cost += cost(o.answer.Usage)
		took = append(took, o.answer.TookMS)
	}
	slices.Sort(took)
	r.MedianMS = took[len(took)/2]
	return r
}

// readRun reads what save wrote.
func readRun(file string) (r answerRun, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("--beside: %s: %w; make it with --save", file, err)
	}
	return r, nil
}

func (r answerRun) save(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// comparison is a table of runs, a column each.
func comparison(runs []answerRun) [][]string {
	row := func(name string, value func(answerRun) string) []string {
		cells := []string{name}
		for _, r := range runs {
			cells = append(cells, value(r))
		}
		return cells
	}
	number := func(name string, value func(answerRun) int) []string {
		return row(name, func(r answerRun) string { return strconv.Itoa(value(r)) })
	}
	rows := [][]string{
		row("answers", func(r answerRun) string { return r.Name }),
		number("questions", func(r answerRun) int { return r.Questions }),
		number("answered", func(r answerRun) int { return r.Answered }),
		number("unsure", func(r answerRun) int { return r.Unsure }),
		number("no answer", func(r answerRun) int { return r.NoAnswer }),
		number("quotes instead", func(r answerRun) int { return r.Fallen }),
		number("statements shown", func(r answerRun) int { return r.Statements }),
		number("statements dropped", func(r answerRun) int { return sum(r.Dropped) }),
	}
	reasons := map[string]bool{}
	for _, r := range runs {
		for reason := range r.Dropped {
			reasons[reason] = true
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		rows = append(rows, number("  "+reason, func(r answerRun) int { return r.Dropped[reason] }))
	}
	for _, name := range []string{"must_quote", "gold_words", "verbatim", "verdict"} {
		rows = append(rows, row(name, func(r answerRun) string { return shown(r.Figures, name) }))
	}
	return append(rows,
		number("tokens in", func(r answerRun) int { return r.Input }),
		number("tokens out", func(r answerRun) int { return r.Output }),
		row("cost", func(r answerRun) string { return strings.TrimSuffix(fmt.Sprintf("%.4f", r.Cost), ".0000") }),
		row("median time", func(r answerRun) string { return (time.Duration(r.MedianMS) * time.Millisecond).String() }),
	)
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// verbatim is the share of an answer's quotes whose pieces stand in their passages.
func (o outcome) verbatim() float64 {
	texts := map[string]string{}
	for _, h := range o.found.Hits {
		for _, p := range h.Passages {
			texts[p.Hash] = citations.Normal(p.Text)
		}
	}
	good := 0
	for _, s := range o.answer.Sources {
		rest, whole := texts[s.Hash], true
		for piece := range strings.SplitSeq(citations.Normal(s.Quote), citations.Gap) {
			_, after, ok := strings.Cut(rest, piece)
			rest, whole = after, whole && ok
		}
		good += int(boolean(whole))
	}
	return float64(good) / float64(len(o.answer.Sources))
}

// goldWords is the share of the gold answer's content words that the answer says.
func (o outcome) goldWords() float64 {
	said := map[string]bool{}
	for _, t := range citations.Terms(o.answer.Text) {
		said[t] = true
	}
	wanted := citations.Terms(o.question.GoldAnswer)
	good := 0
	for _, t := range wanted {
		good += int(boolean(said[t]))
	}
	return float64(good) / float64(len(wanted))
}
