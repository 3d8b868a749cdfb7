package kb

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// TestDamagedStateIsDerivedAnew spoils every state file in several ways: the library
// must open, and find what a fresh one finds.
func TestDamagedStateIsDerivedAnew(t *testing.T) {
	damage := map[string]func([]byte) []byte{
		"emptied": func([]byte) []byte { return nil },
		"halved":  func(b []byte) []byte { return b[:len(b)/2] },
		"flipped": func(b []byte) []byte {
			at := rand.IntN(len(b))
			for i := at; i < min(at+32, len(b)); i++ {
				b[i] ^= 0xff
			}
			return b
		},
		"deleted": nil,
	}
	for how, spoil := range damage {
		t.Run(how, func(t *testing.T) {
			f := newFixture(t, "a.md", "# A\nLamps are cheap.", "b.md", "# B\nVans are dear and lamps are not.")
			f.sync()
			want := f.texts()
			hits := f.find("lamps cheap")
			for _, name := range stateFiles(t, f.cfg.State) {
				if err := f.lib.Close(); err != nil {
					t.Fatal(err)
				}
				spoilFile(t, name, spoil)
				f.open()
				f.sync()
				if diff := cmp.Diff(want, f.texts()); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				if diff := cmp.Diff(hits, f.find("lamps cheap")); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

func stateFiles(t *testing.T, dir string) []string {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// spoilFile damages a file that may have been replaced since it was listed.
func spoilFile(t *testing.T, name string, spoil func([]byte) []byte) {
	data, err := os.ReadFile(name)
	switch {
	case os.IsNotExist(err) || len(data) == 0:
		return
	case err != nil:
		t.Fatal(err)
	case spoil == nil:
		err = os.Remove(name)
	default:
		err = os.WriteFile(name, spoil(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
