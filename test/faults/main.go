// Command faults breaks a gateway in every way it can think of, while publishers publish and subscribers watch, and checks
// that nothing that was acknowledged is lost, nothing comes twice, nothing is out of order, and no gap is hidden.
//
//	go run ./test/faults                     the bounded form, some two minutes
//	go run ./test/faults --long              100 kills, and longer everything
//	go run ./test/faults --only kill --seed 7
//
// The gateway is the real binary, built here, with its store on disk. That the checker would notice is shown by building
// gateways with a fault planted in their source, each of which must be found.
//
//	main.go        the command line, and the table
//	gateway.go     the process that is broken
//	line.go        a client's line
//	publisher.go   publishes until told to stop, and sends again what was not acknowledged
//	subscriber.go  follows channels, and comes back with its own positions
//	checker.go     what must hold
//	load.go        publishers and subscribers together, for a scenario
//	scenarios.go   kill, hang, cut, drain
//	disk.go        a full disk, a flipped byte, a torn tail
//	crowd.go       many clients at once, and slow ones
//	proxy.go       cuts lines in the middle of a frame
//	planted.go     gateways with a fault in their source
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// settings are what the command line says.
type settings struct {
	long bool
	seed uint64
	only string
	json bool
}

// scenario is one way to break a gateway.
type scenario struct {
	name string
	what string
	run  func(*bench) (report, error)
}

// report is what a scenario found.
type report struct {
	Scenario string            `json:"scenario"`
	Tally    tally             `json:"tally"`
	Figures  map[string]string `json:"figures,omitempty"`
	Faults   []string          `json:"faults,omitempty"`
	Seconds  float64           `json:"seconds"`
}

// bench is what the scenarios share.
type bench struct {
	settings
	ctx    context.Context //nolint:containedctx // the command's own
	dir    string          // for everything that is written
	binary string          // the gateway
	random *rand.Rand
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log.SetFlags(log.Ltime)
	log.SetPrefix("faults: ")
	ok, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func readSettings(args []string) (s settings, err error) {
	f := flag.NewFlagSet("faults", flag.ContinueOnError)
	f.BoolVar(&s.long, "long", false, "100 kills, and longer everything")
	f.Uint64Var(&s.seed, "seed", uint64(time.Now().Unix()), "what the random choices begin with")
	f.StringVar(&s.only, "only", "", "the scenarios whose name begins so")
	f.BoolVar(&s.json, "json", false, "print the reports as JSON")
	return s, f.Parse(args)
}

func run(ctx context.Context) (ok bool, err error) {
	s, err := readSettings(os.Args[1:])
	if err != nil {
		return errors.Is(err, flag.ErrHelp), nil
	}
	dir, err := os.MkdirTemp("", "magpie-faults-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{settings: s, ctx: ctx, dir: dir, binary: filepath.Join(dir, "magpie"), random: rand.New(rand.NewPCG(s.seed, s.seed))}
	log.Printf("seed %d", s.seed)
	if err := build(ctx, b.binary); err != nil {
		return false, err
	}
	var reports []report
	for _, sc := range scenarios() {
		if !strings.HasPrefix(sc.name, s.only) {
			continue
		}
		if sc.name == "disk-full" && os.Geteuid() != 0 {
			log.Print("disk-full: left out, because only root can mount a small disk")
			continue
		}
		log.Printf("%s: %s", sc.name, sc.what)
		begun := time.Now()
		r, err := sc.run(b)
		if err != nil {
			return false, fmt.Errorf("%s: %w", sc.name, err)
		}
		r.Scenario, r.Seconds = sc.name, time.Since(begun).Seconds()
		for _, fault := range r.Faults {
			log.Printf("%s: FAULT: %s", sc.name, fault)
		}
		reports = append(reports, r)
	}
	return print(s, reports), nil
}

func scenarios() []scenario {
	return []scenario{
		{"planted", "gateways with a fault in their source, which the checker must find", planted},
		{"kill-synced", "kill -9 at random moments", func(b *bench) (report, error) { return kills(b, "synced") }},
		{"kill-written", "the same where messages are written and not synced", func(b *bench) (report, error) { return kills(b, "written") }},
		{"hang", "the process is stopped for some seconds, and goes on", hang},
		{"cut", "lines are reset in the middle of a frame", cut},
		{"drain", "the process is told to end, and started again, under load", drain},
		{"disk-full", "the disk has no room, and has some again", diskFull},
		{"damage", "bytes are flipped in the store, and its log has a torn tail", damage},
		{"storm", "all clients are dropped at once and come back", storm},
		{"slow", "one client never reads, another reads a kilobyte a second", slow},
	}
}

// print prints what was found, and reports whether nothing was wrong.
func print(s settings, reports []report) (ok bool) {
	ok = true
	for _, r := range reports {
		ok = ok && len(r.Faults) == 0
	}
	if s.json {
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"seed": s.seed, "long": s.long, "reports": reports})
		return ok
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "scenario\tseconds\tacknowledged\tdelivered\tlost\ttwice\torder\tfalse\tgaps\tfigures")
	for _, r := range reports {
		t := &r.Tally
		fmt.Fprintf(w, "%s\t%.0f\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", r.Scenario, r.Seconds,
			t.Acknowledged, t.Delivered, t.Lost, t.Twice, t.Order, t.False, t.Gaps, inWords(r.Figures))
	}
	_ = w.Flush()
	if ok {
		fmt.Printf("faults: nothing acknowledged was lost, nothing came twice or out of order (seed %d)\n", s.seed)
	} else {
		fmt.Printf("faults: FAILED (seed %d)\n", s.seed)
	}
	return ok
}
