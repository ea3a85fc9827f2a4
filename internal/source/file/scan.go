package file

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// candidate is a path that leads to a file which is not followed yet.
type candidate struct {
	path  string
	info  os.FileInfo
	after *generation // the one that was at the path before
}

// scan looks where the paths lead: to a file that is followed already, under this name or another, or to a new one.
func (w *watcher) scan() {
	listed := w.listed()
	at := make(map[string]*generation, len(listed)) // what was last at a path, even if it is gone already
	for _, g := range listed {
		at[g.path] = g
	}
	named := map[*generation]bool{}
	seen := map[string]bool{}
	var candidates []candidate
	for _, path := range w.expand() {
		if seen[path] {
			continue
		}
		seen[path] = true
		info, err := os.Stat(path)
		if err != nil {
			w.unreadable(path, err)
			continue
		}
		if g := find(listed, info); g != nil {
			if !named[g] || at[path] == g { // a second path to it changes nothing
				g.path = path
			}
			named[g] = true
			continue
		}
		candidates = append(candidates, candidate{path, info, at[path]})
	}
	for _, g := range listed {
		g.named.Store(named[g])
	}
	w.follow(candidates)
	for path := range w.told {
		if !seen[path] {
			delete(w.told, path)
		}
	}
	for dir := range w.watched { // a directory that is gone has to be asked again when it comes back
		if _, err := os.Stat(dir); err != nil {
			delete(w.watched, dir)
		}
	}
	w.first = false
}

// follow opens what is new, the oldest first, so that rotated files come before what followed them.
func (w *watcher) follow(candidates []candidate) {
	for _, c := range candidates {
		if c.after != nil {
			candidates = append(candidates, w.missed(c, candidates)...)
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	var skipped []string
	last := map[*generation]*generation{} // of those that follow one: each follows the one opened before it
	for _, c := range candidates {
		before := c.after
		if g := last[before]; g != nil {
			c.after = g
		}
		g, reason, err := w.open(c)
		switch {
		case g != nil && before != nil:
			last[before] = g
		case err != nil:
			w.unreadable(c.path, err)
		case reason != "":
			if w.tell(c.path, notice{c.info, reason}) {
				skipped = append(skipped, c.path+" ("+reason+")")
			}
		}
	}
	if len(skipped) > 0 {
		w.logger.Info("not following what is no text log", slog.Int("count", len(skipped)), slog.String("files", shorten(skipped)))
	}
	w.ring()
}

// shorten lists some of many names.
func shorten(names []string) string {
	const shown = 10
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// expand gives the paths that the patterns match now, and watches their directories.
func (w *watcher) expand() []string {
	var paths []string
	for _, pattern := range w.patterns {
		if _, err := os.Lstat(pattern); err == nil || !strings.ContainsAny(pattern, "*?[") {
			w.watch(filepath.Dir(pattern))
			paths = append(paths, pattern)
			continue
		}
		dirs := []string{filepath.Dir(pattern)}
		if strings.ContainsAny(dirs[0], "*?[") {
			dirs, _ = filepath.Glob(dirs[0]) // New checked the pattern
		}
		for _, dir := range dirs {
			w.watch(dir)
		}
		matches, _ := filepath.Glob(pattern) // New checked the pattern
		paths = append(paths, matches...)
	}
	return paths
}

func find(listed []*generation, info os.FileInfo) *generation {
	for _, g := range listed {
		if os.SameFile(g.info, info) {
			return g
		}
	}
	return nil
}

// open follows the file at a path, or gives the reason why it is not to be followed. With neither, it is followed
// already under another name, or there are too many files.
func (w *watcher) open(c candidate) (g *generation, reason string, err error) {
	told, known := w.told[c.path]
	if known && told.info != nil && os.SameFile(told.info, c.info) {
		return nil, told.reason, nil
	}
	if reason = skipByKind(c.info); reason == "" {
		reason = skipByName(c.path)
	}
	if reason != "" {
		return nil, reason, nil
	}
	listed := w.listed()
	if len(listed) >= w.options.MaxFiles {
		w.overflow()
		return nil, "", nil
	}
	f, err := os.Open(c.path)
	if err != nil {
		return nil, "", err
	}
	g, reason, err = w.newGeneration(f, c)
	if g == nil || find(listed, g.info) != nil { // another path that leads to the same file came first
		f.Close()
		return nil, reason, err
	}
	unreadable := known && told.info == nil // it was there before, but could not be opened
	if unreadable {
		w.logger.Info("the file can be read now", slog.String("path", c.path))
	}
	delete(w.told, c.path)
	if w.first || unreadable {
		g.from = w.options.From
	}
	w.watch(filepath.Dir(g.resolved))
	w.list(g)
	return g, "", nil
}

func (w *watcher) newGeneration(f *os.File, c candidate) (g *generation, reason string, err error) {
	g = &generation{file: f, source: c.path, path: c.path, resolved: c.path, from: FromBeginning, after: c.after}
	if g.info, err = f.Stat(); err != nil {
		return nil, "", err
	}
	if reason = skipByKind(g.info); reason != "" {
		return nil, reason, nil
	}
	binary, err := isBinary(f)
	if err != nil {
		return nil, "", err
	}
	if binary {
		return nil, "binary", nil
	}
	if g.id, err = identify(f); err != nil {
		return nil, "", err
	}
	if resolved, err := filepath.EvalSymlinks(c.path); err == nil {
		g.resolved = resolved
	}
	g.size = g.info.Size()
	g.named.Store(true)
	g.dirty.Store(true)
	if c.after != nil {
		c.after.dirty.Store(true)
	}
	return g, "", nil
}

// missed finds what was at a path for so short a time that it was not seen there: files with the path's name and more,
// as rotation names them, written to after the one that was followed.
func (w *watcher) missed(now candidate, others []candidate) []candidate {
	before, err := now.after.file.Stat()
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(now.path))
	if err != nil {
		return nil
	}
	var missed []candidate
	for _, entry := range entries {
		path := filepath.Join(filepath.Dir(now.path), entry.Name())
		rest, ok := strings.CutPrefix(path, now.path)
		if !ok || rest == "" || rest[0] != '.' && rest[0] != '-' || skipByName(path) != "" {
			continue
		}
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.ModTime().Before(before.ModTime()) || find(w.listed(), info) != nil {
			continue
		}
		if !slices.ContainsFunc(others, func(c candidate) bool { return os.SameFile(c.info, info) }) {
			missed = append(missed, candidate{path, info, now.after})
		}
	}
	return missed
}

// unreadable tells once that a path cannot be followed, and what to do.
func (w *watcher) unreadable(path string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		if w.first {
			w.logger.Info("the file is not there yet; it is followed from its beginning when it appears", slog.String("path", path))
		}
		return
	}
	if !w.tell(path, notice{reason: err.Error()}) {
		return
	}
	w.counts.errors.Add(1)
	advice := "see that it can be opened"
	if errors.Is(err, fs.ErrPermission) {
		advice = "allow the user that runs magpie to read it, on Debian with: adduser <user> adm, and a restart"
	}
	w.logger.Warn("cannot read a log file; it is tried again every second",
		slog.String("path", path), slog.Any("error", err), slog.String("advice", advice))
}

// tell notes what is said about a path, and reports whether it is new.
func (w *watcher) tell(path string, n notice) bool {
	before, ok := w.told[path]
	w.told[path] = n
	return !ok || before.reason != n.reason
}

func (w *watcher) overflow() {
	if w.full {
		return
	}
	w.full = true
	w.counts.errors.Add(1)
	w.logger.Warn("too many files: the others are followed when these are gone; give narrower patterns or raise the limit",
		slog.Int("limit", w.options.MaxFiles))
}
