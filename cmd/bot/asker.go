package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"citebot/internal/chat"
	"citebot/internal/citations"
	"citebot/internal/kb"
)

// An asker answers one-shot commands: the pipeline in this process, or the daemon that
// works on the same state folder.
type asker interface {
	Ask(ctx context.Context, q chat.Question) (citations.Answer, error)
	Search(ctx context.Context, q chat.Question, limit int) (kb.Results, error)
}

// How long a one-shot command waits for another one to release the state folder, and
// how often it looks.
const (
	lockPatience = time.Minute
	lockPoll     = 100 * time.Millisecond
)

// withAsker calls use with what answers: the library in this process once it is up to
// date, or the daemon that has it.
func (b *bot) withAsker(ctx context.Context, cfg config, use func(asker) error) error {
	deadline := time.Now().Add(lockPatience)
	for {
		p, err := openPipeline(ctx, cfg, b.log(cfg, logOneShot))
		if err == nil {
			return errors.Join(b.useLocal(ctx, p, use), p.Close())
		}
		if d, err := readDaemon(cfg.State); err == nil && d.alive(ctx) {
			return use(remote{d.URL, cfg.Token})
		}
		if !errors.Is(err, kb.ErrLocked) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w, and it does not answer questions; wait until it is done, or name another folder with --state", cfg.State, err)
		}
		if err := pause(ctx, lockPoll); err != nil {
			return err
		}
	}
}

func (b *bot) useLocal(ctx context.Context, p *pipeline, use func(asker) error) error {
	err := p.library.Sync(ctx, func(done kb.Progress) { b.say.progress.show(loading(done)) })
	b.say.progress.clear()
	if err != nil {
		return err
	}
	if p.library.Status().Documents == 0 {
		b.say.note("note: there is no document in the documents folder that can be read; `bot check` says why")
	}
	return use(p)
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// remote asks a running daemon.
type remote struct {
	url   string
	token string
}

// Limits of a request to the daemon: for one try, and for waiting until its first load
// is done.
const (
	remoteTimeout = 2 * time.Minute
	busyPause     = 500 * time.Millisecond
)

func (r remote) Ask(ctx context.Context, q chat.Question) (a citations.Answer, err error) {
	err = r.post(ctx, "/api/ask", q, &a)
	return a, err
}

func (r remote) Search(ctx context.Context, q chat.Question, limit int) (kb.Results, error) {
	var found foundJSON
	err := r.post(ctx, "/api/search", map[string]any{
		"query": q.Text, "history": q.History, "audience": q.Audiences, "limit": limit,
	}, &found)
	return found.results(), err
}

// post sends a request until the daemon has read its documents and has room for it, and
// decodes what it says.
func (r remote) post(ctx context.Context, path string, request, response any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	for {
		err := r.try(ctx, path, body, response)
		if !errors.Is(err, kb.ErrBusy) {
			return err
		}
		if err := pause(ctx, busyPause); err != nil {
			return err
		}
	}
}

func (r remote) try(ctx context.Context, path string, body []byte, response any) error {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the running bot does not answer: %w; is it still there?", err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(res.Body).Decode(response)
	case http.StatusServiceUnavailable:
		return kb.ErrBusy
	case http.StatusUnauthorized:
		return fmt.Errorf("the running bot at %s wants a token: set BOT_TOKEN or BOT_TOKEN_FILE to the daemon's", r.url)
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
	return fmt.Errorf("the running bot at %s answered %s: %s", r.url, res.Status, bytes.TrimSpace(text))
}

// foundJSON is the public form of kb.Results.
type foundJSON struct {
	Hits []struct {
		Path    string   `json:"path"`
		Title   string   `json:"title"`
		Section string   `json:"section"`
		Text    string   `json:"text"`
		Lines   kb.Lines `json:"lines"`
		Hash    string   `json:"hash"`
		Score   float64  `json:"score"`
		BM25    kb.Leg   `json:"bm25"`
		Vector  kb.Leg   `json:"vector"`
		Matched []string `json:"matched"`
	} `json:"hits"`
	TookMS   float64  `json:"took_ms"`
	Degraded []string `json:"degraded"`
}

// results is what printing and marshalling need of it: each hit is one passage.
func (f foundJSON) results() kb.Results {
	r := kb.Results{Took: time.Duration(f.TookMS * float64(time.Millisecond)), Degraded: f.Degraded}
	for _, h := range f.Hits {
		r.Hits = append(r.Hits, kb.Hit{
			Passages: []*kb.Passage{{
				Hash: h.Hash, Path: h.Path, Title: h.Title, Headings: []string{h.Section}, Text: h.Text, Lines: h.Lines,
			}},
			Score: h.Score, BM25: h.BM25, Vector: h.Vector, Matched: h.Matched,
		})
	}
	return r
}
