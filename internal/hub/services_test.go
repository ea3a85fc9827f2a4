package hub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// desk is a server that keeps what it is asked.
type desk struct {
	mu    sync.Mutex // guards asked
	asked []*Exchange
}

func (d *desk) Ask(_ Home, x *Exchange, _ *Registration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, x)
}

// slip is a caller that notes its answers.
type slip struct {
	answers atomic.Int32
	err     error // of the last
}

func (*slip) Part(Home, *Exchange, wire.Payload) {}

func (s *slip) Answer(_ Home, _ *Exchange, _ *wire.Reply, err error) {
	s.err = err
	s.answers.Add(1)
}

func callOf(payload string) (*Exchange, *slip) {
	s := &slip{}
	return &Exchange{
		Method: "m", Back: s, Deadline: time.Now().Add(time.Minute),
		Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)},
	}, s
}

func TestServicesShareByWhatIsInFlight(t *testing.T) {
	a := newServices(10)
	var desks [3]desk
	var regs [3]*Registration
	for i := range desks {
		regs[i] = a.register("m", &desks[i], 4)
	}
	s := a.find("m")
	for range 6 {
		x, _ := callOf("")
		if err := s.place(x); err != nil {
			t.Fatal(err)
		}
	}
	for i := range desks {
		if n := len(desks[i].asked); n != 2 {
			t.Errorf("server %d was asked %d times, want 2", i, n)
		}
	}
	regs[1].Release(nil)
	regs[1].Release(nil)
	for range 2 {
		x, _ := callOf("")
		if err := s.place(x); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(desks[1].asked); n != 4 {
		t.Errorf("the idle server was asked %d times, want 4", n)
	}
}

func TestServicesQueueInOrderAndWithinBounds(t *testing.T) {
	a := newServices(3)
	d := &desk{}
	r := a.register("m", d, 1)
	s := a.find("m")
	var calls []*Exchange
	for i := range 4 {
		x, _ := callOf(fmt.Sprint(i))
		calls = append(calls, x)
		if err := s.place(x); err != nil {
			t.Fatal(err)
		}
	}
	one, _ := callOf("more")
	if err := s.place(one); err == nil || wire.AsError(err).Code != wire.CodeResourceExhausted {
		t.Fatalf("one too many: %v", err)
	}
	calls[2].Cancel(nil) // it makes room for another
	if err := s.place(one); err != nil {
		t.Fatal(err)
	}
	r.SetFull(nil, true)
	r.Release(nil)
	if len(d.asked) != 1 {
		t.Fatal("a server whose client reads too slowly was asked")
	}
	r.SetFull(nil, false)
	for range 3 {
		r.Release(nil)
	}
	if got, want := payloads(d.asked), "0 1 3 more "; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	if n := a.waitingBytes.Load(); n != 0 {
		t.Errorf("%d bytes are still counted as waiting", n)
	}
}

func TestServicesRefuseWhatWouldTakeTooMuchMemory(t *testing.T) {
	a := newServices(1 << 20)
	a.register("m", &desk{}, 1)
	s := a.find("m")
	large := string(make([]byte, 1<<20))
	for n := 0; ; n++ {
		x, _ := callOf(large)
		if err := s.place(x); err != nil {
			if wire.AsError(err).Code != wire.CodeResourceExhausted || n != 17 { // one in hand, sixteen wait
				t.Errorf("call %d: %v", n, err)
			}
			return
		}
	}
}

func TestServicesFailWhatWaitsForTheLast(t *testing.T) {
	a := newServices(10)
	first, last := a.register("m", &desk{}, 1), a.register("m", &desk{}, 1)
	s := a.find("m")
	var waiting *slip
	for range 3 {
		x, back := callOf("")
		waiting = back
		if err := s.place(x); err != nil {
			t.Fatal(err)
		}
	}
	first.Close(nil)
	if waiting.answers.Load() != 0 {
		t.Fatal("it failed while somebody still serves")
	}
	last.Close(nil)
	if waiting.answers.Load() != 1 || wire.AsError(waiting.err).Code != wire.CodeUnavailable {
		t.Errorf("%d answers, %v", waiting.answers.Load(), waiting.err)
	}
	if a.find("m") != nil {
		t.Error("a method that nobody serves is still known")
	}
	x, _ := callOf("")
	if err := s.place(x); !errors.Is(err, errClosed) {
		t.Errorf("a call that came too late: %v", err)
	}
	last.Release(nil) // of the call that was in hand
}

// A server that comes is first given what waits: a call that comes with it does not overtake.
func TestServicesGiveNewcomersWhatWaits(t *testing.T) {
	a := newServices(10)
	here, newcomer := &desk{}, &desk{}
	a.register("m", here, 1)
	s := a.find("m")
	place := func(payload string) {
		t.Helper()
		x, _ := callOf(payload)
		if err := s.place(x); err != nil {
			t.Fatal(err)
		}
	}
	place("in hand")
	place("first")
	a.register("m", newcomer, 1)
	place("late")
	if got := payloads(newcomer.asked); got != "first " || s.waiting != 1 {
		t.Errorf("the newcomer was asked %q, and %d wait", got, s.waiting)
	}
}

func payloads(calls []*Exchange) (all string) {
	for _, x := range calls {
		all += string(x.Payload.Bytes) + " "
	}
	return all
}

// A call that is given back goes before all that wait, also when as many wait as may.
func TestServicesTakeCallsBack(t *testing.T) {
	a := newServices(2)
	full, other := &desk{}, &desk{}
	r := a.register("m", full, 2)
	s := a.find("m")
	var backs []*slip
	for i := range 4 {
		x, back := callOf(fmt.Sprint(i))
		backs = append(backs, back)
		if err := s.place(x); err != nil {
			t.Fatal(err)
		}
	}
	r.SetFull(nil, true)
	full.asked[0].Cancel(nil)
	r.Return(nil, full.asked[0]) // nobody waits for it
	r.Return(nil, full.asked[1])
	if s.waiting != 3 || r.inFlight != 0 {
		t.Errorf("%d wait, %d are in flight, want 3 and 0", s.waiting, r.inFlight)
	}
	last := a.register("m", other, 2)
	last.SetFull(nil, false)
	if got := payloads(other.asked); got != "1 2 " {
		t.Errorf("the other was asked %q", got)
	}
	r.Close(nil)
	last.Close(nil)
	last.Return(nil, other.asked[0]) // it has nowhere to go
	for i, want := range []string{"0 ", "1 unavailable", "0 ", "1 unavailable"} {
		if got := fmt.Sprint(backs[i].answers.Load(), " ", code(backs[i].err)); got != want {
			t.Errorf("call %d: %q, want %q", i, got, want)
		}
	}
	if n := a.waitingBytes.Load(); n != 0 {
		t.Errorf("%d bytes are still counted as waiting", n)
	}
}

// A call that has looked a service up whose last server then went is given to who serves the method by now.
func TestACallLooksAgainForAServiceThatHasClosed(t *testing.T) {
	h := openHub(t, Options{})
	for round := range 50 {
		gone := newServices(10).register("m", &desk{}, 1)
		gone.Close(nil)
		follow := func(s *service) {
			h.services.mu.Lock()
			defer h.services.mu.Unlock()
			h.services.by["m"] = s
		}
		follow(gone.service) // as the call sees it
		x, back := callOf("")
		var calling sync.WaitGroup
		calling.Go(func() { h.Dispatch(x) })
		for range 100 {
			runtime.Gosched() // it tries what has closed meanwhile, most times
		}
		d := &desk{}
		next := newServices(10).register("m", d, 1)
		follow(next.service)
		calling.Wait()
		if len(d.asked) != 1 || back.answers.Load() != 0 {
			t.Fatalf("round %d: the next server was asked %d times, and the call came to %v", round, len(d.asked), back.err)
		}
	}
}

// TestServicesInAnyOrder has calls, answers, cancels, servers that come and go, and slow ones, all at once. In the end each
// call was given to one server, failed, or was canceled, once, and nothing is counted as in hand.
func TestServicesInAnyOrder(t *testing.T) {
	const workers, each = 4, 5000
	a := newServices(64)
	given := &ledger{}
	staying := &answering{given: given}
	keep := a.register("m", staying, 8)
	var asked, refused, canceled atomic.Int64
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 7))
			own := &answering{given: given}
			var r *Registration
			var open []*Exchange
			for range each {
				switch random.IntN(10) {
				case 0:
					if r == nil {
						r = a.register("m", own, 1+random.IntN(4))
					} else {
						r.Close(nil)
						own.finish()
						r = nil
					}
				case 1:
					if r != nil {
						r.SetFull(nil, random.IntN(2) == 0)
					}
				case 2, 3:
					if len(open) > 0 {
						open[random.IntN(len(open))].Cancel(nil)
						canceled.Add(1)
					}
				case 4, 5:
					own.finish()
				default:
					x, back := callOf("p")
					open = append(open, x)
					if err := a.find("m").place(x); err != nil {
						refused.Add(1)
						back.answers.Add(1)
					}
				}
			}
			if r != nil {
				r.Close(nil)
				own.finish()
			}
			asked.Add(int64(len(open)))
		})
	}
	done.Wait()
	for staying.finish() {
	}
	keep.Close(nil)
	if given.n.Load() == 0 || refused.Load() == 0 || canceled.Load() == 0 || given.twice.Load() != 0 {
		t.Fatalf("%d calls, %d given, %d refused, %d canceled, %d given twice",
			asked.Load(), given.n.Load(), refused.Load(), canceled.Load(), given.twice.Load())
	}
	if n := a.waitingBytes.Load(); n != 0 {
		t.Errorf("%d bytes are still counted as waiting", n)
	}
	if n := keep.inFlight; n != 0 {
		t.Errorf("%d calls are still counted as in flight", n)
	}
	if a.find("m") != nil {
		t.Error("the method is still served")
	}
}

// ledger notes which calls were given to a server.
type ledger struct {
	calls    sync.Map
	n, twice atomic.Int64
}

// answering is a server that answers when it is told to.
type answering struct {
	given *ledger

	mu   sync.Mutex // guards the fields below
	hand []handed
}

type handed struct {
	x *Exchange
	r *Registration
}

func (a *answering) Ask(_ Home, x *Exchange, r *Registration) {
	a.given.n.Add(1)
	if _, before := a.given.calls.LoadOrStore(x, true); before {
		a.given.twice.Add(1)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hand = append(a.hand, handed{x, r})
}

// finish ends all that is in hand, and reports whether there was anything.
func (a *answering) finish() bool {
	a.mu.Lock()
	hand := a.hand
	a.hand = nil
	a.mu.Unlock()
	for _, h := range hand {
		h.r.Release(nil)
	}
	return len(hand) > 0
}
