package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	api "github.com/slack-go/slack"
	"pgregory.net/rapid"

	"citebot/internal/chat"
	"citebot/internal/chat/layout"
	"citebot/internal/citations"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the looks in testdata")

// TestLooks runs testdata/looks/*.txtar: the comment holds "key: value" lines about the
// post, answer.json is its answer, shown is the messages as shownAs writes them, plain is what
// stands for them where Slack refuses blocks, and wire is the blocks as Slack gets them.
func TestLooks(t *testing.T) {
	files, err := filepath.Glob("testdata/looks/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := lookOf(t, ar)
			for i, f := range ar.Files {
				if want, ok := got[f.Name]; ok {
					if diff := cmp.Diff(string(f.Data), want); diff != "" && !*rewrite {
						t.Errorf("%s (-want +got):\n%s", f.Name, diff)
					}
					ar.Files[i].Data = []byte(want)
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// lookOf makes what a case may hold.
func lookOf(t *testing.T, ar *txtar.Archive) map[string]string {
	p, about := postOf(t, ar)
	var messages []message
	switch p.Via {
	case chat.Handoff:
		messages = []message{handoffMessage(p, about["call"], about["here"] != "")}
	case chat.Share:
		messages = shareMessage(p, about["person"] != "")
		checkSound(t, p, messages)
	default:
		messages = pages(p, about["person"] != "")
		checkSound(t, p, messages)
	}
	return map[string]string{
		"shown": shownAs(t, messages),
		"plain": plainMessage(p).text + "\n",
		"wire":  wireOf(t, messages),
	}
}

// postOf is the post that a case is about, and what else its comment says.
func postOf(t *testing.T, ar *txtar.Archive) (chat.Post, map[string]string) {
	about := map[string]string{}
	for line := range strings.Lines(string(ar.Comment)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			about[key] = value
		}
	}
	p := chat.Post{
		Turn: 7, Via: chat.Via(about["via"]), User: about["user"], Name: about["name"],
		Question: about["question"], Again: about["again"] != "",
	}
	for _, f := range ar.Files {
		if f.Name == "answer.json" {
			if err := json.Unmarshal(f.Data, &p.Answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p, about
}

// wireOf is the blocks' JSON, indented, message by message.
func wireOf(t checked, messages []message) string {
	var b bytes.Buffer
	for _, m := range messages {
		data, err := json.Marshal(m.blocks)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&b, data, "", " "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// A wireNode is anything in the JSON of blocks, as Slack reads it.
type wireNode struct {
	Type     string     `json:"type"`
	BlockID  string     `json:"block_id"`
	ActionID string     `json:"action_id"`
	Text     wireText   `json:"text"`
	URL      string     `json:"url"`
	Value    string     `json:"value"`
	Verbatim bool       `json:"verbatim"`
	Elements []wireNode `json:"elements"`
	Style    wireStyle  `json:"style"`
	Element  *wireNode  `json:"element"`
	Label    *wireNode  `json:"label"`
	Positive *wireNode  `json:"positive_button"`
	Negative *wireNode  `json:"negative_button"`
}

// A wireText is a string, or the text in a text object.
type wireText struct{ string }

func (x *wireText) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &x.string)
	}
	var object struct{ Text string }
	err := json.Unmarshal(data, &object)
	x.string = object.Text
	return err
}

// A wireStyle is an object in rich text, a string in lists and buttons.
type wireStyle struct{ bold bool }

func (s *wireStyle) UnmarshalJSON(data []byte) error {
	s.bold = bytes.Contains(data, []byte(`"bold":true`))
	return nil
}

// readBlocks takes blocks apart as Slack would.
func readBlocks(t checked, blocks []api.Block) []wireNode {
	t.Helper()
	data, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	if aNull.Match(data) {
		t.Errorf("null on the wire: %s", data)
	}
	var out []wireNode
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// walkNodes visits all nodes.
func walkNodes(nodes []wireNode, visit func(wireNode)) {
	for _, n := range nodes {
		visit(n)
		walkNodes(n.Elements, visit)
		for _, inner := range []*wireNode{n.Element, n.Label, n.Positive, n.Negative} {
			if inner != nil {
				walkNodes([]wireNode{*inner}, visit)
			}
		}
	}
}

// shownAs writes messages as the cases do: the fallback behind "text: ", then a line for each
// line that people see. Links are label(address), bold is *so*.
func shownAs(t checked, messages []message) string {
	var b strings.Builder
	for i, m := range messages {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "text: %s\n", strings.ReplaceAll(m.text, "\n", "\n      "))
		for _, n := range readBlocks(t, m.blocks) {
			fmt.Fprintf(&b, "%s\n", n.Type)
			for _, line := range n.lines() {
				fmt.Fprintf(&b, "  %s\n", line)
			}
		}
	}
	return b.String()
}

func (n wireNode) lines() []string {
	switch n.Type {
	case "rich_text", "context", "actions", "context_actions":
		var out []string
		for _, e := range n.Elements {
			out = append(out, e.lines()...)
		}
		return out
	case "rich_text_list":
		var out []string
		for _, e := range n.Elements {
			out = append(out, "• "+e.inline())
		}
		return out
	case "rich_text_quote":
		return []string{"| " + n.inline()}
	case "button":
		return []string{fmt.Sprintf("(%s) %s %s", n.Text.string, n.ActionID, n.Value)}
	case "feedback_buttons":
		return []string{fmt.Sprintf("(%s) %s %s", n.Positive.Text.string, n.ActionID, n.Positive.Value),
			fmt.Sprintf("(%s) %s %s", n.Negative.Text.string, n.ActionID, n.Negative.Value)}
	case "input":
		return []string{n.Label.Text.string}
	case "divider":
		return nil
	}
	return []string{n.inline()}
}

func (n wireNode) inline() string {
	switch {
	case n.Type == "link":
		return n.Text.string + "(" + n.URL + ")"
	case n.Style.bold && len(n.Elements) == 0:
		return "*" + n.Text.string + "*"
	}
	var b strings.Builder
	b.WriteString(n.Text.string)
	for _, e := range n.Elements {
		b.WriteString(e.inline())
	}
	return b.String()
}

// said is what the text in a node says, without addresses and bullets.
func (n wireNode) said() string {
	var b strings.Builder
	b.WriteString(n.Text.string)
	for _, e := range n.Elements {
		b.WriteString(e.said())
		if strings.HasPrefix(e.Type, "rich_text") {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

var (
	aMark       = regexp.MustCompile(`\[(\d+)\]`)
	aSourceLine = regexp.MustCompile(`^\[(\d+)\] `)
	aLink       = regexp.MustCompile(`<([^>|]*)\|[^>]*>`)
	aNull       = regexp.MustCompile(`[^\\]":null`)
	aReference  = regexp.MustCompile(`<[!@#]`)
)

// A checked is what testing.TB and rapid.T have in common.
type checked interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// checkSound checks everything that holds of whatever is posted for an answer.
func checkSound(t checked, p chat.Post, messages []message) {
	t.Helper()
	if len(messages) == 0 {
		t.Fatal("no messages")
	}
	var parts, order []string
	for i, m := range messages {
		nodes := readBlocks(t, m.blocks)
		checkLimits(t, m, nodes)
		checkInert(t, p, m, nodes)
		said, cited := answerIn(nodes)
		parts, order = append(parts, said), append(order, cited...)
		checkSourced(t, p, nodes, cited)
		last := i == len(messages)-1
		if has := slices.ContainsFunc(nodes, isButtons); has && !last {
			t.Errorf("message %d of %d has buttons", i+1, len(messages))
		}
		if i > 0 && !strings.HasPrefix(m.text, layout.SayContinued) {
			t.Errorf("message %d does not say that it goes on: %q", i+1, m.text)
		}
	}
	if want := marksOf(p.Answer); !slices.Equal(order, want) {
		t.Errorf("marks %v, want %v", order, want)
	}
	checkComplete(t, p.Answer, strings.Join(parts, " "))
	if plain := plainMessage(p).text; layout.Chars(plain) > textChars || plain == "" || aReference.MatchString(plain) {
		t.Errorf("plain message of %d characters: %q", layout.Chars(plain), plain)
	}
}

func isButtons(n wireNode) bool { return n.Type == "actions" || n.Type == "context_actions" }

// checkLimits checks a message against Slack's limits.
func checkLimits(t checked, m message, nodes []wireNode) {
	t.Helper()
	if m.text == "" || layout.Chars(m.text) > textChars {
		t.Errorf("fallback of %d characters: %q", layout.Chars(m.text), m.text)
	}
	if len(nodes) == 0 || len(nodes) > maxBlocks {
		t.Errorf("%d blocks", len(nodes))
	}
	total := 0
	walkNodes(nodes, func(n wireNode) {
		total += weigh(layout.Span{Text: n.Text.string, URL: n.URL})
		switch {
		case n.BlockID != "":
			t.Errorf("block_id %q: one of Slack's own making is always new", n.BlockID)
		case n.Type == "context" && (len(n.Elements) == 0 || len(n.Elements) > maxContext):
			t.Errorf("%d elements in a context", len(n.Elements))
		case n.Type == "rich_text_section" && (len(n.Elements) == 0 || layout.Chars(n.said()) > sectionChars):
			t.Errorf("a section of %d elements and %d characters", len(n.Elements), layout.Chars(n.said()))
		case strings.HasPrefix(n.Type, "rich_text") && len(n.Elements) == 0:
			t.Errorf("an empty %s", n.Type)
		case slices.Contains([]string{"text", "link", "mrkdwn", "plain_text"}, n.Type) && (n.Text.string == "" || layout.Chars(n.Text.string) > sectionChars):
			t.Errorf("%s of %d characters", n.Type, layout.Chars(n.Text.string))
		}
	})
	if total > messageWeight {
		t.Errorf("blocks weigh %d", total)
	}
}

// checkInert checks that nothing in a message mentions anyone, and that all links are the
// answer's.
func checkInert(t checked, p chat.Post, m message, nodes []wireNode) {
	t.Helper()
	own := map[string]bool{}
	for _, s := range p.Answer.Sources {
		own[linkAddress(s.URL)] = true
	}
	for _, n := range p.Answer.Nearest {
		own[linkAddress(n.URL)] = true
	}
	links := func(markup string) {
		if aReference.MatchString(markup) || strings.Count(markup, "<") != len(aLink.FindAllString(markup, -1)) {
			t.Errorf("markup that is no link of ours: %q", markup)
		}
		for _, l := range aLink.FindAllStringSubmatch(markup, -1) {
			if address := strings.ReplaceAll(l[1], "&amp;", "&"); address == "" || !own[address] {
				t.Errorf("a foreign link to %q", l[1])
			}
		}
	}
	links(m.text)
	walkNodes(nodes, func(n wireNode) {
		switch n.Type {
		case "mrkdwn":
			links(n.Text.string)
			if !n.Verbatim {
				t.Errorf("Slack may link what it likes in %q", n.Text.string)
			}
		case "link":
			if n.URL == "" || !own[n.URL] {
				t.Errorf("a foreign link to %q", n.URL)
			}
		case "user", "usergroup", "broadcast", "channel", "emoji":
			t.Errorf("a %s in an answer", n.Type)
		}
	})
}

// answerIn is what a message's rich text says, and the marks in it.
func answerIn(nodes []wireNode) (said string, cited []string) {
	for _, n := range nodes {
		if n.Type == "rich_text" {
			said += n.said() + " "
		}
	}
	for _, m := range aMark.FindAllStringSubmatch(said, -1) {
		cited = append(cited, m[1])
	}
	return said, cited
}

// checkSourced checks that a message tells the source of each of its marks, once, and links the
// mark where the source has an address.
func checkSourced(t checked, p chat.Post, nodes []wireNode, cited []string) {
	t.Helper()
	listed := map[string]int{}
	walkNodes(nodes, func(n wireNode) {
		if m := aSourceLine.FindStringSubmatch(n.Text.string); m != nil && n.Type == "mrkdwn" {
			listed[m[1]]++
		}
		if n.Type == "link" && aMark.MatchString(n.Text.string) && !leadsToSource(p.Answer, n) {
			t.Errorf("%s leads to %s", n.Text.string, n.URL)
		}
	})
	for _, n := range cited {
		if listed[n] != 1 && hasSource(p.Answer, n) {
			t.Errorf("source [%s] is listed %d times", n, listed[n])
		}
	}
}

func leadsToSource(a citations.Answer, n wireNode) bool {
	return slices.ContainsFunc(a.Sources, func(s citations.Source) bool {
		return n.Text.string == fmt.Sprintf("[%d]", s.N) && n.URL == linkAddress(s.URL)
	})
}

func hasSource(a citations.Answer, n string) bool {
	return slices.ContainsFunc(a.Sources, func(s citations.Source) bool { return strconv.Itoa(s.N) == n })
}

// marksOf are the marks that an answer calls for: those of all parts but of headers that
// label the cells of their rows.
func marksOf(a citations.Answer) []string {
	var out []string
	for i, p := range a.Parts {
		if p.Kind == citations.Header && layout.HeadsRows(a.Parts[i:]) {
			continue
		}
		for _, n := range p.Sources {
			out = append(out, strconv.Itoa(n))
		}
	}
	return out
}

// checkComplete checks that what is said holds all the answer says, in order: all of it and
// nothing else where there are no tables.
func checkComplete(t checked, a citations.Answer, said string) {
	t.Helper()
	rest := lettersOf(aMark.ReplaceAllString(said, ""))
	tables := false
	want := ""
	for _, p := range a.Parts {
		cells := []string{citations.Render([]citations.Part{{Text: citations.Normal(p.Text)}})}
		if p.Kind == citations.Header || p.Kind == citations.Row {
			tables, cells = true, strings.Split(cells[0], " | ")
		}
		for _, cell := range cells {
			cell = lettersOf(cell)
			want += cell
			if p.Kind == citations.Header {
				continue
			}
			_, after, ok := strings.Cut(rest, cell)
			if !ok {
				t.Fatalf("%.200q is missing in %.500q", cell, rest)
			}
			if tables {
				rest = after
			}
		}
	}
	if !tables && !strings.HasSuffix(rest, want) {
		t.Errorf("says %.500q, want %.500q", rest, want)
	}
}

// lettersOf is s without white space.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// hostile is text that tries to be more than text, or is hard to cut.
var hostile = map[string]string{
	"everyone":      "<!channel> <!here|x> <!everyone> <!subteam^S1|@all>",
	"people":        "<@U1> <@U1|bob> @here @channel @bob",
	"channels":      "<#C1> <#C1|general> #general",
	"forged link":   "<https://evil.example|ok> <mailto:a@evil.example|mail>",
	"entities":      "&lt;!channel&gt; &amp;lt; &#60; &",
	"formatting":    "*bold* _it_ ~st~ `code` ```fence``` *_~both~_*",
	"fence":         "```\nrm -rf /\n```",
	"quote":         "> quoted\n>>> all of it",
	"shortcode":     ":wave: :+1: ::skin-tone-2: 9:00-17:30",
	"addresses":     "https://evil.example www.evil.example evil.example a@evil.example javascript:alert(1)",
	"markdown":      "[ok](https://evil.example) ![x](y) # head | cell | cell",
	"date":          "<!date^1392734382^{date}|x>",
	"marks":         "as [1] and [23] say [x] [ 1 ]",
	"right to left": "שלום \u202eevil\u202c \u2066x\u2069 العربية",
	"zero width":    "a\u200bb\u200d\ufeffc\u2060d\u00ade",
	"tags":          "\U000e0041\U000e0042 hidden \U000e007f",
	"long word":     strings.Repeat("x", 10000),
	"long line":     strings.Repeat("a word and ", 400),
	"escapes":       strings.Repeat("&<>", 1200),
	"emoji":         strings.Repeat("👨‍👩‍👧‍👦🇩🇪👍🏽1️⃣", 200),
	"combining":     strings.Repeat("e\u0301\u0323\u0308", 1000),
	"heap":          "z" + strings.Repeat("\u0323", 4000),
	"invalid":       "a\xff\xed\xa0\x80b\xc3",
	"quotes":        `"\"\\` + strings.Repeat(`"`, 3000),
	"controls":      "a\x00\x1b[31mred\x07\r\n\tb",
	"cells":         strings.Repeat("a | ", 500) + "b",
	"none":          "",
}

// hostilePost has a text everywhere.
func hostilePost(s string) chat.Post {
	if citations.Normal(s) == "" {
		s = "x"
	}
	a := citations.Answer{Verdict: citations.Unsure, Notice: s, Degraded: []string{s},
		Nearest: []citations.Nearest{{Path: s, Title: s, Section: s, URL: s}}}
	for i, kind := range []citations.PartKind{citations.Sentence, "", citations.Item, citations.Header, citations.Row, citations.Row, citations.Header} {
		a.Parts = append(a.Parts, citations.Part{Text: s, Kind: kind, Sources: []int{min(i+1, 3)}})
	}
	for n, url := range []string{"https://bot.example/s/1", s, "https://bot.example/s/3?x=1&y=" + s} {
		a.Sources = append(a.Sources, citations.Source{N: n + 1, Path: s, Title: s, Section: s, Quote: s, Updated: s, URL: url})
	}
	return chat.Post{Turn: 1, Question: s, Name: s, User: s, Answer: a, Again: true}
}

func TestHostileWords(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			p := hostilePost(s)
			p.Via = chat.Command
			checkSound(t, p, pages(p, true))
			p.Answer = citations.Answer{Verdict: citations.NoAnswer, Notice: s, Nearest: p.Answer.Nearest}
			checkSound(t, p, pages(p, true))
			m := handoffMessage(p, s, false)
			checkLimits(t, m, readBlocks(t, m.blocks))
			if strings.Contains(m.text, "<") {
				t.Errorf("handoff: %q", m.text)
			}
		})
	}
}

// TestHostileAddresses: what a source's URL may be, and what is linked.
func TestHostileAddresses(t *testing.T) {
	for raw, want := range map[string]string{
		"https://bot.example/s/1":               "https://bot.example/s/1",
		"http://localhost:8080/s/1?sig=a&b=c#x": "http://localhost:8080/s/1?sig=a&b=c#x",
		"https://bot.example/a b|c>d<e":         "https://bot.example/a%20b%7Cc%3Ed%3Ce",
		"https://bot.example/?q=a b|c>d<e\"f`g": "https://bot.example/?q=a%20b%7Cc%3Ed%3Ce%22f%60g",
		"https://bot.example/#a|b>":             "https://bot.example/#a%7Cb%3E",
		"https://bot.example/\u202ex":           "",
		"https://bot.example/\n>":               "",
		"https://evil|ok.example/":              "",
		"https://bot.example@evil.example/":     "",
		"javascript:alert(1)":                   "",
		"mailto:a@evil.example":                 "",
		"data:text/html,x":                      "",
		"//evil.example/x":                      "",
		"/s/1":                                  "",
		"https:evil":                            "",
		"":                                      "",
		"https://bot.example/" + strings.Repeat("x", 900):  "",
		"https://bot.example/?" + strings.Repeat("&", 300): "",
	} {
		if got := linkAddress(raw); got != want {
			t.Errorf("linkAddress(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestLargeAnswers(t *testing.T) {
	for _, c := range []struct {
		name            string
		parts, sources  int
		text, quote     string
		atMost, atLeast int
	}{
		{"an ordinary answer", 5, 3, "You can return most things within 30 days.", strings.Repeat("words ", 60), 1, 1},
		{"a long list", 25, 1, "an item of a list", "items", 1, 1},
		{"200 parts", 200, 1, "Short.", "Short.", 6, 2},
		{"60 sources", 60, 60, "A statement of some length, as they are.", strings.Repeat("words ", 60), 4, 2},
		{"200 long parts and 60 sources", 200, 60, strings.Repeat("word ", 40), strings.Repeat("words ", 60), 12, 4},
		{"one part that is too long", 1, 1, strings.Repeat("A sentence of it. ", 900), strings.Repeat("A sentence of it. ", 900), 3, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := chat.Post{Turn: 1}
			for i := range c.parts {
				text := fmt.Sprintf("%s %d", strings.TrimSpace(c.text), i)
				p.Answer.Parts = append(p.Answer.Parts, citations.Part{Text: text, Kind: citations.Item, Sources: []int{i*c.sources/c.parts + 1}})
			}
			for n := range c.sources {
				p.Answer.Sources = append(p.Answer.Sources, citations.Source{N: n + 1, Title: "Returns", Section: "Refunds", Quote: c.quote,
					URL: fmt.Sprintf("http://localhost:8080/s/%064d?sig=%043d", n, n)})
			}
			messages := pages(p, true)
			checkSound(t, p, messages)
			if len(messages) < c.atLeast || len(messages) > c.atMost {
				t.Errorf("%d messages, want %d to %d", len(messages), c.atLeast, c.atMost)
			}
			for i := range messages {
				p.Page = i
				if plain := plainMessage(p).text; layout.Chars(plain) > textChars || !strings.Contains(plain, "|Returns › Refunds>") {
					t.Errorf("page %d in plain words: %q", i, plain)
				}
			}
		})
	}
}

// TestLongItem: an item that goes on in another paragraph has one bullet.
func TestLongItem(t *testing.T) {
	p := chat.Post{Answer: citations.Answer{Parts: []citations.Part{{Text: strings.Repeat("Go on. ", 1000) + "Stop.", Kind: citations.Item}}}}
	bullets := 0
	for _, m := range pages(p, false) {
		walkNodes(readBlocks(t, m.blocks), func(n wireNode) {
			if n.Type == "rich_text_list" {
				bullets += len(n.Elements)
			}
		})
	}
	if bullets != 1 {
		t.Errorf("%d bullets", bullets)
	}
}

// TestManyMarks: a part that rests on more sources than one message can show.
func TestManyMarks(t *testing.T) {
	p := chat.Post{Answer: citations.Answer{Parts: []citations.Part{{Text: "All say so."}}}}
	for n := 1; n <= 60; n++ {
		p.Answer.Parts[0].Sources = append(p.Answer.Parts[0].Sources, n)
		p.Answer.Sources = append(p.Answer.Sources, citations.Source{N: n, Title: "T", URL: "https://bot.example/" + strings.Repeat("x", 700)})
	}
	checkSound(t, p, pages(p, true))
}

// addresses that sources have in drawn answers.
var addresses = []string{"", "https://bot.example/s/%d", "http://localhost:8080/s/%d?a=1&b=2", "https://bot.example/a b|%d>", "javascript:alert(%d)"}

// drawPost draws a post with an answer that may be large and hostile. Its numbers make
// each part unique.
func drawPost(t *rapid.T) chat.Post {
	names := slices.Sorted(maps.Keys(hostile))
	someWords := rapid.OneOf(
		rapid.StringMatching(`[A-Za-zé]{1,8}( [a-z*_&<>|]{1,8}){0,12}`),
		rapid.Map(rapid.SampledFrom(names), func(name string) string { return layout.Shorten(citations.Normal(hostile[name]), 60) }),
	)
	manyWords := rapid.Map(rapid.SampledFrom(names), func(name string) string { return citations.Normal(hostile[name]) })
	a := citations.Answer{Verdict: citations.Answered}
	for n := 1; n <= rapid.IntRange(1, 12).Draw(t, "sources"); n++ {
		for i := range rapid.IntRange(1, 6).Draw(t, "statements") {
			a.Parts = append(a.Parts, citations.Part{
				Text:    citations.Normal(fmt.Sprintf("%s %d-%d.", someWords.Draw(t, "words"), n, i)),
				Kind:    rapid.SampledFrom([]citations.PartKind{citations.Sentence, citations.Item, citations.Header, citations.Row}).Draw(t, "kind"),
				Sources: []int{n},
			})
		}
		a.Sources = append(a.Sources, citations.Source{
			N: n, Path: "a.md", Title: someWords.Draw(t, "title"), Section: someWords.Draw(t, "section"),
			Quote: someWords.Draw(t, "quote"), Updated: "2026-03-01",
			URL: strings.ReplaceAll(rapid.SampledFrom(addresses).Draw(t, "url"), "%d", strconv.Itoa(n)),
		})
	}
	if rapid.Bool().Draw(t, "large") {
		a.Parts[0].Text, a.Sources[0].Quote = manyWords.Draw(t, "part")+" 1.", manyWords.Draw(t, "quote")
	}
	if rapid.Bool().Draw(t, "unsure") {
		a.Verdict, a.Notice = citations.Unsure, someWords.Draw(t, "notice")
	}
	return chat.Post{
		Turn: 1, Question: someWords.Draw(t, "question"), Name: someWords.Draw(t, "name"), Answer: a,
		Via:   rapid.SampledFrom([]chat.Via{chat.Mention, chat.Command, chat.Share}).Draw(t, "via"),
		Again: rapid.Bool().Draw(t, "again"),
	}
}

func TestPagesOfAnyAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPost(t)
		checkSound(t, p, pages(p, true))
	})
}

func FuzzPages(f *testing.F) {
	for _, s := range hostile {
		f.Add(layout.Shorten(s, 200), "https://bot.example/s/1", uint8(3), uint8(2))
	}
	kinds := []citations.PartKind{citations.Sentence, citations.Item, citations.Row, citations.Header}
	f.Fuzz(func(t *testing.T, s, url string, parts, sources uint8) {
		p := hostilePost(s)
		p.Answer.Parts, p.Answer.Sources = nil, nil
		if citations.Normal(s) == "" {
			t.Skip()
		}
		for i := range int(parts)%40 + 1 {
			part := citations.Part{Text: s, Kind: kinds[(i+int(sources))%len(kinds)], Sources: []int{min(i, int(sources)%20) + 1}}
			p.Answer.Parts = append(p.Answer.Parts, part)
		}
		for n := range int(sources)%20 + 1 {
			p.Answer.Sources = append(p.Answer.Sources, citations.Source{N: n + 1, Title: s, Quote: s, URL: url})
		}
		checkSound(t, p, pages(p, true))
	})
}

// TestButtons: which buttons there are beneath what.
func TestButtons(t *testing.T) {
	answered := citations.Answer{Verdict: citations.Answered, Parts: []citations.Part{{Text: "Yes."}}}
	none := citations.Answer{Verdict: citations.NoAnswer, Notice: "I could not find that."}
	for _, c := range []struct {
		answer citations.Answer
		via    chat.Via
		person bool
		want   string
	}{
		{answered, chat.Mention, true, "feedback good:5 bad:5 person 5"},
		{answered, chat.Mention, false, "feedback good:5 bad:5"},
		{answered, chat.Command, true, "feedback good:5 bad:5 person 5 share 5"},
		{answered, chat.Command, false, "feedback good:5 bad:5 share 5"},
		{answered, chat.Share, true, "feedback good:5 bad:5 person 5"},
		{none, chat.Mention, true, "person 5"},
		{none, chat.Mention, false, ""},
		{none, chat.Command, false, "share 5"},
	} {
		var got []string
		messages := pages(chat.Post{Turn: 5, Via: c.via, Answer: c.answer}, c.person)
		walkNodes(readBlocks(t, messages[0].blocks), func(n wireNode) { got = append(got, n.ActionID, n.Value) })
		got = slices.DeleteFunc(got, func(s string) bool { return s == "" })
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s, %s, person %v (-want +got):\n%s", c.answer.Verdict, c.via, c.person, diff)
		}
	}
}

func TestDraft(t *testing.T) {
	m := pages(chat.Post{Draft: true}, true)
	if len(m) != 1 || m[0].text != "Looking in the documents…" || len(m[0].blocks) > 0 {
		t.Errorf("draft %+v", m)
	}
}

func TestMentions(t *testing.T) {
	for id, want := range map[string]string{
		"U0A": "<@U0A>", "W0A": "<@W0A>", "S0A": "<!subteam^S0A>",
		"": "", "C0A": "", "U0A|x": "", "S0A> <!channel": "", "u0a": "", "U1\n": "", "U": "",
	} {
		if got := mentionOf(id); got != want {
			t.Errorf("mentionOf(%q) = %q, want %q", id, got, want)
		}
	}
}
