package web

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"citebot/internal/citations"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "rewrite the golden pages")

func postQuestion(s *Server, question string) string {
	form := url.Values{"question": {question}}.Encode()
	return serve(s, "POST /", form, "Content-Type", "application/x-www-form-urlencoded").Body.String()
}

func TestPagesStayAsReviewed(t *testing.T) {
	s := newTestServer(t, newShop().config())
	for name, page := range map[string]string{
		"viewer":    serve(s, "GET /s/"+hashReturns+"?quote=in+their+original+packaging", "").Body.String(),
		"changed":   serve(s, "GET /s/"+hashOld, "").Body.String(),
		"removed":   serve(s, "GET /s/"+hashGone, "").Body.String(),
		"ask":       serve(s, "GET /", "").Body.String(),
		"answered":  postQuestion(s, "How long do I have to return something?"),
		"table":     postQuestion(s, "What does delivery cost?"),
		"no-answer": postQuestion(s, "Can I bring my dog to the office?"),
	} {
		file := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), page); diff != "" {
			t.Errorf("%s (-want +got), go test -update if it is meant:\n%s", file, diff)
		}
	}
}

// probes are what people put into questions and documents to have it executed.
var probes = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`'><svg/onload=alert(1)>`,
	`javascript:alert(1)`,
	"JaVa\tScRiPt:alert(1)",
	`data:text/html,<script>alert(1)</script>`,
	`</title></textarea><script src=//evil.example></script>`,
	`{{.Token}}{{printf "%s" .}}`,
	`<!--<base href=//evil.example>-->`,
}

// hostile is a shop whose every text is a probe.
func hostile(probe string) *shop {
	s := newShop()
	src := Source{Path: probe, Title: probe, Section: probe, Updated: probe, Owner: probe, URL: probe, State: SourceChanged, Now: probe, Lines: [2]int{1, 1}}
	for _, kind := range []string{"heading", "paragraph", "item", "header", "row", "code", probe} {
		src.Blocks = append(src.Blocks, Block{Kind: kind, Level: 1, Text: probe, Anchor: probe, Header: probe, Lines: [2]int{1, 1}})
	}
	src.Spans = []Span{{Text: probe, Lines: [2]int{1, 1}}}
	s.sources = map[string]Source{hashReturns: src}
	source := citations.Source{N: 1, Path: probe, Title: probe, Section: probe, Quote: probe, Updated: probe, URL: probe, Hash: hashReturns}
	answer := citations.Answer{Verdict: citations.Verdict(probe), Text: probe, Notice: probe, Sources: []citations.Source{source}, Degraded: []string{probe},
		Nearest: []citations.Nearest{{Path: probe, Title: probe, Section: probe, URL: probe}}}
	for _, kind := range []citations.PartKind{citations.Sentence, citations.Item, citations.Header, citations.Row, citations.PartKind(probe)} {
		answer.Parts = append(answer.Parts, citations.Part{Text: probe, Kind: kind, Sources: []int{1}})
	}
	s.answers = map[string]citations.Answer{probe: answer}
	s.docs = []Document{{Path: probe, State: probe, Problem: probe, Title: probe, Audience: "public"}, {State: docFailed, Problem: probe, Audience: "public"}}
	return s
}

func TestNothingFromOutsideTakesEffect(t *testing.T) {
	for _, probe := range probes {
		shop := hostile(probe)
		cfg := shop.config()
		cfg.Suggestions = func() []string { return []string{probe} }
		s := newTestServer(t, cfg)
		for name, page := range map[string]string{
			"answer": postQuestion(s, probe),
			"viewer": serve(s, "GET /s/"+hashReturns+"?quote="+url.QueryEscape(probe), "").Body.String(),
			"login":  serve(privateServer(t), "POST /login", url.Values{"next": {probe}}.Encode(), "Content-Type", "application/x-www-form-urlencoded").Body.String(),
		} {
			root, err := html.Parse(strings.NewReader(page))
			if err != nil {
				t.Fatal(err)
			}
			for node := range root.Descendants() {
				for _, problem := range effects(node) {
					t.Errorf("%s, %q: %s", name, probe, problem)
				}
			}
			if !strings.Contains(pageText(root), "alert(1)") && strings.Contains(probe, "alert(1)") && name != "login" {
				t.Errorf("%s, %q: the text itself is not shown", name, probe)
			}
		}
	}
}

// effects says what an element does that only our own templates may do.
func effects(n *html.Node) (problems []string) {
	if n.Type == html.CommentNode {
		return []string{"a comment: " + n.Data}
	}
	if n.Type != html.ElementNode {
		return nil
	}
	if slices.Contains([]string{"base", "iframe", "object", "embed", "img", "style"}, n.Data) {
		problems = append(problems, "an element <"+n.Data+">")
	}
	if n.Data == "script" && (attr(n, "src") != "./static/app.js" || n.FirstChild != nil) {
		problems = append(problems, "a script that is not ours")
	}
	for _, a := range n.Attr {
		target := a.Key == "href" || a.Key == "src" || a.Key == "action"
		switch {
		case strings.HasPrefix(a.Key, "on") || a.Key == "style":
			problems = append(problems, "an attribute "+a.Key)
		case target && !ourAddress(a.Val):
			problems = append(problems, a.Key+" to "+a.Val)
		}
	}
	return problems
}

func ourAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "" && u.Host == ""
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func pageText(root *html.Node) string {
	var text strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	}
	return text.String()
}

// The script has only text nodes and attributes to work with.
func TestScriptNeverParsesHTML(t *testing.T) {
	script, err := staticFiles.ReadFile("static/app.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "createContextualFragment", "eval(", "Function("} {
		if strings.Contains(string(script), way) {
			t.Errorf("app.js uses %s", way)
		}
	}
}

func TestPageWithoutScript(t *testing.T) {
	shop := newShop()
	s := newTestServer(t, shop.config())
	page := postQuestion(s, "busy")
	if !strings.Contains(page, `>busy</textarea>`) || !strings.Contains(page, "try again") {
		t.Errorf("after trouble the page keeps no question or tells nothing:\n%s", page)
	}
	if page := postQuestion(s, "  "); !strings.Contains(page, "write a question") {
		t.Errorf("an empty question:\n%s", page)
	}
	form := url.Values{"question": {"", "What does delivery cost?"}}.Encode() // the box, then a suggestion's button
	serve(s, "POST /", form, "Content-Type", "application/x-www-form-urlencoded")
	if asked := shop.questions(); asked[len(asked)-1].Text != "What does delivery cost?" {
		t.Errorf("the suggestion asked %q", asked[len(asked)-1].Text)
	}
}

func TestPageShowsOnlyWhatItsReadersMaySee(t *testing.T) {
	cfg := newShop().config()
	page := serve(newTestServer(t, cfg), "GET /", "").Body.String()
	if strings.Contains(page, "alary") || strings.Contains(page, "A fifth") {
		t.Error("the public page names a staff document or a fifth suggestion")
	}
	cfg.Audience = []string{"public", "staff"}
	if page := serve(newTestServer(t, cfg), "GET /", "").Body.String(); !strings.Contains(page, "Salary bands") {
		t.Error("the staff's page does not list the staff's document")
	}
}

func TestPublishedOriginalOpensSafely(t *testing.T) {
	shop := newShop()
	s := newTestServer(t, shop.config())
	link := `<a href="https://harbourandpine.example/returns" rel="noopener noreferrer">`
	if page := serve(s, "GET /s/"+hashReturns, "").Body.String(); !strings.Contains(page, link) {
		t.Error("the published original is not linked")
	}
	src := returns()
	src.URL = "ftp://harbourandpine.example/returns"
	shop.sources[hashReturns] = src
	if page := serve(s, "GET /s/"+hashReturns, "").Body.String(); strings.Contains(page, "ftp:") {
		t.Error("a link that is not http is shown")
	}
}

// In a long passage the quoted words may stand a page below its beginning.
func TestViewerScrollsToTheQuote(t *testing.T) {
	s := newTestServer(t, newShop().config())
	for quote, want := range map[string]string{"": "<p id=\"cited\">", "gift cards and downloads": `<li class="level-1" id="cited">`} {
		page := serve(s, "GET /s/"+hashReturns+"?quote="+url.QueryEscape(quote), "").Body.String()
		if strings.Count(page, `id="cited"`) != 1 || !strings.Contains(page, want) {
			t.Errorf("quote %q: want one %s", quote, want)
		}
	}
}

func TestSourceAsJSON(t *testing.T) {
	s := newTestServer(t, newShop().config())
	w := serve(s, "GET /s/"+hashRefunds+"?quote=Express+delivery+is+refunded", "", "Accept", "application/json")
	type source struct {
		Title, State, Passage string
		Excerpt               []Piece
	}
	want := source{"Returns and refunds", "current", "", []Piece{
		{Text: "… The money goes back the way it was paid; we cannot refund to another card or account.\n"},
		{Text: "Express delivery is refunded", Cited: true, Quoted: true},
		{Text: " only when the goods were faulty."},
	}}
	got := decode[source](t, w)
	if !strings.HasPrefix(got.Passage, "We refund the price") {
		t.Errorf("passage %q", got.Passage)
	}
	got.Passage = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	if w := serve(s, "GET /s/0123456789", "", "Accept", "application/json"); w.Code != 404 || !strings.Contains(w.Body.String(), "not kept any more") {
		t.Errorf("an unknown hash: %d %s", w.Code, w.Body)
	}
}
