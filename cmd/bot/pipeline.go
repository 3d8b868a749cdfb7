package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"citebot/internal/chat"
	"citebot/internal/chat/web"
	"citebot/internal/citations"
	"citebot/internal/kb"
	"citebot/internal/kb/embed"
	"citebot/internal/kb/parse"
)

// A pipeline is the whole way from a question to its answer in this process.
type pipeline struct {
	library  *kb.Library
	answerer chat.Answerer
}

// openPipeline plugs the packages together. kb.ErrLocked says that another process has
// the state folder. The caller brings the library up to date, and closes the pipeline.
func openPipeline(ctx context.Context, cfg config, log *slog.Logger) (*pipeline, error) {
	if err := mustHaveDocs(cfg.Docs); err != nil {
		return nil, err
	}
	links, err := web.NewLinks(cfg.HTTP, cfg.PublicURL, cfg.Token)
	if err != nil {
		return nil, err
	}
	model, err := embed.New()
	if err != nil {
		return nil, err
	}
	library, err := kb.Open(ctx, kb.Config{
		Docs:     cfg.Docs,
		State:    cfg.State,
		Parse:    parse.Parse,
		Accepts:  parse.Accepts,
		Audience: cfg.audienceOf,
		Embedder: model,
		Language: cfg.Language,
		Log:      log,
	})
	if err != nil {
		return nil, err
	}
	return &pipeline{library, chat.Answerer{
		Search:     library.Search,
		Similarity: library.Similarity,
		SourceURL:  links.URL,
		Log:        log,
	}}, nil
}

// Close releases the state folder.
func (p *pipeline) Close() error { return p.library.Close() }

// Ask answers a question.
func (p *pipeline) Ask(ctx context.Context, q chat.Question) (citations.Answer, error) {
	return p.answerer.Answer(ctx, q, nil)
}

// Search runs the very search that Ask would begin with, but for its limit.
func (p *pipeline) Search(ctx context.Context, q chat.Question, limit int) (kb.Results, error) {
	query, ok := chat.Query(q)
	if !ok {
		return kb.Results{}, nil
	}
	query.Limit = limit
	return p.library.Search(ctx, query)
}

// mustHaveDocs refuses a documents folder that is not there or cannot be read, before
// an empty one could be mistaken for it and its documents for deleted.
func mustHaveDocs(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		defer f.Close()
		_, err = f.Readdirnames(1)
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: no such folder; make it and put the documents there, or name another with BOT_DOCS or --docs", dir)
	}
	return fmt.Errorf("the documents folder cannot be read: %w; make it a folder that the bot may read, or name another with BOT_DOCS or --docs", err)
}
