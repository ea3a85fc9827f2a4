package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestNothingIsLostBetweenAChannelsCreationAndItsJoining has many goroutines make channels and publish to them at once, while
// sessions subscribe and unsubscribe the patterns that stand for these: whoever has the pattern has each message of each
// channel that appears, from the first on, once and in order.
func TestNothingIsLostBetweenAChannelsCreationAndItsJoining(t *testing.T) {
	for name, wrap := range enginesThatAnnounce(t) {
		t.Run(name, func(t *testing.T) {
			if err := raceOfPatterns(t, wrap); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestThatALossWouldBeSeen proves the test above: an engine that does not tell of every channel, and one that does not
// list all, are found out.
func TestThatALossWouldBeSeen(t *testing.T) {
	for name, wrap := range map[string]func(engine.Engine) engine.Engine{
		"an engine that forgets":  func(e engine.Engine) engine.Engine { return &forgetful{Memory: e.(*engine.Memory)} },
		"an engine that is blind": func(e engine.Engine) engine.Engine { return &blind{Memory: e.(*engine.Memory)} },
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // a race may end before it has begun
				if raceOfPatterns(t, wrap) != nil {
					return
				}
			}
			t.Error("nothing was noticed")
		})
	}
}

// forgetful is an engine that does not tell of every seventh channel.
type forgetful struct {
	*engine.Memory
	told atomic.Int64
}

func (f *forgetful) Announce(appeared func(wire.ChannelName)) {
	f.Memory.Announce(func(name wire.ChannelName) {
		if f.told.Add(1)%7 != 0 {
			appeared(name)
		}
	})
}

// blind is an engine that does not list every seventh channel.
type blind struct{ *engine.Memory }

func (b *blind) List(ctx context.Context, q engine.ListQuery) (engine.Listing, error) {
	seen := 0
	match := q.Match
	q.Match = func(name wire.ChannelName) bool {
		seen++
		return seen%7 != 0 && match(name)
	}
	return b.Memory.List(ctx, q)
}

// enginesThatAnnounce are the engines that can be below a rig.
func enginesThatAnnounce(t *testing.T) map[string]func(engine.Engine) engine.Engine {
	return map[string]func(engine.Engine) engine.Engine{
		"memory": func(e engine.Engine) engine.Engine { return e },
		"disk": func(engine.Engine) engine.Engine {
			e, err := diskengine.Open(diskengine.Options{
				Dir:   t.TempDir(),
				Space: channel.NewSpace(channel.NewBudget(0), nil, jsonLine, protobufLine),
				Level: func(wire.ChannelName) diskengine.Level { return diskengine.Written },
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := e.Close(t.Context()); err != nil && t.Context().Err() == nil {
					t.Error(err)
				}
			})
			return e
		},
	}
}

const (
	raceChannels = 240 // below what a session may have
	raceMessages = 12  // of each
	racePublish  = 8   // goroutines
	raceClients  = 6
)

// publishers are what has been published, or is about to be.
type publishers struct {
	mu    sync.Mutex // guards begun
	begun map[wire.ChannelName]bool
	left  atomic.Int64
}

// raceOfPatterns returns what was wrong.
func raceOfPatterns(t *testing.T, wrap func(engine.Engine) engine.Engine) error {
	r := newRig(t, rigOptions{wrap: wrap})
	pub := &publishers{begun: make(map[wire.ChannelName]bool)}
	clients := make([]*listener, raceClients)
	for i := range clients {
		clients[i] = &listener{client: r.joined(fmt.Sprint("user", i)), publishing: pub}
	}
	clients[0].toggle() // this one never lets go
	pub.start(r)
	random := rand.New(rand.NewPCG(7, 7))
	for pub.left.Load() > 0 {
		r.loop.turn(r.shard, 0)
		if l := clients[1+random.IntN(len(clients)-1)]; len(l.pending) == 0 {
			l.toggle()
		}
		for _, l := range clients {
			if err := l.listen(); err != nil {
				return err
			}
		}
	}
	for _, l := range clients {
		if !l.wanted {
			l.toggle()
		}
		l.rest()
	}
	r.settle()
	var failures []error
	for i, l := range clients {
		if err := errors.Join(l.listen(), l.complete(r)); err != nil {
			failures = append(failures, fmt.Errorf("client %d: %w", i, err))
		}
	}
	return errors.Join(failures...)
}

// start publishes, each goroutine some of the channels, so that several make the same ones.
func (p *publishers) start(r *rig) {
	p.left.Store(racePublish)
	for g := range racePublish {
		go func() {
			defer p.left.Add(-1)
			random := rand.New(rand.NewPCG(1, uint64(g)))
			answered := make(chan struct{}, 1)
			for i := range raceChannels * raceMessages / racePublish {
				// Later channels come later, so that new ones appear all the time.
				name := wire.ChannelName(fmt.Sprintf("order.%d", min(i*racePublish/raceMessages+random.IntN(8), raceChannels-1)))
				p.mu.Lock()
				p.begun[name] = true
				p.mu.Unlock()
				record := []channel.Record{{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte("x")}}}}
				r.engine.Append(name, record, func(wire.Epoch, []channel.Placed, error) { answered <- struct{}{} })
				<-answered
			}
		}()
	}
}

// listener is a client that subscribes a pattern, and unsubscribes it, again and again.
type listener struct {
	*client
	publishing *publishers
	wanted     bool
	asked      int                              // subscribe and unsubscribe frames
	old        map[wire.ChannelName]bool        // whose publishing had begun when the pattern was subscribed
	next       map[wire.ChannelName]wire.Offset // of the channels that have joined
}

// toggle subscribes the pattern, or unsubscribes it.
func (l *listener) toggle() {
	l.asked++
	id := fmt.Sprint(l.asked)
	if l.wanted = !l.wanted; l.wanted {
		l.tell(wild(id, "order.*", ""))
	} else {
		l.tell(unwild(id, "order.*"))
	}
}

// listen checks what has been heard.
func (l *listener) listen() error {
	for _, e := range l.hear() {
		switch b := e.body().(type) {
		case *wire.Subscribed:
			if b.Channel == "order.*" {
				// Whatever has not begun by now appears with the pattern subscribed.
				l.publishing.mu.Lock()
				l.old = make(map[wire.ChannelName]bool, len(l.publishing.begun))
				for name := range l.publishing.begun {
					l.old[name] = true
				}
				l.publishing.mu.Unlock()
				l.next = make(map[wire.ChannelName]wire.Offset)
				continue
			}
			if _, twice := l.next[b.Channel]; twice || l.next == nil {
				return fmt.Errorf("%s joins twice, or without the pattern", b.Channel)
			}
			if !l.old[b.Channel] && b.Position.Offset != 0 {
				return fmt.Errorf("%s appears, and begins after %d", b.Channel, b.Position.Offset)
			}
			l.next[b.Channel] = b.Position.Offset + 1
		case *wire.Unsubscribed:
			l.next = nil
		case *wire.Message:
			if next := l.next[b.Channel]; b.Offset != next {
				return fmt.Errorf("%s %d comes where %d is due", b.Channel, b.Offset, next)
			}
			l.next[b.Channel]++
		case *wire.Gap:
			return fmt.Errorf("%+v, though everything is kept", b)
		case *wire.Error:
			return b
		}
	}
	return nil
}

// complete checks that every channel has joined, and that nothing of it is owed.
func (l *listener) complete(r *rig) error {
	var failures []error
	for name := range l.publishing.begun {
		tail := r.tail(name)
		switch next, joined := l.next[name]; {
		case !joined:
			failures = append(failures, fmt.Errorf("%s has not joined", name))
		case next != tail+1:
			failures = append(failures, fmt.Errorf("%s stands before %d, and the tail is %d", name, next, tail))
		}
	}
	return errors.Join(failures...)
}

// tail is the newest offset of a channel.
func (r *rig) tail(name wire.ChannelName) (tail wire.Offset) {
	answered := make(chan wire.Offset, 1)
	r.engine.Read(name, channel.Query{Limit: 1, Bytes: 1 << 20, Reverse: true}, func(run channel.Run, err error) {
		if err != nil {
			r.t.Error(err)
		}
		answered <- run.Tail
	})
	return <-answered
}
