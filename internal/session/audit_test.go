package session

import (
	"errors"
	"fmt"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// audit checks what one client hears against what was published: of each channel it has subscribed, every offset once
// and in order, or a gap that retention accounts for; nothing before subscribed, and nothing after unsubscribed.
type audit struct {
	published map[wire.ChannelName][]string // the payload of each offset, from 1
	logs      map[wire.ChannelName]*channel.Log
	starts    map[string]wire.Offset // by requestId: where a subscription has to begin
	next      map[wire.ChannelName]wire.Offset
	heard     int // messages
	gaps      int
}

// check takes the next thing heard.
func (a *audit) check(e event) error {
	switch b := e.body().(type) {
	case *wire.Subscribed:
		if want, ok := a.starts[e.frame.RequestID]; ok && b.Position.Offset != want {
			return fmt.Errorf("%s begins after %d, want %d", b.Channel, b.Position.Offset, want)
		}
		a.next[b.Channel] = b.Position.Offset + 1
	case *wire.Unsubscribed:
		if _, ok := a.next[b.Channel]; !ok {
			return fmt.Errorf("%s ended twice", b.Channel)
		}
		delete(a.next, b.Channel)
	case *wire.Message:
		return a.message(b)
	case *wire.Gap:
		return a.gap(b)
	case *wire.Error:
		return b
	}
	return nil
}

func (a *audit) message(m *wire.Message) error {
	next, ok := a.next[m.Channel]
	if !ok {
		return fmt.Errorf("%s %d comes without a subscription", m.Channel, m.Offset)
	}
	if m.Offset != next {
		return fmt.Errorf("%s %d comes where %d is due", m.Channel, m.Offset, next)
	}
	if want := a.published[m.Channel][m.Offset-1]; string(m.Payload.Bytes) != want {
		return fmt.Errorf("%s %d is %q, want %q", m.Channel, m.Offset, m.Payload.Bytes, want)
	}
	a.next[m.Channel]++
	a.heard++
	return nil
}

func (a *audit) gap(g *wire.Gap) error {
	next, ok := a.next[g.Channel]
	switch {
	case !ok:
		return fmt.Errorf("a gap of %s comes without a subscription", g.Channel)
	case g.ToOffset == next-1 && g.FromOffset < next:
		a.gaps++ // lost before the subscription began
		return nil
	case g.FromOffset != next || g.ToOffset < next:
		return fmt.Errorf("a gap of %s is %d-%d where %d is due", g.Channel, g.FromOffset, g.ToOffset, next)
	case g.ToOffset >= a.logs[g.Channel].Head():
		return fmt.Errorf("a gap of %s is %d-%d, and %d is still there", g.Channel, g.FromOffset, g.ToOffset, a.logs[g.Channel].Head())
	}
	a.next[g.Channel] = g.ToOffset + 1
	a.gaps++
	return nil
}

// complete checks that nothing is owed any more.
func (a *audit) complete() error {
	var failures []error
	for name, next := range a.next {
		if tail := a.logs[name].Tail(); next != tail+1 {
			failures = append(failures, fmt.Errorf("%s stands before %d, and the tail is %d", name, next, tail))
		}
	}
	return errors.Join(failures...)
}
