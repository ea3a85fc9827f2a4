package diskengine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// The ways in which a directory cannot be used (errors.Is).
var (
	ErrLocked = errors.New("another process has the store open")
	ErrNewer  = errors.New("the store was written by a newer version")
)

// Open opens the store in a directory, or makes one there. It takes as long for many channels as for few.
func Open(opts Options) (*Engine, error) {
	opts.complete()
	e := &Engine{
		opts:    opts,
		gate:    newGate(opts.FS),
		topics:  newTopics(),
		left:    newDepartures(opts.Space.Now()),
		queue:   newQueue(),
		listing: make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	e.health = &health{logger: opts.Logger, failed: e.failed, ended: make(chan struct{})}
	if err := e.openStore(); err != nil {
		return nil, fmt.Errorf("open the store in %s: %w", opts.Dir, err)
	}
	e.work = newWorkPool(workers)
	e.pages = newPages(e)
	e.measure()
	e.committer.Go(e.commitLoop)
	e.sweeping.Go(e.sweepLoop)
	return e, nil
}

func (e *Engine) openStore() (err error) {
	if err := e.opts.FS.MkdirAll(e.opts.Dir, 0o700); err != nil {
		return explain(err)
	}
	lock, err := pebble.LockDirectory(e.opts.Dir, e.opts.FS)
	if err != nil {
		return lockError(err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // the database holds it on
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // the database holds it on
	if err := e.openPebble(e.pebbleOptions(lock, cache)); err != nil {
		return explain(err)
	}
	if err := e.begin(); err != nil {
		if e.health.err() != nil {
			return err
		}
		if e.tally != nil {
			err = errors.Join(err, e.tally.close())
		}
		return errors.Join(err, e.db.Close())
	}
	e.gate.hold()
	return nil
}

// openPebble opens the database. Should Pebble find that it cannot go on, its goroutine never comes back.
func (e *Engine) openPebble(o *pebble.Options) error {
	opened := make(chan error, 1)
	go func() {
		db, err := pebble.Open(e.opts.Dir, o)
		e.db = db
		opened <- err
	}()
	select {
	case err := <-opened:
		return err
	case <-e.health.ended:
		return e.health.err()
	}
}

func (e *Engine) pebbleOptions(lock *pebble.Lock, cache *pebble.Cache) *pebble.Options {
	return &pebble.Options{
		FS:                          e.gate,
		Lock:                        lock,
		Cache:                       cache,
		Logger:                      pebbleLogger{e.health},
		EventListener:               e.health.listener(),
		FormatMajorVersion:          formatMajorVersion,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 4,
	}
}

// formatMajorVersion is Pebble's own layout, fixed so that a store can be opened by the version before an upgrade.
const formatMajorVersion = pebble.FormatNewest

// begin checks the layout, notes the new incarnation, and finds out which ids are taken.
func (e *Engine) begin() error {
	if err := e.checkLayout(); err != nil {
		return err
	}
	var last incarnation
	value, err := e.get(incarnationKey())
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return explain(err)
	default:
		if last, err = parseIncarnation(value); err != nil {
			return err
		}
	}
	if e.tally, err = e.openTally(); err != nil {
		return err
	}
	e.incarnation = last.next(e.opts.BootID)
	if err := e.put(incarnationKey(), e.incarnation.append(nil)); err != nil {
		return err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixMeta}, UpperBound: []byte{prefixMeta + 1}})
	if err != nil {
		return err
	}
	if it.Last() {
		e.lastID.Store(recordID(it.Key()))
	}
	return it.Close()
}

func (e *Engine) checkLayout() error {
	value, err := e.get(versionKey())
	if errors.Is(err, pebble.ErrNotFound) {
		return e.put(versionKey(), strconv.AppendInt(nil, layoutVersion, 10))
	}
	if err != nil {
		return explain(err)
	}
	version, err := strconv.Atoi(string(value))
	if err != nil {
		return fmt.Errorf("its layout version is %q: %w", value, errDamaged)
	}
	if version > layoutVersion {
		return fmt.Errorf("%w: it has layout %d, and this one knows layouts up to %d: use the newer version, or another directory",
			ErrNewer, version, layoutVersion)
	}
	return nil
}

// explain says what to do about an error of opening.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the directory must be writable by the user the gateway runs as", err)
	case noRoom(err):
		return fmt.Errorf("%w: make room on the disk", err)
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: the store is damaged; move the directory away to start with an empty one, or bring it back from a copy", err)
	case strings.Contains(err.Error(), "format major version"):
		return fmt.Errorf("%w: %w: use the newer version, or another directory", ErrNewer, err)
	}
	return err
}

// lockError tells a lock that is held from a directory that cannot be written.
func lockError(err error) error {
	if errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "lock held") {
		return fmt.Errorf("%w (%w): end it first, or use another directory", ErrLocked, err)
	}
	return explain(err)
}

// bootID names the run of the machine; empty where it cannot be known, which counts as another one each time.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
