package session

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// values is what was published to a channel: the key at each offset, from 1.
type values struct{ keys []string }

// newest reports whether no later message has the key of the one at offset.
func (v *values) newest(offset wire.Offset) bool {
	return !slices.Contains(v.keys[offset:], v.keys[offset-1])
}

// owed is what a reader who skips is to get from next on.
func (v *values) owed(next wire.Offset) (list []wire.Offset) {
	for o := next; int(o) <= len(v.keys); o++ {
		if v.newest(o) {
			list = append(list, o)
		}
	}
	return list
}

// follower is the oracle of one client: where it stands by what it has heard.
type follower struct {
	values   *values
	log      *channel.Log
	position wire.Offset
	skipped  int
}

// hear takes the next thing. What is passed over without a word, but by prev or a position, must have a newer value.
func (f *follower) hear(e event) error {
	var to wire.Offset
	switch b := e.body().(type) {
	case *wire.Message:
		if b.Key != f.values.keys[b.Offset-1] {
			return fmt.Errorf("%d has the key %q", b.Offset, b.Key)
		}
		if b.Offset != f.position+1 && b.Prev != f.position || b.Offset <= f.position {
			return fmt.Errorf("%d(%d) comes where the client stands at %d", b.Offset, b.Prev, f.position)
		}
		to = b.Offset - 1
		defer func() { f.position = b.Offset }()
	case *wire.PositionUpdate:
		if to = b.Position.Offset; to <= f.position {
			return fmt.Errorf("a position %d comes where the client stands at %d", to, f.position)
		}
	case *wire.Gap:
		if b.FromOffset != f.position+1 || b.ToOffset >= f.log.Head() {
			return fmt.Errorf("a gap %d-%d at %d", b.FromOffset, b.ToOffset, f.position)
		}
		f.position = b.ToOffset
		return nil
	default:
		return fmt.Errorf("unexpected: %s", e)
	}
	for o := f.position + 1; o <= to; o++ {
		if f.values.newest(o) {
			return fmt.Errorf("%d is skipped, and is the newest of %q", o, f.values.keys[o-1])
		}
		f.skipped++
	}
	f.position = to
	return nil
}

// followers plays clients that read by fits and starts against the oracle, until steps are done or it objects. plant
// falsifies what is heard.
func followers(t *testing.T, seed uint64, steps int, plant func([]event) []event) (skipped int, err error) {
	const maxLag, clients = 5, 12
	random := rand.New(rand.NewPCG(seed, 1))
	r := slowRig(t, latest(maxLag), channel.Retention{Messages: 300, Bytes: 1 << 20, Age: time.Hour})
	log, err := r.engine.Watch("a", channel.NewWatch(func(*channel.Watch) {}))
	if err != nil {
		t.Fatal(err)
	}
	all := &values{}
	list, oracles := make([]*client, clients), make([]*follower, clients)
	for i := range list {
		list[i] = r.openAs(principal("alice"), []lineFormat{jsonLine, protobufLine}[i%2])
		list[i].say(`{"type":"connect","requestId":"c"}`, subscribeTo("a"))
		list[i].hear()
		oracles[i] = &follower{values: all, log: log}
	}
	listen := func(i int) (events []event, err error) {
		events = list[i].hear()
		if plant != nil {
			events = plant(events)
		}
		for _, e := range events {
			if err := oracles[i].hear(e); err != nil {
				return events, fmt.Errorf("client %d: %w", i, err)
			}
		}
		return events, nil
	}
	for step := range steps {
		i := random.IntN(clients)
		c := list[i]
		switch n := random.IntN(10); {
		case n < 5:
			key := fmt.Sprint("k", random.IntN(8))
			all.keys = append(all.keys, key)
			r.put("a", key)
			if n == 0 {
				r.loop.turn(r.shard, time.Microsecond)
			}
		case n < 6:
			c.line.room = random.IntN(100)
		case n < 8:
			c.take(random.IntN(400))
		default:
			r.settle()
			if _, err := listen(i); err != nil {
				return 0, fmt.Errorf("step %d: %w", step, err)
			}
			next := c.s.shard.topics["a"].cursors[c.s.subs[0].index].next
			exact := c.line.owing && lag(next, log.Tail()) > maxLag && next >= log.Head()
			c.take(endless)
			r.settle()
			events, err := listen(i)
			if err != nil {
				return 0, fmt.Errorf("step %d: %w", step, err)
			}
			got := slices.DeleteFunc(messages(events, "a"), func(o wire.Offset) bool { return o < next }) // one may have been cut
			if want := all.owed(next); exact && !slices.Equal(got, want) {
				return 0, fmt.Errorf("step %d: client %d gets %d from %d on, want %d", step, i, got, next, want)
			}
			if oracles[i].position != log.Tail() {
				return 0, fmt.Errorf("step %d: client %d stands at %d, the tail is %d", step, i, oracles[i].position, log.Tail())
			}
		}
	}
	for _, f := range oracles {
		skipped += f.skipped
	}
	return skipped, nil
}

func TestConflationAgainstTheOracle(t *testing.T) {
	for seed := range uint64(4) {
		skipped, err := followers(t, seed, 5000, nil)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		} else if skipped < 1000 {
			t.Errorf("seed %d: %d skipped messages show little", seed, skipped)
		}
	}
}

// TestTheOracleSeesPlantedFaults falsifies one thing that one client hears.
func TestTheOracleSeesPlantedFaults(t *testing.T) {
	sparse := func(e event) bool {
		m, ok := e.body().(*wire.Message)
		return ok && m.Prev != 0
	}
	for name, plant := range map[string]func([]event, int) []event{
		"a newest value is dropped": func(events []event, i int) []event { return slices.Delete(events, i, i+1) },
		"a value comes twice":       func(events []event, i int) []event { return slices.Insert(events, i, events[i]) },
		"prev is missing": func(events []event, i int) []event {
			events[i].body().(*wire.Message).Prev = 0
			return events
		},
		"prev is another": func(events []event, i int) []event {
			events[i].body().(*wire.Message).Prev++
			return events
		},
	} {
		t.Run(name, func(t *testing.T) {
			planted := false
			_, err := followers(t, 1, 5000, func(events []event) []event {
				if i := slices.IndexFunc(events, sparse); i >= 0 && !planted {
					planted = true
					return plant(slices.Clone(events), i)
				}
				return events
			})
			if !planted || err == nil {
				t.Errorf("planted %t, and the oracle says %v", planted, err)
			}
		})
	}
}
