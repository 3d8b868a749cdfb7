package kb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// scanner is what the writer remembers from one scan to the next.
type scanner struct {
	settler
	gone    map[string]time.Time // files that were missing when last looked for, since when
	held    int                  // rescans that saw more than half of the documents vanish
	unsaved bool                 // the manifest on disk is older than the one in memory
	started time.Time            // of the first scan
	first   bool                 // no scan of this process is complete yet
	swept   time.Time            // when stored versions were last tidied
}

func newScanner(settle time.Duration) scanner {
	return scanner{settler: settler{quiet: settle, looks: map[string]look{}}, gone: map[string]time.Time{}, first: true}
}

// changes are the difference between the folder and the manifest.
type changes struct {
	changed []string // new or other content
	removed []string
	waiting bool // something is still being written, or has only just vanished
}

// scan brings the library up to date with the folder and says whether something was
// left for a later look. rescan counts for the release of a mass deletion.
func (l *Library) scan(ctx context.Context, rescan bool) (waiting bool, found listing, err error) {
	if l.scanner.started.IsZero() {
		l.scanner.started = time.Now()
	}
	if err := l.ensureLexicon(ctx); err != nil {
		return true, found, err
	}
	root, err := os.OpenRoot(l.cfg.Docs)
	if err == nil {
		defer root.Close()
		found, err = walk(root, l.cfg.Accepts)
	}
	l.noteFolder(found.skipped)
	if err != nil {
		err = fmt.Errorf("documents folder %s cannot be read (%s): the documents known so far go on answering", l.cfg.Docs, reason(err))
		l.note(func(n *notes) { n.folder = err.Error() })
		return true, found, err
	}
	d := l.diff(found, time.Now(), rescan)
	if l.vecs != nil && len(d.changed) > 0 {
		l.vecs.reading()
	}
	again, err := l.apply(ctx, root, d, found)
	if err != nil {
		return true, found, err
	}
	l.tidy(ctx)
	waiting = again || d.waiting
	if !waiting || time.Since(l.scanner.started) > patience {
		l.scanner.first = false
		l.ready.Store(true)
		if l.vecs != nil {
			l.vecs.settle()
		}
	}
	if l.scanner.unsaved {
		err = l.save()
	}
	return waiting, found, err
}

// patience is how long a start, or a one-shot command, waits for a file that someone is
// still writing.
const patience = 3 * time.Second

// noteFolder notes the files that are not read, and logs them when they change.
func (l *Library) noteFolder(skipped []string) {
	slices.Sort(skipped)
	var before []string
	l.note(func(n *notes) {
		before = n.skipped
		n.skipped, n.folder = skipped, ""
	})
	if len(skipped) > 0 && !slices.Equal(skipped, before) {
		l.log.Info("files of other kinds skipped", "count", len(skipped), "first", skipped[:min(len(skipped), 10)])
	}
}

// note changes the notes. Searches wait for it: f must not log.
func (l *Library) note(f func(*notes)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.notes)
}

// diff compares what was found with the manifest.
func (l *Library) diff(found listing, now time.Time, rescan bool) changes {
	var d changes
	m, s := l.manifest(), &l.scanner
	for name, stat := range found.files {
		delete(s.gone, name)
		if e := m.entries[name]; e != nil && e.stat == stat && e.rule == l.cfg.Audience(name) {
			s.forget(name)
		} else if s.settled(name, stat, now) {
			d.changed = append(d.changed, name)
		} else {
			d.waiting = true
		}
	}
	d.removed = l.vanished(m, found, now, &d)
	slices.Sort(d.changed)
	slices.Sort(d.removed)
	switch lost, total := m.losses(d.removed); {
	case lost < 2 || 2*lost <= total:
		l.release()
	case d.waiting || m.newcomers(d.changed):
		d.removed, d.waiting = nil, true // they may only have moved: the next scan will know
	case l.holdBack(lost, total, rescan):
		d.removed = nil
	}
	return d
}

// vanished lists the documents that are gone: missing twice, a while apart, since some
// programs replace a file by deleting it first.
func (l *Library) vanished(m *manifest, found listing, now time.Time, d *changes) []string {
	var out []string
	s := &l.scanner
	for name := range m.entries {
		if _, ok := found.files[name]; ok || under(found.hidden, name) {
			continue
		}
		since, seen := s.gone[name]
		if !seen {
			since = now
			if s.first {
				since = now.Add(-s.quiet) // it vanished before the program began
			}
			s.gone[name] = since
		}
		if now.Sub(since) >= s.quiet {
			out = append(out, name)
		} else {
			d.waiting = true
		}
	}
	return out
}

func under(dirs []string, name string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
}

// releaseAfter is how many rescans must still see a mass deletion before it is believed.
const releaseAfter = 2

// holdBack says whether to go on answering from documents that are gone. More than half
// of them at once, and more than one, looks like a volume that is not mounted rather
// than like someone's decision.
func (l *Library) holdBack(lost, total int, rescan bool) bool {
	if held := &l.scanner.held; rescan || *held == 0 {
		*held++
		l.scanner.unsaved = true
	}
	if l.scanner.held > releaseAfter {
		l.release()
		return false
	}
	text := fmt.Sprintf("%d of %d documents vanished at once: they go on answering until two more scans find them gone; is the folder %s mounted?", lost, total, l.cfg.Docs)
	first := false
	l.note(func(n *notes) { first, n.held = n.held == "", text })
	if first {
		l.log.Error("mass deletion held back", "problem", text)
	}
	return true
}

// release ends the holding back of a mass deletion.
func (l *Library) release() {
	l.scanner.unsaved = l.scanner.unsaved || l.scanner.held > 0
	l.scanner.held = 0
	l.note(func(n *notes) { n.held = "" })
}

// newcomers says whether any of the files is of a name not known so far.
func (m *manifest) newcomers(files []string) bool {
	return slices.ContainsFunc(files, func(name string) bool { return m.entries[name] == nil })
}

// losses counts the documents that would be lost with the files that are gone, and all
// documents. One whose content is there under another name only moved.
func (m *manifest) losses(removed []string) (lost, total int) {
	stays := map[string]bool{}
	for name, e := range m.entries {
		if e.version != "" {
			total++
			if _, gone := slices.BinarySearch(removed, name); !gone {
				stays[e.sum] = true
			}
		}
	}
	for _, name := range removed {
		if e := m.entries[name]; e.version != "" && !stays[e.sum] {
			lost++
		}
	}
	return lost, total
}

// loaded is what became of one changed file.
type loaded struct {
	entry *entry
	waits bool // it changed while it was read
}

// batchPassages bounds what one generation adds, so that a large first load is
// searchable in parts, soon.
const batchPassages = 1000

// apply reads what changed and publishes it, in parts when it is much.
func (l *Library) apply(ctx context.Context, root *os.Root, d changes, found listing) (waiting bool, err error) {
	if len(d.changed)+len(d.removed) == 0 {
		return false, nil
	}
	started := time.Now()
	l.setLoad(0, len(d.changed))
	r := Reload{Removed: len(d.removed)}
	defer func() {
		l.setLoad(0, 0)
		r.Took, r.Err = time.Since(started), err
		l.told(r)
	}()
	removed, rest := d.removed, d.changed
	for len(rest) > 0 || len(removed) > 0 {
		batch, n, err := l.readBatch(ctx, root, rest, found)
		if err != nil {
			return true, err
		}
		rest = rest[n:]
		var added []*entry
		for _, f := range batch {
			if f.waits {
				waiting = true
				continue
			}
			if added = append(added, f.entry); f.entry.problem != "" {
				r.Failed++
			} else {
				r.Changed++
				r.Passages += len(f.entry.passages)
			}
		}
		if err := l.commit(ctx, added, removed); err != nil {
			return true, err
		}
		l.setLoad(len(d.changed)-len(rest), len(d.changed))
		removed = nil
		l.ready.Store(true)
	}
	return waiting, nil
}

// told passes on what became of a change.
func (l *Library) told(r Reload) {
	if r.Err == nil {
		l.log.Info("documents reloaded", "changed", r.Changed, "removed", r.Removed, "failed", r.Failed,
			"passages", r.Passages, "generation", l.manifest().generation, "took", r.Took.Round(time.Millisecond))
	}
	l.cfg.Reloaded(r)
}

func (l *Library) setLoad(done, total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load = Progress{Documents: done, DocumentsTotal: total}
}

// readBatch reads files, several at once, until they make a batch, and says how many.
func (l *Library) readBatch(ctx context.Context, root *os.Root, names []string, found listing) ([]loaded, int, error) {
	var out []loaded
	n, passages := 0, 0
	for n < len(names) && passages < batchPassages {
		chunk := names[n:min(n+4*runtime.GOMAXPROCS(0), len(names))]
		results := make([]loaded, len(chunk))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(runtime.GOMAXPROCS(0))
		for i, name := range chunk {
			g.Go(func() (err error) {
				results[i], err = l.readDocument(ctx, root, name, found.files[name])
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, 0, err
		}
		for _, r := range results {
			if !r.waits {
				passages += len(r.entry.passages)
			}
		}
		out, n = append(out, results...), n+len(chunk)
	}
	return out, n, nil
}

// readDocument reads, parses and splits one file. What is wrong with the file becomes
// its entry's problem, beside the last good version; an error is the library's own.
func (l *Library) readDocument(ctx context.Context, root *os.Root, name string, stat fileStat) (loaded, error) {
	e := &entry{path: name, stat: stat, rule: l.cfg.Audience(name)}
	if stat.Problem != "" {
		return l.failed(e, errors.New(stat.Problem)), nil
	}
	data, before, after, err := read(root, name)
	if os.IsNotExist(err) || err == nil && before != after {
		return loaded{waits: true}, nil
	}
	if err != nil {
		return l.failed(e, errors.New(reason(err))), nil
	}
	e.stat = after
	e.modified = time.Unix(0, after.ModNS)
	sum := sha256.Sum256(data)
	e.sum = hex.EncodeToString(sum[:])
	if last := l.manifest().entries[name]; last != nil && last.sum == e.sum && last.rule == e.rule && last.version != "" {
		return loaded{entry: last.touched(e)}, nil
	}
	doc, err := l.parse(ctx, name, data)
	if ctx.Err() != nil {
		return loaded{}, ctx.Err()
	}
	if err != nil {
		return l.failed(e, err), nil
	}
	v := version{Document: doc, Passages: Split(doc, e.rule)}
	if len(v.Passages) == 0 {
		return l.failed(e, errNoText), nil
	}
	if e.version, err = l.store.putVersion(v); err != nil {
		return loaded{}, fmt.Errorf("state folder: %w", err)
	}
	e.take(v)
	return loaded{entry: e}, nil
}

var errNoText = &ParseError{Reason: "it holds no text"}

func (l *Library) parse(ctx context.Context, name string, data []byte) (doc Document, err error) {
	err = guard(func() (err error) {
		doc, err = l.cfg.Parse(ctx, name, data)
		return err
	})
	return doc, err
}

// touched is e, whose content the file has again or still, with the file's new state.
func (e *entry) touched(now *entry) *entry {
	next := *e
	next.stat, next.modified, next.problem = now.stat, now.modified, ""
	return &next
}

// failed is the entry of a file that cannot be read: the last good version goes on
// answering.
func (l *Library) failed(e *entry, err error) loaded {
	problem := err.Error()
	if last := l.manifest().entries[e.path]; last != nil {
		stat, rule := e.stat, e.rule
		*e = *last
		e.stat, e.rule = stat, rule
	} else {
		e.sum = ""
	}
	e.problem = problem
	if e.version != "" {
		e.problem += "; its version of " + e.modified.UTC().Format("2006-01-02 15:04 MST") + " still answers"
	}
	l.log.Warn("document cannot be read", "path", e.path, "problem", e.problem)
	return loaded{entry: e}
}

// commit publishes one generation: what is new goes to both indexes, then the manifest
// is swapped, then what is gone leaves the indexes, once no search needs it. If an index
// refuses what is new, nothing has changed.
func (l *Library) commit(ctx context.Context, added []*entry, removed []string) error {
	before := l.manifest()
	next := before.with(added, removed)
	fresh := next.minus(before)
	if err := l.putLexical(ctx, before, next, fresh); err != nil {
		return err
	}
	if l.vecs != nil {
		l.vecs.prepare(ctx, next.pick(fresh))
	}
	stale := before.minus(next)
	l.publish(next, retire(before, added, removed))
	err := l.save()
	before.readers.Wait()
	return errors.Join(err, l.drop(ctx, stale))
}

func (m *manifest) pick(hashes []string) []*Passage {
	out := make([]*Passage, len(hashes))
	for i, h := range hashes {
		out[i] = m.passages[h]
	}
	slices.SortFunc(out, func(a, b *Passage) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// retire lists the versions that no longer answer.
func retire(before *manifest, added []*entry, removed []string) []retired {
	now := time.Now().UTC()
	var out []retired
	add := func(name, by string) {
		if e := before.entries[name]; e != nil && e.version != "" && e.version != by {
			out = append(out, retired{Path: name, Version: e.version, At: now})
		}
	}
	for _, e := range added {
		add(e.path, e.version)
	}
	for _, name := range removed {
		add(name, "")
	}
	return out
}

// save writes the current generation to the state folder.
func (l *Library) save() error {
	m := l.manifest()
	saved := savedManifest{Format: stateFormat, Generation: m.generation, Held: l.scanner.held, Retired: l.kept(time.Now())}
	for _, e := range m.entries {
		saved.Entries = append(saved.Entries, savedEntry{
			Path: e.path, Stat: e.stat, Rule: e.rule, Sum: e.sum, Version: e.version, Modified: e.modified, Problem: e.problem,
		})
	}
	slices.SortFunc(saved.Entries, func(a, b savedEntry) int { return strings.Compare(a.Path, b.Path) })
	err := l.store.save(saved)
	l.scanner.unsaved = err != nil
	if err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	return nil
}

// drop deletes passages from both indexes. A failure costs only space: no search
// returns what the manifest does not hold.
func (l *Library) drop(ctx context.Context, stale []string) error {
	if len(stale) == 0 {
		return nil
	}
	var errs []error
	if err := l.lex.delete(stale); err != nil {
		l.lexWhole.Store(false)
		errs = append(errs, err)
	}
	if l.vecs != nil {
		errs = append(errs, l.vecs.drop(ctx, stale))
	}
	return errors.Join(errs...)
}

// putLexical adds what is new to the lexical index, which is rebuilt if it breaks.
func (l *Library) putLexical(ctx context.Context, before, next *manifest, fresh []string) error {
	if len(fresh) == 0 {
		return nil
	}
	err := l.lex.put(next.pick(fresh))
	if err == nil {
		return nil
	}
	l.lexWhole.Store(false)
	l.log.Error("lexical index failed, building it anew", "reason", err)
	if err := l.rebuildLexicon(ctx, before); err != nil {
		return err
	}
	if err = l.lex.put(next.pick(fresh)); err != nil {
		l.lexWhole.Store(false)
	}
	return err
}

// ensureLexicon makes the lexical index hold just what the manifest holds: after a
// start, since a crash may have come between the two, and after a failure.
func (l *Library) ensureLexicon(ctx context.Context) error {
	if l.lexWhole.Load() {
		return nil
	}
	m := l.manifest()
	held, err := l.lex.hashes()
	if err != nil {
		return l.rebuildLexicon(ctx, m)
	}
	var missing, extra []string
	for hash := range m.passages {
		if !held[hash] {
			missing = append(missing, hash)
		}
	}
	for hash := range held {
		if m.passages[hash] == nil {
			extra = append(extra, hash)
		}
	}
	if len(extra) > 0 {
		if err := l.lex.delete(extra); err != nil {
			return l.rebuildLexicon(ctx, m)
		}
	}
	return l.fillLexicon(ctx, m.pick(missing))
}

// rebuildLexicon makes the lexical index anew from the manifest.
func (l *Library) rebuildLexicon(ctx context.Context, m *manifest) error {
	if err := l.lex.reset(); err != nil {
		l.note(func(n *notes) { n.index = err.Error() })
		return err
	}
	all := make([]string, 0, len(m.passages))
	for hash := range m.passages {
		all = append(all, hash)
	}
	return l.fillLexicon(ctx, m.pick(all))
}

func (l *Library) fillLexicon(ctx context.Context, passages []*Passage) error {
	for chunk := range slices.Chunk(passages, batchPassages) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.lex.put(chunk); err != nil {
			l.note(func(n *notes) {
				n.index = "the lexical index cannot be written (" + err.Error() + "): search goes by vectors alone"
			})
			return err
		}
	}
	l.note(func(n *notes) { n.index = "" })
	l.lexWhole.Store(true)
	return nil
}

// tidyEvery is how often stored versions and vectors that nothing needs are deleted.
const tidyEvery = time.Hour

func (l *Library) tidy(ctx context.Context) {
	now := time.Now()
	if ctx.Err() != nil || now.Sub(l.scanner.swept) < tidyEvery {
		return
	}
	l.scanner.swept = now
	wanted := map[string]bool{}
	for _, r := range l.kept(now) {
		wanted[r.Version] = true
	}
	for _, e := range l.manifest().entries {
		wanted[e.version] = true
	}
	if err := l.store.sweep(wanted); err != nil {
		l.log.Warn("stored versions not tidied", "reason", err)
	}
	if l.vecs == nil {
		return
	}
	if err := l.cache.compact(l.vecs.keysOf(l.manifest())); err != nil {
		l.log.Warn("vector cache not tidied", "reason", err)
	}
}

// folders are the file system's names of folders in the documents folder.
func (l *Library) folders(dirs []string) []string {
	out := make([]string, len(dirs))
	for i, d := range dirs {
		out[i] = filepath.Join(l.cfg.Docs, filepath.FromSlash(d))
	}
	return out
}
