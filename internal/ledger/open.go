package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// A Ledger is an open ledger file. Its methods may be called concurrently.
type Ledger struct {
	path    string
	damaged string
	begun   time.Time
	secret  []byte

	// SQLite lets one connection write at a time: with a single one, writers queue here,
	// where waiting ends with their context, and never run into SQLITE_BUSY.
	writer  *sql.DB // nil when opened for reading only
	readers *sql.DB

	// Prepared because each question needs them, most before it is acknowledged.
	turnOfKey, addKey, addTurn, updateTurn *sql.Stmt // on writer
	turnByID, threadOf                     *sql.Stmt // on readers
}

// readConns is how many reads run at once; each connection has its own page cache of up
// to 2 MB.
const readConns = 4

// checkpointOften copies the write-ahead log into the file each 250 pages (1 MB) instead of
// SQLite's 1000, because a question waits for it to be accepted while that is done. With
// 50 questions a second, each updated twice, on two busy cores, the slowest of 1000 Accepts
// took 42 to 117 ms in three runs, and 44 to 412 ms with 1000.
const checkpointOften = "&_pragma=wal_autocheckpoint(250)"

// Open opens the ledger at path, or begins one; its folder must exist. The file is
// readable by its owner alone.
//
// A damaged file – no database, or one whose pages do not fit together – is moved aside
// and a new ledger is begun; [Ledger.Damaged] then says where the old one is. A file that
// a newer program wrote, or that is another program's, is left alone and is an error. So
// is anything that may pass, such as a full disk or a missing permission.
func Open(ctx context.Context, path string) (*Ledger, error) {
	damaged, err := setAsideIfDamaged(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger %s: %w", path, err)
	}
	l := &Ledger{path: path, damaged: damaged}
	if err := l.open(ctx); err != nil {
		l.closePools()
		return nil, fmt.Errorf("opening the ledger %s: %w", path, err)
	}
	return l, nil
}

// OpenReadOnly opens a ledger for reading, also beside a daemon that writes to it. It
// changes nothing in it: where there is none the error is [fs.ErrNotExist], and a damaged
// one is an error too. Methods that write return an error. Where no daemon runs, SQLite
// leaves its -wal and -shm files beside the ledger, which the next [Ledger.Close] removes.
func OpenReadOnly(ctx context.Context, path string) (*Ledger, error) {
	l := &Ledger{path: path}
	if err := l.openReadOnly(ctx); err != nil {
		l.closePools()
		return nil, fmt.Errorf("opening the ledger %s for reading: %w", path, err)
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context) error {
	if err := makePrivate(l.path); err != nil {
		return err
	}
	var err error
	if l.writer, err = openPool(l.path, 1, "mode=rw&_txlock=immediate&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"+checkpointOften); err != nil {
		return err
	}
	if err := l.write(ctx, makeSchema); err != nil {
		return err
	}
	if err := prepare(ctx, l.writer, map[string]**sql.Stmt{
		turnOfKeySQL: &l.turnOfKey, addKeySQL: &l.addKey, addTurnSQL: &l.addTurn, updateTurnSQL: &l.updateTurn,
	}); err != nil {
		return err
	}
	return l.openReaders(ctx)
}

func (l *Ledger) openReadOnly(ctx context.Context) error {
	if err := findFile(l.path); err != nil {
		return err
	}
	return l.openReaders(ctx)
}

func (l *Ledger) openReaders(ctx context.Context) error {
	var err error
	if l.readers, err = openPool(l.path, readConns, "mode=ro"); err != nil {
		return err
	}
	h, err := readHeader(ctx, l.readers)
	if err != nil {
		return err
	}
	if h.empty() {
		return fmt.Errorf("nothing is in it yet: %w", fs.ErrNotExist)
	}
	if err := h.ours(); err != nil {
		return err
	}
	if err := l.readAbout(ctx); err != nil {
		return err
	}
	return prepare(ctx, l.readers, map[string]**sql.Stmt{turnByIDSQL: &l.turnByID, threadOfSQL: &l.threadOf})
}

func (l *Ledger) readAbout(ctx context.Context) error {
	var begun int64
	err := l.readers.QueryRowContext(ctx, "SELECT begun, secret FROM about").Scan(&begun, &l.secret)
	l.begun = timeOf(begun)
	return err
}

// openPool makes a pool of at most conns connections. Nothing is opened until it is used.
func openPool(path string, conns int, options string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// A file: address, because only in one does SQLite heed mode=:
	// https://www.sqlite.org/uri.html
	name := (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	db, err := sql.Open("sqlite", "file:"+name+"?_pragma=busy_timeout(5000)&"+options)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB, statements map[string]**sql.Stmt) error {
	for query, statement := range statements {
		var err error
		if *statement, err = db.PrepareContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

// makePrivate makes path a file that its owner alone can read. SQLite gives its -wal and
// -shm files the mode of the database file.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Close writes everything into the one file and closes it.
func (l *Ledger) Close() error {
	var err error
	if l.writer != nil {
		err = l.checkpoint()
	}
	return l.failed("closing", errors.Join(err, l.closePools()))
}

func (l *Ledger) closePools() error {
	var errs []error
	for _, db := range []*sql.DB{l.readers, l.writer} { // the writer last, so that it can tidy up
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// checkpoint empties the write-ahead log. A reader elsewhere may keep some of it alive,
// which does no harm.
func (l *Ledger) checkpoint() error {
	_, err := l.writer.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// Damaged is where Open has moved a damaged file, "" if there was none.
func (l *Ledger) Damaged() string { return l.damaged }

// Begun is when the ledger was made.
func (l *Ledger) Begun() time.Time { return l.begun }

// Secret is 32 random bytes that were made with the ledger.
func (l *Ledger) Secret() []byte { return bytes.Clone(l.secret) }

// Healthy proves that the ledger can be written, by writing to it: about as much as a
// question needs, because the last bytes of a disk hold less. It writes random bytes, as
// SQLite leaves alone what already is as it ought to be.
func (l *Ledger) Healthy(ctx context.Context) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE about SET proof = randomblob(32768)")
		return err
	})
	return l.failed("trying to write", err)
}

var errReadOnly = errors.New("it is open for reading only")

// write runs f in a transaction. The context ends only the wait for it: once begun it is
// run to its end, so that an error never leaves open whether something was written.
func (l *Ledger) write(ctx context.Context, f func(*sql.Tx) error) error {
	if l.writer == nil {
		return errReadOnly
	}
	conn, err := l.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // of no effect after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// failed says which ledger could not do what.
func (l *Ledger) failed(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case isDamage(err):
		return fmt.Errorf("ledger %s: %s: %w; a restart moves the damaged file aside and begins a new one", l.path, doing, err)
	}
	return fmt.Errorf("ledger %s: %s: %w", l.path, doing, err)
}

func timeOf(millis int64) time.Time { return time.UnixMilli(millis).UTC() }
