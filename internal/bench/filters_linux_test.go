package bench

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// sieve is a target that spoils every tenth message of a viewer, or acknowledgement of the publisher.
type sieve struct {
	target.Target
	acknowledgements bool // are spoilt
	spoil            func(s *sieve, e target.Event) []target.Event
	kept             *target.Event // held back
	seen             int
}

func (s *sieve) Parse(events []target.Event, message []byte) []target.Event {
	events = s.Target.Parse(events, message)
	if len(events) != 1 || events[0].Kind != target.Message || s.acknowledgements != (events[0].Payload == nil) {
		return events
	}
	if s.seen++; s.seen%10 == 0 {
		return s.spoil(s, events[0])
	}
	if s.kept != nil {
		events = append(events, *s.kept)
		s.kept = nil
	}
	return events
}

// neighbour is the payload of the message before.
func neighbour(payload []byte) []byte {
	other := append([]byte(nil), payload...)
	m, _ := readStamp(other, gather(binary.LittleEndian.Uint64(other)))
	m.sequence--
	m.put(other)
	return other
}

// What may go wrong with a filtered subscription is planted, and has to be found, and nothing else.
func TestPlantedFaultsOfFiltersAreSeen(t *testing.T) {
	url := gateway(t)
	type events = []target.Event
	just := func(of func(f Faults) Faults) func(f Faults) bool {
		return func(f Faults) bool { return f == of(f) && f != Faults{} }
	}
	misplaced := just(func(f Faults) Faults { return Faults{Misplaced: f.Misplaced} })
	for name, test := range map[string]struct {
		acknowledgements bool
		spoil            func(s *sieve, e target.Event) []target.Event
		found            func(f Faults) bool
	}{
		"nothing": {false, func(_ *sieve, e target.Event) []target.Event { return events{e} }, func(f Faults) bool { return f == Faults{} }},
		"loss": {false, func(*sieve, target.Event) []target.Event { return nil }, func(f Faults) bool {
			return f.Lost > 0 && f.Misplaced > 0 && f == Faults{Lost: f.Lost, Misplaced: f.Misplaced}
		}},
		"a duplicate": {
			false, func(_ *sieve, e target.Event) []target.Event { return events{e, e} },
			just(func(f Faults) Faults { return Faults{Duplicated: f.Duplicated} }),
		},
		"a message for others": {false, func(_ *sieve, e target.Event) []target.Event {
			if e.Prev == 0 {
				return events{e} // there is none between
			}
			other := e
			other.Payload, other.Offset = neighbour(e.Payload), e.Offset-1
			if other.Prev == other.Offset-1 {
				other.Prev = 0
			}
			e.Prev = 0 // as the server would go on from there
			return events{other, e}
		}, just(func(f Faults) Faults { return Faults{Crossed: f.Crossed} })},
		"another order": {false, func(s *sieve, e target.Event) []target.Event {
			e.Payload = append([]byte(nil), e.Payload...)
			s.kept = &e
			return nil
		}, func(f Faults) bool {
			return f.Reordered > 0 && f == Faults{Reordered: f.Reordered, Misplaced: f.Misplaced, Lost: f.Lost} && f.Lost <= 1 // the last one held back
		}},
		"a gap": {false, func(_ *sieve, e target.Event) []target.Event {
			if e.Prev == 0 {
				return events{e}
			}
			return events{{Kind: target.Refused, Gap: target.Gap{From: e.Prev + 1, To: e.Offset}}, {Kind: target.Moved, Offset: e.Offset}}
		}, func(f Faults) bool { return f.Lost > 0 && f == Faults{Lost: f.Lost, Refused: f.Lost} }},
		"a gap elsewhere": {false, func(_ *sieve, e target.Event) []target.Event {
			return events{{Kind: target.Refused, Gap: target.Gap{From: e.Offset + 2, To: e.Offset + 2}}, {Kind: target.Moved, Offset: e.Offset}, e}
		}, func(f Faults) bool { return f.Misplaced > 0 && f.Refused > 0 }},
		"a wrong prev": {false, func(_ *sieve, e target.Event) []target.Event {
			e.Prev++
			return events{e}
		}, misplaced},
		"no prev": {false, func(_ *sieve, e target.Event) []target.Event {
			e.Prev = 0
			return events{e}
		}, misplaced},
		"a wrong offset": {false, func(_ *sieve, e target.Event) []target.Event {
			e.Offset += 7
			return events{e}
		}, misplaced},
		"a position over a message": {false, func(_ *sieve, e target.Event) []target.Event {
			return events{{Kind: target.Moved, Offset: e.Offset}, e}
		}, misplaced},
		"a position that goes back": {false, func(_ *sieve, e target.Event) []target.Event {
			return events{e, {Kind: target.Moved, Offset: e.Offset - 1}}
		}, misplaced},
		"another run's message": {false, func(_ *sieve, e target.Event) []target.Event {
			stranger := e
			stranger.Payload = append([]byte(nil), e.Payload...)
			stranger.Payload[0] ^= 1
			return events{e, stranger}
		}, just(func(f Faults) Faults { return Faults{Unreadable: f.Unreadable} })},
		"a lost acknowledgement": {
			true, func(*sieve, target.Event) []target.Event { return nil },
			just(func(f Faults) Faults { return Faults{Lost: f.Lost} }),
		},
		"a doubled acknowledgement": {
			true, func(_ *sieve, e target.Event) []target.Event { return events{e, e} },
			just(func(f Faults) Faults { return Faults{Duplicated: f.Duplicated} }),
		},
		"an acknowledgement for another place": {true, func(_ *sieve, e target.Event) []target.Event {
			e.Offset++
			return events{e}
		}, misplaced},
	} {
		o := brief(url, "filters")
		o.Stages, o.Rate, o.Duration = []int{1}, 20_000, 300*time.Millisecond
		inner, err := target.New("magpie", target.Options{Payload: stampBytes, Records: true})
		if err != nil {
			t.Fatal(err)
		}
		o.speaks = &sieve{Target: inner, acknowledgements: test.acknowledgements, spoil: test.spoil}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if stage := r.Stages[0]; name == "a gap" && stage.Told != stage.Faults.Lost {
			t.Errorf("%d of %d were told by gaps", stage.Told, stage.Faults.Lost)
		}
		if f := r.Stages[0].Faults; !test.found(f) {
			t.Errorf("%s was planted, and %+v found", name, f)
		}
	}
}

// Without a viewer, and without a filter, the figures are those of the channel alone.
func TestFiltersWithoutAny(t *testing.T) {
	url := gateway(t)
	o := brief(url, "filters")
	o.Stages, o.Rate = []int{0, 1, 4}, 2000
	for _, filters := range []int{3, -1} {
		o.Filters = filters
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{0, 1, 3} {
			s := &r.Stages[i]
			if s.Filters != max(min(want, filters), 0) || s.Faults != (Faults{}) || s.Published == 0 || s.Server.CPUMicrosPerMessage < 0 {
				t.Errorf("%d viewers on %d filters: %+v", s.Lines, filters, s)
			}
			if all := s.Lines > 0 && s.Operations > s.Published/2*uint64(s.Lines); all != (filters < 0 && s.Lines > 0) {
				t.Errorf("%d viewers on %d filters: %d deliveries of %d messages", s.Lines, filters, s.Operations, s.Published)
			}
		}
	}
}
