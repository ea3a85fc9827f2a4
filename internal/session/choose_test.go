package session

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestOwnMessagesAreLeftOut has several publish into a channel that they follow without their own messages, some of them
// through a filter, while they read slowly and old messages are dropped: each is given exactly those of the others, or told of
// a gap.
func TestOwnMessagesAreLeftOut(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 11))
		retention := channel.DefaultRetention()
		if seed%2 == 1 {
			retention.Messages = 50 + random.Int64N(300)
		}
		r := newRig(t, rigOptions{settings: Settings{Filter: compileHas}, retention: retention})
		var published []string
		var by []int // who
		viewers := make([]*viewer, 4)
		for i := range viewers {
			viewers[i] = r.viewer([]string{"", "e"}[i%2], `,"from":{"offset":0},"excludeSelf":true`)
		}
		for range 200 {
			i := random.IntN(len(viewers))
			switch v := viewers[i]; random.IntN(5) {
			case 0:
				v.stop()
			case 1:
				v.take([]int{1, 100, 5000, endless}[random.IntN(4)])
				r.settle()
			default:
				for range 1 + random.IntN(20) {
					text := fmt.Sprintf("%s %d", []string{"red", "blue", "pink"}[random.IntN(3)], len(published))
					published, by = append(published, text), append(by, i)
					v.say(fmt.Sprintf(`{"type":"publish","requestId":"p","channel":"a","text":%q}`, text))
					if len(v.pending) > 0 { // it is not read while it does not read: what it says comes later
						v.take(endless)
						r.settle()
					}
				}
			}
		}
		for i, v := range viewers {
			v.take(endless)
			others := make([]string, len(published))
			for n, text := range published {
				if by[n] != i {
					others[n] = text
				} else {
					others[n] = "#" // matches no filter but the empty one
				}
			}
			r.caughtUp(v, others[:lastOfOthers(by, i)])
			for n := range published {
				if by[n] == i && v.got[wire.Offset(n+1)] {
					t.Fatalf("seed %d: client %d was given its own message %d", seed, i, n+1)
				}
			}
			if v.filter == "" {
				for n := range others {
					if by[n] == i {
						v.got[wire.Offset(n+1)] = true // it is not wanted
					}
				}
			}
			if err := v.check(others); err != nil {
				t.Fatalf("seed %d: client %d: %v", seed, i, err)
			}
		}
	}
}

// lastOfOthers is the offset of the last message that client i has not published.
func lastOfOthers(by []int, i int) int {
	for n := len(by); n > 0; n-- {
		if by[n-1] != i {
			return n
		}
	}
	return 0
}

// What a session has published on its line before is its own on the next one too.
func TestOwnMessagesAreKnownAfterResuming(t *testing.T) {
	r := newRig(t, rigOptions{keep: &keep.Options{}})
	c := r.open(principal("alice"))
	c.say(`{"type":"connect","requestId":"c"}`)
	token := c.hear()[0].body().(*wire.Connected).ResumeToken
	c.say(`{"type":"publish","channel":"a","text":"mine"}`)
	c.hang()
	again := r.open(principal("alice"))
	again.say(`{"type":"connect","requestId":"c","resume":{"token":"` + token + `"}}`)
	other := r.joined("bob")
	other.say(`{"type":"publish","channel":"a","text":"his"}`)
	again.say(`{"type":"subscribe","channel":"a","from":{"offset":0},"excludeSelf":true}`)
	if got := messages(again.hear(), "a"); len(got) != 1 || got[0] != 2 {
		t.Errorf("it was given %v", got)
	}
}
