package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestAnswers runs testdata/answers/*.txtar and testdata/written/*.txtar: the comment holds
// "question: …", files that begin with "draft" are what a model writes when it is called for
// the first, the second time, "want" is the answer as show writes it, and every other file is
// a document.
func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, want := answerCase(t, ar)
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// answerCase answers the case's question and returns the file that says what is wanted.
func answerCase(t *testing.T, ar *txtar.Archive) (got string, want *txtar.File) {
	var docs []kb.Document
	var model script
	for i := range ar.Files {
		switch f := &ar.Files[i]; {
		case f.Name == "want":
			want = f
		case strings.HasPrefix(f.Name, "draft"):
			model.drafts = append(model.drafts, string(f.Data))
		default:
			docs = append(docs, document(f.Name, string(f.Data)))
		}
	}
	_, question, ok := strings.Cut(string(ar.Comment), "question: ")
	if !ok || want == nil {
		t.Fatal("a case needs a question and a want")
	}
	question, _, _ = strings.Cut(question, "\n")
	a := &Answerer{Search: finds(hits(docs...)), Similarity: alike, Log: strictLog(t)}
	if len(model.drafts) > 0 {
		a.Writer = newWriter(t, &model)
	}
	return show(ask(t, a, question)), want
}

func TestAnswerTellsStages(t *testing.T) {
	a := &Answerer{Search: finds(hits(document("a.md", "Returns take 30 days.")))}
	var got []Stage
	if _, err := a.Answer(t.Context(), Question{Text: "How long do returns take?"}, func(p Progress) { got = append(got, p.Stage) }); err != nil {
		t.Fatal(err)
	}
	if want := []Stage{Searching, Reading, Checking}; !slices.Equal(got, want) {
		t.Errorf("stages %v, want %v", got, want)
	}
}

func TestAnswerPassesAudiencesAndHistory(t *testing.T) {
	var got kb.Query
	a := &Answerer{Search: func(_ context.Context, q kb.Query) (kb.Results, error) {
		got = q
		return kb.Results{}, nil
	}}
	q := Question{
		Text: "\u200bAnd on   holidays?", Audiences: []string{"staff"},
		History: []Turn{{"user", "When is the shop open?"}, {"assistant", "From 9 to 5."}},
	}
	answer, err := a.Answer(t.Context(), q, nil)
	if err != nil || answer.Verdict != citations.NoAnswer {
		t.Fatalf("Answer: %v, %v; want no_answer when nothing is found", answer.Verdict, err)
	}
	want := kb.Query{
		Text: "And on holidays?", Audiences: []string{"staff"},
		Context: []kb.Clue{{Text: "When is the shop open?", Weight: userLeaning}, {Text: "From 9 to 5.", Weight: assistantLeaning}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func TestAnswerWithoutSimilarity(t *testing.T) {
	found := hits(document("a.md", "Returns take 30 days.\nShoes are brown."))
	a := &Answerer{Search: finds(found), Log: strictLog(t)}
	a.Similarity = func(context.Context, string, []string) ([]float64, error) { return nil, errors.New("no model") }
	answer := ask(t, a, "How long do returns take?")
	if answer.Text != "Returns take 30 days. [1]" || !slices.Equal(answer.Degraded, []string{"vectors"}) {
		t.Errorf("answer %q, degraded %v", answer.Text, answer.Degraded)
	}
}

func TestAnswerReturnsErrors(t *testing.T) {
	a := &Answerer{Search: func(context.Context, kb.Query) (kb.Results, error) { return kb.Results{}, kb.ErrBusy }}
	if _, err := a.Answer(t.Context(), Question{Text: "Open on Sundays?"}, nil); !errors.Is(err, kb.ErrBusy) {
		t.Errorf("error %v, want kb.ErrBusy", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a.Search = finds(hits(document("a.md", "Open on Sundays.")))
	a.Similarity = func(context.Context, string, []string) ([]float64, error) { cancel(); return nil, ctx.Err() }
	if _, err := a.Answer(ctx, Question{Text: "Open on Sundays?"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// TestWithheld: an answer whose words stand in no passage reaches nobody, whoever made it.
func TestWithheld(t *testing.T) {
	found := hits(document("a.md", "Returns take 30 days."))
	a := &Answerer{Log: slog.New(slog.DiscardHandler)}
	answer := citations.Answer{Verdict: citations.Answered, Text: "Forged. [1]",
		Parts:   []citations.Part{{Text: "Forged.", Sources: []int{1}}},
		Sources: []citations.Source{{N: 1, Quote: "Forged.", Hash: found[0].Passages[0].Hash}}}
	got := a.checked(answer, kb.Results{Hits: found})
	if got.Verdict != citations.NoAnswer || len(got.Parts) > 0 || strings.Contains(got.Text, "Forged") {
		t.Errorf("a forged answer went out: %+v", got)
	}
}

func TestLogHasNoQuestion(t *testing.T) {
	var log bytes.Buffer
	a := &Answerer{
		Search: finds(hits(document("a.md", "Returns take 30 days."))),
		Log:    slog.New(slog.NewJSONHandler(&log, nil)),
	}
	ask(t, a, "How long do returns take for Xanthippe?")
	ask(t, a, "thanks!")
	if lines := strings.Count(log.String(), "\n"); lines != 2 {
		t.Errorf("%d log lines for 2 questions:\n%s", lines, &log)
	}
	for _, text := range []string{"Xanthippe", "30 days", "returns"} {
		if strings.Contains(log.String(), text) {
			t.Errorf("the log tells %q:\n%s", text, &log)
		}
	}
	if !strings.Contains(log.String(), `"refused":"thanks"`) {
		t.Errorf("the log does not say why nothing was searched:\n%s", &log)
	}
}

func TestAnswerListsAreNeverNull(t *testing.T) {
	a := &Answerer{Search: finds(nil)}
	for _, question := range []string{"hi", "Is there parking?"} {
		data, err := json.Marshal(ask(t, a, question))
		if err != nil || strings.Contains(string(data), "null") {
			t.Errorf("%s: %s %v", question, data, err)
		}
	}
}
