package presence

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const ttl = 15 * time.Second

// simulated is a node of a cluster: members that it has, and a life.
type simulated struct {
	node    *Node
	members []wire.SessionID
	entered atomic.Int64
	kill    context.CancelFunc
	leases  *mortal
}

// mortal are leases that a node does not reach any more once it is dead.
type mortal struct {
	Leases
	dead atomic.Bool
}

var errDead = errors.New("nobody is reached")

func (m *mortal) Renew(l Lease, ttl time.Duration) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Leases.Renew(l, ttl)
}

func (m *mortal) Release(l Lease) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Leases.Release(l)
}

func (m *mortal) Ended() ([]Lease, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	return m.Leases.Ended()
}

func (s *simulated) enter() {
	s.entered.Add(1)
	for i, id := range s.members {
		s.node.Enter(roomName, Entrance{Session: id, Who: user1("u"), At: at(uint32(i))})
		s.node.Arrive("alice", id)
	}
}

// live begins a node with its members.
func (r *rig) live(leases Leases, name string, members ...wire.SessionID) *simulated {
	ctx, kill := context.WithCancel(r.t.Context())
	s := &simulated{node: r.Node(Lease{name, 1}), members: members, kill: kill, leases: &mortal{Leases: leases}}
	s.enter()
	go s.node.Keep(ctx, s.leases, ttl, s.enter)
	return s
}

// One lease holds all members of a node. When it ends they leave once, though all others see it, and nobody else does.
func TestDeadNode(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		leases := &MemoryLeases{}
		r.live(leases, "n1", "a1")
		dead := r.live(leases, "n2", "b1", "b2", "b3")
		r.live(leases, "n3", "c1")
		pass(time.Hour)
		if got := len(r.told(roomLog)); got != 5 {
			t.Fatalf("%d messages tell of 5 members within an hour", got)
		}
		dead.leases.dead.Store(true)
		pass(ttl / 2)
		if got := len(r.told(roomLog)); got != 5 {
			t.Errorf("%d messages before the lease has ended", got)
		}
		pass(time.Hour)
		told := r.told(roomLog)[5:]
		slices.Sort(told)
		same(t, "told of the dead node", told, []string{"leave b1", "leave b2", "leave b3"})
		same(t, "told of a user who is at other nodes too", r.told("sys.online.alice"), []string{"online a1"})
	})
}

// A node that stood still finds its lease ended, and enters with all its members again.
func TestNodeThatStoodStill(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		leases := &MemoryLeases{}
		r.live(leases, "n1", "a1")
		frozen := r.live(leases, "n2", "b1")
		pass(time.Minute)
		frozen.leases.dead.Store(true)
		pass(time.Minute)
		frozen.leases.dead.Store(false)
		pass(time.Minute)
		told := r.told(roomLog)
		same(t, "told", told[len(told)-2:], []string{"leave b1", "join b1"})
		if l := frozen.node.Lease(); l != (Lease{"n2", 2}) || frozen.entered.Load() != 2 {
			t.Errorf("the node has the lease %v and entered %d times", l, frozen.entered.Load())
		}
	})
}

// A node that cannot take its new lease at once enters when it can.
func TestNodeThatCannotBeginAnewAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		leases := &MemoryLeases{}
		r.live(leases, "n1", "a1")
		frozen := r.live(&stumbling{Leases: leases}, "n2", "b1")
		pass(time.Minute)
		frozen.leases.dead.Store(true)
		pass(time.Minute)
		frozen.leases.dead.Store(false)
		pass(time.Minute)
		told := r.told(roomLog)
		same(t, "told", told[len(told)-2:], []string{"leave b1", "join b1"})
		if entered := frozen.entered.Load(); entered != 2 {
			t.Errorf("the node entered %d times, want 2", entered)
		}
	})
}

// stumbling are leases that are not reached the first time that a node begins anew.
type stumbling struct {
	Leases
	stumbled atomic.Bool
}

func (s *stumbling) Renew(l Lease, ttl time.Duration) error {
	if l.Incarnation > 1 && s.stumbled.CompareAndSwap(false, true) {
		return errDead
	}
	return s.Leases.Renew(l, ttl)
}

// A node that ends in peace releases its lease: its members leave without anybody waiting for its time.
func TestNodeThatEnds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		leases := &MemoryLeases{}
		r.live(leases, "n1", "a1")
		ending := r.live(leases, "n2", "b1")
		pass(time.Minute)
		ending.kill()
		pass(ttl / 3)
		told := r.told(roomLog)
		same(t, "told", told[2:], []string{"leave b1"})
	})
}

func TestMemoryLeases(t *testing.T) {
	bubble(t, func(t *testing.T, _ *rig) {
		var m MemoryLeases
		renew := func(node string, incarnation uint64) error { return m.Renew(Lease{node, incarnation}, ttl) }
		if err := errors.Join(renew("n1", 1), renew("n1", 3), renew("n2", 1)); err != nil {
			t.Fatal(err)
		}
		if err := renew("n1", 2); !errors.Is(err, ErrLeaseEnded) {
			t.Errorf("an earlier incarnation is renewed: %v", err)
		}
		pass(ttl)
		if err := renew("n2", 1); !errors.Is(err, ErrLeaseEnded) {
			t.Errorf("a lease that has ended is renewed: %v", err)
		}
		ended, _ := m.Ended()
		if len(ended) != 3 || !slices.Contains(ended, Lease{"n1", 1}) || !slices.Contains(ended, Lease{"n1", 3}) || !slices.Contains(ended, Lease{"n2", 1}) {
			t.Errorf("ended: %v", ended)
		}
		if again, _ := m.Ended(); len(again) != 0 {
			t.Errorf("told twice: %v", again)
		}
		if err := renew("n2", 2); err != nil {
			t.Error(err)
		}
	})
}
