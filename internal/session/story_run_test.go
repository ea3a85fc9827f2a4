package session

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// How many stories are played, and from which seed on; make model sets them.
const (
	runsVariable = "MAGPIE_MODEL_RUNS"
	seedVariable = "MAGPIE_MODEL_SEED"
	storyRuns    = 2000
	storySteps   = 60
)

// played plays a story in fake time and returns what was wrong. plant falsifies what clients hear.
func played(t *testing.T, seed uint64, story []step, plant func(*actor, []event) []event) (err error) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, seed)
		st.plant = plant
		err = st.play(story)
		for _, c := range st.rig.clients {
			c.hang()
		}
		st.rest()
	})
	return err
}

// shortened leaves out what a story does not need to go wrong.
func shortened(t *testing.T, seed uint64, story []step, err error) ([]step, error) {
	for size := len(story) / 2; size > 0; {
		found := false
		for at := 0; at < len(story); {
			shorter := slices.Delete(slices.Clone(story), at, min(at+size, len(story)))
			if e := played(t, seed, shorter, nil); e != nil {
				story, err, found = shorter, e, true
			} else {
				at += size
			}
		}
		if !found || size > 1 {
			size /= 2
		}
	}
	return story, err
}

func recounted(story []step) string {
	var b strings.Builder
	for i, s := range story {
		fmt.Fprintf(&b, "\n%3d %s", i, s)
	}
	return b.String()
}

// TestSubscriptionsAgainstTheOracle plays stories that seeds make up, of clients that publish, subscribe channels and patterns,
// filter, read slowly, look back, lose their lines and come back; each must have been given all that is for it.
func TestSubscriptionsAgainstTheOracle(t *testing.T) {
	runs, first := number(t, runsVariable, storyRuns), number(t, seedVariable, 1)
	workers := uint64(runtime.GOMAXPROCS(0))
	for w := range workers {
		t.Run(fmt.Sprint("worker ", w), func(t *testing.T) {
			t.Parallel()
			for seed := first + w; seed < first+runs; seed += workers {
				story := newStory(seed, storySteps)
				if err := played(t, seed, story, nil); err != nil {
					shorter, e := shortened(t, seed, story, err)
					t.Fatalf("seed %d: %v\nthe shortest story, which ends with: %v%s", seed, err, e, recounted(shorter))
				}
			}
		})
	}
}

func number(t *testing.T, variable string, otherwise uint64) uint64 {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
