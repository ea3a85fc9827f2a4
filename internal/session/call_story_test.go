package session

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// exchanged plays a story of calls in fake time, and returns what was wrong.
func exchanged(t *testing.T, seed uint64, plant func([]event) []event) (err error) {
	synctest.Test(t, func(t *testing.T) {
		m := newExchangeModel(t, seed)
		m.plant = plant
		for i := 0; i < callSteps && err == nil; i++ {
			if err = m.step(); err != nil {
				err = fmt.Errorf("step %d: %w", i, err)
			}
		}
		if err == nil {
			err = m.finish()
		}
		if left := m.leave(); err == nil {
			err = left
		}
	})
	return err
}

// TestCallsInAnyOrder plays stories that seeds make up: each call ends once, and with what was made of it; its parts come in order;
// nobody is given more than it takes; and nothing is left in the end.
func TestCallsInAnyOrder(t *testing.T) {
	runs, first := number(t, runsVariable, callRuns), number(t, seedVariable, 1)
	for seed := first; seed < first+runs; seed++ {
		if err := exchanged(t, seed, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// Faults in what a caller hears in the end. They return nil where there is nothing that they could falsify.
var plantedInCalls = map[string]func([]event) []event{
	"a lost answer": func(events []event) []event {
		return falsify(events, isAnswer, func(i int) []event { return slices.Delete(events, i, i+1) })
	},
	"an answer twice": func(events []event) []event {
		return falsify(events, isAnswer, func(i int) []event { return slices.Insert(events, i, events[i]) })
	},
	"parts out of order": func(events []event) []event {
		return falsify(events, isPart, func(i int) []event {
			for j := i + 1; j < len(events); j++ {
				if isPart(events[j]) && events[j].frame.RequestID == events[i].frame.RequestID {
					events[i], events[j] = events[j], events[i]
					return events
				}
			}
			return nil
		})
	},
	"another's reply": func(events []event) []event {
		return falsify(events, isAnswer, func(i int) []event {
			reply, ok := events[i].body().(*wire.Reply)
			if !ok || len(reply.Payload.Bytes) == 0 {
				return nil
			}
			wrong := *reply
			wrong.Payload.Bytes = []byte("else")
			events[i].frame.Body = &wrong
			return events
		})
	},
}

func isPart(e event) bool { return e.kind == kindFrame && e.body().Type() == wire.TypeProgress }

func isAnswer(e event) bool {
	if e.kind != kindFrame || e.frame.RequestID == "" || e.frame.RequestID[0] != 'c' {
		return false
	}
	kind := e.body().Type()
	return kind == wire.TypeReply || kind == wire.TypeError
}

// TestTheBooksOfCallsShowPlantedFaults plants each fault in some stories: each must be noticed.
func TestTheBooksOfCallsShowPlantedFaults(t *testing.T) {
	const stories = 10
	for name, fault := range plantedInCalls {
		t.Run(name, func(t *testing.T) {
			planted := 0
			for seed := uint64(1); planted < stories && seed < 20*stories; seed++ {
				done := false
				err := exchanged(t, seed, func(events []event) []event {
					if falsified := fault(slices.Clone(events)); falsified != nil && !done {
						done = true
						return falsified
					}
					return events
				})
				if done {
					planted++
				}
				if done != (err != nil) {
					t.Errorf("seed %d: planted %t, noticed: %v", seed, done, err)
				}
			}
			if planted < stories {
				t.Errorf("it was planted in %d stories, want %d", planted, stories)
			}
		})
	}
}
