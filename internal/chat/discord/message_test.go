package discord

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
	"pgregory.net/rapid"

	"citebot/internal/chat"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/chat/layout"
	"citebot/internal/citations"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the looks in testdata")

// TestLooks runs testdata/looks/*.txtar: the comment holds "key: value" lines about the
// post, answer.json is its answer, shown is the messages as shownAs writes them, plain is what
// stands for them where Discord refuses ours, and wire is the messages as Discord gets them.
func TestLooks(t *testing.T) {
	files, err := filepath.Glob("testdata/looks/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			compareLooks(t, file, func(ar *txtar.Archive) map[string]string { return lookOf(t, ar) })
		})
	}
}

// compareLooks compares the files of a case with what make makes of it.
func compareLooks(t *testing.T, file string, make func(*txtar.Archive) map[string]string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := make(ar)
	for i, f := range ar.Files {
		want, ok := got[f.Name]
		if !ok {
			continue
		}
		if diff := cmp.Diff(string(f.Data), want); diff != "" && !*rewrite {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
		ar.Files[i].Data = []byte(want)
	}
	if !*rewrite {
		return
	}
	if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lookOf makes what a case may hold.
func lookOf(t *testing.T, ar *txtar.Archive) map[string]string {
	p, about := postOf(t, ar)
	if p.Via == chat.Handoff {
		person := Person{ID: about["call"], Role: about["role"] != ""}
		return looksOf(t, handoffMessage(p, person, about["here"] != ""))
	}
	messages := pages(p, look{private: about["private"] != "", person: about["person"] != ""})
	checkSound(t, p, messages)
	out := looksOf(t, messages...)
	out["plain"] = plainMessage(p).content + "\n"
	return out
}

func looksOf(t *testing.T, messages ...message) map[string]string {
	return map[string]string{"shown": shownAs(messages), "wire": wireOf(t, messages)}
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
		Place: chat.Place{Team: about["server"]}, Turn: 7, Via: chat.Via(about["via"]), User: about["user"],
		Name: about["name"], Question: strings.ReplaceAll(about["question"], `\n`, "\n"), Again: about["again"] != "",
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

// A wireMessage is what Discord reads of a message.
type wireMessage struct {
	Content string `json:"content,omitempty"`
	Embeds  []struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"embeds,omitempty"`
	Components []wireComponent `json:"components,omitempty"`
}

// A wireComponent is a row or what stands in one.
type wireComponent struct {
	Type       int             `json:"type"`
	Style      int             `json:"style"`
	Label      string          `json:"label"`
	CustomID   string          `json:"custom_id"`
	MaxLength  int             `json:"max_length"`
	Components []wireComponent `json:"components"`
}

func marshalMessage(t checked, m message) []byte {
	data, err := json.Marshal(map[string]any{"content": m.content, "embeds": m.embeds, "components": m.components})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readMessage(t checked, m message) (w wireMessage) {
	if err := json.Unmarshal(marshalMessage(t, m), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// wireOf is the messages' JSON, indented.
func wireOf(t checked, messages []message) string {
	var b bytes.Buffer
	for _, m := range messages {
		if err := json.Indent(&b, marshalMessage(t, m), "", " "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shownAs writes messages as the cases do: each line that people see, those of an embed
// behind "| ", then what is markup in them, buttons, and whom they ping.
func shownAs(messages []message) string {
	var b strings.Builder
	for i, m := range messages {
		if i > 0 {
			b.WriteString("\n")
		}
		r := read(m.content)
		fmt.Fprintf(&b, "%s\n", r.shown.String())
		for _, e := range r.effects {
			fmt.Fprintf(&b, "  %s %s\n", e.what, strings.TrimSpace(e.text+" "+e.url))
		}
		for _, embed := range m.embeds {
			r := read(embed.Description)
			fmt.Fprintf(&b, "| %s\n| %s\n", embed.Title, strings.ReplaceAll(r.shown.String(), "\n", "\n| "))
			for _, e := range r.effects {
				fmt.Fprintf(&b, "|   %s %s\n", e.what, strings.TrimSpace(e.text+" "+e.url))
			}
		}
		for _, c := range m.components {
			fmt.Fprintf(&b, "%v\n", labelsOf(c))
		}
		if len(m.users)+len(m.roles) > 0 {
			fmt.Fprintf(&b, "pings users %q, roles %q\n", m.users, m.roles)
		}
	}
	return b.String()
}

func labelsOf(row any) (out []string) {
	data, _ := json.Marshal(row)
	var c wireComponent
	_ = json.Unmarshal(data, &c)
	for _, b := range c.Components {
		out = append(out, fmt.Sprintf("(%s) %s", b.Label, b.CustomID))
	}
	return out
}

// A checked is what testing.TB and rapid.T have in common.
type checked interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

var (
	aMark       = regexp.MustCompile(`\[(\d+)\]`)
	aSourceLine = regexp.MustCompile(`^\[(\d+)\] `)
	ownSmall    = []string{layout.SayAgain, layout.SayContinued, layout.SayDegraded}
)

// checkSound checks everything that holds of whatever is posted for an answer.
func checkSound(t checked, p chat.Post, messages []message) {
	t.Helper()
	if len(messages) == 0 {
		t.Fatal("no messages")
	}
	var parts, order []string
	for i, m := range messages {
		checkLimits(t, m)
		r := read(m.content)
		checkInert(t, p, m, r)
		cited := citedIn(r)
		parts, order = append(parts, r.shown.String()), append(order, cited...)
		checkSourced(t, p, m, cited)
		if last := i == len(messages)-1; len(m.components) > 0 && !last {
			t.Errorf("message %d of %d has buttons", i+1, len(messages))
		}
		if i > 0 && !strings.HasPrefix(m.content, "-# "+layout.SayContinued) {
			t.Errorf("message %d does not say that it goes on: %q", i+1, m.content)
		}
	}
	if want := marksOf(p.Answer); len(p.Answer.Parts) > 0 && !slices.Equal(order, want) {
		t.Errorf("marks %v, want %v", order, want)
	}
	checkComplete(t, p.Answer, strings.Join(parts, " "))
	for i := range min(len(messages), 2) {
		p.Page = i
		plain := plainMessage(p)
		checkLimits(t, plain)
		checkInert(t, p, plain, read(plain.content))
	}
}

// checkLimits checks a message against Discord's limits, with room for why it is where it is.
// https://discord.com/developers/docs/resources/message#create-message-jsonform-params
func checkLimits(t checked, m message) {
	t.Helper()
	w := readMessage(t, m)
	if n := layout.Chars(lateMessage(m).content); n > 2000 {
		t.Errorf("content of %d characters with why it is late: %q", n, m.content)
	}
	if n := layout.Chars(elsewhereMessage(m).content); n > 2000 {
		t.Errorf("content of %d characters with why it is elsewhere: %q", n, m.content)
	}
	if strings.TrimSpace(w.Content) == "" {
		t.Errorf("no content in %+v", w)
	}
	total := 0
	for _, e := range w.Embeds {
		n := layout.Chars(e.Description)
		total += n + layout.Chars(e.Title)
		if n == 0 || n > 4096 || e.Title == "" || layout.Chars(e.Title) > 256 {
			t.Errorf("embed %q of %d characters", e.Title, n)
		}
	}
	if total > 6000 || len(w.Embeds) > 10 || len(w.Components) > 5 {
		t.Errorf("%d characters in %d embeds, %d rows", total, len(w.Embeds), len(w.Components))
	}
	ids := map[string]bool{}
	for _, row := range w.Components {
		if row.Type != 1 || len(row.Components) == 0 || len(row.Components) > 5 {
			t.Errorf("row %+v", row)
		}
		for _, b := range row.Components {
			if b.Type != 2 || b.Label == "" || len(b.Label) > 80 || b.CustomID == "" || len(b.CustomID) > 100 || ids[b.CustomID] {
				t.Errorf("button %+v", b)
			}
			ids[b.CustomID] = true
		}
	}
}

// checkInert checks that only what is ours has an effect: lists, labels of rows, links to
// sources that are not previewed, small letters, and a quotation of what was asked.
func checkInert(t checked, p chat.Post, m message, r *reading) {
	t.Helper()
	own := map[string]bool{}
	for _, s := range p.Answer.Sources {
		own[linkAddress(s.URL)] = true
	}
	for _, n := range p.Answer.Nearest {
		own[linkAddress(n.URL)] = true
	}
	table := slices.ContainsFunc(p.Answer.Parts, func(p citations.Part) bool {
		return p.Kind == citations.Header || p.Kind == citations.Row
	})
	items := 0
	for _, e := range r.effects {
		switch {
		case e.what == "list":
			items++
		case e.what == "small" && slices.Contains(ownSmall, e.text):
		case e.what == "bold" && (table || p.Via == chat.Share || p.Via == chat.Ask):
		case e.what == "quote" && (p.Via == chat.Command || p.Via == chat.Share || p.Via == chat.Ask):
		case e.what == "link" && e.url != "" && own[e.url]:
		default:
			t.Errorf("%+v has an effect in %.500q", e, m.content)
		}
	}
	if items > listed(p.Answer) {
		t.Errorf("%d items of a list in %.500q", items, m.content)
	}
	for _, embed := range m.embeds {
		in := read(embed.Description)
		for _, e := range in.effects {
			if e.what != "link" || e.url == "" || !own[e.url] {
				t.Errorf("%+v has an effect in the embed %.500q", e, embed.Description)
			}
		}
		checkQuiet(t, embed.Description, in)
	}
	checkQuiet(t, m.content, r)
	checkOthers(t, m, own)
	if len(m.users)+len(m.roles) > 0 {
		t.Errorf("pings %q %q", m.users, m.roles)
	}
}

// checkOthers checks with the eyes of the stand-in for Discord what may have an effect.
func checkOthers(t checked, m message, own map[string]bool) {
	t.Helper()
	texts := []string{m.content}
	for _, e := range m.embeds {
		texts = append(texts, e.Description)
	}
	for _, s := range texts {
		for _, f := range (discordtest.Message{Content: s}).Formats() {
			switch f.Kind {
			case discordtest.Bold, discordtest.List, discordtest.Small, discordtest.Quote:
			case discordtest.Link:
				if !own[f.URL] || !f.Quiet {
					t.Errorf("a link to %q in %.500q", f.URL, s)
				}
			default:
				t.Errorf("%+v has an effect in %.500q", f, s)
			}
		}
	}
}

// checkQuiet checks for what Discord acts on without setting it.
func checkQuiet(t checked, sent string, r *reading) {
	t.Helper()
	for _, e := range r.effects { // addresses of ours are no words
		sent = strings.ReplaceAll(sent, e.url, "")
	}
	if aPing.MatchString(sent) || anInvite.MatchString(sent) || !utf8Valid(sent) {
		t.Errorf("not quiet: %.500q", sent)
	}
}

func utf8Valid(s string) bool { return strings.ToValidUTF8(s, "") == s }

func listed(a citations.Answer) int {
	n := 0
	for _, p := range a.Parts {
		if p.Kind == citations.Item || p.Kind == citations.Row {
			n++
		}
	}
	return n
}

// citedIn are the marks that people see.
func citedIn(r *reading) (out []string) {
	for _, m := range aMark.FindAllStringSubmatch(r.shown.String(), -1) {
		out = append(out, m[1])
	}
	return out
}

// checkSourced checks that a message tells the source of each of its marks, once, and that a
// mark which is a link leads to its source.
func checkSourced(t checked, p chat.Post, m message, cited []string) {
	t.Helper()
	listed := map[string]int{}
	for _, e := range m.embeds {
		for line := range strings.Lines(read(e.Description).shown.String()) {
			if m := aSourceLine.FindStringSubmatch(line); m != nil {
				listed[m[1]]++
			} else {
				t.Errorf("no source begins %q", line)
			}
		}
	}
	for _, n := range cited {
		if listed[n] != 1 && hasSource(p.Answer, n) {
			t.Errorf("source [%s] is listed %d times", n, listed[n])
		}
	}
	for _, e := range read(m.content).effects {
		if m := aMark.FindStringSubmatch(e.text); e.what == "link" && m != nil && !leadsToSource(p.Answer, m[1], e.url) {
			t.Errorf("%s leads to %s", e.text, e.url)
		}
	}
}

func leadsToSource(a citations.Answer, n, url string) bool {
	return slices.ContainsFunc(a.Sources, func(s citations.Source) bool {
		return strconv.Itoa(s.N) == n && linkAddress(s.URL) == url
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

// checkComplete checks that what is said holds all the answer says, in order.
func checkComplete(t checked, a citations.Answer, said string) {
	t.Helper()
	rest := strings.ReplaceAll(said, layout.SayContinued, "")
	rest = lettersOf(aMark.ReplaceAllString(rest, ""))
	for _, p := range a.Parts {
		cells := []string{citations.Render([]citations.Part{{Text: citations.Normal(p.Text)}})}
		if p.Kind == citations.Header {
			continue
		}
		if p.Kind == citations.Row {
			cells = strings.Split(cells[0], " | ")
		}
		for _, cell := range cells {
			_, after, ok := strings.Cut(rest, lettersOf(cell))
			if !ok {
				t.Fatalf("%.200q is missing in %.500q", cell, rest)
			}
			rest = after
		}
	}
}

// lettersOf is s without white space, and without the joiner that normalisation puts into
// heaps of accents at places that depend on where they begin.
func lettersOf(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u034f' {
			return -1
		}
		return r
	}, s)
}

// hostile is text that tries to be more than text, or is hard to cut.
var hostile = map[string]string{
	"everyone":      "@everyone @here <@&1> <@everyone>",
	"people":        "<@1> <@!2> <@123456789012345678> @bob",
	"channels":      "<#1> <id:customize> <id:browse> </ask:1> </kb status:2>",
	"emoji":         ":wave: <:x:1> <a:x:1> :+1: ::skin-tone-2: :100: 9:00-17:30 10:30:45",
	"moments":       "<t:1> <t:1618953630:R> <t:-5:F>",
	"links":         "[ok](https://evil.example) [[1]](<https://evil.example>) ![x](https://evil.example)",
	"half links":    "x](https://evil.example) [x ](y) [1](https://evil.example \"t\")",
	"more halves":   "]( ) [ ]] ](<https://evil.example>) [[[",
	"addresses":     "https://evil.example http://evil.example steam://run/1 discord://x <https://evil.example> www.evil.example a@evil.example",
	"invitations":   "discord.gg/abc https://discord.gg/abc discord.com/invite/abc DISCORD.GG/abc",
	"mail":          "<a@evil.example> <+15551234567> <mailto:a@evil.example> <tel:/1>",
	"formatting":    "*bold* **b** _it_ __u__ ~~st~~ ||sp|| `code` ``co``de`` ***_~both~_***",
	"words":         "snake_case _snake_case_ a_b_ 2*3*4 a~~b~~c a||b||c",
	"fence":         "```go\nrm -rf /\n```",
	"quote":         "> quoted\n>>> all of it",
	"headers":       "# one\n## two\n### three\n-# four",
	"lists":         "- a\n* b\n+ c\n1. d\n2) e\n  - f",
	"escapes":       `\*a\* \\*b\\* \<@1> \@everyone \`,
	"many escapes":  strings.Repeat(`\*_[`, 300),
	"shrug":         `¯\_(ツ)_/¯`,
	"marks":         "as [1] and [23] say [x] [ 1 ]",
	"right to left": "שלום \u202eevil\u202c \u2066x\u2069 العربية",
	"zero width":    "a\u200bb\u200d\ufeffc\u2060d\u00ade @\u200beveryone ht\u200btps://evil.example",
	"confusables":   "һttps://evil.example https∶//evil.example https:∕∕evil.example ＠everyone",
	"long word":     strings.Repeat("x", 2000),
	"long line":     strings.Repeat("a word and ", 110),
	"pictures":      strings.Repeat("👨‍👩‍👧‍👦🇩🇪👍🏽1️⃣", 100),
	"combining":     strings.Repeat("e\u0301\u0323\u0308", 300),
	"heap":          "z" + strings.Repeat("\u0323", 1000),
	"invalid":       "a\xff\xed\xa0\x80b\xc3",
	"quotes":        `"\"\\` + strings.Repeat(`"`, 1500),
	"controls":      "a\x00\x1b[31mred\x07\r\n\tb",
	"lines":         strings.Repeat("a\n", 700),
	"cells":         strings.Repeat("a | ", 100) + "b",
	"none":          "",
}

// hostilePost has a text everywhere.
func hostilePost(s string) chat.Post {
	if citations.Normal(s) == "" {
		s = "x"
	}
	a := citations.Answer{Verdict: citations.Unsure, Notice: s, Degraded: []string{s},
		Nearest: []citations.Nearest{{Path: s, Title: s, Section: s, URL: "https://bot.example/n/" + s}, {Title: s}, {Title: s, URL: "https://bot.example/n"}}}
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
			for _, via := range []chat.Via{chat.Mention, chat.Command, chat.Share} {
				p := hostilePost(s)
				p.Via = via
				if via != chat.Command || len(s) < 500 { // the long ones take their time
					checkSound(t, p, pages(p, look{private: true, person: true}))
				}
				p.Answer = citations.Answer{Verdict: citations.NoAnswer, Notice: s, Nearest: p.Answer.Nearest}
				checkSound(t, p, pages(p, look{}))
			}
			checkHandoff(t, s)
		})
	}
}

// checkHandoff checks that a question that is passed on calls nobody but the person.
func checkHandoff(t *testing.T, s string) {
	m := handoffMessage(chat.Post{Question: s, User: s}, Person{ID: "42", Role: true}, false)
	checkLimits(t, m)
	rest, ok := strings.CutPrefix(m.content, "<@&42> ")
	if !ok || !slices.Equal(m.roles, []string{"42"}) || len(m.users) > 0 {
		t.Errorf("%q pings %q %q", m.content, m.users, m.roles)
	}
	r := read(rest)
	for _, e := range r.effects {
		if e.what != "quote" {
			t.Errorf("%+v has an effect in %.500q", e, m.content)
		}
	}
	checkQuiet(t, rest, r)
	bad := handoffMessage(chat.Post{}, Person{ID: s}, true)
	if bad.content != "can you help? Someone here would like to ask a person." || len(bad.users) > 0 {
		t.Errorf("%q pings %q", bad.content, bad.users)
	}
}

func TestLargeAnswers(t *testing.T) {
	for _, c := range []struct {
		name            string
		parts, sources  int
		text, quote     string
		address         int
		atMost, atLeast int
	}{
		{"an ordinary answer", 5, 3, "You can return most things within 30 days.", strings.Repeat("words ", 60), 140, 1, 1},
		{"a long list", 25, 1, "an item of a list", "items", 140, 1, 1},
		{"200 parts", 200, 1, "Short.", "Short.", 140, 3, 2},
		{"60 sources", 60, 60, "A statement of some length, as they are.", strings.Repeat("words ", 60), 140, 5, 2},
		{"long addresses", 12, 12, "A statement of some length, as they are.", strings.Repeat("words ", 60), 790, 4, 3},
		{"80 long parts and 40 sources", 80, 40, strings.Repeat("word ", 40), strings.Repeat("words ", 60), 140, 14, 8},
		{"one part that is too long", 1, 1, strings.Repeat("A sentence of it. ", 900), strings.Repeat("A sentence of it. ", 900), 140, 12, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := chat.Post{Turn: 1}
			for i := range c.parts {
				text := fmt.Sprintf("%s %d", strings.TrimSpace(c.text), i)
				p.Answer.Parts = append(p.Answer.Parts, citations.Part{Text: text, Kind: citations.Item, Sources: []int{i*c.sources/c.parts + 1}})
			}
			for n := range c.sources {
				p.Answer.Sources = append(p.Answer.Sources, citations.Source{N: n + 1, Title: "Returns", Section: "Refunds", Quote: c.quote,
					URL: fmt.Sprintf("http://localhost:8080/s/%0*d", c.address-len("http://localhost:8080/s/"), n)})
			}
			messages := pages(p, look{person: true})
			checkSound(t, p, messages)
			if len(messages) < c.atLeast || len(messages) > c.atMost {
				t.Errorf("%d messages, want %d to %d", len(messages), c.atLeast, c.atMost)
			}
			for _, i := range []int{0, len(messages) - 1} {
				p.Page = i
				if plain := plainMessage(p).content; !strings.Contains(plain, "Returns › Refunds") {
					t.Errorf("page %d in plain words: %q", i, plain)
				}
			}
		})
	}
}

// TestLinkedMarks: marks are links while there is room, the first of each source first.
func TestLinkedMarks(t *testing.T) {
	const address = "https://bot.example/"
	for _, c := range []struct {
		address, words, linked int
	}{
		{100, 1, 6}, {100, 130, 3}, {700, 1, 2}, {750, 40, 1}, {790, 130, 0}, {900, 1, 0},
	} {
		p := chat.Post{Turn: 1}
		for i := range 6 {
			p.Answer.Parts = append(p.Answer.Parts, citations.Part{Text: strings.TrimSpace(strings.Repeat("words ", c.words/3)), Sources: []int{i/3 + 1}})
		}
		for n := 1; n <= 2; n++ {
			url := address + strings.Repeat(strconv.Itoa(n), c.address-len(address))
			p.Answer.Sources = append(p.Answer.Sources, citations.Source{N: n, Title: "T", URL: url})
		}
		messages := pages(p, look{})
		checkSound(t, p, messages)
		seen := map[string]int{}
		for _, e := range read(messages[0].content).effects {
			seen[e.url]++
		}
		total := 0
		for _, n := range seen {
			total += n
		}
		if total != c.linked || len(messages) != 1 || total > 1 && len(seen) < 2 {
			t.Errorf("addresses of %d, %d words: %d links in %d messages, want %d", c.address, c.words, total, len(messages), c.linked)
		}
	}
}

// TestPlainLongAddresses: where sources stand in the content, words matter more than links.
func TestPlainLongAddresses(t *testing.T) {
	p := chat.Post{Answer: citations.Answer{Parts: []citations.Part{{Text: "One.", Sources: []int{1, 2}}, {Text: "Two.", Sources: []int{3}}}}}
	for n := 1; n <= 3; n++ {
		p.Answer.Sources = append(p.Answer.Sources, citations.Source{N: n, Title: "T", URL: "https://bot.example/" + strings.Repeat("x", 750)})
	}
	const want = `One. \[1\]\[2\] Two. \[3\]` + "\n\n" + `\[1\] T` + "\n" + `\[2\] T` + "\n" + `\[3\] T`
	if diff := cmp.Diff(want, plainMessage(p).content); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLongItem: an item that goes on in another paragraph has one bullet.
func TestLongItem(t *testing.T) {
	p := chat.Post{Answer: citations.Answer{Parts: []citations.Part{{Text: strings.Repeat("Go on. ", 1000) + "Stop.", Kind: citations.Item}}}}
	bullets := 0
	for _, m := range pages(p, look{}) {
		bullets += strings.Count(read(m.content).names(), "list")
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
	checkSound(t, p, pages(p, look{}))
}

// addresses that sources have in drawn answers.
var addresses = []string{"", "https://bot.example/s/%d", "http://localhost:8080/s/%d?a=1&b=2", "https://bot.example/a b|%d>)](",
	"javascript:alert(%d)", "https://bot.example/" + strings.Repeat("x", 760) + "%d"}

// drawPost draws a post with an answer that may be large and hostile. Its numbers make
// each part unique.
func drawPost(t *rapid.T) chat.Post {
	names := slices.Sorted(maps.Keys(hostile))
	someWords := rapid.OneOf(
		rapid.StringMatching(`[A-Za-zé]{1,8}( [a-z*_&<>|@:/\[\]()#.\\-]{1,8}){0,12}`),
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
		a.Verdict, a.Notice = citations.Unsure, manyWords.Draw(t, "notice")
	}
	return chat.Post{
		Turn: 1, Question: manyWords.Draw(t, "question"), Name: someWords.Draw(t, "name"), Answer: a,
		Via:   rapid.SampledFrom([]chat.Via{chat.Mention, chat.Command, chat.Share, chat.Ask}).Draw(t, "via"),
		Again: rapid.Bool().Draw(t, "again"),
	}
}

func TestPagesOfAnyAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPost(t)
		checkSound(t, p, pages(p, look{person: true}))
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
		checkSound(t, p, pages(p, look{person: true}))
	})
}

// TestButtons: which buttons there are beneath what.
func TestButtons(t *testing.T) {
	answered := citations.Answer{Verdict: citations.Answered, Parts: []citations.Part{{Text: "Yes."}}}
	none := citations.Answer{Verdict: citations.NoAnswer, Notice: "I could not find that."}
	for _, c := range []struct {
		answer citations.Answer
		server string
		look   look
		want   string
	}{
		{answered, "1", look{person: true}, "v1:good:5 v1:bad:5 v1:person:5"},
		{answered, "1", look{}, "v1:good:5 v1:bad:5"},
		{answered, "1", look{private: true, person: true}, "v1:good:5 v1:bad:5 v1:reveal:5 v1:share:5"},
		{answered, "1", look{private: true}, "v1:good:5 v1:bad:5 v1:share:5"},
		{answered, "", look{person: true}, "v1:good:5 v1:bad:5 v1:reveal:5"},
		{answered, "", look{private: true}, "v1:good:5 v1:bad:5"},
		{none, "1", look{person: true}, "v1:person:5"},
		{none, "1", look{}, ""},
		{none, "1", look{private: true}, "v1:share:5"},
	} {
		m := pages(chat.Post{Place: chat.Place{Team: c.server}, Turn: 5, Answer: c.answer}, c.look)[0]
		var got []string
		for _, row := range readMessage(t, m).Components {
			for _, b := range row.Components {
				got = append(got, b.CustomID)
			}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s, %q, %+v (-want +got):\n%s", c.answer.Verdict, c.server, c.look, diff)
		}
	}
}

func TestDraft(t *testing.T) {
	for _, m := range append(pages(chat.Post{Draft: true}, look{person: true}), plainMessage(chat.Post{Draft: true})) {
		if diff := cmp.Diff(message{content: "Looking in the documents…"}, m, cmp.AllowUnexported(message{})); diff != "" {
			t.Errorf("draft (-want +got):\n%s", diff)
		}
	}
}

func TestMentions(t *testing.T) {
	for id, want := range map[string]string{"42": "<@42>", "": "", "42x": "", "42>\n": "", "4 2": "", "everyone": "", strings.Repeat("4", 30): ""} {
		if got := mentionOf(id, false); got != want {
			t.Errorf("mentionOf(%q) = %q, want %q", id, got, want)
		}
	}
	if got := mentionOf("42", true); got != "<@&42>" {
		t.Errorf("a role is %q", got)
	}
}

// Whatever is said above an answer, there is room for it.
func TestRoomAboveAnAnswer(t *testing.T) {
	if n := len(sayLate) + len(sayElsewhere) + len("\n\n"); n > maxContent-contentChars {
		t.Errorf("%d characters, and room for %d", n, maxContent-contentChars)
	}
}
