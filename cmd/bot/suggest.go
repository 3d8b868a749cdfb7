package main

import "fmt"

// didYouMean names the valid word that a mistyped one was probably meant to be, or all
// of them when none is near.
func didYouMean(word string, valid []string) string {
	best, distance := "", len(word)/3+2
	for _, v := range valid {
		if d := editDistance(word, v); d < distance {
			best, distance = v, d
		}
	}
	if best == "" {
		return fmt.Sprintf("; the valid ones are %v", valid)
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// editDistance is Levenshtein's: how many bytes must be inserted, deleted or replaced.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
