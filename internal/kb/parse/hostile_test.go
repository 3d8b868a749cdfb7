//go:build unix

package parse

import (
	"context"
	"errors"
	"flag"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"

	"citebot/internal/kb"
)

// The time is the process's own, since other work on the machine counts in what a clock
// shows. A file may need as much memory as 20 of it, and any file a fixed part.
const (
	maxTime    = 5 * time.Second
	maxMemory  = 20
	baseMemory = 300 << 20
)

var full = flag.Bool("full", false, "make the hostile files as large as files may be")

// hostileSize returns how large the hostile files are made.
func hostileSize() int {
	switch {
	case *full:
		return MaxBytes
	case raceDetector:
		return 256 << 10
	}
	return 4 << 20
}

// TestHostileFiles reads files that are made to be slow to read.
func TestHostileFiles(t *testing.T) {
	for _, c := range hostileFiles() {
		t.Run(c.path+" "+c.name, func(t *testing.T) {
			data := []byte(c.data[:min(len(c.data), hostileSize())])
			took, peak, err := measure(func() error {
				_, err := Parse(context.Background(), c.path, data)
				return err
			})
			if broken := new(kb.ParseError); err != nil && !errors.As(err, &broken) || err != nil && strings.Contains(err.Error(), "its reader failed") {
				t.Errorf("error %v", err)
			}
			if took > maxTime || peak > maxMemory*len(data)+baseMemory {
				t.Errorf("%d KB took %v and %d MB", len(data)>>10, took, peak>>20)
			}
			t.Logf("%d KB, %v, %d MB, %v", len(data)>>10, took.Round(time.Millisecond), peak>>20, err)
		})
	}
}

type hostileFile struct{ path, name, data string }

func hostileFiles() []hostileFile {
	var files []hostileFile
	// add makes a file of before, as many unit as fit, at most limit bytes, and after.
	add := func(path, name, before, unit string, limit int, after string) {
		n := max(0, min(limit, hostileSize())-len(before)-len(after)) / len(unit)
		files = append(files, hostileFile{path, name, before + strings.Repeat(unit, n) + after})
	}
	const all = MaxBytes
	repeat := strings.Repeat
	for _, path := range []string{"x.md", "x.txt", "x.html"} {
		add(path, "one line", "", "a b. ", all, "")
		add(path, "many lines", "", "a\n", all, "")
		add(path, "many paragraphs", "", "a\n\n", all, "")
		add(path, "white space", "", "\t ", all, "a")
		add(path, "accents", "e", "\u0301", all, "")
		add(path, "Chinese", "", "退货免费。", all, "")
		add(path, "invisible", "a", "\u200b\U000E0041", all, "")
		add(path, "Latin-1", "", "caf\xe9 ", all, "")
		add(path, "NUL", "", "a\x00", all, "")
		add(path, "brackets", "", "<", all, "")
	}
	add("x.md", "links", "", "[a](", all, "")
	add("x.md", "200 KB of links", "", "[a](", 200<<10, "")
	add("x.md", "emphasis", "", "*a_ ", all, "")
	add("x.md", "200 KB of emphasis", "", "*a_ ", 200<<10, "")
	add("x.md", "paragraphs of links", "", repeat("[a](", 250)+"\n\n", 450<<10, "")
	add("x.md", "paragraphs of brackets", "", repeat("[", 500)+"\n\n", 240<<10, "")
	add("x.md", "images", "", repeat("![a", 100)+"\n", 350<<10, "")
	add("x.md", "strikethrough", "", "~~a ", 450<<10, "")
	add("x.md", "comments", "", "x <!-- ", 900<<10, "")
	add("x.md", "tags without end", "", `<a b="`, 900<<10, "")
	add("x.md", "declarations", "", "x <![CDATA[ <? ", 900<<10, "")
	add("x.md", "entities", "", repeat("&amp;", 20000)+"\n", all, "")
	add("x.md", "quotes in quotes", "", ">", 10000, " a\n")
	add("x.md", "lines of quotes in quotes", "", repeat("> ", 60)+"a\n", 450<<10, "")
	add("x.md", "lists in lists", "", "- ", 20000, "a\n")
	add("x.md", "indented lists", indented(1500), "a\n", all/4, "")
	add("x.md", "items", "", "- a\n", 990<<10, "")
	add("x.md", "definitions without end", "", "[a]: b (x\n", all/2, "")
	add("x.md", "definitions", "", "[a]: b\n", 900<<10, "")
	add("x.md", "wide table", repeat("|a", 2000)+"\n"+repeat("|-", 2000)+"\n", "a\n", 450<<10, "")
	add("x.md", "long table", "|a|b|\n|-|-|\n", "|a|b|\n", 350<<10, "")
	add("x.md", "escapes in a table", "|a|b|\n|-|-|\n", "|`\\|`|`\\|`|\n", 280<<10, "")
	add("x.md", "HTML blocks", "", "<div>\n\na\n\n", 400<<10, "")
	add("x.md", "headings", "", "# a\n", 990<<10, "")
	add("x.md", "underlines", "", "a\n", 490<<10, "===\n")
	add("x.md", "fences", "", "```\n", 480<<10, "")
	add("x.md", "YAML brackets", "---\na: ", "[", maxFrontMatter, "\n---\na")
	add("x.md", "YAML anchors", "---\na: &a [x,x]\nb: &b [*a,*a,*a]\n", "c: [*b,*b,*b]\n", 8000, "---\na")
	add("x.txt", "capitals", "", "ABCD\n\n", all, "")
	add("x.txt", "bullets", "", "- a\n", all, "")
	add("x.txt", "indented bullets", indented(1500), "   a\n", all, "")
	add("x.txt", "unwrapped lines", "", repeat("Abc def. ", 20)+"\n", all, "")
	add("x.txt", "underlines", "", "a\n===\n\n", all, "")
	add("x.html", "divs in divs", "", "<div>", 100_000*5, "x")
	add("x.html", "millions of divs", "", "<div>", all, "x")
	add("x.html", "hidden divs", "", "<div hidden>", all, "x")
	add("x.html", "misnested", "", "<a><b><i><p>", all, "x")
	add("x.html", "end tags that close nothing", "<div><table><tr><td>"+repeat("<section>", 100_000), "</div>", all, "x")
	add("x.html", "covered inline elements", "<i hidden><div>"+repeat("<b hidden>", 20_000), "</i>", all, "x")
	add("x.html", "lists in lists", "", "<ul><li>x", all, "")
	add("x.html", "tables in tables", "", "<table><tr><td>x", all, "")
	add("x.html", "paragraphs in tables in tables", repeat("<table><tr><td>", 10_000), "<p>a", all, "")
	add("x.html", "row spans", "<table>", "<tr>"+repeat("<td rowspan=500>"+repeat("x", 190), 50)+repeat("<tr><td>", 499), all, "")
	add("x.html", "column spans", "<table>", "<tr><td colspan=1000>a<td>b", all, "")
	add("x.html", "paragraphs", "", "<p>", all, "x")
	add("x.html", "attributes", "<div ", "a=1 ", all, ">x")
	add("x.html", "a tag without end", "x", "<a ", all, "")
	add("x.html", "titles", "", "<title>a</title>", all, "x")
	add("x.html", "styles", `<div style="`, "/*", all, `">x`)
	add("x.html", "breaks", "", "a<br>", all, "")
	add("x.html", "quotations", "", "<q>", all, "x")
	add("x.html", "headers", "", "<p>a<header><nav></nav></header>", all, "x")
	return files
}

// indented is a list in which each item stands below the one before.
func indented(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", 2*i) + "- a\n")
	}
	return b.String()
}

// measure runs f and returns the processor time it took and the most that the heap grew.
func measure(f func() error) (took time.Duration, peak int, err error) {
	runtime.GC()
	before, start := heap(), cpuTime()
	done := make(chan error)
	go func() { done <- f() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		peak = max(peak, heap()-before)
		select {
		case err := <-done:
			return cpuTime() - start, max(peak, heap()-before), err
		case <-tick.C:
		}
	}
}

func heap() int {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
