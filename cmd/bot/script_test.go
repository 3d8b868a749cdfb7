package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"bot": main, "http": httpMain})
}

// leakChecked fails a run whose tests left goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	before := goleak.IgnoreCurrent() // bleve starts workers when it is imported
	code := m.M.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(before); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScript runs the real program through the scripts in testdata/script.
//
// Beside testscript's own commands, a script has
//
//	ready STATE             wait until the daemon on a state folder answers; sets $URL
//	until REGEXP CMD ARG…   run a command until its stdout matches, for at most 5 s
//	json FILE PATH VALUE    compare a value, as in: json stdout sources.0.path returns.md
//	keys FILE PATH KEY…     compare an object's keys, all of them
//	http METHOD URL [BODY]  print a response; exits 1 unless it is 200
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": scriptReady,
			"until": scriptUntil,
			"json":  scriptJSON,
			"keys":  scriptKeys,
		},
	})
}

// Bounds of what a script waits for. Nothing sleeps longer than pollEvery at a time.
const (
	pollEvery    = 20 * time.Millisecond
	readyWithin  = 90 * time.Second // embedding under -race on a busy machine; nothing waits so long that works
	followWithin = 5 * time.Second  // the promise: answers follow an edit
)

// poll calls done until it is true, and fails the script when that takes too long.
func poll(ts *testscript.TestScript, within time.Duration, what string, done func() bool) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !done(); <-tick.C {
		if time.Now().After(deadline) {
			ts.Fatalf("%s: not within %v", what, within)
		}
	}
}

func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready STATE")
	}
	poll(ts, readyWithin, "the daemon on "+args[0], func() bool {
		d, err := readDaemon(ts.MkAbs(args[0]))
		if err != nil {
			return false
		}
		res, err := http.Get(d.URL + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		ts.Setenv("URL", d.URL)
		return res.StatusCode == http.StatusOK
	})
}

func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND ARG…")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	poll(ts, followWithin, "stdout to match "+args[0], func() bool {
		return ts.Exec(args[1], args[2:]...) == nil && re.MatchString(ts.ReadFile("stdout"))
	})
}

func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH VALUE")
	}
	got := fmt.Sprint(jsonAt(ts, args[0], args[1]))
	if (got == args[2]) == neg {
		ts.Fatalf("%s of %s is %q", args[1], args[0], got)
	}
}

func scriptKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: keys FILE PATH KEY…")
	}
	object, ok := jsonAt(ts, args[0], args[1]).(map[string]any)
	got := slices.Sorted(maps.Keys(object))
	if want := slices.Sorted(slices.Values(args[2:])); !ok || !slices.Equal(got, want) {
		ts.Fatalf("%s of %s has the keys %q, not %q", args[1], args[0], got, want)
	}
}

// jsonAt is the value at a path like sources.0.path; . is the whole.
func jsonAt(ts *testscript.TestScript, file, path string) any {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &v))
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(in) {
				ts.Fatalf("%s of %s: there is no %s", path, file, step)
			}
			v = in[i]
		default:
			ts.Fatalf("%s of %s: nothing below %v", path, file, v)
		}
	}
	return v
}

// httpMain is the scripts' HTTP client.
func httpMain() {
	var body io.Reader
	if len(os.Args) > 3 {
		body = strings.NewReader(os.Args[3])
	}
	req, err := http.NewRequest(os.Args[1], os.Args[2], body)
	exitOn(err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	exitOn(err)
	_, err = io.Copy(os.Stdout, res.Body)
	exitOn(err)
	if res.StatusCode != http.StatusOK {
		exitOn(fmt.Errorf("%s", res.Status))
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
