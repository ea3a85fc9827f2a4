package presence

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Rows are tried at random beside a map.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var l rows
	model := map[wire.SessionID]bool{}
	for step := range 60_000 {
		id := wire.SessionID(fmt.Sprintf("s%d", rng.IntN(3000)))
		grows := step/10_000%2 == 0 // it grows and shrinks in turns
		switch known := model[id]; {
		case known != (l.find(id) != nil):
			t.Fatalf("step %d: %s is found: %v", step, id, !known)
		case !known && (grows || rng.IntN(4) == 0):
			l.add(row{id: id})
			model[id] = true
		case known && (!grows || rng.IntN(4) == 0):
			l.remove(id)
			delete(model, id)
		}
		if step%1000 == 999 {
			checkRows(t, &l, model)
		}
	}
	for id := range model {
		l.remove(id)
	}
	l.remove("nobody")
	if l.count != 0 || len(l.blocks) != 0 {
		t.Errorf("%d rows in %d blocks are left", l.count, len(l.blocks))
	}
}

func checkRows(t *testing.T, l *rows, model map[wire.SessionID]bool) {
	t.Helper()
	want := slices.Sorted(maps.Keys(model))
	for _, from := range []int{-1, 0, len(want) / 2, len(want) - 1} {
		after, rest := wire.SessionID(""), want
		if from >= 0 && from < len(want) {
			after, rest = want[from], want[from+1:]
		}
		var got []wire.SessionID
		l.each(after, func(r *row) bool {
			got = append(got, r.id)
			return true
		})
		if !slices.Equal(got, rest) {
			t.Fatalf("behind %q there are %d rows, want %d", after, len(got), len(rest))
		}
	}
	if l.count != len(want) || len(l.blocks) > 4+len(want)/(blockRows/4) {
		t.Fatalf("%d rows in %d blocks, want %d", l.count, len(l.blocks), len(want))
	}
	for _, b := range l.blocks {
		if len(b) == 0 || len(b) > blockRows {
			t.Fatalf("a block has %d rows", len(b))
		}
	}
}
