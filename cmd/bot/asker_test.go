package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/chat"
	"citebot/internal/citations"
	"citebot/internal/kb"

	"github.com/google/go-cmp/cmp"
)

// daemonThat serves what the handler says, and returns how to ask it.
func daemonThat(t *testing.T, handler http.HandlerFunc) remote {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return remote{server.URL, "secret"}
}

func TestRemoteAsks(t *testing.T) {
	want := citations.Answer{Verdict: citations.Answered, Text: "30 days [1]", Parts: []citations.Part{}, Sources: []citations.Source{}, Degraded: []string{}}
	asked := chat.Question{Text: "How long?", History: []chat.Turn{{Role: "user", Text: "Hi"}}, Audiences: []string{"staff"}}
	tries := 0
	r := daemonThat(t, func(w http.ResponseWriter, req *http.Request) {
		if tries++; tries == 1 {
			http.Error(w, "still reading", http.StatusServiceUnavailable)
			return
		}
		var got chat.Question
		if err := json.NewDecoder(req.Body).Decode(&got); err != nil || req.URL.Path != "/api/ask" {
			t.Errorf("asked %s: %v", req.URL, err)
		}
		if diff := cmp.Diff(asked, got); diff != "" || req.Header.Get("Authorization") != "Bearer secret" {
			t.Error(diff, req.Header)
		}
		json.NewEncoder(w).Encode(want)
	})
	got, err := r.Ask(t.Context(), asked)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if tries != 2 {
		t.Errorf("asked %d times, want again after the daemon was busy", tries)
	}
}

// What the daemon found is shown and marshalled as if it had been found here.
func TestRemoteFindsWhatWasFound(t *testing.T) {
	want := kb.Results{Degraded: []string{"vectors"}, Took: 1500 * time.Microsecond, Hits: []kb.Hit{{
		Passages: []*kb.Passage{
			{Path: "a.md", Title: "A", Headings: []string{"Top", "Sub"}, Text: "one", Lines: kb.Lines{1, 2}, Hash: "h", Updated: "2026-01-02"},
			{Path: "a.md", Title: "A", Text: "two", Lines: kb.Lines{3, 4}},
		},
		Score: 0.5, BM25: kb.Leg{Rank: 1, Score: 7}, Vector: kb.Leg{Rank: 2, Score: 0.7}, Matched: []string{"one"},
	}}}
	r := daemonThat(t, func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(want) })
	got, err := r.Search(t.Context(), chat.Question{Text: "one"}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(marshalled(t, want), marshalled(t, got)); diff != "" {
		t.Error(diff)
	}
}

func marshalled(t *testing.T, v any) string {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRemoteErrorsSayWhatToDo(t *testing.T) {
	for _, test := range []struct {
		status int
		want   string
	}{
		{http.StatusUnauthorized, "BOT_TOKEN"},
		{http.StatusBadRequest, "no such thing"},
	} {
		r := daemonThat(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such thing", test.status) })
		_, err := r.Ask(t.Context(), chat.Question{})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: error %v, want %q and no token", test.status, err, test.want)
		}
	}
}

func TestDaemonFile(t *testing.T) {
	state := t.TempDir()
	want := daemon{URL: "http://127.0.0.1:1", PID: 7}
	if err := want.write(state); err != nil {
		t.Fatal(err)
	}
	if got, err := readDaemon(state); got != want || err != nil {
		t.Errorf("read %+v, %v", got, err)
	}
	if want.alive(t.Context()) {
		t.Error("nobody listens on port 1, yet the daemon is alive")
	}
}

// The first load is logged every five seconds where nothing can be drawn, until it is done.
func TestFollowLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		status := func() kb.Status {
			done := int(time.Since(start) / time.Second)
			return kb.Status{Ready: done >= 3, Documents: 1, Progress: kb.Progress{Documents: 1, DocumentsTotal: 1, Vectors: done, VectorsTotal: 12}}
		}
		var logged []string
		say, out, problems := screen()
		b := &bot{say: say}
		log := slog.New(slog.NewTextHandler(writer(func(line string) {
			_, rest, _ := strings.Cut(line, "msg=")
			logged = append(logged, time.Since(start).Round(time.Second).String()+" "+strings.TrimSpace(rest))
		}), nil))
		if err := b.followLoad(t.Context(), status, log); err != nil {
			t.Fatal(err)
		}
		want := []string{
			`5s loading step="preparing search by meaning" done=5 of=12`,
			`10s loading step="preparing search by meaning" done=10 of=12`,
			`12s "documents are loaded" documents=1 passages=0 failed=0 skipped=0`,
		}
		if diff := cmp.Diff(want, logged); diff != "" || out.Len()+problems.Len() > 0 {
			t.Error(diff, out, problems)
		}
	})
}

type writer func(line string)

func (w writer) Write(b []byte) (int, error) {
	w(string(b))
	return len(b), nil
}

// On a terminal the bar is drawn over, and whatever else is written takes its place.
func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drawn strings.Builder
		p := &progress{w: &drawn, moving: true}
		for i := range 4 {
			p.show(loading(kb.Progress{Documents: i, DocumentsTotal: 4}))
			time.Sleep(redrawEvery) // the bubble's time
		}
		io.WriteString(p, "a log line\n")
		p.clear()
		want := eraseLine + "█████░░░░░░░░░░░░░░░ reading documents: 1 of 4" +
			eraseLine + "██████████░░░░░░░░░░ reading documents: 2 of 4" +
			eraseLine + "███████████████░░░░░ reading documents: 3 of 4" +
			eraseLine + "a log line\n"
		if diff := cmp.Diff(want, drawn.String()); diff != "" {
			t.Error(diff)
		}
	})
}
