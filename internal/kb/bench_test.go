package kb

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vocabulary draws words by Zipf's law, as language does.
func vocabulary(rng *rand.Rand) func() string {
	zipf := rand.NewZipf(rng, 1.1, 2, 20_000)
	return func() string { return fmt.Sprintf("w%dq", zipf.Uint64()) }
}

// writeDocs makes a folder of documents of some 20 passages each, 150 words a passage.
func writeDocs(b *testing.B, docs int) string {
	dir := b.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	word := vocabulary(rng)
	for i := range docs {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("doc%04d.md", i)), []byte(docText(i, word)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func docText(n int, word func() string) string {
	var text strings.Builder
	for s := range 20 {
		fmt.Fprintf(&text, "# Section %d of %d\n", s, n)
		for range 15 {
			for range 9 {
				text.WriteString(word() + " ")
			}
			text.WriteString("end. ")
		}
		text.WriteString("\n")
	}
	return text.String()
}

func openBench(b *testing.B, docs, state string) *Library {
	lib, err := Open(b.Context(), Config{
		Docs: docs, State: state, Parse: lineParser, Settle: time.Millisecond,
		Accepts: func(string) bool { return true }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return lib
}

// BenchmarkFirstLoad reads 500 documents into an empty library, without vectors.
func BenchmarkFirstLoad(b *testing.B) {
	docs, passages := writeDocs(b, 500), 0
	for b.Loop() {
		lib := openBench(b, docs, b.TempDir())
		if err := lib.Sync(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		passages += len(lib.manifest().passages)
		lib.Close()
	}
	b.ReportMetric(float64(passages)/b.Elapsed().Seconds(), "passages/s")
}

// BenchmarkRestart opens a library of 10,000 passages that nothing happened to.
func BenchmarkRestart(b *testing.B) {
	docs, state := writeDocs(b, 500), b.TempDir()
	lib := openBench(b, docs, state)
	if err := lib.Sync(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	lib.Close()
	for b.Loop() {
		lib := openBench(b, docs, state)
		if err := lib.Sync(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		lib.Close()
	}
}

// BenchmarkOutlines lists 500 documents, as is done at each letter that somebody types.
func BenchmarkOutlines(b *testing.B) {
	lib := openBench(b, writeDocs(b, 500), b.TempDir())
	defer lib.Close()
	if err := lib.Sync(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		lib.Outlines([]string{"public"})
	}
}

// BenchmarkBM25 searches 10,000 passages for a question of eight terms.
func BenchmarkBM25(b *testing.B) {
	lib := openBench(b, writeDocs(b, 500), b.TempDir())
	defer lib.Close()
	if err := lib.Sync(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	q := Query{Text: "w1q w5q w20q w100q w300q w1000q w3000q w8000q", Audiences: []string{"public"}}
	b.ResetTimer()
	for b.Loop() {
		if _, err := lib.Search(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVectorScan searches a matrix of 100,000 vectors; the baseline reads the same
// bytes once.
func BenchmarkVectorScan(b *testing.B) {
	const dim, rows = 384, 100_000
	rng := rand.New(rand.NewPCG(1, 2))
	m := NewMemoryVectors(dim)
	one := randomUnit(rng, dim)
	for i := range rows {
		one[rng.IntN(dim)] = float32(rng.NormFloat64()) / 20
		if err := m.Put(context.Background(), []Vector{{Key: fmt.Sprint(i), Audience: "public", Values: one}}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(dim * rows)
		for b.Loop() {
			if _, err := m.Search(context.Background(), one, []string{"public"}, depth); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read once", func(b *testing.B) {
		b.SetBytes(dim * rows)
		sink := make([]int8, 1<<16)
		for b.Loop() {
			for at := 0; at < len(m.values); at += len(sink) {
				copy(sink, m.values[at:])
			}
		}
	})
}
