package kb

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
)

// A Finding is what a library would make of one file.
type Finding struct {
	Path     string
	Document Document
	Passages []Passage
	Err      error // why the file would not be read; a *ParseError when it knows the line
}

// Inspect reads a folder as a Library would, by the same rules, and keeps nothing: no
// state is written and no lock taken. It calls found for every document, by path, and
// returns the files of kinds that are not read. Of cfg it needs Docs, Parse, Accepts and
// Audience.
func Inspect(ctx context.Context, cfg Config, found func(Finding)) (skipped []string, err error) {
	l := &Library{cfg: cfg.withDefaults()}
	if err := checkFolder(cfg.Docs); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(cfg.Docs)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files, err := walk(root, cfg.Accepts)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files.files)) {
		f := l.inspect(ctx, root, name, files.files[name])
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		found(f)
	}
	for _, dir := range files.hidden {
		found(Finding{Path: dir, Err: errors.New("this folder cannot be read: allow this user to, or move it")})
	}
	slices.Sort(files.skipped)
	return files.skipped, nil
}

func (l *Library) inspect(ctx context.Context, root *os.Root, name string, stat fileStat) Finding {
	f := Finding{Path: name}
	if stat.Problem != "" {
		f.Err = errors.New(stat.Problem)
		return f
	}
	var data []byte
	if data, _, _, f.Err = read(root, name); f.Err != nil {
		return f
	}
	if f.Document, f.Err = l.parse(ctx, name, data); f.Err != nil {
		return f
	}
	if f.Passages = Split(f.Document, l.cfg.Audience(name)); len(f.Passages) == 0 {
		f.Err = errNoText
	}
	return f
}
