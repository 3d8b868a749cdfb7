package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeCommands runs README's shell commands, each as it stands there, on the
// documents that it names. The daemon's own command is run by .ci/run, which leaves it on
// for a while.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, state := t.TempDir(), t.TempDir()
	returns, err := os.ReadFile("../../kb-docs/returns.md")
	if err == nil {
		err = os.WriteFile(filepath.Join(docs, "returns.md"), returns, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, command := range readmeCommands(string(readme)) {
		args, ok := strings.CutPrefix(command, "go run ./cmd/bot")
		if !ok {
			t.Errorf("no test knows how to run %q", command)
			continue
		}
		if args = strings.TrimSpace(args); args == "" {
			continue
		}
		var out, problems bytes.Buffer
		env := environment("BOT_DOCS", docs, "BOT_STATE", state)
		if code := run(t.Context(), shellWords(args), env, streams{strings.NewReader(""), &out, &problems}); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", command, code, &problems)
		}
		if !strings.Contains(out.String(), "30 days") {
			t.Errorf("%s does not quote the returns policy:\n%s", command, &out)
		}
		ran++
	}
	if ran == 0 {
		t.Error("README shows no command to ask with")
	}
}

// readmeCommands are the lines of the shell blocks.
func readmeCommands(readme string) []string {
	var out []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		out = append(out, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return out
}

// shellWords splits at blanks outside double quotes.
func shellWords(line string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}
