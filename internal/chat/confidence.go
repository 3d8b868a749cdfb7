package chat

import (
	"math"

	"citebot/internal/citations"
	"citebot/internal/kb"
)

// The verdict's thresholds on the confidence.
const (
	sureFrom   = 0.60
	unsureFrom = 0.30
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

// A model is a logistic regression over Signals.
type model struct {
	bias, cosine, coverage, fused, margin, agree, unit, overlap, fit float64
}

// Provisional, set by hand until TestCalibrate has real signals to fit.
var (
	withVectors = model{bias: -9.2, cosine: 7, coverage: 1.5, unit: 4, overlap: 1.5, agree: 0.3, margin: 0.5}
	wordsAlone  = model{bias: -2.6, coverage: 3, overlap: 2.5, margin: 0.5}
)

// Confidence is the probability that what was found answers the question.
func (s Signals) Confidence() float64 {
	if s == (Signals{}) {
		return 0
	}
	m := wordsAlone
	if s.Vectors {
		m = withVectors
	}
	z := m.bias + m.cosine*s.Cosine + m.coverage*s.Coverage + m.fused*s.Fused + m.margin*s.Margin +
		m.agree*s.Agree + m.unit*s.Unit + m.overlap*s.Overlap + m.fit*s.Fit
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
