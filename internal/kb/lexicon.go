package kb

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/keyword"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/standard"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/mapping"
	index "github.com/blevesearch/bleve_index_api"
)

// analyzers maps a language to bleve's analysis of it; other languages are only cut
// into words and lower-cased.
var analyzers = map[string]string{
	"da": da.AnalyzerName, "de": de.AnalyzerName, "en": en.AnalyzerName, "es": es.AnalyzerName,
	"fi": fi.AnalyzerName, "fr": fr.AnalyzerName, "it": it.AnalyzerName, "nl": nl.AnalyzerName,
	"no": no.AnalyzerName, "pt": pt.AnalyzerName, "sv": sv.AnalyzerName,
	"ja": cjk.AnalyzerName, "ko": cjk.AnalyzerName, "zh": cjk.AnalyzerName,
}

// The fields of a passage in the index. None is stored: the manifest has the text.
const (
	fieldTitle    = "title"
	fieldHeadings = "headings"
	fieldText     = "text"
	fieldAudience = "audience"
)

// A lexicon is the lexical index on disk. It is derived and disposable: whatever goes
// wrong with it, dropping it and putting every passage again mends it.
//
// bleve panics where it should fail (after a full disk, every call does, until the index
// is opened anew), so no call leaves this file unguarded, and after a failed write the
// handle is never used again.
type lexicon struct {
	dir      string
	rules    string // of the text analysis: an index made by others is dropped
	mapping  mapping.IndexMapping
	analyzer analysis.Analyzer

	mu     sync.RWMutex // held for reading by every use of idx
	idx    bleve.Index  // nil after a failure, until reset
	broken error        // why idx is nil
}

// errBroken wraps what made the lexicon unusable; reset mends it.
var errBroken = errors.New("the lexical index must be rebuilt")

// openLexicon opens the index in dir. When it is missing, or is not what its own
// checksums say, it is made anew and empty, and why tells the reason; why is nil when
// the index was opened as it is.
func openLexicon(dir, language string) (l *lexicon, why, err error) {
	l = &lexicon{dir: dir}
	if err := l.analyse(language); err != nil {
		return nil, nil, err
	}
	if why = l.open(); why == nil {
		return l, nil, nil
	}
	return l, why, l.reset()
}

// analyse sets the mapping and the analyzer of questions.
func (l *lexicon) analyse(language string) error {
	name, ok := analyzers[language]
	if !ok {
		name = standard.Name
	}
	text := bleve.NewTextFieldMapping()
	text.Analyzer, text.Store, text.IncludeTermVectors = name, false, false
	text.IncludeInAll, text.DocValues = false, false
	word := bleve.NewKeywordFieldMapping()
	word.Analyzer, word.Store, word.IncludeInAll, word.DocValues = keyword.Name, false, false, false

	doc := bleve.NewDocumentStaticMapping()
	for _, field := range []string{fieldTitle, fieldHeadings, fieldText} {
		doc.AddFieldMappingsAt(field, text)
	}
	doc.AddFieldMappingsAt(fieldAudience, word)
	m := bleve.NewIndexMapping()
	m.DefaultMapping = doc
	m.DefaultAnalyzer = name
	m.ScoringModel = index.BM25Scoring
	l.rules = fmt.Sprintf("%d %s", lexiconFormat, name)
	l.mapping, l.analyzer = m, m.AnalyzerNamed(name)
	if l.analyzer == nil {
		return fmt.Errorf("no text analysis named %q", name)
	}
	return m.Validate()
}

// lexiconFormat is raised when fields or their analysis change.
const lexiconFormat = 1

// scorchOptions: a write need not be on disk when it returns, because Library compares
// index and manifest at every start and puts what is missing; and a lock that another
// process holds is an error, not a wait without end.
func scorchOptions() map[string]any {
	return map[string]any{"unsafe_batch": true, "bolt_timeout": "1s"}
}

// open opens what dir holds, verified.
func (l *lexicon) open() error {
	if _, err := os.Stat(filepath.Join(l.dir, "index_meta.json")); err != nil {
		return err
	}
	if err := verifySegments(l.dir); err != nil {
		return err
	}
	if err := l.verifySeal(); err != nil {
		return err
	}
	return guard(func() (err error) {
		l.idx, err = bleve.OpenUsing(l.dir, scorchOptions())
		return err
	})
}

// reset drops the index and starts an empty one.
func (l *lexicon) reset() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idx != nil {
		old := l.idx
		l.idx = nil
		_ = guard(old.Close) // it is about to be deleted, whatever it says
	}
	if err := errors.Join(os.RemoveAll(l.sealFile()), os.RemoveAll(l.dir)); err != nil {
		return fmt.Errorf("cannot clear the index folder %s: %w", l.dir, err)
	}
	err := guard(func() (err error) {
		l.idx, err = bleve.NewUsing(l.dir, l.mapping, scorch.Name, scorch.Name, scorchOptions())
		return err
	})
	l.broken = err
	return err
}

// put adds passages, replacing any with the same Hash.
func (l *lexicon) put(passages []*Passage) error {
	return l.write(func(batch *bleve.Batch) error {
		for _, p := range passages {
			err := batch.Index(p.Hash, map[string]any{
				fieldTitle: p.Title, fieldHeadings: strings.Join(p.Headings, "\n"),
				fieldText: p.Text, fieldAudience: p.Audience,
			})
			if err != nil {
				return fmt.Errorf("%s: %w", p.ID, err)
			}
		}
		return nil
	})
}

// delete forgets passages by their Hash.
func (l *lexicon) delete(hashes []string) error {
	return l.write(func(batch *bleve.Batch) error {
		for _, h := range hashes {
			batch.Delete(h)
		}
		return nil
	})
}

// write applies one batch. A batch that failed may have been applied in part, and the
// handle panics from then on, so any failure breaks the lexicon until reset.
func (l *lexicon) write(fill func(*bleve.Batch) error) error {
	err := l.use(func(idx bleve.Index) error {
		batch := idx.NewBatch()
		if err := fill(batch); err != nil {
			return err
		}
		return idx.Batch(batch)
	})
	if err != nil {
		return l.fail(err)
	}
	return nil
}

// use runs f with the open index, its panics turned into errors.
func (l *lexicon) use(f func(bleve.Index) error) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.idx == nil {
		return fmt.Errorf("%w: %w", errBroken, l.broken)
	}
	return guard(func() error { return f(l.idx) })
}

// fail takes the handle out of use.
func (l *lexicon) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.idx; old != nil {
		l.idx, l.broken = nil, err
		_ = guard(old.Close)
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// hashes lists what the index holds.
func (l *lexicon) hashes() (map[string]bool, error) {
	held := map[string]bool{}
	err := l.read(func(r index.IndexReader) error {
		ids, err := r.DocIDReaderAll()
		if err != nil {
			return err
		}
		defer ids.Close()
		for {
			id, err := ids.Next()
			if err != nil || id == nil {
				return err
			}
			hash, err := r.ExternalID(id)
			if err != nil {
				return err
			}
			held[hash] = true
		}
	})
	return held, err
}

// read runs f on one snapshot of the index.
func (l *lexicon) read(f func(index.IndexReader) error) error {
	return l.use(func(idx bleve.Index) error {
		inner, err := idx.Advanced()
		if err != nil {
			return err
		}
		r, err := inner.Reader()
		if err != nil {
			return err
		}
		defer r.Close()
		return f(r)
	})
}

func (l *lexicon) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.idx == nil {
		return nil
	}
	old := l.idx
	l.idx, l.broken = nil, errors.New("closed")
	if err := guard(old.Close); err != nil {
		return err
	}
	return l.seal()
}

// guard turns a panic of f into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// verifySegments checks every segment file against the CRC-32 (IEEE) of its content
// that its last four bytes hold, big-endian, which bleve writes but never reads: of 100
// segments with 32 flipped bytes it opened 79 without complaint.
func verifySegments(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "store", "*.zap"))
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := verifySegment(name); err != nil {
			return fmt.Errorf("index file %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

func verifySegment(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := crc32.NewIEEE()
	if _, err := io.CopyN(sum, f, info.Size()-4); err != nil {
		return fmt.Errorf("cut short: %w", err)
	}
	var want [4]byte
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return err
	}
	if [4]byte(sum.Sum(nil)) != want {
		return errors.New("its checksum does not match its content")
	}
	return nil
}

// The list of segments, root.bolt, has no checksum, and reading a damaged one faults in
// a way that no recover stops. So its hash is kept beside the index, renewed whenever
// bleve has left the file alone for a moment, and an index whose list is not the sealed
// one – after a kill in the middle of a write – is dropped.

func (l *lexicon) rootFile() string { return filepath.Join(l.dir, "store", "root.bolt") }
func (l *lexicon) sealFile() string { return l.dir + ".seal" }

// sealWhenQuiet renews the seal if the list of segments has changed and is at rest, and
// says whether it must be tried again.
func (l *lexicon) sealWhenQuiet(now time.Time) (again bool, err error) {
	root, err := os.Stat(l.rootFile())
	if err != nil {
		return false, err
	}
	seal, err := os.Stat(l.sealFile())
	if err == nil && seal.ModTime().After(root.ModTime()) {
		return false, nil
	}
	if now.Sub(root.ModTime()) < sealAfter {
		return true, nil
	}
	return false, l.seal()
}

// sealAfter is how long the list of segments must have been at rest.
const sealAfter = time.Second

func (l *lexicon) seal() error {
	sum, err := hashFile(l.rootFile())
	if err != nil {
		return err
	}
	return writeFile(l.sealFile(), []byte(l.rules+"\n"+sum))
}

func (l *lexicon) verifySeal() error {
	sealed, err := os.ReadFile(l.sealFile())
	if err != nil {
		return fmt.Errorf("its list of segments was being written when the program ended: %w", err)
	}
	rules, want, _ := strings.Cut(string(sealed), "\n")
	if rules != l.rules {
		return errors.New("it was made for another language or by another version")
	}
	sum, err := hashFile(l.rootFile())
	if err == nil && sum != want {
		err = errors.New("its list of segments is not the one that was sealed")
	}
	return err
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// tokens analyses a question the way passages were.
func (l *lexicon) tokens(text string) analysis.TokenStream {
	return l.analyzer.Analyze([]byte(text))
}
