package enginetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	publishers = 4
	eachSends  = 500
)

// publishersTogether checks that each offset is given once, without holes, and to each publisher in its own order.
func publishersTogether(t *testing.T, e engine.Engine) {
	var all sync.Map // of wire.Offset
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			last := wire.Offset(0)
			for i := range eachSends {
				a := publish(t, e, "a", identified(fmt.Sprint(p), fmt.Sprint(i)))
				if a.err != nil {
					t.Errorf("publisher %d: %v", p, a.err)
					return
				}
				at := a.placed[0].Offset
				if _, taken := all.LoadOrStore(at, p); taken || a.placed[0].Duplicate || at <= last {
					t.Errorf("publisher %d got %+v after %d", p, a.placed[0], last)
					return
				}
				last = at
			}
		})
	}
	wg.Wait()
	w := watch(t, e, "a")
	if err := w.reach(publishers * eachSends); err != nil || w.log.Tail() != publishers*eachSends {
		t.Errorf("the tail is %d, want %d: %v", w.log.Tail(), publishers*eachSends, err)
	}
}

// retriesTogether sends the same message from everywhere at once: one is placed, the others are its duplicates.
func retriesTogether(t *testing.T, e engine.Engine) {
	for i := range 200 {
		var placed atomic.Int64
		var offset atomic.Uint64
		var wg sync.WaitGroup
		for range publishers {
			wg.Go(func() {
				a := publish(t, e, "a", identified("p", fmt.Sprint(i)))
				if a.err != nil {
					t.Errorf("message %d: %v", i, a.err)
					return
				}
				if !a.placed[0].Duplicate {
					placed.Add(1)
				}
				if at := uint64(a.placed[0].Offset); !offset.CompareAndSwap(0, at) && offset.Load() != at {
					t.Errorf("message %d stands at %d and at %d", i, offset.Load(), at)
				}
			})
		}
		wg.Wait()
		if n := placed.Load(); n != 1 {
			t.Fatalf("message %d was placed %d times", i, n)
		}
	}
}

// readersTogether lets readers follow while publishers append: each reads every entry, and each publisher's in order.
func readersTogether(t *testing.T, e engine.Engine) {
	var wg sync.WaitGroup
	for range 3 {
		w := watch(t, e, "a")
		wg.Go(func() {
			next := make(map[string]int)
			var m wire.Message
			for offset := wire.Offset(1); offset <= publishers*eachSends; offset++ {
				if err := w.reach(offset); err != nil {
					t.Error(err)
					return
				}
				if !w.log.Read(offset, &m) || m.MessageID != fmt.Sprint(next[m.Publisher]) {
					t.Errorf("entry %d is %s of %s, want %d", offset, m.MessageID, m.Publisher, next[m.Publisher])
					return
				}
				next[m.Publisher]++
			}
		})
	}
	for p := range publishers {
		wg.Go(func() {
			for i := range eachSends {
				publish(t, e, "a", identified(fmt.Sprint(p), fmt.Sprint(i)))
			}
		})
	}
	wg.Wait()
}

// watchesComeAndGo begins and ends watches all the time: whoever watches sees what comes from then on.
func watchesComeAndGo(t *testing.T, e engine.Engine) {
	var ended atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !ended.Load() {
			publish(t, e, "a", text("x"))
		}
	})
	var watchers sync.WaitGroup
	for range 2 {
		watchers.Go(func() {
			for range 200 {
				w, err := tryWatch(t, e, "a")
				if err == nil {
					err = w.reach(w.log.Tail() + 2)
				}
				if err != nil {
					t.Error(err)
					return
				}
				w.log.Unwatch(w.watch)
			}
		})
	}
	watchers.Wait()
	ended.Store(true)
	wg.Wait()
}
