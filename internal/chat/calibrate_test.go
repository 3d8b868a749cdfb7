package chat

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// A sample is one line of testdata/signals.jsonl, as `bot eval --signals` writes them; set
// says which questions it is from.
type sample struct {
	Set        string  `json:"set"`
	Answerable bool    `json:"answerable"`
	GoldRank   int     `json:"gold_rank"` // 0: not found
	Signals    Signals `json:"signals"`
}

// clear reports whether the right verdict is known: the documents hold no answer, or hold
// one that was found.
func (s sample) clear() bool { return !s.Answerable || s.GoldRank >= 1 && s.GoldRank <= 3 }

// TestCalibrate measures the confidence on recorded signals and compares the figures with
// testdata/confidence.golden. -update rewrites it, with the weights that a new fit gives.
func TestCalibrate(t *testing.T) {
	samples := readSamples(t)
	var b strings.Builder
	fmt.Fprintf(&b, "# The confidence on %d recorded questions: go test -run TestCalibrate -update\n\n", len(samples))
	for _, vectors := range []bool{true, false} {
		m := wordsAlone
		if vectors {
			m = withVectors
		}
		b.WriteString(describe(m, samples, vectors))
	}
	const file = "testdata/confidence.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the confidence is not what %s says (-want +got):\n%s", file, diff)
	}
}

func readSamples(t *testing.T) []sample {
	data, err := os.ReadFile("testdata/signals.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	for line := range bytes.Lines(data) {
		var s sample
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		if s.clear() {
			samples = append(samples, s)
		}
	}
	return samples
}

// describe tells how well a model parts answerable from unanswerable questions, with the
// cosines or without, and what a fit would give, on all sets and on those not fitted on.
func describe(m model, all []sample, vectors bool) string {
	samples := slices.Clone(all)
	for i := range samples {
		if s := &samples[i].Signals; !vectors {
			*s = Signals{Coverage: s.Coverage, Overlap: s.Overlap, Fit: s.Fit}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "vectors %v\n", vectors)
	fmt.Fprintf(&b, "  weights  %s\n  new fit  %s\n", m, fit(samples))
	b.WriteString("  set          n  AUROC  AUROC when fitted on the others\n")
	for _, set := range append(sets(samples), "all") {
		in, out := split(samples, set)
		held := "    –"
		if len(out) > 0 {
			held = fmt.Sprintf("%.3f", auroc(fit(out), in))
		}
		fmt.Fprintf(&b, "  %-9s %4d  %.3f  %s\n", set, len(in), auroc(m, in), held)
	}
	b.WriteString("  from   precision  recall  right verdicts, by set " + strings.Join(sets(samples), " ") + "\n")
	for _, from := range []float64{0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9} {
		b.WriteString(threshold(m, samples, from))
	}
	return b.String() + "\n"
}

func threshold(m model, samples []sample, from float64) string {
	precision, recall, _ := verdicts(m, samples, from)
	line := fmt.Sprintf("  %.2f   %.3f      %.3f  ", from, precision, recall)
	for _, set := range sets(samples) {
		in, _ := split(samples, set)
		_, _, right := verdicts(m, in, from)
		line += fmt.Sprintf(" %.3f", right)
	}
	return line + "\n"
}

// verdicts counts what answering from a confidence on would give.
func verdicts(m model, samples []sample, from float64) (precision, recall, right float64) {
	var answered, rightly, answerable, refused float64
	for _, s := range samples {
		sure := m.probability(s.Signals) >= from
		switch {
		case sure && s.Answerable:
			rightly++
		case !sure && !s.Answerable:
			refused++
		}
		if sure {
			answered++
		}
		if s.Answerable {
			answerable++
		}
	}
	return rightly / max(answered, 1), rightly / max(answerable, 1), (rightly + refused) / float64(len(samples))
}

func (m model) String() string {
	data, _ := json.Marshal(m.weights)
	text := strings.NewReplacer(`"`, "", "{", "", "}", "", ",vectors:false", "", ",", " ").Replace(string(data))
	return fmt.Sprintf("bias:%.4g %s", m.bias, text)
}

func sets(samples []sample) []string {
	var out []string
	for _, s := range samples {
		if !slices.Contains(out, s.Set) {
			out = append(out, s.Set)
		}
	}
	slices.Sort(out)
	return out
}

// split parts the samples of a set from the others; "all" has no others.
func split(samples []sample, set string) (in, out []sample) {
	for _, s := range samples {
		if set == "all" || s.Set == set {
			in = append(in, s)
		} else {
			out = append(out, s)
		}
	}
	return in, out
}

// auroc is the probability that an answerable question gets a higher confidence than an
// unanswerable one.
func auroc(m model, samples []sample) float64 {
	var wins, pairs float64
	for _, yes := range samples {
		for _, no := range samples {
			if yes.Answerable && !no.Answerable {
				pairs++
				wins += float64(1+cmp.Compare(m.probability(yes.Signals), m.probability(no.Signals))) / 2
			}
		}
	}
	return wins / max(pairs, 1)
}

// fit is a logistic regression by gradient descent on standardised signals, with a small
// pull to 0 since they are correlated. Sets count alike, and so do the two answers within
// each.
func fit(samples []sample) model {
	type class struct {
		set        string
		answerable bool
	}
	counts := map[class]float64{}
	for _, s := range samples {
		counts[class{s.Set, s.Answerable}]++
	}
	xs, mean, scale := standardise(samples)
	const rounds, rate, pull = 400, 3.0, 0.003
	w := make([]float64, 1+len(mean))
	for range rounds {
		gradient := make([]float64, len(w))
		for i, s := range samples {
			weight := 1 / counts[class{s.Set, s.Answerable}] / float64(len(counts))
			slope := weight * (logistic(dot(w, xs[i])) - number01(s.Answerable))
			for j, x := range xs[i] {
				gradient[j] += slope * x
			}
		}
		for j := range w {
			w[j] -= rate * (gradient[j] + pull*w[j]*number01(j > 0))
		}
	}
	for j := range mean {
		w[j+1] /= scale[j]
		w[0] -= w[j+1] * mean[j]
	}
	for j := range w {
		w[j] = math.Round(10*w[j]) / 10
	}
	return model{w[0], Signals{
		Cosine: w[1], Coverage: w[2], Fused: w[3], Margin: w[4], Agree: w[5], Unit: w[6], Overlap: w[7], Fit: w[8],
	}}
}

// standardise returns the samples' signals after a constant 1, each with mean 0 and
// variance 1, and what undoes that.
func standardise(samples []sample) (xs [][]float64, mean, scale []float64) {
	n := len(Signals{}.values())
	mean, scale = make([]float64, n), make([]float64, n)
	for _, s := range samples {
		for j, v := range s.Signals.values() {
			mean[j] += v / float64(len(samples))
		}
	}
	for _, s := range samples {
		for j, v := range s.Signals.values() {
			scale[j] += (v - mean[j]) * (v - mean[j]) / float64(len(samples))
		}
	}
	for j := range scale {
		scale[j] = max(math.Sqrt(scale[j]), 1e-6)
	}
	for _, s := range samples {
		x := []float64{1}
		for j, v := range s.Signals.values() {
			x = append(x, (v-mean[j])/scale[j])
		}
		xs = append(xs, x)
	}
	return xs, mean, scale
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func dot(a, b []float64) float64 {
	total := 0.0
	for i := range a {
		total += a[i] * b[i]
	}
	return total
}

func number01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
