package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"citebot/internal/chat"
)

type askCmd struct {
	asking
	Explain  bool     `help:"Show what a model wrote that could not be shown, and why."`
	Question []string `arg:"" optional:"" help:"What you want to know."`
}

// Run prints one answer, or one a line with --batch.
func (c *askCmd) Run(ctx context.Context, b *bot) error {
	return c.run(ctx, b, c.Question, func(a asker, q chat.Question) (reply, error) {
		q.Explain = c.Explain
		answer, err := a.Ask(ctx, q)
		return reply{answer, func() { b.say.answer(answer) }}, err
	})
}

type searchCmd struct {
	asking
	Limit int      `default:"10" help:"Number of passages (${default})."`
	Query []string `arg:"" optional:"" help:"What to look for."`
}

// Run prints ranked passages, or one ranking a line with --batch.
func (c *searchCmd) Run(ctx context.Context, b *bot) error {
	if c.Limit < 1 || c.Limit > 100 {
		return misused("--limit must be between 1 and 100")
	}
	return c.run(ctx, b, c.Query, func(a asker, q chat.Question) (reply, error) {
		found, err := a.Search(ctx, q, c.Limit)
		return reply{found, func() { b.say.results(found) }}, err
	})
}

// asking is what ask and search have in common: where the question comes from and how
// the reply is shown.
type asking struct {
	JSON     bool     `help:"Print JSON."`
	History  string   `placeholder:"FILE" help:"What was said before, as JSON: [{\"role\":\"user|assistant\",\"text\":…}]."`
	Audience []string `placeholder:"NAME" help:"Ask as these audiences, separated by commas, instead of the configured ones."`
	Batch    string   `placeholder:"FILE" help:"Answer each line of a file, {\"id\":…,\"question\":…,\"history\":[…]}, with a line of JSON. - reads stdin."`
}

// A reply is what came of a question, for machines and for people.
type reply struct {
	json  any
	print func()
}

func (c *asking) run(ctx context.Context, b *bot, words []string, answer func(asker, chat.Question) (reply, error)) error {
	cfg, err := b.config()
	if err != nil {
		return err
	}
	if len(c.Audience) > 0 {
		cfg.Audience = c.Audience
	}
	q := chat.Question{Text: strings.Join(words, " "), Audiences: cfg.Audience}
	switch {
	case (len(words) == 0) == (c.Batch == ""):
		return misused("what is the question? Write it in quotes, for example \"How long do I have to return something?\", or name a file with --batch")
	case c.History != "" && c.Batch != "":
		return misused("--history belongs to one question; with --batch each line has its own \"history\"")
	case c.Batch != "":
		return c.batch(ctx, b, cfg, answer)
	case c.History != "":
		if q.History, err = readHistory(c.History); err != nil {
			return err
		}
	}
	return b.withAsker(ctx, cfg, func(a asker) error {
		r, err := answer(a, q)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return b.say.json(r.json)
		}
		r.print()
		return nil
	})
}

func readHistory(file string) ([]chat.Turn, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--history: %w", err)
	}
	var turns []chat.Turn
	if err := json.Unmarshal(data, &turns); err != nil {
		return nil, fmt.Errorf(`%s: %w; write [{"role":"user","text":"…"},{"role":"assistant","text":"…"}]`, file, err)
	}
	for i, t := range turns {
		if t.Role != "user" && t.Role != "assistant" {
			return nil, fmt.Errorf("%s: turn %d has the role %q; write \"user\" or \"assistant\"", file, i+1, t.Role)
		}
	}
	return turns, nil
}

// A batchLine is one question of a --batch file.
type batchLine struct {
	ID json.RawMessage `json:"id"`
	chat.Question
}

// batch answers a file's questions in order, each on a line that begins with its id.
// A line that cannot be answered gets {"id":…,"error":…}, so that lines in and out
// stay in step; the command then fails at the end.
func (c *asking) batch(ctx context.Context, b *bot, cfg config, answer func(asker, chat.Question) (reply, error)) error {
	in := b.say.in
	if c.Batch != "-" {
		file, err := os.Open(c.Batch)
		if err != nil {
			return fmt.Errorf("--batch: %w", err)
		}
		defer file.Close()
		in = file
	}
	return b.withAsker(ctx, cfg, func(a asker) error {
		failed, number := 0, 0
		for line, err := range linesOf(in) {
			number++
			if err != nil {
				return fmt.Errorf("%s:%d: %w", c.Batch, number, err)
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			out, err := answerLine(a, cfg, line, answer)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed++
				b.say.note("%s:%d: %v", c.Batch, number, err)
			}
			if err := b.say.json(out); err != nil {
				return err
			}
		}
		if failed > 0 {
			return fmt.Errorf("%s: %d lines could not be answered", c.Batch, failed)
		}
		return nil
	})
}

// answerLine returns what is printed for a line, also with an error.
func answerLine(a asker, cfg config, line string, answer func(asker, chat.Question) (reply, error)) (json.RawMessage, error) {
	q := batchLine{ID: json.RawMessage("null"), Question: chat.Question{Audiences: cfg.Audience}}
	err := json.Unmarshal([]byte(line), &q)
	var r reply
	if err == nil {
		r, err = answer(a, q.Question)
	}
	if err != nil {
		r.json = map[string]string{"error": err.Error()}
	}
	return withID(q.ID, r.json), err
}

// withID puts an id before the members of v, which must marshal to an object.
func withID(id json.RawMessage, v any) json.RawMessage {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // v is one of three types, none of which can fail
	}
	return json.RawMessage(`{"id":` + string(id) + "," + strings.TrimPrefix(b.String(), "{"))
}

// linesOf reads a stream line by line, without a limit that a long question could meet.
func linesOf(r io.Reader) func(yield func(string, error) bool) {
	return func(yield func(string, error) bool) {
		b := bufio.NewReader(r)
		for {
			line, err := b.ReadString('\n')
			if line != "" && !yield(line, nil) {
				return
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	}
}
