//go:build !race

package slacktest

const slowdown = 1
