package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"citebot/internal/chat/discord/discordtest"
	"citebot/internal/chat/slack/slacktest"
	"citebot/internal/chat/web"
	"citebot/internal/kb"
	"citebot/internal/ledger"

	"github.com/google/go-cmp/cmp"
)

// awaitSeries waits until /metrics has each of some lines, for what is counted after people
// see it.
func (c *child) awaitSeries(series ...string) {
	c.t.Helper()
	var metrics string
	has := func(s string) bool { return strings.Contains(metrics, "\n"+s+"\n") }
	defer func() {
		for _, s := range series {
			if !has(s) {
				c.t.Errorf("not in /metrics: %s", s)
			}
		}
	}()
	c.until("the series in /metrics", func() bool {
		_, metrics = c.get("/metrics")
		return !slices.ContainsFunc(series, func(s string) bool { return !has(s) })
	})
}

// TestMetrics asks on all surfaces, edits a document and breaks one, and reads what /metrics
// makes of it.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := newCrowdedHouse(t)
	bot := h.start()
	bot.awaitSeries(
		`citebot_questions_total{surface="web",verdict="answered"} 0`, `citebot_questions_total{surface="slack",verdict="failed"} 0`,
		`citebot_stage_seconds_count{stage="search"} 0`, `citebot_reloads_total{result="ok"} 1`, `citebot_reloads_total{result="failed"} 0`,
		`citebot_reload_seconds_count 1`, `citebot_llm_tokens_total{kind="input"} 0`, `citebot_llm_tokens_total{kind="output"} 0`,
		`citebot_documents{state="live"} 3`, `citebot_documents{state="pending"} 0`, `citebot_documents{state="failed"} 0`,
		`citebot_passages{state="live"} 5`, `citebot_passages{state="pending"} 0`, `citebot_vectors_waiting 0`,
		`citebot_part_state{part="llm",state="off"} 1`, `citebot_chat_waiting 0`, `citebot_chat_duplicates_total 0`,
		`citebot_slack_reconnects_total 0`, `citebot_discord_reconnects_total 0`,
	)
	for _, part := range []string{"library", "vectors", "ledger", "slack", "discord", "web"} {
		bot.awaitSeries(`citebot_part_state{part="`+part+`",state="ok"} 1`, `citebot_part_state{part="`+part+`",state="failed"} 0`)
	}

	bot.answersOnTheWeb()
	bot.must2(bot.do(http.MethodPost, "/api/ask", `{"question":"`+askUnknown+`"}`, ""))
	h.slack.answered(h.slack.ask(slacktest.General, askReturn), saysReturn)
	h.discord.answered(h.discord.ask(discordtest.General, askWarranty), saysWarranty)
	h.change(bot, "returns.md", saysReturn, "37 days")
	h.write("docs/returns.md", "---\ntitle: Returns\n") // which stays as it was
	bot.tells(http.StatusOK, "library", "degraded", "1 document could not be read")
	bot.awaitSeries(
		`citebot_questions_total{surface="web",verdict="answered"} 1`, `citebot_questions_total{surface="web",verdict="no_answer"} 1`,
		`citebot_questions_total{surface="slack",verdict="answered"} 1`, `citebot_questions_total{surface="discord",verdict="answered"} 1`,
		`citebot_stage_seconds_count{stage="search"} 4`, `citebot_stage_seconds_count{stage="compose"} 4`, `citebot_stage_seconds_count{stage="check"} 4`,
		`citebot_reloads_total{result="ok"} 2`, `citebot_reloads_total{result="failed"} 1`, `citebot_reload_seconds_count 3`,
		`citebot_documents{state="live"} 2`, `citebot_documents{state="failed"} 1`, `citebot_passages{state="live"} 5`,
		`citebot_part_state{part="library",state="ok"} 0`, `citebot_part_state{part="library",state="degraded"} 1`,
	)
	_, metrics := bot.get("/metrics")
	for _, series := range []string{`go_goroutines \d+`, `process_resident_memory_bytes \d`, `citebot_build_info\{goversion="go1\.[^"]+",revision="[^"]*",version="[^"]+"\} 1`} {
		if !regexp.MustCompile(`(?m)^` + series).MatchString(metrics) {
			t.Errorf("not in /metrics: %s", series)
		}
	}
	for _, words := range []string{askReturn, askUnknown, "37 days", "Alice", "returns.md"} {
		if strings.Contains(metrics, words) {
			t.Errorf("the metrics hold %q", words)
		}
	}
	bot.checkLogIsJSON()
}

// must2 checks that a request was answered.
func (c *child) must2(status int, text string) {
	c.t.Helper()
	if status != http.StatusOK {
		c.t.Fatalf("%d %s", status, text)
	}
}

// checkLogIsJSON checks all that the bot printed beside the one line for people.
func (c *child) checkLogIsJSON() {
	c.t.Helper()
	for _, line := range c.heard.lines() {
		if line != "" && !strings.HasPrefix(line, "citebot answers from ") && !json.Valid([]byte(line)) {
			c.t.Errorf("with --log-json the bot printed: %s", line)
		}
	}
}

// A configuration says how to log as well as a flag does.
func TestLogOfConfiguration(t *testing.T) {
	docs := filepath.Dir(write(t, "a.md", "# A\n\nReturns take 30 days.\n"))
	for _, test := range []struct {
		env  string
		json bool
	}{{"json", true}, {"text", false}} {
		var problems heard
		ctx, stop := context.WithCancel(t.Context())
		std := streams{strings.NewReader(""), writer(func(string) {}), writer(func(s string) {
			_, _ = problems.Write([]byte(s))
			if strings.Contains(s, "documents are loaded") {
				stop()
			}
		})}
		args := []string{"serve", "--docs", docs, "--state", t.TempDir(), "--http", "127.0.0.1:0"}
		if code := run(ctx, args, environment("BOT_LOG", test.env), std); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		stop()
		for _, line := range problems.lines() {
			if line != "" && json.Valid([]byte(line)) != test.json {
				t.Errorf("BOT_LOG=%s logs %s", test.env, line)
			}
		}
	}
}

// What a reload counts as.
func TestObservedReloads(t *testing.T) {
	for _, test := range []struct {
		name              string
		reload            kb.Reload
		ok, failed, timed float64
	}{
		{"applied", kb.Reload{Changed: 2, Removed: 1}, 1, 0, 1},
		{"only removed", kb.Reload{Removed: 1}, 1, 0, 1},
		{"a file that cannot be read", kb.Reload{Changed: 1, Failed: 1}, 0, 1, 1},
		{"not applied", kb.Reload{Changed: 1, Err: errors.New("the disk is full")}, 0, 1, 0},
		{"stopped meanwhile", kb.Reload{Changed: 1, Err: context.Canceled}, 0, 0, 0},
		{"all still being written", kb.Reload{}, 0, 0, 0},
	} {
		o := newObserver()
		o.reloaded(test.reload)
		got := map[string]float64{}
		families, err := o.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			switch m := f.GetMetric(); f.GetName() {
			case "citebot_reloads_total":
				for _, each := range m {
					got[each.GetLabel()[0].GetValue()] = each.GetCounter().GetValue()
				}
			case "citebot_reload_seconds":
				got["timed"] = float64(m[0].GetHistogram().GetSampleCount())
			}
		}
		if diff := cmp.Diff(map[string]float64{"ok": test.ok, "failed": test.failed, "timed": test.timed}, got); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

// A disk that hangs is waited for by one goroutine, and by nobody who asks for longer than
// two seconds; who scrapes does not wait at all.
func TestProofOfADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, writes := make(chan struct{}), atomic.Int64{}
		p := newProof(func(context.Context) error {
			writes.Add(1)
			<-hang
			return nil
		})
		if err := p.fresh(); err != nil || writes.Load() != 0 {
			t.Errorf("just opened: %v after %d writes", err, writes.Load())
		}
		time.Sleep(proofStale + time.Second)
		took := func(ask func() error) (time.Duration, error) {
			began := time.Now()
			err := ask()
			return time.Since(began), err
		}
		if d, err := took(p.recent); d != 0 || err != nil {
			t.Errorf("a scrape: %v after %v", err, d)
		}
		if d, err := took(p.fresh); d != proofWithin || err == nil {
			t.Errorf("a probe: %v after %v", err, d)
		}
		time.Sleep(time.Hour)
		d, err := took(p.recent)
		if want := "the disk has not answered for 3602 seconds"; d != 0 || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("a scrape: %v after %v", err, d)
		}
		if n := writes.Load(); n != 1 {
			t.Errorf("%d writes hang", n)
		}
		close(hang)
		p.wait()
		if err := p.recent(); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		if p.fresh(); writes.Load() != 1 {
			t.Error("it was written again at once")
		}
		time.Sleep(proofFresh + time.Millisecond)
		p.recent()
		synctest.Wait()
		if writes.Load() != 1 {
			t.Error("a scrape wrote")
		}
		if p.fresh(); writes.Load() != 2 {
			t.Error("a probe did not write")
		}
	})
}

// /readyz tells of a ledger that hangs, of vectors that are away, and why.
func TestReadinessNamesWhatIsWrong(t *testing.T) {
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ok := web.Part{State: web.StateOK}
	fine := map[string]web.Part{
		"ledger": ok, "library": ok, "vectors": ok,
		"llm": {State: web.StateOff}, "slack": {State: web.StateOff}, "discord": {State: web.StateOff},
	}
	away := "search by meaning is not available; answers rest on words alone"
	for _, test := range []struct {
		name     string
		status   kb.Status
		writable error
		ready    bool
		other    map[string]web.Part
	}{
		{"all is well", kb.Status{Ready: true}, nil, true, nil},
		{"the disk hangs", kb.Status{Ready: true}, errors.New("hangs"), false, map[string]web.Part{"ledger": {State: web.StateFailed, Problem: "hangs"}}},
		{"loading", kb.Status{}, nil, false, map[string]web.Part{"library": {State: web.StateLoading}}},
		{"vectors are away", kb.Status{Ready: true, Degraded: []string{"vectors"}}, nil, true,
			map[string]web.Part{"vectors": {State: web.StateDegraded, Problem: away}}},
		{"and it is known why", kb.Status{Ready: true, Degraded: []string{"vectors"}, VectorTrouble: "QDRANT_URL does not answer"}, nil, true,
			map[string]web.Part{"vectors": {State: web.StateDegraded, Problem: away + ": QDRANT_URL does not answer"}}},
		{"vectors are behind", kb.Status{Ready: true, VectorTrouble: "another bot writes"}, nil, true,
			map[string]web.Part{"vectors": {State: web.StateDegraded, Problem: "another bot writes"}}},
	} {
		want := maps.Clone(fine)
		maps.Copy(want, test.other)
		got := readiness(test.status, web.Part{State: web.StateOff}, &talk{ledger: l}, test.writable)
		for name, p := range got.Parts {
			p.Progress = nil
			got.Parts[name] = p
		}
		if diff := cmp.Diff(web.Readiness{Ready: test.ready, Parts: want}, got); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

// BenchmarkScrape reads /metrics of a bot with 500 documents of 10,000 passages.
func BenchmarkScrape(b *testing.B) {
	l, err := ledger.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	p := &pipeline{library: benchLibrary(b), observed: newObserver()}
	defer p.library.Close()
	if err := p.observed.watch(p, &talk{ledger: l, proof: newProof(l.Healthy)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.observed.registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
