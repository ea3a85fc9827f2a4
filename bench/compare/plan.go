package main

import (
	"slices"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// measurement is one run of the load tool, and what is read from it.
type measurement struct {
	reading
	args     []string       // of the load tool, besides those that all have
	also     []reading      // further rows from the same rounds
	of       []string       // the subjects that can do it; nil: all
	vary     func(*subject) // what is different with Magpie; nil: nothing
	rounds   int            // at most; 0: as many as asked for
	duration time.Duration  // at least
	tls      bool           // over TLS
	section  section        // of the page
}

// section is a part of the page that has tables of its own.
type section int

const (
	sectionGeneral section = iota
	sectionCalls
	sectionFilters
)

// group is measurements that are taken in alternation: a round of each, and then the next round.
type group []measurement

// reading is one row of the results.
type reading struct {
	name  string
	what  string // the unit
	value func(*bench.Result) float64
}

// The subjects by their names.
const (
	magpie     = "Magpie"
	goroutines = "Magpie, goroutines"
	nats       = "NATS"
	socketIO   = "Socket.IO"
	limit      = "limit"
	grpcRelay  = "gRPC relay"
)

// plan is what is measured, in this order.
func plan() (all []group) {
	for _, m := range slices.Concat(throughput(), latencies(), memories(), secured(), called()) {
		all = append(all, group{m})
	}
	return append(all, filtered())
}

func throughput() []measurement {
	return []measurement{
		{
			reading: reading{"fan-out 1 x 1,000, 1 in flight", "deliveries", perCPU},
			args:    []string{"fanout", "--connections", "1000", "--in-flight", "1"},
		},
		{
			reading: reading{"fan-out 1 x 1,000, 16 in flight", "deliveries", perCPU},
			args:    []string{"fanout", "--connections", "1000", "--in-flight", "16"},
		},
		{
			reading: reading{"fan-out 1 x 10,000, 8 in flight", "deliveries", perCPU},
			args:    []string{"fanout", "--connections", "10000", "--in-flight", "8"},
		},
		{
			reading: reading{"1,000 channels x 10, at random", "deliveries", perCPU},
			args:    []string{"channels", "--connections", "10000", "--channels", "1000", "--in-flight", "64"},
		},
		{
			reading: reading{"echo, 1,000 connections", "round trips", perCPU},
			args:    []string{"echo", "--connections", "1000"},
		},
		{
			reading: reading{"connect and subscribe", "lines", perCPU},
			args:    []string{"connect", "--connections", "1000"},
		},
		{
			reading: reading{"connect and subscribe, embedded", "lines", perCPU},
			args:    []string{"connect", "--connections", "1000"},
			of:      []string{magpie, nats, limit}, vary: embedded,
		},
		{
			reading: reading{"return of 10,000 to 300 messages each", "messages", perCPU},
			args:    []string{"comeback", "--connections", "10000"},
			of:      []string{magpie, goroutines},
		},
		{
			reading: reading{"replay of 300 messages to 10,000", "messages", perCPU},
			args:    []string{"replay", "--connections", "10000"},
			of:      []string{magpie, goroutines},
		},
	}
}

func latencies() []measurement {
	return []measurement{
		{
			reading: reading{"p99 of 10 messages a second to 10,000", "ms", p99},
			args:    []string{"fanout", "--connections", "10000", "--rate", "10"},
			of:      []string{magpie, goroutines, nats, limit}, duration: 5 * time.Second,
		},
		{
			reading: reading{"p99 of a small channel beside a busy one", "ms", p99},
			args:    []string{"mixed", "--connections", "10000"},
			of:      []string{magpie, goroutines, nats}, duration: 5 * time.Second,
		},
	}
}

func memories() []measurement {
	const lines = "18000"
	return []measurement{
		{
			reading: reading{"memory of an idle line", "bytes", perLine},
			args:    []string{"idle", "--connections", lines},
			also: []reading{
				{"the kernel's share of it, both ends", "bytes", kernelPerLine},
				{"idling with 18,000 lines, heartbeats of 30 s", "% of a core", cpuShare},
			},
			of: []string{magpie, goroutines, nats, limit}, vary: withTokens, rounds: 2, duration: 30 * time.Second,
		},
		{
			reading: reading{"memory of an idle line, GOGC=5", "bytes", perLine},
			args:    []string{"idle", "--connections", lines},
			of:      []string{magpie, goroutines}, vary: frugal, rounds: 3, duration: 5 * time.Second,
		},
		{
			reading: reading{"4,000 handshakes under way", "MB", allLines},
			args:    []string{"handshakes", "--connections", "4000"},
			of:      []string{magpie, nats}, rounds: 3,
		},
	}
}

func perCPU(r *bench.Result) float64 { return r.Server.PerCPUSecond }

func perLine(r *bench.Result) float64 { return r.Server.BytesPerLine }

func kernelPerLine(r *bench.Result) float64 { return r.Server.KernelBytesPerLine }

func allLines(r *bench.Result) float64 { return r.Server.BytesPerLine * float64(r.Lines) / 1e6 }

func cpuShare(r *bench.Result) float64 { return 100 * r.Server.CPUSeconds / r.Seconds }

func p99(r *bench.Result) float64 { return r.Latency.P99 / 1000 }
