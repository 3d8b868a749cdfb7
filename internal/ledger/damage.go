package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// errDamaged says that a file is a ledger no more.
var errDamaged = errors.New("the file is damaged")

// isDamage reports whether an error means that the file's content is wrong, as opposed to
// a disk or a permission that is.
func isDamage(err error) bool {
	if errors.Is(err, errDamaged) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff // of an extended code: https://www.sqlite.org/rescode.html
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// setAsideIfDamaged moves a damaged file out of the way and says where to.
func setAsideIfDamaged(ctx context.Context, path string) (to string, err error) {
	switch err := findFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	}
	err = inspect(ctx, path)
	if !isDamage(err) {
		return "", err
	}
	return setAside(path)
}

// findFile returns nil if there is a file, of whatever kind of content.
func findFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("it is no file: name another state folder, or move it away")
	}
	return err
}

// inspect returns nil for a file that Open can go on with. It changes nothing but what
// SQLite itself does to recover from a crash.
func inspect(ctx context.Context, path string) error {
	db, err := openPool(path, 1, "mode=rw")
	if err != nil {
		return err
	}
	defer db.Close()
	h, err := readHeader(ctx, db)
	if err != nil || h.empty() {
		return err
	}
	if err := h.ours(); err != nil {
		return err
	}
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, found)
	}
	return nil
}

// ours is nil for a ledger that this program understands.
func (h header) ours() error {
	if h.application != application {
		return errors.New("it is another program's database: name another state folder, or move the file away")
	}
	if h.version > schemaVersion {
		return fmt.Errorf("a newer program has written it (schema %d, this program knows %d): "+
			"run that one, or move the file away to begin a new ledger", h.version, schemaVersion)
	}
	return nil
}

// setAside renames a file and what SQLite keeps beside it. The database goes first: what
// is left of it after a crash in between belongs to no database and SQLite removes it.
func setAside(path string) (to string, err error) {
	to = path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Rename(path, to); err != nil {
		return "", err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+suffix, to+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return to, nil
}
