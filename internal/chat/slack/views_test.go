package slack

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"citebot/internal/chat/layout"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	api "github.com/slack-go/slack"
)

// https://docs.slack.dev/surfaces/app-home and https://docs.slack.dev/reference/views
const (
	viewBlocks = 100
	viewTitle  = 24
)

var aHome = Home{
	Documents: []Document{
		{Title: "Returns & <refunds> *now*", Updated: "2026-03-01", URL: "https://bot.example/d/1"},
		{Title: "Delivery", Updated: "2026-02-28"},
		{Title: "", URL: "javascript:alert(1)"},
	},
	Questions: []string{"How long do I have to return something?", " ", "What does <!channel> cost?", "Three?", "Four?", "Five?"},
	Audience:  []string{"public", "staff"},
	Persons:   true,
}

// TestViews compares the home and the form, as shown and on the wire, with testdata/views.txtar.
func TestViews(t *testing.T) {
	const file = "testdata/views.txtar"
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"home": shownAs(t, []message{{blocks: homeView(aHome).Blocks.BlockSet}}),
		"new":  shownAs(t, []message{{blocks: homeView(Home{}).Blocks.BlockSet}}),
		"form": indentedJSON(t, feedbackView(42)),
	}
	for i, f := range ar.Files {
		if diff := cmp.Diff(string(f.Data), got[f.Name]); diff != "" && !*rewrite {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
		ar.Files[i].Data = []byte(got[f.Name])
	}
	if *rewrite {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func indentedJSON(t *testing.T, v any) string {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

func TestFormLimits(t *testing.T) {
	v := feedbackView(1 << 62)
	for _, o := range []*api.TextBlockObject{v.Title, v.Submit, v.Close} {
		if o.Type != api.PlainTextType || layout.Chars(o.Text) > viewTitle {
			t.Errorf("%+v", o)
		}
	}
}

// TestHomeOfAnything: whatever documents are called, the home stays within its limits, has
// no markup and leads to nothing else.
func TestHomeOfAnything(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			h := Home{Questions: []string{s, s, s, s, s, s}, Audience: []string{s, s}}
			for i := range 200 {
				h.Documents = append(h.Documents, Document{Title: s, Updated: s, URL: fmt.Sprintf("https://bot.example/%d", i)})
			}
			nodes := readBlocks(t, homeView(h).Blocks.BlockSet)
			if len(nodes) > viewBlocks {
				t.Errorf("%d blocks", len(nodes))
			}
			documents, more := 0, false
			walkNodes(nodes, func(n wireNode) {
				switch {
				case n.Type == "link" && strings.HasPrefix(n.URL, "https://bot.example/"):
					documents++
				case n.Type == "link" || n.Type == "mrkdwn" && strings.Contains(n.Text.string, "<"):
					t.Errorf("links to %q in %.200q", n.URL, n.Text.string)
				case n.Type == "mrkdwn" && !n.Verbatim:
					t.Errorf("not verbatim: %.200q", n.Text.string)
				}
				more = more || n.Text.string == "and 160 more"
				if strings.HasPrefix(n.Type, "rich_text_") && (len(n.Elements) == 0 || n.Type == "rich_text_section" && layout.Chars(n.said()) > sectionChars) {
					t.Errorf("%s of %d elements", n.Type, len(n.Elements))
				}
			})
			if documents != maxDocuments || !more {
				t.Errorf("%d documents; says that there are 160 more: %v", documents, more)
			}
		})
	}
}

func TestPrompts(t *testing.T) {
	for _, s := range hostile {
		for _, p := range prompts(Home{Questions: []string{s, s, s, s, s, s}}) {
			if p.Title == "" || p.Message == "" || layout.Chars(p.Title) > promptChars {
				t.Errorf("%+v", p)
			}
		}
	}
	long := "How long do I have to return something that I bought in one of your shops abroad last week?"
	got := prompts(Home{Questions: []string{"", "One?", long, "Three?", "Four?", "Five?"}})
	want := []api.AssistantThreadsPrompt{
		{Title: "One?", Message: "One?"},
		{Title: "How long do I have to return something that I bought in one of your shops…", Message: long},
		{Title: "Three?", Message: "Three?"},
		{Title: "Four?", Message: "Four?"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("prompts (-want +got):\n%s", diff)
	}
}
