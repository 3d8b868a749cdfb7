package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"citebot/internal/kb"
	"citebot/internal/ledger"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sync/errgroup"
)

// A house is what outlives a bot: documents, a configuration, a state folder, and the chat
// platforms that joined it. It listens to all that its bots print, and at the end finds fault
// with secrets in it.
type house struct {
	t         testing.TB
	dir       string
	env       []string // of each bot
	platforms []platform
	secrets   []string // that nobody may hear
	heard     heard    // what bots print
	pages     heard    // what their pages say
}

// A platform is one that a package like slacktest makes.
type platform struct {
	fake
	await func(ctx context.Context, connections int) error
}

type fake interface {
	Env() []string // points a bot there
	Calls(of string) int
	Close()
}

// houseConfig is the bot.yaml of a house, to which each platform adds its section.
const houseConfig = `
docs: docs
state: state
http: 127.0.0.1:0
folders:
  - {path: staff, audience: staff}
`

// houseDocs are a house's documents: few words, which are embedded in no time.
const houseDocs = `
-- docs/returns.md --
# Returns policy

You can return most items within 30 days of delivery for a full refund.

## Australia

In Australia you have 45 days to return something, because parcels take longer to our warehouse.

## What a return costs

A prepaid label for a return costs £2.95 in the United Kingdom and €3.50 in Ireland.
-- docs/warranty.md --
# Warranty

The warranty on mattresses is 5 years against sagging deeper than 2.5 cm.
-- docs/staff/annual-leave.md --
# Annual leave

Employees in the Netherlands have 28 days of annual leave.
`

// What people ask, and what the documents say to it.
const (
	askReturn    = "How long do I have to return something?"
	saysReturn   = "30 days"
	askWarranty  = "How long is the warranty on mattresses?"
	saysWarranty = "5 years"
	askLeave     = "How many days of annual leave do I have in the Netherlands?"
	saysLeave    = "28 days"
	askUnknown   = "Can I bring my llama to the office party?"
)

// webToken is what opens the pages of a bot that everybody can reach.
const webToken = "a-long-random-web-token"

func newHouse(t testing.TB, config string) *house {
	h := &house{t: t, dir: t.TempDir(), secrets: []string{webToken}}
	h.write("bot.yaml", config)
	for _, file := range txtar.Parse([]byte(houseDocs)).Files {
		h.write(file.Name, string(file.Data))
	}
	t.Cleanup(h.checkHeard)
	return h
}

// join makes a platform one of the house's.
func (h *house) join(f fake, await func(ctx context.Context, connections int) error, secrets ...string) {
	h.platforms = append(h.platforms, platform{f, await})
	h.secrets = append(h.secrets, secrets...)
}

func (h *house) write(name, text string) {
	h.t.Helper()
	name = filepath.Join(h.dir, name)
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, []byte(text), 0o644)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// sample puts a document of kb-docs in place of the house's.
func (h *house) sample(name string) {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../kb-docs", name))
	h.must(err)
	h.write(filepath.Join("docs", name), string(text))
}

// change replaces words of a document, and waits until a search finds the new ones.
func (h *house) change(bot *child, name, old, words string) {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "docs", name))
	h.must(err)
	h.write(filepath.Join("docs", name), strings.ReplaceAll(string(text), old, words))
	h.until("the edit to be read", func() bool {
		_, found := bot.get("/api/search?q=return+window")
		return strings.Contains(found, words)
	})
}

func (h *house) state() string { return filepath.Join(h.dir, "state") }

// heard is what processes printed and pages said.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *heard) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *heard) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Split(b.text.String(), "\n")
}

// checkHeard runs when all bots have ended.
func (h *house) checkHeard() {
	for _, p := range h.platforms {
		p.Close() // it may have something to say, too
	}
	lines := h.heard.lines()
	for _, line := range slices.Concat(lines, h.pages.lines()) {
		switch {
		case slices.ContainsFunc(h.secrets, func(s string) bool { return strings.Contains(line, s) }):
			h.t.Errorf("a secret is in: %s", line)
		case strings.Contains(line, "panic"), strings.Contains(line, "DATA RACE"):
			h.t.Errorf("the bot printed: %s", line)
		}
	}
	if h.t.Failed() {
		h.t.Logf("the bots said last:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
	}
}

// within is a context for what takes less than readyWithin unless something is wrong.
func (h *house) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	h.t.Cleanup(cancel)
	return ctx
}

func (h *house) until(what string, done func() bool) {
	h.t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(readyWithin); !done(); <-tick.C {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: not within %v", what, readyWithin)
		}
	}
}

// rest lets some time go by in which the bot works. Nothing depends on how long it is.
func (h *house) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// A child is a bot that runs.
type child struct {
	*house
	cmd   *exec.Cmd
	url   string
	ended chan struct{}
}

// command prepares a bot's process in the house. How a fake is configured it learns under its
// lock: that requests of another process come later the race detector cannot know.
func (h *house) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("bot", append(args, "--verbose", "--log-json")...)
	cmd.Dir = h.dir
	cmd.Env = os.Environ()
	for _, p := range h.platforms {
		p.Calls("")
		cmd.Env = append(cmd.Env, p.Env()...)
	}
	cmd.Env = slices.Concat(cmd.Env, h.env, env)
	return cmd
}

// launch starts a bot that serves, and does not wait for anything. It ends with the test.
func (h *house) launch(env ...string) *child {
	h.t.Helper()
	c := &child{house: h, cmd: h.command(env, "serve"), ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = &h.heard, &h.heard
	h.must(c.cmd.Start())
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // how it ended is in ProcessState
	}()
	h.t.Cleanup(c.kill)
	return c
}

// start starts a bot and waits until it is ready and has loaded all there is.
func (h *house) start(env ...string) *child {
	h.t.Helper()
	c := h.launch(env...)
	h.until("the bot to be ready", func() bool {
		status, vectors, _ := c.part("vectors")
		return status == http.StatusOK && vectors == "ok"
	})
	return c
}

// kill is kill -9. The platforms notice before it returns.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // an error means that it has ended
	<-c.ended
	if err := c.connected(0); err != nil {
		c.t.Error(err)
	}
}

// connected waits until each platform has n connections.
func (h *house) connected(n int) error {
	var errs []error
	for _, p := range h.platforms {
		errs = append(errs, p.await(h.within(), n))
	}
	return errors.Join(errs...)
}

// stop tells a bot to stop and waits until it has.
func (c *child) stop() {
	c.t.Helper()
	c.must(c.cmd.Process.Signal(syscall.SIGTERM))
	c.exits()
}

// exits waits for a bot that was told to stop.
func (c *child) exits() {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(readyWithin):
		c.t.Fatal("the bot goes on")
	}
	if code := c.cmd.ProcessState.ExitCode(); code != exitOK {
		c.t.Errorf("the bot stopped with exit code %d", code)
	}
}

// stopsWhile tells a bot to stop, lets go of what it waits for once the platforms know, or
// where that hangs only when it has ended, and waits until it has.
func (c *child) stopsWhile(hangs bool, letGo func()) {
	c.t.Helper()
	told := time.Now()
	c.must(c.cmd.Process.Signal(syscall.SIGTERM))
	c.must(c.connected(0))
	if !hangs {
		letGo()
	}
	c.exits()
	letGo()
	if took := time.Since(told); took > 25*time.Second {
		c.t.Errorf("the bot took %v to stop", took)
	}
}

// open finds out where a bot listens; it may not do so yet.
func (c *child) open() bool {
	d, err := readDaemon(c.state())
	if err != nil || d.PID != c.cmd.Process.Pid {
		return false
	}
	c.url = d.URL
	return true
}

// do sends a request; status is 0 when nobody answers.
func (c *child) do(method, path, body, token string) (status int, text string) {
	if c.url == "" && !c.open() {
		return 0, ""
	}
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	c.must(err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.TeeReader(res.Body, &c.pages))
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(data)
}

func (c *child) get(path string) (status int, body string) {
	return c.do(http.MethodGet, path, "", "")
}

// part is a part of the bot as /readyz tells it.
func (c *child) part(name string) (status int, state, problem string) {
	status, body := c.get("/readyz")
	var told struct {
		Parts map[string]struct{ State, Problem string }
	}
	if status != 0 {
		c.must(json.Unmarshal([]byte(body), &told))
	}
	return status, told.Parts[name].State, told.Parts[name].Problem
}

// tells waits until /readyz has a status and says of a part that it is in a state, with the
// words.
func (c *child) tells(status int, name, state, words string) {
	c.t.Helper()
	c.until("readyz to tell "+words, func() bool {
		got, is, problem := c.part(name)
		return got == status && is == state && strings.Contains(problem, words)
	})
}

// wantSeries checks that /metrics has each of some lines.
func (c *child) wantSeries(series ...string) {
	c.t.Helper()
	_, metrics := c.get("/metrics")
	for _, s := range series {
		if !strings.Contains(metrics, "\n"+s+"\n") {
			c.t.Errorf("not in /metrics: %s", s)
		}
	}
}

// answersOnTheWeb asks there.
func (c *child) answersOnTheWeb() {
	c.t.Helper()
	c.until("an answer on the web", func() bool {
		status, body := c.do(http.MethodPost, "/api/ask", `{"question":"`+askReturn+`"}`, "")
		return status == http.StatusOK && strings.Contains(body, saysReturn)
	})
}

// run runs another command of the bot to its end.
func (h *house) run(args ...string) (code int, out string) {
	h.t.Helper()
	return h.runWith(nil, args...)
}

// runWith is run with more of an environment.
func (h *house) runWith(env []string, args ...string) (code int, out string) {
	h.t.Helper()
	cmd := h.command(env, args...)
	data, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	_, _ = h.heard.Write(data)
	return cmd.ProcessState.ExitCode(), string(data)
}

// unfinished are the states of the turns in the ledger that are not final.
func (h *house) unfinished() (states []ledger.State) {
	h.t.Helper()
	h.readLedger(func(l *ledger.Ledger) {
		turns, err := l.Unfinished(context.Background())
		h.must(err)
		for _, t := range turns {
			t, err := l.Turn(context.Background(), t.ID)
			h.must(err)
			states = append(states, t.State)
		}
	})
	return states
}

func (h *house) readLedger(f func(*ledger.Ledger)) {
	h.t.Helper()
	l, err := ledger.OpenReadOnly(context.Background(), ledgerFile(h.state()))
	h.must(err)
	f(l)
	h.must(l.Close())
}

var sourceLink = regexp.MustCompile(`^http://127\.0\.0\.1:\d+/s/[0-9a-f]+$`)

// opensSource follows the first link of an answer to the words that it rests on.
func (c *child) opensSource(answer string, links []string) {
	c.t.Helper()
	if !strings.Contains(answer, "[1]") || len(links) == 0 {
		c.t.Fatalf("no linked mark in:\n%s", answer)
	}
	for _, link := range links {
		if !sourceLink.MatchString(link) {
			c.t.Errorf("%s is not in the source viewer", link)
		}
	}
	quote := regexp.MustCompile(`“([^…”]+)`).FindStringSubmatch(answer)
	status, page := c.get(strings.TrimPrefix(links[0], c.url))
	if status != http.StatusOK || quote == nil || !strings.Contains(letters(page), letters(quote[1])) {
		c.t.Errorf("the source viewer answers %d, and not with %q", status, quote)
	}
}

// letters are those of a page or text, and its digits.
func letters(page string) string {
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, ""))
	return regexp.MustCompile(`[^\pL\pN]+`).ReplaceAllString(text, "")
}

// checkLeave checks whether what is shown somewhere tells of annual leave, by its words or its
// sources.
func (h *house) checkLeave(where, shown string, want bool) {
	h.t.Helper()
	text := strings.ReplaceAll(shown, askLeave, "")
	if strings.Contains(text, saysLeave) != want || strings.Contains(strings.ToLower(text), "annual leave") != want {
		h.t.Errorf("in %s it should be %v that this tells of annual leave: %s", where, want, shown)
	}
}

// guarded checks that the pages behind a token are, and that the sources of an answer open
// without it.
func (c *child) guarded(links []string) {
	c.t.Helper()
	for _, page := range []string{"/", "/metrics", "/api/documents", "/api/search?q=return"} {
		open, _ := c.get(page)
		if shown, _ := c.do(http.MethodGet, page, "", webToken); open != http.StatusUnauthorized || shown != http.StatusOK {
			c.t.Errorf("%s: %d without a token, %d with it", page, open, shown)
		}
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(links[0], "http://"), "/")
	if status, _ := c.get("/" + path); status != http.StatusOK || !strings.Contains(path, "?sig=") {
		c.t.Errorf("/%s: %d", path, status)
	}
}

// A talker is a bot in this process. Its searches find nothing, and that not before they are
// let go.
type talker struct {
	*pipeline
	talk  *talk
	letGo func()
	stop  func() // waits until it has stopped
	close func()
}

func (h *house) talk() *talker {
	env := map[string]string{"BOT_DOCS": filepath.Join(h.dir, "docs"), "BOT_STATE": h.state()}
	for _, p := range h.platforms {
		for _, pair := range p.Env() {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
	}
	cfg, err := loadConfig(func(name string) string { return env[name] }, flags{Config: filepath.Join(h.dir, "bot.yaml")})
	h.must(err)
	log := slog.New(slog.NewJSONHandler(&h.heard, nil))
	b, hang := &talker{}, make(chan struct{})
	b.letGo = sync.OnceFunc(func() { close(hang) })
	b.pipeline, err = openPipeline(context.Background(), cfg, log)
	h.must(err)
	b.answerer.Search = func(context.Context, kb.Query) (kb.Results, error) {
		<-hang
		return kb.Results{}, nil
	}
	b.talk, err = openTalk(context.Background(), cfg, b.pipeline, log)
	h.must(err)
	b.stop = h.runHere(b)
	b.close = func() {
		b.letGo()
		h.must(errors.Join(b.talk.Close(), b.pipeline.Close()))
	}
	h.must(h.connected(1))
	return b
}

func (h *house) runHere(b *talker) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return b.library.Run(ctx) })
	group.Go(func() error { return b.talk.run(ctx) })
	return func() {
		cancel()
		h.must(group.Wait())
	}
}

// A door stands before a platform: nobody gets through until it is opened.
type door struct {
	h    *house
	to   string
	addr string
}

// newDoor finds an address where nobody listens.
func (h *house) newDoor(to string) door {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	h.must(err)
	h.must(listener.Close())
	return door{h, to, listener.Addr().String()}
}

// open lets requests through from now on. Sockets have an address of their own.
func (d door) open() {
	listener, err := net.Listen("tcp", d.addr)
	d.h.must(err)
	to, err := url.Parse(d.to)
	d.h.must(err)
	server := &http.Server{Handler: httputil.NewSingleHostReverseProxy(to)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	d.h.t.Cleanup(func() {
		d.h.must(server.Close())
		<-done
	})
}

// rewrite saves a document of 200 sections with other words ten times a second until stop is
// called.
func (h *house) rewrite() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for edition := 0; pause(ctx, time.Second/10) == nil; edition++ {
			h.write(fmt.Sprintf("docs/fees%d.md", edition%10), fees(edition))
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func fees(edition int) string {
	var text strings.Builder
	for section := range 200 {
		fmt.Fprintf(&text, "# Section %d\n\nIn edition %d the fee of section %d is %d pounds for each parcel.\n\n", section, edition, section, edition+section)
	}
	return text.String()
}

// size is the memory and the open files of a process, and what is left on the heap after the
// best of its last collections; empty where /proc does not tell.
func (c *child) size() map[string]float64 {
	proc := filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid))
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		c.t.Log("the process is not measured:", err)
		return nil
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	c.must(err)
	heap := math.Inf(1)
	for _, kept := range lastOf(5, numbers(`gc \d+ @.*->(\d+) MB`, strings.Join(c.heard.lines(), "\n"))) {
		heap = min(heap, kept)
	}
	return map[string]float64{
		"files": float64(len(files)), "resident-MB": numbers(`VmRSS:\s+(\d+) kB`, string(status))[0] / 1024, "heap-MB": heap,
	}
}

// numbers are what a pattern's group catches.
func numbers(pattern, text string) (all []float64) {
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(found[1])
		all = append(all, float64(n))
	}
	return all
}

func lastOf(n int, all []float64) []float64 { return all[max(0, len(all)-n):] }

// goroutines counts those of a bot by ending it in a way that lists them.
func (c *child) goroutines() float64 {
	before := len(c.heard.lines()) - 1
	c.must(c.cmd.Process.Signal(syscall.SIGQUIT))
	<-c.ended
	n := 0
	for _, line := range c.heard.lines()[before:] {
		if strings.HasPrefix(line, "goroutine ") {
			n++
		}
	}
	return float64(n)
}
