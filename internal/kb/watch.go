package kb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sync/errgroup"
)

// Run follows the folder until ctx ends. File events and a ticker ring the same bell;
// what happened is found out by scanning, so no event needs to be understood, and none
// that is lost does harm.
func (l *Library) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	w, err := newWatcher()
	if err != nil {
		l.noteWatch(err)
	}
	g.Go(func() error { w.run(ctx, l.bell, l.noteWatch); return nil })
	if l.vecs != nil {
		g.Go(func() error { l.vecs.run(ctx); return nil })
	}
	g.Go(func() error { l.follow(ctx, w); return nil })
	return g.Wait()
}

// follow scans whenever the bell rings, when a file that was left alone is due, and at
// the latest after the rescan interval.
func (l *Library) follow(ctx context.Context, w *watcher) {
	rescan := true
	lastRescan := time.Now()
	for ctx.Err() == nil {
		waiting, found, err := l.scan(ctx, rescan)
		if err != nil && ctx.Err() == nil {
			l.log.Error("documents not reloaded", "reason", err)
		}
		if err == nil {
			l.noteWatch(w.watch(l.folders(found.dirs)))
		}
		pause := time.Until(lastRescan.Add(l.cfg.Rescan))
		if l.seal() {
			pause = min(pause, sealAfter)
		}
		if waiting && err == nil {
			pause = min(pause, l.cfg.Settle/2)
		}
		l.pause(ctx, l.bell, pause)
		if rescan = time.Since(lastRescan) >= l.cfg.Rescan; rescan {
			lastRescan = time.Now()
		}
	}
}

// seal makes the lexical index fit to be opened again after a kill, and says whether it
// must be tried again.
func (l *Library) seal() (again bool) {
	again, err := l.lex.sealWhenQuiet(time.Now())
	if err != nil && l.lexWhole.Load() {
		l.log.Warn("lexical index not sealed: it will be built anew if the program is killed", "reason", err)
	}
	return again
}

// pause waits for the bell or the time, whichever comes first.
func (l *Library) pause(ctx context.Context, bell <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-bell:
	case <-timer.C:
	}
}

// Sync brings the library up to date once, vectors included, for commands that end
// after one answer. progress, which may be nil, is called now and then.
func (l *Library) Sync(ctx context.Context, progress func(Progress)) error {
	report := func() {
		if progress != nil {
			progress(l.Status().Progress)
		}
	}
	for rescan := true; ; rescan = false {
		waiting, _, err := l.scan(ctx, rescan)
		if err != nil {
			return err
		}
		report()
		if !waiting || time.Since(l.scanner.started) > patience {
			break
		}
		l.pause(ctx, nil, l.cfg.Settle/2)
	}
	if l.vecs != nil {
		return l.vecs.sync(ctx, report)
	}
	return ctx.Err()
}

func (l *Library) noteWatch(err error) {
	text := ""
	if err != nil {
		text = fmt.Sprintf("file events are incomplete (%s): changes are found by rescanning every %s", err, l.cfg.Rescan)
	}
	first := false
	l.note(func(n *notes) { first, n.watch = n.watch == "", text })
	if first && err != nil {
		l.log.Warn("file events are incomplete, rescanning instead", "reason", err, "every", l.cfg.Rescan)
	}
}

// A watcher watches folders for anything that happens in them. Its zero value watches
// nothing.
type watcher struct{ fs *fsnotify.Watcher }

func newWatcher() (*watcher, error) {
	fs, err := fsnotify.NewWatcher()
	return &watcher{fs}, err
}

// watch sets the folders to watch. Those that cannot be
// watched are the error.
func (w *watcher) watch(dirs []string) error {
	if w.fs == nil {
		return errors.New("no watcher")
	}
	var errs []error
	wanted := make(map[string]bool, len(dirs))
	for _, d := range dirs {
		wanted[d] = true
		if err := w.fs.Add(d); err != nil {
			errs = append(errs, err)
		}
	}
	for _, d := range w.fs.WatchList() {
		if !wanted[d] {
			_ = w.fs.Remove(d) // it may have gone by itself
		}
	}
	return errors.Join(errs...)
}

// ring asks for a scan; asking twice before it begins is asking once.
func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// run rings the bell for every event but a change of permissions, and for every lost
// one, until ctx ends; then it closes the watcher.
func (w *watcher) run(ctx context.Context, bell chan<- struct{}, trouble func(error)) {
	if w.fs == nil {
		return
	}
	defer w.fs.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-w.fs.Events:
			if e.Op == fsnotify.Chmod {
				continue
			}
		case err := <-w.fs.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				trouble(err)
			}
		}
		ring(bell)
	}
}
