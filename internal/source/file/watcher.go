package file

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher keeps the tailer's list of files. All of it belongs to one goroutine.
type watcher struct {
	*Tailer
	events  *fsnotify.Watcher // nil: only polling
	watched map[string]bool   // directories that send events
	first   bool              // no scan was done yet
	full    bool              // it was told that there are too many files
	told    map[string]notice // what was said about paths that are not followed
}

// notice is what was said about a path, so that it is said once.
type notice struct {
	info   os.FileInfo // of the file it was said about; nil: it could not be opened
	reason string
}

func newWatcher(t *Tailer) *watcher {
	w := &watcher{Tailer: t, first: true, watched: map[string]bool{}, told: map[string]notice{}}
	if t.options.NoEvents {
		return w
	}
	events, err := fsnotify.NewWatcher()
	if err != nil {
		t.logger.Warn("file system events are not available; files are looked at every 250 ms instead", slog.Any("error", err))
		return w
	}
	w.events = events
	return w
}

// run watches until ctx ends.
func (w *watcher) run(ctx context.Context) {
	var events chan fsnotify.Event
	var failures chan error
	if w.events != nil {
		defer w.events.Close() //nolint:errcheck // nothing can be lost with it
		events, failures = w.events.Events, w.events.Errors
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	w.scan()
	for scanned := time.Now(); ; {
		due := false
		select {
		case <-ctx.Done():
			return
		case event, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			due = w.drain(event)
		case _, ok := <-failures: // events were lost
			if !ok {
				failures = nil
				continue
			}
			due = true
			w.touchAll()
		case now := <-poll.C:
			due = now.Sub(scanned) >= scanInterval || w.moved()
			w.touchAll()
		}
		if due {
			w.scan()
			scanned = time.Now()
		}
		w.ring()
	}
}

// drain handles an event and those already waiting behind it, and reports whether the list of files may have changed.
func (w *watcher) drain(event fsnotify.Event) (due bool) {
	const together = 1024 // so that a flood of events does not keep the reader waiting
	for range together {
		due = w.handle(event) || due
		select {
		case next, ok := <-w.events.Events:
			if !ok {
				return due
			}
			event = next
		default:
			return due
		}
	}
	return due
}

func (w *watcher) handle(event fsnotify.Event) (due bool) {
	known := false
	for _, g := range w.listed() {
		if event.Name == g.path || event.Name == g.resolved {
			g.dirty.Store(true)
			known = true
		}
	}
	if event.Has(fsnotify.Create) || event.Has(fsnotify.Chmod) && !known {
		return w.wanted(event.Name)
	}
	return known && (event.Has(fsnotify.Rename) || event.Has(fsnotify.Remove))
}

// wanted reports whether a path, or a directory above the files of a pattern, is asked for.
func (w *watcher) wanted(path string) bool {
	for _, pattern := range w.patterns {
		for ; len(pattern) >= len(filepath.VolumeName(pattern))+1; pattern = filepath.Dir(pattern) {
			if ok, err := filepath.Match(pattern, path); err == nil && ok || pattern == path {
				return true
			}
			if filepath.Dir(pattern) == pattern {
				break
			}
		}
	}
	return false
}

// touchAll has every file looked at.
func (w *watcher) touchAll() {
	for _, g := range w.listed() {
		g.dirty.Store(true)
	}
}

// moved reports whether a path leads to another file than it did.
func (w *watcher) moved() bool {
	for _, g := range w.listed() {
		if !g.named.Load() {
			continue
		}
		info, err := os.Stat(g.path)
		if err != nil || !os.SameFile(info, g.info) {
			return true
		}
	}
	return false
}

// watch asks for the events of a directory.
func (w *watcher) watch(dir string) {
	if w.events == nil || w.watched[dir] {
		return
	}
	if err := w.events.Add(dir); err != nil {
		if !os.IsNotExist(err) {
			w.watched[dir] = true // polling does; asking again would not help
			w.logger.Info("a directory sends no events; its files are looked at every 250 ms instead",
				slog.String("directory", dir), slog.Any("error", err))
		}
		return
	}
	w.watched[dir] = true
}
