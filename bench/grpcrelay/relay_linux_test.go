package main

import (
	"net"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// start runs a relay and returns its address.
func start(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(newRouter())
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// The load tool's own checks hold for the peer too: a relay that loses calls or crosses them would be no measure.
func TestRelayAnswersEveryCall(t *testing.T) {
	url := start(t)
	for _, o := range []bench.Options{
		{Stages: []int{1}, Servers: 1, InFlight: 1},
		{Stages: []int{30, 7}, Servers: 3, InFlight: 10},
		{Stages: []int{3}, Servers: 2, InFlight: 50, Payload: 50_000}, // fuller than a frame, and in the end than the windows
	} {
		o.Scenario, o.Target, o.URL = "call", "grpc", url
		o.Duration, o.Warmup = 200*time.Millisecond, 10*time.Millisecond
		r, err := bench.Run(t.Context(), o)
		if err != nil {
			t.Fatalf("%+v: %v", o.Stages, err)
		}
		for _, s := range r.Stages {
			if s.Operations == 0 || s.Faults.Sum() != 0 {
				t.Errorf("%d callers: %d %s, faults %+v: %s", s.Lines, s.Operations, r.Unit, s.Faults, s.Why)
			}
		}
	}
}

func TestCallsGoToWhoeverHasTheFewest(t *testing.T) {
	r, caller, a, b := newRouter(), &client{}, &client{}, &client{}
	if _, _, why := r.call(caller, 1, []byte("m")); why == "" {
		t.Error("a call of what nobody serves went to somebody")
	}
	r.serve(a, "m", 2)
	r.serve(b, "m", 1)
	took := make(map[*client]uint64)
	for id := range uint64(3) {
		server, number, why := r.call(caller, id, []byte("m"))
		if why != "" {
			t.Fatalf("call %d: %s", id, why)
		}
		took[server] = number
	}
	if a.inHand != 2 || b.inHand != 1 {
		t.Errorf("%d and %d calls in hand, want 2 and 1", a.inHand, b.inHand)
	}
	if _, _, why := r.call(caller, 4, []byte("m")); why == "" {
		t.Error("more calls than the servers take went to somebody")
	}
	if _, _, ok := r.reply(a, took[b]); ok {
		t.Error("one server answered the call of the other")
	}
	if to, id, ok := r.reply(b, took[b]); !ok || to != caller || id != 1 {
		t.Errorf("the answer to call 1 went to %p as %d, %t", to, id, ok)
	}
	if _, _, ok := r.reply(b, took[b]); ok {
		t.Error("a call was answered twice")
	}
	if left := r.forget(a); len(left) != 2 || a.inHand != 0 {
		t.Errorf("of the server that left: %+v, %d in hand", left, a.inHand)
	}
	if server, _, why := r.call(caller, 5, []byte("m")); server != b {
		t.Errorf("the one that is left got nothing: %s", why)
	}
	if left := r.forget(caller); len(left) != 0 || b.inHand != 0 {
		t.Errorf("of the caller that left: %+v, %d in hand", left, b.inHand)
	}
}
