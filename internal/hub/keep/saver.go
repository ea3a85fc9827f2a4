package keep

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Store keeps small values over restarts. It is safe for concurrent use, and its methods may wait for a disk.
type Store interface {
	// Value returns what is kept under a key, nil when there is nothing.
	Value(key string) ([]byte, error)
	// SetValues keeps all values, or none; a nil one removes its key.
	SetValues(values map[string][]byte) error
	// ValuesAfter calls f for at most so many of the keys behind after that have the prefix, in their order.
	ValuesAfter(prefix, after string, most int, f func(key string, value []byte)) error
}

// The keys in the store.
const (
	sessionPrefix = "session/"
	runPrefix     = "session-run/" // when the gateway was last seen alive in that run
	secretKey     = "session-secret"
)

const (
	// saveEvery is the time between two rounds of writing. A change waits for one round to be gathered and for one to be
	// written.
	saveEvery = 500 * time.Millisecond
	// aliveEvery is the time between two notes that the gateway is alive: what lives when it is killed counts as connected
	// until then. The store's time for a session is longer by that.
	aliveEvery = 30 * time.Second
	// loaders bounds the goroutines that wait for the disk.
	loaders = 16
	// page is how many sessions a sweep reads at once.
	page = 1000
)

// saver writes sessions down in the background.
type saver struct {
	opts    *Options
	metrics *Metrics
	run     string // names this run of the gateway
	loading chan struct{}
	told    time.Time // when a failure was logged last; for the one goroutine that writes

	mu      sync.Mutex // guards the fields below
	pending map[wire.SessionID]*record
	writing map[wire.SessionID]*record // is on its way to disk
	waiting []func()                   // from due
}

// newSaver opens what the store has, and returns the node's secret, which is made the first time.
func newSaver(opts *Options, metrics *Metrics) (*saver, []byte, error) {
	s := &saver{
		opts:    opts,
		metrics: metrics,
		run:     rand.Text(),
		loading: make(chan struct{}, loaders),
		pending: make(map[wire.SessionID]*record),
	}
	secret, err := opts.Store.Value(secretKey)
	if err == nil && len(secret) != secretBytes {
		secret = make([]byte, secretBytes)
		_, _ = rand.Read(secret) // never fails (crypto/rand)
		err = opts.Store.SetValues(map[string][]byte{secretKey: secret})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the secret of resume tokens: %w", err)
	}
	s.noteAlive()
	return s, secret, nil
}

func (s *saver) due(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, f)
}

func (s *saver) put(id wire.SessionID, r *record) {
	if r != nil {
		r.run = s.run
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[id] = r
}

func (s *saver) loop(stop <-chan struct{}) {
	saving, alive := time.NewTicker(saveEvery), time.NewTicker(aliveEvery)
	defer saving.Stop()
	defer alive.Stop()
	for {
		select {
		case <-stop:
			return
		case <-saving.C:
			s.flush()
			s.gather()
		case <-alive.C:
			s.noteAlive()
		}
	}
}

// gather has the loops tell what has changed; it is written in the next round.
func (s *saver) gather() {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}

// flush writes what has gathered. What the store does not take is given up: its clients subscribe by themselves.
func (s *saver) flush() {
	s.mu.Lock()
	if len(s.pending) == 0 {
		s.mu.Unlock()
		return
	}
	s.writing, s.pending = s.pending, make(map[wire.SessionID]*record)
	s.mu.Unlock()
	values := make(map[string][]byte, len(s.writing)) // nobody else changes it
	saved := int64(0)
	for id, r := range s.writing {
		var value []byte
		if r != nil {
			value = r.encode()
			saved++
		}
		values[sessionPrefix+string(id)] = value
	}
	err := s.opts.Store.SetValues(values)
	if err == nil {
		s.metrics.Saved.Add(saved)
	}
	s.report(err)
	s.mu.Lock()
	s.writing = nil
	s.mu.Unlock()
}

func (s *saver) noteAlive() {
	now := strconv.AppendInt(nil, s.opts.Now().UnixMilli(), 10)
	s.report(s.opts.Store.SetValues(map[string][]byte{runPrefix + s.run: now}))
}

// report tells of a failure, once a minute.
func (s *saver) report(err error) {
	if now := s.opts.Now(); err != nil && now.Sub(s.told) > time.Minute {
		s.told = now
		s.opts.Logger.Warn("sessions cannot be written down, and end with the gateway's process", "error", err)
	}
}

// load reads a session that another run of the gateway has left.
func (s *saver) load(id wire.SessionID, done func(Session, bool)) {
	go func() {
		s.loading <- struct{}{}
		defer func() { <-s.loading }()
		r, err := s.find(id)
		if err != nil {
			s.opts.Logger.Warn("a session cannot be read back", "error", err)
		}
		if r == nil {
			done(Session{}, false)
			return
		}
		done(r.session, true)
	}()
}

func (s *saver) find(id wire.SessionID) (*record, error) {
	s.mu.Lock()
	_, pending := s.pending[id]
	_, writing := s.writing[id]
	s.mu.Unlock()
	if pending || writing {
		return nil, nil // it is of this run
	}
	value, err := s.opts.Store.Value(sessionPrefix + string(id))
	if value == nil || err != nil {
		return nil, err
	}
	r, err := decodeRecord(id, value)
	if err != nil || r.run == s.run {
		return nil, err
	}
	valid, err := s.valid(r)
	if !valid {
		return nil, err
	}
	return r, nil
}

// valid reports whether a session of another run can still be resumed.
func (s *saver) valid(r *record) (bool, error) {
	if r.lives {
		alive, err := s.aliveAt(r.run)
		if err != nil {
			return false, err
		}
		if alive = alive.Add(aliveEvery); alive.After(r.session.Active) {
			r.session.Active = alive
		}
	}
	return s.opts.Now().Sub(r.session.Active) < s.opts.Within, nil
}

// aliveAt is when a run was last seen alive; long ago when nothing is known of it.
func (s *saver) aliveAt(run string) (time.Time, error) {
	value, err := s.opts.Store.Value(runPrefix + run)
	if value == nil || err != nil {
		return time.Time{}, err
	}
	ms, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the note of a run of the gateway: %w", err)
	}
	return time.UnixMilli(ms), nil
}

// sweep removes what nobody can resume any more.
func (s *saver) sweep() {
	err := s.sweepKeys(sessionPrefix, func(key string, value []byte) bool {
		r, err := decodeRecord(wire.SessionID(strings.TrimPrefix(key, sessionPrefix)), value)
		if err != nil {
			return true
		}
		if r.run == s.run {
			return false // it is removed when it ends
		}
		valid, err := s.valid(r)
		return err == nil && !valid
	})
	err = errors.Join(err, s.sweepKeys(runPrefix, func(key string, value []byte) bool {
		ms, err := strconv.ParseInt(string(value), 10, 64)
		old := time.UnixMilli(ms).Add(aliveEvery + s.opts.Within)
		return err != nil || key != runPrefix+s.run && s.opts.Now().After(old)
	}))
	if err != nil {
		s.opts.Logger.Warn("old sessions cannot be removed from the store", "error", err)
	}
}

// sweepKeys removes the keys of a prefix that are over.
func (s *saver) sweepKeys(prefix string, over func(key string, value []byte) bool) error {
	for after, more := prefix, true; more; {
		type item struct {
			key   string
			value []byte
		}
		var items []item
		err := s.opts.Store.ValuesAfter(prefix, after, page, func(key string, value []byte) {
			items = append(items, item{key, append([]byte(nil), value...)})
		})
		if err != nil {
			return err
		}
		removed := make(map[string][]byte)
		for _, it := range items {
			if over(it.key, it.value) {
				removed[it.key] = nil
			}
			after = it.key
		}
		if len(removed) > 0 {
			if err := s.opts.Store.SetValues(removed); err != nil {
				return err
			}
		}
		more = len(items) == page
	}
	return nil
}
