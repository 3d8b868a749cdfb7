package citations_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"citebot/internal/citations"
	"citebot/internal/kb"
	"citebot/internal/kb/embed"

	"github.com/google/go-cmp/cmp"
)

var (
	update  = flag.Bool("update", false, "rewrite testdata/pairs.golden")
	explain = flag.Bool("explain", false, "print the pairs that are judged wrongly")
)

// A labelled passage stands beside statements that it holds ("supported") or does not. The
// set "prompted" is written as a model does that goes by the prompt of package chat, over
// passages of kb-docs; "paraphrased" as freely as people retell a rule, over passages made up
// for it. Who wrote them did not know the check.
type labelled struct {
	Set, Title, Section, Passage string
	Statements                   [][2]string // label and statement
}

var pairLabels = []string{"supported", "altered", "negated", "stitched", "unrelated"}

func readPairs(t testing.TB) (all []labelled) {
	f, err := os.Open("testdata/pairs.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p labelled
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// sentence is what an item under a heading such as "What is not covered" is not.
var sentence = regexp.MustCompile(`(?i)\b(is|are|was|has|have|can|may|must|will|cannot|do|does)\b|^(we|you|tell|ask|send)\b`)

// excerpts takes the passage apart as package chat does: "- " begins an item, " | " stands
// between a row's cells.
func (p labelled) excerpts() (out []citations.Excerpt) {
	header, lead := "", ""
	heading := p.Section[strings.LastIndex(p.Section, " › ")+1:]
	if !citations.Denies(heading) {
		heading = ""
	}
	for line := range strings.Lines(p.Passage) {
		line = strings.TrimSpace(line)
		e := citations.Excerpt{Above: p.Title + "\n" + p.Section}
		if strings.Contains(line, " | ") {
			if header == "" {
				header = line
			}
			e.Text, e.Header = citations.Normal(line), header
			out = append(out, e)
			continue
		}
		header = ""
		if item, ok := strings.CutPrefix(line, "- "); ok {
			line, e.Lead = item, lead
		} else {
			lead = ""
		}
		for _, r := range kb.Sentences(line) {
			s := e
			if s.Text = citations.Normal(line[r[0]:r[1]]); s.Lead == "" && r[0] == 0 && !sentence.MatchString(s.Text) {
				s.Lead = strings.TrimPrefix(heading, "› ")
			}
			if n := len(out); r[0] > 0 && strings.HasSuffix(out[n-1].Text, "?") {
				s.Lead = out[n-1].Text
			}
			if strings.HasSuffix(s.Text, ":") {
				lead = s.Text
			}
			out = append(out, s)
		}
	}
	return out
}

// A judge proves statements with the built-in model, as the program does.
type judge struct {
	t       testing.TB
	model   *embed.Model
	vectors map[string][]float32
}

func newJudge(t testing.TB) *judge {
	m, err := embed.New()
	if err != nil {
		t.Fatal(err)
	}
	return &judge{t, m, map[string][]float32{}}
}

func (j *judge) vector(text string) []float32 {
	if j.vectors[text] == nil {
		v, err := j.model.EmbedPassages(j.t.Context(), []string{text})
		if err != nil {
			j.t.Fatal(err)
		}
		j.vectors[text] = v[0]
	}
	return j.vectors[text]
}

func (j *judge) prove(statement string, excerpts []citations.Excerpt, evidence citations.Evidence) *citations.Refusal {
	_, refused := evidence.Prove(citations.Normal(statement), citations.Language{
		Meaning: func(held []int) (cosine float64) {
			texts := []string{excerpts[0].Above}
			for _, i := range held {
				texts = append(texts, excerpts[i].Text)
			}
			a, b := j.vector(statement), j.vector(strings.Join(texts, "\n"))
			for k := range a {
				cosine += float64(a[k]) * float64(b[k])
			}
			return cosine
		},
		Common: func(word string) bool { return j.model.Tokens(word) <= j.model.Tokens("a")+1 },
	})
	return refused
}

// TestPairs compares what is refused with the reviewed counts. More supported ones refused,
// or fewer of the others, has to be weighed by whoever rewrites the file with -update.
func TestPairs(t *testing.T) {
	j := newJudge(t)
	type count struct{ refused, of int }
	counts := map[string]*count{}
	for _, p := range readPairs(t) {
		excerpts := p.excerpts()
		evidence := citations.Read(excerpts)
		for _, s := range p.Statements {
			refused := j.prove(s[1], excerpts, evidence)
			c := counts[p.Set+" "+s[0]]
			if c == nil {
				c = &count{}
				counts[p.Set+" "+s[0]] = c
			}
			c.of++
			if refused != nil {
				c.refused++
			}
			if *explain && (refused == nil) != (s[0] == "supported") {
				fmt.Printf("%s %s: %s\n  %v\n", p.Set, s[0], s[1], refused)
			}
		}
	}
	var b strings.Builder
	b.WriteString("# Of the statements in pairs.jsonl, how many are refused. Of the supported ones none should\n# be, of the others all.\n")
	for _, set := range []string{"prompted", "paraphrased"} {
		for _, label := range pairLabels {
			c := counts[set+" "+label]
			fmt.Fprintf(&b, "%-11s  %-9s  %4d of %4d  %.3f\n", set, label, c.refused, c.of, float64(c.refused)/float64(c.of))
		}
	}
	const golden = "testdata/pairs.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// BenchmarkProve checks an answer of four statements against the passages that they cite,
// without the time to embed any of them.
func BenchmarkProve(b *testing.B) {
	pairs := readPairs(b)
	var statements []string
	for _, s := range pairs[0].Statements {
		if s[0] == "supported" && len(statements) < 4 {
			statements = append(statements, citations.Normal(s[1]))
		}
	}
	excerpts := pairs[0].excerpts()
	for b.Loop() {
		evidence := citations.Read(excerpts)
		for _, s := range statements {
			evidence.Prove(s, citations.Language{Meaning: func([]int) float64 { return 1 }})
		}
	}
}
