package chat

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// PromptTemplate is what a model is told unless an operator says otherwise: a text/template
// with the definitions "answer", "question", "again", "standalone" and "conversation".
//
//go:embed prompt.tmpl
var PromptTemplate string

// A Writer has a model write answers, and proves each statement before anyone sees it. Its
// methods may be called concurrently.
type Writer struct {
	Model Model
	// Tokens counts what a text costs, about; Context is how many the model reads and writes
	// at once.
	Tokens  func(text string) int
	Context int
	// Common reports whether a word is an ordinary one; nil: all may be.
	Common func(word string) bool
	// Observe is told what became of each statement: "" for one that is kept. May be nil.
	Observe func(citations.Reason)

	prompt *template.Template
}

// How long a model may take, within the 25 seconds in which a person gets an answer: for all
// that it does, the search between included, and for putting a follow-up question into full
// words first. What is left after it is for the quotes and the post.
const (
	writeWithin      = 20 * time.Second
	standaloneWithin = 4 * time.Second
	afterwards       = time.Second
)

const (
	answerTokens     = 500 // that an answer may have: some 350 words
	standaloneTokens = 80
	minContext       = 1000 // tokens; less holds no passage beside the rules
)

// NewWriter returns a writer that goes by a template; "" is PromptTemplate. An error says
// what is wrong with it.
func NewWriter(m Model, tokens func(string) int, context int, prompt string) (*Writer, error) {
	if context < minContext {
		return nil, fmt.Errorf("a context of %d tokens holds no answer; allow %d or more", context, minContext)
	}
	if prompt == "" {
		prompt = PromptTemplate
	}
	t, err := template.New("prompt").Parse(prompt)
	if err != nil {
		return nil, err
	}
	w := &Writer{Model: m, Tokens: tokens, Context: context, prompt: t}
	sample := promptData{
		Extracts: []extract{{N: 1, passages: []*kb.Passage{{}}}}, History: []Turn{{}}, Question: "?", Standalone: "?", Refused: []refusedClaim{{}},
	}
	for _, name := range []string{"answer", "question", "again", "standalone", "conversation"} {
		if err := t.ExecuteTemplate(new(strings.Builder), name, sample); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// promptData is what the template's definitions are executed with.
type promptData struct {
	Extracts   []extract
	History    []Turn
	Question   string
	Standalone string // the question in full, where it leaned on the conversation; else ""
	Refused    []refusedClaim
}

type refusedClaim struct{ Text, Why string }

func (w *Writer) text(name string, data promptData) string {
	var b strings.Builder
	if err := w.prompt.ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // NewWriter has tried it, and the data are of one type
	}
	return b.String()
}

// A written answer is what came of a draft.
type written struct {
	statements []statement
	refused    []citations.Refused
	begun      bool // the first claim, which answers, is among the statements
	declined   bool // the model says that the passages hold no answer
}

// A statement is a sentence that was proven, and the units that hold it.
type statement struct {
	text  string
	lead  string // of an item: what announces its list
	kind  citations.PartKind
	units []unit // in reading order, each passage's together
}

// A manuscript is one answer being written.
type manuscript struct {
	*Writer
	similar  similarity // may be nil
	until    time.Time
	inquiry  inquiry
	asked    string // the question as it was asked
	history  []Turn
	hits     []kb.Hit
	nearest  float64             // cosine of the question with the best unit; 0: not known
	extracts []extract           // what the model is given
	readings map[int]readExtract // by the extract's number, made when it is first cited
	usage    citations.Usage
	show     func(statement string) // told each as soon as it is proven; may be nil
}

// A readExtract is an extract taken apart: its units, and the same as evidence.
type readExtract struct {
	units    []unit
	evidence citations.Evidence
}

// searchHits is how many passages a search gives a model to choose from; composing quotes
// looks at the first few of them.
const (
	searchHits  = 40
	composeHits = 10
)

// manuscript begins an answer: with the question as it is searched for.
func (a *Answerer) manuscript(ctx context.Context, text string, q Question) *manuscript {
	m := &manuscript{
		Writer: a.Writer, similar: a.Similarity, until: time.Now().Add(writeWithin),
		inquiry: inquire(text, q), asked: text, history: q.History, readings: map[int]readExtract{},
	}
	if a.Writer == nil {
		return m
	}
	if end, ok := ctx.Deadline(); ok && end.Add(-afterwards).Before(m.until) {
		m.until = end.Add(-afterwards)
	}
	if full, err := m.standalone(ctx); err != nil {
		a.log().Warn("no model put a question into full words; it is searched for as it is", slog.Any("error", err))
	} else if full != "" {
		m.inquiry = inquire(full, q)
	}
	m.inquiry.Limit = searchHits
	return m
}

// write replaces an answer of quotes by what the model writes, if that holds.
func (a *Answerer) write(ctx context.Context, m *manuscript, q Question, found kb.Results, quotes citations.Answer) citations.Answer {
	within, cancel := context.WithDeadline(ctx, m.until)
	defer cancel()
	m.hits = found.Hits
	w, err := m.write(within)
	answer := quotes
	answer.Usage = m.usage
	if err == nil && !w.declined {
		if written, ok := a.assemble(answer, &w); ok {
			answer = written
		}
	}
	if q.Explain {
		answer.Refused = w.refused
	}
	switch {
	case err != nil && ctx.Err() == nil:
		a.log().Warn("no model wrote this answer; documents are quoted instead", slog.Any("error", err))
		answer.Degraded = append(answer.Degraded, "llm")
	case w.declined:
		answer = a.doubted(answer, found)
	}
	return answer
}

// assemble makes an answer of statements. One that its quotes alone do not hold is dropped;
// false when none is left.
func (a *Answerer) assemble(answer citations.Answer, w *written) (citations.Answer, bool) {
	for len(w.statements) > 0 {
		answer.Parts, answer.Sources = quoted(w.statements, a.url)
		answer.Text = citations.Render(answer.Parts)
		var fault *citations.Fault
		if !errors.As(a.prove(answer, w.statements), &fault) {
			return answer, true
		}
		i := statementOf(w.statements, max(fault.Part, 1)-1)
		w.refused = append(w.refused, citations.Refused{Text: w.statements[i].text, Refusal: citations.Refusal{Reason: citations.Unsupported, Detail: fault.Reason}})
		w.statements = slices.Delete(w.statements, i, i+1)
	}
	return answer, false
}

// statementOf is the statement that a part is of; leads are parts of their own.
func statementOf(statements []statement, part int) int {
	for i, s := range statements {
		if s.lead != "" && (i == 0 || statements[i-1].lead != s.lead) {
			part--
		}
		if part <= i {
			return i
		}
	}
	return len(statements) - 1
}

// prove is citations.Check of an answer of statements.
func (a *Answerer) prove(answer citations.Answer, statements []statement) error {
	texts := map[string]string{}
	for _, s := range statements {
		for _, u := range s.units {
			texts[u.passage.Hash] = u.passage.Text
		}
	}
	return citations.Check(answer, func(hash string) (string, bool) {
		text, ok := texts[hash]
		return text, ok
	})
}

// doubted is an answer of quotes when a model has read the passages and found none in them:
// it is less sure by a step.
func (a *Answerer) doubted(answer citations.Answer, found kb.Results) citations.Answer {
	answer.Nearest = nearest(found.Hits, a.url)
	if answer.Verdict == citations.Answered {
		answer.Verdict, answer.Notice = citations.Unsure, sayUnsure
		return answer
	}
	answer.Verdict, answer.Notice = citations.NoAnswer, noAnswerNotice(answer.Nearest)
	answer.Text, answer.Parts, answer.Sources = answer.Notice, nil, nil
	return answer
}

// write has the model write an answer from what was found. It is asked once more when
// little of its draft holds. The usage counts also with an error.
func (m *manuscript) write(ctx context.Context) (written, error) {
	data := promptData{History: lastTurns(m.history), Question: m.asked}
	if m.inquiry.Text != data.Question {
		data.Standalone = m.inquiry.Text
	}
	system := m.text("answer", data)
	room := m.Context - answerTokens - m.Tokens(system) - m.Tokens(m.text("question", data))
	m.extracts = pack(m.hits, room, m.Tokens)
	data.Extracts = m.extracts
	turns := []Turn{{Role: "user", Text: m.text("question", data)}}
	draft, result, err := m.draft(ctx, system, turns)
	if err != nil || result.declined || result.answers() {
		return result, err
	}
	turns = append(turns, Turn{Role: "assistant", Text: draft}, Turn{Role: "user", Text: m.text("again", promptData{Refused: result.why()})})
	_, second, err := m.draft(ctx, system, turns)
	second.refused = append(result.refused, second.refused...)
	second.declined = false // it found an answer before, which was put wrongly
	switch {
	case err != nil && len(result.statements) > 0, err == nil && !second.answers() && len(result.statements) > len(second.statements):
		return written{statements: result.statements, refused: second.refused}, nil
	}
	return second, err
}

// lastTurns are those that a model reads with a question, each cut to its beginning.
func lastTurns(history []Turn) []Turn {
	const turns, runes = 4, 500
	var out []Turn
	for _, t := range history[max(0, len(history)-turns):] {
		text := []rune(mark.ReplaceAllString(citations.Normal(t.Text), ""))
		role := "Person"
		if t.Role == "assistant" {
			role = "You"
		}
		if len(text) > 0 {
			out = append(out, Turn{Role: role, Text: "| " + string(text[:min(len(text), runes)])})
		}
	}
	return out
}

// draft has the model write once, and proves what it writes as it comes.
func (m *manuscript) draft(ctx context.Context, system string, turns []Turn) (string, written, error) {
	var sofar strings.Builder
	shown := 0
	d, err := m.Model.Complete(ctx, Prompt{System: system, Turns: turns, MaxTokens: answerTokens}, func(text string) {
		sofar.WriteString(text)
		if m.show != nil && sofar.Len() < maxDraft && strings.ContainsAny(text, ".!?]】\n") {
			shown = m.showWhole(ctx, sofar.String(), shown)
		}
	})
	m.usage.Input += d.Usage.Input
	m.usage.Output += d.Usage.Output
	if err != nil {
		return "", written{}, err
	}
	text := d.Text
	if d.Cut || len(text) > maxDraft {
		text = whole(text[:min(len(text), maxDraft)])
	}
	result := m.toThePoint(ctx, m.prove(ctx, text))
	if len(result.statements) == 0 && declines(text) {
		result = written{declined: true}
	}
	return text, result, ctx.Err()
}

// offBy is by how much less a statement's units may be like the question than the unit that
// is most like it, as cosines: what is further off answers something else.
const offBy = 0.12

// toThePoint drops all statements of a draft where none is about the question.
func (m *manuscript) toThePoint(ctx context.Context, w written) written {
	if m.similar == nil || m.nearest == 0 || len(w.statements) == 0 {
		return w
	}
	var texts []string
	for _, s := range w.statements {
		for i := range s.units {
			texts = append(texts, s.units[i].inContext())
		}
	}
	cosines, err := m.similar(ctx, m.inquiry.spoken, texts)
	if err != nil || len(cosines) == 0 || slices.Max(cosines) >= m.nearest-offBy {
		return w
	}
	for _, s := range w.statements {
		w.refused = append(w.refused, citations.Refused{Text: s.text, Refusal: citations.Refusal{Reason: citations.OffQuestion}})
	}
	w.statements, w.begun = nil, false
	return w
}

// showWhole shows the statements of a draft that are whole and proven, from the one after
// those shown on, and returns how many claims were looked at.
func (m *manuscript) showWhole(ctx context.Context, draft string, shown int) int {
	whole := claims(draft[:strings.LastIndexByte(draft, '\n')+1])
	if all := claims(draft); len(all) > len(whole) {
		whole = all[:max(len(whole), len(all)-1)] // the last one may go on
	}
	for _, c := range whole[min(shown, len(whole)):] {
		if s, refused := m.proveClaim(ctx, c); refused == nil {
			m.show(s.text)
		}
	}
	return max(shown, len(whole))
}

// answers reports whether what was kept is an answer: its beginning, and not less than what
// was dropped.
func (w written) answers() bool {
	return w.begun && len(w.statements) >= len(w.refused)
}

// why names each failure for the model.
func (w written) why() []refusedClaim {
	var out []refusedClaim
	for _, r := range w.refused {
		out = append(out, refusedClaim{"| " + r.Text, r.Error()})
	}
	return out
}

// prove keeps what holds of a draft.
func (m *manuscript) prove(ctx context.Context, draft string) (w written) {
	for i, c := range claims(draft) {
		s, refused := m.proveClaim(ctx, c)
		w.begun = w.begun || i == 0 && refused == nil
		reason := citations.Reason("")
		switch {
		case refused != nil:
			reason = refused.Reason
			w.refused = append(w.refused, citations.Refused{Text: c.whole(), Refusal: *refused})
		case len(w.statements) < maxParts:
			w.statements = append(w.statements, s)
		}
		if m.Observe != nil {
			m.Observe(reason)
		}
	}
	return w
}

// proveClaim finds the units that hold a claim, in the extracts that it cites.
func (m *manuscript) proveClaim(ctx context.Context, c claim) (statement, *citations.Refusal) {
	switch {
	case len(c.marks) == 0:
		return statement{}, &citations.Refusal{Reason: citations.NoMark}
	case utf8.RuneCountInString(c.whole()) > maxStatement:
		return statement{}, &citations.Refusal{Reason: citations.TooLong}
	}
	var units []unit
	var evidence citations.Evidence
	for _, n := range c.marks {
		switch {
		case n < 1 || n > len(m.extracts):
			return statement{}, &citations.Refusal{Reason: citations.UnknownMark, Detail: fmt.Sprintf("[%d]", n)}
		case m.extracts[n-1].names(c.text): // as a draft of the passages themselves has them
			return statement{}, &citations.Refusal{Reason: citations.Unsupported, Detail: c.text}
		}
		r := m.read(n)
		units, evidence = append(units, r.units...), citations.Join(evidence, r.evidence)
	}
	held, refused := evidence.Prove(c.whole(), citations.Language{
		Meaning: func(held []int) float64 { return m.closeness(ctx, c.whole(), units, held) },
		Common:  m.Common,
	})
	if refused != nil {
		return statement{}, refused
	}
	s := statement{text: c.text, lead: c.lead, kind: c.kind}
	for _, i := range withOpeners(units, held) {
		s.units = append(s.units, units[i])
	}
	return s, nil
}

// maxStatement is in characters; a longer one is no sentence.
const maxStatement = 600

// read takes an extract apart. What speaks to a model instead of to people holds nothing.
func (m *manuscript) read(n int) readExtract {
	if r, ok := m.readings[n]; ok {
		return r
	}
	var r readExtract
	for _, p := range m.extracts[n-1].passages {
		c := cutter{passage: p}
		r.units = append(r.units, slices.DeleteFunc(c.cut(), func(u unit) bool { return instructs(u.text) })...)
	}
	excerpts := make([]citations.Excerpt, len(r.units))
	for i := range r.units {
		excerpts[i] = r.units[i].excerpt(r.units[:i])
	}
	r.evidence = citations.Read(excerpts)
	m.readings[n] = r
	return r
}

// closeness is the cosine of a statement with the units that are to hold it, read as one; 0
// where nothing compares meanings.
func (m *manuscript) closeness(ctx context.Context, text string, units []unit, held []int) float64 {
	if m.similar == nil {
		return 0
	}
	var there strings.Builder
	for k, i := range held {
		if k == 0 {
			there.WriteString(units[i].inContext())
			continue
		}
		there.WriteString("\n" + units[i].text)
	}
	cosines, err := m.similar(ctx, text, []string{there.String()})
	if err != nil || len(cosines) == 0 {
		return 0
	}
	return cosines[0]
}

// excerpt is the unit as a proof reads it. before are the units before it.
func (u *unit) excerpt(before []unit) citations.Excerpt {
	above := slices.Concat([]string{u.passage.Title}, u.passage.Headings, []string{u.heading})
	e := citations.Excerpt{Text: u.text, Header: toPeople(u.header), Above: toPeople(above...)}
	if i := opener(u, before); i >= 0 && u.kind != citations.Row {
		e.Lead = before[i].text
	} else if u.kind == citations.Item && citations.Denies(u.heading) { // "What is not covered"
		e.Lead = toPeople(u.heading)
	}
	return e
}

// toPeople joins texts that stand over a unit, without those that speak to a model.
func toPeople(above ...string) string {
	var out []string
	for _, text := range above {
		if text = citations.Normal(text); !instructs(text) {
			out = append(out, text)
		}
	}
	return citations.Normal(strings.Join(out, "\n"))
}

// opener is which of the units before one it cannot be read without: of an item what
// announces its list, of a row its table's header, of a reply the question; -1 for none.
func opener(u *unit, before []unit) int {
	for i := len(before) - 1; i >= 0 && before[i].passage == u.passage; i-- {
		v := &before[i]
		switch {
		case u.kind == citations.Item && v.leadsIn(), u.kind == citations.Row && v.kind == citations.Header:
			return i
		case u.kind == citations.Sentence && v.asks && v.text == u.heading:
			if u.words > maxReplyWords && !replies.MatchString(u.text) {
				return -1
			}
			return i
		case v.kind != u.kind:
			return -1
		}
	}
	return -1
}

// withOpeners adds to the units that hold something what they cannot be read without.
func withOpeners(units []unit, held []int) []int {
	out := slices.Clone(held)
	for _, i := range held {
		if o := opener(&units[i], units[:i]); o >= 0 && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	slices.Sort(out)
	return out
}

// quoted turns statements into parts and the sources that hold them: one source a passage,
// numbered by first use, which quotes all that is rested on there.
func quoted(statements []statement, url func(hash string) string) ([]citations.Part, []citations.Source) {
	var order []*kb.Passage
	used := map[*kb.Passage][]unit{}
	for _, s := range statements {
		for _, u := range s.units {
			if used[u.passage] == nil {
				order = append(order, u.passage)
			}
			if !slices.ContainsFunc(used[u.passage], func(v unit) bool { return v.start == u.start && v.end == u.end }) {
				used[u.passage] = append(used[u.passage], u)
			}
		}
	}
	var sources []citations.Source
	number := map[*kb.Passage]int{}
	for _, p := range order {
		slices.SortFunc(used[p], func(u, v unit) int { return u.start - v.start })
		number[p] = len(sources) + 1
		sources = append(sources, source(number[p], used[p], url))
	}
	var parts []citations.Part
	for i, s := range statements {
		part := citations.Part{Text: s.text, Kind: s.kind, Written: true}
		for _, u := range s.units {
			if n := number[u.passage]; !slices.Contains(part.Sources, n) {
				part.Sources = append(part.Sources, n)
			}
		}
		if s.lead != "" && (i == 0 || statements[i-1].lead != s.lead) {
			parts = append(parts, citations.Part{Text: s.lead, Kind: citations.Sentence, Sources: part.Sources, Written: true})
		}
		parts = append(parts, part)
	}
	return parts, sources
}
