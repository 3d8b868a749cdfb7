package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"citebot/internal/citations"
	"citebot/internal/kb"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// This file is the only one that prints. Its rules:
//
//   - stdout carries what was asked for and nothing else: answers, passages, findings of
//     `check`, figures of `eval`, the line that says where `serve` is.
//   - stderr carries progress, notes, problems and the log.
//   - With --json, stdout is JSON, one object a line.
//   - Text wraps at the terminal's width, at 80 columns where there is no terminal.
//   - Colour and a moving bar appear only on a terminal, and colour never with NO_COLOR
//     (https://no-color.org).
//   - Documents, questions and file names may hold anything: control characters and
//     invisible formatting are taken out before they reach a terminal.

// streams are what a process reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// A terminal prints for people.
type terminal struct {
	streams
	width    int  // columns of stdout
	colour   bool // stdout shows colours
	moving   bool // stderr is a terminal, so a line may be drawn over
	progress *progress
}

func newTerminal(s streams, env func(string) string) *terminal {
	t := &terminal{streams: s, width: 80}
	if fd, ok := terminalOf(s.out); ok {
		t.colour = env("NO_COLOR") == "" && env("TERM") != "dumb"
		if width, _, err := term.GetSize(fd); err == nil && width > 0 {
			t.width = max(width, 40)
		}
	}
	_, t.moving = terminalOf(s.err)
	t.progress = &progress{w: s.err, moving: t.moving}
	return t
}

func terminalOf(w io.Writer) (fd int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}

// The colours in use.
const (
	bold = "1"
	dim  = "2"
	red  = "31"
)

func (t *terminal) paint(colour, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// line prints one cleaned line of what was asked for.
func (t *terminal) line(format string, args ...any) {
	fmt.Fprintln(t.out, clean(fmt.Sprintf(format, args...)))
}

// note says something on the side.
func (t *terminal) note(format string, args ...any) {
	t.progress.clear()
	fmt.Fprintln(t.err, clean(fmt.Sprintf(format, args...)))
}

// problem says why the command failed.
func (t *terminal) problem(err error) {
	for _, e := range unjoin(err) {
		t.note("bot: %v", e)
	}
}

// unjoin lists the errors that errors.Join put together.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || err.Error() != joined.(error).Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, unjoin(e)...)
	}
	return all
}

// json prints v as one line.
func (t *terminal) json(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// answer prints an answer, its sources and, when it is not sure, where to look instead.
func (t *terminal) answer(a citations.Answer) {
	if a.Notice != a.Text {
		t.paragraphs(a.Notice, "")
	}
	if len(a.Parts) == 0 {
		t.paragraphs(a.Text, "")
	}
	for _, line := range answerLines(a.Parts, t.width) {
		fmt.Fprintln(t.out, line)
	}
	if len(a.Sources) > 0 {
		fmt.Fprintf(t.out, "\n%s\n", t.paint(bold, "Sources"))
	}
	for _, s := range a.Sources {
		t.source(s)
	}
	if len(a.Nearest) > 0 {
		fmt.Fprintf(t.out, "\n%s\n", t.paint(bold, "Nearest documents"))
	}
	for _, n := range a.Nearest {
		t.hanging("-  ", heading(n.Title, n.Section)+" ("+n.Path+")")
		t.link(n.URL)
	}
	if len(a.Refused) > 0 {
		fmt.Fprintf(t.out, "\n%s\n", t.paint(bold, "Written by the model and not shown"))
	}
	for _, r := range a.Refused {
		t.hanging("-  ", r.Text+" ("+r.Error()+")")
	}
	t.degraded(a.Degraded)
}

func (t *terminal) source(s citations.Source) {
	t.hanging(fmt.Sprintf("[%d]", s.N), fmt.Sprintf("%s (%s)", heading(s.Title, s.Section), place(s.Path, s.Lines, s.Updated)))
	t.paragraphs("“"+s.Quote+"”", "    ")
	t.link(s.URL)
}

// link prints an address on a line of its own, never wrapped, so that it can be clicked.
func (t *terminal) link(url string) {
	if url != "" {
		fmt.Fprintf(t.out, "    %s\n", t.paint(dim, clean(url)))
	}
}

// results prints ranked passages and why each was found.
func (t *terminal) results(r kb.Results) {
	if len(r.Hits) == 0 {
		t.line("Nothing was found.")
	}
	for i, h := range r.Hits {
		best := h.Passages[h.Best]
		title := heading(best.Title, best.Section()) + " (" + place(best.Path, h.Lines(), best.Updated) + ")"
		t.hanging(fmt.Sprintf("%2d.", i+1), title)
		fmt.Fprintf(t.out, "    %s\n", t.paint(dim, clean(why(h))))
		lines := wrap(h.Text(), t.width-4)
		for _, line := range lines[:min(len(lines), 3)] {
			fmt.Fprintf(t.out, "    %s\n", line)
		}
	}
	t.degraded(r.Degraded)
}

// why explains a hit's rank.
func why(h kb.Hit) string {
	text := fmt.Sprintf("score %.3f; BM25 %s; vectors %s", h.Score, leg(h.BM25), leg(h.Vector))
	if len(h.Matched) > 0 {
		text += "; words: " + strings.Join(h.Matched, ", ")
	}
	return text
}

func leg(l kb.Leg) string {
	if l.Rank == 0 {
		return "–"
	}
	return fmt.Sprintf("#%d (%.3f)", l.Rank, l.Score)
}

func (t *terminal) degraded(parts []string) {
	if len(parts) > 0 {
		t.note("note: without %s for now; answers may be less complete", strings.Join(plainly(parts), " and "))
	}
}

// plainly names the parts that did not take part as people would.
func plainly(parts []string) []string {
	names := map[string]string{"vectors": "search by meaning", "bm25": "search by words", "llm": "the model that writes answers"}
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = cmp.Or(names[p], p)
	}
	return out
}

// heading is a document's title and the section below it.
func heading(title, section string) string {
	switch rest, inside := strings.CutPrefix(section, title); {
	case section == "" || section == title:
		return title
	case inside && strings.HasPrefix(rest, " › "):
		return section
	}
	return title + " › " + section
}

// place is a file, its lines and its date as far as they are known.
func place(path string, lines [2]int, updated string) string {
	switch {
	case lines[0] == 0:
	case lines[0] == lines[1]:
		path += fmt.Sprintf(":%d", lines[0])
	default:
		path += fmt.Sprintf(":%d-%d", lines[0], lines[1])
	}
	if updated != "" {
		path += ", " + updated
	}
	return path
}

// paragraphs prints text of several lines, each wrapped and indented.
func (t *terminal) paragraphs(text, indent string) {
	if text == "" {
		return
	}
	for _, line := range wrap(text, t.width-len(indent)) {
		fmt.Fprintln(t.out, indent+line)
	}
}

// hanging prints text behind a mark of up to three columns, wrapped to stay right of it.
func (t *terminal) hanging(mark, text string) {
	fmt.Fprintf(t.out, "%-3s %s\n", mark, strings.Join(wrap(text, t.width-4), "\n    "))
}

// table prints rows in columns. The first column is text, the others are figures.
func (t *terminal) table(rows [][]string) {
	for _, row := range rows {
		for i, cell := range row {
			row[i] = clean(cell)
		}
	}
	widths, _ := columnWidths(rows)
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			if i == 0 {
				b.WriteString(runewidth.FillRight(cell, widths[0]))
				continue
			}
			b.WriteString("  " + runewidth.FillLeft(cell, widths[i]))
		}
		fmt.Fprintln(t.out, strings.TrimRight(b.String(), " "))
	}
}

// wrap breaks text into cleaned lines of at most width columns. A longer word stands
// alone on a line that is too long.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.Lines(clean(text)) {
		line, used := "", 0
		for _, word := range strings.Fields(paragraph) {
			w := runewidth.StringWidth(word)
			switch {
			case used == 0:
				line, used = word, w
			case used+1+w > width:
				lines = append(lines, line)
				line, used = word, w
			default:
				line, used = line+" "+word, used+1+w
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// clean takes out what would act on a terminal instead of being read: controls and
// invisible formatting. Line ends stay; the joiners that scripts and emoji need do, too.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\u200c' || r == '\u200d':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
}

// A step is how far something that takes long has come.
type step struct {
	what        string // in the present: "reading documents"
	done, total int
}

// loading is the step that a load is at: vectors follow when all documents are read.
func loading(p kb.Progress) step {
	if p.Documents < p.DocumentsTotal {
		return step{"reading documents", p.Documents, p.DocumentsTotal}
	}
	return step{"preparing search by meaning", p.Vectors, p.VectorsTotal}
}

func (s step) String() string { return fmt.Sprintf("%s: %d of %d", s.what, s.done, s.total) }

func (s step) bar() string {
	const width = 20
	full := min(width, width*s.done/max(s.total, 1))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// progress shows steps: a bar on a terminal, otherwise a line every five seconds. The
// log is written through it, so that a line never lands in the bar.
type progress struct {
	moving bool       // w is a terminal
	line   func(step) // instead of a plain line; nil: plain

	mu    sync.Mutex
	w     io.Writer
	drawn bool
	last  time.Time
}

// How often progress is shown: on a terminal, and elsewhere.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second
)

// show is called by one goroutine at a time.
func (p *progress) show(s step) {
	switch {
	case !p.due():
	case p.moving:
		p.draw(s.bar() + " " + s.String())
	case p.line != nil:
		p.line(s)
	default:
		fmt.Fprintln(p, s)
	}
}

// due says whether it is time to show something again. A load that is over at once
// shows nothing.
func (p *progress) due() bool {
	every := lineEvery
	if p.moving {
		every = redrawEvery
	}
	now := time.Now()
	if p.last.IsZero() {
		p.last = now
	}
	if now.Sub(p.last) < every {
		return false
	}
	p.last = now
	return true
}

func (p *progress) draw(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.w, eraseLine+text)
	p.drawn = true
}

// Write takes the bar away and writes b in its place.
func (p *progress) Write(b []byte) (int, error) {
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.w.Write(b)
}

// clear takes the bar away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.w, eraseLine)
		p.drawn = false
	}
}

// eraseLine returns to the first column and clears the line: ECMA-48 EL.
const eraseLine = "\r\x1b[K"

// gaps prints groups of questions that the documents did not answer.
func (t *terminal) gaps(groups []gapGroup, days int) {
	asked := 0
	for _, g := range groups {
		asked += g.Asked
	}
	if asked == 0 {
		t.line("The documents answered every question of the last %s.", count(days, "day"))
		return
	}
	t.line("The documents did not answer %s of the last %s:", count(asked, "question"), count(days, "day"))
	for _, g := range groups {
		fmt.Fprintln(t.out)
		t.hanging(fmt.Sprintf("%d×", g.Asked), oneLine(g.Question))
		for _, line := range wrap(aboutGap(g), t.width-4) {
			fmt.Fprintf(t.out, "    %s\n", t.paint(dim, line))
		}
		for _, text := range g.Also[:min(len(g.Also), shownAlso)] {
			t.paragraphs("also: "+oneLine(text), "    ")
		}
		if more := len(g.Also) - shownAlso; more > 0 {
			t.line("    and in %s", count(more, "other way"))
		}
	}
}

// shownAlso is how many other wordings of a question people see.
const shownAlso = 3

func aboutGap(g gapGroup) string {
	text := "last on " + g.Last.Local().Format(time.DateOnly) + ", in " + count(g.Channels, "channel")
	switch g.NotRight {
	case 0:
	case 1:
		text += "; 1 person said it was not right"
	default:
		text += fmt.Sprintf("; %d people said it was not right", g.NotRight)
	}
	return text
}

// oneLine is the beginning of a text without line ends.
func oneLine(text string) string {
	const most = 300 // columns
	return runewidth.Truncate(strings.Join(strings.Fields(clean(text)), " "), most, "…")
}

// finding prints one of the doctor's, in columns, with its remedy below.
func (t *terminal) finding(d diagnosis, asJSON bool) error {
	if asJSON {
		return t.json(d)
	}
	const before = 9 + 18 // columns of state and subject
	head := t.paint(stateColours[d.State], fmt.Sprintf("%-7s", d.State)) + "  " + runewidth.FillRight(clean(d.What), before-11) + "  "
	indent := strings.Repeat(" ", before)
	fmt.Fprintln(t.out, head+strings.Join(wrap(d.Detail, t.width-before), "\n"+indent))
	if d.Remedy != "" {
		fmt.Fprintln(t.out, indent+"→ "+strings.Join(wrap(d.Remedy, t.width-before-2), "\n"+indent+"  "))
	}
	return nil
}

var stateColours = map[string]string{stateOK: green, stateWarn: yellow, stateProblem: red, stateOff: dim}

// More colours in use.
const (
	green  = "32"
	yellow = "33"
)

// verdict sums the doctor's findings up, beneath what explains the remedies.
func (t *terminal) verdict(problems, warnings int, explained []string) {
	fmt.Fprintln(t.out)
	for _, text := range explained {
		t.paragraphs(text, "")
	}
	switch {
	case problems+warnings == 0:
		t.line("All is well.")
	case problems == 0:
		t.line("No problem, %s.", count(warnings, "warning"))
	case warnings == 0:
		t.line("%s.", count(problems, "problem"))
	default:
		t.line("%s, %s.", count(problems, "problem"), count(warnings, "warning"))
	}
}
