package netloop

import (
	"math/rand/v2"
	"testing"
	"time"
)

// epochOfTests is some moment; the wheel knows times only by their distance.
var epochOfTests = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

// ring is a wheel under a clock of its own.
type ring struct {
	wheel
	t     *testing.T
	clock time.Time
}

func callTimer(c *life, now time.Time) { c.handler.Timer(now) }

func newRing(t *testing.T) *ring {
	return &ring{wheel: newWheel(epochOfTests, callTimer), t: t, clock: epochOfTests}
}

// alarm is a connection's timer that remembers when it fired.
type alarm struct {
	life
	fired []time.Time
	then  func(now time.Time) // may be nil
}

func newAlarm() *alarm {
	a := &alarm{}
	a.handler = a
	return a
}

func (a *alarm) Timer(now time.Time) {
	a.fired = append(a.fired, now)
	if a.then != nil {
		a.then(now)
	}
}

func (a *alarm) Read([]byte)  {}
func (a *alarm) Writable()    {}
func (a *alarm) Closed(error) {}

// pass lets time go by in steps.
func (r *ring) pass(d, step time.Duration) {
	for end := r.clock.Add(d); r.clock.Before(end); {
		r.clock = r.clock.Add(min(step, end.Sub(r.clock)))
		r.advance(r.clock)
	}
}

// firesAt lets time go by until the alarm fires, and checks that it does so when it should: in no case before.
func (r *ring) firesAt(a *alarm, at time.Time) {
	r.t.Helper()
	a.fired = nil
	for r.clock.Before(at) {
		if len(a.fired) > 0 {
			r.t.Fatalf("fired %v early", at.Sub(a.fired[0]))
		}
		r.pass(wheelTick/4, wheelTick/4)
	}
	r.pass(2*wheelTick, wheelTick/4)
	if len(a.fired) != 1 {
		r.t.Fatalf("fired %d times, want once", len(a.fired))
	}
	if late := a.fired[0].Sub(at); late < 0 || late > wheelTick+wheelTick/4 {
		r.t.Fatalf("fired %v late", late)
	}
}

func TestWheelFires(t *testing.T) {
	for _, after := range []time.Duration{
		-time.Hour, 0, 1, wheelTick - 1, wheelTick, wheelTick + 1, time.Second, 30 * time.Second,
		(wheelSlots - 1) * wheelTick, wheelSlots * wheelTick, (wheelSlots + 1) * wheelTick, 10 * time.Minute,
	} {
		t.Run(after.String(), func(t *testing.T) {
			r, a := newRing(t), newAlarm()
			r.pass(time.Second, wheelTick)
			at := r.clock.Add(after)
			r.set(&a.life, at)
			if after < 0 {
				at = r.clock // what is past fires at once
			}
			r.firesAt(a, at)
			r.pass(2*wheelSlots*wheelTick, wheelTick)
			if len(a.fired) != 1 {
				t.Errorf("fired %d times", len(a.fired))
			}
			if r.armed != 0 || r.wait() >= 0 {
				t.Errorf("%d entries are left, and the loop would wait %v", r.armed, r.wait())
			}
		})
	}
}

func TestWheelMoves(t *testing.T) {
	r, a := newRing(t), newAlarm()
	r.set(&a.life, r.clock.Add(time.Second))
	r.set(&a.life, r.clock.Add(30*time.Second)) // later: its entry stays
	r.firesAt(a, r.clock.Add(30*time.Second))

	r.set(&a.life, r.clock.Add(30*time.Second))
	r.set(&a.life, r.clock.Add(time.Second)) // sooner: a second entry
	r.firesAt(a, r.clock.Add(time.Second))
	// The void entry must not fire the timer that was set anew for the very tick it waits in.
	a.fired = nil
	r.set(&a.life, r.clock.Add(40*time.Second))
	r.set(&a.life, r.clock.Add(35*time.Second))
	r.set(&a.life, r.clock.Add(40*time.Second))
	r.firesAt(a, r.clock.Add(40*time.Second))
}

// A timer that was moved sooner leaves a void entry. It must not come back round after round.
func TestWheelVoidEntriesGo(t *testing.T) {
	r, a := newRing(t), newAlarm()
	r.set(&a.life, r.clock.Add(40*time.Second))
	r.set(&a.life, r.clock.Add(35*time.Second))
	r.set(&a.life, r.clock.Add(30*time.Second))
	for range 600 { // a heartbeat that is never missed
		r.set(&a.life, r.clock.Add(60*time.Second))
		r.pass(time.Second, wheelTick)
	}
	if len(a.fired) > 0 || r.armed != 1 {
		t.Errorf("fired %d times; %d entries stand for one timer", len(a.fired), r.armed)
	}
}

func TestWheelStops(t *testing.T) {
	r, a := newRing(t), newAlarm()
	r.set(&a.life, time.Time{}) // nothing to stop
	r.set(&a.life, r.clock.Add(time.Second))
	r.set(&a.life, time.Time{})
	r.pass(2*time.Second, wheelTick)
	if len(a.fired) > 0 {
		t.Error("a stopped timer fired")
	}
	r.set(&a.life, r.clock.Add(2*time.Second))
	r.set(&a.life, time.Time{})
	r.set(&a.life, r.clock.Add(time.Second)) // after all, and sooner
	r.firesAt(a, r.clock.Add(time.Second))
}

func TestWheelAfterALongRest(t *testing.T) {
	r, a := newRing(t), newAlarm()
	r.pass(wheelTick, wheelTick)
	r.clock = r.clock.Add(48 * time.Hour) // nothing was armed, so nobody looked
	r.set(&a.life, r.clock.Add(time.Second))
	r.advance(r.clock)
	r.firesAt(a, r.clock.Add(time.Second))
}

func TestWheelWhenTheMachineSlept(t *testing.T) {
	r := newRing(t)
	var alarms []*alarm
	for i := range 3 * wheelSlots {
		a := newAlarm()
		r.set(&a.life, r.clock.Add(time.Duration(i)*wheelTick))
		alarms = append(alarms, a)
	}
	far := newAlarm()
	r.set(&far.life, r.clock.Add(25*time.Hour))
	r.clock = r.clock.Add(24 * time.Hour)
	r.advance(r.clock)
	for i, a := range alarms {
		if len(a.fired) != 1 {
			t.Fatalf("alarm %d fired %d times", i, len(a.fired))
		}
	}
	r.firesAt(far, r.clock.Add(time.Hour))
}

// Many that come at once, and are gone, must not be remembered by every slot they went through.
func TestWheelForgetsABurst(t *testing.T) {
	r := newRing(t)
	for range 2 * wheelSlots {
		for range 1000 {
			r.set(&newAlarm().life, r.clock.Add(wheelTick))
		}
		r.pass(wheelTick, wheelTick)
	}
	r.pass(2*wheelTick, wheelTick)
	held := 0
	for i := range r.slots {
		held += cap(r.slots[i])
	}
	if limit := wheelSlots * keptEntries; held > limit || r.armed != 0 {
		t.Errorf("room for %d entries is held, want at most %d; %d are armed", held, limit, r.armed)
	}
}

func TestWheelSetWhileFiring(t *testing.T) {
	r := newRing(t)
	every := newAlarm()
	every.then = func(now time.Time) { r.set(&every.life, now.Add(time.Second)) }
	r.set(&every.life, r.clock.Add(time.Second))
	r.pass(time.Minute, wheelTick)
	if n := len(every.fired); n < 50 || n > 60 {
		t.Errorf("fired %d times in a minute", n)
	}
	before := len(every.fired)
	r.clock = r.clock.Add(time.Hour)
	r.advance(r.clock)
	if n := len(every.fired) - before; n != 1 {
		t.Errorf("fired %d times at once after an hour's sleep, want once", n)
	}
}

// Somebody sets the clock of the machine back. The loop's time is the one that only goes on.
func TestWheelIgnoresTheClockOnTheWall(t *testing.T) {
	now := time.Now()
	w, a := newWheel(now, callTimer), newAlarm()
	w.advance(now.Add(time.Minute))
	w.set(&a.life, now.Add(time.Minute+time.Second))
	if w.tickOf(now.Add(time.Hour)) <= w.tickOf(now.Add(time.Minute)) {
		t.Error("ticks do not grow with time")
	}
	if got := w.tickOf(now); got != 0 {
		t.Errorf("the start is tick %d, want 0", got)
	}
	w.advance(now.Add(time.Minute + 2*time.Second))
	if len(a.fired) != 1 {
		t.Errorf("fired %d times, want once", len(a.fired))
	}
}

// A walk at random against the plainest possible timers.
func TestWheelAgainstPlainTimers(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		r := newRing(t)
		alarms := make([]*alarm, 20)
		want := make([]time.Time, len(alarms)) // zero: stopped
		for i := range alarms {
			alarms[i] = newAlarm()
		}
		for step := range 4000 {
			i := rnd.IntN(len(alarms))
			switch rnd.IntN(4) {
			case 0:
				want[i] = time.Time{}
				r.set(&alarms[i].life, want[i])
			default:
				want[i] = r.clock.Add(time.Duration(rnd.Int64N(1 << (20 + rnd.IntN(20)))))
				r.set(&alarms[i].life, want[i])
			}
			before := r.clock
			r.clock = r.clock.Add(time.Duration(rnd.Int64N(1 << (20 + rnd.IntN(18)))))
			r.advance(r.clock)
			for j, a := range alarms {
				due := !want[j].IsZero() && !want[j].Add(wheelTick).After(r.clock)
				switch {
				case len(a.fired) > 1, len(a.fired) == 1 && (want[j].IsZero() || want[j].After(r.clock)):
					t.Fatalf("seed %d, step %d: alarm %d for %v fired at %v", seed, step, j, want[j], a.fired)
				case len(a.fired) == 0 && due:
					t.Fatalf("seed %d, step %d: alarm %d for %v did not fire from %v to %v", seed, step, j, want[j], before, r.clock)
				case len(a.fired) == 1:
					a.fired, want[j] = nil, time.Time{}
				}
			}
		}
	}
}
