package parse

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"citebot/internal/kb"
)

var update = flag.Bool("update", false, "rewrite the wanted blocks of testdata/*.txtar")

// TestGolden parses the first file of each archive; the second is the document as text:
// its fields, its warnings, then a line for each block with its kind, level and lines.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			input, want := archive.Files[0], &archive.Files[1]
			checkParse(t, input.Name, input.Data)
			doc, err := Parse(context.Background(), input.Name, input.Data)
			got := describe(doc, err)
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// describe writes a document as text.
func describe(doc kb.Document, err error) string {
	var b strings.Builder
	if err != nil {
		fmt.Fprintln(&b, "error:", err)
		return b.String()
	}
	for _, field := range [][2]string{{"title", doc.Title}, {"url", doc.URL}, {"audience", doc.Audience}, {"owner", doc.Owner}, {"updated", doc.Updated}} {
		if field[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", field[0], field[1])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(doc.Meta)) {
		fmt.Fprintf(&b, "meta %s: %s\n", key, doc.Meta[key])
	}
	for _, w := range doc.Warnings {
		fmt.Fprintf(&b, "warning %d: %s\n", w.Line, w.Text)
	}
	for _, block := range doc.Blocks {
		describeBlock(&b, block)
	}
	return b.String()
}

func describeBlock(b *strings.Builder, block kb.Block) {
	fmt.Fprintf(b, "%-9s", block.Kind)
	if block.Level > 0 {
		fmt.Fprintf(b, " %d", block.Level)
	}
	fmt.Fprintf(b, " [%d-%d] %s", block.Lines[0], block.Lines[1], strings.ReplaceAll(block.Text, "\n", "⏎"))
	if block.Anchor != "" {
		fmt.Fprintf(b, " #%s", block.Anchor)
	}
	if block.Header != "" {
		fmt.Fprintf(b, " {%s}", block.Header)
	}
	b.WriteByte('\n')
}

// inputs returns the golden cases' inputs of one format.
func inputs(tb testing.TB, ext string) [][]byte {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	var found [][]byte
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		if filepath.Ext(archive.Files[0].Name) == ext {
			found = append(found, bytes.Clone(archive.Files[0].Data))
		}
	}
	if len(found) == 0 {
		tb.Fatalf("no %s among the cases", ext)
	}
	return found
}
