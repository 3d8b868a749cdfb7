package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"citebot/internal/chat"
	"citebot/internal/chat/discord"
	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/chat/layout"
	"citebot/internal/chat/slack"
	"citebot/internal/chat/slack/slacktest"
	"citebot/internal/citations"
	"citebot/internal/ledger"

	"github.com/goccy/go-yaml"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const (
	surfacesGolden = "testdata/surfaces.txtar"
	docsExample    = "https://docs.example/s/"
)

// TestSurfaces shows answers in the terminal, in Slack and in Discord, and compares what
// people see with the golden file, and with each other: they say the same, whatever their
// markup.
func TestSurfaces(t *testing.T) {
	t.Parallel()
	golden, err := txtar.ParseFile(surfacesGolden)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range golden.Files {
		want[f.Name] = string(f.Data)
	}
	cases := append(answersIn(t, golden), longAnswer())
	got := shownOn(t, cases)
	seen := txtar.Archive{Comment: golden.Comment}
	for _, c := range cases {
		if given, ok := want[c.name+"/answer"]; ok {
			seen.Files = append(seen.Files, txtar.File{Name: c.name + "/answer", Data: []byte(given)})
		}
		for _, surface := range surfaceNames {
			name := c.name + "/" + surface
			text := got[name].text()
			seen.Files = append(seen.Files, txtar.File{Name: name, Data: []byte(text)})
			if diff := gocmp.Diff(want[name], text); diff != "" && !*update {
				t.Errorf("%s (-golden +shown):\n%s", name, diff)
			}
			c.check(t, surface, got[name])
		}
	}
	if *update {
		if err := os.WriteFile(surfacesGolden, txtar.Format(&seen), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var surfaceNames = []string{"terminal", "slack", "discord"}

// A surfaceCase is an answer to show.
type surfaceCase struct {
	name   string
	answer citations.Answer
}

func answersIn(t *testing.T, golden *txtar.Archive) (cases []surfaceCase) {
	t.Helper()
	for _, f := range golden.Files {
		name, ok := strings.CutSuffix(f.Name, "/answer")
		if !ok {
			continue
		}
		c := surfaceCase{name: name}
		data, err := yaml.YAMLToJSON(f.Data)
		if err == nil {
			err = json.Unmarshal(data, &c.answer)
		}
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		c.answer.Text = cmp.Or(citations.Render(c.answer.Parts), c.answer.Notice)
		cases = append(cases, c)
	}
	return cases
}

// longAnswer takes more than one message.
func longAnswer() surfaceCase {
	a := citations.Answer{Verdict: citations.Answered}
	for n := 1; n <= 12; n++ {
		text := fmt.Sprintf("Rule %d of the islands: %s.", n, strings.Join(slices.Repeat([]string{fmt.Sprintf("parcels no. %d go by ship", n)}, 20), ", "))
		a.Parts = append(a.Parts, citations.Part{Text: text, Sources: []int{n, 1 + n%12}})
		a.Sources = append(a.Sources, citations.Source{
			N: n, Path: "islands.md", Title: "Islands", Section: fmt.Sprintf("Rule %d", n), Quote: fmt.Sprintf("parcels no. %d go by ship", n),
			Lines: [2]int{n, n}, URL: fmt.Sprintf("%sbb%02d", docsExample, n), Hash: fmt.Sprintf("bb%02d", n),
		})
	}
	a.Text = citations.Render(a.Parts)
	return surfaceCase{"long", a}
}

// A sight is what people see of an answer on one surface.
type sight []sheet

// A sheet is one message, or all that the terminal prints.
type sheet struct {
	plain      string
	statements string // what of it stands above the sources
	links      []string
	hidden     []string // where links lead that do not show it, each once
	pressed    string   // a line of what can be pressed, where plain has none
}

// text is a sight as the golden file has it.
func (s sight) text() string {
	var b strings.Builder
	for i, page := range s {
		if i > 0 {
			fmt.Fprintf(&b, "=== page %d\n", i+1)
		}
		b.WriteString(strings.TrimRight(page.plain, "\n") + "\n")
		if page.pressed != "" {
			b.WriteString(page.pressed + "\n")
		}
		for _, link := range page.hidden {
			b.WriteString("→ " + link + "\n")
		}
	}
	return b.String()
}

// shownOn shows all cases on all surfaces, by case and surface.
func shownOn(t *testing.T, cases []surfaceCase) map[string]sight {
	t.Helper()
	all := map[string]sight{}
	for _, c := range cases {
		all[c.name+"/terminal"] = onTerminal(c.answer)
	}
	s, d := slacktest.New(t), discordtest.New(t)
	s.AllowLinks, d.AllowLinks = []string{docsExample}, []string{docsExample}
	stop := answerThere(t, s, d, cases)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	if err := cmp.Or(s.AwaitConnections(ctx, 1), d.AwaitReady(ctx, 1)); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		all[c.name+"/slack"] = onSlack(ctx, t, s, i, c)
		all[c.name+"/discord"] = onDiscord(ctx, t, d, i, c)
	}
	return all
}

// answerThere runs a desk on both platforms that answers a case's name with its answer, until
// stop is called.
func answerThere(t *testing.T, s *slacktest.Server, d *discordtest.Server, cases []surfaceCase) (stop func()) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := ledger.Open(ctx, filepath.Join(t.TempDir(), "ledger.db"))
	must(err)
	desk, err := chat.NewDesk(chat.DeskConfig{Ledger: l, Answer: func(_ context.Context, q chat.Question, _ func(chat.Progress)) (citations.Answer, error) {
		at := slices.IndexFunc(cases, func(c surfaceCase) bool { return c.name == q.Text })
		if at < 0 {
			return citations.Answer{}, fmt.Errorf("no case %q", q.Text)
		}
		return cases[at].answer, nil
	}})
	must(err)
	onSlack, err := slack.New(slack.Config{
		BotToken: s.BotToken, AppToken: s.AppToken, APIURL: s.APIURL(), Home: func() slack.Home { return slack.Home{} },
	}, desk)
	must(err)
	library := discord.Library{Documents: func([]string) []discord.Document { return nil }, Status: func([]string) discord.Status { return discord.Status{} }}
	onDiscord, err := discord.New(discord.Config{Token: d.Token, APIURL: d.URL(), Library: library}, desk)
	must(err)
	var lives sync.WaitGroup
	for _, run := range []func(context.Context) error{
		onSlack.Run, onDiscord.Run, func(ctx context.Context) error { return desk.Run(ctx, onSlack, onDiscord) },
	} {
		lives.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return func() {
		cancel()
		lives.Wait()
		onSlack.Close()
		onDiscord.Close()
		must(l.Close())
	}
}

func onTerminal(a citations.Answer) sight {
	var out bytes.Buffer
	newTerminal(streams{strings.NewReader(""), &out, &out}, environment()).answer(a)
	statements, _, _ := strings.Cut(out.String(), "\nSources\n")
	return sight{{plain: out.String(), statements: statements, links: shownAddress.FindAllString(out.String(), -1)}}
}

// onSlack asks in a channel of its own and waits for all pages: the last one has what people
// press.
func onSlack(ctx context.Context, t *testing.T, s *slacktest.Server, i int, c surfaceCase) (pages sight) {
	t.Helper()
	channel := fmt.Sprintf("C0CASE%04d", i)
	s.AddChannel(slacktest.Channel{ID: channel, Name: channel, Type: slacktest.PublicChannel})
	act := s.Send(s.Mention(slacktest.Alice, channel, c.name))
	var posts []slacktest.Message
	err := s.Await(ctx, func(st *slacktest.State) bool {
		posts = st.Posts(act.Channel, act.Thread)
		return len(posts) > 0 && (len(posts[len(posts)-1].Elements()) > 0 || c.answer.Verdict == citations.NoAnswer)
	})
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	for _, m := range posts {
		above := m
		above.Blocks = slices.DeleteFunc(slices.Clone(m.Blocks), func(b map[string]any) bool { return b["type"] == "context" })
		pages = append(pages, sheet{plain: m.Plain(), statements: above.Plain(), links: m.Links()})
	}
	return pages
}

func onDiscord(ctx context.Context, t *testing.T, d *discordtest.Server, i int, c surfaceCase) (pages sight) {
	t.Helper()
	channel := fmt.Sprint(1310000005000004000 + i)
	d.AddChannel(discordtest.Channel{ID: channel, Name: channel, Guild: discordtest.Guild})
	d.Send(d.Mention(discordtest.Alice, channel, c.name))
	var posts []discordtest.Message
	err := d.Await(ctx, func(st *discordtest.State) bool {
		posts = st.Posts(channel)
		return len(posts) > 0 && (len(posts[len(posts)-1].Buttons()) > 0 || c.answer.Verdict == citations.NoAnswer)
	})
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	for _, m := range posts {
		above := m
		above.Embeds = nil
		var pressed strings.Builder
		for _, b := range m.Buttons() {
			fmt.Fprintf(&pressed, "[%s] ", b.Label)
		}
		pages = append(pages, sheet{m.Plain(), above.Plain(), m.Links(), sorted(m.Links()), strings.TrimSpace(pressed.String())})
	}
	return pages
}

var (
	shownAddress = regexp.MustCompile(`https://docs\.example[^\s\[]*`)
	wordOrMark   = regexp.MustCompile(`\[\d+\]|[\pL\pN]+`)
)

// words are those of a text, and its marks, without markup and addresses.
func words(text string) []string {
	return wordOrMark.FindAllString(shownAddress.ReplaceAllString(text, ""), -1)
}

// says reports whether a text has all the words of another, one after the other.
func says(text, words []string) bool {
	return strings.Contains(" "+strings.Join(text, " ")+" ", " "+strings.Join(words, " ")+" ") || len(words) == 0
}

// check checks that a surface says what the answer says, in order, and each of its sources. A
// row of a table may be set in any way.
func (c surfaceCase) check(t *testing.T, surface string, s sight) {
	t.Helper()
	var said, whole []string
	for _, page := range s {
		said = append(said, words(strings.Replace(page.statements, layout.SayContinued, "", 1))...)
		whole = append(whole, words(page.plain)...)
	}
	want, isTable := words(citations.Render(c.answer.Parts)), func(p citations.Part) bool { return p.Kind == citations.Row }
	if slices.ContainsFunc(c.answer.Parts, isTable) {
		said, want = slices.DeleteFunc(sorted(said), func(w string) bool { return !slices.Contains(want, w) }), sorted(want)
	}
	if !says(said, want) || !says(said, words(c.answer.Notice)) {
		t.Errorf("%s/%s says another thing: %q, want %q %q", c.name, surface, said, c.answer.Notice, want)
	}
	for _, source := range c.answer.Sources {
		if want := words(fmt.Sprintf("[%d] %s", source.N, source.Title)); !says(whole, want) {
			t.Errorf("%s/%s does not list %q", c.name, surface, want)
		}
	}
	if diff := gocmp.Diff(c.leads(surface), s.leads()); diff != "" {
		t.Errorf("%s/%s leads elsewhere (-want +got):\n%s", c.name, surface, diff)
	}
}

func sorted(words []string) []string { return slices.Compact(slices.Sorted(slices.Values(words))) }

// leads is where an answer leads: to its sources and, where there is none or on the terminal,
// to the nearest documents.
func (c surfaceCase) leads(surface string) []string {
	var addresses []string
	for _, source := range c.answer.Sources {
		addresses = append(addresses, source.URL)
	}
	for _, n := range c.answer.Nearest {
		if surface == "terminal" || c.answer.Verdict == citations.NoAnswer {
			addresses = append(addresses, n.URL)
		}
	}
	return slices.DeleteFunc(sorted(addresses), func(url string) bool { return url == "" })
}

// leads is where a sight's links lead, with the brackets that Discord wants written otherwise.
func (s sight) leads() []string {
	var links []string
	for _, page := range s {
		for _, link := range page.links {
			links = append(links, strings.NewReplacer("%28", "(", "%29", ")").Replace(link))
		}
	}
	return sorted(links)
}
