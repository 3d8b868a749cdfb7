package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/kb/embed"
	"citebot/internal/kb/parse"
)

// randomPassages embeds questions for real and passages at random, so that a large
// library is there in seconds and a search costs what it costs.
type randomPassages struct {
	*embed.Model
	rng *rand.Rand
}

func (r randomPassages) EmbedPassages(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = make([]float32, r.Dim())
		for j := range out[i] {
			out[i][j] = float32(r.rng.NormFloat64()) / 20
		}
	}
	return out, nil
}

// benchLibrary has 500 documents made of the words of kb-docs, 10,000 passages in all.
func benchLibrary(b *testing.B) *kb.Library {
	b.Helper()
	model, err := embed.New()
	if err != nil {
		b.Fatal(err)
	}
	docs := b.TempDir()
	words := policyWords(b)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		if err := os.WriteFile(filepath.Join(docs, fmt.Sprintf("doc%d.md", i)), []byte(benchText(rng, words, 20)), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return openBenchLibrary(b, docs, randomPassages{model, rng})
}

func openBenchLibrary(b *testing.B, docs string, e kb.Embedder) *kb.Library {
	b.Helper()
	lib, err := kb.Open(b.Context(), kb.Config{Docs: docs, State: b.TempDir(), Parse: parse.Parse, Accepts: parse.Accepts, Embedder: e})
	if err != nil {
		b.Fatal(err)
	}
	if err := lib.Sync(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	return lib
}

// policyWords are the words of kb-docs, each as often as there.
func policyWords(b *testing.B) []string {
	b.Helper()
	var words []string
	files, err := filepath.Glob("../../kb-docs/*.md")
	if err != nil || len(files) == 0 {
		b.Fatalf("no documents: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		words = append(words, regexp.MustCompile(`[A-Za-z]+`).FindAllString(string(text), -1)...)
	}
	return words
}

// benchText is a document of sections of 150 words.
func benchText(rng *rand.Rand, words []string, sections int) string {
	var text strings.Builder
	for s := range sections {
		fmt.Fprintf(&text, "# Section %d %s\n\n", s, words[rng.IntN(len(words))])
		for range 10 {
			for range 15 {
				text.WriteString(words[rng.IntN(len(words))] + " ")
			}
			text.WriteString("end. ")
		}
		text.WriteString("\n\n")
	}
	return text.String()
}

// BenchmarkSearch searches 10,000 passages, the question's embedding included, and
// reports the median of the CPU time and the process's resident memory.
func BenchmarkSearch(b *testing.B) {
	lib := benchLibrary(b)
	defer lib.Close()
	questions := []string{
		"how long do I have to send something back?", "what does delivery to Ireland cost",
		"can I pay an order with two gift cards", "who approves a refund of more than 200 pounds?",
	}
	var cpu []time.Duration
	for b.Loop() {
		before := cpuTime(b)
		_, err := lib.Search(b.Context(), kb.Query{Text: questions[len(cpu)%len(questions)], Audiences: []string{"public"}})
		if err != nil {
			b.Fatal(err)
		}
		cpu = append(cpu, cpuTime(b)-before)
	}
	slices.Sort(cpu)
	b.ReportMetric(float64(cpu[len(cpu)/2].Microseconds())/1000, "cpu-ms/p50")
	b.ReportMetric(residentMB(b), "resident-MB")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentMB is what the process holds in memory after a collection; 0 where /proc does
// not tell.
func residentMB(b *testing.B) float64 {
	runtime.GC()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Log("resident memory is not measured:", err)
		return 0
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	kB, _ := strconv.Atoi(string(m[1]))
	return float64(kB) / 1024
}

// BenchmarkReload edits one number in a document of 20 KB among 500 files and waits for
// a search to find it, in a library that follows its folder; it reports the 95th
// percentile. The baseline is the wait that tells a finished file from one that is still
// being written.
func BenchmarkReload(b *testing.B) {
	model, err := embed.New()
	if err != nil {
		b.Fatal(err)
	}
	docs := b.TempDir()
	words, rng := policyWords(b), rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		text := fmt.Sprintf("# Notice %d\n\n%s.\n", i, strings.Join(words[i*10:i*10+10], " "))
		if err := os.WriteFile(filepath.Join(docs, fmt.Sprintf("notice%d.md", i)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	large := benchText(rng, words, 20)
	lib := openBenchLibrary(b, docs, model)
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- lib.Run(ctx) }()
	var waits []time.Duration
	edition := 0
	save := func() {
		edition++
		text := large + fmt.Sprintf("# Zebra fee\n\nThe zebra fee is edition%d pounds.\n", edition)
		if err := os.WriteFile(filepath.Join(docs, "large.md"), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		awaitText(b, lib, fmt.Sprintf("edition%d ", edition))
	}
	save()
	for b.Loop() {
		start := time.Now()
		save()
		waits = append(waits, time.Since(start))
	}
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	lib.Close()
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)*95/100].Milliseconds()), "ms/p95")
	b.ReportMetric(250, "ms/settle")
}

// awaitText searches until the best hit has the text.
func awaitText(b *testing.B, lib *kb.Library, text string) {
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		r, err := lib.Search(b.Context(), kb.Query{Text: "zebra fee", Audiences: []string{"public"}})
		if err == nil && len(r.Hits) > 0 && strings.Contains(r.Hits[0].Text(), text) {
			return
		}
		runtime.Gosched()
	}
	b.Fatalf("%q was never found", text)
}
