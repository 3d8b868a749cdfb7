package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"citebot/internal/chat/web"
	"citebot/internal/kb"

	"golang.org/x/sync/errgroup"
)

// From which level up commands log.
const (
	logServe   = slog.LevelInfo
	logOneShot = slog.LevelWarn
)

type serveCmd struct{}

// Run serves until ctx ends, which is no error.
func (serveCmd) Run(ctx context.Context, b *bot) error {
	cfg, err := b.config()
	if err != nil {
		return err
	}
	log := b.log(cfg, logServe)
	defer lastResort(ctx, log, os.Exit)()
	p, err := openPipeline(ctx, cfg, log)
	if err != nil {
		return whoHasIt(err, cfg.State)
	}
	err = b.serve(ctx, cfg, p, log)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, p.Close())
}

// stopWithin is how long a stop takes at most. Supervisors kill after 30 seconds as a rule,
// and some have to wait for a load balancer first. The parts have bounds that end before:
// requests on the web 22 s, turns on chat platforms 18 s.
const stopWithin = 25 * time.Second

// lastResort ends the process where something has kept it from stopping in time, such as a
// disk that hangs, and shows what. What is not done then the next start does, as after a
// kill. The function that it returns calls that off.
func lastResort(ctx context.Context, log *slog.Logger, exit func(code int)) (stopped func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-done:
		case <-time.After(stopWithin - time.Second/2):
			endAnyway(log, exit)
		}
	})
	return func() {
		stop()
		close(done)
	}
}

// endAnyway says what everybody waits for and ends the process, also where it is the log that
// hangs.
func endAnyway(log *slog.Logger, exit func(code int)) {
	mute := time.AfterFunc(time.Second/4, func() { exit(exitError) })
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	log.Error("the bot could not stop in time and is ended", slog.String("goroutines", string(stacks)))
	if mute.Stop() {
		exit(exitError)
	}
}

// whoHasIt names the daemon that keeps a second one from starting.
func whoHasIt(err error, state string) error {
	if !errors.Is(err, kb.ErrLocked) {
		return err
	}
	who := ""
	if d, err := readDaemon(state); err == nil {
		who = fmt.Sprintf(" (%s, process %d)", d.URL, d.PID)
	}
	return fmt.Errorf("%s: %w%s; stop it, or name another folder with BOT_STATE or --state", state, err, who)
}

// serve serves until ctx ends.
func (b *bot) serve(ctx context.Context, cfg config, p *pipeline, log *slog.Logger) error {
	t, err := openTalk(ctx, cfg, p, log)
	if err != nil {
		return err
	}
	return errors.Join(b.serveBoth(ctx, cfg, p, t, log), t.Close())
}

// serveBoth serves the web and the platforms. It listens before anything is read, so that
// the page can say how far reading has come, and returns when all have stopped.
func (b *bot) serveBoth(ctx context.Context, cfg config, p *pipeline, t *talk, log *slog.Logger) error {
	listener, err := net.Listen("tcp", cfg.HTTP)
	if err != nil {
		return fmt.Errorf("BOT_HTTP: cannot serve on %s: %w; choose a free port of this machine, for example with --http 127.0.0.1:0", cfg.HTTP, err)
	}
	url := localURL(listener.Addr())
	site, err := web.New(p.site(cfg, listener.Addr().String(), t, log))
	if err == nil {
		err = p.observed.watch(p, t)
	}
	if err == nil {
		p.answerer.SourceURL = site.SourceURL
		err = daemon{URL: url, PID: os.Getpid()}.write(cfg.State)
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer os.Remove(daemonFile(cfg.State))
	b.say.line("citebot answers from %s at %s (Ctrl-C stops it)", cfg.Docs, cmp.Or(cfg.PublicURL, url))

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.run(ctx) })
	group.Go(func() error { return site.Serve(ctx, listener) })
	group.Go(func() error { return t.run(ctx) })
	group.Go(func() error { return b.followLoad(ctx, p.library.Status, log) })
	return group.Wait()
}

// loadPoll is how often the first load's progress is looked at.
const loadPoll = 200 * time.Millisecond

// followLoad shows the first load until it is done, then says what there is.
func (b *bot) followLoad(ctx context.Context, status func() kb.Status, log *slog.Logger) error {
	b.say.progress.line = func(s step) {
		log.Info("loading", slog.String("step", s.what), slog.Int("done", s.done), slog.Int("of", s.total))
	}
	defer b.say.progress.clear()
	for trouble := 0; ; {
		s := status()
		if trouble++; s.VectorTrouble == "" {
			trouble = 0
		}
		if s.Ready && (s.Progress.Vectors >= s.Progress.VectorsTotal || trouble > 3*int(time.Second/loadPoll)) { // the log says what the trouble is
			b.loaded(s, log)
			return nil
		}
		b.say.progress.show(loading(s.Progress))
		if err := pause(ctx, loadPoll); err != nil {
			return nil // stopped while loading, as asked
		}
	}
}

func (b *bot) loaded(s kb.Status, log *slog.Logger) {
	b.say.progress.clear()
	log.Info("documents are loaded", slog.Int("documents", s.Documents), slog.Int("passages", s.Passages),
		slog.Int("failed", s.Failed), slog.Int("skipped", s.Skipped))
	if s.Documents == 0 {
		log.Warn("the documents folder is empty; the bot will follow what is put there")
	}
}
