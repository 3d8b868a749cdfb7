package main

import (
	"context"
	"log/slog"

	"citebot/internal/chat"
	"citebot/internal/chat/web"
	"citebot/internal/citations"
	"citebot/internal/kb/embed"
	"citebot/internal/llm"
)

// An author is a client of a model as package chat needs it.
type author struct{ *llm.Client }

// Complete implements chat.Model.
func (a author) Complete(ctx context.Context, p chat.Prompt, more func(string)) (chat.Draft, error) {
	r := llm.Request{System: p.System, MaxTokens: p.MaxTokens}
	for _, t := range p.Turns {
		r.Messages = append(r.Messages, llm.Message(t))
	}
	reply, err := a.Client.Complete(ctx, r, more)
	return chat.Draft{Text: reply.Text, Cut: reply.Cut, Usage: citations.Usage(reply.Usage)}, err
}

// openAuthor prepares to have answers written.
func openAuthor(cfg config, model *embed.Model, o *observer, log *slog.Logger) (*author, *chat.Writer, error) {
	client := cfg.LLM.client(cfg.State)
	client.Registry, client.Log = o.registry, log
	c, err := llm.New(client)
	if err != nil {
		return nil, nil, err
	}
	a := &author{c}
	w, err := cfg.LLM.writer(a, model.Tokens)
	if err != nil {
		return nil, nil, err
	}
	w.Observe = o.statement
	w.Common = func(word string) bool { return model.Tokens(word) <= model.Tokens("a")+1 }
	return a, w, nil
}

// llmPart tells how the model is, which is off where a is nil. An answer needs none, so at
// worst it is degraded.
func llmPart(a *author) web.Part {
	if a == nil {
		return web.Part{State: web.StateOff}
	}
	if ok, problem := a.Ready(); !ok {
		return web.Part{State: web.StateDegraded, Problem: problem}
	}
	return web.Part{State: web.StateOK}
}
