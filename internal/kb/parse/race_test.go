//go:build race

package parse

const raceDetector = true // it makes the readers some ten times slower
