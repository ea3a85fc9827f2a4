package main

import (
	"fmt"
	"strings"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// called is what is measured of calls: request and reply between clients that are all connected to the server.
func called() []measurement {
	of := []string{magpie, goroutines, nats, grpcRelay}
	row := func(name string, args ...string) measurement {
		return measurement{
			reading: reading{name, "round trips", perCPU}, args: append([]string{"call"}, args...), of: of, section: sectionCalls,
		}
	}
	return []measurement{
		row("calls, 1,000 callers x 10 in flight, 10 servers", "--connections", "1000", "--in-flight", "10", "--servers", "10"),
		row("calls, 1,000 callers x 1 in flight, 10 servers", "--connections", "1000", "--in-flight", "1", "--servers", "10"),
	}
}

const aboutCalls = `
## Calls

Round trips: a client calls, the server hands the call to one of those clients that serve it, which answers with what it was
asked, and the answer goes back. Of a call and of its answer the load tool checks that they came once, to the right one, and
with what belongs to them. Magpie routes by the number of calls that each server has in hand, watches the callers' deadlines and
stamps who calls. With NATS it is request and reply over WebSocket: an inbox for each caller, a queue group for the servers. The
gRPC relay (bench/grpcrelay) is a small program on grpc-go that does with one bidirectional stream for each client what Magpie does,
without rights and deadlines; the load tool speaks HTTP/2 to it in the same loop in which it speaks WebSocket to the others.
`

// calls writes the tables of calls.
func (p *page) calls(b *strings.Builder) {
	list := p.of(sectionCalls)
	if len(list) == 0 {
		return
	}
	b.WriteString(aboutCalls)
	for _, t := range list {
		fmt.Fprintf(b, "\n%s:\n\n| | per CPU second (least to most) | per second | p50 ms | p99 ms | Magpie / this, per CPU second |\n|---|---|---|---|---|---|\n", t.name)
		for _, name := range t.measurement.of {
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", name, t.of(name, t.value), figure(t.of(name, perSecond).median),
				figure(t.of(name, p50).median), figure(t.of(name, p99).median), times(t.ratio(magpie, name)))
		}
	}
}

func perSecond(r *bench.Result) float64 { return r.PerSecond }

func p50(r *bench.Result) float64 { return r.Latency.P50 / 1000 }
