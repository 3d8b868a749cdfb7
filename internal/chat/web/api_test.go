package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"citebot/internal/chat"
	"citebot/internal/citations"

	"github.com/google/go-cmp/cmp"
)

// serve sends one request, "METHOD path", and returns what came back.
func serve(s http.Handler, target, body string, headers ...string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(target, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	return v
}

func TestAskReturnsTheAnswer(t *testing.T) {
	shop := newShop()
	s := newTestServer(t, shop.config())
	w := serve(s, "POST /api/ask", `{"question":"What does delivery cost?","history":[{"role":"user","text":"Hi"}],"audience":["staff"]}`)
	if diff := cmp.Diff(shop.answers["What does delivery cost?"], decode[citations.Answer](t, w)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q: an answer must not be kept", got)
	}
	serve(s, "POST /api/ask", `{"question":"Hello?"}`)
	want := []chat.Question{
		{Text: "What does delivery cost?", History: []chat.Turn{{Role: "user", Text: "Hi"}}, Audiences: []string{"staff"}},
		{Text: "Hello?", Audiences: []string{"public"}},
	}
	if diff := cmp.Diff(want, shop.questions()); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

// A question that says nothing is the pipeline's to answer, with the same words as in the
// terminal; it is no fault of the client's program.
func TestABlankQuestionIsAnsweredByThePipeline(t *testing.T) {
	shop := newShop()
	s := newTestServer(t, shop.config())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "http://127.0.0.1/api/ask", strings.NewReader(`{"question":" "}`)))
	if w.Code != 200 || len(shop.asked) != 1 || shop.asked[0].Text != " " {
		t.Errorf("status %d, asked %v: %s", w.Code, shop.asked, w.Body)
	}
}

func TestBadRequestsSayWhatToMend(t *testing.T) {
	s := newTestServer(t, newShop().config())
	for _, c := range []struct {
		target, body string
		status       int
		says         string
	}{
		{"POST /api/ask", ``, 400, "empty"},
		{"POST /api/ask", `question`, 400, "not JSON"},
		{"POST /api/ask", `{"question":`, 400, "not the JSON object"},
		{"POST /api/ask", `[]`, 400, "question, history, audience and explain"},
		{"POST /api/ask", `{"quesion":"x"}`, 400, `unknown key \"quesion\"`},
		{"POST /api/ask", `{"question":"x","history":[{"role":"user","txt":"y"}]}`, 400, `unknown key \"txt\"`},
		{"POST /api/ask", `{"question":"x"} {}`, 400, "one object"},
		{"POST /api/ask", `{"question":7}`, 400, `\"question\" is a JSON number`},
		{"POST /api/ask", `{"question":"x","audience":"staff"}`, 400, `\"audience\" is a JSON string`},
		{"POST /api/ask", `{"question":"x","history":[{"role":"system","text":"y"}]}`, 400, `\"system\"`},
		{"POST /api/ask", `{"question":"` + strings.Repeat("x", maxBody) + `"}`, 413, "256 KB"},
		{"POST /api/ask", `{"question":"busy"}`, 503, "try again"},
		{"POST /api/ask", `{"question":"broken"}`, 500, "went wrong"},
		{"POST /api/ask", `{"question":"panic"}`, 500, "went wrong"},
		{"GET /api/search", ``, 400, "/api/search?q="},
		{"GET /api/search?q=x&limit=many", ``, 400, `\"many\" is not a whole number`},
		{"GET /api/search?q=x&limit=0", ``, 400, "between 1 and 100"},
		{"GET /api/search?q=x&limit=101", ``, 400, "between 1 and 100"},
		{"GET /api/search?q=busy", ``, 503, "try again"},
		{"POST /api/search", `{"q":"x"}`, 400, "query, history, audience and limit"},
		{"GET /api/nothing", ``, 404, "no such page"},
		{"GET /api/ask", ``, 404, "another method than GET"},
	} {
		w := serve(s, c.target, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %.60s: %d %s, want %d and %q", c.target, c.body, w.Code, w.Body, c.status, c.says)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s %.60s tells a stranger the cause: %s", c.target, c.body, w.Body)
		}
		if (w.Header().Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%s %.60s: Retry-After %q with status %d", c.target, c.body, w.Header().Get("Retry-After"), w.Code)
		}
	}
}

// streamed returns an event stream as "event data" lines.
func streamed(t *testing.T, w *httptest.ResponseRecorder) []string {
	t.Helper()
	var lines []string
	scanner := bufio.NewScanner(w.Body)
	for scanner.Scan() {
		if name, ok := strings.CutPrefix(scanner.Text(), "event: "); ok && scanner.Scan() {
			lines = append(lines, name+" "+strings.TrimPrefix(scanner.Text(), "data: "))
		}
	}
	return lines
}

func TestProgressComesBeforeTheAnswer(t *testing.T) {
	shop := newShop()
	s := newTestServer(t, shop.config())
	w := serve(s, "POST /api/ask", `{"question":"What does delivery cost?"}`, "Accept", "text/event-stream")
	answer, err := json.Marshal(shop.answers["What does delivery cost?"])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`progress {"stage":"searching"}`, `progress {"stage":"reading"}`, `progress {"stage":"checking"}`, "answer " + string(answer)}
	if diff := cmp.Diff(want, streamed(t, w)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if !w.Flushed {
		t.Error("progress was held back")
	}
}

func TestStreamTellsOfTrouble(t *testing.T) {
	s := newTestServer(t, newShop().config())
	w := serve(s, "POST /api/ask", `{"question":"broken late"}`, "Accept", "text/event-stream")
	want := []string{`progress {"stage":"searching"}`, `error {"error":"` + textBroken + `"}`}
	if diff := cmp.Diff(want, streamed(t, w)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	w = serve(s, "POST /api/ask", `{"question":"busy"}`, "Accept", "text/event-stream")
	if w.Code != 503 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		t.Errorf("busy before the first event: %d %s", w.Code, w.Header().Get("Content-Type"))
	}
}

func TestGateRefusesWhenTheLineIsLong(t *testing.T) { synctest.Test(t, testGate) }

func testGate(t *testing.T) {
	g := newGate(1, 1)
	leave, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.enter(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("someone who left the line got %v", err)
	}
	entered := make(chan error, 1)
	go func() {
		_, err := g.enter(t.Context())
		entered <- err
	}()
	synctest.Wait() // it stands in line
	if _, err := g.enter(t.Context()); !errors.Is(err, errFull) {
		t.Errorf("beyond the line: %v, want errFull", err)
	}
	leave()
	if err := <-entered; err != nil {
		t.Errorf("the second in line: %v", err)
	}
}

func TestSearchPassesItsParameters(t *testing.T) {
	s := newTestServer(t, newShop().config())
	want := map[string]any{"query": "returns", "history": nil, "audiences": []any{"public", "staff"}, "limit": 3.0}
	got := decode[map[string]any](t, serve(s, "GET /api/search?q=returns&limit=3&audience=public,+staff", ""))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET (-want +got):\n%s", diff)
	}
	want = map[string]any{"query": "returns", "history": []any{map[string]any{"role": "user", "text": "Hi"}}, "audiences": []any{"public"}, "limit": 10.0}
	got = decode[map[string]any](t, serve(s, "POST /api/search", `{"query":"returns","history":[{"role":"user","text":"Hi"}]}`))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("POST (-want +got):\n%s", diff)
	}
}

func TestDocumentsAreListedAndKept(t *testing.T) {
	shop := newShop()
	s := newTestServer(t, shop.config())
	w := serve(s, "GET /api/documents", "")
	if diff := cmp.Diff(shop.docs, decode[[]Document](t, w)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if again := serve(s, "GET /api/documents", "", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("the same list again: %d", again.Code)
	}
	shop.docs[0].Passages++
	if again := serve(s, "GET /api/documents", "", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusOK {
		t.Errorf("a changed list: %d", again.Code)
	}
	if staff := decode[[]Document](t, serve(s, "GET /api/documents?audience=staff", "")); len(staff) != 1 || staff[0].Path != "staff/salaries.md" {
		t.Errorf("the staff's documents: %v", staff)
	}
	shop.docs = nil
	if w := serve(s, "GET /api/documents", ""); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("no documents: %s", w.Body)
	}
}

func TestReadyzNamesEachPart(t *testing.T) {
	shop := newShop()
	s := newTestServer(t, shop.config())
	if w := serve(s, "GET /readyz", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"web":{"state":"ok"}`) {
		t.Errorf("ready: %d %s", w.Code, w.Body)
	}
	shop.ready = Readiness{Parts: map[string]Part{"library": {State: StateLoading, Progress: &Progress{Documents: 3, DocumentsTotal: 9}}}}
	want := `{"ready":false,"summary":"Reading the documents: 3 of 9","parts":{"library":{"state":"loading",` +
		`"progress":{"documents":3,"documents_total":9,"vectors":0,"vectors_total":0}},"web":{"state":"ok"}}}`
	if w := serve(s, "GET /readyz", ""); w.Code != 503 || strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("loading: %d %s", w.Code, w.Body)
	}
	if w := serve(s, "GET /livez", ""); w.Code != 200 {
		t.Errorf("livez while loading: %d", w.Code)
	}
}

func TestMetricsCountWithoutWords(t *testing.T) {
	cfg := newShop().config()
	var asked []string
	cfg.Asked = func(verdict string) { asked = append(asked, verdict) }
	s := newTestServer(t, cfg)
	serve(s, "POST /api/ask", `{"question":"What does delivery cost?"}`)
	serve(s, "POST /api/ask", `{"question":"busy"}`)
	if want := []string{"answered", "busy"}; !slices.Equal(asked, want) {
		t.Errorf("told of %q, want %q", asked, want)
	}
	serve(s, "GET /s/"+hashReturns, "")
	serve(s, "GET /s/0123456789", "")
	serve(s, "GET /wp-login.php", "")
	page := serve(s, "GET /metrics", "").Body.String()
	for _, line := range []string{
		`citebot_web_answer_seconds_count 2`,
		`citebot_web_requests_total{route="POST /api/ask",status="200"} 1`,
		`citebot_web_requests_total{route="GET /s/{hash}",status="404"} 1`,
		`citebot_web_requests_total{route="other",status="404"} 1`,
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	for _, words := range []string{"delivery cost", hashReturns, "wp-login"} {
		if strings.Contains(page, words) {
			t.Errorf("the metrics hold %q", words)
		}
	}
}

// The line on the ask page tells what an asker should know, and nothing of the rest.
func TestSummary(t *testing.T) {
	filling := &Progress{Vectors: 2, VectorsTotal: 9}
	for _, test := range []struct {
		parts map[string]Part
		want  string
	}{
		{map[string]Part{"vectors": {State: StateOK}}, ""},
		{map[string]Part{"slack": {State: StateFailed, Problem: "SLACK_BOT_TOKEN was refused"}}, ""},
		{map[string]Part{"library": {State: StateLoading}}, "Reading the documents…"},
		{map[string]Part{"vectors": {State: StateLoading, Progress: filling}}, "Preparing search by meaning: 2 of 9 passages"},
		{map[string]Part{"vectors": {State: StateDegraded, Problem: "Qdrant at 10.0.0.7:6334 cannot be reached", Progress: filling}},
			"Search by meaning is not fully available right now; answers may be less complete."},
	} {
		if got := (Readiness{Parts: test.parts}).summary(); got != test.want {
			t.Errorf("%v: %q, want %q", test.parts, got, test.want)
		}
	}
}
