package llm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A day is what was spent in one, as the file holds it.
type day struct {
	Day    string  `json:"day"` // UTC
	Tokens int     `json:"tokens"`
	Money  float64 `json:"money"`
}

func dayOf(now time.Time) string { return now.UTC().Format(time.DateOnly) }

// spending counts what the day's calls cost, and keeps it in a file.
type spending struct {
	budget Budget
	file   string // "": none
	model  string
	log    *slog.Logger

	mu     sync.Mutex
	day    day
	told   string // the day of which it was said that the budget is spent
	failed bool   // the file could not be written

	writing sync.Mutex // taken before mu
}

// openSpending reads the file. One that cannot be read is begun anew: a day's budget may then
// be spent twice, once, and the bot goes on.
func openSpending(cfg Config, model string) *spending {
	s := &spending{budget: cfg.Budget, file: cfg.Spend, model: model, log: cfg.Log}
	if cfg.Spend == "" {
		return s
	}
	data, err := os.ReadFile(cfg.Spend)
	if err == nil {
		err = s.day.parse(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("what the language model cost today is not known, and counted anew", "file", cfg.Spend, "error", err)
	}
	return s
}

// parse leaves d empty when data is none of a day's.
func (d *day) parse(data []byte) error {
	var read day
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	if _, err := time.Parse(time.DateOnly, read.Day); err != nil || read.Tokens < 0 || !(read.Money >= 0) || math.IsInf(read.Money, 0) {
		return errors.New("it holds no day, or less than nothing")
	}
	*d = read
	return nil
}

// today is what was spent by now; nothing after midnight.
func (s *spending) today() day {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.current()
}

func (s *spending) current() *day {
	if now := dayOf(time.Now()); s.day.Day != now {
		s.day = day{Day: now}
	}
	return &s.day
}

// spent says in words that nothing more may be spent today, "" if it may.
func (s *spending) spent() string {
	switch d := s.today(); {
	case s.budget.Tokens > 0 && d.Tokens >= s.budget.Tokens:
		return fmt.Sprintf("%d of %d tokens a day are spent, it goes on at 00:00 UTC", d.Tokens, s.budget.Tokens)
	case s.budget.Money > 0 && d.Money >= s.budget.Money:
		return fmt.Sprintf("%.2f of %.2f a day are spent, it goes on at 00:00 UTC", d.Money, s.budget.Money)
	}
	return ""
}

// add counts a call, and writes the file.
func (s *spending) add(u Usage, cost float64) {
	if u == (Usage{}) {
		return
	}
	s.mu.Lock()
	d := s.current()
	d.Tokens += u.Input + u.Output
	d.Money += cost
	s.mu.Unlock()
	s.tell()
	s.keep()
}

// tell logs that the budget is spent, once a day.
func (s *spending) tell() {
	problem := s.spent()
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem == "" || s.told == s.day.Day {
		return
	}
	s.told = s.day.Day
	s.log.Warn("the language model's budget is spent", "model", s.model, "reason", ReasonBudgetSpent, "spent", problem, "remedy", raiseBudget)
}

const raiseBudget = "raise the daily budget of the model in bot.yaml, or wait"

// keep writes the file. What is written last is what was spent last, since each write reads
// the sums under its own lock.
func (s *spending) keep() {
	if s.file == "" {
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	err := replace(s.file, s.today())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !s.failed {
		s.log.Warn("what the language model costs cannot be kept, and is forgotten at a restart", "file", s.file, "error", err)
	}
	s.failed = err != nil
}

// replace writes a file so that it is the old or the new one at any time.
func replace(file string, d day) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(append(data, '\n'))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
