package kb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// maxFile is the largest file that is read, in bytes; no policy is as long.
const maxFile = 20 << 20

// fileStat is what tells one content of a file from another without reading it.
type fileStat struct {
	Size    int64  `json:"size"`
	ModNS   int64  `json:"mod"`             // modification time
	ChgNS   int64  `json:"chg,omitempty"`   // inode change time, which no program can set back
	Inode   uint64 `json:"inode,omitempty"` // another file under the same name
	Problem string `json:"-"`               // why it cannot be read at all
}

// listing is what one walk through the documents folder found.
type listing struct {
	files   map[string]fileStat // documents, by path
	dirs    []string            // to watch, "." among them
	skipped []string            // files of kinds that are not read
	hidden  []string            // folders that could not be read: nothing in them counts as gone
}

// walk lists the folder. It follows links that stay inside and reports those that lead
// out. Names that begin with a dot are the file system's and editors' own business.
func walk(root *os.Root, accepts func(string) bool) (listing, error) {
	w := walker{root: root, accepts: accepts, seen: map[[2]uint64]bool{}}
	w.files = map[string]fileStat{}
	info, err := root.Stat(".")
	if err != nil {
		return listing{}, err
	}
	if err := w.dir(".", info); err != nil {
		return listing{}, err
	}
	return w.listing, nil
}

type walker struct {
	listing
	root    *os.Root
	accepts func(string) bool
	seen    map[[2]uint64]bool // folders by dirID, since a link can make a ring
}

// maxDepth bounds the folders' nesting where folders have no identity.
const maxDepth = 64

func (w *walker) dir(name string, info fs.FileInfo) error {
	id := dirID(info)
	if w.seen[id] || strings.Count(name, "/") > maxDepth {
		return nil
	}
	w.seen[id] = id != [2]uint64{}
	f, err := w.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	w.dirs = append(w.dirs, name)
	for _, e := range entries {
		if !ignored(e.Name()) {
			w.entry(path.Join(name, e.Name()), e)
		}
	}
	return nil
}

func (w *walker) entry(name string, e fs.DirEntry) {
	info, err := w.root.Stat(name) // follows links, but never out of the folder
	switch {
	case err != nil:
		w.broken(name, e, err)
	case info.IsDir():
		if w.dir(name, info) != nil {
			w.hidden = append(w.hidden, name)
		}
	case !w.accepts(name) || !info.Mode().IsRegular():
		w.skipped = append(w.skipped, name)
	case !utf8.ValidString(name):
		w.files[strings.ToValidUTF8(name, "\uFFFD")] = fileStat{Problem: "its name is not valid UTF-8: rename it"}
	default:
		w.files[name] = statOf(info)
	}
}

// broken files what cannot even be looked at; a file that vanished meanwhile is no news.
func (w *walker) broken(name string, e fs.DirEntry, err error) {
	if !w.accepts(name) {
		return
	}
	if e.Type()&fs.ModeSymlink != 0 {
		w.files[name] = fileStat{Problem: "it is a link that leads out of the documents folder or to nothing: put the file itself here"}
		return
	}
	if !os.IsNotExist(err) {
		w.files[name] = fileStat{Problem: reason(err)}
	}
}

// ignored names are hidden files and what editors and sync programs write beside the
// file they are about to replace.
func ignored(name string) bool {
	lower := strings.ToLower(name)
	for _, suffix := range []string{"~", ".tmp", ".temp", ".swp", ".swx", ".part", ".partial", ".crdownload", ".bak"} {
		if strings.HasSuffix(lower, suffix) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || strings.HasPrefix(name, "#")
}

// read returns a file's content, and its state before and after reading it, which
// differ when someone is writing to it.
func read(root *os.Root, name string) (data []byte, before, after fileStat, err error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, before, after, err
	}
	defer f.Close()
	if before, err = statFile(f); err != nil {
		return nil, before, after, err
	}
	if before.Size > maxFile {
		return nil, before, before, &ParseError{Reason: fmt.Sprintf("it has %d MB, the limit is %d: split it", before.Size>>20, maxFile>>20)}
	}
	if data, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, before, after, err
	}
	after, err = statFile(f)
	return data, before, after, err
}

func statFile(f *os.File) (fileStat, error) {
	info, err := f.Stat()
	if err != nil {
		return fileStat{}, err
	}
	return statOf(info), nil
}

// reason is an error without the operation and the path, which the reader knows.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// A settler tells when a file that changed has stopped changing.
type settler struct {
	quiet time.Duration
	looks map[string]look
}

type look struct {
	stat  fileStat
	since time.Time
}

// old is an age at which a file is taken as it is, so that a first load waits for none.
const old = 2 * time.Second

// settled says whether name, found with stat at now, is complete: it has looked the
// same for a while, or was last written long ago. An empty file may be about to be
// filled and waits for that long.
func (s *settler) settled(name string, stat fileStat, now time.Time) bool {
	if age := now.Sub(time.Unix(0, max(stat.ModNS, stat.ChgNS))); age > old {
		return true
	}
	quiet := s.quiet
	if stat.Size == 0 {
		quiet = max(quiet, old)
	}
	last, ok := s.looks[name]
	if !ok || last.stat != stat {
		s.looks[name] = look{stat, now}
		return stat.Problem != ""
	}
	return now.Sub(last.since) >= quiet
}

func (s *settler) forget(name string) { delete(s.looks, name) }
