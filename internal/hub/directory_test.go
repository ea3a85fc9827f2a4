package hub

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestDirectoryAgainstAMap has sessions of a few users come and go, and compares with what a map says.
func TestDirectoryAgainstAMap(t *testing.T) {
	d := newDirectory(0)
	random := rand.New(rand.NewPCG(1, 2))
	type session struct {
		p  *auth.Principal
		at keep.Place
	}
	want := make(map[string]map[keep.Place]*auth.Principal)
	var open []session
	slot := uint32(0)
	for step := range 20_000 {
		if len(open) > 0 && random.IntN(5) < 2 {
			i := random.IntN(len(open))
			s := open[i]
			open[i] = open[len(open)-1]
			open = open[:len(open)-1]
			d.Leave(s.p, s.at)
			delete(want[s.p.UserID], s.at)
		} else {
			user := fmt.Sprintf("user-%d", random.IntN(2000))
			slot++
			s := session{&auth.Principal{UserID: user}, keep.Place{Loop: random.IntN(4), Slot: slot}}
			if err := d.Enter(s.p, s.at); err != nil {
				t.Fatal(err)
			}
			open = append(open, s)
			if want[user] == nil {
				want[user] = make(map[keep.Place]*auth.Principal)
			}
			want[user][s.at] = s.p
		}
		if step%500 != 0 {
			continue
		}
		for user, sessions := range want {
			got := d.Of(user)
			if len(got) != len(sessions) {
				t.Fatalf("step %d: %s has %d sessions, want %d", step, user, len(got), len(sessions))
			}
			for _, r := range got {
				if sessions[r.At] != r.Principal {
					t.Fatalf("step %d: %s is said to be at %+v", step, user, r.At)
				}
			}
		}
	}
	if d.Of("nobody") != nil {
		t.Error("somebody is nobody")
	}
}

func TestDirectoryLimitsTheSessionsOfAUser(t *testing.T) {
	d := newDirectory(2)
	p := &auth.Principal{UserID: "ann"}
	for slot := range uint32(2) {
		if err := d.Enter(p, keep.Place{Slot: slot}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Enter(p, keep.Place{Slot: 2}); err == nil || wire.AsError(err).Code != wire.CodeResourceExhausted {
		t.Errorf("a third session: %v", err)
	}
	d.Leave(p, keep.Place{Slot: 7}) // is not there
	if err := d.Enter(&auth.Principal{UserID: "bob"}, keep.Place{Slot: 2}); err != nil {
		t.Errorf("another user: %v", err)
	}
	d.Leave(p, keep.Place{Slot: 0})
	if err := d.Enter(p, keep.Place{Slot: 3}); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}

// Every idle line has an entry, so what one takes is what counts.
func TestDirectoryEntriesAreSmall(t *testing.T) {
	if size := unsafe.Sizeof(entry{}); size != 24 {
		t.Errorf("an entry has %d bytes, want 24", size)
	}
}
