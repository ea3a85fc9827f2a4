// Command compare measures Magpie, its peers and the limit in alternation and writes bench/RESULTS.md. scripts/bench-peers
// installs what it needs and starts it.
//
// Every figure is a median of several rounds. In each round every server is started anew, on one processor, and the load
// tool runs on another; the order changes from round to round, so that nobody always runs first.
//
//	main.go     the command line
//	plan.go     what is measured
//	tls.go      the same over TLS
//	calls.go    calls, which have peers and tables of their own
//	filters.go  filters, which have none
//	subject.go  the servers: how to start and stop them
//	round.go    one measurement
//	tally.go    medians and spreads
//	write.go    the page
//	apart.go    what stays of the page before
//	machine.go  what the machine is
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// settings are what the command line says.
type settings struct {
	bin      string        // where the programs are
	out      string        // the page to write
	rounds   int           // of every measurement
	duration time.Duration // of a round
	only     string        // a part of the names of the measurements to take
	server   string        // the processors of the servers, and of the load tool, as taskset names them
	client   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := compare(ctx, readSettings(os.Args[1:]))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func readSettings(args []string) settings {
	var s settings
	flags := flag.NewFlagSet("compare", flag.ExitOnError)
	flags.StringVar(&s.bin, "bin", ".cache/bin", "folder with magpie, limit, embedded, grpcrelay and nats-server")
	flags.StringVar(&s.out, "out", "", "page to write; - for stdout (default bench/RESULTS.md, but with --only stdout)")
	flags.IntVar(&s.rounds, "rounds", 5, "rounds of every measurement")
	flags.DurationVar(&s.duration, "duration", 3*time.Second, "how long a round is measured")
	flags.StringVar(&s.only, "only", "", "take only the measurements whose names contain this: TLS, memory, calls, filters")
	flags.StringVar(&s.server, "server-cpu", "0", "processors of the servers")
	flags.StringVar(&s.client, "client-cpu", "1", "processors of the load tool")
	_ = flags.Parse(args) // it ends the process at a mistake
	switch {
	case s.out != "":
	case s.only != "":
		s.out = "-" // a part is not to take the place of the whole
	default:
		s.out = "bench/RESULTS.md"
	}
	return s
}

func compare(ctx context.Context, s settings) error {
	began := time.Now()
	r := runner{settings: s, folder: os.TempDir()}
	var measured []tally
	for _, g := range plan() {
		g = slices.DeleteFunc(g, func(m measurement) bool { return !strings.Contains(m.name, s.only) })
		tallies, err := r.measure(ctx, g)
		if err != nil {
			return err
		}
		for _, t := range tallies {
			measured = append(measured, t)
			for _, also := range t.also {
				t.reading = also
				measured = append(measured, t)
			}
		}
	}
	page := page{settings: s, began: began, took: time.Since(began), subjects: subjects(), tallies: measured}
	if s.out == "-" {
		return page.write(ctx, os.Stdout)
	}
	before, err := os.ReadFile(s.out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	page.apart = apart(string(before))
	f, err := os.Create(s.out)
	if err != nil {
		return err
	}
	if err := page.write(ctx, f); err != nil {
		return err
	}
	return f.Close()
}
