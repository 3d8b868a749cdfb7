package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Durability rests on these settings of the connection that writes.
func TestWriterIsDurable(t *testing.T) {
	l := newLedger(t)
	for pragma, want := range map[string]string{
		"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000",
		"wal_autocheckpoint": "250",
	} {
		var got string
		if err := l.writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
		}
	}
	if n := l.writer.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections write", n)
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	l := newLedger(t)
	turn := post(t, l, accept(t, l, question("C1", "1", "1"), "a", "b"), "answer")
	if _, err := l.SetFeedback(t.Context(), Feedback{turn.ID, "U1", true, "thanks"}); err != nil {
		t.Fatal(err)
	}
	if err := l.SetQuiet(t.Context(), Place{"slack", "T1", "C1", "1"}, true); err != nil {
		t.Fatal(err)
	}
	secret, begun := l.Secret(), l.Begun()
	if len(secret) != 32 || time.Since(begun) > time.Minute {
		t.Fatalf("secret of %d bytes, begun %v", len(secret), begun)
	}

	l = reopen(t, l)
	same(t, "the turn", turn, read(t, l, turn.ID))
	if id, fresh, err := l.Accept(t.Context(), turn, "b"); id != turn.ID || fresh || err != nil {
		t.Errorf("a duplicate: %d, %v, %v", id, fresh, err)
	}
	if f, err := l.Feedback(t.Context(), turn.ID); err != nil || len(f) != 1 {
		t.Errorf("feedback %v, %v", f, err)
	}
	if th, err := l.Thread(t.Context(), Place{"slack", "T1", "C1", "1"}); err != nil || th != (Thread{1, true}) {
		t.Errorf("thread %v, %v", th, err)
	}
	if !bytes.Equal(l.Secret(), secret) || !l.Begun().Equal(begun) || l.Damaged() != "" {
		t.Errorf("secret, begun or damaged is another: %x, %v, %q", l.Secret(), l.Begun(), l.Damaged())
	}
	if left := beside(t, l.path); left != "ledger.db ledger.db-shm ledger.db-wal" {
		t.Errorf("while it is open there are %s", left)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if left := beside(t, l.path); left != "ledger.db" {
		t.Errorf("closing leaves %s", left)
	}
}

// Two ledgers, one begun after the other, have no turn's id and no secret in common.
func TestANewLedgerHasOtherIDs(t *testing.T) {
	first := newLedger(t)
	var last Turn
	for range 5 {
		last = accept(t, first, Turn{})
	}
	time.Sleep(time.Until(first.Begun().Add(10 * time.Millisecond)))
	second := newLedger(t)
	if turn := accept(t, second, Turn{}); turn.ID <= last.ID {
		t.Errorf("turn %d of the new ledger could be one of the old, which has come to %d", turn.ID, last.ID)
	}
	if bytes.Equal(first.Secret(), second.Secret()) {
		t.Error("both have the same secret")
	}
}

func TestFilesArePrivate(t *testing.T) {
	touched := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(touched, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Ledger{newLedger(t), openLedger(t, touched)} {
		accept(t, l, Turn{})
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(l.path + suffix)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("%s: mode %v, %v", suffix, info.Mode(), err)
			}
		}
	}
}

// A reader beside does not keep back what Close is to write into the file.
func TestCloseBesideAReader(t *testing.T) {
	l := newLedger(t)
	reader := openToRead(t, l.path)
	turn := accept(t, l, question("C1", "", "1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(l.path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the log has %d bytes (%v)", info.Size(), err)
	}
	same(t, "the turn", turn, read(t, reader, turn.ID))
}

func TestPathsOfAllKinds(t *testing.T) {
	for _, name := range []string{"with space", "100%", "a?mode=memory", "a#b", "ü", "a&b=c", "'quoted'"} {
		path := filepath.Join(t.TempDir(), name)
		l := openLedger(t, path)
		accept(t, l, Turn{})
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: not there: %v", name, err)
		}
	}
	t.Chdir(t.TempDir())
	openLedger(t, "ledger.db")
	if _, err := os.Stat("ledger.db"); err != nil {
		t.Error(err)
	}
}

func TestOpenFails(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"no folder":    {func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) }, "no such file or directory"},
		"a folder":     {func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, "it is no file"},
		"newer":        {func(t *testing.T, path string) { alter(t, path, "PRAGMA user_version = 2") }, "a newer program has written it (schema 2, this program knows 1): run that one"},
		"not a ledger": {func(t *testing.T, path string) { alter(t, path, "PRAGMA application_id = 7") }, "another program's database"},
		"a database":   {func(t *testing.T, path string) { makeDatabase(t, path) }, "another program's database"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			test.make(t, path)
			before, _ := os.ReadFile(path)
			for what, open := range map[string]func(context.Context, string) (*Ledger, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
				_, err := open(t.Context(), path)
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: error %v, want %q", what, err, test.want)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
				t.Error("the file was changed")
			}
		})
	}
}

// alter makes a ledger and changes it as another program would.
func alter(t *testing.T, path, statement string) {
	t.Helper()
	l := openLedger(t, path)
	if _, err := l.writer.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func makeDatabase(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE recipes (name TEXT)"); err != nil {
		t.Fatal(err)
	}
}

// beside lists the files in a ledger's folder.
func beside(t *testing.T, path string) string {
	t.Helper()
	entries, _ := os.ReadDir(filepath.Dir(path))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestDamaged(t *testing.T) {
	sound, err := os.ReadFile(filledLedger(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		damage func(b []byte) []byte
		fine   bool
	}{
		"untouched":       {func(b []byte) []byte { return b }, true},
		"zero bytes":      {func(b []byte) []byte { return nil }, true},
		"five bytes":      {func(b []byte) []byte { return []byte("hello") }, false},
		"text":            {func(b []byte) []byte { return []byte(strings.Repeat("no database\n", 5000)) }, false},
		"random":          {func(b []byte) []byte { rand.Read(b); return b }, false},
		"zeros":           {func(b []byte) []byte { return make([]byte, len(b)) }, false},
		"its first bytes": {func(b []byte) []byte { return b[:50] }, false},
		"a page less":     {func(b []byte) []byte { return b[:len(b)-4096] }, false},
		"half":            {func(b []byte) []byte { return b[:len(b)/2] }, false},
		"half a page":     {func(b []byte) []byte { return b[:len(b)-2048] }, false},
		"first page":      {func(b []byte) []byte { return flip(b, 100, 4096) }, false},
		"page of turns":   {func(b []byte) []byte { return flip(b, pageOf(b, "a long question"), 4096) }, false},
		"page of keys":    {func(b []byte) []byte { return flip(b, pageOf(b, "key 7"), 4096) }, false},
		"zeroed page":     {func(b []byte) []byte { clear(b[pageOf(b, "a long question"):][:4096]); return b }, false},
		"swapped pages": {func(b []byte) []byte {
			turns, keys := b[pageOf(b, "a long question"):][:4096], b[pageOf(b, "key 7"):][:4096]
			was := bytes.Clone(turns)
			copy(turns, keys)
			copy(keys, was)
			return b
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			b := test.damage(bytes.Clone(sound))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			l := openLedger(t, path)
			if test.fine {
				if l.Damaged() != "" || beside(t, path) != "ledger.db ledger.db-shm ledger.db-wal" {
					t.Errorf("it is said to be damaged; there are %s", beside(t, path))
				}
				return
			}
			if !strings.HasPrefix(l.Damaged(), path+".damaged-20") {
				t.Fatalf("damaged is %q", l.Damaged())
			}
			if moved, err := os.ReadFile(l.Damaged()); err != nil || !bytes.Equal(moved, b) {
				t.Errorf("what was moved aside is not what was there: %v", err)
			}
			accept(t, l, question("C1", "", "1"), "key 1")
			if l = reopen(t, l); l.Damaged() != "" {
				t.Error("the new ledger is damaged, too")
			}
		})
	}
}

// filledLedger makes a closed ledger of many pages.
func filledLedger(t *testing.T) (path string) {
	t.Helper()
	l := newLedger(t)
	for i := range 40 {
		q := question("C1", "", fmt.Sprint(i))
		q.Text = strings.Repeat("a long question ", 30)
		post(t, l, accept(t, l, q, fmt.Sprint("key ", i)), strings.Repeat("a long answer ", 400))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.path
}

func flip(b []byte, from, n int) []byte {
	for i := range b[from:min(from+n, len(b))] {
		b[from+i] ^= 0xff
	}
	return b
}

// pageOf is where the page begins that holds a text.
func pageOf(b []byte, text string) int { return bytes.Index(b, []byte(text)) / 4096 * 4096 }

// What the write-ahead log of a damaged file holds is not lost, and not in the new ledger.
func TestDamagedAfterACrash(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"a page": func(b []byte) []byte { return flip(b, pageOf(b, "a long question"), 4096) },
		"half":   func(b []byte) []byte { return b[:len(b)/2] },
		"all":    func(b []byte) []byte { return flip(b, 0, len(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := openLedger(t, filledLedger(t))
			accept(t, l, question("C1", "", "in the log"), "in the log")
			crashed := copyOf(t, l.path)
			b, err := os.ReadFile(crashed)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(crashed, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			l = openLedger(t, crashed)
			if l.Damaged() == "" {
				t.Fatal("the damage was not seen")
			}
			kept, _ := os.ReadFile(l.Damaged())
			log, _ := os.ReadFile(l.Damaged() + "-wal")
			if !bytes.Contains(append(kept, log...), []byte("in the log")) {
				t.Errorf("what the log held is gone; there are %s", beside(t, crashed))
			}
			if _, fresh, err := l.Accept(t.Context(), Turn{}, "in the log"); !fresh || err != nil {
				t.Errorf("the new ledger knows what the old one did: %v", err)
			}
		})
	}
}

// copyOf copies a ledger as a crash would leave it.
func copyOf(t *testing.T, path string) (crashed string) {
	t.Helper()
	crashed = filepath.Join(t.TempDir(), "ledger.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return crashed
}

// A crash may leave the log of a database that was moved aside.
func TestAnOrphanedLogIsIgnored(t *testing.T) {
	l := newLedger(t)
	accept(t, l, question("C1", "", "1"), "k")
	orphan := filepath.Join(t.TempDir(), "ledger.db")
	b, err := os.ReadFile(l.path + "-wal")
	if err != nil || len(b) == 0 {
		t.Fatal(len(b), err)
	}
	if err := os.WriteFile(orphan+"-wal", b, 0o600); err != nil {
		t.Fatal(err)
	}
	l = openLedger(t, orphan)
	if _, fresh, err := l.Accept(t.Context(), Turn{}, "k"); !fresh || err != nil {
		t.Errorf("the orphan was read: %v", err)
	}
}

// Whatever is done to the bytes, the bot starts: with the old ledger or with a new one.
func TestAnyDamageIsSurvived(t *testing.T) {
	sound, err := os.ReadFile(filledLedger(t))
	if err != nil {
		t.Fatal(err)
	}
	random := mathrand.NewChaCha8([32]byte{})
	for i := range 40 {
		b := bytes.Clone(sound)
		at := 100 + (len(b)-100)*i/40 // behind the header, which says whose file it is
		random.Read(b[at:min(at+64, len(b))])
		path := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(t.Context(), path)
		if err != nil {
			t.Errorf("64 random bytes at %d: %v", at, err)
			continue
		}
		if err := l.Close(); err != nil {
			t.Errorf("64 random bytes at %d: %v", at, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if _, err := OpenReadOnly(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("where there is no ledger: %v", err)
	}
	if left := beside(t, path); left != "" {
		t.Errorf("looking for a ledger has made %s", left)
	}
	writer := openLedger(t, path)
	turn := post(t, writer, accept(t, writer, question("C1", "1", "1")), "answer")
	reader := openToRead(t, path)
	same(t, "the turn", turn, read(t, reader, turn.ID))
	if !bytes.Equal(reader.Secret(), writer.Secret()) || !reader.Begun().Equal(writer.Begun()) {
		t.Error("the reader does not know the ledger's secret or beginning")
	}
	for range 3 { // both go on
		turn = accept(t, writer, question("C1", "1", "2"))
		same(t, "the new turn", turn, read(t, reader, turn.ID))
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	accept(t, writer, question("C1", "1", "3"))
}

// Reading leaves to the daemon what is to be done about a file that cannot be read.
func TestReadOnlyOfWhatIsNoLedger(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		is      error
	}{
		"nothing yet": {"", fs.ErrNotExist},
		"text":        {strings.Repeat("no database\n", 5000), nil},
	} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenReadOnly(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), path) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != test.content {
			t.Errorf("%s: the file was changed or moved: %v", name, err)
		}
	}
}

func TestReadOnlyDoesNotWrite(t *testing.T) {
	path := filledLedger(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l := openToRead(t, path)
	if turns, err := l.History(t.Context(), Place{"slack", "T1", "C1", ""}, 0, time.Time{}, 99); err != nil || len(turns) != 40 {
		t.Errorf("%d turns, %v", len(turns), err)
	}
	for what, f := range map[string]func() error{
		"Accept":      func() error { _, _, err := l.Accept(t.Context(), Turn{}); return err },
		"Update":      func() error { _, err := l.Update(t.Context(), Turn{}); return err },
		"SetQuiet":    func() error { return l.SetQuiet(t.Context(), Place{"", "", "", ""}, true) },
		"SetFeedback": func() error { _, err := l.SetFeedback(t.Context(), Feedback{}); return err },
		"Prune":       func() error { return l.Prune(t.Context(), time.Now()) },
		"Healthy":     func() error { return l.Healthy(t.Context()) },
	} {
		if err := f(); !errors.Is(err, errReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("reading has changed the file: %v", err)
	}
}

// After a crash there is a log to be read but nobody to write it into the file.
func TestReadOnlyAfterACrash(t *testing.T) {
	l := newLedger(t)
	turn := accept(t, l, question("C1", "", "1"))
	crashed := copyOf(t, l.path)
	same(t, "the turn", turn, read(t, openToRead(t, crashed), turn.ID))
	same(t, "the turn", turn, read(t, openLedger(t, crashed), turn.ID))
}

func openToRead(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.closePools() })
	return l
}

func TestHealthy(t *testing.T) {
	l := newLedger(t)
	if err := l.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Healthy(t.Context()); err == nil || !strings.Contains(err.Error(), l.path) {
		t.Errorf("of a closed ledger: %v", err)
	}
}

// A full disk refuses what is new, keeps what is there, and is forgotten when it has space.
func TestFullDisk(t *testing.T) {
	l := newLedger(t)
	limitPages(t, l, 60)
	long := question("C1", "", "1")
	long.Text = strings.Repeat("a long question ", 300)
	var ids []int64
	var full error
	for i := 0; full == nil && i < 1000; i++ {
		var id int64
		if id, _, full = l.Accept(t.Context(), long, fmt.Sprint(i)); full == nil {
			ids = append(ids, id)
		}
	}
	var e *sqlite.Error
	if !errors.As(full, &e) || e.Code() != sqlite3.SQLITE_FULL || !strings.Contains(full.Error(), l.path) {
		t.Fatalf("after %d turns: %v", len(ids), full)
	}
	if _, err := l.Update(t.Context(), Turn{ID: ids[0], State: Answered, Answer: make([]byte, 1<<20)}); err == nil {
		t.Error("an update found space")
	}
	for _, id := range ids {
		if turn := read(t, l, id); turn.State != Received {
			t.Errorf("turn %d is %s", id, turn.State)
		}
	}
	limitPages(t, l, 1<<20)
	refused := fmt.Sprint(len(ids))
	accept(t, l, long, refused)
	if l = reopen(t, l); l.Damaged() != "" || countRows(t, l, "turns") != len(ids)+1 {
		t.Errorf("damaged %q; %d turns, want %d", l.Damaged(), countRows(t, l, "turns"), len(ids)+1)
	}
}

// limitPages makes the disk as large as that many pages.
func limitPages(t *testing.T, l *Ledger, n int) {
	t.Helper()
	if _, err := l.writer.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n)); err != nil {
		t.Fatal(err)
	}
}
