package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"citebot/internal/chat"
	"citebot/internal/chat/web"
	"citebot/internal/citations"
	"citebot/internal/kb"
	"citebot/internal/kb/embed"
	"citebot/internal/kb/parse"
	"citebot/internal/kb/qdrant"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// A pipeline is the whole way from a question to its answer in this process.
type pipeline struct {
	library  *kb.Library
	model    *embed.Model
	vectors  *qdrant.Store // nil: they are kept in this process
	author   *author       // nil: no model writes
	answerer chat.Answerer
	observed *observer
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
	p := &pipeline{model: model, observed: newObserver()}
	of := kb.Config{
		Docs:     cfg.Docs,
		State:    cfg.State,
		Parse:    parse.Parse,
		Accepts:  parse.Accepts,
		Audience: cfg.audienceOf,
		Embedder: model,
		Language: cfg.Language,
		Reloaded: p.observed.reloaded,
		Log:      log,
	}
	if cfg.Qdrant.on() {
		if p.vectors, err = openVectors(cfg, model, p.observed, log); err != nil {
			return nil, err
		}
		of.Vectors = p.vectors
	}
	if p.library, err = kb.Open(ctx, of); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	var writer *chat.Writer
	if cfg.LLM.on() {
		if p.author, writer, err = openAuthor(cfg, model, p.observed, log); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	p.answerer = chat.Answerer{
		Search:     p.library.Search,
		Similarity: p.library.Similarity,
		SourceURL:  links.URL,
		Writer:     writer,
		Observe:    p.observed.stage,
		Log:        log,
	}
	return p, nil
}

// openVectors prepares to keep vectors in Qdrant.
func openVectors(cfg config, model kb.Embedder, o *observer, log *slog.Logger) (*qdrant.Store, error) {
	holder, err := replicaName(cfg.State)
	if err != nil {
		return nil, err
	}
	store := cfg.Qdrant.store(model)
	store.Holder, store.Registry, store.Log = holder, o.registry, log
	return qdrant.Open(store)
}

// replicaName is this bot's name among those that share a collection: the host's, for people,
// and some digits that stay with the state folder.
func replicaName(state string) (string, error) {
	file := filepath.Join(state, "replica")
	data, err := os.ReadFile(file)
	if name := strings.TrimSpace(string(data)); err == nil && name != "" {
		return name, nil
	}
	host, _ := os.Hostname() // a name without it is one, too
	name := host + "-" + uuid.NewString()[:8]
	err = os.MkdirAll(state, 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(name+"\n"), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("state folder: %w; make it writable or name another (BOT_STATE, --state)", err)
	}
	return name, nil
}

// run follows the documents until ctx ends.
func (p *pipeline) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.library.Run(ctx) })
	if p.vectors != nil {
		group.Go(func() error { return p.vectors.Run(ctx) })
	}
	return group.Wait()
}

// Close releases the state folder, and what was taken in Qdrant.
func (p *pipeline) Close() (err error) {
	if p.library != nil {
		err = p.library.Close()
	}
	if p.vectors != nil {
		err = errors.Join(err, p.vectors.Close())
	}
	if p.author != nil {
		err = errors.Join(err, p.author.Close())
	}
	return err
}

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
