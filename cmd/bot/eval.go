package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"

	"citebot/internal/chat"
	"citebot/internal/citations"
	"citebot/internal/kb"

	"golang.org/x/sync/errgroup"
)

type evalCmd struct {
	JSON       bool     `help:"Print JSON."`
	Limit      int      `default:"30" help:"Passages to ask for per question (${default}, which gives ten documents as a rule)."`
	SearchOnly bool     `help:"Do not answer: measure what is found, in a fraction of the time."`
	Answers    bool     `help:"Show what became of each question and, summed up, of what a model wrote."`
	Save       string   `placeholder:"FILE" help:"Keep the sums of --answers in a file."`
	Beside     []string `placeholder:"FILE" help:"Show the sums beside those that --save kept, for example of another model."`
	Offtopic   string   `placeholder:"FILE" help:"More questions, which the documents do not answer."`
	Signals    string   `placeholder:"FILE" help:"Write a line of JSON per question: what its confidence rests on."`
	Golden     string   `placeholder:"FILE" help:"Fail when a figure is below the one in this file."`
	Update     bool     `help:"Write the figures to the golden file instead."`
	Questions  string   `arg:"" help:"Questions with their gold documents, a line of JSON each."`
}

// Run measures in a state folder of its own unless one is named, so that no figure
// depends on what was indexed before and no index is replaced by another folder's.
func (c *evalCmd) Run(ctx context.Context, b *bot) (err error) {
	cfg, err := b.config()
	if err != nil {
		return err
	}
	questions, err := c.questions(cfg.Audience)
	if err != nil {
		return err
	}
	if b.flags.State == "" {
		if cfg.State, err = os.MkdirTemp("", "bot-eval-"); err != nil {
			return err
		}
		defer os.RemoveAll(cfg.State)
	}
	p, err := openPipeline(ctx, cfg, b.log(cfg, logOneShot))
	if err != nil {
		return whoHasIt(err, cfg.State)
	}
	return errors.Join(b.useLocal(ctx, p, func(asker) error {
		outcomes, err := c.measure(ctx, p, questions, b.say.progress.show)
		b.say.progress.clear()
		if err != nil {
			return err
		}
		weigh(outcomes, p.model.Tokens)
		return c.report(b, p, outcomes)
	}), p.Close())
}

// A question is one line of a file of questions, such as kb-docs/golden.jsonl.
type question struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	chat.Question
	GoldDocs    []string `json:"gold_docs"`    // paths below the documents folder
	GoldPassage string   `json:"gold_passage"` // words that a found passage should hold
	Answerable  bool     `json:"answerable"`
	GoldAnswer  string   `json:"gold_answer"`
	MustQuote   []string `json:"must_quote"` // words that the answer should hold

	offtopic bool
}

// questions are those of both files. One that does not say who asks is asked as audience.
func (c *evalCmd) questions(audience []string) ([]question, error) {
	questions, err := readQuestions(c.Questions, audience)
	if err != nil || c.Offtopic == "" {
		return questions, err
	}
	others, err := readQuestions(c.Offtopic, audience)
	for _, q := range others {
		q.Answerable, q.GoldDocs, q.offtopic = false, nil, true
		questions = append(questions, q)
	}
	return questions, err
}

func readQuestions(file string, audience []string) ([]question, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("questions: %w", err)
	}
	defer f.Close()
	var questions []question
	for line, err := range linesOf(f) {
		q := question{Question: chat.Question{Audiences: audience}}
		if err == nil {
			err = json.Unmarshal([]byte(line), &q)
		}
		if err == nil && q.Answerable && len(q.GoldDocs) == 0 {
			err = errors.New("an answerable question needs gold_docs")
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, len(questions)+1, err)
		}
		questions = append(questions, q)
	}
	if len(questions) == 0 {
		return nil, fmt.Errorf("%s: there is no question in it", file)
	}
	return questions, nil
}

// An outcome is what the bot made of a question.
type outcome struct {
	question  question
	ranking   []string // documents by their best passage
	passages  []string // texts of the first five hits
	found     kb.Results
	answer    citations.Answer
	signals   chat.Signals
	goldRank  int // of the first gold document; 0: not found
	misquoted []string
	context   int // tokens of the passages that a model would be given
}

// measure asks every question. Outcomes are in the questions' order, whatever ran first.
func (c *evalCmd) measure(ctx context.Context, p *pipeline, questions []question, show func(step)) ([]outcome, error) {
	outcomes := make([]outcome, len(questions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	done := 0
	for i, q := range questions {
		group.Go(func() (err error) {
			outcomes[i], err = c.outcomeOf(ctx, p, q)
			mu.Lock()
			defer mu.Unlock()
			done++
			show(step{"asking questions", done, len(questions)})
			return err
		})
	}
	return outcomes, group.Wait()
}

func (c *evalCmd) outcomeOf(ctx context.Context, p *pipeline, q question) (outcome, error) {
	o := outcome{question: q}
	var err error
	if o.found, err = p.Search(ctx, q.Question, c.Limit); err != nil {
		return o, fmt.Errorf("question %s: %w", q.ID, err)
	}
	o.rank()
	if c.SearchOnly {
		return o, nil
	}
	answerer := p.answerer
	answerer.Signals = func(_ chat.Question, s chat.Signals) { o.signals = s }
	q.Question.Explain = true
	if o.answer, err = answerer.Answer(ctx, q.Question, nil); err != nil {
		return o, fmt.Errorf("question %s: %w", q.ID, err)
	}
	for _, words := range q.MustQuote {
		if holdsPassage([]string{o.answer.Text}, words) == 0 {
			o.misquoted = append(o.misquoted, words)
		}
	}
	return o, nil
}

// contextBudget is how many tokens of passages a model is given with a question: the price
// of an answer, more than anything else.
const contextBudget = 3000

// weigh counts what of each question's hits a model would be given: the best, as many as fit.
func weigh(outcomes []outcome, tokens func(text string) int) {
	for i := range outcomes {
		o := &outcomes[i]
		for _, h := range o.found.Hits {
			n := tokens(h.Text())
			if o.context+n > contextBudget {
				break
			}
			o.context += n
		}
	}
}

// rank makes a ranking of documents of what was found.
func (o *outcome) rank() {
	for i, h := range o.found.Hits {
		if path := h.Passages[h.Best].Path; !slices.Contains(o.ranking, path) {
			o.ranking = append(o.ranking, path)
		}
		if i < 5 {
			o.passages = append(o.passages, h.Text())
		}
	}
	o.goldRank = 1 + slices.IndexFunc(o.ranking, func(path string) bool { return slices.Contains(o.question.GoldDocs, path) })
}

// measures are the question's figures that apply to it.
func (o outcome) measures() map[string]float64 {
	q, m := o.question, map[string]float64{}
	if o.answered() {
		m[q.verdictName()] = boolean((o.answer.Verdict == citations.Answered) == q.Answerable)
	}
	if len(o.answer.Sources) > 0 {
		m["verbatim"] = o.verbatim()
	}
	if !q.Answerable {
		return m
	}
	maps.Copy(m, map[string]float64{
		"hit@1":    hit(o.ranking, q.GoldDocs, 1),
		"hit@3":    hit(o.ranking, q.GoldDocs, 3),
		"hit@5":    hit(o.ranking, q.GoldDocs, 5),
		"hit@10":   hit(o.ranking, q.GoldDocs, 10),
		"recall@5": recall(o.ranking, q.GoldDocs, 5),
		"MRR@10":   reciprocalRank(o.ranking, q.GoldDocs, 10),
		"nDCG@10":  ndcg(o.ranking, q.GoldDocs, 10),
	})
	if q.GoldPassage != "" {
		m["passage@5"] = holdsPassage(o.passages, q.GoldPassage)
	}
	if len(q.MustQuote) > 0 && o.answered() {
		m["must_quote"] = boolean(len(o.misquoted) == 0)
	}
	if len(citations.Terms(q.GoldAnswer)) > 0 && o.answered() {
		m["gold_words"] = o.goldWords()
	}
	return m
}

// answered says whether an answer was asked for at all.
func (o outcome) answered() bool { return o.answer.Verdict != "" }

func (q question) verdictName() string {
	if q.offtopic {
		return "verdict-offtopic"
	}
	return "verdict"
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// figureNames are the figures in the order of print.
//
// gold_words is how much of the gold answers' words the answers say, verbatim the share of
// quotes that stand in their passages word for word. verdict is the share of questions whose verdict is right: "answered" for an answerable
// one, anything else for another. must_quote is the share of answers that hold all the
// words they must. AUROC tells how well the confidence separates answerable questions
// from the file's unanswerable ones, AUROC-offtopic from those of --offtopic.
var figureNames = []string{"hit@1", "hit@3", "hit@5", "hit@10", "recall@5", "MRR@10", "nDCG@10", "passage@5",
	"must_quote", "gold_words", "verbatim", "verdict", "AUROC", "verdict-offtopic", "AUROC-offtopic"}

// figures are the means of the questions' measures. One that no question allows is absent.
func figures(outcomes []outcome) map[string]float64 {
	values := map[string][]float64{}
	var answerable, unanswerable, offtopic []float64 // confidences
	for _, o := range outcomes {
		for name, v := range o.measures() {
			values[name] = append(values[name], v)
		}
		switch confidence := o.answer.Confidence; {
		case !o.answered():
		case o.question.offtopic:
			offtopic = append(offtopic, confidence)
		case o.question.Answerable:
			answerable = append(answerable, confidence)
		default:
			unanswerable = append(unanswerable, confidence)
		}
	}
	out := map[string]float64{
		"AUROC":          auroc(answerable, unanswerable),
		"AUROC-offtopic": auroc(answerable, offtopic),
	}
	for name, v := range values {
		out[name] = mean(v)
	}
	maps.DeleteFunc(out, func(_ string, v float64) bool { return math.IsNaN(v) })
	return out
}
