//go:build race

package slacktest

// slowdown is what the race detector makes of a bot's time on two busy cores. How fast one
// acknowledges is held against Slack's own bound where the tests run without it.
const slowdown = 5
