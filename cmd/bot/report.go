package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"citebot/internal/chat"
	"citebot/internal/citations"
	"citebot/internal/llm"
)

// report prints what `bot eval` measured and compares it with the golden file.
func (c *evalCmd) report(b *bot, p *pipeline, outcomes []outcome) error {
	all := figures(outcomes)
	runs, err := c.runs(p, outcomes)
	if err != nil {
		return err
	}
	if c.Signals != "" {
		if err := writeSignals(c.Signals, outcomes); err != nil {
			return err
		}
	}
	if c.JSON {
		if err := b.say.json(c.evalJSON(all, outcomes, runs)); err != nil {
			return err
		}
	} else {
		c.print(b.say, all, outcomes)
		if len(runs) > 0 {
			b.say.line("")
			b.say.table(comparison(runs))
		}
	}
	if c.Golden == "" {
		return nil
	}
	return compareGolden(c.Golden, all, c.Update)
}

// runs are this one and those it is to be laid beside, where answers are asked for.
func (c *evalCmd) runs(p *pipeline, outcomes []outcome) ([]answerRun, error) {
	if !c.Answers && c.Save == "" && len(c.Beside) == 0 || c.SearchOnly {
		return nil, nil
	}
	name, cost := "quotes", func(citations.Usage) float64 { return 0 }
	if p.author != nil {
		name, cost = p.author.Name(), func(u citations.Usage) float64 { return p.author.Cost(llm.Usage(u)) }
	}
	runs := []answerRun{runOf(name, outcomes, cost)}
	for _, file := range c.Beside {
		r, err := readRun(file)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	if c.Save == "" {
		return runs, nil
	}
	return runs, runs[0].save(c.Save)
}

// print shows a column of figures for all questions and one for each kind of them.
func (c *evalCmd) print(say *terminal, all map[string]float64, outcomes []outcome) {
	if c.Answers {
		for _, o := range outcomes {
			say.line("%s", o)
		}
	}
	groups := byKind(outcomes)
	kinds := slices.Sorted(maps.Keys(groups))
	header, counts := []string{"", "all"}, []string{"questions", strconv.Itoa(len(outcomes))}
	for _, kind := range kinds {
		header = append(header, kind)
		counts = append(counts, strconv.Itoa(len(groups[kind])))
	}
	rows := [][]string{header, counts}
	for _, name := range figureNames {
		if _, ok := all[name]; !ok {
			continue
		}
		row := []string{name, shown(all, name)}
		for _, kind := range kinds {
			row = append(row, shown(figures(groups[kind]), name))
		}
		rows = append(rows, row)
	}
	say.table(rows)
	say.line("%s", tokensOf(outcomes))
}

// tokensJSON are the tokens that a model was given for the answers and has written, and those
// of the passages that it would be given at most.
type tokensJSON struct {
	Input   int `json:"input"`
	Output  int `json:"output"`
	Context struct {
		Mean   float64 `json:"mean"` // a question
		Most   int     `json:"most"`
		Budget int     `json:"budget"`
	} `json:"context"`
}

func tokensOf(outcomes []outcome) (t tokensJSON) {
	t.Context.Budget = contextBudget
	total := 0
	for _, o := range outcomes {
		t.Input += o.answer.Usage.Input
		t.Output += o.answer.Usage.Output
		total += o.context
		t.Context.Most = max(t.Context.Most, o.context)
	}
	t.Context.Mean = float64(total) / float64(max(1, len(outcomes)))
	return t
}

// String is the line below the figures.
func (t tokensJSON) String() string {
	return fmt.Sprintf("tokens: %d spent by a model (%d in, %d out); the passages for one hold %.0f a question, %d at most, of a budget of %d",
		t.Input+t.Output, t.Input, t.Output, t.Context.Mean, t.Context.Most, t.Context.Budget)
}

func byKind(outcomes []outcome) map[string][]outcome {
	groups := map[string][]outcome{}
	for _, o := range outcomes {
		groups[o.question.Kind] = append(groups[o.question.Kind], o)
	}
	return groups
}

func shown(figures map[string]float64, name string) string {
	v, ok := figures[name]
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.3f", v)
}

// String is the outcome's line with --answers: what was right about it, and what not.
func (o outcome) String() string {
	text := fmt.Sprintf("%s\t%s %.2f", o.question.ID, o.answer.Verdict, o.answer.Confidence)
	switch {
	case !o.question.Answerable:
		text += "\tno answer exists"
	case o.goldRank == 0:
		text += "\tgold not found"
	default:
		text += fmt.Sprintf("\tgold #%d", o.goldRank)
	}
	if len(o.misquoted) > 0 {
		text += fmt.Sprintf("\tanswer lacks %q", o.misquoted)
	}
	return text + "\t" + strings.Join(strings.Fields(o.question.Text), " ")
}

// outcomeJSON is an outcome with --answers --json.
type outcomeJSON struct {
	ID        string           `json:"id"`
	GoldRank  int              `json:"gold_rank"` // 0: not found
	Misquoted []string         `json:"misquoted,omitempty"`
	Context   int              `json:"context_tokens"` // of the passages for a model
	Answer    citations.Answer `json:"answer"`
}

func (c *evalCmd) evalJSON(all map[string]float64, outcomes []outcome, runs []answerRun) any {
	out := struct {
		Questions int                           `json:"questions"`
		Figures   map[string]float64            `json:"figures"`
		Kinds     map[string]map[string]float64 `json:"kinds"`
		Tokens    tokensJSON                    `json:"tokens"`
		Runs      []answerRun                   `json:"runs,omitempty"`
		Answers   []outcomeJSON                 `json:"answers,omitempty"`
	}{len(outcomes), all, map[string]map[string]float64{}, tokensOf(outcomes), runs, nil}
	for kind, group := range byKind(outcomes) {
		out.Kinds[kind] = figures(group)
	}
	if c.Answers {
		for _, o := range outcomes {
			out.Answers = append(out.Answers, outcomeJSON{o.question.ID, o.goldRank, o.misquoted, o.context, o.answer})
		}
	}
	return out
}

// signalsJSON is a line of --signals: what a confidence rests on, and whether an answer
// existed, was found and was right.
type signalsJSON struct {
	ID         string            `json:"id"`
	Answerable bool              `json:"answerable"`
	Offtopic   bool              `json:"offtopic"`
	GoldRank   int               `json:"gold_rank"` // 0: not found
	Misquoted  int               `json:"misquoted"`
	Verdict    citations.Verdict `json:"verdict"`
	Confidence float64           `json:"confidence"`
	Signals    chat.Signals      `json:"signals"`
}

func writeSignals(file string, outcomes []outcome) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, o := range outcomes {
		q := o.question
		if err := e.Encode(signalsJSON{
			q.ID, q.Answerable, q.offtopic, o.goldRank, len(o.misquoted), o.answer.Verdict, o.answer.Confidence, o.signals,
		}); err != nil {
			return err
		}
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// compareGolden fails when a figure is below the reviewed one, naming every such figure.
// Figures are compared as the file shows them, to three decimals.
func compareGolden(file string, figures map[string]float64, update bool) error {
	if update {
		return os.WriteFile(file, goldenText(figures), 0o644)
	}
	golden, err := readGolden(file)
	if err != nil {
		return err
	}
	var fallen []error
	for _, name := range slices.Sorted(maps.Keys(golden)) {
		now, ok := figures[name]
		if !ok || math.Round(now*1000) < math.Round(golden[name]*1000) {
			fallen = append(fallen, fmt.Errorf("%s: %s fell from %.3f to %s; mend it, or review the change and rewrite the file with --update",
				file, name, golden[name], shown(figures, name)))
		}
	}
	return errors.Join(fallen...)
}

func goldenText(figures map[string]float64) []byte {
	var b bytes.Buffer
	b.WriteString("# Figures of `bot eval`, reviewed. They may rise; a fall fails the tests.\n")
	for _, name := range figureNames {
		if v, ok := figures[name]; ok {
			fmt.Fprintf(&b, "%-17s %.3f\n", name, v)
		}
	}
	return b.Bytes()
}

func readGolden(file string) (map[string]float64, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("golden file: %w; make it with --update", err)
	}
	golden := map[string]float64{}
	for i, line := range strings.Split(string(data), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil || len(fields) != 2 || !slices.Contains(figureNames, fields[0]) {
			return nil, fmt.Errorf("%s:%d: %q is not the name of a figure and its value", file, i+1, line)
		}
		golden[fields[0]] = value
	}
	return golden, nil
}
