package presence

import (
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// A user with three tabs is online until the last is gone, and has not come back.
func TestOnline(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for _, tab := range []wire.SessionID{"s-1", "s-2", "s-3"} {
			r.node.Arrive("alice", tab)
		}
		pass(0)
		r.node.Depart("alice", "s-1")
		r.node.Depart("alice", "s-2")
		pass(time.Hour)
		same(t, "told", r.told("sys.online.alice"), []string{"online s-1"})
		r.node.Depart("alice", "s-3")
		pass(grace - 1)
		r.node.Arrive("alice", "s-4")
		pass(time.Hour)
		same(t, "told of a page that was loaded anew", r.told("sys.online.alice"), []string{"online s-1"})
		r.node.Depart("alice", "s-4")
		pass(grace)
		same(t, "told", r.told("sys.online.alice"), []string{"online s-1", "offline s-4"})
		m := r.behind("sys.online.alice", 1)[0]
		if m.UserID != "alice" || m.NodeID != "n1" || m.Timestamp != time.Now().UnixMilli() {
			t.Errorf("told %+v", m)
		}
		if n := r.Size().Users; n != 0 {
			t.Errorf("%d users are kept though nobody is here", n)
		}
	})
}

// A user whose id is no word of a channel is not told of, and not kept.
func TestOnlineWithoutAChannel(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.node.Arrive("alice@example.com", "s1")
		pass(0)
		if n := r.Size().Users; n != 0 {
			t.Errorf("%d users are kept", n)
		}
		r.node.Depart("alice@example.com", "s1")
	})
}

func TestOnlineWhileTheEngineIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.engine.fails.Store(true)
		r.node.Arrive("alice", "s1")
		pass(time.Minute)
		r.engine.fails.Store(false)
		pass(time.Minute)
		same(t, "told", r.told("sys.online.alice"), []string{"online s1"})
	})
}
