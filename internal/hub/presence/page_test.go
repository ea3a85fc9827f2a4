package presence

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// While members come and go all the time, a page and the messages behind its position give exactly who is here: none of them
// tells of somebody to join who is there already, or to leave who is not, and at the end both sides agree. It is tried with an
// engine that answers at once, and with one that takes its time.
func TestPageAndWhatFollows(t *testing.T) {
	for _, slow := range []bool{false, true} {
		t.Run(fmt.Sprintf("slow=%v", slow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.engine.slow = slow
				r.opts.Grace = 3 * time.Millisecond
				testPageAndWhatFollows(t, r)
			})
		})
	}
}

func testPageAndWhatFollows(t *testing.T, r *rig) {
	rng := rand.New(rand.NewPCG(3, 4))
	members := map[wire.SessionID]bool{}
	var mu sync.Mutex // guards pages
	var pages []*wire.Members
	for range 4000 {
		id := wire.SessionID(fmt.Sprintf("s%02d", rng.IntN(40)))
		if members[id] {
			r.node.Leave(roomName, id, at(1))
			delete(members, id)
		} else {
			r.node.Enter(roomName, Entrance{Session: id, Who: user1("u"), At: at(1)})
			members[id] = true
		}
		if rng.IntN(5) == 0 {
			r.Page(&wire.Presence{Channel: roomName}, func(p *wire.Members, err error) {
				if err != nil {
					t.Errorf("page: %v", err)
				}
				mu.Lock()
				pages = append(pages, p)
				mu.Unlock()
			})
		}
		if rng.IntN(50) == 0 { // everybody leaves, and the room is forgotten
			for id := range members {
				r.node.Leave(roomName, id, at(1))
			}
			clear(members)
			pass(20 * time.Millisecond)
		}
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond)
	}
	pass(time.Second)
	if len(pages) < 500 {
		t.Fatalf("%d pages were made", len(pages))
	}
	log := r.behind(roomLog, 0)
	for _, page := range pages {
		follow(t, page, log, members)
	}
}

// follow applies what comes behind a page's position to the page.
func follow(t *testing.T, page *wire.Members, log []message, want map[wire.SessionID]bool) {
	t.Helper()
	known := map[wire.SessionID]bool{}
	for _, m := range page.Members {
		known[m.SessionID] = true
	}
	for _, m := range log {
		if m.offset <= page.Position.Offset {
			continue
		}
		id := wire.SessionID(m.SessionID)
		if join := m.Event == "join"; join == known[id] {
			t.Fatalf("behind the page as of %d: %s of %s at %d, who is there: %v", page.Position.Offset, m.Event, id, m.offset, known[id])
		}
		known[id] = m.Event == "join"
	}
	maps.DeleteFunc(known, func(_ wire.SessionID, here bool) bool { return !here })
	if !maps.Equal(known, want) {
		t.Fatalf("the page as of %d leads to %v, want %v", page.Position.Offset, slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(want)))
	}
}
