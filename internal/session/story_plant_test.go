package session

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// plantedRuns is in how many stories each fault is planted.
const plantedRuns = 200

// A planted fault falsifies one frame of those that a client hears when everything has come to rest. They return nil where
// they find no frame whose absence or presence would be a fault.
var plantedFaults = map[string]func(a *actor, events []event) []event{
	"drop": func(a *actor, events []event) []event {
		return falsify(events, isMessage, func(i int) []event {
			if m := events[i].body().(*wire.Message); !a.misses(a.places[m.Channel], m.Offset) {
				return nil
			}
			return slices.Delete(events, i, i+1)
		})
	},
	"double": func(_ *actor, events []event) []event {
		return falsify(events, isMessage, func(i int) []event { return slices.Insert(events, i, events[i]) })
	},
	"swap": func(_ *actor, events []event) []event {
		return falsify(events, isMessage, func(i int) []event {
			for j := i + 1; j < len(events); j++ {
				if isMessage(events[j]) && channelOf(events[j]) == channelOf(events[i]) {
					events[i], events[j] = events[j], events[i]
					return events
				}
			}
			return nil
		})
	},
	"misfilter": func(a *actor, events []event) []event {
		return falsify(events, isMessage, func(i int) []event {
			m := events[i].body().(*wire.Message)
			p := a.places[m.Channel]
			if p == nil || m.Offset >= p.tail() || p.passes(p.filter, m.Offset+1) {
				return nil
			}
			wrong := *m
			wrong.Offset, wrong.Prev = m.Offset+1, 0
			wrong.Payload.Bytes = []byte(p.facts[m.Offset].payload())
			return slices.Insert(events, i+1, event{kind: kindFrame, frame: wire.Frame{Body: &wrong}})
		})
	},
	"hidden gap": func(a *actor, events []event) []event {
		isGap := func(e event) bool { return e.kind == kindFrame && e.body().Type() == wire.TypeGap }
		return falsify(events, isGap, func(i int) []event {
			g := events[i].body().(*wire.Gap)
			p := a.places[g.Channel]
			owed := p != nil && p.owed != nil && *p.owed == *g
			if !owed && (!a.misses(p, g.ToOffset) || p.owed != nil || len(p.may) > 0 || p.count(p.filter, g.FromOffset-1, g.ToOffset) == 0) {
				return nil
			}
			return slices.Delete(events, i, i+1)
		})
	},
}

func isMessage(e event) bool { return e.kind == kindFrame && e.body().Type() == wire.TypeMessage }

// misses reports whether a client would at once miss something at an offset: of what is filtered, and no longer kept, it may be
// told later.
func (a *actor) misses(p *place, o wire.Offset) bool {
	return p != nil && (a.final || p.filter == "" || o > p.lost(p.tail()))
}

// falsify has the first frame falsified that can be.
func falsify(events []event, fits func(event) bool, do func(i int) []event) []event {
	for i := range events {
		if fits(events[i]) {
			if falsified := do(i); falsified != nil {
				return falsified
			}
		}
	}
	return nil
}

// TestTheOracleOfStoriesSeesPlantedFaults plants one fault in each of many stories: each must be noticed.
func TestTheOracleOfStoriesSeesPlantedFaults(t *testing.T) {
	for name, fault := range plantedFaults {
		t.Run(name, func(t *testing.T) {
			var planted, next atomic.Uint64
			t.Run("stories", func(t *testing.T) {
				for range runtime.GOMAXPROCS(0) {
					t.Run("worker", func(t *testing.T) {
						t.Parallel()
						for planted.Load() < plantedRuns && next.Load() < 100*plantedRuns {
							seed := next.Add(1)
							if done, err := playedFalsely(t, seed, fault); done {
								planted.Add(1)
								if err == nil {
									t.Errorf("seed %d: nothing was noticed", seed)
								}
							}
						}
					})
				}
			})
			if n := planted.Load(); n < plantedRuns {
				t.Errorf("it was planted in %d stories, want %d", n, plantedRuns)
			}
		})
	}
}

// playedFalsely plays a story with a fault, and reports whether it could be planted and what was noticed.
func playedFalsely(t *testing.T, seed uint64, fault func(*actor, []event) []event) (planted bool, err error) {
	err = played(t, seed, newStory(seed, storySteps), func(a *actor, events []event) []event {
		if !planted {
			if falsified := fault(a, slices.Clone(events)); falsified != nil {
				planted = true
				return falsified
			}
		}
		return events
	})
	return planted, err
}
