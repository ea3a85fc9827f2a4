package session

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	callRuns  = 100 // stories
	callSteps = 400
	callLoops = 3
	talkers   = 8
	inHand    = 2 // calls of a method that a talker takes at a time
)

// exchangeModel has clients on several loops call each other, the program's handler and services at random, and be called by the
// program. Each keeps books of what it is owed.
type exchangeModel struct {
	t        *testing.T
	random   *rand.Rand
	budget   *channel.Budget
	rigs     []*rig // one for each loop
	together bool   // the loops turn at once: then a seed does not repeat a story exactly
	talkers  [talkers]*talker
	calls    int // that were begun
	plant    func([]event) []event

	asking atomic.Int64 // calls of the program that are under way
	mu     sync.Mutex   // guards failed
	failed error        // what was wrong with them first
}

func newExchangeModel(t *testing.T, seed uint64) *exchangeModel {
	m := &exchangeModel{t: t, random: rand.New(rand.NewPCG(seed, 9)), budget: channel.NewBudget(64 << 20), together: seed%2 == 0}
	first := newRig(t, rigOptions{settings: Settings{Budget: m.budget, MaxOutbox: 8 << 10}})
	shards := []*Shard{first.shard}
	m.rigs = append(m.rigs, first)
	for i := 1; i < callLoops; i++ {
		loop := &testLoop{}
		shards = append(shards, NewShard(first.shard.settings, loop, i))
		m.rigs = append(m.rigs, &rig{t: t, clock: first.clock, loop: loop, engine: first.engine, hub: first.hub, shard: shards[i]})
	}
	Introduce(shards)
	err := first.hub.Handle("handled", func(ctx context.Context, in *hub.Incoming) (wire.Payload, error) {
		for i := range 40 {
			if err := in.Progress(ctx, wire.Payload{Kind: wire.PayloadText, Bytes: fmt.Append(nil, i)}); err != nil {
				return wire.Payload{}, err
			}
		}
		return in.Payload, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.talkers {
		m.join(i)
	}
	return m
}

func (m *exchangeModel) join(i int) {
	r := m.rigs[i%callLoops]
	a := &talker{m: m, due: make(map[string]int), serves: make(map[string]bool)}
	a.client = r.open(peer(fmt.Sprint("u", i%3)))
	a.tell(`{"type":"connect"}`, subscribeTo("room"))
	m.talkers[i] = a
}

// turn gives the loops a turn, all of them or one, and reports whether there was anything to do.
func (m *exchangeModel) turn(rigs ...*rig) bool {
	var busy atomic.Bool
	var turning sync.WaitGroup
	for _, r := range rigs {
		turn := func() {
			if r.loop.turn(r.shard, time.Second) {
				busy.Store(true)
			}
		}
		if m.together {
			turning.Go(turn)
		} else {
			turn()
		}
	}
	turning.Wait()
	synctest.Wait()
	return busy.Load()
}

// step has one talker do something, or the program.
func (m *exchangeModel) step() error {
	i := m.random.IntN(talkers)
	a := m.talkers[i]
	method := fmt.Sprint("served", m.random.IntN(3))
	switch n := m.random.IntN(100); {
	case n < 10:
		a.tell(fmt.Sprintf(`{"type":"serve","method":%q,"concurrency":%d}`, method, inHand))
	case n < 13:
		a.tell(fmt.Sprintf(`{"type":"unserve","method":%q}`, method))
	case n < 18:
		if due := slices.Sorted(maps.Keys(a.due)); len(due) > 0 {
			a.tell(fmt.Sprintf(`{"type":"cancel","requestId":%q}`, due[m.random.IntN(len(due))]))
		}
	case n < 22:
		a.stop()
	case n < 27:
		a.take(m.random.IntN(10 << 10))
	case n < 32:
		a.take(endless)
	case n < 34:
		a.hang()
		m.join(i)
	case n < 37:
		time.Sleep(time.Duration(m.random.IntN(30)) * time.Millisecond)
	case n < 42:
		m.ask()
	case n < 65:
		a.call(method)
	default:
		if err := a.listen(); err != nil {
			return err
		}
		a.work()
	}
	synctest.Wait()
	switch m.random.IntN(3) {
	case 0:
		m.turn(m.rigs[m.random.IntN(callLoops)])
	case 1:
		m.turn(m.rigs...)
	}
	return nil
}

// whom chooses who is asked: whoever serves the method, or sessions.
func (m *exchangeModel) whom(method string) (to string, about string) {
	switch m.random.IntN(8) {
	case 0:
		return fmt.Sprint("user:u", m.random.IntN(4)), "direct"
	case 1:
		return fmt.Sprint("session:", m.talkers[m.random.IntN(talkers)].s.ID()), "direct"
	case 2:
		return "channel:room", "direct"
	case 3:
		return "", "handled"
	}
	return "", method
}

// ask begins a call of the program.
func (m *exchangeModel) ask() {
	to, method := m.whom("served0")
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+m.random.IntN(50))*time.Millisecond)
	m.asking.Add(1)
	go func() {
		defer m.asking.Add(-1)
		defer cancel()
		next := 0
		var wrong error
		reply, err := m.rigs[0].hub.Ask(ctx, peer("program"), &wire.Call{
			Method: method, To: to, Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte("asked")},
		}, func(part wire.Payload) {
			if got := word(part); got != fmt.Sprint(next) {
				wrong = fmt.Errorf("the program was sent part %s where %d is due", got, next)
			}
			next++
		})
		if wrong == nil {
			wrong = verdict("asked", reply, err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.failed == nil {
			m.failed = wrong
		}
	}()
}

// finish has everybody read and answer everything. No time passes meanwhile: no call may need its deadline to end.
func (m *exchangeModel) finish() error {
	for _, a := range m.talkers {
		a.eager = true
		for _, id := range slices.Sorted(maps.Keys(a.due)) {
			a.tell(fmt.Sprintf(`{"type":"credit","requestId":%q,"count":1000}`, id))
		}
	}
	for quiet := 0; quiet < 2; quiet++ {
		for _, a := range m.talkers {
			a.take(endless)
			if err := a.listen(); err != nil {
				return err
			}
			for len(a.hand) > 0 {
				a.work()
			}
		}
		if m.turn(m.rigs...) {
			quiet = -1
		}
	}
	for i, a := range m.talkers {
		if len(a.due) > 0 {
			return fmt.Errorf("talker %d is owed the answers to %v", i, slices.Sorted(maps.Keys(a.due)))
		}
	}
	if n := m.asking.Load(); n > 0 {
		return fmt.Errorf("%d calls of the program are not answered", n)
	}
	return m.failed
}

// leave has all clients go, and checks that nothing is left of any call.
func (m *exchangeModel) leave() error {
	for _, a := range m.talkers {
		a.hang()
	}
	for m.turn(m.rigs...) {
		continue
	}
	for i, r := range m.rigs {
		if sh := r.shard; len(sh.calls)+len(sh.asked)+len(sh.serving) > 0 {
			return fmt.Errorf("loop %d has %d callers, %d calls in hand and %d servers left", i, len(sh.calls), len(sh.asked), len(sh.serving))
		}
	}
	h := m.rigs[0].hub
	if open, served, used := h.Metrics.CallsOpen.Load(), h.Services(), m.budget.Used(); open != 0 || len(served) != 0 || used != 0 {
		return fmt.Errorf("%d calls are counted as open, %v as served, and %d bytes are charged", open, served, used)
	}
	return nil
}
