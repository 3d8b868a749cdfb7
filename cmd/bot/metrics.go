package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// The measures of `bot eval`. A ranking is a list of documents, each once, at the place
// of its best passage; gold are the documents that answer. k is how far down one looks.

// hit is 1 if a gold document is among the first k, else 0 (success@k).
func hit(ranking, gold []string, k int) float64 {
	if reciprocalRank(ranking, gold, k) > 0 {
		return 1
	}
	return 0
}

// recall is the share of the gold documents among the first k.
func recall(ranking, gold []string, k int) float64 {
	found := 0
	for _, document := range ranking[:min(k, len(ranking))] {
		if slices.Contains(gold, document) {
			found++
		}
	}
	return float64(found) / float64(len(gold))
}

// reciprocalRank is 1 over the rank of the first gold document, 0 beyond k; its mean is
// MRR (Voorhees, "The TREC-8 Question Answering Track Report", 1999).
func reciprocalRank(ranking, gold []string, k int) float64 {
	for i, document := range ranking[:min(k, len(ranking))] {
		if slices.Contains(gold, document) {
			return 1 / float64(i+1)
		}
	}
	return 0
}

// ndcg is the discounted cumulative gain of binary relevance over that of an ideal
// ranking, with the discount log2(rank+1) (Järvelin and Kekäläinen, "Cumulated
// gain-based evaluation of IR techniques", 2002, in trec_eval's form).
func ndcg(ranking, gold []string, k int) float64 {
	gain, ideal := 0.0, 0.0
	for i := range k {
		discounted := 1 / math.Log2(float64(i+2))
		if i < len(ranking) && slices.Contains(gold, ranking[i]) {
			gain += discounted
		}
		if i < len(gold) {
			ideal += discounted
		}
	}
	return gain / ideal
}

// holdsPassage is 1 if the gold text stands wholly inside one of the texts, in their
// folded forms, else 0.
func holdsPassage(texts []string, gold string) float64 {
	gold = fold(gold)
	for _, text := range texts {
		if strings.Contains(fold(text), gold) {
			return 1
		}
	}
	return 0
}

// fold lower-cases text and makes every run of other characters than letters and digits
// one blank.
func fold(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}

// auroc is the chance that a positive scores higher than a negative, a tie counting
// half: the area under the ROC curve as the Mann–Whitney statistic (Hanley and McNeil,
// "The meaning and use of the area under a ROC curve", 1982). NaN without both.
func auroc(positives, negatives []float64) float64 {
	type score struct {
		value    float64
		positive bool
	}
	var scores []score
	for _, v := range positives {
		scores = append(scores, score{v, true})
	}
	for _, v := range negatives {
		scores = append(scores, score{v, false})
	}
	slices.SortFunc(scores, func(a, b score) int { return cmp.Compare(a.value, b.value) })
	ranks := 0.0 // of the positives, from 1; tied scores share their mean rank
	for i := 0; i < len(scores); {
		j, tied := i, 0
		for ; j < len(scores) && scores[j].value == scores[i].value; j++ {
			if scores[j].positive {
				tied++
			}
		}
		ranks += float64(tied) * float64(i+1+j) / 2
		i = j
	}
	p, n := float64(len(positives)), float64(len(negatives))
	return (ranks - p*(p+1)/2) / (p * n)
}

// mean is NaN for nothing.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
