package kb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
)

// Config says what a Library is made of.
type Config struct {
	Docs     string                   // the documents folder
	State    string                   // folder for what is derived from it; made if missing, disposable
	Parse    Parser                   // reads one file
	Accepts  func(path string) bool   // whether Parse knows the file's kind; others are skipped
	Audience func(path string) string // the folder rules; "" means none matches; nil: no rules
	Embedder Embedder                 // nil: BM25 alone
	Vectors  VectorStore              // nil: in-process
	Language string                   // of the text analysis, an ISO 639-1 code; "" means "en"
	Rescan   time.Duration            // between scans that no file event asked for; 0 means 30 s
	Settle   time.Duration            // how long a file must look the same to be read; 0 means 250 ms
	Reloaded func(Reload)             // told of every change that was read, by the writer; nil: nobody
	Log      *slog.Logger             // nil: discarded
}

// A Reload is one change of the folder that was applied, or could not be.
type Reload struct {
	Changed  int // documents that were read, new or other than before
	Removed  int
	Failed   int // files that could not be read
	Passages int // of the changed documents
	Took     time.Duration
	Err      error // why the library could not apply it; it is tried again
}

// ErrLocked says that another process works on the same state folder.
var ErrLocked = errors.New("another bot is using this state folder")

// A Library finds passages in a folder of documents and follows its changes.
//
// Search, Similarity, Documents, Status and View may be called from anywhere at any
// time. Run or Sync, never both at once, is the only writer: it reads the folder,
// writes both indexes and publishes each generation with one pointer.
type Library struct {
	cfg   Config
	log   *slog.Logger
	lock  *flock.Flock
	store store
	lex   *lexicon
	cache *vectorCache // nil without an embedder
	vecs  *vectorQueue // nil without an embedder
	alike *similarity  // nil without an embedder

	bell     chan struct{} // one slot: scan now
	ready    atomic.Bool   // a first scan is applied
	lexWhole atomic.Bool   // the lexicon holds every passage of the manifest

	mu      sync.Mutex
	current *manifest
	retired []retired
	load    Progress // documents of the load under way
	notes   notes

	past    pastIndex
	scanner scanner // the writer's own
}

// notes are what Status tells of the last scan.
type notes struct {
	skipped []string
	held    string // a mass deletion that is held back
	folder  string // why the folder cannot be read
	watch   string // why events do not come
	index   string // why the lexical index is not whole
}

// Open loads the state folder, or starts an empty one, and locks it: ErrLocked when
// another process holds it. State that is damaged is dropped with the reason logged.
// Open starts nothing; Run or Sync bring the library up to date.
func Open(ctx context.Context, cfg Config) (*Library, error) {
	l := &Library{cfg: cfg.withDefaults(), store: store{filepath.Join(cfg.State, "library")}, bell: make(chan struct{}, 1)}
	l.log = l.cfg.Log
	l.scanner = newScanner(l.cfg.Settle)
	if err := checkFolder(cfg.Docs); err != nil {
		return nil, err
	}
	if err := l.takeLock(); err != nil {
		return nil, err
	}
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (c Config) withDefaults() Config {
	if c.Audience == nil {
		c.Audience = func(string) string { return "" }
	}
	if c.Language == "" {
		c.Language = "en"
	}
	if c.Rescan == 0 {
		c.Rescan = 30 * time.Second
	}
	if c.Settle == 0 {
		c.Settle = 250 * time.Millisecond
	}
	if c.Reloaded == nil {
		c.Reloaded = func(Reload) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func checkFolder(docs string) error {
	info, err := os.Stat(docs)
	if err != nil {
		return fmt.Errorf("documents folder %s: %s: create it or name another (BOT_DOCS, --docs)", docs, reason(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("documents folder %s is a file: name the folder that holds the documents (BOT_DOCS, --docs)", docs)
	}
	if _, err := os.ReadDir(docs); err != nil {
		return fmt.Errorf("documents folder %s: %s: allow this user to read it, or name another (BOT_DOCS, --docs)", docs, reason(err))
	}
	return nil
}

func (l *Library) takeLock() error {
	if err := os.MkdirAll(l.store.dir, 0o700); err != nil {
		return fmt.Errorf("state folder: %w: make it writable or name another (BOT_STATE, --state)", err)
	}
	l.lock = flock.New(filepath.Join(l.cfg.State, "lock"))
	ok, err := l.lock.TryLock()
	if err != nil {
		return fmt.Errorf("state folder: %w: make it writable or name another (BOT_STATE, --state)", err)
	}
	if !ok {
		return fmt.Errorf("%w: %s", ErrLocked, l.cfg.State)
	}
	return nil
}

// open loads what is stored and opens the indexes over it.
func (l *Library) open(ctx context.Context) error {
	saved, m, err := l.store.load()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("stored state dropped, deriving it anew", "reason", err)
		}
		m = newManifest(0, nil)
	}
	l.current, l.retired, l.scanner.held = m, saved.Retired, saved.Held
	lex, why, err := openLexicon(filepath.Join(l.store.dir, "bleve"), l.cfg.Language)
	if why != nil && !errors.Is(why, fs.ErrNotExist) {
		l.log.Warn("lexical index dropped, building it anew", "reason", why)
	}
	if err != nil {
		return fmt.Errorf("lexical index: %w", err)
	}
	l.lex = lex
	if l.cfg.Embedder == nil {
		return nil
	}
	return l.openVectors(ctx)
}

func (l *Library) openVectors(ctx context.Context) error {
	e := l.cfg.Embedder
	cache, why, err := openVectorCache(filepath.Join(l.store.dir, "vectors.cache"), e.ID(), e.Dim())
	if err != nil {
		return fmt.Errorf("vector cache: %w", err)
	}
	if why != nil {
		l.log.Warn("vector cache dropped, embedding anew", "reason", why)
	}
	l.cache = cache
	store, away := l.cfg.Vectors, newAway(l.cfg.Rescan)
	if store == nil {
		store, away = NewMemoryVectors(e.Dim()), nil
	}
	l.vecs = newVectorQueue(e, store, cache, l.log)
	l.vecs.away = away
	if l.alike, err = newSimilarity(e); err != nil {
		return err
	}
	return l.vecs.restore(ctx, l.current)
}

// Close releases the state folder. Run must have returned.
func (l *Library) Close() error {
	var errs []error
	if l.lex != nil {
		errs = append(errs, l.lex.close())
	}
	if l.cache != nil {
		errs = append(errs, l.cache.close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

// pin returns the current generation and keeps its passages in both indexes until
// release is called.
func (l *Library) pin() (m *manifest, release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current.readers.Add(1)
	return l.current, l.current.readers.Done
}

func (l *Library) manifest() *manifest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// publish makes next the current generation. From here on new searches see it; those
// under way end with the one that they began with.
func (l *Library) publish(next *manifest, gone []retired) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = next
	l.retired = append(l.retired, gone...)
}

// The states of a document.
const (
	Live    = "live"
	Pending = "pending" // answers by BM25; its vectors are not all there yet
	Failed  = "failed"  // its newest version could not be read; an earlier one may still answer
)

// A DocumentState is what /api/documents tells of one document.
type DocumentState struct {
	Path     string    `json:"path"`
	State    string    `json:"state"`
	Passages int       `json:"passages"`
	Hash     string    `json:"hash"`    // SHA-256 of the file that answers; "" when none does
	Updated  time.Time `json:"updated"` // when the file that answers was last changed
	Problem  string    `json:"problem,omitempty"`
	Title    string    `json:"title,omitempty"`
	Audience string    `json:"audience,omitempty"`
}

// Documents lists each document that answers and each file that failed, by path.
func (l *Library) Documents() []DocumentState {
	m := l.manifest()
	out := make([]DocumentState, 0, len(m.entries))
	for _, e := range m.entries {
		out = append(out, DocumentState{
			Path: e.path, State: l.stateOf(e), Passages: len(e.passages), Hash: e.sum,
			Updated: e.modified, Problem: e.problem, Title: e.title, Audience: l.audienceOf(e),
		})
	}
	slices.SortFunc(out, func(a, b DocumentState) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func (l *Library) stateOf(e *entry) string {
	switch {
	case e.problem != "":
		return Failed
	case l.vecs != nil && !l.vecs.holdsAll(e.passages):
		return Pending
	}
	return Live
}

// audienceOf is whom a file concerns, even one that was never read.
func (l *Library) audienceOf(e *entry) string {
	return firstOf(e.audience, e.rule, "public")
}

// Progress says how far a load has come.
type Progress struct {
	Documents      int `json:"documents"`
	DocumentsTotal int `json:"documents_total"`
	Vectors        int `json:"vectors"`
	VectorsTotal   int `json:"vectors_total"`
}

// Status is the library's part of /readyz.
type Status struct {
	Ready      bool     `json:"ready"` // a first scan is applied; searches are answered
	Generation uint64   `json:"generation"`
	Documents  int      `json:"documents"`
	Passages   int      `json:"passages"`
	Failed     int      `json:"failed"`
	Skipped    int      `json:"skipped"` // files of kinds that are not read
	Progress   Progress `json:"progress"`
	Problems   []string `json:"problems,omitempty"` // what someone must look at, for example a held-back deletion
	Degraded   []string `json:"degraded,omitempty"` // as in Results

	VectorTrouble string `json:"vector_trouble,omitempty"` // why vectors are behind or not searched
}

// Status reports how the library is.
func (l *Library) Status() Status {
	l.mu.Lock()
	m, n, load := l.current, l.notes, l.load
	l.mu.Unlock()
	s := Status{Ready: l.ready.Load(), Generation: m.generation, Passages: len(m.passages), Skipped: len(n.skipped), Progress: load}
	for _, e := range m.entries {
		if e.problem != "" {
			s.Failed++
		}
		if e.version != "" {
			s.Documents++
		}
	}
	if l.vecs != nil {
		s.Progress.VectorsTotal = len(m.passages)
		s.Progress.Vectors = len(m.passages) - l.vecs.missing()
	}
	for _, p := range []string{n.folder, n.held, n.watch, n.index} {
		if p != "" {
			s.Problems = append(s.Problems, p)
		}
	}
	s.Degraded = l.degraded()
	if l.vecs != nil {
		s.VectorTrouble = l.vecs.problem()
	}
	return s
}

// degraded names the legs that do not take part in searches.
func (l *Library) degraded() []string {
	var out []string
	if !l.lexWhole.Load() {
		out = append(out, "bm25")
	}
	if l.vecs != nil && l.vecs.failing() != nil {
		out = append(out, "vectors")
	}
	return out
}

// A View is one passage version in the document version it was cited from.
type View struct {
	Document Document
	Passage  Passage
	Current  bool     // the manifest still holds this passage version
	Removed  bool     // the document is gone
	Now      *Passage // the passage that has its ID today, when not Current
}

// View finds a passage version by its hash: one of today, or one of the last 30 days.
func (l *Library) View(hash string) (View, bool) {
	m := l.manifest()
	if p := m.passages[hash]; p != nil {
		v, err := l.store.version(m.entries[p.Path].version)
		return View{Document: v.Document, Passage: *p, Current: true}, err == nil
	}
	name, ok := l.pastVersion(hash)
	if !ok {
		return View{}, false
	}
	v, err := l.store.version(name)
	if err != nil {
		return View{}, false
	}
	i := slices.IndexFunc(v.Passages, func(p Passage) bool { return p.Hash == hash })
	if i < 0 {
		return View{}, false
	}
	view := View{Document: v.Document, Passage: v.Passages[i]}
	view.Now, view.Removed = m.successor(v.Passages[i])
	return view, true
}

// successor is the passage that stands where p stood, if the document is still there.
func (m *manifest) successor(p Passage) (now *Passage, removed bool) {
	e := m.entries[p.Path]
	if e == nil || e.version == "" {
		return nil, true
	}
	for _, q := range e.passages {
		if q.ID == p.ID {
			return q, false
		}
	}
	return nil, false
}

// pastVersion finds the retired version that holds a passage.
func (l *Library) pastVersion(hash string) (string, bool) {
	l.mu.Lock()
	versions := slices.Clone(l.retired)
	l.mu.Unlock()
	return l.past.find(l.store, versions, hash)
}

// A pastIndex maps passages to the retired versions that hold them. It reads a version
// when it is first asked after it was retired, under a lock of its own, so that searches
// do not wait for it.
type pastIndex struct {
	mu       sync.Mutex
	read     map[string]bool   // versions
	passages map[string]string // hash to version
}

func (x *pastIndex) find(s store, versions []retired, hash string) (string, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.read == nil {
		x.read, x.passages = map[string]bool{}, map[string]string{}
	}
	for _, r := range versions {
		if x.read[r.Version] {
			continue
		}
		x.read[r.Version] = true
		v, _ := s.version(r.Version) // damaged or swept: its sources are no longer kept
		for _, p := range v.Passages {
			x.passages[p.Hash] = r.Version
		}
	}
	name, ok := x.passages[hash]
	return name, ok
}

// kept drops the retired versions that are too old and returns the others.
func (l *Library) kept(now time.Time) []retired {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = slices.DeleteFunc(l.retired, func(r retired) bool { return now.Sub(r.At) > keepRetired })
	return slices.Clone(l.retired)
}
