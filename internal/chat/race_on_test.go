//go:build race

package chat

const raceSlows = 20
