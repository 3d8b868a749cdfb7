package kb

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A manifest is one generation of the library: which passages exist. It is immutable
// once published, so a search that holds one sees all of a reload or nothing of it.
type manifest struct {
	generation uint64
	entries    map[string]*entry   // by path
	passages   map[string]*Passage // by Hash
	audiences  []string            // of the passages, sorted
	lengths    fieldLengths        // means, for BM25
	outlines   func() []Outline    // of the documents that answer, by path; made when first asked for

	readers sync.WaitGroup // searches that use this generation
}

// An entry is what the library knows of one file. Its fields are not changed after it
// is published.
type entry struct {
	path     string
	stat     fileStat  // of the file when it was last read, with success or not
	rule     string    // the folder rule's audience at that time
	sum      string    // SHA-256 of the content that answers; "" when none does
	version  string    // names the stored version that answers
	modified time.Time // when that content was last changed
	title    string
	audience string
	passages []*Passage   // in reading order
	lengths  fieldLengths // summed over the passages
	problem  string       // why the newest content does not answer
}

func newManifest(generation uint64, entries map[string]*entry) *manifest {
	m := &manifest{generation: generation, entries: entries, passages: map[string]*Passage{}}
	audiences := map[string]bool{}
	for _, e := range entries {
		for _, p := range e.passages {
			m.passages[p.Hash] = p
			audiences[p.Audience] = true
		}
		m.lengths.add(e.lengths)
	}
	for i := range m.lengths {
		m.lengths[i] /= float64(max(len(m.passages), 1))
	}
	m.audiences = slices.Sorted(maps.Keys(audiences))
	m.outlines = sync.OnceValue(func() []Outline { return outlinesOf(entries) })
	return m
}

func (f *fieldLengths) add(g fieldLengths) {
	for i := range f {
		f[i] += g[i]
	}
}

// lengths counts the words of the passage's fields, in the order of bm25Fields.
func (p *Passage) lengths() fieldLengths {
	n := 0
	for _, h := range p.Headings {
		n += countWords(h)
	}
	return fieldLengths{float64(countWords(p.Text)), float64(n), float64(countWords(p.Title))}
}

// with returns the next generation: added replaces by path, removed goes.
func (m *manifest) with(added []*entry, removed []string) *manifest {
	entries := make(map[string]*entry, len(m.entries)+len(added))
	maps.Copy(entries, m.entries)
	for _, path := range removed {
		delete(entries, path)
	}
	for _, e := range added {
		entries[e.path] = e
	}
	return newManifest(m.generation+1, entries)
}

// minus lists the hashes of m that other does not hold.
func (m *manifest) minus(other *manifest) []string {
	var out []string
	for hash := range m.passages {
		if other.passages[hash] == nil {
			out = append(out, hash)
		}
	}
	return out
}

// A version is one document as it was once cited, kept so that a citation can show it.
type version struct {
	Document Document  `json:"document"`
	Passages []Passage `json:"passages"`
}

// A retired version is one that no longer answers.
type retired struct {
	Path    string    `json:"path"`
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

// keepRetired is how long a source that has changed can still be shown as it was cited.
const keepRetired = 30 * 24 * time.Hour

// A store keeps the manifest and the versions it names, in files that say themselves
// whether they are whole.
type store struct{ dir string }

// stateFormat is raised when what is stored, or how files are read or cut, changes: state of
// another format is dropped and derived anew.
const stateFormat = 1

// savedManifest is the manifest's form on disk.
type savedManifest struct {
	Format     int          `json:"format"`
	Generation uint64       `json:"generation"`
	Held       int          `json:"held,omitempty"` // rescans that saw a mass deletion
	Entries    []savedEntry `json:"entries"`
	Retired    []retired    `json:"retired,omitempty"`
}

type savedEntry struct {
	Path     string    `json:"path"`
	Stat     fileStat  `json:"stat"`
	Rule     string    `json:"rule,omitempty"`
	Sum      string    `json:"sum,omitempty"`
	Version  string    `json:"version,omitempty"`
	Modified time.Time `json:"modified"`
	Problem  string    `json:"problem,omitempty"`
}

func (s store) manifestFile() string { return filepath.Join(s.dir, "manifest.json") }

func (s store) versionFile(name string) string {
	return filepath.Join(s.dir, "versions", name[:2], name+".json")
}

// save writes the manifest in one step: a crash leaves the old file or the new one.
func (s store) save(saved savedManifest) error {
	body, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	return writeFile(s.manifestFile(), slices.Concat([]byte(hex.EncodeToString(sum[:])), []byte("\n"), body))
}

// load reads the manifest and every version it needs. An error means that the state is
// missing (fs.ErrNotExist) or not to be trusted.
func (s store) load() (savedManifest, *manifest, error) {
	saved, err := s.loadSaved()
	if err != nil {
		return savedManifest{}, nil, err
	}
	entries := make(map[string]*entry, len(saved.Entries))
	for _, se := range saved.Entries {
		e := &entry{path: se.Path, stat: se.Stat, rule: se.Rule, sum: se.Sum, version: se.Version, modified: se.Modified, problem: se.Problem}
		if err := s.fill(e); err != nil {
			return savedManifest{}, nil, fmt.Errorf("stored version of %s: %w", se.Path, err)
		}
		entries[e.path] = e
	}
	return saved, newManifest(saved.Generation, entries), nil
}

func (s store) loadSaved() (saved savedManifest, err error) {
	data, err := os.ReadFile(s.manifestFile())
	if err != nil {
		return saved, err
	}
	head, body, _ := bytes.Cut(data, []byte("\n"))
	if sum := sha256.Sum256(body); string(head) != hex.EncodeToString(sum[:]) {
		return saved, errors.New("the manifest's checksum does not match its content")
	}
	if err := json.Unmarshal(body, &saved); err != nil {
		return saved, err
	}
	if saved.Format != stateFormat {
		return saved, fmt.Errorf("the manifest is of format %d, this program's is %d", saved.Format, stateFormat)
	}
	return saved, nil
}

// fill sets what an entry's stored version says.
func (s store) fill(e *entry) error {
	if e.version == "" {
		return nil
	}
	v, err := s.version(e.version)
	if err != nil {
		return err
	}
	e.take(v)
	return nil
}

func (e *entry) take(v version) {
	e.title = v.Document.Title
	e.passages = make([]*Passage, len(v.Passages))
	for i := range v.Passages {
		e.passages[i] = &v.Passages[i]
		e.lengths.add(e.passages[i].lengths())
	}
	if len(v.Passages) > 0 {
		e.audience = v.Passages[0].Audience
	}
}

// putVersion stores a version under the hash of its content and returns that name.
func (s store) putVersion(v version) (name string, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	name = hex.EncodeToString(sum[:])
	file := s.versionFile(name)
	if info, err := os.Stat(file); err == nil && info.Size() == int64(len(body)) {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	return name, os.WriteFile(file, body, 0o600)
}

func (s store) version(name string) (v version, err error) {
	if len(name) != 64 {
		return v, fmt.Errorf("%q is no version's name", name)
	}
	body, err := os.ReadFile(s.versionFile(name))
	if err != nil {
		return v, err
	}
	if sum := sha256.Sum256(body); name != hex.EncodeToString(sum[:]) {
		return v, errors.New("its checksum does not match its content")
	}
	return v, json.Unmarshal(body, &v)
}

// sweep deletes stored versions that are not wanted.
func (s store) sweep(wanted map[string]bool) error {
	return filepath.WalkDir(filepath.Join(s.dir, "versions"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // nothing stored yet, or gone meanwhile
		}
		if name, ok := strings.CutSuffix(d.Name(), ".json"); !ok || !wanted[name] {
			return os.Remove(path)
		}
		return nil
	})
}

// writeFile replaces a file's content in one step, on stable storage.
func writeFile(name string, data []byte) error {
	temp, err := os.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
