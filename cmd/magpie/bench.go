package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/bench"
	"github.com/magpie-bridge/magpie/internal/bench/report"
	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// benchFlags are what the command line of bench says.
type benchFlags struct {
	opts        bench.Options
	connections int
	filters     int
	json        bool
	html        string
	quiet       bool
}

func newBenchCommand(env environment) *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "bench SCENARIO",
		Short: "Measure how much a gateway carries",
		Long:  benchHelp(),
		Example: `  magpie bench fanout --stages 50,200,500,1000
  magpie bench fanout --connections 10000 --in-flight 8 --html report.html
  magpie bench channels --channels 1000 --connections 10000
  magpie bench storm --connections 5000 --duration 30s
  magpie bench publish --connections 100
  magpie bench call --connections 1000 --in-flight 10 --servers 10
  magpie bench filters --viewers 0,20,200,1000 --filters 20 --rate 50000
  magpie bench echo --target nats --url ws://127.0.0.1:8081 --json`,
		Args: between(1, 1, "the scenario"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := exclusive(cmd, "connections", "stages", "viewers"); err != nil {
				return err
			}
			f.opts.Scenario = args[0]
			return f.run(cmd.Context(), env)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.opts.Target, "target", "magpie", "what is measured: "+strings.Join(target.Names(), ", "))
	flags.StringVar(&f.opts.URL, "url", "", "the server's address, ws:// or wss://, for grpc http:// (default $MAGPIE_URL for magpie, or the usual port of this machine)")
	flags.StringVar(&f.opts.Token, "token", "", "the credential (default $MAGPIE_TOKEN for magpie)")
	flags.StringVar(&f.opts.CA, "ca", "", "for wss://, whose certificates to trust: a PEM `FILE` (default the machine's)")
	flags.BoolVar(&f.opts.Insecure, "insecure", false, "for wss://, trust any certificate")
	flags.IntVar(&f.connections, "connections", 0, "number of connections (default 1000)")
	flags.IntSliceVar(&f.opts.Stages, "stages", nil, "several numbers of connections, one after the other: 50,200,500,1000")
	flags.IntSliceVar(&f.opts.Stages, "viewers", nil, "the same as --stages, as filters has it: there may be 0, too")
	flags.IntVar(&f.filters, "filters", 20, "for filters, number of different ones; 0: everybody gets everything")
	flags.IntVar(&f.opts.Servers, "servers", 0, "for call, connections that answer the others (default 10)")
	flags.IntVar(&f.opts.Channels, "channels", 0, "number of channels (default 1; for channels one for ten connections)")
	flags.IntVar(&f.opts.InFlight, "in-flight", 0, "messages under way at once; for call, calls of each connection; for connect, connections being opened (default 1; 10 for call, 64 for channels and connect)")
	flags.Float64Var(&f.opts.Rate, "rate", 0, "publish so many messages a second instead (default 100 for storm, 50000 for filters)")
	flags.IntVar(&f.opts.Messages, "messages", 0, "messages that were missed, for comeback and replay (default 300)")
	flags.IntVar(&f.opts.Payload, "payload", 0, "bytes of a payload (default 128)")
	flags.DurationVar(&f.opts.Duration, "duration", 10*time.Second, "how long each stage is measured")
	flags.DurationVar(&f.opts.Warmup, "warmup", 0, "how long each stage runs before that (default a fifth, at most 2s)")
	flags.IntVar(&f.opts.PID, "pid", 0, "the server's process, for its CPU and memory (default: whoever listens on the port)")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.StringVar(&f.html, "html", "", "write the report with charts to this `FILE`")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
	return cmd
}

func benchHelp() string {
	var b strings.Builder
	b.WriteString("Open many connections to a gateway that is running, make traffic, check that every message arrives once and\n" +
		"in order, and tell what it took. A gateway in production is a bad place for it.\n\nScenarios:\n")
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(&b, "  %-10s %s\n", s[0], s[1])
	}
	b.WriteString("\nPer CPU second is what the server does in one second of one processor, user and system time together. The client\n" +
		"takes a processor of its own: pin both (taskset) where figures are to be compared. Exit status 1 when a message was\n" +
		"lost, came twice or out of order, or a connection broke.")
	return b.String()
}

func (f *benchFlags) run(ctx context.Context, env environment) error {
	if f.opts.Filters = f.filters; f.filters == 0 {
		f.opts.Filters = -1
	}
	if f.connections != 0 {
		f.opts.Stages = []int{f.connections}
	}
	if f.opts.Target == "magpie" {
		f.opts.URL = cmp.Or(f.opts.URL, env.getenv("MAGPIE_URL"))
		f.opts.Token = cmp.Or(f.opts.Token, env.getenv("MAGPIE_TOKEN"))
	}
	line := &progressLine{w: env.stderr}
	if !f.quiet && isTerminal(env.stderr) {
		f.opts.Progress = line.show
	}
	measured, err := bench.Run(ctx, f.opts)
	line.show("")
	if measured != nil && len(measured.Stages) > 0 {
		if err := f.tell(env, measured); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		err = nil // stopped by hand, and what was measured is told
	}
	if err == nil {
		return judge(measured)
	}
	if _, ok := errors.AsType[*bench.UsageError](err); ok {
		return &usageError{err}
	}
	if refused(err) {
		return fmt.Errorf("%w; start the server, or name it with --url", err)
	}
	return err
}

// tell prints the report and writes the page.
func (f *benchFlags) tell(env environment, measured *bench.Report) error {
	show := report.Table
	if f.json {
		show = report.JSON
	}
	if err := show(env.stdout, measured); err != nil {
		return err
	}
	if f.html == "" {
		return nil
	}
	var page bytes.Buffer
	if err := report.HTML(&page, measured); err != nil {
		return err
	}
	if err := os.WriteFile(f.html, page.Bytes(), 0o644); err != nil { //nolint:gosec // a report is for everybody
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// judge makes the faults the command's own failure.
func judge(measured *bench.Report) error {
	if measured == nil || measured.Faults() == 0 {
		return nil
	}
	return errTold
}
