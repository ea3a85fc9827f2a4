package bench

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// meddler is a target that spoils every 50th call that comes to a server, or answer that comes to a caller.
type meddler struct {
	target.Target
	kind  target.EventKind
	spoil func(m *meddler, events []target.Event) []target.Event
	kept  []byte // the payload of another answer
	seen  int
}

func (m *meddler) Parse(events []target.Event, message []byte) []target.Event {
	events = m.Target.Parse(events, message)
	if len(events) != 1 || events[0].Kind != m.kind {
		return events
	}
	m.seen++
	if m.seen%50 == 0 {
		return m.spoil(m, events)
	}
	return events
}

// swapped has one caller get the answer of the other.
func swapped(m *meddler, e []target.Event) []target.Event {
	const channel, letters = 8, 8 // where the stamp says whose call it was
	switch {
	case m.kept == nil:
		m.kept = append([]byte(nil), e[0].Payload...)
		return e[:0]
	case string(m.kept[channel:channel+letters]) != string(e[0].Payload[channel:channel+letters]):
		e[0].Payload, m.kept = m.kept, nil
	}
	return e
}

// What may happen to a call and to its answer is planted, and has to be found, and nothing else. A call that has not been
// answered well stays open, and is lost too.
func TestPlantedFaultsOfCallsAreSeen(t *testing.T) {
	url := gateway(t)
	dropped := func(_ *meddler, e []target.Event) []target.Event { return e[:0] }
	doubled := func(_ *meddler, e []target.Event) []target.Event { return append(e, e[0]) }
	for name, test := range map[string]struct {
		kind  target.EventKind
		spoil func(m *meddler, events []target.Event) []target.Event
		found func(f Faults) bool
	}{
		"nothing": {
			target.Message, func(_ *meddler, e []target.Event) []target.Event { return e }, func(f Faults) bool { return f == Faults{} },
		},
		"a lost call":      {target.Called, dropped, func(f Faults) bool { return f.Lost > 0 && f == Faults{Lost: f.Lost} }},
		"a lost answer":    {target.Message, dropped, func(f Faults) bool { return f.Lost > 0 && f == Faults{Lost: f.Lost} }},
		"a doubled call":   {target.Called, doubled, func(f Faults) bool { return f.Duplicated > 0 && f == Faults{Duplicated: f.Duplicated} }},
		"a doubled answer": {target.Message, doubled, func(f Faults) bool { return f.Duplicated > 0 && f == Faults{Duplicated: f.Duplicated} }},
		"an answer to another call": {target.Message, func(_ *meddler, e []target.Event) []target.Event {
			e[0].Sequence++
			return e
		}, func(f Faults) bool { return f.Crossed > 0 && f == Faults{Crossed: f.Crossed, Lost: f.Lost} }},
		"answers to each other": {target.Message, swapped, func(f Faults) bool {
			return f.Crossed > 0 && f == Faults{Crossed: f.Crossed, Lost: f.Lost}
		}},
		"a call to who serves nothing": {target.Message, func(_ *meddler, e []target.Event) []target.Event {
			return append(e, target.Event{Kind: target.Called, Payload: e[0].Payload})
		}, func(f Faults) bool { return f.Crossed > 0 && f == Faults{Crossed: f.Crossed} }},
		"another's answer": {target.Message, func(_ *meddler, e []target.Event) []target.Event {
			stranger := append([]byte(nil), e[0].Payload...)
			stranger[0] ^= 1
			return append(e, target.Event{Kind: target.Message, Payload: stranger})
		}, func(f Faults) bool { return f.Unreadable > 0 && f == Faults{Unreadable: f.Unreadable} }},
		"an answer to what no server saw": {target.Called, func(_ *meddler, e []target.Event) []target.Event {
			e[0].Kind = target.Message
			return e
		}, func(f Faults) bool { return f.Crossed > 0 && f == Faults{Crossed: f.Crossed, Lost: f.Lost} }},
	} {
		o := brief(url, "call")
		o.Stages, o.InFlight, o.Servers = []int{2}, 64, 2 // many, so that a lost one does not end the traffic
		inner, err := target.New("magpie", target.Options{Payload: defaultPayload})
		if err != nil {
			t.Fatal(err)
		}
		o.speaks = &meddler{Target: inner, kind: test.kind, spoil: test.spoil}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f := r.Stages[0].Faults; !test.found(f) {
			t.Errorf("%s was planted, and %+v found", name, f)
		}
	}
}
