package presence

import "github.com/magpie-bridge/magpie/internal/wire"

// departure is somebody who has left, and is gone unless he comes back before a moment.
type departure struct {
	at      moment
	subject subject
	id      wire.SessionID
}

// departures are in the order of their moments, since all have the same time to come back.
type departures struct {
	list []departure
	head int // list[:head] are done with
}

func (q *departures) len() int { return len(q.list) - q.head }

func (q *departures) add(d departure) { q.list = append(q.list, d) }

// next returns the moment of the first.
func (q *departures) next() (at moment, ok bool) {
	if q.len() == 0 {
		return 0, false
	}
	return q.list[q.head].at, true
}

// take returns the first whose moment has come.
func (q *departures) take(now moment) (d departure, ok bool) {
	if at, some := q.next(); !some || at > now {
		return d, false
	}
	d = q.list[q.head]
	q.list[q.head] = departure{}
	q.head++
	if q.head > len(q.list)/2 { // as many are moved as have gone: a burst is not remembered for ever
		q.list = append([]departure(nil), q.list[q.head:]...)
		q.head = 0
	}
	return d, true
}
