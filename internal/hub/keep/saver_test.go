package keep

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// memory is a store that outlives keepers.
type memory struct {
	mu     sync.Mutex // guards the fields below
	values map[string][]byte
	writes int
	fail   error
}

func newMemory() *memory { return &memory{values: make(map[string][]byte)} }

func (m *memory) Value(key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key], nil
}

func (m *memory) SetValues(values map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.writes++
	for key, value := range values {
		if value == nil {
			delete(m.values, key)
			continue
		}
		m.values[key] = value
	}
	return nil
}

func (m *memory) ValuesAfter(prefix, after string, most int, f func(string, []byte)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		if strings.HasPrefix(key, prefix) && key > after && most > 0 {
			f(key, m.values[key])
			most--
		}
	}
	return nil
}

// copied is the store as it is now: what a gateway finds that is started after a kill.
func (m *memory) copied() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{values: maps.Clone(m.values)}
}

func (m *memory) written() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

func (m *memory) count(prefix string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.values {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}

func loaded(t *testing.T, k *Keeper, id wire.SessionID) (Session, bool) {
	t.Helper()
	type result struct {
		s  Session
		ok bool
	}
	done := make(chan result, 1)
	if !k.Load(id, func(s Session, ok bool) { done <- result{s, ok} }) {
		t.Fatal("there is nothing to load from")
	}
	r := <-done
	return r.s, r.ok
}

func TestSessionsOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		first := newKeeper(t, Options{Store: store})
		token := first.NewSeal().Token("x", "alice")
		kept, live, ended := of("alice", 1), of("bob", 2), of("carol", 3)
		first.Keep(kept)
		first.Live(live)
		first.Live(ended)
		first.Forget(ended.ID)
		time.Sleep(2 * saveEvery)
		synctest.Wait()

		second := newKeeper(t, Options{Store: store.copied()}) // the first was killed
		if id, ok := second.NewSeal().Open(token, "alice"); !ok || id != "x" {
			t.Error("a token is not good any more")
		}
		for _, want := range []Session{kept, live} {
			got, ok := loaded(t, second, want.ID)
			if !ok || got.ID != want.ID || got.User != want.User || !slices.Equal(got.Channels, want.Channels) {
				t.Errorf("loaded %+v, %v, want %+v", got, ok, want)
			}
		}
		if _, ok := loaded(t, second, ended.ID); ok {
			t.Error("a session that ended was loaded")
		}
		if _, ok := loaded(t, first, live.ID); ok {
			t.Error("a session of this run was loaded: memory knows better")
		}
	})
}

func TestWhatIsOnDiskExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const within = 10 * time.Minute
		store := newMemory()
		first := newKeeper(t, Options{Store: store, Within: within})
		first.Live(of("bob", 2)) // and nothing changes from then on
		time.Sleep(within / 2)
		first.Keep(of("alice", 1))
		time.Sleep(within / 2)
		synctest.Wait()
		store = store.copied()
		second := newKeeper(t, Options{Store: store, Within: within})
		for _, s := range []Session{of("alice", 1), of("bob", 2)} {
			if _, ok := loaded(t, second, s.ID); !ok {
				t.Errorf("%s's was not loaded within its time", s.User)
			}
		}
		time.Sleep(within/2 + time.Second)
		if _, ok := loaded(t, second, of("alice", 1).ID); ok {
			t.Error("a session that was kept was loaded after its time")
		}
		if _, ok := loaded(t, second, of("bob", 2).ID); !ok {
			t.Error("a session that was connected until the kill counts from before it")
		}
		time.Sleep(within/2 + aliveEvery)
		if _, ok := loaded(t, second, of("bob", 2).ID); ok {
			t.Error("a session that was connected until the kill was loaded after its time")
		}
		second.Sweep()
		if n := store.count(sessionPrefix); n != 0 {
			t.Errorf("%d sessions are on disk after the sweep", n)
		}
		if n := store.count(runPrefix); n != 1 {
			t.Errorf("%d runs are on disk after the sweep, want this one", n)
		}
	})
}

func TestTheSweepLeavesWhatCanBeResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		first, err := New(Options{Store: store, MostPerUser: 5 * page})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2*page + 10 {
			first.Keep(of("alice", i))
		}
		first.Close(context.Background())
		time.Sleep(29 * time.Minute)
		second, err := New(Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		second.Sweep()
		if n := store.count(sessionPrefix); n != 2*page+10 {
			t.Errorf("%d sessions are left", n)
		}
		second.Live(of("bob", 1))
		time.Sleep(time.Hour)
		second.Sweep()
		if n := store.count(sessionPrefix); n != 1 {
			t.Errorf("%d sessions are left, want the one that lives", n)
		}
		second.Close(context.Background())
	})
}

func TestWhatDoesNotChangeIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		k := newKeeper(t, Options{Store: store})
		s := of("alice", 1)
		var gathered atomic.Int32
		k.Due(func() {
			gathered.Add(1)
			k.Live(s)
			k.Live(s)
		})
		before := store.written()
		time.Sleep(aliveEvery - time.Second)
		synctest.Wait()
		if n := store.written() - before; gathered.Load() != 1 || n != 1 {
			t.Errorf("gathered %d times and written %d times, want once", gathered.Load(), n)
		}
	})
}

func TestAFailingStoreCostsTheRestartOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		k := newKeeper(t, Options{Store: store})
		store.mu.Lock()
		store.fail = errors.New("the disk is full")
		store.mu.Unlock()
		k.Keep(of("alice", 1))
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, ok := k.Take(of("alice", 1).ID, here); !ok {
			t.Error("it is not kept in memory")
		}
		k.saver.mu.Lock()
		defer k.saver.mu.Unlock()
		if n := len(k.saver.pending); n != 0 {
			t.Errorf("%d sessions wait for a disk that takes nothing", n)
		}
	})
}

func TestWithoutAStoreNothingIsLoaded(t *testing.T) {
	k := newKeeper(t, Options{})
	if k.Saves() || k.Load("x", func(Session, bool) {}) {
		t.Error("there is no store")
	}
	k.Due(func() { t.Error("nobody asked") })
}

func TestADrainingNodeWritesAllItsSessions(t *testing.T) {
	store := newMemory()
	k, err := New(Options{Store: store, MostPerUser: 2})
	if err != nil {
		t.Fatal(err)
	}
	k.Keep(of("alice", 0))
	k.Keep(of("alice", 1))
	k.Keep(of("alice", 2))
	k.Drain()
	for i := range 10 {
		k.Keep(of("alice", 10+i))
	}
	if n := k.Metrics.Kept.Load(); n != 2 {
		t.Errorf("%d sessions are in memory, want 2", n)
	}
	k.Close(context.Background())
	if n := store.count(sessionPrefix); n != 12 {
		t.Errorf("%d sessions are on disk, want 12", n)
	}
}
