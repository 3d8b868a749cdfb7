package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
	errs := len(l.findings) - l.warnings + len(unjoin(err))
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
	return filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			l.fail(path, 0, err.Error())
		case hidden(d.Name()) && path != l.dir:
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
		case !parse.Accepts(path):
			l.skipped++
		default:
			l.file(ctx, path)
		}
		return nil
	})
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

func (l *linter) file(ctx context.Context, path string) {
	l.documents++
	data, err := os.ReadFile(path)
	if err != nil {
		l.fail(path, 0, err.Error())
		return
	}
	name, err := filepath.Rel(l.dir, path)
	if err != nil {
		l.fail(path, 0, err.Error())
		return
	}
	name = filepath.ToSlash(name)
	doc, err := parse.Parse(ctx, name, data)
	if err != nil {
		line, reason := 0, err.Error()
		var at *kb.ParseError
		if errors.As(err, &at) {
			line, reason = at.Line, at.Reason
		}
		l.fail(path, line, reason)
		return
	}
	l.document(path, doc, len(kb.Split(doc, l.cfg.audienceOf(name))))
}

// document lints what was read.
func (l *linter) document(path string, doc kb.Document, passages int) {
	l.passages += passages
	if passages == 0 {
		l.fail(path, 0, "there is no text in it")
	}
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
