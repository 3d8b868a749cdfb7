package main

import (
	"bytes"
	"flag"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestGolden measures the sample documents with their own questions, through the real
// pipeline. `go test ./cmd/bot -run Golden -update` rewrites the reviewed figures.
func TestGolden(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds the sample documents, which takes some 20 s")
	}
	args := []string{"eval", "--config", "../../bot.yaml", "--docs", "../../kb-docs", "--state", t.TempDir(),
		"--golden", "testdata/kb-docs.golden", "../../kb-docs/golden.jsonl"}
	if *update {
		args = append(args, "--update")
	}
	var out, problems bytes.Buffer
	code := run(t.Context(), args, environment(), streams{strings.NewReader(""), &out, &problems})
	t.Logf("\n%s", &out)
	if code != exitOK {
		t.Errorf("exit code %d\n%s", code, &problems)
	}
}

func TestCompareGolden(t *testing.T) {
	file := write(t, "golden", string(goldenText(map[string]float64{"hit@1": 0.9, "AUROC": 0.8004, "unknown": 1})))
	for _, test := range []struct {
		name    string
		figures map[string]float64
		want    []string
	}{
		{"the same", map[string]float64{"hit@1": 0.9, "AUROC": 0.8}, nil},
		{"better, and one more", map[string]float64{"hit@1": 0.95, "AUROC": 0.9, "verdict": 0.1}, nil},
		{"lower by what is not shown", map[string]float64{"hit@1": 0.8996, "AUROC": 0.8}, nil},
		{"lower", map[string]float64{"hit@1": 0.899, "AUROC": 0.8}, []string{"hit@1 fell from 0.900 to 0.899"}},
		{"gone", map[string]float64{"hit@1": 0.8}, []string{"AUROC fell from 0.800 to –", "hit@1 fell from 0.900 to 0.800"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, err := range unjoin(compareGolden(file, test.figures, false)) {
				text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), file+": "), ";")
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGoldenFileIsChecked(t *testing.T) {
	for _, text := range []string{"hit@2 0.5\n", "hit@1 high\n", "hit@1\n", "hit@1 0.5 0.6\n"} {
		if _, err := readGolden(write(t, "golden", text)); err == nil || !strings.Contains(err.Error(), "golden:1: ") {
			t.Errorf("%q: error %v, want one with its line", text, err)
		}
	}
}
