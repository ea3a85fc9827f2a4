package session

import (
	"fmt"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// checkPage checks a page of history against the list of what was published.
func checkPage(c *past, q request, b *wire.Page) error {
	asked, ok := q.frame.(*wire.History)
	if !ok || asked.Channel != b.Channel || b.Tail < q.tails[b.Channel] || b.Tail > c.tail() || b.Head != c.lost(b.Tail)+1 {
		return fmt.Errorf("the page %+v answers %+v; %d of %d are kept", b, q.frame, c.kept, c.tail())
	}
	first, last := b.Head, b.Tail // of what is there in the direction asked for
	lost := false
	switch from := asked.From; {
	case from.Kind == wire.StartNow:
	case asked.Reverse && from.Offset <= b.Tail:
		last = max(from.Offset, 1) - 1
		lost = last > 0 && last < first
	case !asked.Reverse && from.Offset <= b.Tail:
		lost = from.Offset+1 < first
		first = max(first, from.Offset+1)
	}
	if (b.Gap != nil) != lost || lost && b.Gap.Reason != wire.GapRetention {
		return fmt.Errorf("%+v is answered with the gap %+v, and head %d", asked, b.Gap, b.Head)
	}
	there := int(last + 1 - min(first, last+1))
	if want := min(there, int(asked.Limit)); len(b.Messages) != want || (b.Next != nil) != (want < there && want > 0) {
		return fmt.Errorf("%+v is answered with %d messages (more: %t), want %d of %d", asked, len(b.Messages), b.Next != nil, want, there)
	}
	for i := range b.Messages {
		o := first + wire.Offset(i)
		if asked.Reverse {
			o = last - wire.Offset(i)
		}
		if m := &b.Messages[i]; m.Offset != o || string(m.Payload.Bytes) != c.facts[o-1].payload() {
			return fmt.Errorf("%+v: message %d of the page is %d, %s; want %d, %s", asked, i, m.Offset, m.Payload.Bytes, o, c.facts[o-1].payload())
		}
	}
	return nil
}
