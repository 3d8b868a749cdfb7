package parse

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestZHostile(t *testing.T) {
	r := strings.Repeat
	M := 1 << 20
	for _, c := range []struct{ name, ext, s string }{
		{"a 20MB", "md", r("a ", 10*M)},
		{"[a](", "md", r("[a](", 5*M)},
		{"[a]( 200k", "md", r("[a](", 50000)},
		{"[a]( 1.2M", "md", r("[a](", 300000)},
		{"*a_", "md", r("*a_ ", 5*M)},
		{"*a_ 200k", "md", r("*a_ ", 50000)},
		{"*a_ paras", "md", r(r("*a_ ", 250)+"\n\n", 1500)},
		{"[a]( paras", "md", r(r("[a](", 250)+"\n\n", 1500)},
		{"[ paras", "md", r(r("[", 500)+"\n\n", 2500)},
		{"![ paras", "md", r(r("![a", 500)+"\n\n", 1200)},
		{"backtick", "md", func() string {
			var b strings.Builder
			for i := 0; i < 1100; i++ {
				b.WriteString(r("`", i) + "a ")
			}
			return b.String()
		}()},
		{">*10000", "md", r(">", 10000) + " a\n"},
		{"> many", "md", r(r("> ", 60)+"a\n", 20000)},
		{"list nest", "md", r("- ", 10000) + "a\n"},
		{"list nest indent", "md", func() string {
			var b strings.Builder
			for i := 0; i < 2000; i++ {
				b.WriteString(r(" ", 2*i) + "- a\n")
			}
			return b.String()
		}()},
		{"list items", "md", r("- a\n", 700000)},
		{"linkdefs", "md", r("[a]: b \"\n", 1500000)},
		{"linkdefs2", "md", r("[a]: b (x\n", 100000)},
		{"linkdefs ok", "md", r("[a]: b\n", 100000)},
		{"linkdefs blocks", "md", r(r("[a]: b (x\n", 50)+"\n", 2000)},
		{"table wide", "md", r("|", 20000) + "\n" + r("|-", 20000) + "\n" + r("a\n", 20000)},
		{"table wide2", "md", r("|a", 2000) + "\n" + r("|-", 2000) + "\n" + r("a\n", 20000)},
		{"table dense", "md", "|a|b|\n|-|-|\n" + r("|a|b|\n", 300000)},
		{"table esc", "md", "|a|b|\n|-|-|\n" + r("|`\\|`|`\\|`|\n", 100000)},
		{"delim rows", "md", r("|-|-|\n", 500000)},
		{"html <!--", "md", r("a <!-- ", 200000)},
		{"html <a b", "md", r("<a b=\"", 200000)},
		{"html <a b2", "md", r("x <a b='c' ", 200000)},
		{"html block a", "md", r("<a b b b b b b b b b b ", 100000)},
		{"<?", "md", r("x <? ", 200000)},
		{"<![CDATA[", "md", r("x <![CDATA[ ", 100000)},
		{"<div> lines", "md", r("<div>\n\na\n\n", 200000)},
		{"<x> line", "md", r("<x>", 5*M)},
		{"entities", "md", r("&amp;", 4*M)},
		{"backslash", "md", r("\\*", 10*M)},
		{"newlines", "md", "a" + r("\n", 20*M-1)},
		{"paras", "md", r("a\n\n", 450000)},
		{"paras7M", "md", r("a\n\n", 7*M-10000)},
		{"lines", "md", r("a\n", 10*M)},
		{"spaces", "md", r(" ", 20*M-1) + "a"},
		{"tabs", "md", r("\t", 20*M-1) + "a"},
		{"fence", "md", r("```\n", 1000000)},
		{"setext", "md", r("a\n-\n", 400000)},
		{"setext2", "md", r("a\n", 300000) + "==="},
		{"#", "md", r("# a\n", 1400000)},
		{"strike", "md", r("~~a ", 5*M/4)},
		{"strike2", "md", r("~~a~~ ", 60000)},
		{"footnote", "md", r("[^a]: x\n\n[^a]", 100000)},
		{"fm deep", "md", "---\na: " + r("[", 8000) + "\n---\nx"},
		{"fm alias", "md", "---\na: &a [x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b]\n---\nx"},
		{"fm many", "md", "---\n" + r("a: b\n", 3000) + "---\nx"},
		{"fm keys", "md", "---\n" + func() string {
			var b strings.Builder
			for i := 0; i < 2000; i++ {
				fmt.Fprintf(&b, "k%d: v\n", i)
			}
			return b.String()
		}() + "---\nx"},
		{"honest20MB", "md", r("# Late fees and more\n\nA book is **late** when it comes back after its [due date](https://x.example/due), see `fees` and so on\nfor more of this.\n\n- one item here\n- two items here\n\n", 100000)},
		{"div 100k", "html", r("<div>", 100000) + "x"},
		{"div 4M", "html", r("<div>", 4*M) + "x"},
		{"div hidden", "html", r("<div hidden>", 1500000) + "x<p>" + r("</div>", 100) + "y"},
		{"misnest", "html", r("<a><b><i><p>", 400000) + "x"},
		{"misnest2", "html", "<div><table><tr><td>" + r("<section>", 1000000) + r("</div>", 1000000) + "x"},
		{"misnest3", "html", "<i hidden><div>" + r("<b hidden>", 500000) + r("</i>", 500000) + "x</div></i></i>y"},
		{"lists", "html", r("<ul><li>x", 1000000)},
		{"tables", "html", r("<table><tr><td>x", 400000)},
		{"tables deep then p", "html", r("<table><tr><td>", 10000) + r("<p>a", 500000)},
		{"rowspan", "html", "<table>" + r("<tr>"+r("<td rowspan=500>"+r("x", 190), 50)+r("<tr><td>", 499), 20)},
		{"colspan", "html", "<table>" + r("<tr><td colspan=1000>a<td>b", 400000)},
		{"hdr", "html", "<table><tr>" + r("<th>x", 100) + r("<tr><td>a<td>b", 400000)},
		{"p", "html", r("<p>", 6*M) + "x"},
		{"<", "html", r("<", 20*M)},
		{"<a", "html", r("<a ", 6*M) + ">"},
		{"attrs", "html", "<div " + r("a=1 ", 4*M) + ">x"},
		{"comment", "html", "x" + r("<!--", 4*M)},
		{"comment2", "html", r("x<!---->", 2*M)},
		{"cdata", "html", "x" + r("<![CDATA[", 2*M)},
		{"title", "html", r("<title>a</title>", M) + "x"},
		{"entities", "html", r("&amp;", 4*M)},
		{"br", "html", r("a<br>", 4*M-100)},
		{"text", "html", r("hello world ", 5*M/3)},
		{"dl", "html", r("<dl><dt>a<dd>b", 500000)},
		{"sup", "html", r("1<sup>2</sup>", 1500000)},
		{"q", "html", r("<q>", 6*M) + "x"},
		{"headers", "html", r("<header><nav>", 1000000) + "</header>x"},
		{"headers2", "html", r("<p>a<header><nav></nav></header>", 600000) + "x"},
		{"script", "html", "x" + r("<script>", 2*M)},
		{"style attr", "html", "<div style=\"" + r("/*", 10*M-100) + "\">x"},
		{"style attr2", "html", "<div style=\"" + r("a:b;", 5*M-100) + "\">x"},
		{"honest", "html", r("<h2 class=x>Late fees</h2>\n<p>A book is <b>late</b> when it comes back after its <a href=\"https://x.example/due\">due date</a>.</p>\n<ul><li>one item</li><li>two</li></ul>\n", 100000)},
		{"text 1 line", "txt", r("a b. ", 4*M)},
		{"text short", "txt", r("a\n", 10*M)},
		{"text caps", "txt", r("ABCD\n\n", 3*M)},
		{"text bullets", "txt", r("- a\n", 5*M)},
		{"text nested", "txt", func() string {
			var b strings.Builder
			for i := 0; i < 3000; i++ {
				b.WriteString(r(" ", 2*i) + "- a\n")
			}
			return b.String()
		}()},
		{"text deep then flat", "txt", func() string {
			var b strings.Builder
			for i := 0; i < 3000; i++ {
				b.WriteString(r(" ", 2*i) + "- a\n")
			}
			return b.String() + r(r(" ", 6000)+"a\n", 500)
		}()},
		{"text wide chunk", "txt", r(r("Abc def. ", 20)+"\n", 100000)},
		{"text keyed", "txt", r("Abc: def\n", 2*M)},
		{"text ===", "txt", r("a\n===\n\n", 2*M)},
		{"zalgo", "txt", r("a"+r("\u0301", 1000), 10000)},
		{"cjk", "txt", r("退货免费退款需要五天", 600000)},
		{"zw", "txt", "a" + r("\u200b", 6*M)},
		{"latin1", "txt", r("caf\xe9 ", 4*M)},
		{"nfd", "txt", r("cafe\u0301 ", 3*M)},
		{"utf16", "txt", "\xff\xfe" + r("a\x00", 10*M-2)},
		{"nul", "txt", r("a\x00", 10*M)},
		{"honest", "txt", r("Late fees\n\nA book is late when it comes back after its due date. We charge 20p per day\nfor each of them.\n\n- one item\n- two items\n\n", 100000)},
	} {
		if len(c.s) > MaxBytes {
			c.s = c.s[:MaxBytes]
		}
		runtime.GC()
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		peak := uint64(0)
		stop := make(chan bool)
		done := make(chan bool)
		go func() {
			for {
				select {
				case <-stop:
					close(done)
					return
				case <-time.After(20 * time.Millisecond):
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapAlloc)
				}
			}
		}()
		data := []byte(c.s)
		t0 := time.Now()
		doc, err := Parse(context.Background(), "x."+c.ext, data)
		d := time.Since(t0)
		runtime.ReadMemStats(&m1)
		peak = max(peak, m1.HeapAlloc)
		close(stop)
		<-done
		w := ""
		if len(doc.Warnings) > 0 {
			w = fmt.Sprintf("%d warns, %d: %.70s", len(doc.Warnings), doc.Warnings[0].Line, doc.Warnings[0].Text)
		}
		fl := ""
		if d > 2*time.Second {
			fl = "SLOW"
		}
		mem := float64(int64(peak) - int64(m0.HeapAlloc))
		if mem > 20*float64(len(data)) && mem > 2e8 {
			fl += " MEM"
		}
		fmt.Printf("%-6s %5s %-20s %7.2f MB %6dms %6.0f MB(%4.0fx) blocks=%d err=%v %s\n", fl, c.ext, c.name, float64(len(data))/1e6, d.Milliseconds(), mem/1e6, mem/float64(len(data)), len(doc.Blocks), err, w)
	}
}
