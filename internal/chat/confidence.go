package chat

import (
	"math"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// The verdict's thresholds on the confidence. testdata/confidence.golden tells what others
// would give. Below the lower one the nearest passages would mislead more than help.
const (
	sureFrom   = 0.40
	unsureFrom = 0.20
)

// Signals are what a confidence rests on. Shares and scores are 0 to 1, cosines as the
// model gives them; 0 stands for what is not there.
type Signals struct {
	Cosine   float64 `json:"cosine"`   // of the best hit's passage with the question
	Coverage float64 `json:"coverage"` // idf-weighted share of the question's terms in the first hit
	Fused    float64 `json:"fused"`    // the first hit's score
	Margin   float64 `json:"margin"`   // by which the first document's score exceeds the second's
	Agree    float64 `json:"agree"`    // 1 when BM25 and vectors both rank the first hit in their first three
	Unit     float64 `json:"unit"`     // cosine of the best unit
	Overlap  float64 `json:"overlap"`  // share of the question's terms in the best unit
	Fit      float64 `json:"fit"`      // whether the best unit looks like what is asked for
	Vectors  bool    `json:"vectors"`  // whether cosines took part
}

// assess gathers the signals. best is the index of the unit that answers best, -1 for none.
func assess(hits []kb.Hit, r *reading, best int) Signals {
	var s Signals
	if len(hits) == 0 || best < 0 {
		return s
	}
	first := hits[0]
	for _, h := range hits {
		s.Cosine = max(s.Cosine, h.Vector.Score)
	}
	s.Vectors = s.Cosine > 0
	s.Coverage, s.Fused, s.Margin = first.Coverage, first.Score, margin(hits)
	if both := []int{first.BM25.Rank, first.Vector.Rank}; min(both[0], both[1]) > 0 && max(both[0], both[1]) <= 3 {
		s.Agree = 1
	}
	u := &r.units[best]
	s.Unit, s.Overlap, s.Fit = u.cosine, u.overlap, u.fit
	return s
}

// margin is how far the first hit's score is above that of the first hit from another
// document; the whole score when there is no other.
func margin(hits []kb.Hit) float64 {
	first := hits[0].Passages[0].Path
	for _, h := range hits {
		if h.Passages[0].Path != first {
			return hits[0].Score - h.Score
		}
	}
	return hits[0].Score
}

// values are the signals as numbers, in the order of the fields.
func (s Signals) values() []float64 {
	return []float64{s.Cosine, s.Coverage, s.Fused, s.Margin, s.Agree, s.Unit, s.Overlap, s.Fit}
}

// A model is a logistic regression over Signals: a weight for each, and a bias.
type model struct {
	bias    float64
	weights Signals
}

// Fitted by TestCalibrate on the questions of kb-docs and of four sets of shared/eval with
// off-topic ones among them, each set and each of its two answers counting alike; what
// stayed near 0 is left out. Fitted without a set, the model parts that set's answerable
// from its unanswerable questions nearly as well: see testdata/confidence.golden. Record
// new signals with `bot eval --signals` when ranking or model change.
var (
	withVectors = model{-16.8, Signals{Cosine: 14.2, Coverage: 1.2, Fused: 1.9, Margin: 1.4, Unit: 6}}
	wordsAlone  = model{-1.9, Signals{Coverage: 4.2}}
)

// Confidence is the probability that what was found answers the question.
func (s Signals) Confidence() float64 {
	switch {
	case s == (Signals{}):
		return 0
	case s.Vectors:
		return withVectors.probability(s)
	}
	return wordsAlone.probability(s)
}

// probability is rounded to three decimals: more would pretend to a precision.
func (m model) probability(s Signals) float64 {
	z, weights := m.bias, m.weights.values()
	for i, v := range s.values() {
		z += weights[i] * v
	}
	return math.Round(1000/(1+math.Exp(-z))) / 1000
}

// verdict says what a confidence is enough for.
func verdict(confidence float64) citations.Verdict {
	switch {
	case confidence >= sureFrom:
		return citations.Answered
	case confidence >= unsureFrom:
		return citations.Unsure
	}
	return citations.NoAnswer
}
