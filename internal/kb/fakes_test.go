package kb

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lineParser reads a file line by line: "# " begins a heading, "audience:" sets the
// audience, "!" is a syntax error, anything else is a paragraph.
func lineParser(_ context.Context, path string, data []byte) (Document, error) {
	doc := Document{Path: path, Title: path}
	if len(data) == 0 {
		return doc, &ParseError{Reason: "the file is empty"}
	}
	for i, line := range strings.Split(string(data), "\n") {
		b := Block{Kind: Paragraph, Text: line, Lines: Lines{i + 1, i + 1}}
		switch {
		case line == "":
			continue
		case line == "panic":
			panic("parser")
		case strings.HasPrefix(line, "!"):
			return doc, &ParseError{Line: i + 1, Reason: "syntax error"}
		case strings.HasPrefix(line, "audience: "):
			doc.Audience = line[len("audience: "):]
			continue
		case strings.HasPrefix(line, "#"):
			level := strings.IndexByte(line, ' ')
			b = Block{Kind: Heading, Level: level, Text: line[level+1:], Anchor: fmt.Sprint("h", i), Lines: b.Lines}
		}
		doc.Blocks = append(doc.Blocks, b)
	}
	return doc, nil
}

// wordEmbedder makes the vector of a text from its words, so that texts with the same
// words are near; it counts what it embeds and fails when told to.
type wordEmbedder struct {
	mu    sync.Mutex
	texts []string
	err   error
}

func (w *wordEmbedder) ID() string { return "words/1" }
func (w *wordEmbedder) Dim() int   { return 64 }

func (w *wordEmbedder) EmbedQuery(_ context.Context, text string) ([]float32, error) {
	return wordVector(text), nil
}

func (w *wordEmbedder) EmbedPassages(ctx context.Context, texts []string) ([][]float32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([][]float32, len(texts))
	if w.err != nil {
		return out, w.err
	}
	for i, t := range texts {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		w.texts = append(w.texts, t)
		out[i] = wordVector(t)
	}
	return out, nil
}

// taken returns what was embedded since it was last asked.
func (w *wordEmbedder) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.texts
	w.texts = nil
	return out
}

func wordVector(text string) []float32 {
	v := make([]float32, 64)
	for _, word := range strings.Fields(strings.ToLower(text)) {
		h := fnv.New32a()
		h.Write([]byte(strings.Trim(word, ".,?")))
		v[h.Sum32()%64]++
	}
	normalise(v)
	return v
}

// fixture is a library over a folder of its own.
type fixture struct {
	*testing.T
	cfg   Config
	lib   *Library
	words *wordEmbedder
}

func newFixture(t *testing.T, files ...string) *fixture {
	t.Helper()
	words := &wordEmbedder{}
	f := &fixture{T: t, words: words, cfg: Config{
		Docs: t.TempDir(), State: t.TempDir(), Parse: lineParser, Embedder: words,
		Accepts:  func(p string) bool { return strings.HasSuffix(p, ".md") },
		Audience: func(p string) string { return map[bool]string{true: "staff"}[strings.HasPrefix(p, "staff/")] },
		Settle:   time.Millisecond,
	}}
	for i := 0; i < len(files); i += 2 {
		f.write(files[i], files[i+1])
	}
	f.open()
	t.Cleanup(func() { f.lib.Close() })
	return f
}

func (f *fixture) open() {
	f.Helper()
	lib, err := Open(f.Context(), f.cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.lib = lib
}

func (f *fixture) reopen() {
	f.Helper()
	if err := f.lib.Close(); err != nil {
		f.Fatal(err)
	}
	f.open()
}

// write saves a file as an editor that wrote it long ago would have.
func (f *fixture) write(name, text string) {
	f.Helper()
	file := filepath.Join(f.cfg.Docs, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) remove(name string) {
	f.Helper()
	if err := os.Remove(filepath.Join(f.cfg.Docs, name)); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) sync() {
	f.Helper()
	f.lib.scanner.started = time.Time{}
	if err := f.lib.Sync(f.Context(), nil); err != nil {
		f.Fatal(err)
	}
}

// find returns the paths of what a search finds, best first.
func (f *fixture) find(query string, audiences ...string) []string {
	f.Helper()
	var paths []string
	for _, h := range f.search(query, audiences...).Hits {
		paths = append(paths, h.Passages[h.Best].Path)
	}
	return paths
}

func (f *fixture) search(query string, audiences ...string) Results {
	f.Helper()
	if audiences == nil {
		audiences = []string{"public"}
	}
	r, err := f.lib.Search(f.Context(), Query{Text: query, Audiences: audiences})
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// texts returns the text of every passage that answers, by path.
func (f *fixture) texts() map[string]string {
	out := map[string]string{}
	for _, e := range f.lib.manifest().entries {
		for _, p := range e.passages {
			out[e.path] += p.Text
		}
	}
	return out
}

func slogDiscard() *slog.Logger { return slog.New(slog.DiscardHandler) }
