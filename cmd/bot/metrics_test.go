package main

import (
	"math"
	"testing"
)

// The expected values are worked out by hand from the definitions.
func TestRankingMeasures(t *testing.T) {
	ranking := []string{"a", "b", "c", "d", "e", "f"}
	log2 := math.Log2
	for _, test := range []struct {
		name      string
		got, want float64
	}{
		{"hit first", hit(ranking, []string{"a"}, 1), 1},
		{"hit just outside", hit(ranking, []string{"d"}, 3), 0},
		{"hit just inside", hit(ranking, []string{"c"}, 3), 1},
		{"hit beyond the ranking", hit(ranking, []string{"z"}, 10), 0},
		{"hit in nothing", hit(nil, []string{"a"}, 5), 0},
		{"recall of all", recall(ranking, []string{"a", "e"}, 5), 1},
		{"recall of half", recall(ranking, []string{"a", "f"}, 5), 0.5},
		{"recall of none", recall(ranking, []string{"y", "z"}, 5), 0},
		{"reciprocal rank, second of two gold is first", reciprocalRank(ranking, []string{"e", "b"}, 10), 1.0 / 2},
		{"reciprocal rank cut off", reciprocalRank(ranking, []string{"f"}, 5), 0},
		{"nDCG perfect", ndcg(ranking, []string{"b", "a"}, 10), 1},
		{"nDCG second", ndcg(ranking, []string{"b"}, 10), 1 / log2(3)},
		{"nDCG first and fourth of two", ndcg(ranking, []string{"a", "d"}, 10), (1 + 1/log2(5)) / (1 + 1/log2(3))},
		{"nDCG with more gold than k", ndcg(ranking, []string{"b", "c", "a"}, 2), 1},
		{"nDCG cut off", ndcg(ranking, []string{"c"}, 2), 0},
		{"passage", holdsPassage([]string{"x", "You have: 30\ndays!"}, "you have 30 days"), 1},
		{"passage over two texts", holdsPassage([]string{"You have", "30 days"}, "you have 30 days"), 0},
		{"AUROC apart", auroc([]float64{0.9, 0.8}, []float64{0.1, 0.2}), 1},
		{"AUROC reversed", auroc([]float64{0.1}, []float64{0.2, 0.3}), 0},
		{"AUROC all tied", auroc([]float64{0.5, 0.5}, []float64{0.5}), 0.5},
		// pairs: .9>.4 .9>.5, .5>.4 .5=.5, .3<.4 .3<.5: (2 + 1.5 + 0) / 6
		{"AUROC mixed", auroc([]float64{0.9, 0.5, 0.3}, []float64{0.4, 0.5}), 3.5 / 6},
		{"mean", mean([]float64{1, 0, 0, 1}), 0.5},
	} {
		if math.Abs(test.got-test.want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", test.name, test.got, test.want)
		}
	}
}

func TestMeasuresOfNothing(t *testing.T) {
	for name, got := range map[string]float64{"mean": mean(nil), "AUROC": auroc([]float64{1}, nil)} {
		if !math.IsNaN(got) {
			t.Errorf("%s of nothing is %v, want NaN: it must not count as a figure", name, got)
		}
	}
}
