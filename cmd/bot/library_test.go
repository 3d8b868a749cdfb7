package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"citebot/internal/chat/discord"
	"citebot/internal/kb"

	"github.com/google/go-cmp/cmp"
)

// A real library of documents for everyone and for staff, one of each of which cannot be
// read.
func TestDiscordLibrary(t *testing.T) {
	docs := t.TempDir()
	for name, text := range map[string]string{
		"returns.md":        "---\nupdated: 2026-01-02\n---\n# Returns\n\nYou have 30 days.\n\n## Gifts\n\n### Vouchers\n\nVouchers are not returned.\n",
		"delivery.md":       "---\nupdated: 2026-02-03\n---\n# Delivery\n\nTwo days.\n",
		"no-date.md":        "# Hours\n\nNine to five.\n",
		"staff/leave.md":    "# Leave\n\nTwenty-five days.\n",
		"broken.md":         "---\naudience: staff\nupdated: [\n---\nNobody can tell whom this is for.\n",
		"staff/salaries.md": "",
	} {
		file := filepath.Join(docs, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := defaults()
	cfg.Docs, cfg.State, cfg.Folders = docs, t.TempDir(), []folderRule{{"staff", "staff"}}
	p, err := openPipeline(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.library.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	library := discordLibrary(p)

	got := library.Documents([]string{"public"})
	var titles []string
	for _, d := range got {
		titles = append(titles, d.Title)
	}
	if diff := cmp.Diff([]string{"Delivery", "Returns", "Hours"}, titles); diff != "" {
		t.Fatal(diff)
	}
	url := func(path string) string {
		for _, o := range p.library.Outlines([]string{"public"}) {
			if o.Path == path {
				return p.answerer.SourceURL(o.First)
			}
		}
		return ""
	}
	returns := got[1]
	want := discord.Document{Path: "returns.md", Title: "Returns", Updated: "2026-01-02", URL: url("returns.md"), Sections: []discord.Section{
		{Title: "Gifts", Level: 1, URL: returns.Sections[0].URL}, {Title: "Vouchers", Level: 2, URL: returns.Sections[0].URL},
	}}
	if diff := cmp.Diff(want, returns); diff != "" || returns.Sections[0].URL == "" || returns.Sections[0].URL == returns.URL {
		t.Error(diff, returns)
	}

	for _, test := range []struct {
		audiences []string
		want      discord.Status
	}{
		{[]string{"public"}, discord.Status{Documents: 3, Passages: 4, Others: 2}},
		{[]string{"public", "staff"}, discord.Status{Documents: 4, Passages: 5, Others: 1, Problems: []discord.Problem{{Path: "staff/salaries.md", Reason: "the file is empty"}}}},
		{nil, discord.Status{Others: 2}},
	} {
		if diff := cmp.Diff(test.want, library.Status(test.audiences)); diff != "" {
			t.Errorf("for %v: %s", test.audiences, diff)
		}
	}
}

func TestDiscordStatus(t *testing.T) {
	library := kb.Status{Ready: true, Progress: kb.Progress{Vectors: 5, VectorsTotal: 12}, Problems: []string{"the deletion of staff/salaries.md waits"}, Degraded: []string{"vectors"}}
	docs := []kb.DocumentState{
		{Path: "a.md", State: kb.Live, Passages: 2, Audience: "public"},
		{Path: "b.md", State: kb.Pending, Passages: 3, Audience: "public"},
		{Path: "c.md", State: kb.Pending, Passages: 9, Audience: "staff"},
		{Path: "d.md", State: kb.Failed, Passages: 4, Audience: "public", Problem: "line 3: no; its earlier version still answers"},
		{Path: "e.md", State: kb.Failed, Audience: "public", Problem: "never read, so that only its folder speaks"},
	}
	for _, test := range []struct {
		audiences []string
		want      discord.Status
	}{
		{[]string{"public"}, discord.Status{Documents: 3, Passages: 9, Pending: 3, Others: 2, Degraded: []string{"search by meaning"},
			Problems: []discord.Problem{{Path: "d.md", Reason: "line 3: no; its earlier version still answers"}}}},
		{[]string{"staff"}, discord.Status{Documents: 1, Passages: 9, Pending: 7, Others: 3, Degraded: []string{"search by meaning"}}},
	} {
		if diff := cmp.Diff(test.want, discordStatus(docs, library, test.audiences)); diff != "" {
			t.Errorf("for %v: %s", test.audiences, diff)
		}
	}
	if s := discordStatus(nil, kb.Status{}, nil); !s.Loading {
		t.Errorf("%+v", s)
	}
}
