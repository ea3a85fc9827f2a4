// Runner starts gateways, runs the foreign clients against them, and prints a table of what they found.
//
// It is started by conformance/run, in the root of the repository, with bin/magpie built.
//
//	main.go      the groups of checks, and the table
//	gateway.go   the gateways
//	flaky.go     a line that breaks again and again
//	suite.go     the suites of clients: Node.js, Java, Python
//	kill.go      readers that are killed in the middle
//	first.go     the first clients of the README
//	planted.go   lines that lie, to prove the suites
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// allowance is what the whole run may take, with everything that Maven has to fetch the first time.
const allowance = 15 * time.Minute

// result is one row of the table.
type result struct {
	client   string
	checks   int
	failures []string
}

// group is a part of the run that can be asked for by its name.
type group struct {
	name string
	run  func(context.Context, *field) []result
}

// suites are the programs that make the checks, by the names of their groups.
func suites() map[string]suite {
	return map[string]suite{
		"node": {"conformance/node", []string{"node", "run.mjs"}, []string{"ws"}},
		"java": {
			"conformance/java",
			[]string{"mvn", "-q", "-B", "-ntp", "-Dstyle.color=never", "test"},
			[]string{"java.net.http", "Java-WebSocket", "Tyrus"},
		},
		"python": {"conformance/python", []string{python, "run.py"}, []string{"websockets"}},
	}
}

func groups() []group {
	var all []group
	for _, name := range slices.Sorted(maps.Keys(suites())) {
		all = append(all, group{name, suites()[name].run})
	}
	return append(all, group{"kill", killReaders}, group{"first", runFirstClients}, group{"planted", proveSuites})
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := run(ctx, os.Args[1:])
	passed := printTable(results)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	if err != nil || !passed {
		os.Exit(1) //nolint:gocritic // nothing is left to be deferred
	}
}

func run(ctx context.Context, names []string) (results []result, err error) {
	chosen := groups()
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(g group) bool { return g.name == name }) {
			return nil, fmt.Errorf("%q is no group of checks", name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, allowance)
	defer cancel()
	f, err := newField(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for _, g := range chosen {
		if len(names) > 0 && !slices.Contains(names, g.name) {
			continue
		}
		fmt.Printf("conformance: %s\n", g.name)
		results = append(results, g.run(ctx, f)...)
	}
	return results, nil
}

// printTable prints the failures, then a row for each client, and reports whether all passed.
func printTable(results []result) bool {
	width, checks, failed := len("client"), 0, 0
	for _, r := range results {
		width = max(width, len(r.client))
		checks += r.checks
		failed += len(r.failures)
		for _, failure := range r.failures {
			fmt.Printf("FAILED %s: %s\n", r.client, failure)
		}
	}
	fmt.Printf("%-*s  checks  passed\n", width, "client")
	for _, r := range results {
		fmt.Printf("%-*s  %6d  %6d\n", width, r.client, r.checks, r.checks-len(r.failures))
	}
	fmt.Printf("conformance: %d clients, %d checks, %d passed\n", len(results), checks, checks-failed)
	return failed == 0 && checks > 0
}

// once makes a row of a single check.
func once(client string, err error) result {
	r := result{client: client, checks: 1}
	if err != nil {
		r.failures = []string{strings.TrimSpace(err.Error())}
	}
	return r
}

// poll asks until something is true. When it is not in time the error says what was waited for.
func poll(ctx context.Context, patience time.Duration, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}
