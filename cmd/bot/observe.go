package main

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"citebot/internal/chat"
	"citebot/internal/chat/web"
	"citebot/internal/citations"
	"citebot/internal/kb"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// An observer counts what the program does, on whatever surface, for /metrics. It keeps
// nothing of what was said, and every label has a fixed set of values. What belongs to one
// surface alone is counted there, in the same registry.
type observer struct {
	registry *prometheus.Registry

	questions     *prometheus.CounterVec
	stages        *prometheus.HistogramVec
	reloads       *prometheus.CounterVec
	reloadSeconds prometheus.Histogram
	tokens        *prometheus.CounterVec
	statements    *prometheus.CounterVec
}

// What the labels can say. Series begin at 0, so that a dashboard has a line before there is
// anything to count, and rate() sees the first.
var (
	questionPlaces  = []string{"web", "slack", "discord"}
	questionEndings = []string{
		string(citations.Answered), string(citations.Unsure), string(citations.NoAnswer),
		chat.EndFailed, chat.EndBusy, chat.EndLimited, chat.EndCancelled,
	}
	stageNames = map[chat.Stage]string{chat.Searching: "search", chat.Reading: "compose", chat.Writing: "write", chat.Checking: "check"}
	partStates = []string{web.StateOK, web.StateLoading, web.StateDegraded, web.StateOff, web.StateFailed}
)

func newObserver() *observer {
	o := &observer{
		registry: prometheus.NewRegistry(),
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_questions_total",
			Help: "Questions by where they were asked and what came of them: the answer's verdict, or why there was none.",
		}, []string{"surface", "verdict"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "citebot_stage_seconds",
			Help:    "How long each stage of answering took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"stage"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_reloads_total",
			Help: "Changes of the documents folder that were applied, or could not be.",
		}, []string{"result"}),
		reloadSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "citebot_reload_seconds",
			Help:    "From reading changed documents until searches find them.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300},
		}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_llm_tokens_total",
			Help: "Tokens that a model was given and has written.",
		}, []string{"kind"}),
		statements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "citebot_statements_total",
			Help: "Statements that a model wrote: kept, or why they are shown to nobody.",
		}, []string{"outcome"}),
	}
	o.registry.MustRegister(o.questions, o.stages, o.reloads, o.reloadSeconds, o.tokens, o.statements, buildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o.zero()
	return o
}

func (o *observer) zero() {
	for _, surface := range questionPlaces {
		for _, ending := range questionEndings {
			o.questions.WithLabelValues(surface, ending)
		}
	}
	for _, name := range stageNames {
		o.stages.WithLabelValues(name)
	}
	for _, result := range []string{"ok", "failed"} {
		o.reloads.WithLabelValues(result)
	}
	for _, kind := range []string{"input", "output"} {
		o.tokens.WithLabelValues(kind)
	}
	for _, reason := range append([]citations.Reason{""}, citations.Reasons...) {
		o.statements.WithLabelValues(statementLabel(reason))
	}
}

// statement counts what became of a model's statement; "" is one that is kept.
func (o *observer) statement(r citations.Reason) {
	o.statements.WithLabelValues(statementLabel(r)).Inc()
}

func statementLabel(r citations.Reason) string {
	return strings.ReplaceAll(cmp.Or(string(r), "kept"), " ", "_")
}

// asked counts a question.
func (o *observer) asked(surface, ending string) { o.questions.WithLabelValues(surface, ending).Inc() }

// answered counts what an answer cost.
func (o *observer) answered(a citations.Answer) {
	o.tokens.WithLabelValues("input").Add(float64(a.Usage.Input))
	o.tokens.WithLabelValues("output").Add(float64(a.Usage.Output))
}

func (o *observer) stage(s chat.Stage, took time.Duration) {
	o.stages.WithLabelValues(stageNames[s]).Observe(took.Seconds())
}

// reloaded counts a change of the folder. One with a file that cannot be read has failed:
// what else is in it is applied, and someone has to look.
func (o *observer) reloaded(r kb.Reload) {
	applied := r.Changed + r.Removed + r.Failed
	switch {
	case errors.Is(r.Err, context.Canceled), r.Err == nil && applied == 0:
		return // stopped meanwhile, or still being written
	case r.Err != nil:
		o.reloads.WithLabelValues("failed").Inc()
		return
	case r.Failed > 0:
		o.reloads.WithLabelValues("failed").Inc()
	default:
		o.reloads.WithLabelValues("ok").Inc()
	}
	o.reloadSeconds.Observe(r.Took.Seconds())
}

// A census is what is there at the moment of a scrape.
type census struct {
	library   func() kb.Status
	documents func() []kb.DocumentState
	parts     func() map[string]web.Part
}

// watch adds a census to what is scraped. It proves nothing anew: a scrape must not write.
func (o *observer) watch(p *pipeline, t *talk) error {
	return o.registry.Register(census{
		library:   p.library.Status,
		documents: p.library.Documents,
		parts: func() map[string]web.Part {
			parts := p.readiness(t, t.proof.recent()).Parts
			parts["web"] = web.Part{State: web.StateOK} // who scrapes it has reached it
			return parts
		},
	})
}

var (
	documentsDesc = prometheus.NewDesc("citebot_documents", "Documents that answer, by whether their newest version does in full.", []string{"state"}, nil)
	passagesDesc  = prometheus.NewDesc("citebot_passages", "Passages that answer: live by words and meaning, pending by words alone so far.", []string{"state"}, nil)
	waitingDesc   = prometheus.NewDesc("citebot_vectors_waiting", "Passages that wait for their vector to be made or stored.", nil, nil)
	partDesc      = prometheus.NewDesc("citebot_part_state", "1 for the state that a part is in, as in /readyz.", []string{"part", "state"}, nil)
)

// Describe implements prometheus.Collector.
func (c census) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{documentsDesc, passagesDesc, waitingDesc, partDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c census) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	s := c.library()
	waiting := max(0, s.Progress.VectorsTotal-s.Progress.Vectors)
	gauge(waitingDesc, waiting)
	gauge(passagesDesc, max(0, s.Passages-waiting), "live")
	gauge(passagesDesc, min(waiting, s.Passages), "pending")
	documents := map[string]int{kb.Live: 0, kb.Pending: 0, kb.Failed: 0}
	for _, d := range c.documents() {
		documents[d.State]++
	}
	for state, n := range documents {
		gauge(documentsDesc, n, state)
	}
	for name, part := range c.parts() {
		for _, state := range partStates {
			gauge(partDesc, int(boolean(part.State == state)), name, state)
		}
	}
}

// A build is what `go build` recorded of the program, so that no release step can forget it.
type build struct{ version, revision string }

func thisBuild() build {
	b := build{version: "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return b
	}
	b.version = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.revision = s.Value
		}
	}
	return b
}

func buildInfo() prometheus.Collector {
	b := thisBuild()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "citebot_build_info",
		Help:        "1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": b.version, "revision": b.revision, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}

// answer answers a question, and counts what that cost.
func (p *pipeline) answer(ctx context.Context, q chat.Question, progress func(chat.Progress)) (citations.Answer, error) {
	a, err := p.answerer.Answer(ctx, q, progress)
	if err == nil {
		p.observed.answered(a)
	}
	return a, err
}
