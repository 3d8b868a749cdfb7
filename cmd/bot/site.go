package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"citebot/internal/chat"
	"citebot/internal/chat/web"
	"citebot/internal/kb"
)

// site shows the library and the answers to package web, which knows neither.
func (p *pipeline) site(cfg config, addr string, t *talk, log *slog.Logger) web.Config {
	return web.Config{
		Ask: p.answer,
		Search: func(ctx context.Context, query string, history []chat.Turn, audiences []string, limit int) (any, error) {
			return p.Search(ctx, chat.Question{Text: query, History: history, Audiences: audiences}, limit)
		},
		Documents: func() []web.Document { return webDocuments(p.library.Documents()) },
		Source: func(hash string) (web.Source, bool) {
			view, ok := p.library.View(hash)
			return webSource(view), ok
		},
		Ready:       func() web.Readiness { return p.readiness(t, t.proof.fresh()) },
		Suggestions: func() []string { return suggestions(p.library.Outlines(cfg.Audience), cfg.Language) },
		Webhooks:    t.webhooks(),
		Audience:    cfg.Audience,
		Addr:        addr,
		PublicURL:   cfg.PublicURL,
		Token:       cfg.Token,
		Asked:       func(verdict string) { p.observed.asked("web", verdict) },
		Busy:        kb.ErrBusy,
		Metrics:     p.observed.registry,
		Log:         log,
	}
}

func webDocuments(states []kb.DocumentState) []web.Document {
	out := make([]web.Document, len(states))
	for i, s := range states {
		out[i] = web.Document(s)
	}
	return out
}

// webSource is a passage in its document. It leads on to the passage in its place today
// only where the same people may read that.
func webSource(v kb.View) web.Source {
	p := v.Passage
	s := web.Source{
		Path: p.Path, Title: p.Title, Section: p.Section(), Updated: p.Updated, Owner: v.Document.Owner, URL: p.URL,
		State: sourceState(v), Lines: [2]int(p.Lines),
	}
	if v.Now != nil && v.Now.Audience == p.Audience {
		s.Now = v.Now.Hash
	}
	for _, span := range p.Spans {
		s.Spans = append(s.Spans, web.Span{Text: p.Text[span.Start:span.End], Lines: [2]int(span.Lines)})
	}
	for _, b := range v.Document.Blocks {
		s.Blocks = append(s.Blocks, web.Block{
			Kind: string(b.Kind), Level: b.Level, Text: b.Text, Anchor: b.Anchor, Header: b.Header, Lines: [2]int(b.Lines),
		})
	}
	return s
}

func sourceState(v kb.View) string {
	switch {
	case v.Removed:
		return web.SourceRemoved
	case v.Current:
		return web.SourceCurrent
	}
	return web.SourceChanged
}

// readiness tells how each part of the program is; writable is the error of writing the
// ledger. What is not configured is off, so that /readyz always names the same parts.
func (p *pipeline) readiness(t *talk, writable error) web.Readiness {
	return readiness(p.library.Status(), llmPart(p.author), t, writable)
}

func readiness(s kb.Status, model web.Part, t *talk, writable error) web.Readiness {
	parts, ready := t.parts(writable)
	parts["library"], parts["vectors"], parts["llm"] = libraryPart(s), vectorsPart(s), model
	return web.Readiness{Ready: s.Ready && ready, Parts: parts}
}

func libraryPart(s kb.Status) web.Part {
	progress := web.Progress(s.Progress)
	problems := slices.Clone(s.Problems)
	if s.Failed > 0 {
		problems = append(problems, fmt.Sprintf("%s could not be read; /api/documents says why", count(s.Failed, "document")))
	}
	part := web.Part{State: web.StateOK, Problem: strings.Join(problems, "; "), Progress: &progress}
	switch {
	case !s.Ready:
		part.State = web.StateLoading
	case part.Problem != "":
		part.State = web.StateDegraded
	}
	return part
}

func vectorsPart(s kb.Status) web.Part {
	progress := web.Progress(s.Progress)
	part := web.Part{State: web.StateOK, Progress: &progress}
	switch {
	case slices.Contains(s.Degraded, "vectors"):
		part.State, part.Problem = web.StateDegraded, "search by meaning is not available; answers rest on words alone"
		if s.VectorTrouble != "" {
			part.Problem += ": " + s.VectorTrouble
		}
	case s.VectorTrouble != "": // searched, and behind
		part.State, part.Problem = web.StateDegraded, s.VectorTrouble
	case progress.Vectors < progress.VectorsTotal:
		part.State = web.StateLoading
	}
	return part
}
