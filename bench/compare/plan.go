package main

import "github.com/magpie-bridge/magpie/internal/bench"

// measurement is one row of the results.
type measurement struct {
	name  string
	args  []string // of the load tool, besides those that all have
	what  string   // what is counted
	value func(*bench.Result) float64
	small bool // less is better
}

// plan is what is measured, in this order.
func plan() []measurement {
	return []measurement{
		{
			name: "fan-out 1 x 1,000, 1 in flight", args: []string{"fanout", "--connections", "1000", "--in-flight", "1"},
			what: "deliveries", value: perCPU,
		},
		{
			name: "fan-out 1 x 1,000, 16 in flight", args: []string{"fanout", "--connections", "1000", "--in-flight", "16"},
			what: "deliveries", value: perCPU,
		},
		{
			name: "fan-out 1 x 10,000, 8 in flight", args: []string{"fanout", "--connections", "10000", "--in-flight", "8"},
			what: "deliveries", value: perCPU,
		},
		{
			name: "1,000 channels x 10, at random", args: []string{"channels", "--connections", "10000", "--channels", "1000", "--in-flight", "64"},
			what: "deliveries", value: perCPU,
		},
		{
			name: "echo, 1,000 connections", args: []string{"echo", "--connections", "1000"},
			what: "round trips", value: perCPU,
		},
		{
			name: "connect and subscribe", args: []string{"connect", "--connections", "1000"},
			what: "lines", value: perCPU,
		},
		{
			name: "idle, 10,000 connections", args: []string{"idle", "--connections", "10000"},
			what: "bytes", value: perLine, small: true,
		},
	}
}

func perCPU(r *bench.Result) float64 { return r.Server.PerCPUSecond }

func perLine(r *bench.Result) float64 { return r.Server.BytesPerLine }
