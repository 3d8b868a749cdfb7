package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A daemon that is told to stop while it loads leaves no file and, as TestMain checks, no
// goroutine behind.
func TestServeStops(t *testing.T) {
	docs, state := filepath.Dir(write(t, "returns.md", "# Returns\n\nWithin 30 days.\n")), t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var problems strings.Builder
	std := streams{strings.NewReader(""), writer(func(string) { stop() }), &problems} // stops at the line that says where it is
	args := []string{"serve", "--docs", docs, "--state", state, "--http", "127.0.0.1:0"}
	if code := run(ctx, args, environment(), std); code != exitOK {
		t.Errorf("exit code %d\n%s", code, &problems)
	}
	if _, err := os.Stat(daemonFile(state)); err == nil {
		t.Error("daemon.json is still there")
	}
}

func TestServeNeedsATokenOnANetwork(t *testing.T) {
	docs := filepath.Dir(write(t, "a.md", "# A\n"))
	var problems strings.Builder
	args := []string{"serve", "--docs", docs, "--state", t.TempDir(), "--http", "0.0.0.0:0"}
	if code := run(t.Context(), args, environment(), streams{nil, io.Discard, &problems}); code != exitError || !strings.Contains(problems.String(), "BOT_TOKEN") {
		t.Errorf("exit code %d\n%s", code, &problems)
	}
}
