package main

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// The load tool's own checks hold for the yardstick too: what is lost or comes out of order would be no measure.
func TestLimitCarriesEverything(t *testing.T) {
	l, err := newLoop(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(l.listener)
	if err != nil {
		t.Fatal(err)
	}
	go l.run() // it ends with the process
	for _, o := range []bench.Options{
		{Scenario: "fanout", InFlight: 1},
		{Scenario: "fanout", InFlight: 64, Payload: 4000},
		{Scenario: "channels", Channels: 7, InFlight: 32},
		{Scenario: "echo"},
		{Scenario: "connect"},
	} {
		o.Target, o.URL = "limit", fmt.Sprintf("ws://127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
		o.Stages, o.Duration, o.Warmup = []int{30}, 100*time.Millisecond, 10*time.Millisecond
		r, err := bench.Run(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", o.Scenario, err)
		}
		if s := r.Stages[0]; s.Operations == 0 || s.Faults.Sum() != 0 {
			t.Errorf("%s: %d %s, faults %+v: %s", o.Scenario, s.Operations, r.Unit, s.Faults, s.Why)
		}
	}
}
