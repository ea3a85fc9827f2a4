package session

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// has lets messages through whose text has a word in it (channel.Filter).
type has string

func (f has) Match(m *wire.Message) bool { return strings.Contains(string(m.Payload.Bytes), string(f)) }
func (f has) String() string             { return string(f) }

func compileHas(text string) (channel.Filter, error) {
	if text == "wrong" {
		return nil, wire.Errorf(wire.CodeInvalidArgument, "column 1: expected a word that is right")
	}
	return has(strings.ToLower(text)), nil
}

// viewer follows a filtered subscription as a client does, and finds whatever the protocol forbids.
type viewer struct {
	*client
	filter string
	from   wire.Offset // where it began
	at     wire.Offset // its position
	got    map[wire.Offset]bool
	lost   map[wire.Offset]bool // told by gaps
}

func (v *viewer) listen() error {
	for _, e := range v.hear() {
		switch b := e.body().(type) {
		case *wire.Subscribed:
			v.at = b.Position.Offset
		case *wire.Message:
			if b.Prev != 0 && b.Prev != v.at || b.Prev == 0 && b.Offset != v.at+1 {
				return fmt.Errorf("offset %d with prev %d comes at position %d", b.Offset, b.Prev, v.at)
			}
			if v.got[b.Offset] {
				return fmt.Errorf("offset %d comes twice", b.Offset)
			}
			v.got[b.Offset] = true
			v.at = b.Offset
		case *wire.PositionUpdate:
			if b.Position.Offset <= v.at {
				return fmt.Errorf("the position goes from %d to %d", v.at, b.Position.Offset)
			}
			v.at = b.Position.Offset
		case *wire.Gap:
			for o := b.FromOffset; o <= b.ToOffset; o++ {
				v.lost[o] = true
			}
			v.at = max(v.at, b.ToOffset)
		case *wire.Error:
			return b
		}
	}
	return nil
}

// check compares what came with what the filter lets through of all that was published.
func (v *viewer) check(published []string) error {
	for i, text := range published {
		offset := wire.Offset(i + 1)
		want := offset > v.from && strings.Contains(text, v.filter)
		switch {
		case v.got[offset] && !want:
			return fmt.Errorf("offset %d (%s) came, and is not for %q from %d on", offset, text, v.filter, v.from)
		case want && !v.got[offset] && !v.lost[offset]:
			return fmt.Errorf("offset %d (%s) did not come to %q from %d on, and nothing was said of it; position %d", offset, text, v.filter, v.from, v.at)
		}
	}
	return nil
}

func (r *rig) viewer(filter, from string) *viewer {
	r.t.Helper()
	v := &viewer{client: r.joined("alice"), filter: filter, got: make(map[wire.Offset]bool), lost: make(map[wire.Offset]bool)}
	v.say(`{"type":"subscribe","requestId":"s","channel":"a","filter":"` + filter + `"` + from + `}`)
	return v
}

// caughtUp waits until a viewer has been given, or told of, all that was looked at.
func (r *rig) caughtUp(v *viewer, published []string) {
	r.t.Helper()
	last := wire.Offset(0)
	for i, text := range published {
		if strings.Contains(text, v.filter) {
			last = wire.Offset(i + 1)
		}
	}
	r.await("the viewer has caught up", func() bool {
		if err := v.listen(); err != nil {
			r.t.Fatal(err)
		}
		return v.at >= last || last <= v.from
	})
}

func TestFiltersShowHistoryAndWhatIsNew(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{Filter: compileHas}})
	var published []string
	publish := func(text string) {
		published = append(published, text)
		r.publish("a", text)
	}
	for i := range 5000 {
		publish(fmt.Sprintf("%d of %s", i, []string{"red", "green", "blue"}[i%3]))
	}
	red := r.viewer("red", `,"from":{"offset":0}`)
	none := r.viewer("purple", `,"from":{"offset":0}`)
	last := r.viewer("blue", `,"from":{"last":7}`)
	now := r.viewer("green", "")
	now.from = 5000
	for _, v := range []*viewer{red, none, last, now} {
		r.await("the subscription is open", func() bool { return len(v.s.subs) == 1 })
	}
	for i := range 5000 {
		publish(fmt.Sprintf("%d of %s", i, []string{"red", "green", "blue"}[i%3]))
	}
	for _, v := range []*viewer{red, last, now} {
		r.caughtUp(v, published)
		if v == last {
			v.from = 5000 - 3*7
		}
		if err := v.check(published); err != nil {
			t.Error(err)
		}
	}
	r.await("the viewer of nothing is moved along", func() bool {
		if err := none.listen(); err != nil {
			t.Fatal(err)
		}
		return none.at > 9000
	})
	if len(none.got) != 0 || len(none.lost) != 0 {
		t.Errorf("the viewer of nothing was given %v, and told that it lost %v", none.got, none.lost)
	}
}

func TestFiltersAreRefused(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{Filter: compileHas}})
	c := r.joined("alice")
	c.say(`{"type":"subscribe","requestId":"1","channel":"a","filter":"wrong"}`)
	if e := c.hear()[0]; e.body().(*wire.Error).Code != wire.CodeInvalidArgument {
		t.Errorf("a wrong filter: %v", e)
	}
	for i := range channel.MaxDerived {
		v := r.joined("alice")
		v.say(fmt.Sprintf(`{"type":"subscribe","requestId":"1","channel":"a","filter":"f%d"}`, i))
		if e := v.hear()[0]; e.body().Type() != wire.TypeSubscribed {
			t.Fatalf("filter %d: %v", i, e)
		}
	}
	c.say(`{"type":"subscribe","requestId":"2","channel":"a","filter":"more"}`, `{"type":"subscribe","requestId":"3","channel":"a","filter":"F7"}`)
	events := c.hear()
	if e := events[0]; e.body().(*wire.Error).Code != wire.CodeResourceExhausted {
		t.Errorf("one filter too many: %v", e)
	}
	if e := events[1]; e.body().Type() != wire.TypeSubscribed {
		t.Errorf("a filter that others use: %v", e)
	}
	for _, one := range r.clients {
		one.hang()
	}
	if n := len(r.shard.sifted); n != 0 {
		t.Errorf("%d filters are left when nobody is there any more", n)
	}
}

func TestAnotherFilterKeepsThePosition(t *testing.T) {
	r := newRig(t, rigOptions{settings: Settings{Filter: compileHas}})
	published := []string{"red 1", "blue 2", "red 3"}
	for _, text := range published {
		r.publish("a", text)
	}
	v := r.viewer("red", `,"from":{"offset":0}`)
	r.caughtUp(v, published)
	for _, text := range []string{"blue 4", "red 5"} {
		published = append(published, text)
		r.engine.Append("a", []channel.Record{{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(text)}}}},
			func(wire.Epoch, []channel.Placed, error) {})
	}
	v.say(`{"type":"subscribe","requestId":"t","channel":"a","filter":"blue"}`)
	v.filter, v.from = "blue", 3
	v.got = make(map[wire.Offset]bool)
	r.caughtUp(v, published)
	if v.got[2] || !v.got[4] && !v.got[5] {
		t.Errorf("it was given %v", v.got)
	}
	v.say(`{"type":"subscribe","requestId":"u","channel":"a"}`)
	if n := len(v.s.subs); n != 1 || len(r.shard.sifted) != 0 {
		t.Errorf("%d subscriptions, and %d filters, are left", n, len(r.shard.sifted))
	}
}

// TestFiltersAgainstAnOracle has messages published, viewers that come, go, come back, change their filters and read slowly, and
// old messages dropped, in an order that a seed decides; each viewer is to have been given exactly what its filter lets through.
func TestFiltersAgainstAnOracle(t *testing.T) {
	words := []string{"red", "green", "blue", "e", "purple"}
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 3))
		retention := channel.DefaultRetention()
		if seed%2 == 1 {
			retention.Messages = 50 + random.Int64N(2000)
		}
		r := newRig(t, rigOptions{settings: Settings{Filter: compileHas}, retention: retention})
		var published []string
		var viewers, gone []*viewer
		for range 120 {
			switch random.IntN(8) {
			case 0:
				from := wire.Offset(0)
				if len(published) > 0 {
					from = wire.Offset(random.IntN(len(published)))
				}
				v := r.viewer(words[random.IntN(len(words))], fmt.Sprintf(`,"from":{"offset":%d}`, from))
				v.from = from
				viewers = append(viewers, v)
			case 1:
				if len(viewers) > 0 {
					viewers[random.IntN(len(viewers))].stop()
				}
			case 2, 3:
				if len(viewers) > 0 {
					viewers[random.IntN(len(viewers))].take([]int{1, 100, 5000, endless}[random.IntN(4)])
					r.settle()
				}
			case 4:
				if len(viewers) > 0 { // it comes back on another line, from its own position
					i := random.IntN(len(viewers))
					old := viewers[i]
					if err := old.listen(); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					old.hang()
					v := r.viewer(old.filter, fmt.Sprintf(`,"from":{"offset":%d}`, old.at))
					v.from, v.got, v.lost, v.at = old.from, old.got, old.lost, old.at
					viewers[i] = v
				}
			default:
				for range random.IntN(200) {
					text := fmt.Sprintf("%s %d", words[random.IntN(3)], len(published))
					published = append(published, text)
					r.publish("a", text)
				}
				r.settle()
			}
		}
		for _, v := range append(viewers, gone...) {
			v.take(endless)
			r.caughtUp(v, published)
			if err := v.check(published); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for _, c := range r.clients {
			c.hang()
		}
	}
}
