package peers_test

import (
	"fmt"
	"testing"
	"time"
)

const inFlight = 100

// killed is how soon the callers of a program that is killed must know.
const killed = time.Second

// The program that serves is killed with kill -9 while a hundred calls are in flight, all of them in its hands or most of
// them still waiting for one of its slots. Every caller is told at once, and nothing of it stays in the gateway.
func TestServingProgramIsKilled(t *testing.T) {
	page := servePage(t)
	for _, test := range []struct {
		name        string
		concurrency int
		start       func(*testing.T, *gateway, string) *peer
	}{
		{"Go, with all calls in hand", inFlight, startGo},
		{"Go, with calls that wait for a slot", inFlight / 10, startGo},
		{"Java, with all calls in hand", inFlight, startJava},
		{"browser, with all calls in hand", inFlight, page.open},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := startGateway(t, page.origin())
			caller := startGo(t, g, "caller")
			caller.ready(t)
			before := g.fewestGoroutines(t)
			victim := test.start(t, g, "victim")
			victim.ready(t)
			victim.serve(t, test.concurrency, "wait")
			for n := range inFlight {
				caller.call(t, fmt.Sprintf("c%d", n), "victim.wait", 2*patience, "null")
			}
			eventually(t, "the gateway has all calls", func() bool { return g.metric(t, "magpie_calls_open") == inFlight })
			eventually(t, "the calls are in hand", func() bool { return victim.calledOf(inFlight) == test.concurrency })
			checkKilled(t, caller, victim)
			caller.call(t, "later", "victim.wait", patience, "null")
			if code := caller.await(t, "outcome", "later").frame(t).code(); code != "not_found" {
				t.Errorf("a call after that is answered %s", code)
			}
			caller.nothingElse(t)
			eventually(t, fmt.Sprintf("the gateway has no more than its %d goroutines", before), func() bool { return g.goroutines(t) <= before })
		})
	}
}

// checkKilled kills the program, and checks the outcomes of all calls.
func checkKilled(t *testing.T, caller, victim *peer) {
	t.Helper()
	at := time.Now()
	kill(t, victim.cmd)
	var latest time.Duration
	for n := range inFlight {
		outcome := caller.await(t, "outcome", fmt.Sprintf("c%d", n))
		if f := outcome.frame(t); f.code() != "unavailable" || !f.Error.Retryable {
			t.Fatalf("call %d ended with %s", n, outcome.raw)
		}
		if outcome.at.Before(at) {
			t.Errorf("call %d ended before the program was killed", n)
		}
		latest = max(latest, outcome.at.Sub(at))
	}
	if latest > killed {
		t.Errorf("the last caller was told after %s, want %s", latest, killed)
	}
	t.Logf("%d callers were told within %s", inFlight, latest.Round(time.Microsecond))
}

// calledOf counts which of so many calls the program has in hand.
func (p *peer) calledOf(calls int) int {
	n := 0
	for i := range calls {
		n += len(p.said("called", fmt.Sprintf("c%d", i)))
	}
	return n
}

// fewestGoroutines reads the gateway's goroutines a few times: some come and go with the question.
func (g *gateway) fewestGoroutines(t *testing.T) int {
	t.Helper()
	fewest := g.goroutines(t)
	for range 20 {
		fewest = min(fewest, g.goroutines(t))
	}
	return fewest
}
