package llm

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"citebot/internal/llm/llmtest"
)

// A spent budget ends calls until midnight UTC, and says so once a day.
func TestBudget(t *testing.T) {
	for name, cfg := range map[string]Config{
		"tokens": {Budget: Budget{Tokens: 60}},
		"money":  {Budget: Budget{Money: 60e-6}, Prices: Prices{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Provider = Anthropic
			cfg.Spend = filepath.Join(t.TempDir(), "spend.json")
			inBubble(t, cfg, func(t *testing.T, r *rig) {
				// A bubble begins at midnight UTC.
				for day := range 3 {
					for range 2 { // of 30 tokens and more
						if err := askErr(t, r); err != nil {
							t.Fatal(day, err)
						}
					}
					err := askErr(t, r)
					if reasonOf(err) != ReasonBudgetSpent || !strings.Contains(err.Error(), "goes on at 00:00 UTC; raise the daily budget") {
						t.Errorf("day %d: %v", day, err)
					}
					if ok, problem := r.Ready(); ok || !strings.Contains(problem, "goes on at 00:00 UTC") {
						t.Errorf("day %d: ready %v, %q", day, ok, problem)
					}
					time.Sleep(24*time.Hour - time.Second)
					if ok, _ := r.Ready(); ok {
						t.Errorf("day %d: ready before midnight", day)
					}
					time.Sleep(time.Second)
					if ok, problem := r.Ready(); !ok || r.metric(t, "citebot_llm_spent_tokens", "") != 0 {
						t.Errorf("day %d: not ready after midnight: %s", day, problem)
					}
				}
				if got := len(r.server.Calls()); got != 6 {
					t.Errorf("%d requests", got)
				}
				if lines := r.logs.lines(); len(lines) != 3 || !strings.Contains(lines[0], "budget is spent") {
					t.Errorf("logged: %s", strings.Join(lines, "\n"))
				}
			})
		})
	}
}

// A restart forgets nothing, and neither does a call that failed.
func TestSpendIsKept(t *testing.T) {
	cfg := Config{Provider: Anthropic, Spend: filepath.Join(t.TempDir(), "spend.json"), Prices: Prices{3, 15}}
	r := onLoopback(t, cfg)
	if err := askErr(t, r); err != nil {
		t.Fatal(err)
	}
	whole := r.spending.today()
	r.server.Queue(llmtest.Cut)
	if err := askErr(t, r); reasonOf(err) != ReasonCutOff {
		t.Fatal(err)
	}
	both := r.spending.today()
	if both.Tokens <= whole.Tokens+10 || both.Money <= whole.Money {
		t.Errorf("spent %+v, then %+v with a failed call", whole, both)
	}
	if again := onLoopback(t, cfg); again.spending.today() != both {
		t.Errorf("kept %+v, want %+v", again.spending.today(), both)
	}
	info, err := os.Stat(cfg.Spend)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if files, err := os.ReadDir(filepath.Dir(cfg.Spend)); err != nil || len(files) != 1 {
		t.Errorf("files: %v, %v", files, err)
	}
}

func TestDamagedSpend(t *testing.T) {
	today := dayOf(time.Now())
	for text, warns := range map[string]bool{
		"":                                    true,
		"{":                                   true,
		"null":                                true,
		`{"day":"` + today:                    true,
		`{"day":"1","tokens":5}`:              true,
		`{"day":"` + today + `","tokens":-5}`: true,
		`{"day":"` + today + `","tokens":1,"money":-1}`: true,
		`{"day":"2020-01-01","tokens":5,"money":1}`:     false,
	} {
		file := filepath.Join(t.TempDir(), "spend.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := onLoopback(t, Config{Provider: OpenAI, Spend: file})
		if got := r.spending.today(); got != (day{Day: today}) {
			t.Errorf("%s: %+v", text, got)
		}
		if lines := r.logs.lines(); (len(lines) == 1) != warns {
			t.Errorf("%s: logged: %q", text, lines)
		}
		if err := askErr(t, r); err != nil {
			t.Error(err)
		}
		var kept day
		if data, err := os.ReadFile(file); err != nil || kept.parse(data) != nil || kept.Tokens == 0 {
			t.Errorf("%s: then kept %s, %v", text, data, err)
		}
	}
}

// A file that cannot be written is told of once, and the model goes on.
func TestSpendCannotBeKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	r := onLoopback(t, Config{Provider: OpenAI, Spend: filepath.Join(dir, "spend.json")})
	for range 3 {
		if err := askErr(t, r); err != nil {
			t.Error(err)
		}
	}
	if lines := r.logs.lines(); len(lines) != 1 || !strings.Contains(lines[0], "forgotten at a restart") {
		t.Errorf("logged: %q", lines)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// The sums of many calls at once are right, in memory and in the file.
func TestSpendOfManyAtOnce(t *testing.T) {
	s := openSpending(Config{Spend: filepath.Join(t.TempDir(), "spend.json")}, "m")
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() { s.add(Usage{2, 1}, 0.25) })
	}
	all.Wait()
	var kept day
	data, err := fs.ReadFile(os.DirFS(filepath.Dir(s.file)), "spend.json")
	if err == nil {
		err = kept.parse(data)
	}
	if want := (day{dayOf(time.Now()), 120, 10}); err != nil || kept != want || s.today() != want {
		t.Errorf("kept %+v, counted %+v, want %+v, %v", kept, s.today(), want, err)
	}
}
