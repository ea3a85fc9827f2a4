package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/source"
)

// Tailer follows files. Make it with New and call Run once; Stats may be called at any time.
type Tailer struct {
	options  Options
	patterns []string // absolute
	stdin    bool
	logger   *slog.Logger
	batcher  *source.Batcher
	reached  *positions
	quiet    time.Duration // how long a file without a name is looked at
	counts   struct{ records, bytes, errors, truncations atomic.Int64 }
	wake     chan struct{} // has a token when a file should be looked at

	mu    sync.Mutex    // guards files
	files []*generation // never changed in place; what has to be read first stands first
}

// Stats counts what a Tailer did so far.
type Stats struct {
	Records     int64 // lines, joined ones counted once
	Bytes       int64
	Files       int   // followed now
	Errors      int64 // files that could not be read, each time that it began
	Truncations int64
	source.BatcherStats
}

// New checks the options and makes a Tailer.
func New(options Options) (*Tailer, error) {
	if options.Publisher == nil {
		return nil, errors.New("follow files: no publisher is given")
	}
	if err := options.Channel.Check(); err != nil {
		return nil, fmt.Errorf("follow files: %w", err)
	}
	if options.MaxFiles == 0 {
		options.MaxFiles = defaultMaxFiles
	}
	if options.DrainTimeout == 0 {
		options.DrainTimeout = defaultDrainTimeout
	}
	t := &Tailer{options: options, logger: options.Logger, quiet: orphanQuiet, wake: make(chan struct{}, 1)}
	if t.logger == nil {
		t.logger = slog.New(slog.DiscardHandler)
	}
	for _, path := range options.Paths {
		if path == Stdin {
			t.stdin = true
			continue
		}
		if err := t.addPattern(path); err != nil {
			return nil, err
		}
	}
	if t.stdin && options.Stdin == nil {
		return nil, errors.New(`follow files: "-" is among the paths, but no standard input is given`)
	}
	if !t.stdin && len(t.patterns) == 0 {
		return nil, errors.New("follow files: no path is given; expected files, patterns such as /var/log/*.log, or - for standard input")
	}
	t.reached = loadPositions(options.Keeper, options.Channel, t.logger)
	t.batcher = source.NewBatcher(source.BatcherOptions{
		Publisher: options.Publisher,
		Channel:   options.Channel,
		Logger:    t.logger,
		Published: t.reached.published,
	})
	return t, nil
}

func (t *Tailer) addPattern(path string) error {
	if _, err := filepath.Match(path, ""); err != nil {
		return fmt.Errorf("follow files: %q is no pattern: a [ has no ] after it; write \\[ where the name itself has it", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("follow files: %s: %w", path, err)
	}
	if !slices.Contains(t.patterns, absolute) {
		t.patterns = append(t.patterns, absolute)
	}
	return nil
}

// Run follows the files until ctx ends, or until standard input ends if nothing else is followed. What was read by then
// is published before it returns; its error tells that this did not succeed within Options.DrainTimeout. A Read
// of standard input that is under way is not waited for.
func (t *Tailer) Run(ctx context.Context) error {
	publishing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() {
		deadline := time.AfterFunc(t.options.DrainTimeout, giveUp)
		context.AfterFunc(publishing, func() { deadline.Stop() })
	})()
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()

	var wg sync.WaitGroup
	var published error
	wg.Go(func() { published = t.batcher.Run(publishing) })
	if len(t.patterns) > 0 {
		wg.Go(func() { newWatcher(t).run(watching) })
	}
	newReader(t).run(ctx, publishing)
	stopWatching()
	t.batcher.Close()
	wg.Wait()
	t.reached.close()
	for _, g := range t.listed() {
		if !g.closed {
			g.file.Close()
		}
	}
	if published != nil {
		return fmt.Errorf("follow %s: %w", strings.Join(t.options.Paths, " "), published)
	}
	return nil
}

// Stats tells what was done so far.
func (t *Tailer) Stats() Stats {
	return Stats{
		Records:      t.counts.records.Load(),
		Bytes:        t.counts.bytes.Load(),
		Files:        len(t.listed()),
		Errors:       t.counts.errors.Load(),
		Truncations:  t.counts.truncations.Load(),
		BatcherStats: t.batcher.Stats(),
	}
}

// listed gives the files of now. The slice is not changed any more.
func (t *Tailer) listed() []*generation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.files
}

// list adds a file behind those that are listed.
func (t *Tailer) list(g *generation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files = append(slices.Clip(t.files), g)
}

// unlist forgets a file.
func (t *Tailer) unlist(g *generation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files = slices.DeleteFunc(slices.Clone(t.files), func(other *generation) bool { return other == g })
}

// ring has the reader look at the files that are dirty.
func (t *Tailer) ring() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
