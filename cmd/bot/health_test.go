package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What supervisors hear of a daemon, by what it answers.
func TestHealth(t *testing.T) {
	const (
		ready    = `{"ready":true,"parts":{"library":{"state":"ok"},"llm":{"state":"off"}}}`
		degraded = `{"ready":true,"parts":{"vectors":{"state":"degraded","problem":"Qdrant is away"},"library":{"state":"loading"}}}`
		failed   = `{"ready":false,"parts":{"slack":{"state":"failed","problem":"SLACK_BOT_TOKEN was refused"},"ledger":{"state":"ok"}}}`
	)
	for _, test := range []struct {
		name, args string
		status     int
		body       string
		code       int
		want       string // in the one line
	}{
		{"alive", "", http.StatusOK, "ok", exitOK, "runs"},
		{"sick", "", http.StatusInternalServerError, "", exitError, "500 Internal Server Error"},
		{"ready", "--ready", http.StatusOK, ready, exitOK, "is ready"},
		{"degraded", "--ready", http.StatusOK, degraded, exitOK, "is ready; library is loading; vectors is degraded: Qdrant is away"},
		{"not ready", "--ready", http.StatusServiceUnavailable, failed, exitError, "is not ready: slack is failed: SLACK_BOT_TOKEN was refused"},
		{"not ours", "--ready", http.StatusOK, "<html>", exitError, "and not how it is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.Path
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			code, said := health(t, daemon{URL: server.URL, PID: 7}, strings.Fields(test.args)...)
			if code != test.code || !strings.Contains(said, test.want) || strings.Count(said, "\n") != 1 {
				t.Errorf("exit code %d: %s", code, said)
			}
			if want := map[string]string{"": "/livez", "--ready": "/readyz"}[test.args]; asked != want {
				t.Errorf("it asked for %q, not %q", asked, want)
			}
		})
	}
}

// After kill -9 the file stays behind, and the process that it names may be anything.
func TestHealthOfNobody(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	code, said := health(t, daemon{URL: gone.URL, PID: 7})
	if code != exitError || !strings.Contains(said, "process 7 does not answer") {
		t.Errorf("a daemon that was killed: exit code %d: %s", code, said)
	}
	var out, problems bytes.Buffer
	state := t.TempDir()
	code = run(t.Context(), []string{"health"}, environment("BOT_STATE", state), streams{strings.NewReader(""), &out, &problems})
	if code != exitError || !strings.Contains(problems.String(), "no bot runs on the state folder "+state) {
		t.Errorf("a state folder without a daemon: exit code %d: %s", code, &problems)
	}
}

// A daemon that runs is well, whatever has become of its configuration since it read it.
func TestHealthIgnoresBrokenConfiguration(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	if code, said := health(t, daemon{URL: server.URL}, "--config", write(t, "bot.yaml", "language: klingon\n")); code != exitOK {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// health runs the command beside a daemon that says of itself where it is.
func health(t *testing.T, d daemon, args ...string) (code int, said string) {
	t.Helper()
	state := t.TempDir()
	if err := d.write(state); err != nil {
		t.Fatal(err)
	}
	var both bytes.Buffer
	code = run(t.Context(), append([]string{"health", "--state", state}, args...), environment(), streams{strings.NewReader(""), &both, &both})
	return code, both.String()
}
