package session

import (
	"fmt"
	"slices"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The oracle of the stories (story_test.go). It knows the protocol, and nothing of sessions, topics and derived logs: what was
// published is a list for each channel, and a reader is what a client knows by what it has asked and heard.

// fact is one message that was published.
type fact struct {
	color string
	n     int
}

func (f fact) payload() string { return fmt.Sprintf(`{"color":%q,"n":%d}`, f.color, f.n) }

// sieves are the filters of the stories, with what each is to let through.
var sieves = map[string]func(fact) bool{
	"":                  func(fact) bool { return true },
	"color=red":         func(f fact) bool { return f.color == "red" },
	"color!=blue n>=5":  func(f fact) bool { return f.color != "blue" && f.n >= 5 },
	"n<3 or color^=gre": func(f fact) bool { return f.n < 3 || f.color == "green" },
	"purple":            func(fact) bool { return false },
}

// past is what was published to a channel.
type past struct {
	name      wire.ChannelName
	epoch     wire.Epoch // empty: not known yet
	kept      int        // the newest so many messages are kept
	facts     []fact     // by offset, from 1
	mentioned int        // the first step that may have made the channel; 0: none has
	published int        // the first step that has certainly made it; 0: none has
	settled   int        // the first step after which everybody knew of it; 0: none was
}

func (c *past) tail() wire.Offset { return wire.Offset(len(c.facts)) }

// lost is the newest offset that is not kept when tail is the newest there is.
func (c *past) lost(tail wire.Offset) wire.Offset {
	return tail - min(tail, wire.Offset(c.kept))
}

// passes reports whether a filter lets a message through.
func (c *past) passes(filter string, o wire.Offset) bool { return sieves[filter](c.facts[o-1]) }

// count is how many messages after one and up to another a filter lets through.
func (c *past) count(filter string, after, to wire.Offset) (n uint64) {
	for o := after + 1; o <= to; o++ {
		if c.passes(filter, o) {
			n++
		}
	}
	return n
}

// begins checks where a subscription begins, which was asked for when lo was the tail or later, and returns the gap that has
// to be told next.
func (c *past) begins(b *wire.Subscribed, from wire.Start, filter string, lo wire.Offset) (owed *wire.Gap, err error) {
	if b.Tail < lo || b.Tail > c.tail() {
		return nil, fmt.Errorf("the tail of %s is said to be %d: it was %d, and is %d", c.name, b.Tail, lo, c.tail())
	}
	lost := c.lost(b.Tail)
	want, recovered := b.Tail, false
	gap := func(from, to wire.Offset, reason string) {
		owed = &wire.Gap{Channel: c.name, Epoch: c.epoch, FromOffset: from, ToOffset: to, Reason: reason}
	}
	switch from.Kind {
	case wire.StartLast:
		want = b.Position.Offset
		got, all := c.count(filter, want, b.Tail), c.count(filter, lost, b.Tail)
		if least, most := min(from.Last, all), from.Last+uint64(b.Tail-lo); want < lost || got < least || got > most {
			return nil, fmt.Errorf("%s begins after %d, and has %d messages up to %d: the newest %d were asked for", c.name, want, got, b.Tail, from.Last)
		}
	case wire.StartPosition, wire.StartOffset:
		switch {
		case from.Kind == wire.StartPosition && from.Epoch != c.epoch:
			want = lost
			gap(1, lost, wire.GapEpoch)
		case from.Offset > b.Tail:
			gap(b.Tail+1, from.Offset, wire.GapBeyondTail)
		case from.Offset < lost:
			want = lost
			gap(from.Offset+1, lost, wire.GapRetention)
		default:
			want, recovered = from.Offset, true
		}
	case wire.StartNow, wire.StartTime:
	}
	if b.Position.Offset != want || b.Recovered != recovered {
		return nil, fmt.Errorf("%s begins after %d (recovered %t), where %d (%t) was asked for", c.name, b.Position.Offset, b.Recovered, want, recovered)
	}
	return owed, nil
}

// goesOn checks that a subscription goes on after at, or tells what has been lost meanwhile.
func (c *past) goesOn(b *wire.Subscribed, at wire.Offset) (owed *wire.Gap, err error) {
	if b.Recovered {
		return nil, fmt.Errorf("%s is recovered, where no position was given", c.name)
	}
	as := *b
	as.Recovered = at >= c.lost(b.Tail) // no position was given, so it is not said
	return c.begins(&as, wire.Start{Kind: wire.StartOffset, Offset: at}, "", 0)
}

// place is where a reader stands in a channel that it follows.
type place struct {
	*past
	at     wire.Offset
	filter string             // that is applied
	own    bool               // it has subscribed the channel by its name
	asked  string             // with this filter
	by     []wire.ChannelName // patterns that hold it, in the order in which they have come to
	owed   *wire.Gap          // has to be told next
	may    []*wire.Gap        // one of these may be told next: it depends on what came first
}

// message checks a message that has come.
func (p *place) message(b *wire.Message) error {
	switch {
	case p.owed != nil:
		return fmt.Errorf("%s %d comes where the gap %d-%d had to be told", p.name, b.Offset, p.owed.FromOffset, p.owed.ToOffset)
	case b.Offset <= p.at || b.Offset > p.tail():
		return fmt.Errorf("%s %d comes at position %d", p.name, b.Offset, p.at)
	case b.Prev != 0 && b.Prev != p.at || b.Prev == 0 && b.Offset != p.at+1:
		return fmt.Errorf("%s %d has prev %d at position %d", p.name, b.Offset, b.Prev, p.at)
	case string(b.Payload.Bytes) != p.facts[b.Offset-1].payload():
		return fmt.Errorf("%s %d is %s, and was published as %s", p.name, b.Offset, b.Payload.Bytes, p.facts[b.Offset-1].payload())
	case !p.passes(p.filter, b.Offset):
		return fmt.Errorf("%s %d is not for %q", p.name, b.Offset, p.filter)
	}
	return p.pass(b.Offset-1, b.Offset)
}

// position checks a position that is told.
func (p *place) position(at wire.Position) error {
	if p.owed != nil || at.Epoch != p.epoch || at.Offset <= p.at || at.Offset > p.tail() || p.filter == "" {
		return fmt.Errorf("%s: a position %v is told at %d, with the filter %q", p.name, at, p.at, p.filter)
	}
	return p.pass(at.Offset, at.Offset)
}

// pass moves the reader along; what it passes over up to an offset must not be for it.
func (p *place) pass(over, to wire.Offset) error {
	p.may = nil
	if n := p.count(p.filter, p.at, over); n > 0 {
		return fmt.Errorf("%s: %d messages for %q are passed over between %d and %d", p.name, n, p.filter, p.at, to)
	}
	p.at = to
	return nil
}

// gap checks a gap that is told.
func (p *place) gap(b *wire.Gap) error {
	if p.owed != nil && *b == *p.owed || slices.ContainsFunc(p.may, func(gap *wire.Gap) bool { return *b == *gap }) {
		p.owed, p.may = nil, nil
		return nil
	}
	if p.owed != nil {
		return fmt.Errorf("the gap %+v had to be told, and is %+v", *p.owed, *b)
	}
	if b.Reason != wire.GapRetention || b.Epoch != p.epoch || b.FromOffset != p.at+1 || b.ToOffset < b.FromOffset || b.ToOffset > p.lost(p.tail()) {
		return fmt.Errorf("the gap %+v at position %d: %d of %d are kept", *b, p.at, p.kept, p.tail())
	}
	p.at = b.ToOffset
	return nil
}

// complete checks that nothing is owed when everything has come to rest. Of what a filter had to look at, and is not kept any
// more, the reader may be told some seconds later, which is final.
func (p *place) complete(final bool) error {
	if p.owed != nil {
		return fmt.Errorf("the gap %+v has not been told", *p.owed)
	}
	after := p.at
	if p.filter != "" && !final {
		after = max(after, p.lost(p.tail()))
	}
	if n := p.count(p.filter, after, p.tail()); n > 0 {
		return fmt.Errorf("%s: %d messages for %q after %d have not come; the tail is %d", p.name, n, p.filter, after, p.tail())
	}
	return nil
}
