package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"citebot/internal/kb"
	"citebot/internal/kb/parse"
)

type checkCmd struct {
	Dir string `arg:"" optional:"" help:"Documents folder, if not the configured one."`
}

// Run prints what is wrong as path:line: text, and a summary. Only errors fail: what
// cannot be read cannot be answered from, whereas a warning is advice.
func (c *checkCmd) Run(ctx context.Context, b *bot) error {
	cfg, err := b.config()
	for _, problem := range unjoin(err) {
		b.say.line("%v", problem)
	}
	if c.Dir != "" {
		cfg.Docs = c.Dir
	}
	if err := mustHaveDocs(cfg.Docs); err != nil {
		return err
	}
	l := linter{dir: cfg.Docs, cfg: cfg, titles: map[string]string{}}
	if walkErr := l.walk(ctx); walkErr != nil {
		return walkErr
	}
	for _, f := range l.findings {
		b.say.line("%s", f)
	}
	errs := len(l.findings) - l.warnings - l.skipped + len(unjoin(err))
	b.say.line("%s: %s, %s, %s skipped: %s, %s", cfg.Docs, count(l.documents, "document"), count(l.passages, "passage"),
		count(l.skipped, "other file"), count(errs, "error"), count(l.warnings, "warning"))
	if errs > 0 {
		return errFound
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A linter reads a documents folder and keeps nothing.
type linter struct {
	dir      string
	cfg      config
	titles   map[string]string // title ─► the first document that has it
	findings []string

	documents, passages, skipped, warnings int
}

func (l *linter) walk(ctx context.Context) error {
	skipped, err := kb.Inspect(ctx, kb.Config{
		Docs: l.dir, Parse: parse.Parse, Accepts: parse.Accepts, Audience: l.cfg.audienceOf,
	}, l.file)
	l.skipped = len(skipped)
	for _, name := range skipped {
		l.findings = append(l.findings, finding(filepath.Join(l.dir, filepath.FromSlash(name)), 0, "skipped: not a kind of file that is read"))
	}
	return err
}

func (l *linter) file(f kb.Finding) {
	l.documents++
	path := filepath.Join(l.dir, filepath.FromSlash(f.Path))
	if f.Err == nil {
		l.document(path, f.Document, len(f.Passages))
		return
	}
	var at *kb.ParseError
	if errors.As(f.Err, &at) {
		l.fail(path, at.Line, at.Reason)
	} else {
		l.fail(path, 0, f.Err.Error())
	}
}

// document lints what was read.
func (l *linter) document(path string, doc kb.Document, passages int) {
	l.passages += passages
	for _, w := range doc.Warnings {
		l.warn(path, w.Line, w.Text)
	}
	if first, ok := l.titles[doc.Title]; ok {
		l.warn(path, 0, fmt.Sprintf("has the same title as %s, %q; people cannot tell their citations apart", first, doc.Title))
	} else {
		l.titles[doc.Title] = path
	}
}

func (l *linter) fail(path string, line int, text string) {
	l.findings = append(l.findings, finding(path, line, text))
}

func (l *linter) warn(path string, line int, text string) {
	l.warnings++
	l.findings = append(l.findings, finding(path, line, "warning: "+text))
}

func finding(path string, line int, text string) string {
	if line == 0 {
		return path + ": " + text
	}
	return fmt.Sprintf("%s:%d: %s", path, line, text)
}
